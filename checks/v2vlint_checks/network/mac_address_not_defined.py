"""Rule mac-address-not-defined."""

from collections.abc import Iterator

from v2vlint.api import Definition, Example, Finding, Network, NotApplicable, Rule, Severity, Target, Token, same_mac, sample_domain

_NIC = "<interface type='network'><mac address='00:50:56:9a:bc:01'/></interface>\n"
_LINK = "[Match]\nMACAddress=@\n[Link]\nName=lan0\n"
_NETWORK = "[Match]\nMACAddress=@\n[Network]\nDHCP=yes\n"


class MacAddressNotDefined(Rule):
    """The guest is configured for a MAC address that no card of the machine has.

    ## What it does
    Compares the MAC addresses that network configurations, `.link` files and udev rules require with those of the cards in the definition,
    on targets that keep addresses. It reports nothing when a card's address is not stated.

    ## Why it matters
    The configuration waits for a card that never comes. It may be left over from an earlier machine, or the definition belongs to another.

    ## References
    - systemd.link(5), netplan-yaml(5), nm-settings-keyfile(5)
    """

    severity = Severity.WARNING
    since = "0.1"
    examples = (
        Example(
            {"/etc/systemd/network/10-lan.link": _LINK.replace("@", "00:50:56:9a:bc:99")},
            given=(sample_domain(_NIC),),
            flags=("/etc/systemd/network/10-lan.link:2",),
            severity=Severity.INFO,
        ),
        Example(
            {"/etc/systemd/network/lan.network": _NETWORK.replace("@", "00:50:56:9a:bc:99")},
            given=(sample_domain(_NIC),),
            flags=("/etc/systemd/network/lan.network:2",),
            severity=Severity.WARNING,
        ),
        Example({"/etc/systemd/network/10-lan.link": _LINK.replace("@", "00:50:56:9A:BC:01")}, given=(sample_domain(_NIC),)),
        Example(
            {"/etc/systemd/network/10-lan.link": _LINK.replace("@", "00:50:56:9a:bc:99")},
            given=(sample_domain("<interface type='network'/>\n"),),
            title="the definition does not tell the address",
        ),
        Example({"/etc/systemd/network/10-lan.link": _LINK.replace("@", "00:50:56:9a:bc:99")}, title="no definition"),
        Example({"/etc/systemd/network/10-lan.link": _LINK.replace("@", "0050.569a.bc01")}, given=(sample_domain(_NIC),)),
    )

    def check(self, definition: Definition, network: Network, target: Target) -> Iterator[Finding]:
        definition.require()
        if not target.keeps_mac or not definition.nics or len(definition.macs) < len(definition.nics):
            raise NotApplicable("not every card's address is known, or none is kept")
        for interface in network.interfaces:
            if interface.mac is not None and not _has(definition, interface.mac):
                message = f"{interface.manager} configures the card with the MAC address {interface.mac}, which no card of the machine has"
                effect = "no card there has the address, so the configuration never applies"
                yield self.finding(interface.mac.where, message, effect, related=(definition.nics[0].where,))
        for pin in network.pins:
            if pin.name.value and pin.mac is not None and not _has(definition, pin.mac):
                message = f"the name {pin.name} is for a card with the MAC address {pin.mac}, which the machine does not have"
                effect = "no card gets the name; it may be left over from an earlier machine"
                yield self.finding(pin.mac.where, message, effect, severity=Severity.INFO, related=(definition.nics[0].where,))


def _has(definition: Definition, mac: Token) -> bool:
    return any(same_mac(mac.value, one) for one in definition.macs)
