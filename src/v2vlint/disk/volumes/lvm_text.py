"""LVM's metadata text (lvmconfig(8) syntax): the tree, and the volume group in it."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field

from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import ImageError

MAX_DEPTH = 12
MAX_SEGMENTS = 100_000
_TOKEN = re.compile(r'#[^\n]*|(?P<name>[\w.+@-]+)|(?P<text>"(?:[^"\\]|\\.)*")|(?P<mark>[{}\[\]=,])')

Value = int | str | list["Value"] | dict[str, "Value"]
Segment = Mapping[str, Value]


@dataclass(frozen=True)
class Group:
    """A volume group as its metadata describes it: ``physical`` maps names (``pv0``) to UUIDs.

    Of several descriptions the one with the highest ``seqno`` counts. ``missing`` are the UUIDs of physical volumes that were absent when
    it was written: LVM leaves them alone, even when they are back.
    """

    name: str
    uuid: str
    extent: int
    physical: Mapping[str, tuple[str, int]]
    logical: Mapping[str, Mapping[str, Value]] = field(repr=False)
    seqno: int = 0
    missing: frozenset[str] = frozenset()

    def segments(self) -> Iterator[Segment]:
        """The segments of all volumes; ImageError when a volume has too many."""
        for tree in self.logical.values():
            yield from segments_of(tree)

    @functools.cached_property
    def merging_stores(self) -> Mapping[str, str]:
        """The stores of snapshots of the old kind that are to be merged, by the volume to merge them into; of several, the first."""
        found: dict[str, str] = {}
        for segment in self.segments():
            if "merging_store" in segment:
                found.setdefault(str(segment.get("origin", "")), str(segment["merging_store"]))
        return found

    @functools.cached_property
    def merging_thin(self) -> Mapping[str, Segment]:
        """The segments of thin snapshots that are to be merged, by the volume to merge them into; of several, the first."""
        found: dict[str, Segment] = {}
        for segment in self.segments():
            if "merge" in segment:
                found.setdefault(str(segment["merge"]), segment)
        return found

    def usable(self, present: Iterable[str]) -> frozenset[str]:
        """Those of the physical volumes that are there with which LVM brings up volumes."""
        return frozenset(present) - self.missing

    def absence(self, uuid: str) -> str:
        """What is said of a physical volume that cannot be used."""
        return f"physical volume {uuid} is {'marked as ' if uuid in self.missing else ''}missing"


def parse(metadata: str) -> dict[str, Value]:
    """LVM's configuration syntax as nested dictionaries; ImageError when it is malformed."""
    tokens = [(match.lastgroup, match[match.lastgroup]) for match in _TOKEN.finditer(metadata) if match.lastgroup]
    tokens.append(("end", ""))
    tree, at = _section(tokens, 0, 0)
    if tokens[at][0] != "end":
        raise ImageError("damaged LVM metadata")
    return tree


def _section(tokens: Sequence[tuple[str, str]], at: int, depth: int) -> tuple[dict[str, Value], int]:
    found: dict[str, Value] = {}
    if depth > MAX_DEPTH:
        raise ImageError("damaged LVM metadata (nested too deep)")
    while tokens[at][0] == "name":
        name, mark = tokens[at][1], tokens[at + 1][1]
        if mark == "{":
            found[name], at = _section(tokens, at + 2, depth + 1)
            if tokens[at][1] != "}":
                raise ImageError("damaged LVM metadata")
            at += 1
        elif mark == "=":
            found[name], at = _value(tokens, at + 2)
        else:
            raise ImageError("damaged LVM metadata")
    return found, at


def _value(tokens: Sequence[tuple[str, str]], at: int) -> tuple[Value, int]:
    kind, word = tokens[at]
    if word == "[" and kind == "mark":
        items: list[Value] = []
        at += 1
        while tokens[at] != ("mark", "]"):
            if tokens[at][0] not in ("name", "text"):
                raise ImageError("damaged LVM metadata")
            items.append(_scalar(tokens[at]))
            at += 2 if tokens[at + 1] == ("mark", ",") else 1
        return items, at + 1
    if kind not in ("name", "text"):
        raise ImageError("damaged LVM metadata")
    return _scalar(tokens[at]), at + 1


def _scalar(token: tuple[str, str]) -> Value:
    kind, word = token
    if kind == "text":
        return re.sub(r"\\(.)", r"\1", word[1:-1])
    # LVM's numbers have 64 bits; longer ones are left as text.
    return int(word) if word.lstrip("-").isdecimal() and len(word) < 20 else word


def read_group(metadata: str) -> Group:
    """The volume group of a metadata text."""
    tree = parse(metadata)
    # The group is the only section; its neighbours are the version, a description and the host.
    name, body = next(((key, value) for key, value in tree.items() if isinstance(value, dict)), ("", None))
    if body is None:
        raise ImageError("damaged LVM metadata (no volume group)")
    physical = {
        key: (str(value.get("id", "")), number(value, "pe_start") * 512)
        for key, value in _dicts(body, "physical_volumes").items()
    }  # fmt: skip
    extent = number(body, "extent_size") * 512
    if extent <= 0:
        raise ImageError("damaged LVM metadata (extent size)")
    volumes = _dicts(body, "physical_volumes").values()
    missing = frozenset(str(one.get("id", "")) for one in volumes if "MISSING" in words(one, "flags"))
    return Group(name, str(body.get("id", "")), extent, physical, _dicts(body, "logical_volumes"), number(body, "seqno"), missing)


def _dicts(tree: Mapping[str, Value], key: str) -> dict[str, dict[str, Value]]:
    section = tree.get(key, {})
    return {name: value for name, value in section.items() if isinstance(value, dict)} if isinstance(section, dict) else {}


def number(tree: Mapping[str, Value], key: str) -> int:
    """The number at ``key``; 0 when there is none."""
    value = tree.get(key, 0)
    return value if isinstance(value, int) else 0


def words(tree: Mapping[str, Value], key: str) -> list[Value]:
    """The list at ``key``."""
    value = tree.get(key, [])
    return value if isinstance(value, list) else [value]


def segments_of(tree: Mapping[str, Value]) -> list[dict[str, Value]]:
    """The segments of a volume, in any order; ImageError when there are too many."""
    found = [value for value in tree.values() if isinstance(value, dict) and "extent_count" in value]
    if len(found) > MAX_SEGMENTS:
        raise ImageError("damaged LVM metadata (segments)")
    return found


def kind_of(segment: Segment) -> str:
    """The type of a segment. Flags may follow it, so that versions of LVM that do not know them leave the volume alone."""
    return str(segment.get("type", "")).split("+")[0]


def copies_of(segment: Segment) -> int:
    """The copies of everything in a segment of type ``raid10``."""
    return number(segment, "data_copies") or 2


def extents_of(segment: Segment) -> int:
    """The extents of a segment's content. Those of a RAID volume that was reshaped include the room for that (``reshape_count`` of each
    leg).
    """
    kind, legs = kind_of(segment), len(words(segment, "raids")) // 2
    shared = {"raid1": legs - 1, "raid10": legs - legs // copies_of(segment), "raid4": 1, "raid5": 1, "raid6": 2}
    data = legs - shared.get(kind.split("_")[0], legs)
    return number(segment, "extent_count") - number(segment, "reshape_count") * data
