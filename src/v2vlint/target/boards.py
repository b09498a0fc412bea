"""Places of network cards, as written in a profile or derived from a libvirt domain.

A profile writes ``0000:00:03.0 slot 3`` for a PCI card in hot-plug slot 3, ``0000:02:01.0 index 7`` for one that the firmware numbers,
``vmbus`` and ``xen`` for cards on buses that udev does not build names from.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from v2vlint.model.errors import UsageError
from v2vlint.model.target import Board, CardPlace

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_PLACE = re.compile(
    r"(?P<bus>vmbus|xen)|(?P<at>[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7])(?: slot (?P<slot>\d{1,5}))?(?: index (?P<index>\d{1,9}))?"
)
# Buses of these controllers have no hot-plug slots that Linux shows (QEMU 7.2, Linux 6.1; machines before and after ACPI hot-plug alike).
_FLAT = frozenset({"pcie-root", "pcie-root-port", "pcie-switch-downstream-port", "dmi-to-pci-bridge"})


def place_of(value: Any, place: str) -> CardPlace:
    """Parse a place as written in a profile. UsageError when it is invalid."""
    match = _PLACE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise UsageError(f"{place}: must be a PCI address such as '0000:00:03.0 slot 3', 'vmbus' or 'xen'")
    slot, index = (int(number) if number else None for number in (match["slot"], match["index"]))
    return CardPlace(match["at"] or "", slot, index, match["bus"] or "pci")


def domain_board(root: Element, hypervisor: str) -> tuple[Board, ...]:
    """The board of a libvirt domain whose cards all have explicit PCI addresses; empty when one has not."""
    nics = list(root.iterfind("devices/interface"))
    models = {model.get("type", "") for nic in nics for model in nic.iterfind("model")}
    if hypervisor == "xen" and models <= {"netfront"}:
        return (Board(tuple(CardPlace("", bus="xen") for _ in nics), "the domain"),) if nics else ()
    buses = {int(one.get("index", "0")): one.get("model", "") for one in root.iterfind("devices/controller") if one.get("type") == "pci"}
    places = [_domain_place(nic, buses) for nic in nics]
    known = tuple(sorted((place for place in places if place is not None), key=lambda place: place.at or ""))
    return (Board(known, "the domain's addresses"),) if known and len(known) == len(nics) else ()


def _domain_place(nic: Element, buses: dict[int, str]) -> CardPlace | None:
    address = nic.find("address")
    if address is None or address.get("type") != "pci":
        return None
    try:
        domain, bus, slot, function = (int(address.get(key, "0"), 0) for key in ("domain", "bus", "slot", "function"))
        acpi = nic.find("acpi")
        index = int(acpi.get("index", "")) if acpi is not None else None
    except ValueError:
        return None
    hotplug = buses.get(bus, "pci-root") not in _FLAT
    guest_bus = _guest_bus(bus, buses)
    if guest_bus is None:
        return None
    return CardPlace(f"{domain:04x}:{guest_bus:02x}:{slot:02x}.{function}", slot if hotplug and bus == 0 else None, index)


def _guest_bus(bus: int, buses: dict[int, str]) -> int | None:
    """The number the firmware assigns to the bus: libvirt's, as long as all controllers below it are root ports or the root."""
    plain = all(model in ("pci-root", "pcie-root", "pcie-root-port") for index, model in buses.items() if index <= bus)
    return bus if plain else None
