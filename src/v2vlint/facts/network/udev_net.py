"""udev rules that name network cards (udev(7)), and the old generator that wrote them automatically::

    # PCI device 0x15ad:0x07b0 (vmxnet3)
    SUBSYSTEM=="net", ACTION=="add", DRIVERS=="?*", ATTR{address}=="00:50:56:9a:2c:11", ATTR{type}=="1", KERNEL=="eth*", NAME="eth0"

Only rules under /etc, /run and /usr/local are read, not the distribution's own.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from v2vlint.facts.network.interface import is_mac
from v2vlint.facts.network.match import Match
from v2vlint.facts.network.udev_match import conditions_of
from v2vlint.facts.registry import provides
from v2vlint.facts.syntax.edit_lines import delete_all
from v2vlint.facts.syntax.layers import UDEV_RULES, layered, winner
from v2vlint.guest.fs import GuestFS
from v2vlint.guest.text import GuestText
from v2vlint.model.dataclass import dataclass
from v2vlint.model.fix import ReplaceText
from v2vlint.model.place import Span, Token, WholeFile

GENERATORS = ("75-persistent-net-generator.rules", "45-persistent-net-generator.rules", "31-net_create_names.rules")
_PAIR = re.compile(
    r'(?<![A-Z_])(?P<key>[A-Z_]+)(?:\{(?P<attr>[^}"\n]{1,100})\})?\s{0,9}(?P<op>==|!=|\+=|-=|:=|=)\s{0,9}"(?P<value>(?:[^"\\\n]|\\.)*+)"'
)
_SPARED = re.compile(r'^[^#\n]*(?:ENV\{MATCHADDR\}|ATTRS?\{address\})=="([^"\n]{1,200})"[^\n]*GOTO=', re.MULTILINE)
_GENERATED = re.compile(r"(?:70-|z?\d\d_?-?)?(?:persistent-net|net_persistent_names)(?:-cpu)?\.rules")
_HARDWARE = frozenset({"DRIVERS", "DRIVER", "KERNELS", "DEVPATH", "ID", "BUS", "PROGRAM", "IMPORT"})
_MAC_ATTRIBUTES = frozenset({"ATTR", "ATTRS", "SYSFS"})


@dataclass(frozen=True, slots=True)
class UdevNetRule:
    """A rule that gives a network card a fixed name. ``hardware`` are drivers, bus paths and other properties it tests.

    ``remove`` deletes its lines. ``conditions`` are what a card must match. ``alone``: its file has no rules of another kind.
    """

    where: Span
    name: Token
    mac: Token | None = None
    hardware: tuple[Token, ...] = ()
    remove: tuple[ReplaceText, ...] = ()
    conditions: Match = ()
    alone: bool = False

    @property
    def is_generated(self) -> bool:
        """Whether it is in a file that udev's old generators (or a converter) write."""
        return _GENERATED.fullmatch(self.where.path.rpartition("/")[2]) is not None


@dataclass(frozen=True, slots=True)
class UdevNet:
    """The naming rules in udev's order, and the generator that adds more; ``generator`` is None when absent or masked.

    ``spared`` are patterns of MAC addresses that the generator skips, mostly those of virtual machines.
    """

    rules: tuple[UdevNetRule, ...] = ()
    generator: WholeFile | None = None
    spared: tuple[str, ...] = ()

    def names_new_card(self, prefixes: Iterable[str]) -> bool | None:
        """Whether the generator names a new card whose address starts with one of ``prefixes``; None: some, or not known."""
        if self.generator is None:
            return False
        # The patterns tell vendors apart by the first bytes, so the rest of a sample address does not matter.
        taken = {not any(fnmatch.fnmatchcase(f"{prefix}:00:00:00:00"[:17], pattern) for pattern in self.spared) for prefix in prefixes}
        return taken.pop() if len(taken) == 1 else None if taken or self.spared else True


@provides
def parse_udev_net(fs: GuestFS) -> UdevNet:
    """The guest's local naming rules. Missing files count as empty."""
    own = frozenset(layered(fs, UDEV_RULES[:3], ".rules"))
    rules: list[UdevNetRule] = []
    for path in sorted(own, key=lambda path: path.rpartition("/")[2]):
        text = fs.text(path)
        rules.extend(_all_rules(text) if text is not None else ())
    generator = _generator(fs)
    return UdevNet(tuple(rules), generator, _spared(fs.text(generator.path)) if generator is not None else ())


def _spared(text: GuestText | None) -> tuple[str, ...]:
    """Patterns of addresses for which the generator's rules jump to their end."""
    matches = _SPARED.finditer(text.content) if text is not None else ()
    return tuple(pattern for match in matches for pattern in match[1].lower().split("|"))


def _generator(fs: GuestFS) -> WholeFile | None:
    for name in GENERATORS:
        path = winner(fs, UDEV_RULES, name)
        # An emptied file disables the generator as a link to /dev/null does.
        if path is not None and not fs.is_masked(path) and _is_live(fs, path):
            return WholeFile(path)
    return None


def _is_live(fs: GuestFS, path: str) -> bool:
    text = fs.text(path)
    return text is not None and any(not line.is_blank() for line in text.lines())


def _all_rules(text: GuestText) -> list[UdevNetRule]:
    rules = list(_rules(text))
    alone = len(rules) == sum(1 for _line in _logical(text))
    return [replace(rule, alone=alone) for rule in rules]


def _rules(text: GuestText) -> Iterator[UdevNetRule]:
    for start, end in _logical(text):
        pairs = list(_PAIR.finditer(text.content, start, end))
        name = next((match for match in pairs if match["key"] == "NAME" and match["op"] in ("=", ":=")), None)
        # A name with substitutions depends on the device: `$attr{…}`, `%k`.
        if name is None or not name["value"] or "$" in name["value"] or "%" in name["value"] or not _is_net(pairs):
            continue
        macs = [text.group(match, "value") for match in pairs if _is_address(match)]
        hardware = tuple(text.group(match, "value") for match in pairs if _is_hardware(match))
        raw = text.content[start:end]
        where = text.span(start + len(raw) - len(raw.lstrip()), start + len(raw.rstrip()))
        mac, remove = (macs[0] if macs else None), delete_all(text, (where,))
        yield UdevNetRule(where, text.group(name, "value"), mac, hardware, remove, conditions_of(text, pairs))


def _logical(text: GuestText) -> Iterator[tuple[int, int]]:
    start = -1
    for line in text.lines():
        if start < 0 and line.is_blank():
            continue
        start = line.start if start < 0 else start
        if not line.text.endswith("\\"):
            yield start, line.start + len(line.text)
            start = -1


def _is_net(pairs: list[re.Match[str]]) -> bool:
    if any(match["key"] == "SUBSYSTEM" and match["op"] == "==" and match["value"] == "net" for match in pairs):
        return True
    return any(_is_address(match) for match in pairs)


def _is_address(match: re.Match[str]) -> bool:
    return match["key"] in _MAC_ATTRIBUTES and match["attr"] == "address" and match["op"] == "==" and is_mac(match["value"])


def _is_hardware(match: re.Match[str]) -> bool:
    if match["op"] != "==" or match["value"] in ("?*", "*"):
        return False
    if match["key"] in _HARDWARE or (match["key"] == "ENV" and (match["attr"] or "").startswith("ID_")):
        return True
    return (
        match["key"] in _MAC_ATTRIBUTES
        and match["attr"] in {"vendor", "device", "subsystem_vendor", "idVendor", "idProduct", "address"}
        and (not is_mac(match["value"]))
    )
