"""Rule dhcp-client-identity-left."""

from collections.abc import Iterator

from v2vlint.api import Applicability, Audience, Example, Finding, Fix, NotApplicable, Rule, Severity, Traces

_FILE = "/var/lib/NetworkManager/secret_key"


class DhcpClientIdentityLeft(Rule):
    """The identity of a DHCP client is stored.

    ## What it does
    Finds DUIDs of dhcpcd, wicked and DHCPv6 clients, NetworkManager's secret key, and what systemd-networkd remembers. For templates.

    ## Why it matters
    DHCP servers distinguish clients by it: copies get the same address, or compete for it. NetworkManager's key makes stable privacy
    addresses and MAC addresses the same.

    ## Fix safety
    Safe: each client creates a new one.

    ## References
    - virt-sysprep's `dhcp-client-state`
    - RFC 8415, section 11; NetworkManager.conf(5), `secret_key`
    """

    severity = Severity.WARNING
    audience = Audience.PEDANTIC
    since = "0.2"
    examples = (
        Example({_FILE: "something\n"}, flags=(_FILE,), fixed={_FILE: None}),
        Example({"/etc/dhcp/dhclient.conf": "timeout 60;\n"}),
    )

    def check(self, traces: Traces) -> Iterator[Finding]:
        found = traces.of("duid")
        if not found:
            raise NotApplicable("there is none")
        fix = Fix("let DHCP clients make a new identity", Applicability.SAFE, traces.deletions("duid"))
        message = "an identity of a DHCP client is stored" if len(found) == 1 else f"{len(found)} identities of DHCP clients are stored"
        yield self.finding(found[0], message, "every copy has it: DHCP gives them one address", fix=fix, related=found[1:20])
