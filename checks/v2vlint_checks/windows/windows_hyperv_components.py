"""Rule windows-hyperv-components."""

from collections.abc import Iterator

from v2vlint.api import Example, Finding, Hive, NotApplicable, Rule, Severity, Target, WindowsPrograms

_SYSTEM = "/Windows/System32/config/SYSTEM"
_SOFTWARE = "/Windows/System32/config/SOFTWARE"
_KEY = "Microsoft\\Windows\\CurrentVersion\\Uninstall\\{H1}"
_EMPTY = Hive("[ControlSet001\\Services]\n")
_PROGRAM = Hive(f'[{_KEY}]\n"DisplayName"="Microsoft Hyper-V Guest Components"\n')


class WindowsHypervComponents(Rule):
    """Hyper-V's integration components are installed, and the target is not Hyper-V.

    ## What it does
    Finds them in the list of programs of Windows Server 2003 to 2008 R2 and the corresponding clients. Later versions ship the drivers
    with Windows, on any hardware, so they are not reported.

    ## Why it matters
    Their drivers find no device and stay idle; the list of programs keeps an entry that can only be removed on Hyper-V.

    ## References
    - Microsoft, "Supported Windows guest operating systems for Hyper-V": which versions need the components installed
    """

    severity = Severity.INFO
    since = "0.1"
    kinds = frozenset({"windows"})
    examples = (
        Example({_SYSTEM: _EMPTY, _SOFTWARE: _PROGRAM}, flags=(f"{_SOFTWARE}:{_KEY}",), severity=Severity.INFO),
        Example({_SYSTEM: Hive('[ControlSet001\\Services\\vmicheartbeat]\n"Type"=dword:32\n"Start"=dword:3\n')}, title="part of Windows"),
        Example({_SYSTEM: _EMPTY, _SOFTWARE: _PROGRAM}, target="hyperv-gen1", title="at home on Hyper-V"),
    )

    def check(self, programs: WindowsPrograms, target: Target) -> Iterator[Finding]:
        if "hyperv" in target.agents:
            raise NotApplicable("the target is Hyper-V")
        left = programs.left_by("hyperv")
        if left.where is not None:
            effect = "they find no device and stay idle; uninstall them on the source to clean up the list of programs"
            yield self.finding(left.where, f"Hyper-V's integration components are installed: {left.words}", effect)
