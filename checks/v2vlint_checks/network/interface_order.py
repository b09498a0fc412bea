"""Rule interface-order."""

from collections.abc import Iterator

from v2vlint.api import Example, Finding, IfNameKind, NamePin, NetworkLanding, NotApplicable, Rule, Severity, Survival, Target, ifname_kind

_TWO = "auto eth0\niface eth0 inet dhcp\nauto eth1\niface eth1 inet static\n  address 192.0.2.5/24\n"


class InterfaceOrder(Rule):
    """Several network cards are distinguished only by the order of discovery.

    ## What it does
    Finds guests that configure two or more of `eth0`, `eth1`…, where nothing ties the names to cards.

    ## Why it matters
    The kernel numbers cards in the order of detection. Other slots, another driver, or cards added in another order swap the networks: each
    address ends up on the wrong network.

    ## References
    - systemd.net-naming-scheme(7)
    """

    severity = Severity.WARNING
    since = "0.1"
    examples = (
        Example({"/etc/network/interfaces": _TWO}, flags=("/etc/network/interfaces:4",)),
        Example({"/etc/network/interfaces": "auto eth0\niface eth0 inet dhcp\n"}, title="one card"),
        Example(
            {
                "/etc/network/interfaces": _TWO,
                "/etc/udev/rules.d/70-persistent-net.rules": (
                    'SUBSYSTEM=="net", ATTR{address}=="00:50:56:9a:bc:01", NAME="eth0"\n'
                    'SUBSYSTEM=="net", ATTR{address}=="00:50:56:9a:bc:02", NAME="eth1"\n'
                ),
            },
            title="named by MAC address, which the target keeps",
        ),
    )

    def check(self, landing: NetworkLanding, target: Target) -> Iterator[Finding]:
        network = landing.network
        cards = [card for card in network.cards if card.name and ifname_kind(card.name.value) is IfNameKind.KERNEL and card.mac is None]
        loose = [card for card in cards if card.name and not any(_holds(pin, landing) for pin in network.pins_of(card.name.value))]
        # eth0:1 is a second address of eth0, no card.
        names = sorted({card.name.value for card in loose if card.name and ":" not in card.name.value})
        if len(names) < 2 or target.keeps_pci or network.policy.predictable:
            raise NotApplicable("no cards that are distinguished only by their order")
        second = next(card for card in loose if card.name and card.name.value == names[1])
        message = f"{' and '.join(names[:4])} are distinguished only by the order in which the kernel finds the cards"
        yield self.finding(second.where, message, "the cards, and with them their networks, may be swapped there")


def _holds(pin: NamePin, landing: NetworkLanding) -> bool:
    return landing.fit(pin.match) is Survival.KEPT
