"""Rule hyperv-daemons."""

from collections.abc import Iterator

from v2vlint.api import Example, Finding, GuestTools, Rule, Severity, Target

_STATUS = "/var/lib/dpkg/status"
_PACKAGE = "Package: hyperv-daemons\nStatus: install ok installed\nArchitecture: amd64\nVersion: 6.1.176-1\n"


class HypervDaemons(Rule):
    """Hyper-V's guest daemons are installed, though the target is not Hyper-V.

    ## What it does
    Finds `hyperv-daemons` and related packages on targets other than Hyper-V and Azure.

    ## Why it matters
    Nothing breaks: the services wait for a device that does not appear. Remove them once the move has succeeded.

    ## References
    - `tools/hv` of the kernel
    """

    severity = Severity.INFO
    since = "0.1"
    examples = (
        Example({_STATUS: _PACKAGE}, flags=(f"{_STATUS}:1",), severity=Severity.INFO),
        Example({_STATUS: _PACKAGE}, target="azure"),
    )

    def check(self, tools: GuestTools, target: Target) -> Iterator[Finding]:
        found = tools.of("hyperv")
        if found and "hyperv" not in target.agents:
            message = f"Hyper-V's guest daemons are installed ({tools.words('hyperv')})"
            yield self.finding(found[0].where, message, "they are of no use on the target, and harmless")
