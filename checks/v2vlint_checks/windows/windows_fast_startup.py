"""Rule windows-fast-startup."""

from collections.abc import Iterator

from v2vlint.api import Applicability, Example, Finding, Fix, Hive, Rule, Severity, WindowsSystem, dword, set_value

_SYSTEM = "/Windows/System32/config/SYSTEM"
_POWER = "ControlSet001\\Control\\Session Manager\\Power"


class WindowsFastStartup(Rule):
    """Fast startup is enabled: shutting down hibernates the kernel.

    ## What it does
    Reads `HiberbootEnabled`. Windows clients enable it by default, so it only matters for the next shutdown before the move.

    ## Why it matters
    A shutdown from the start menu then leaves the kernel in `hiberfil.sys`, which virt-v2v refuses and other hardware cannot resume.

    ## Fix safety
    Safe: booting takes a few seconds longer. Refused on a volume that is hibernated or not clean.

    ## References
    - virt-v2v(1), "Windows Hibernation or Fast Startup"
    """

    severity = Severity.INFO
    since = "0.1"
    kinds = frozenset({"windows"})
    examples = (
        Example(
            {_SYSTEM: Hive(f'[{_POWER}]\n"HiberbootEnabled"=dword:1\n')},
            flags=(f"{_SYSTEM}:{_POWER}:HiberbootEnabled",),
            fixed={_SYSTEM: Hive(f'[{_POWER}]\n"HiberbootEnabled"=dword:0\n')},
        ),
        Example(
            {_SYSTEM: Hive(f'[{_POWER}]\n"HiberbootEnabled"=dword:1\n'), "/hiberfil.sys": b"HIBR"},
            title="windows-hibernated says what it led to",
        ),
        Example({_SYSTEM: Hive(f'[{_POWER}]\n"HiberbootEnabled"=dword:0\n')}),
    )

    def check(self, system: WindowsSystem) -> Iterator[Finding]:
        if system.fast_startup is not None and not system.hibernated:
            effect = "the next shutdown may leave it hibernated; use 'shutdown /s /t 0' or 'powercfg /h off' before the move"
            value = system.fast_startup
            fix = Fix("disable fast startup", Applicability.SAFE, (set_value(value.where, dword(0), value),))
            yield self.finding(value.where, "fast startup is enabled", effect, fix=fix)
