"""Rule xen-guest-tools."""

from collections.abc import Iterator

from v2vlint.api import Example, Finding, GuestTools, Refusals, Rule, Severity, Target

_STATUS = "/var/lib/dpkg/status"
_PACKAGE = "Package: xe-guest-utilities\nStatus: install ok installed\nArchitecture: amd64\nVersion: 7.20.0-1\n"


class XenGuestTools(Rule):
    """XenServer's or Xen's guest tools are installed.

    ## What it does
    Finds `xe-guest-utilities` and similar packages on targets that are not Xen.

    ## Why it matters
    The daemon fails at every boot. XenServer's installer also commented out the text consoles in /etc/inittab of old systems.

    ## References
    - virt-v2v removes `xe-guest-utilities` and repairs inittab: `convert/convert_linux.ml`, `unconfigure_citrix`.
    """

    severity = Severity.INFO
    since = "0.1"
    examples = (
        Example({_STATUS: _PACKAGE}, flags=(f"{_STATUS}:1",), severity=Severity.INFO),
        Example({_STATUS: _PACKAGE}, target="xen"),
    )

    def check(self, tools: GuestTools, target: Target, refusals: Refusals) -> Iterator[Finding]:
        found = tools.of("xen")
        if found and "xen" not in target.agents:
            effect = "virt-v2v removes them" if refusals.converts else "their daemon fails at every boot"
            yield self.finding(found[0].where, f"Xen's guest tools are installed ({tools.words('xen')})", effect)
