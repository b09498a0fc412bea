"""Dynamic disks of Windows (Logical Disk Manager): the database at the end of each disk, and the volumes it describes.

Sizes on the disk are in sectors of 512 bytes, numbers are big-endian. The layout is described by Linux' ``block/partitions/ldm.c`` and
libldm.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from uuid import UUID

from v2vlint.disk.fields import Fields
from v2vlint.disk.stream import Chunked, Joined, Piece, Slice, Stream, Striped, exactly
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import ImageError, Unsupported

SECTOR = 512
MAX_DATABASE = 4 << 20  # usually 1 MiB (LDM_DB_SIZE)
MAX_RECORDS = 20_000
MAX_FRAGMENTS = 64
# OFF_PRIV1 and OFF_VMDB of block/partitions/ldm.h, and its types of records (VBLK_CMP3, _PRT3, _DSK3, _DSK4, _VOL5).
_PRIVHEAD_AT = 6 * SECTOR
_VMDB_AT = 17 * SECTOR
_COMPONENT, _PARTITION, _DISK3, _DISK4, _VOLUME = 0x32, 0x33, 0x34, 0x44, 0x51
_STRIPED, _SPANNED, _RAID5 = 1, 2, 3
# As read by ldm_parse_privhead(), ldm_parse_vmdb(), ldm_frag_add() and ldm_parse_vblk() of block/partitions/ldm.c.
_PRIVHEAD = Fields(">", logical_disk_start=(0x11B, "Q"), config_start=(0x12B, "Q"), config_size=(0x133, "Q"))
_VMDB = Fields(">", sequence=(0x04, "I"), vblk_size=(0x08, "I"), vblk_offset=(0x0C, "I"))
_FRAGMENT = Fields(">", group=(0x08, "I"), rec=(0x0C, "H"), num=(0x0E, "H"))
_VBLK = Fields(">", flags=(0x12, "B"), type=(0x13, "B"))


@dataclass(frozen=True, slots=True)
class LdmMember:
    """A dynamic disk: its GUID and group, where its volumes start, and the raw records of the group's database by type."""

    disk: str
    group: str
    group_name: str
    start: int
    sequence: int
    records: tuple[tuple[int, int, bytes], ...]


@dataclass(frozen=True, slots=True)
class LdmPart:
    """An extent of a disk, in bytes: ``offset`` is its place in the component, ``column`` its number in a stripe set."""

    component: int
    disk: int
    start: int
    offset: int
    size: int
    column: int


@dataclass(frozen=True, slots=True)
class LdmVolume:
    """A volume: ``kind`` as named by ldmtool (simple, spanned, striped, mirrored, RAID5), ``hint`` is the drive letter, ``disks`` are
    GUIDs.

    ``stream`` is its content, or ``problem`` says why it cannot be read.
    """

    name: str
    guid: str
    kind: str
    size: int
    hint: str
    disks: tuple[str, ...]
    stream: Stream | None = None
    problem: str = ""


class _Record:
    """A record, read field by field: numbers and texts are preceded by their length."""

    def __init__(self, data: bytes, at: int = 0x18) -> None:
        self._data, self._at = data, at

    def take(self, count: int) -> bytes:
        found = self._data[self._at : self._at + count]
        if len(found) != count:
            raise ImageError("a record of the dynamic disk's database is cut off")
        self._at += count
        return found

    def variable(self) -> bytes:
        return self.take(self.take(1)[0])

    def number(self) -> int:
        raw = self.variable()
        if len(raw) > 8:
            raise ImageError("a number in the dynamic disk's database is too large")
        return int.from_bytes(raw, "big")

    def text(self) -> str:
        return self.variable().decode("utf-8", "replace").rstrip("\0")


def read_member(disk: Stream, metadata: Stream | None) -> LdmMember:
    """The database of a dynamic disk; ``metadata`` is the LDM partition of a GPT disk. ImageError when it cannot be read."""
    head = disk.read_at(_PRIVHEAD_AT, SECTOR) if metadata is None else metadata.read_at(metadata.size - SECTOR, SECTOR)
    if head[:8] != b"PRIVHEAD" or len(head) < SECTOR:
        raise ImageError("a dynamic disk without its private header")
    private = _PRIVHEAD.read(head)
    database = disk.read_at(private["config_start"] * SECTOR, min(private["config_size"] * SECTOR, MAX_DATABASE))
    is_there = database[_VMDB_AT : _VMDB_AT + 4] == b"VMDB" and len(database) > _VMDB_AT + 16
    vmdb = _VMDB.read(database, _VMDB_AT) if is_there else None
    if vmdb is None or not 32 <= vmdb["vblk_size"] <= 4096:
        raise ImageError("a dynamic disk without its database")
    found = tuple(_records(database[_VMDB_AT + vmdb["vblk_offset"] :], vmdb["vblk_size"]))
    start = private["logical_disk_start"] * SECTOR
    return LdmMember(_text(head, 0x30), _text(head, 0xB0), _text(head, 0xF0, 32), start, vmdb["sequence"], found)


