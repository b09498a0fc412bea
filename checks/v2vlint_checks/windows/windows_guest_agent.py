"""Rule windows-guest-agent."""

from collections.abc import Iterator

from v2vlint.api import Conversion, Example, Finding, Hive, Mover, Rule, Severity, Target, WholeFile, WindowsAgents, windows_clouds

_SYSTEM = "/Windows/System32/config/SYSTEM"
_NONE = Hive("[ControlSet001\\Services]\n")


def _hive(name: str, start: int = 2) -> Hive:
    return Hive(f'[ControlSet001\\Services\\{name}]\n"Type"=dword:10\n"Start"=dword:{start}\n')


class WindowsGuestAgent(Rule):
    """The target's agent is not installed in Windows, or another cloud's is.

    ## What it does
    Looks for the services of guest agents: Azure's VM agent, EC2Launch (including the script-based v1), EC2Config, Google's guest agent,
    QEMU's, and cloudbase-init where OpenStack metadata exists; and reports those of another cloud.

    ## Why it matters
    Without its agent a cloud does not reset passwords, run extensions or set up additional disks; cloudbase-init sets host name, password
    and network on OpenStack; QEMU's agent lets a hypervisor shut the guest down cleanly and freeze it for a backup. Another cloud's agent
    queries a metadata service that does not exist, and fills the log.

    ## References
    - Microsoft, "Azure Windows VM Agent overview"; Amazon, "EC2Launch v2"; Google, "Guest environment"
    - OpenStack, "Create Windows images", cloudbase-init
    - virt-v2v installs QEMU's agent where it has virtio-win: libguestfs-common `mlcustomize/inject_virtio_win.ml`
    """

    severity = Severity.INFO
    since = "0.2"
    kinds = frozenset({"windows"})
    examples = (
        Example({_SYSTEM: _NONE}, target="azure", flags=("/Windows",), severity=Severity.INFO),
        Example({_SYSTEM: _NONE}, flags=("/Windows",), title="QEMU's agent"),
        Example({_SYSTEM: _NONE}, mover=Mover.VIRT_V2V, title="virt-v2v installs QEMU's agent"),
        Example(
            {_SYSTEM: _hive("WindowsAzureGuestAgent")},
            target="virtualbox",
            flags=(f"{_SYSTEM}:ControlSet001\\Services\\WindowsAzureGuestAgent",),
            title="another cloud's",
        ),
        Example({_SYSTEM: _hive("WindowsAzureGuestAgent")}, target="azure"),
        Example({_SYSTEM: _hive("QEMU-GA")}, target="openstack", flags=("/Windows",), title="cloudbase-init"),
        Example({_SYSTEM: Hive(_hive("QEMU-GA").text + _hive("cloudbase-init").text)}, target="openstack"),
        Example({_SYSTEM: _hive("QEMU-GA")}, title="no cloud"),
        Example({_SYSTEM: _NONE, "/ProgramData/Amazon/EC2-Windows/Launch/Scripts/InitializeInstance.ps1": ""}, target="ec2-nitro"),
    )

    def check(self, agents: WindowsAgents, target: Target, conversion: Conversion) -> Iterator[Finding]:
        wanted = [family for family in windows_clouds if family in target.agents]
        if len(wanted) == 1 and not agents.runs(wanted[0]):
            message = f"the agent of {windows_clouds[wanted[0]]} is not installed, or does not start"
            yield self.finding(WholeFile("/Windows"), message, "the cloud's functions inside the guest do not work")
        elif target.guest_agent == "qemu" and not agents.runs("qemu") and not conversion.fits:
            effect = "the hypervisor can neither shut the guest down cleanly nor freeze it for a backup"
            yield self.finding(WholeFile("/Windows"), "QEMU's guest agent is not installed, or does not start", effect)
        if "openstack" in target.datasources and not agents.runs("cloud-init"):
            effect = "host name, administrator password and network stay as they are in the image"
            yield self.finding(WholeFile("/Windows"), "cloudbase-init is not installed, or does not start", effect)
        for family, cloud in windows_clouds.items():
            if family not in target.agents and (found := agents.of(family)) and agents.runs(family):
                effect = "it queries a metadata service that does not exist, and fills the log"
                yield self.finding(found[0].where, f"the agent of {cloud} is installed ({found[0].name})", effect)
