"""Rule windows-time-source."""

from collections.abc import Iterator

from v2vlint.api import Example, Finding, Hive, Rule, Severity, Target, WindowsIdentity

_SYSTEM = "/Windows/System32/config/SYSTEM"
_KEY = "ControlSet001\\Services\\W32Time"
_LOCAL = ("169.254.", "fd00:ec2::", "metadata.google.internal", "metadata.")


def _hive(kind: str, servers: str = "time.windows.com,0x9", start: int = 3) -> Hive:
    return Hive(f"""
[{_KEY}]
"Type"=dword:20
"Start"=dword:{start}
[{_KEY}\\Parameters]
"Type"="{kind}"
"NtpServer"="{servers}"
""")


class WindowsTimeSource(Rule):
    """Windows gets its time from a source that the target does not have, or from none.

    ## What it does
    Checks whether the time service is disabled or told not to synchronise (`NoSync`), and whether its NTP servers belong to a cloud other
    than the target.

    ## Why it matters Tools that set the clock (VMware's, Parallels') stay behind. A clock that is off by five minutes breaks Kerberos, and
    with it the domain.

    ## References
    - Microsoft, "Windows Time service tools and settings"
    - docs.aws.amazon.com, "Set the time reference on your EC2 instance"
    """

    severity = Severity.INFO
    since = "0.2"
    kinds = frozenset({"windows"})
    examples = (
        Example({_SYSTEM: _hive("NoSync")}, flags=(f"{_SYSTEM}:{_KEY}\\Parameters:NtpServer",), severity=Severity.INFO),
        Example({_SYSTEM: _hive("NTP", "169.254.169.123,0x9")}, flags=(f"{_SYSTEM}:{_KEY}\\Parameters:NtpServer",), title="Amazon's clock"),
        Example({_SYSTEM: _hive("NTP", start=4)}, flags=(f"{_SYSTEM}:{_KEY}:Start",), title="disabled"),
        Example({_SYSTEM: _hive("NTP", "169.254.169.123,0x9")}, target="ec2-nitro"),
        Example({_SYSTEM: _hive("NT5DS")}, title="a member of a domain"),
        Example({_SYSTEM: _hive("NTP")}),
    )

    def check(self, identity: WindowsIdentity, target: Target) -> Iterator[Finding]:
        time = identity.time
        if time is None:
            return
        effect = "the clock drifts once the tools of the old hypervisor no longer set it"
        if time.disabled:
            yield self.finding(time.where, "the time service is disabled", effect)
        elif time.kind.lower() == "nosync":
            yield self.finding(time.where, "the time service is told not to synchronise (NoSync)", effect)
        elif time.kind.lower() == "ntp" and (lost := [one for one in time.servers if _is_local(one) and one not in target.time_servers]):
            yield self.finding(
                time.where, f"the time comes from {', '.join(lost)}, which answers only inside one cloud", "the clock drifts"
            )


def _is_local(server: str) -> bool:
    return server.lower().startswith(_LOCAL)