def _text(head: bytes, at: int, size: int = 64) -> str:
    return head[at : at + size].split(b"\0")[0].decode("ascii", "replace")


def _records(table: bytes, size: int) -> Iterator[tuple[int, int, bytes]]:
    """(type, flags, record) of every record, joined from its fragments; a record starts with its first fragment's header."""
    groups: dict[int, dict[int, bytes]] = {}
    wanted: dict[int, int] = {}
    for at in range(0, min(len(table), MAX_RECORDS * size), size):
        raw = table[at : at + size]
        if raw[:4] != b"VBLK" or len(raw) < size:
            continue
        # As ldm_frag_add(); each later fragment repeats these first 16 bytes.
        found = _FRAGMENT.read(raw)
        if 0 < found["num"] <= MAX_FRAGMENTS and found["rec"] < found["num"]:
            groups.setdefault(found["group"], {})[found["rec"]] = raw
            wanted[found["group"]] = found["num"]
    for group, fragments in groups.items():
        if len(fragments) == wanted[group]:
            whole = fragments[0] + b"".join(fragments[number][16:] for number in range(1, wanted[group]))
            head = _VBLK.read(whole)
            yield head["type"], head["flags"], whole


def volumes(members: Mapping[str, tuple[LdmMember, Stream]]) -> list[LdmVolume]:
    """The volumes of one group; ``members`` are its available disks by GUID."""
    newest = max((member for member, _disk in members.values()), key=lambda member: member.sequence)
    disks = dict(_disks(newest))
    parts = tuple(map(_part, _of_type(newest, _PARTITION)))
    components = [_component(flags, raw) for kind, flags, raw in newest.records if kind == _COMPONENT]
    # Extents count from the start of the area for volumes.
    streams = {number: Slice(disk, member.start, disk.size - member.start) for number, (member, disk) in _present(disks, members).items()}
    return [_volume(flags, raw, components, parts, disks, streams) for kind, flags, raw in newest.records if kind == _VOLUME]


def _of_type(member: LdmMember, wanted: int) -> Iterator[tuple[int, bytes]]:
    return ((flags, raw) for kind, flags, raw in member.records if kind == wanted)


def group_disks(member: LdmMember) -> frozenset[str]:
    """The GUIDs of all disks of the group."""
    return frozenset(guid for _number, guid in _disks(member))


def _disks(member: LdmMember) -> Iterator[tuple[int, str]]:
    for kind, _flags, raw in member.records:
        if kind in (_DISK3, _DISK4):
            fields = _Record(raw)
            number, _name = fields.number(), fields.text()
            yield number, fields.text().lower() if kind == _DISK3 else str(UUID(bytes=fields.take(16)))


def _present(disks: Mapping[int, str], members: Mapping[str, tuple[LdmMember, Stream]]) -> dict[int, tuple[LdmMember, Stream]]:
    return {number: members[guid] for number, guid in disks.items() if guid in members}


def _part(found: tuple[int, bytes]) -> LdmPart:
    flags, raw = found
    fields = _Record(raw)
    fields.number(), fields.text(), fields.take(12)
    start, offset = struct.unpack(">2Q", fields.take(16))
    size, component, disk = fields.number(), fields.number(), fields.number()
    # VBLK_FLAG_PART_INDEX.
    column = fields.number() if flags & 0x08 else 0
    return LdmPart(component, disk, start * SECTOR, offset * SECTOR, size * SECTOR, column)


@dataclass(frozen=True, slots=True)
class _Component:
    id: int
    volume: int
    type: int
    chunk: int


def _component(flags: int, raw: bytes) -> _Component:
    fields = _Record(raw)
    number = fields.number()
    fields.text(), fields.text()
    kind = fields.take(1)[0]
    fields.take(4), fields.number(), fields.take(16)
    volume = fields.number()
    fields.take(1)
    # VBLK_FLAG_COMP_STRIPE.
    return _Component(number, volume, kind, fields.number() * SECTOR if flags & 0x10 else 0)


