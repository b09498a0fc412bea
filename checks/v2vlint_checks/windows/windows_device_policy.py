"""Rule windows-device-policy."""

from collections.abc import Iterator

from v2vlint.api import Example, Finding, Hive, Rule, Severity, WindowsSystem

_SYSTEM = {"/Windows/System32/config/SYSTEM": Hive("[ControlSet001\\Control]\n")}
_SOFTWARE = "/Windows/System32/config/SOFTWARE"
_KEY = "Policies\\Microsoft\\Windows\\DeviceInstall\\Restrictions"


class WindowsDevicePolicy(Rule):
    """A group policy forbids installing devices, but on the target every device is new.

    ## What it does
    Finds policies that deny device classes, device IDs, or removable or unspecified devices.

    ## Why it matters
    On new hardware Windows has to install nearly every device again. A policy that forbids it blocks network and disks, and boot may end
    with 0x7B even though the driver is there.

    ## References
    - virt-v2v(1), "Group Policy"; virt-v2v commit 8fc242d6 (RHBZ#1260689)
    """

    severity = Severity.WARNING
    since = "0.1"
    kinds = frozenset({"windows"})
    examples = (
        Example(
            {**_SYSTEM, _SOFTWARE: Hive(f'[{_KEY}]\n"DenyUnspecified"=dword:1\n')},
            flags=(f"{_SOFTWARE}:{_KEY}:DenyUnspecified",),
            severity=Severity.WARNING,
        ),
        Example({**_SYSTEM, _SOFTWARE: Hive(f'[{_KEY}]\n"AllowAdminInstall"=dword:1\n"DenyDeviceIDs"=dword:0\n')}),
        Example(dict(_SYSTEM)),
    )

    def check(self, system: WindowsSystem) -> Iterator[Finding]:
        for value in system.restrictions:
            effect = "new devices may stay without a driver, network and disks among them; lift the policy before the move"
            yield self.finding(value.where, f"the policy {value.name} restricts the installation of devices", effect)
