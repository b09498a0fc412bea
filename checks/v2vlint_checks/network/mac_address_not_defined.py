"""Rule mac-address-not-defined."""

from collections.abc import Iterator

from v2vlint.api import (
    Definition,
    Example,
    Finding,
    Link,
    NetworkLanding,
    NotApplicable,
    Rule,
    Severity,
    Stage,
    Survival,
    Target,
    Token,
    same_mac,
    sample_domain,
)

_NIC = "<interface type='network'><mac address='00:50:56:9a:bc:01'/></interface>\n"
_LINK = "[Match]\nMACAddress=@\n[Link]\nName=lan0\n"
_CUT_OFF = "no card there has the address and nothing else is configured: the guest comes up without network"
_NETWORK = "[Match]\nMACAddress=@\n[Network]\nDHCP=yes\n"
_NETWORKD: dict[str, str | Link] = {
    "/sbin/init": "",
    "/usr/lib/systemd/systemd-networkd": "",
    "/etc/systemd/system/multi-user.target.wants/systemd-networkd.service": Link("/usr/lib/systemd/system/systemd-networkd.service"),
}


class MacAddressNotDefined(Rule):
    """The guest is configured for a MAC address that no card of the machine has.

    ## What it does
    Compares the MAC addresses that network configurations and `.link` files require with those of the cards in the definition, on targets
    that keep addresses. It reports nothing when a card's address is not stated. Rules of udev have a rule of their own.

    ## Why it matters
    The configuration waits for a card that never comes. It may be left over from an earlier machine, or the definition belongs to another.

    ## References
    - systemd.link(5), netplan-yaml(5), nm-settings-keyfile(5)
    """

    severity = Severity.WARNING
    stage = Stage.NETWORK
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
        Example(
            {**_NETWORKD, "/etc/systemd/network/lan.network": _NETWORK.replace("@", "00:50:56:9a:bc:99")},
            given=(sample_domain(_NIC),),
            flags=("/etc/systemd/network/lan.network:2",),
            severity=Severity.ERROR,
            title="the only way into the guest",
        ),
        Example(
            {
                **_NETWORKD,
                "/etc/systemd/network/10-lan.link": _LINK.replace("@", "00:50:56:9a:bc:99"),
                "/etc/systemd/network/lan.network": "[Match]\nName=lan0\n[Network]\nDHCP=yes\n",
            },
            given=(sample_domain(_NIC),),
            flags=("/etc/systemd/network/10-lan.link:2",),
            severity=Severity.ERROR,
            title="the address gives the card the name that the only configuration is for",
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

    def check(self, definition: Definition, landing: NetworkLanding, target: Target) -> Iterator[Finding]:
        definition.require()
        if not target.carries_mac or not definition.all_macs:
            raise NotApplicable("not every card's address is known, or the target has its own")
        network, lost = landing.network, [loss for loss in landing.losses if landing.cut_off and loss.survival is Survival.LOST]
        for interface in network.interfaces:
            if interface.mac is not None and not _has(definition, interface.mac):
                message = f"{interface.manager} configures the card with the MAC address {interface.mac}, which no card of the machine has"
                severity = Severity.ERROR if any(loss.config is interface and not loss.pins for loss in lost) else Severity.WARNING
                yield self.finding(interface.mac.where, message, _effect(severity), severity=severity, related=(definition.nics[0].where,))
        rules = [rule.mac for rule in network.udev.rules]  # udev's rules have a rule of their own
        for pin in network.pins:
            if pin.mac in rules:
                continue
            if pin.name.value and pin.mac is not None and not _has(definition, pin.mac):
                message = f"the name {pin.name} is for a card with the MAC address {pin.mac}, which the machine does not have"
                severity = Severity.ERROR if any(pin is one for loss in lost for one in loss.pins) else Severity.INFO
                effect = "no card gets the name; it may be left over from an earlier machine" if severity is Severity.INFO else _CUT_OFF
                yield self.finding(pin.mac.where, message, effect, severity=severity, related=(definition.nics[0].where,))


def _effect(severity: Severity) -> str:
    return _CUT_OFF if severity is Severity.ERROR else "no card there has the address, so the configuration never applies"


def _has(definition: Definition, mac: Token) -> bool:
    return any(same_mac(mac.value, one) for one in definition.macs)
