"""The MAC address that the card behind an interface name has on the target, as stated by the user or the machine's definition."""

from __future__ import annotations

from v2vlint.facts.network.card_wishes import CardNames
from v2vlint.facts.network.network import Network
from v2vlint.facts.registry import provides
from v2vlint.model.dataclass import dataclass
from v2vlint.model.definition import Definition


@dataclass(frozen=True, slots=True)
class CardMacs:
    """``keep`` asks to pin names to addresses. ``given`` are the user's addresses, valid on any target.

    ``only`` is the address of the definition's only card, if the guest configures one card; it is valid where addresses are kept.
    """

    keep: bool = False
    given: CardNames = CardNames()
    only: str = ""

    def address(self, name: str, *, keeps_mac: bool) -> str:
        """The address that the card called ``name`` has on the target; empty when not known."""
        return self.given.mac_of(name) or (self.only if keeps_mac else "")


@provides
def card_macs(names: CardNames, definition: Definition, network: Network) -> CardMacs:
    """Combine the user's wishes, the definition and the guest's configuration."""
    own = {token.value for interface in network.cards for token in interface.names}
    only = definition.macs[0] if len(definition.nics) == 1 == len(definition.macs) and len(network.cards) == 1 == len(own) else ""
    return CardMacs(names.keep, names, only)
