"""udev rules that name network cards (udev(7)), and the old generator that wrote them by itself::

    # PCI device 0x15ad:0x07b0 (vmxnet3)
    SUBSYSTEM=="net", ACTION=="add", DRIVERS=="?*", ATTR{address}=="00:50:56:9a:2c:11", ATTR{type}=="1", KERNEL=="eth*", NAME="eth0"

Rules of the distribution itself are not read, only those under /etc, /run and /usr/local.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from v2vlint.facts.network.interface import is_mac
from v2vlint.facts.registry import provides
from v2vlint.facts.syntax.edit_lines import delete_all
from v2vlint.facts.syntax.layers import UDEV_RULES, layered, winner
from v2vlint.guest.fs import GuestFS
from v2vlint.guest.text import GuestText
from v2vlint.model.fix import ReplaceText
from v2vlint.model.place import Span, Token, WholeFile

GENERATORS = ("75-persistent-net-generator.rules", "45-persistent-net-generator.rules", "31-net_create_names.rules")
_PAIR = re.compile(
    r'(?<![A-Z_])(?P<key>[A-Z_]+)(?:\{(?P<attr>[^}"\n]{1,100})\})?\s{0,9}(?P<op>==|!=|\+=|-=|:=|=)\s{0,9}"(?P<value>(?:[^"\\\n]|\\.)*+)"'
)
_GENERATED = re.compile(r"(?:70-|z?\d\d_?-?)?(?:persistent-net|net_persistent_names)(?:-cpu)?\.rules")
_HARDWARE = frozenset({"DRIVERS", "DRIVER", "KERNELS", "DEVPATH", "ID", "BUS", "PROGRAM", "IMPORT"})
_MAC_ATTRIBUTES = frozenset({"ATTR", "ATTRS", "SYSFS"})


@dataclass(frozen=True, slots=True)
class UdevNetRule:
    """A rule that gives a network card a fixed name. ``hardware`` are drivers, bus paths and other traits of the card it asks for.

    ``remove`` deletes its lines.
    """

    where: Span
    name: Token
    mac: Token | None = None
    hardware: tuple[Token, ...] = ()
    remove: tuple[ReplaceText, ...] = ()

    @property
    def is_generated(self) -> bool:
        """Whether it is in a file that udev's old generators (or a converter) write."""
        return _GENERATED.fullmatch(self.where.path.rpartition("/")[2]) is not None


@dataclass(frozen=True, slots=True)
class UdevNet:
    """The naming rules in the order udev runs them, and the generator that would add more; ``generator`` is None when absent or masked."""

    rules: tuple[UdevNetRule, ...] = ()
    generator: WholeFile | None = None


@provides
def parse_udev_net(fs: GuestFS) -> UdevNet:
    """The local naming rules of the guest; no file, no rules."""
    own = frozenset(layered(fs, UDEV_RULES[:3], ".rules"))
    rules: list[UdevNetRule] = []
    for path in sorted(own, key=lambda path: path.rpartition("/")[2]):
        text = fs.text(path)
        rules.extend(_rules(text) if text is not None else ())
    return UdevNet(tuple(rules), _generator(fs))


def _generator(fs: GuestFS) -> WholeFile | None:
    for name in GENERATORS:
        path = winner(fs, UDEV_RULES, name)
        if path is not None and not fs.is_masked(path) and _is_live(fs, path):
            return WholeFile(path)
    return None


def _is_live(fs: GuestFS, path: str) -> bool:
    text = fs.text(path)
    return text is not None and any(not line.is_blank() for line in text.lines())


def _rules(text: GuestText) -> Iterator[UdevNetRule]:
    for start, end in _logical(text):
        pairs = list(_PAIR.finditer(text.content, start, end))
        name = next((match for match in pairs if match["key"] == "NAME" and match["op"] in ("=", ":=")), None)
        if name is None or not name["value"] or "$" in name["value"] or "%" in name["value"] or not _is_net(pairs):
            continue
        macs = [text.group(match, "value") for match in pairs if _is_address(match)]
        hardware = tuple(text.group(match, "value") for match in pairs if _is_hardware(match))
        raw = text.content[start:end]
        where = text.span(start + len(raw) - len(raw.lstrip()), start + len(raw.rstrip()))
        yield UdevNetRule(where, text.group(name, "value"), macs[0] if macs else None, hardware, delete_all(text, (where,)))


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
