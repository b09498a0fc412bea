"""Linux MD RAID (md(4), drivers/md/md_p.h): superblocks 0.90 and 1.x, and the content of arrays of any level."""

from __future__ import annotations

import struct
import uuid as uuids
from collections.abc import Iterator, Mapping, Sequence

from v2vlint.disk.fields import Fields
from v2vlint.disk.stream import Chunked, Joined, Piece, Slice, Stream, exactly
from v2vlint.disk.volumes.parity import Parity
from v2vlint.disk.volumes.raid10 import Raid10
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import ImageError, Unsupported

MAGIC = b"\xfc\x4e\x2b\xa9"
MAX_DISKS = 384
_BITMAP, _RECOVERY, _RESHAPE, _JOURNAL = 1, 2, 4, 0x200
# MD_DISK_ROLE_JOURNAL, which _FAULTY and _SPARE follow: these are no slots.
_NO_SLOT, _ALL = 0xFFFD, (1 << 64) - 1
_FAULTY, _IN_SYNC, _CLEAN = 1, 4, 1
# struct mdp_superblock_1. Its sizes and offsets are in sectors of 512 bytes.
_V1 = Fields(
    "<",
    major_version=(4, "I"),
    feature_map=(8, "I"),
    level=(72, "i"),
    layout=(76, "I"),
    size=(80, "Q"),
    chunksize=(88, "I"),
    raid_disks=(92, "I"),
    data_offset=(128, "Q"),
    data_size=(136, "Q"),
    super_offset=(144, "Q"),
    dev_number=(160, "I"),
    events=(200, "Q"),
    resync_offset=(208, "Q"),
    max_dev=(220, "I"),
)
_ROLES = 256
# struct mdp_superblock_s is in 32-bit words, in the byte order of the host that created it: this is the little-endian one.
_V0 = Fields(
    "<",
    major_version=(1 * 4, "I"),
    minor_version=(2 * 4, "I"),
    level=(7 * 4, "i"),
    size=(8 * 4, "I"),
    raid_disks=(10 * 4, "I"),
    md_minor=(11 * 4, "I"),
    state=(33 * 4, "I"),
    events_lo=(39 * 4, "I"),
    events_hi=(40 * 4, "I"),
    layout=(64 * 4, "I"),
    chunk_size=(65 * 4, "I"),
    this_disk_number=(992 * 4, "I"),
    this_disk_raid_disk=(995 * 4, "I"),
    this_disk_state=(996 * 4, "I"),
)
_DESCRIPTOR = Fields("<", raid_disk=(12, "I"), state=(16, "I"))  # mdp_disk_t


@dataclass(frozen=True, slots=True)
class MdMember:
    """One superblock, ``place`` bytes from the start. ``role`` is the slot in the array, -1 for a spare or faulty device.

    Offsets and sizes are bytes. ``uuid`` is in blkid's notation, ``array_uuid`` in mdadm's; ``name`` is ``host:name`` (1.x) or the
    preferred minor (0.90). ``active`` are the slots that had a working member when the superblock was written; ``dirty`` means that parity
    was not up to date everywhere.
    """

    version: str
    uuid: str
    array_uuid: str
    name: str
    level: int
    layout: int
    disks: int
    chunk: int
    role: int
    events: int
    data_offset: int
    data_size: int
    array_size: int
    features: int = 0
    place: int = 0
    active: frozenset[int] = frozenset()
    dirty: bool = False

    @property
    def label(self) -> str:
        """What blkid reports as the label: the name of a 1.x array."""
        return "" if self.version == "0.90" else self.name

    @property
    def short_name(self) -> str:
        """The name without the home host."""
        return self.name.rpartition(":")[2]