def _volume(
    flags: int,
    raw: bytes,
    components: Sequence[_Component],
    parts: Sequence[LdmPart],
    disks: Mapping[int, str],
    streams: Mapping[int, Stream],
) -> LdmVolume:
    fields = _Record(raw)
    number, name = fields.number(), fields.text()
    fields.text(), fields.text(), fields.take(21), fields.number(), fields.take(16)
    size = fields.number() * SECTOR
    fields.take(5)
    guid = str(UUID(bytes=fields.take(16)))
    # VBLK_FLAG_VOLU_ID1, _ID2 and _SIZE; 0x02 is _DRIVE.
    for optional in (0x08, 0x20, 0x80):
        if flags & optional:
            fields.variable()
    hint = fields.text() if flags & 0x02 else ""
    mine = [one for one in components if one.volume == number]
    extents = [[part for part in parts if part.component == one.id] for one in mine]
    used = tuple(dict.fromkeys(disks.get(part.disk, "") for group in extents for part in group))
    kind = _kind(mine, extents)
    try:
        return LdmVolume(name, guid, kind, size, hint, used, _content(mine, extents, size, streams))
    except ImageError as error:
        return LdmVolume(name, guid, kind, size, hint, used, None, str(error))


def _kind(components: Sequence[_Component], extents: Sequence[Sequence[LdmPart]]) -> str:
    if len(components) > 1:
        return "mirrored"
    named = {_STRIPED: "striped", _RAID5: "RAID5"}
    kind = components[0].type if components else 0
    return named.get(kind, "spanned" if extents and len(extents[0]) > 1 else "simple")


def _content(components: Sequence[_Component], extents: Sequence[Sequence[LdmPart]], size: int, streams: Mapping[int, Stream]) -> Stream:
    """The first complete component: any half of a mirror will do."""
    problem = ImageError("a volume without a component")
    for component, parts in zip(components, extents, strict=True):
        try:
            found = _assembled(component, parts, streams)
        except ImageError as error:
            problem = error
            continue
        return Slice(found, 0, min(size, found.size))
    raise problem


def _assembled(component: _Component, parts: Sequence[LdmPart], streams: Mapping[int, Stream]) -> Stream:
    # A simple volume is a spanned one with a single extent.
    if component.type == _SPANNED:
        ordered = sorted(parts, key=lambda part: part.offset)
        return Joined(Piece(part.size, _extent(part, streams)) for part in ordered)
    columns: dict[int, list[LdmPart]] = {}
    for part in sorted(parts, key=lambda part: (part.column, part.offset)):
        columns.setdefault(part.column, []).append(part)
    if component.type not in (_STRIPED, _RAID5) or component.chunk < SECTOR or not columns:
        raise Unsupported(f"a component of type {component.type} on a dynamic disk is not supported")
    if component.type == _STRIPED:
        whole = [Joined(Piece(part.size, _extent(part, streams)) for part in column) for column in columns.values()]
        return Striped(tuple(whole), component.chunk)
    return Raid5([_column(column, streams) for column in columns.values()], component.chunk)


def _extent(part: LdmPart, streams: Mapping[int, Stream]) -> Stream:
    if part.disk not in streams:
        raise ImageError("a disk of this volume is missing")
    return Slice(streams[part.disk], part.start, part.size)


def _column(parts: Sequence[LdmPart], streams: Mapping[int, Stream]) -> tuple[int, Stream | None]:
    size = sum(part.size for part in parts)
    present = all(part.disk in streams for part in parts)
    return size, Joined(Piece(part.size, _extent(part, streams)) for part in parts) if present else None


class Raid5(Chunked):
    """RAID 5, left symmetric: parity rotates left and the data follows it. One column may be missing."""

    def __init__(self, columns: Sequence[tuple[int, Stream | None]], chunk: int) -> None:
        if sum(stream is None for _size, stream in columns) > 1 or len(columns) < 3:
            raise ImageError("more than one disk of a RAID 5 volume is missing")
        super().__init__(min(size for size, _stream in columns) // chunk * chunk * (len(columns) - 1), chunk)
        self._columns = [stream for _size, stream in columns]

    def piece(self, number: int, inside: int, count: int) -> bytes:
        """See :class:`~v2vlint.disk.stream.Chunked`. The content of a missing disk is computed from the others."""
        width = len(self._columns)
        row, position = divmod(number, width - 1)
        parity = width - 1 - row % width
        at, stream = row * self._chunk + inside, self._columns[(parity + 1 + position) % width]
        if stream is not None:
            return exactly(stream, at, count)
        total = 0
        for other in self._columns:
            if other is not None:
                total ^= int.from_bytes(exactly(other, at, count), "little")
        return total.to_bytes(count, "little")
