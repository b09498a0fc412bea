"""Rule dhcp-lease-left."""

from collections.abc import Iterator

from v2vlint.api import Applicability, Audience, Delete, Example, Finding, Fix, Identity, NotApplicable, Rule, Severity

_LEASE = "/var/lib/dhcp/dhclient.eth0.leases"


class DhcpLeaseLeft(Rule):
    """A stored DHCP lease makes copies of this image ask for the same address.

    ## What it does
    Finds leases of dhclient, NetworkManager, dhcpcd and wicked. For templates only: a moved guest may well ask for its old address.

    ## Why it matters
    The client first asks for the address of its last lease. Copies started together compete for it, and in another network the request is
    refused, which costs time.

    ## Fix safety
    Safe: the guest asks for any address instead.

    ## References
    - dhclient.leases(5); virt-sysprep's `dhcp-client-state`
    """

    severity = Severity.INFO
    audience = Audience.PEDANTIC
    since = "0.1"
    examples = (
        Example({_LEASE: "lease {\n  fixed-address 192.0.2.5;\n}\n"}, flags=(_LEASE,), fixed={_LEASE: None}),
        Example({"/var/lib/dhcp/README": "leases\n", _LEASE: ""}, title="an empty file is none"),
        Example({"/var/lib/dhcp/dhcpd.leases": "lease 192.0.2.5 {}\n"}, title="a server's leases are those of its clients"),
    )

    def check(self, identity: Identity) -> Iterator[Finding]:
        if not identity.leases:
            raise NotApplicable("no DHCP lease is stored")
        fix = Fix("delete the DHCP leases", Applicability.SAFE, tuple(Delete(lease.path) for lease in identity.leases))
        effect = "copies ask for the same address; another network refuses it"
        yield self.finding(identity.leases[0], "a DHCP lease is stored", effect, fix=fix, related=identity.leases[1:])
