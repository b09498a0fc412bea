"""Rule dhcp-client-override."""

from collections.abc import Iterator

from v2vlint.api import DhcpClients, Example, Finding, NotApplicable, Rule, Severity, Target, cloud_of, is_private_address

_CONF = "/etc/dhcp/dhclient.conf"


class DhcpClientOverride(Rule):
    """The DHCP client uses fixed routers or name servers of the old network, or a fixed identity.

    ## What it does
    Finds `supersede`, `prepend` and `default` statements in dhclient.conf with private addresses or those of another cloud, static
    routers and name servers in dhcpcd.conf, and fixed client identifiers (dhclient's `send dhcp-client-identifier`, networkd's
    `DUIDRawData=`). Addresses are not reported on targets that keep the network.

    ## Why it matters
    The guest gets an address of the new network and then sends everything to a router of the old one, or queries its name servers. With a
    fixed identity, copies get the same lease.

    ## References
    - dhclient.conf(5), dhcpcd.conf(5), networkd.conf(5)
    """

    severity = Severity.WARNING
    since = "0.1"
    examples = (
        Example({_CONF: "option rfc3442 code 121;\nsupersede domain-name-servers 10.0.0.53, 1.1.1.1;\n"}, flags=(f"{_CONF}:2",)),
        Example({_CONF: 'interface "eth0" {\n  supersede routers 10.0.0.1;\n}\n'}, flags=(f"{_CONF}:2",)),
        Example({_CONF: "prepend domain-name-servers 10.0.0.53;\n"}, flags=(f"{_CONF}:1",), severity=Severity.INFO),
        Example({"/etc/dhcpcd.conf": "static routers=10.0.0.1\n"}, flags=("/etc/dhcpcd.conf:1",)),
        Example(
            {"/etc/systemd/networkd.conf": "[DHCP]\nDUIDRawData=00:00:ab:11:f9:2a\n"},
            flags=("/etc/systemd/networkd.conf:2",),
            severity=Severity.INFO,
        ),
        Example({_CONF: "supersede domain-name-servers 168.63.129.16;\n"}, flags=(f"{_CONF}:1",), title="Azure's resolver elsewhere"),
        Example({_CONF: "supersede domain-name-servers 168.63.129.16;\n"}, target="azure"),
        Example({_CONF: "#supersede domain-name-servers 10.0.0.53;\nprepend domain-name-servers 127.0.0.1;\n"}),
        Example({"/etc/dhcpcd.conf": "# static routers=10.0.0.1\nduid\npersistent\n"}, title="as Debian ships it"),
    )

    def check(self, clients: DhcpClients, target: Target) -> Iterator[Finding]:
        if not clients.overrides and not clients.identities:
            raise NotApplicable("no DHCP client has fixed values")
        for override in clients.overrides if not target.keeps_network else ():
            away = [value for value in override.values if _is_away(value.value, target)]
            if away:
                names = ", ".join(value.value for value in away[:3])
                message = (
                    f"{override.program} uses the {override.what} {names} {'instead of' if override.instead else 'before'} the server's"
                )
                effect = "in another network nobody answers there" if override.instead else "in another network each lookup first waits"
                yield self.finding(away[0].where, message, effect, severity=Severity.WARNING if override.instead else Severity.INFO)
        for identity in clients.identities:
            effect = "a server treats copies as one machine and gives them the same lease"
            yield self.finding(identity.where, f"the DHCP client identifier is fixed ({identity})", effect, severity=Severity.INFO)


def _is_away(address: str, target: Target) -> bool:
    return (
        address not in target.resolvers and address not in target.time_servers and (is_private_address(address) or bool(cloud_of(address)))
    )
