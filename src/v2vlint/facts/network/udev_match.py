"""A udev rule's conditions on a network card (udev(7)): alternatives are separated by ``|``, ``!=`` inverts them all."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from v2vlint.facts.network.match import Condition, Match, MatchKey, Term
from v2vlint.facts.syntax.edit_lines import slice_token
from v2vlint.guest.text import GuestText
from v2vlint.model.place import Token

_ALTERNATIVE = re.compile(r"[^|]+")
_PCI = re.compile(r"[0-9a-fA-F*?]{1,4}:[0-9a-fA-F*?]{1,2}:[0-9a-fA-F*?]{1,2}\.[0-7*?]")
_ANYTHING = frozenset({"*", "?*"})
# Keys that hold for every card: the event, the device class, Ethernet's own numbers.
_ALWAYS = frozenset({"SUBSYSTEM", "SUBSYSTEMS", "ACTION", "NAME", "SYMLINK", "BUS", "TAG", "TAGS", "CONST"})
_PLAIN = {
    "KERNEL": MatchKey.KERNEL_NAME, "ENV{INTERFACE}": MatchKey.KERNEL_NAME, "DRIVER": MatchKey.DRIVER, "DRIVERS": MatchKey.DRIVER,
    "ENV{ID_NET_DRIVER}": MatchKey.DRIVER, "ENV{ID_PATH}": MatchKey.PATH,
}  # fmt: skip
_PARENTS = frozenset({"KERNELS", "ID", "DEVPATH"})
_ATTRIBUTES = frozenset({"ATTR", "ATTRS", "SYSFS"})
# PCI vendors of cards, and their drivers on a platform.
_VENDORS = {
    "0x1af4": ("virtio_net",), "0x15ad": ("vmxnet3",), "0x1d0f": ("ena",), "0x1ae0": ("gve",), "0x10ec": ("8139cp", "8139too"),
    "0x8086": ("e1000", "e1000e", "igb", "ixgbevf", "iavf"), "0x1022": ("pcnet32",), "0x15b3": ("mlx4_en", "mlx5_core"),
}  # fmt: skip


def conditions_of(text: GuestText, pairs: Iterable[re.Match[str]]) -> Match:
    """The conditions of a rule's ``key{attr}OP"value"`` pairs."""
    found = ((pair, text.group(pair, "value")) for pair in pairs if pair["op"] in ("==", "!="))
    return tuple(condition for pair, value in found for condition in _conditions(pair, value))


def _conditions(pair: re.Match[str], value: Token) -> Iterator[Condition]:
    inverted = pair["op"] == "!="
    words = tuple(slice_token(value, match.start(), match.end()) for match in _ALTERNATIVE.finditer(value.value))
    key = _key(pair, value.value)
    if pair["key"] in _ALWAYS or not words or (not inverted and {word.value for word in words} & _ANYTHING) or key is None:
        return
    if key is MatchKey.DRIVER and pair["attr"] in ("vendor", "subsystem_vendor"):
        words = tuple(Token(driver, word.where) for word in words for driver in _VENDORS.get(word.value.lower(), (word.value,)))
    elif key is MatchKey.PARENT:
        # In a DEVPATH, bridges come first and the card last.
        words = tuple(slice_token(word, match.start(), match.end()) for word in words for match in [*_PCI.finditer(word.value)][-1:])
    yield Condition(key, tuple(Term(word, inverted, mandatory=inverted) for word in words))


def _key(pair: re.Match[str], value: str) -> MatchKey | None:
    """The property that the pair tests; None when every card of the target passes, OTHER when it cannot be evaluated."""
    name, attr = pair["key"], pair["attr"] or ""
    full = f"{name}{{{attr}}}" if attr else name
    if full in _PLAIN:
        return _PLAIN[full]
    if name in _PARENTS:
        return MatchKey.PARENT if _PCI.search(value) else MatchKey.OTHER if "virtio" in value or name == "DEVPATH" else MatchKey.PARENT
    if name not in _ATTRIBUTES:
        return MatchKey.OTHER
    if attr == "address":
        return MatchKey.MAC if ":" in value and not _PCI.search(value) else MatchKey.OTHER
    if attr in ("vendor", "subsystem_vendor"):
        return MatchKey.DRIVER
    return None if (attr, value) in (("type", "1"), ("dev_id", "0x0"), ("dev_port", "0")) else MatchKey.OTHER
