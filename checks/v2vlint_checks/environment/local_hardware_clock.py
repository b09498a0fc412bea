"""Rule local-hardware-clock."""

from collections.abc import Iterator

from v2vlint.api import Applicability, Example, Finding, Fix, NotApplicable, Rule, Severity, TimeSources, replace_token


class LocalHardwareClock(Rule):
    """The guest keeps the hardware clock in local time.

    ## What it does
    Reads the third line of /etc/adjtime.

    ## Why it matters
    Hypervisors and clouds set the virtual clock to UTC unless told otherwise. The guest is then off by its time zone until a time server
    corrects it: certificates are not valid yet, scheduled jobs run twice, log entries are out of order.

    ## Fix safety
    Unsafe: if the target's clock is deliberately set to local time (as for a Windows beside it), UTC is wrong.

    ## References
    - hwclock(8), timedatectl(1); virt-v2v writes a UTC clock for every Linux guest; AWS's import guide asks for UTC
    """

    severity = Severity.WARNING
    since = "0.1"
    examples = (
        Example({"/etc/adjtime": "0.0 0 0.0\n0\nLOCAL\n"}, flags=("/etc/adjtime:3",), fixed={"/etc/adjtime": "0.0 0 0.0\n0\nUTC\n"}),
        Example({"/etc/adjtime": "0.0 0 0.0\n0\nUTC\n"}),
        Example({"/etc/adjtime": "LOCAL\n"}, title="not the line that counts"),
    )

    def check(self, times: TimeSources) -> Iterator[Finding]:
        if times.local_clock is None:
            raise NotApplicable("the hardware clock is in UTC")
        effect = "the virtual clock shows UTC: the guest starts off by its time zone"
        fix = Fix("keep the hardware clock in UTC", Applicability.UNSAFE, (replace_token(times.local_clock, "UTC"),))
        yield self.finding(times.local_clock.where, "the guest keeps the hardware clock in local time", effect, fix=fix)
