"""Rule modprobe-hardware-alias."""

import re
from collections.abc import Iterator

from v2vlint.api import (
    Applicability,
    BootChoices,
    Example,
    Finding,
    Fix,
    Link,
    Modprobe,
    ModprobeCommand,
    Mover,
    Presence,
    Refusals,
    Rule,
    Severity,
    Target,
    normal,
    replace_token,
    sample_boot,
    sample_tools,
)

_ALIAS = re.compile(r"(?P<scsi>scsi_hostadapter\d*)|(?P<net>eth\d+)")
_CONF = "/etc/modprobe.conf"

# The names of Xen's drivers before they were merged into Linux.
_FORMERLY = {"xennet": "xen_netfront", "xenblk": "xen_blkfront"}


class ModprobeHardwareAlias(Rule):
    """A modprobe alias binds the disk controller or a network interface to the old hardware's driver.

    ## What it does
    Finds `alias scsi_hostadapter …` and `alias ethN …` (Red Hat up to 5, SUSE up to 10) that name a driver the target has no device for.

    ## Why it matters
    Such systems load drivers only through these aliases: mkinitrd builds the initrd from them, and the network script loads the card's
    driver by them.

    ## Fix safety
    Unsafe: the first of the target's drivers that the kernel has is used; which of several interfaces it is for is not known.

    ## References
    - virt-v2v rewrites them: `convert/convert_linux.ml`, `configure_kernel_modules`.
    """

    since = "0.1"
    examples = (
        Example(
            {**sample_boot(), _CONF: "alias eth0 pcnet32\nalias scsi_hostadapter mptspi\n"},
            flags=(f"{_CONF}:1", f"{_CONF}:2"),
            severity=Severity.WARNING,
            fixed={_CONF: "alias eth0 virtio_net\nalias scsi_hostadapter virtio_blk\n"},
        ),
        Example(
            {**sample_boot(), **sample_tools(), _CONF: "alias eth0 pcnet32\n"},
            mover=Mover.VIRT_V2V,
            flags=(f"{_CONF}:1",),
            severity=Severity.INFO,
        ),
        Example({**sample_boot(), _CONF: "alias eth0 virtio_net\nalias usb-controller uhci-hcd\n# alias eth1 e1000\n"}),
        Example({**sample_boot(), _CONF: "alias eth0 xennet\nalias scsi_hostadapter xenblk\n"}, target="xen"),
        Example({**sample_boot(), _CONF: "alias eth0 off\n", "/usr/bin/kmod": ""}, title="kmod does not read modprobe.conf"),
        Example(
            {**sample_boot(), _CONF: "alias eth0 pcnet32\n", "/etc/modules.conf": Link("modprobe.conf")},
            flags=(f"{_CONF}:1",),
            title="a file with two names",
        ),
    )

    def check(self, modprobe: Modprobe, choices: BootChoices, target: Target, refusals: Refusals) -> Iterator[Finding]:
        repaired = refusals.converts
        for command in modprobe.aliases(_ALIAS):
            network = command.words[0].value.startswith("eth")
            wanted = [modules for device in (target.nics if network else target.controllers) for modules in device.any_of]
            module = normal(command.words[1].value)
            if _FORMERLY.get(module, module) in {name for modules in wanted for name in modules} or module in ("off", "ata_piix"):
                continue
            message = f"{command.words[0]} is bound to the driver {module}, for which the target has no device"
            effect = "the interface stays down" if network else "the next initrd lacks the disk controller's driver"
            severity = Severity.INFO if repaired else Severity.WARNING
            effect = "virt-v2v rewrites the alias" if repaired else effect
            yield self.finding(command.where, message, effect, severity=severity, fix=_fix(command, wanted, choices))


def _fix(command: ModprobeCommand, wanted: list[tuple[str, ...]], choices: BootChoices) -> Fix | None:
    kernel = choices.default.kernel if choices.default else None
    if kernel is None:
        return None
    usable = (modules[0] for modules in wanted if all(kernel.has(name) in (Presence.MODULE, Presence.BUILTIN) for name in modules))
    driver = next(usable, None)
    if driver is None:
        return None
    return Fix(f"bind {command.words[0]} to {driver}", Applicability.UNSAFE, (replace_token(command.words[1], driver),))
