"""Rule windows-xen-tools."""

from collections.abc import Iterator

from v2vlint.api import Example, Finding, Hive, NotApplicable, Rule, Severity, Target, WindowsPrograms

_SYSTEM = "/Windows/System32/config/SYSTEM"
_SOFTWARE = "/Windows/System32/config/SOFTWARE"
_KEY = "Microsoft\\Windows\\CurrentVersion\\Uninstall\\{A1}"
_EMPTY = Hive("[ControlSet001\\Services]\n")


class WindowsXenTools(Rule):
    """Xen's drivers are installed, and the target is not Xen.

    ## What it does
    Finds the Xen drivers of Citrix, XenServer, XCP-ng, Amazon and Red Hat: programs, and services that are not disabled.

    ## Why it matters
    They start at boot, and some are filters on disks and network cards. Off Xen they may keep the guest from booting; virt-v2v disables
    one of them (`rhelscsi`) and runs the uninstaller at first boot.

    ## References
    - virt-v2v `convert/convert_windows.ml` (RHBZ#809273)
    """

    severity = Severity.WARNING
    since = "0.1"
    kinds = frozenset({"windows"})
    examples = (
        Example(
            {_SYSTEM: _EMPTY, _SOFTWARE: Hive(f'[{_KEY}]\n"DisplayName"="Citrix XenServer Tools"\n"DisplayVersion"="12.1"\n')},
            flags=(f"{_SOFTWARE}:{_KEY}",),
            severity=Severity.WARNING,
        ),
        Example(
            {_SYSTEM: Hive('[ControlSet001\\Services\\xenfilt]\n"Type"=dword:1\n"Start"=dword:1\n')},
            flags=(f"{_SYSTEM}:ControlSet001\\Services\\xenfilt",),
            title="a driver without its program",
        ),
        Example({_SYSTEM: Hive('[ControlSet001\\Services\\xenfilt]\n"Type"=dword:1\n"Start"=dword:4\n')}, title="disabled"),
        Example({_SYSTEM: _EMPTY}),
    )

    def check(self, programs: WindowsPrograms, target: Target) -> Iterator[Finding]:
        if "xen" in target.agents:
            raise NotApplicable("the target is Xen")
        left = programs.left_by("xen")
        if left.where is not None:
            related = tuple(service.where for service in left.services[:8])
            yield self.finding(
                left.where,
                f"Xen drivers are installed: {left.words}",
                "they start at boot without the hypervisor they are made for; uninstall them on the source",
                related=related,
            )
