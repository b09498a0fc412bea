"""LVM2 (lvm(8)): physical volume labels, the text metadata of a volume group, and its linear and striped volumes."""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from v2vlint.disk.filesystems.content import text
from v2vlint.disk.filesystems.probe_layers import lvm_uuid
from v2vlint.disk.stream import Joined, Piece, Slice, Stream, Striped
from v2vlint.model.errors import ImageError, Unsupported

MAX_METADATA = 8 << 20
MAX_DEPTH = 12
MAX_SEGMENTS = 100_000
_TOKEN = re.compile(r'#[^\n]*|(?P<name>[\w.+@-]+)|(?P<text>"(?:[^"\\]|\\.)*")|(?P<mark>[{}\[\]=,])')
_POOLS = frozenset({"thin-pool", "cache-pool", "vdo-pool"})

Value = int | str | list["Value"] | dict[str, "Value"]


@dataclass(frozen=True, slots=True)
class Physical:
    """A physical volume: its UUID and the newest metadata text found on it (empty when it carries none)."""

    uuid: str
    metadata: str = ""


@dataclass(frozen=True, slots=True)
class Logical:
    """A visible logical volume: ``stream`` is its content, or ``problem`` says why it cannot be read."""

    group: str
    name: str
    uuid: str
    size: int
    physical: tuple[str, ...]
    stream: Stream | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """A volume group as its metadata describes it: ``physical`` maps names (``pv0``) to UUIDs."""

    name: str
    uuid: str
    extent: int
    physical: Mapping[str, tuple[str, int]]
    logical: Mapping[str, Mapping[str, Value]] = field(repr=False)


def read_physical(base: Stream) -> Physical:
    """The label of a physical volume; ImageError when there is none."""
    head = base.read_at(0, 2048)
    label = next((at for at in range(0, 2048, 512) if head[at : at + 8] == b"LABELONE"), None)
    if label is None:
        raise ImageError("no LVM label")
    offset = label + struct.unpack_from("<I", head, label + 20)[0]
    header = base.read_at(offset, 512)
    areas = _areas(header, 40)
    metadata = _areas(header, 40 + 16 * (len(areas) + 1))
    texts = [found for start, size in metadata[:2] if (found := _metadata(base, start, size))]
    return Physical(lvm_uuid(text(header[:32])), max(texts, key=_seqno, default=""))


def _areas(header: bytes, at: int) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    while at + 16 <= len(header):
        start, size = struct.unpack_from("<QQ", header, at)
        if not start:
            break
        found.append((start, size))
        at += 16
    return found


def _metadata(base: Stream, start: int, size: int) -> str:
    header = base.read_at(start, 512)
    if header[4:20] != b" LVM2 x[5A%r0N*>" or len(header) < 64:
        return ""
    offset, length = struct.unpack_from("<QQ", header, 40)
    if not 512 <= offset < size or not length <= min(size, MAX_METADATA):
        return ""
    data = base.read_at(start + offset, min(length, size - offset))
    if len(data) < length:
        data += base.read_at(start + 512, length - len(data))
    return data.split(b"\0", 1)[0].decode("utf-8", "replace")


def _seqno(metadata: str) -> int:
    match = re.search(r"^\s*seqno\s*=\s*(\d{1,18})", metadata, re.MULTILINE)
    return int(match[1]) if match else -1


def parse(metadata: str) -> dict[str, Value]:
    """LVM's configuration syntax as nested dictionaries; ImageError when it does not fit."""
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
    return int(word) if word.lstrip("-").isdecimal() and len(word) < 20 else word


def read_group(metadata: str) -> Group:
    """The volume group of a metadata text."""
    tree = parse(metadata)
    name, body = next(((key, value) for key, value in tree.items() if isinstance(value, dict)), ("", None))
    if body is None:
        raise ImageError("damaged LVM metadata (no volume group)")
    physical = {
        key: (str(value.get("id", "")), _number(value, "pe_start") * 512)
        for key, value in _dicts(body, "physical_volumes").items()
    }  # fmt: skip
    extent = _number(body, "extent_size") * 512
    if extent <= 0:
        raise ImageError("damaged LVM metadata (extent size)")
    return Group(name, str(body.get("id", "")), extent, physical, _dicts(body, "logical_volumes"))


