"""Rule windows-antivirus."""

from collections.abc import Iterator

from v2vlint.api import Example, Finding, Hive, Rule, Severity, WindowsPrograms

_SYSTEM = {"/Windows/System32/config/SYSTEM": Hive("[ControlSet001\\Control]\n")}
_SOFTWARE = "/Windows/System32/config/SOFTWARE"
_KEY = "Microsoft\\Windows\\CurrentVersion\\Uninstall\\{A1}"


class WindowsAntivirus(Rule):
    """An antivirus program is installed that may block new drivers.

    ## What it does
    Finds products of vendors other than Microsoft in the list of programs, including endpoint protection (Cortex XDR, Carbon Black,
    CylancePROTECT, FortiClient, CrowdStrike, SentinelOne…). Microsoft Defender alone is not reported.

    ## Why it matters
    Such products guard the registry and the driver store: drivers added from outside are removed or blocked, and boot ends with 0x7B.

    ## References
    - virt-v2v(1), "Anti-Virus (AV)"; virt-v2v commit 75201855 (RHBZ#1260689)
    """

    severity = Severity.WARNING
    since = "0.1"
    kinds = frozenset({"windows"})
    examples = (
        Example(
            {**_SYSTEM, _SOFTWARE: Hive(f'[{_KEY}]\n"DisplayName"="Sophos Endpoint Agent"\n"Publisher"="Sophos Limited"\n')},
            flags=(f"{_SOFTWARE}:{_KEY}",),
            severity=Severity.WARNING,
        ),
        Example(
            {**_SYSTEM, _SOFTWARE: Hive(f'[{_KEY}]\n"DisplayName"="Cortex XDR 8.2.1"\n"Publisher"="Palo Alto Networks, Inc."\n')},
            flags=(f"{_SOFTWARE}:{_KEY}",),
            title="it watches the endpoint",
        ),
        Example({**_SYSTEM, _SOFTWARE: Hive(f'[{_KEY}]\n"DisplayName"="7-Zip 23.01"\n[Microsoft\\Windows Defender]\n')}),
    )

    def check(self, programs: WindowsPrograms) -> Iterator[Finding]:
        for one in programs.antivirus:
            effect = "it may block new drivers, so that the guest stops with 0x7B; disable or remove it for the move"
            yield self.finding(one.where, f"{one.title} is installed", effect)
