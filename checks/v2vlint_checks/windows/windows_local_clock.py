"""Rule windows-local-clock."""

from collections.abc import Iterator

from v2vlint.api import (
    Conversion,
    Example,
    Finding,
    Hive,
    Mover,
    Rule,
    Severity,
    WindowsSystem,
)

_SYSTEM = "/Windows/System32/config/SYSTEM"
_KEY = "ControlSet001\\Control\\TimeZoneInformation"


class WindowsLocalClock(Rule):
    """Windows keeps the hardware clock in local time, and the time zone is not UTC.

    ## What it does
    Reads `RealTimeIsUniversal` and the time zone. Local time is Windows' default.

    ## Why it matters
    A machine whose definition sets its clock to UTC starts with a time that is off by the time zone, until it is set over the network:
    certificates, Kerberos and scheduled jobs see the wrong hour. virt-v2v writes the definition accordingly.

    ## References
    - virt-v2v commit 5f58def9; libvirt.org/formatdomain.html, "Time keeping"
    """

    severity = Severity.INFO
    since = "0.1"
    kinds = frozenset({"windows"})
    examples = (
        Example({_SYSTEM: Hive(f'[{_KEY}]\n"Bias"=dword:ffffffc4\n')}, flags=(f"{_SYSTEM}:{_KEY}:RealTimeIsUniversal",)),
        Example({_SYSTEM: Hive(f'[{_KEY}]\n"Bias"=dword:ffffffc4\n"RealTimeIsUniversal"=dword:1\n')}),
        Example({_SYSTEM: Hive(f'[{_KEY}]\n"Bias"=dword:0\n')}, title="a time zone that is UTC"),
        Example(
            {_SYSTEM: Hive(f'[{_KEY}]\n"Bias"=dword:ffffffc4\n')}, mover=Mover.VIRT_V2V, title="virt-v2v sets the clock of the definition"
        ),
    )

    def check(self, system: WindowsSystem, conversion: Conversion) -> Iterator[Finding]:
        if system.utc_clock or not system.bias or conversion.fits:
            return
        hours = f"UTC{-system.bias / 60:+g}"
        effect = "with a clock in UTC it starts with the wrong time; give the machine a local clock (offset='localtime')"
        yield self.finding(system.clock_where, f"Windows keeps the hardware clock in local time ({hours})", effect)
