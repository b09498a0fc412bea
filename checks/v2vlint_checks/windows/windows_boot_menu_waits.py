"""Rule windows-boot-menu-waits."""

from collections.abc import Iterator

from v2vlint.api import Content, Example, Finding, Hive, Rule, Severity, Stage, WindowsEntryVerdict

_STORE = "/Boot/BCD"
_MANAGER = "Objects\\{9dea862c-5cdd-4e70-acc1-f32b344d4795}\\Elements"
_BCD = rf"""
[{_MANAGER}\23000003]
"Element"="{{1}}"
[{_MANAGER}\24000001]
"Element"=multi:"{{1}}","{{2}}"
[Objects\{{1}}\Elements\12000002]
"Element"="\\Windows\\System32\\winload.exe"
[Objects\{{2}}\Elements\12000004]
"Element"="Windows Server 2008 R2"
"""
_BASE: dict[str, Content] = {
    "/Windows/System32/config/SYSTEM": Hive("[ControlSet001\\Control]\n"),
    "/Windows/System32/winload.exe": b"MZ",
    "/bootmgr": b"MZ",
}


class WindowsBootMenuWaits(Rule):
    """The boot manager shows a menu and waits for a choice.

    ## What it does
    Checks whether the boot manager shows its menu (several entries in `displayorder`, or `displaybootmenu`) without a `timeout`.

    ## Why it matters
    Without a timeout the boot manager waits for a choice. If nobody is at the console, it waits forever.

    ## References
    - Microsoft, BcdBootMgrInteger_Timeout: "If this value is not specified, the boot manager waits for the user to make a selection."
    - bcdedit /timeout 5
    """

    severity = Severity.WARNING
    stage = Stage.ENTRY
    since = "0.2"
    kinds = frozenset({"windows"})
    examples = (
        Example({**_BASE, _STORE: Hive(_BCD)}, flags=(f"{_STORE}:{_MANAGER}\\24000001:Element",), severity=Severity.WARNING),
        Example({**_BASE, _STORE: Hive(f'{_BCD}[{_MANAGER}\\25000004]\n"Element"=hex:1e,00,00,00,00,00,00,00\n')}),
        Example({**_BASE, _STORE: Hive(_BCD.replace(',"{2}"', ""))}, title="one entry: there is no menu"),
    )

    def check(self, entry: WindowsEntryVerdict) -> Iterator[Finding]:
        for cause in entry.menu:
            effect = "nothing starts until somebody chooses at the console; set a timeout with bcdedit"
            yield self.finding(cause.where, cause.reason, effect, severity=cause.severity)
