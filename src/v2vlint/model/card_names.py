"""The user's wishes for the names of network cards."""

from __future__ import annotations

from v2vlint.model.dataclass import dataclass
from v2vlint.model.mac import plain_mac


@dataclass(frozen=True, slots=True)
class CardNames:
    """``keep`` asks to pin the names to MAC addresses; ``macs`` pairs interface names with the addresses the cards have on the target."""

    keep: bool = False
    macs: tuple[tuple[str, str], ...] = ()

    def mac_of(self, name: str) -> str:
        """The address the user gave for the card ``name``, or an empty string."""
        return next((mac for known, mac in self.macs if known == name), "")

    def knows(self, mac: str) -> bool:
        """Whether the user gave this address for some card."""
        return plain_mac(mac) in (known for _name, known in self.macs)
