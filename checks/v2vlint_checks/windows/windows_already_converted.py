"""Rule windows-already-converted."""

from collections.abc import Iterator

from v2vlint.api import Example, Finding, Hive, Registry, Rule, Severity

_SYSTEM = "/Windows/System32/config/SYSTEM"
_KEY = "DriverDatabase\\DriverInfFiles\\guestor.inf"


class WindowsAlreadyConverted(Rule):
    """A driver package is registered that does not exist, left over from a conversion.

    ## What it does
    Looks for the package `guestor.inf` in the driver database: virt-v2v and `v2vlint fix --virtio-win` use it to bind their boot driver.

    ## Why it matters
    No such file exists. `pnputil /enum-drivers` and upgrades to a newer Windows fail because of it.

    ## References
    - virt-v2v(1), "contrib/remove-guestor.reg" (MTV-2256)
    """

    severity = Severity.INFO
    since = "0.1"
    kinds = frozenset({"windows"})
    examples = (
        Example({_SYSTEM: Hive(f"[ControlSet001]\n[{_KEY}]\n")}, flags=(f"{_SYSTEM}:{_KEY}",), severity=Severity.INFO),
        Example({_SYSTEM: Hive("[ControlSet001]\n[DriverDatabase\\DriverInfFiles\\mshdc.inf]\n")}),
    )

    def check(self, registry: Registry) -> Iterator[Finding]:
        found = registry.system.key(_KEY)
        if found is not None:
            effect = "pnputil and upgrades of Windows fail because of it; merge remove-guestor.reg once real drivers are installed"
            yield self.finding(found.where, "the driver package guestor.inf is registered, left over from a conversion", effect)
