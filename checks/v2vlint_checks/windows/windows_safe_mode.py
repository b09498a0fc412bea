"""Rule windows-safe-mode."""

from collections.abc import Iterator

from v2vlint.api import (
    Applicability,
    Content,
    Example,
    Finding,
    Fix,
    Hive,
    RegistryDeleteKey,
    RegistryValue,
    Rule,
    Severity,
    Stage,
    WindowsNetworkVerdict,
)

_STORE = "/Boot/BCD"
_KEY = "Objects\\{1}\\Elements\\25000080"
_BCD = r"""
[Objects\{9dea862c-5cdd-4e70-acc1-f32b344d4795}\Elements\23000003]
"Element"="{1}"
[Objects\{1}\Elements\12000002]
"Element"="\\Windows\\System32\\winload.exe"
"""
_BASE: dict[str, Content] = {"/Windows/System32/config/SYSTEM": Hive("[ControlSet001\\Control]\n"), "/bootmgr": b"MZ"}


def _safe(mode: int) -> Hive:
    return Hive(f'{_BCD}[{_KEY}]\n"Element"=hex:0{mode},00,00,00,00,00,00,00\n')


class WindowsSafeMode(Rule):
    """Windows' boot entry uses safe mode.

    ## What it does
    Looks for `safeboot` (element 25000080) in the entry that the next boot uses.

    ## Why it matters
    The setting stays until somebody removes it. Safe mode (`minimal`) has no network; the other modes run few services, and a domain
    controller in `dsrepair` serves nobody.

    ## Fix safety
    Unsafe: somebody chose it, perhaps to remove a program. The fix removes the option, as `msconfig` does.

    ## References
    - bcdedit /deletevalue {default} safeboot; Microsoft, "BCDEdit /set", `safeboot`
    """

    severity = Severity.ERROR
    stage = Stage.NETWORK
    since = "0.2"
    kinds = frozenset({"windows"})
    examples = (
        Example({**_BASE, _STORE: _safe(0)}, flags=(f"{_STORE}:{_KEY}:Element",), severity=Severity.ERROR, fixed={_STORE: Hive(_BCD)}),
        Example(
            {**_BASE, _STORE: _safe(1)},
            flags=(f"{_STORE}:{_KEY}:Element",),
            severity=Severity.WARNING,
            fixed={_STORE: Hive(_BCD)},
            title="safe mode with network",
        ),
        Example({**_BASE, _STORE: _safe(2)}, flags=(f"{_STORE}:{_KEY}:Element",), severity=Severity.WARNING, title="a domain controller"),
        Example({**_BASE, _STORE: Hive(_BCD)}),
    )

    def check(self, network: WindowsNetworkVerdict) -> Iterator[Finding]:
        for cause in network.safe_mode:
            entry = cause.about
            effect = "the guest comes up but is unreachable" if entry.safe == "minimal" else "most services do not run"
            fix = Fix("start normally", Applicability.UNSAFE, (_without(entry.safe_mode),)) if entry.safe_mode else None
            yield self.finding(cause.where, cause.reason, effect, severity=cause.severity, fix=fix)


def _without(value: RegistryValue) -> RegistryDeleteKey:
    return RegistryDeleteKey(value.where.path, value.where.key, ((value.name, value.raw),))
