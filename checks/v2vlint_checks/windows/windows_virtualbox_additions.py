"""Rule windows-virtualbox-additions."""

from collections.abc import Iterator

from v2vlint.api import Example, Finding, Hive, NotApplicable, Rule, Severity, Target, WindowsPrograms

_SYSTEM = "/Windows/System32/config/SYSTEM"
_SOFTWARE = "/Windows/System32/config/SOFTWARE"
_KEY = "Microsoft\\Windows\\CurrentVersion\\Uninstall\\{A1}"
_EMPTY = Hive("[ControlSet001\\Services]\n")


class WindowsVirtualboxAdditions(Rule):
    """VirtualBox Guest Additions are installed, and the target is not VirtualBox.

    ## What it does
    Finds the Guest Additions in the list of programs and their services.

    ## Why it matters
    Their display and mouse drivers stay loaded, and the service reports errors at every start.

    ## References
    - VirtualBox manual, chapter "Guest Additions"
    """

    severity = Severity.WARNING
    since = "0.1"
    kinds = frozenset({"windows"})
    examples = (
        Example(
            {
                _SYSTEM: _EMPTY,
                _SOFTWARE: Hive(f'[{_KEY}]\n"DisplayName"="Oracle VM VirtualBox Guest Additions 7.0.14"\n"DisplayVersion"="12.1"\n'),
            },
            flags=(f"{_SOFTWARE}:{_KEY}",),
            severity=Severity.WARNING,
        ),
        Example(
            {_SYSTEM: Hive('[ControlSet001\\Services\\VBoxGuest]\n"Type"=dword:1\n"Start"=dword:1\n')},
            flags=(f"{_SYSTEM}:ControlSet001\\Services\\VBoxGuest",),
            title="a driver without its program",
        ),
        Example({_SYSTEM: Hive('[ControlSet001\\Services\\VBoxGuest]\n"Type"=dword:1\n"Start"=dword:4\n')}, title="disabled"),
        Example({_SYSTEM: _EMPTY}),
    )

    def check(self, programs: WindowsPrograms, target: Target) -> Iterator[Finding]:
        if "virtualbox" in target.agents:
            raise NotApplicable("the target is VirtualBox")
        left = programs.left_by("virtualbox")
        if left.where is not None:
            related = tuple(service.where for service in left.services[:8])
            yield self.finding(
                left.where,
                f"VirtualBox Guest Additions are installed: {left.words}",
                "their drivers and services start in vain; uninstall them on the source",
                related=related,
            )
