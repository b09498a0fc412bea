"""Rule platform-argument."""

from collections.abc import Iterator

from v2vlint.api import CommandLines, Example, Finding, KernelArg, NotApplicable, Rule, Severity, Startup, Target, all_args

_CFG = "/boot/grub/grub.cfg"
_ENTRY = "menuentry 'Flatcar' {\n linux /vmlinuz root=LABEL=ROOT {0}\n}\n"
_NAMES = ("ignition.platform.id", "flatcar.oem.id", "coreos.oem.id", "afterburn.provider")
# Ignition's and Afterburn's names for the platforms of the profiles.
_PLATFORMS = {
    "aws": "ec2", "ec2": "ec2", "azure": "azure", "gcp": "gce", "gce": "gce", "openstack": "openstack", "openstack-metadata": "openstack",
    "kubevirt": "kubevirt", "proxmoxve": "proxmox",
}  # fmt: skip
_ELSEWHERE = frozenset({"digitalocean", "packet", "hetzner", "ibmcloud", "powervs", "vultr", "exoscale", "aliyun", "nutanix", "akamai"})


class PlatformArgument(Rule):
    """The kernel command line names another platform.

    ## What it does
    Compares `ignition.platform.id=`, `flatcar.oem.id=`, `coreos.oem.id=` and `afterburn.provider=` with the target's platform.

    ## Why it matters
    Ignition and Afterburn query that platform for the guest's settings, keys and host name. Elsewhere nobody answers: the services fail,
    and Ignition stops the first boot of a copy.

    ## References
    - coreos.github.io/ignition/supported-platforms, www.flatcar.org/docs, "Ignition"
    """

    severity = Severity.WARNING
    since = "0.1"
    examples = (
        Example({_CFG: _ENTRY.replace("{0}", "flatcar.oem.id=azure")}, flags=(f"{_CFG}:2",)),
        Example({_CFG: _ENTRY.replace("{0}", "ignition.platform.id=aws")}, target="gce", flags=(f"{_CFG}:2",)),
        Example({_CFG: _ENTRY.replace("{0}", "ignition.platform.id=vmware")}, flags=(f"{_CFG}:2",)),
        Example({_CFG: _ENTRY.replace("{0}", "ignition.platform.id=aws")}, target="ec2-xen"),
        Example({_CFG: _ENTRY.replace("{0}", "ignition.platform.id=qemu flatcar.autologin")}),
        Example({_CFG: _ENTRY.replace("{0}", "ignition.platform.id=metal")}, target="azure"),
    )

    def check(self, startup: Startup, lines: CommandLines, target: Target) -> Iterator[Finding]:
        args = all_args(startup.default.args if startup.default else lines.live, *_NAMES)
        if not args:
            raise NotApplicable("the command line names no platform")
        for arg in args:
            if _is_elsewhere(arg, target):
                effect = f"it requests its settings there, and {target.name} does not answer"
                yield self.finding(arg.where, f"the kernel command line names the platform {arg.value} ({arg})", effect)


def _is_elsewhere(arg: KernelArg, target: Target) -> bool:
    word = (arg.value or "").lower()
    if word == "vmware":
        return "open-vm-tools" not in target.agents
    return word in _ELSEWHERE or (word in _PLATFORMS and _PLATFORMS[word] != target.platform)
