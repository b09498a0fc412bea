"""Rule interface-mac-override."""

from collections.abc import Iterator

from v2vlint.api import Example, Finding, Network, NotApplicable, Rule, Severity, SystemdLinks, Target, Token


class InterfaceMacOverride(Rule):
    """A network configuration sets the card's MAC address.

    ## What it does
    Finds `hwaddress`, `MACADDR=`, `cloned-mac-address=`, `macaddress:` and `[Link] MACAddress=` for a card (but not for a bond or bridge,
    which needs one) on targets that assign MAC addresses themselves.

    ## Why it matters
    Clouds drop frames from an address they did not assign: the guest sends, and nothing arrives. Copies share the address.

    ## References
    - interfaces(5), systemd.link(5), netplan-yaml(5)
    """

    severity = Severity.WARNING
    since = "0.1"
    examples = (
        Example(
            {"/etc/network/interfaces": "auto eth0\niface eth0 inet dhcp\n  hwaddress ether 00:50:56:9a:bc:01\n"},
            target="azure",
            flags=("/etc/network/interfaces:3",),
        ),
        Example(
            {"/etc/systemd/network/10-lan.link": "[Match]\nOriginalName=en*\n[Link]\nMACAddress=00:50:56:9a:bc:01\n"},
            target="gce",
            flags=("/etc/systemd/network/10-lan.link:4",),
        ),
        Example({"/etc/network/interfaces": "auto eth0\niface eth0 inet dhcp\n  hwaddress ether 00:50:56:9a:bc:01\n"}),
        Example(
            {"/etc/sysconfig/network-scripts/ifcfg-bond0": "DEVICE=bond0\nTYPE=Bond\nMACADDR=00:50:56:9A:BC:01\nBOOTPROTO=dhcp\n"},
            target="azure",
        ),
        Example(
            {"/etc/NetworkManager/system-connections/a": "[connection]\ntype=ethernet\n[ethernet]\ncloned-mac-address=random\n"},
            target="azure",
        ),
    )

    def check(self, network: Network, links: SystemdLinks, target: Target) -> Iterator[Finding]:
        if target.keeps_mac:
            raise NotApplicable(f"{target.name} lets the guest keep its MAC address")
        found = [interface.set_mac for interface in network.cards if interface.set_mac]
        found += [link.set_mac for link in links.links if link.set_mac]
        for token in found:
            yield self._override(token, target)

    def _override(self, token: Token, target: Target) -> Finding:
        message = f"the card's MAC address is set to {token}"
        return self.finding(token.where, message, f"{target.name} assigns another one and may drop frames from this one")
