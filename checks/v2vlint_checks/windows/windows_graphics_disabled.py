"""Rule windows-graphics-disabled."""

from collections.abc import Iterator

from v2vlint.api import (
    Content,
    Example,
    Finding,
    Hive,
    Refusals,
    Rule,
    Severity,
    WindowsBoot,
)

_STORE = "/Boot/BCD"
_LOADER = "{5b2e1d6c-0000-4000-8000-000000000001}"
_KEY = f"Objects\\{_LOADER}\\Elements\\16000046"
_TEXT = f"""
[Objects\\{{9dea862c-5cdd-4e70-acc1-f32b344d4795}}\\Elements\\23000003]
"Element"="{_LOADER}"
[Objects\\{_LOADER}\\Elements\\12000002]
"Element"="\\\\Windows\\\\system32\\\\winload.exe"
"""
_BASE: dict[str, Content] = {"/Windows/System32/config/SYSTEM": Hive("[ControlSet001\\Control]\n"), "/bootmgr": b"MZ"}


class WindowsGraphicsDisabled(Rule):
    """The boot configuration disables graphics.

    ## What it does
    Looks for `graphicsmodedisabled` (element 16000046) in the default entry of the boot configuration. Parallels and Virtuozzo tools set
    it.

    ## Why it matters
    Windows boots and runs, but the screen stays black on other hypervisors.

    ## References
    - virt-v2v removes it on UEFI guests: commit c721d5bb
    - bcdedit /deletevalue {current} graphicsmodedisabled
    """

    severity = Severity.WARNING
    since = "0.1"
    kinds = frozenset({"windows"})
    examples = (
        Example({**_BASE, _STORE: Hive(f'{_TEXT}[{_KEY}]\n"Element"=hex:01\n')}, flags=(f"{_STORE}:{_KEY}",), severity=Severity.WARNING),
        Example({**_BASE, _STORE: Hive(f'{_TEXT}[{_KEY}]\n"Element"=hex:00\n')}, title="set to no"),
        Example({**_BASE, _STORE: Hive(_TEXT)}),
    )

    def check(self, boot: WindowsBoot, refusals: Refusals) -> Iterator[Finding]:
        if boot.default is not None and boot.default.graphics_off is not None:
            repaired = refusals.converts and boot.uefi
            effect = f"{'virt-v2v removes it; after a raw copy ' if repaired else ''}the screen stays black, though Windows runs"
            message = f"the default boot entry of {boot.store} has graphicsmodedisabled"
            severity = Severity.INFO if repaired else Severity.WARNING
            yield self.finding(boot.default.graphics_off, message, effect, severity=severity)
