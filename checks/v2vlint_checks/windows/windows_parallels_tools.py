"""Rule windows-parallels-tools."""

from collections.abc import Iterator

from v2vlint.api import Example, Finding, Hive, Mover, Refusals, Rule, Severity, Stage, WindowsPrograms, WindowsRootVerdict

_SYSTEM = "/Windows/System32/config/SYSTEM"
_SOFTWARE = "/Windows/System32/config/SOFTWARE"
_CLASS = "ControlSet001\\Control\\Class\\{4d36e967-e325-11ce-bfc1-08002be10318}"
_FILTER = f'[{_CLASS}]\n"LowerFilters"=multi:"prl_strg"\n'
_SERVICE = '[ControlSet001\\Services\\prl_strg]\n"Type"=dword:1\n"Start"=dword:0\n'
_UNINSTALL = "Microsoft\\Windows\\CurrentVersion\\Uninstall\\{A1}"


class WindowsParallelsTools(Rule):
    """Parallels' or Virtuozzo's drivers are installed, possibly with a filter on the system disk.

    ## What it does
    Finds their tools in the list of programs, their services, and `prl_strg` among the filters of the disk class.

    ## Why it matters
    `prl_strg` is a filter below every disk: off Parallels it crashes Windows before it has started. The other drivers start in vain.

    ## References
    - virt-v2v disables the services and removes the filter: `convert/convert_windows.ml`
    """

    severity = Severity.WARNING
    stage = Stage.ROOT
    since = "0.1"
    kinds = frozenset({"windows"})
    examples = (
        Example({_SYSTEM: Hive(_FILTER + _SERVICE)}, flags=(f"{_SYSTEM}:{_CLASS}:LowerFilters",), severity=Severity.ERROR),
        Example(
            {_SYSTEM: Hive(_FILTER + _SERVICE)},
            mover=Mover.VIRT_V2V,
            flags=(f"{_SYSTEM}:{_CLASS}:LowerFilters",),
            severity=Severity.INFO,
            title="virt-v2v removes the filter",
        ),
        Example(
            {_SYSTEM: Hive("[ControlSet001]\n"), _SOFTWARE: Hive(f'[{_UNINSTALL}]\n"DisplayName"="Virtuozzo Tools"\n')},
            flags=(f"{_SOFTWARE}:{_UNINSTALL}",),
            severity=Severity.WARNING,
        ),
        Example({_SYSTEM: Hive(f'[{_CLASS}]\n"UpperFilters"=multi:"partmgr"\n')}),
    )

    def check(self, root: WindowsRootVerdict, programs: WindowsPrograms, refusals: Refusals) -> Iterator[Finding]:
        repaired, on_disks = refusals.converts, root.filters
        for cause in on_disks:
            effect = "virt-v2v removes it; after a raw copy " if repaired else ""
            yield self.finding(cause.where, cause.reason, f"{effect}Windows stops with a blue screen at boot", severity=cause.severity)
        left = programs.left_by("parallels")
        if left.where is not None and not on_disks:
            severity = Severity.INFO if repaired else Severity.WARNING
            yield self.finding(left.where, f"Parallels Tools are installed: {left.words}", "their drivers start in vain", severity=severity)
