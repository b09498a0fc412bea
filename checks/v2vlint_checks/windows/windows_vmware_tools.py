"""Rule windows-vmware-tools."""

from collections.abc import Iterator

from v2vlint.api import Example, Finding, Hive, NotApplicable, Rule, Severity, Target, WindowsPrograms

_SYSTEM = "/Windows/System32/config/SYSTEM"
_SOFTWARE = "/Windows/System32/config/SOFTWARE"
_KEY = "Microsoft\\Windows\\CurrentVersion\\Uninstall\\{A1}"
_EMPTY = Hive("[ControlSet001\\Services]\n")


class WindowsVmwareTools(Rule):
    """VMware Tools are installed, and the target is not VMware.

    ## What it does
    Finds VMware Tools in the list of programs, and their services. `pvscsi` does not count: it may be driving the disks until the move.

    ## Why it matters
    They have no use elsewhere, and their installer often refuses to remove them on other hardware (error 1603). Their display,
    mouse and network filter drivers stay loaded.

    ## References
    - virt-v2v uninstalls them at the first boot, which usually fails: virt-v2v(1); Forklift `9100_cleanup_vmware.ps1`
    """

    severity = Severity.WARNING
    since = "0.1"
    kinds = frozenset({"windows"})
    examples = (
        Example(
            {_SYSTEM: _EMPTY, _SOFTWARE: Hive(f'[{_KEY}]\n"DisplayName"="VMware Tools"\n"DisplayVersion"="12.1"\n')},
            flags=(f"{_SOFTWARE}:{_KEY}",),
            severity=Severity.WARNING,
        ),
        Example(
            {_SYSTEM: Hive('[ControlSet001\\Services\\vmci]\n"Type"=dword:1\n"Start"=dword:1\n')},
            flags=(f"{_SYSTEM}:ControlSet001\\Services\\vmci",),
            title="a driver without its program",
        ),
        Example({_SYSTEM: Hive('[ControlSet001\\Services\\vmci]\n"Type"=dword:1\n"Start"=dword:4\n')}, title="disabled"),
        Example({_SYSTEM: _EMPTY}),
    )

    def check(self, programs: WindowsPrograms, target: Target) -> Iterator[Finding]:
        if "vmware-tools" in target.agents:
            raise NotApplicable("the target is VMware")
        left = programs.left_by("vmware-tools")
        if left.where is not None:
            related = tuple(service.where for service in left.services[:8])
            yield self.finding(
                left.where,
                f"VMware Tools are installed: {left.words}",
                "they are hard to remove on other hardware; uninstall them on the source, as the last step",
                related=related,
            )
