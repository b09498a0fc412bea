"""The name engine: where the target may place the cards, and what this guest calls them there.

A *world* is one way in which the target may present its cards. The boards of the profile are the usual ones. Every other place that
the profile allows adds a world if anything in the guest refers to the resulting name.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from v2vlint.facts.network.match import Card
from v2vlint.facts.network.name_policy import NamePolicy
from v2vlint.facts.network.names import IfNameKind, ifname_kind, is_glob
from v2vlint.model.dataclass import dataclass
from v2vlint.model.target import CardPlace, Target

MAX_CARDS = 8
MAX_WORLDS = 64
MAX_TRIED = 256
_SLOT = re.compile(r"en(?:P\d+)?s(\d{1,9})(?:np?\w*|f0|d\d+)?")
_BUS = re.compile(r"en(?:P\d+)?p(\d{1,9})s\d{1,9}(?:np?\w*|f\d+|d\d+)*")
_INDEX = re.compile(r"eno(\d{1,9})(?:np?\w*|d\d+)?")
# Driver names of modules: netfront's xenbus driver is called vif, gve's PCI driver gvnic.
_DRIVERS = {"xen_netfront": ("vif",), "gve": ("gvnic",), "hv_netvsc": ("hv_netvsc",)}
_ANY_PLACE = ("ens5", "enp2s7", "eno3")


@dataclass(frozen=True, slots=True)
class World:
    """Cards in the order of their places. ``usual`` says that the target commonly looks like this."""

    cards: tuple[Card, ...]
    usual: bool = True


def worlds(target: Target, policy: NamePolicy, count: int, asked: Iterable[str]) -> tuple[World, ...]:
    """The worlds of ``target`` with ``count`` cards each. ``asked`` are the names mentioned in the guest's configuration."""
    if target.keeps_pci:
        return (World(tuple(Card((), same_place=True) for _ in range(count))),)
    found: dict[tuple[Card, ...], World] = {}
    for usual, places in _placements(target, policy, count, asked):
        cards = tuple(_card(place, number, policy) for number, place in enumerate(places))
        if len(found) < MAX_WORLDS:
            found.setdefault(cards, World(cards, usual))
    return tuple(driven for world in found.values() for driven in _driven(world, target))


def _card(place: CardPlace, number: int, policy: NamePolicy) -> Card:
    made = _pci_names(place, policy) if place.bus == "pci" and policy.predictable else {}
    altnames = tuple(made[word] for word in policy.altwords if made.get(word))
    return Card(card_names(place, number, policy), f"eth{number}", at=place.at, altnames=altnames)


def _placements(target: Target, policy: NamePolicy, count: int, asked: Iterable[str]) -> Iterator[tuple[bool, tuple[CardPlace, ...]]]:
    for board in target.boards:
        yield True, _filled(board.cards, count)
    if policy.predictable is False and target.boards:
        return
    mentioned = [place for name in asked for place in (_fitting(target, name) if is_glob(name) else [other_place(target, name)]) if place]
    for place in (*_samples(target), *mentioned):
        yield False, _filled((place,), count)


def _fitting(target: Target, pattern: str) -> Iterator[CardPlace]:
    """One place of each kind, outside the usual boards, whose name matches ``pattern``."""
    for numbers, name in ((target.other_slots, "ens{}"), (target.other_buses, "enp{}s0"), (target.other_indexes, "eno{}")):
        found = range(numbers[0], min(numbers[1], numbers[0] + MAX_TRIED) + 1) if numbers else ()
        fits = next((number for number in found if fnmatch.fnmatchcase(name.format(number), pattern.removeprefix("!"))), None)
        place = other_place(target, name.format(fits)) if fits is not None else None
        if place is not None:
            yield place


def _filled(places: tuple[CardPlace, ...], count: int) -> tuple[CardPlace, ...]:
    while len(places) < count:
        places = (*places, _next(places[-1]))
    return places[:count]


def _next(place: CardPlace) -> CardPlace:
    """Where the next card goes: the next slot of a bus, or the next bus if each has one slot."""
    slot, index = (None if number is None else number + 1 for number in (place.slot, place.index))
    match = re.fullmatch(r"(\w+:)(\w+)(:)(\w+)(\.\d)", place.at or "")
    if match is None:
        return replace(place, slot=slot, index=index)
    bus, device = int(match[2], 16), int(match[4], 16)
    bus, device = (bus + 1, 0) if device == 0 else (bus, device + 1)
    return replace(place, at=f"{match[1]}{bus:02x}:{device:02x}{match[5]}", slot=slot, index=index)