def read_member(base: Stream) -> MdMember | None:
    """The MD superblock of ``base``, or None."""
    # Versions 1.1, 1.2 and 1.0: the last lies at least 8 KiB before the end, on a multiple of 4 KiB (super_1_load()).
    for offset in (0, 4096, (base.size // 512 - 16) // 8 * 4096):
        if offset >= 0 and base.read_at(offset, 4) == MAGIC and (member := _version1(base, offset)):
            return member
    # Version 0.90 lies in the last whole 64 KiB (MD_NEW_SIZE_SECTORS()).
    offset = base.size // 65536 * 65536 - 65536
    return _version0(base, offset) if offset >= 0 and base.read_at(offset, 4) == MAGIC else None


def _version1(base: Stream, offset: int) -> MdMember | None:
    block = base.read_at(offset, 4096)
    found = _V1.read(block)
    features, disks, data_offset = found["feature_map"], found["raid_disks"], found["data_offset"] * 512
    if found["major_version"] != 1 or found["super_offset"] * 512 != offset or not 0 < disks <= MAX_DISKS:
        return None
    number, roles = found["dev_number"], found["max_dev"]
    role = struct.unpack_from("<H", block, _ROLES + 2 * number)[0] if number < min(roles, MAX_DISKS) else 0xFFFF
    raw = block[16:32]
    return MdMember(
        version=f"1.{0 if offset > 4096 else 2 if offset else 1}",
        uuid=str(uuids.UUID(bytes=raw)),
        array_uuid=":".join(raw[at : at + 4].hex() for at in range(0, 16, 4)),
        name=block[32:64].split(b"\0", 1)[0].decode("utf-8", "replace"),
        level=found["level"],
        layout=found["layout"],
        disks=disks,
        chunk=found["chunksize"] * 512,
        # A member that is being rebuilt lacks data.
        role=-1 if role >= _NO_SLOT or features & _RECOVERY else role,
        events=found["events"],
        data_offset=data_offset,
        data_size=min(found["data_size"] * 512, max(0, base.size - data_offset)),
        array_size=found["size"] * 512,
        features=features,
        place=offset,
        active=frozenset(slot for slot in struct.unpack_from(f"<{min(roles, MAX_DISKS)}H", block, _ROLES) if slot < disks),
        # MaxSector: no resync is due.
        dirty=found["resync_offset"] != _ALL,
    )


def _version0(base: Stream, offset: int) -> MdMember | None:
    block = base.read_at(offset, 4096)
    if len(block) < 4096:
        return None
    found = _V0.read(block)
    if found["major_version"] != 0 or found["minor_version"] < 90:
        return None
    # set_uuid0 is word 5, the other three are words 13 to 15.
    words = [block[20:24], block[52:56], block[56:60], block[60:64]]
    disks, slot = found["raid_disks"], found["this_disk_raid_disk"]
    if not 0 < disks <= MAX_DISKS or found["this_disk_number"] > MAX_DISKS:
        return None
    hexes = [word[::-1].hex() for word in words]
    return MdMember(
        version="0.90",
        uuid=str(uuids.UUID(bytes=b"".join(word[::-1] for word in words))),
        array_uuid=":".join(hexes),
        name=str(found["md_minor"]),
        level=found["level"],
        layout=found["layout"],
        disks=disks,
        chunk=found["chunk_size"],
        role=slot if slot < disks and not found["this_disk_state"] & _FAULTY else -1,
        events=found["events_lo"] | found["events_hi"] << 32,
        data_offset=0,
        data_size=offset,
        array_size=found["size"] * 1024,
        place=offset,
        active=frozenset(slot for slot, state in _descriptors(block) if slot < disks and state & _IN_SYNC and not state & _FAULTY),
        dirty=not found["state"] & _CLEAN,
    )


def _descriptors(block: bytes) -> Iterator[tuple[int, int]]:
    """Slot and state of every member that a superblock 0.90 lists."""
    for at in range(128 * 4, 992 * 4, 128):
        found = _DESCRIPTOR.read(block, at)
        if any(block[at : at + 20]):
            yield found["raid_disk"], found["state"]


def describe(member: MdMember) -> tuple[tuple[str, str], ...]:
    """The details of a member device."""
    facts = {
        "level": level_name(member.level),
        "md_version": member.version,
        "array_uuid": member.array_uuid,
        "md_name": member.name,
        "members": str(member.disks),
        "role": str(member.role) if member.role >= 0 else "spare",
    }
    return tuple((key, value) for key, value in facts.items() if value)


def level_name(level: int) -> str:
    """The level as in /proc/mdstat: ``raid1``, ``linear``…"""
    return {-1: "linear", -4: "multipath", -5: "faulty", -3: "container"}.get(level, f"raid{level}")


def condition(members: Sequence[tuple[MdMember, str]]) -> tuple[tuple[str, str], ...]:
    """The details of an array from its named members: which are missing, and which are out of date."""
    known = [member for member, _name in members]
    newest = max(known, key=lambda member: member.events)
    slots = in_sync(known)
    redundant = newest.level in (1, 4, 5, 6, 10)
    stale = [name for member, name in members if member.role >= 0 and slots.get(member.role) is not member]
    missing = newest.disks - len(slots)
    facts = {
        "degraded": str(missing) if redundant and missing > 0 else "",
        # These worked when the array was last written, and are not among the disks here.
        "not_copied": str(len(newest.active - set(slots)) or ""),
        "left_behind": ",".join(stale),
        "dirty": "yes" if newest.dirty and newest.level in (4, 5, 6) else "",
    }
    return tuple((key, value) for key, value in facts.items() if value)


def in_sync(members: Sequence[MdMember]) -> dict[int, MdMember]:
    """The members with the current content of the array, by slot: those that saw its last events, as decided by md's
    ``super_1_validate``.
    """
    newest = max(member.events for member in members)
    return {member.role: member for member in members if member.role >= 0 and member.events >= newest - 1}


def assemble(members: Sequence[tuple[MdMember, Stream]]) -> Stream:
    """The content of an array from the available members; Unsupported or ImageError names what is missing."""
    reference = max((member for member, _base in members), key=lambda member: member.events)
    for feature, reason in ((_RESHAPE, "is being reshaped"), (_JOURNAL, "has a write journal")):
        if reference.features & feature:
            raise Unsupported(f"the array {reason}")
    slots = in_sync([member for member, _base in members])
    if not slots:
        raise ImageError("no member of the array is in sync")
    parts = {member.role: Slice(base, member.data_offset, member.data_size) for member, base in members if member is slots.get(member.role)}
    return _content(reference, parts)


def _content(array: MdMember, parts: Mapping[int, Stream]) -> Stream:
    if array.level == 1:
        # All of them have the same content.
        data = parts[min(parts)]
        return Slice(data, 0, min(array.array_size, data.size) or data.size)
    if array.level in (4, 5, 6):
        return Parity(array.level, array.layout, array.disks, array.chunk, parts, array.array_size)
    if array.level == 10:
        return Raid10(array.layout, array.disks, array.chunk, parts, array.array_size)
    if array.level not in (-1, 0):
        raise Unsupported(f"MD {level_name(array.level)} is not supported")
    if len(parts) < array.disks:
        raise ImageError(f"{array.disks - len(parts)} of {array.disks} members are missing")
    ordered = [parts[role] for role in sorted(parts)]
    return _linear(ordered, array.chunk) if array.level == -1 else _raid0(ordered, array)


def _linear(parts: Sequence[Stream], rounding: int) -> Stream:
    return Joined(Piece(part.size // rounding * rounding if rounding else part.size, part) for part in parts)


def _raid0(parts: Sequence[Stream], reference: MdMember) -> Stream:
    if reference.chunk < 512 or reference.chunk % 512:
        raise ImageError(f"damaged MD superblock (chunk size {reference.chunk})")
    sizes = {part.size // reference.chunk for part in parts}
    # Linux refuses it, too: two layouts exist, and old superblocks do not say which (create_strip_zones() of raid0.c).
    if len(sizes) > 1 and reference.layout not in (1, 2):
        raise Unsupported("MD raid0 over devices of different sizes without a stated layout")
    return Raid0(parts, reference.chunk, absolute=reference.layout == 1)


class Raid0(Chunked):
    """RAID 0 over members of different sizes: zones of equal height, as created by drivers/md/raid0.c.

    ``absolute`` is the original layout, in which the device of a chunk depends on its place in the array, not in the zone.
    """

    def __init__(self, parts: Sequence[Stream], chunk: int, *, absolute: bool = False) -> None:
        self._absolute = absolute
        self._zones: list[tuple[int, int, list[Stream]]] = []
        floor = total = 0
        for height in sorted({part.size // chunk * chunk for part in parts}):
            tall = [part for part in parts if part.size // chunk * chunk > floor]
            if height > floor:
                self._zones.append((total, floor, tall))
                total += (height - floor) * len(tall)
                floor = height
        super().__init__(total, chunk)

    def piece(self, number: int, inside: int, count: int) -> bytes:
        """See :class:`~v2vlint.disk.stream.Chunked`. Zones start at whole chunks."""
        start, floor, parts = next(zone for zone in reversed(self._zones) if zone[0] <= number * self._chunk)
        own = number - start // self._chunk
        turn = number if self._absolute else own
        return exactly(parts[turn % len(parts)], floor + own // len(parts) * self._chunk + inside, count)