def _dicts(tree: Mapping[str, Value], key: str) -> dict[str, dict[str, Value]]:
    section = tree.get(key, {})
    return {name: value for name, value in section.items() if isinstance(value, dict)} if isinstance(section, dict) else {}


def _number(tree: Mapping[str, Value], key: str) -> int:
    value = tree.get(key, 0)
    return value if isinstance(value, int) else 0


def _words(tree: Mapping[str, Value], key: str) -> list[Value]:
    value = tree.get(key, [])
    return value if isinstance(value, list) else [value]


def volumes(group: Group, present: Mapping[str, Stream]) -> list[Logical]:
    """The visible volumes of ``group``, without pools. ``present`` are the physical volumes at hand, by UUID."""
    snapshots = _snapshots(group)
    return [
        _volume(group, name, tree, present)
        for name, tree in group.logical.items()
        if name in snapshots or ("VISIBLE" in _words(tree, "status") and not _kinds(tree) & (_POOLS | {"snapshot"}))
    ]


def _kinds(tree: Mapping[str, Value]) -> set[str]:
    return {str(segment.get("type", "")).split("+")[0] for segment in _segments(tree)}


def _volume(group: Group, name: str, tree: Mapping[str, Value], present: Mapping[str, Stream]) -> Logical:
    segments = sorted(_segments(tree), key=lambda segment: _number(segment, "start_extent"))
    size = sum(_number(segment, "extent_count") for segment in segments) * group.extent
    used = {str(word) for segment in segments for word in _words(segment, "stripes")[::2]}
    uuids = tuple(group.physical[key][0] for key in sorted(used) if key in group.physical)
    try:
        stream = _content(group, name, segments, present)
    except ImageError as error:
        return Logical(group.name, name, str(tree.get("id", "")), size, uuids, problem=str(error))
    return Logical(group.name, name, str(tree.get("id", "")), size, uuids, stream)


def _segments(tree: Mapping[str, Value]) -> list[dict[str, Value]]:
    found = [value for value in tree.values() if isinstance(value, dict) and "extent_count" in value]
    if len(found) > MAX_SEGMENTS:
        raise ImageError("damaged LVM metadata (segments)")
    return found


def _content(group: Group, name: str, segments: Sequence[Mapping[str, Value]], present: Mapping[str, Stream]) -> Stream:
    if name in _snapshots(group):
        raise Unsupported("LVM snapshot volume is not supported")
    pieces: list[Piece] = []
    for segment in segments:
        kind = str(segment.get("type", "")).split("+")[0]
        if kind not in ("striped", "linear"):
            raise Unsupported(f"LVM {kind} volume is not supported")
        part = _striped(group, segment, present)
        pieces.append(Piece(part.size, part))
    return Joined(pieces)


def _snapshots(group: Group) -> set[str]:
    return {str(segment["cow_store"]) for tree in group.logical.values() for segment in _segments(tree) if "cow_store" in segment}


def _striped(group: Group, segment: Mapping[str, Value], present: Mapping[str, Stream]) -> Stream:
    areas = _words(segment, "stripes")
    count = _number(segment, "extent_count") * group.extent
    chunk = _number(segment, "stripe_size") * 512
    width = len(areas) // 2
    if not width or (width > 1 and (chunk <= 0 or count % width)):
        raise ImageError("damaged LVM metadata (stripes)")
    parts = tuple(_area(group, areas[at], areas[at + 1], count // width, present) for at in range(0, width * 2, 2))
    return parts[0] if width == 1 else Striped(parts, chunk)


def _area(group: Group, name: Value, start: Value, size: int, present: Mapping[str, Stream]) -> Stream:
    if name not in group.physical or not isinstance(start, int):
        raise Unsupported(f"LVM segment on {name} is not supported")
    uuid, first = group.physical[str(name)]
    if uuid not in present:
        raise ImageError(f"physical volume {uuid} is missing")
    return Slice(present[uuid], first + start * group.extent, size)