def _samples(target: Target) -> Iterator[CardPlace]:
    if target.other_slots:
        yield from (CardPlace(None, slot=slot) for slot in dict.fromkeys((target.other_slots[0], target.other_slots[1])))
    if target.other_buses:
        yield from (CardPlace(f"0000:{bus:02x}:07.0") for bus in dict.fromkeys(target.other_buses))
    if not target.boards and not target.other_slots and not target.other_buses:
        yield from (place for name in _ANY_PLACE if (place := _named_place(name)) is not None)


def other_place(target: Target, name: str) -> CardPlace | None:
    """The place, outside the usual boards, where a card of ``target`` is called ``name``; None when there is none."""
    if ifname_kind(name) is IfNameKind.MAC:  # enx0050569abc01
        return CardPlace(None, name=name) if target.has_mac(":".join(re.findall("..", name[-12:]))) else None
    place = _named_place(name)
    if place is None or not (target.boards or target.other_slots or target.other_buses):
        return place
    within = (
        (place.slot, target.other_slots),
        (place.index, target.other_indexes),
        (int(place.at[5:7], 16) if place.at else None, target.other_buses),
    )
    fits = any(number is not None and limits and limits[0] <= number <= limits[1] for number, limits in within)
    return place if fits else None


def _named_place(name: str) -> CardPlace | None:
    if match := _INDEX.fullmatch(name):
        return CardPlace(None, index=int(match[1]), name=name)
    if match := _SLOT.fullmatch(name):
        return CardPlace(None, slot=int(match[1]), name=name)
    if (match := _BUS.fullmatch(name)) and int(match[1]) < 256:
        return CardPlace(f"0000:{int(match[1]):02x}:00.0", name=name)
    return None


def card_names(place: CardPlace, number: int, policy: NamePolicy) -> tuple[str, ...]:
    """The possible udev names of the card in ``place``, detected by the kernel as number ``number``."""
    kernel = f"eth{number}"
    # net_id knows no place on VMBus, so Hyper-V's synthetic cards keep their kernel names.
    if policy.predictable is False or place.bus == "vmbus":
        return (kernel,)
    if place.bus == "xen":
        named: tuple[str, ...] = (f"enX{number}",) if policy.names_xen else (kernel,)
        named = (kernel, f"enX{number}") if policy.names_xen is None else named
    else:
        named = (place.name or _pci_name(place, policy) or kernel,)
    return named if policy.predictable or kernel in named else (*named, kernel)


def _pci_name(place: CardPlace, policy: NamePolicy) -> str:
    """The first name that the policy yields."""
    made = _pci_names(place, policy)
    return next((made[word] for word in policy.words if made.get(word)), "")


def _pci_names(place: CardPlace, policy: NamePolicy) -> dict[str, str]:
    """The name that each policy derives from the place (udev-builtin-net_id.c): ``eno7``, ``ens3``, ``enp0s3``; empty for none."""
    match = re.fullmatch(r"(\w+):(\w+):(\w+)\.(\d)", place.at or "")
    return {
        "onboard": "" if place.index is None or place.index > policy.index_limit else f"eno{place.index}",
        "slot": "" if place.slot is None else f"ens{place.slot}",
        "path": f"enp{int(match[2], 16)}s{int(match[3], 16)}" if match else "",
    }


def _driven(world: World, target: Target) -> Iterator[World]:
    """The world once per possible driver of its cards; the first driver of a model is the usual one."""
    seen: set[tuple[str, ...]] = set()
    for nic in target.nics:
        for number, modules in enumerate(nic.any_of):
            drivers = tuple(word for module in modules for word in (module, *_DRIVERS.get(module, ())))
            if drivers not in seen:
                seen.add(drivers)
                cards = tuple(replace(card, drivers=drivers) for card in world.cards)
                yield replace(world, cards=cards, usual=world.usual and number == 0)
    if not seen:
        yield world


def card_count(names: Iterable[str]) -> int:
    """The number of cards in a guest that configures these names: names of one origin add up, other ones are alternatives."""
    groups: dict[str, set[str]] = {}
    for name in names:
        groups.setdefault(_origin(name), set()).add(name)
    return min(max(map(len, groups.values()), default=1), MAX_CARDS) or 1


def _origin(name: str) -> str:
    kind = ifname_kind(name)
    if kind is IfNameKind.SLOT and (match := _SLOT.fullmatch(name)):
        number = int(match[1])
        # VMware's slots: 160, 192, 224 for PCI Express (ens160, ens192), from 32 on behind its PCI bridge (ens33).
        return "VMware" if number >= 128 else "bridge" if number >= 32 else "slot"
    return kind.value
