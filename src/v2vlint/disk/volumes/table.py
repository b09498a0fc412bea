"""Partition tables: MBR with logical partitions, and GPT (UEFI specification, chapter 5), read as the Linux kernel reads them."""

from __future__ import annotations

import uuid
import zlib
from collections.abc import Iterator

from v2vlint.disk.fields import Fields
from v2vlint.disk.stream import Stream
from v2vlint.model.dataclass import dataclass

# DISK_MAX_PARTS of Linux.
MAX_PARTITIONS = 256
MAX_GPT_TABLE = 1 << 20
SECTORS = (512, 4096)
"""Logical sector sizes of disks."""
_EXTENDED = frozenset({0x05, 0x0F, 0x85})
_GPT_MAGIC = b"EFI PART"

_MBR = Fields("<", unique_mbr_signature=(440, "I"))
_MBR_ENTRIES = 446
_MBR_ENTRY = Fields("<", boot_ind=(0, "B"), sys_ind=(4, "B"), start_sect=(8, "I"), nr_sects=(12, "I"))
"""``struct msdos_partition`` (include/linux/msdos_partition.h)."""
_GPT_HEADER = Fields(
    "<",
    header_size=(12, "I"),
    header_crc32=(16, "I"),
    alternate_lba=(32, "Q"),
    partition_entry_lba=(72, "Q"),
    num_partition_entries=(80, "I"),
    sizeof_partition_entry=(84, "I"),
    partition_entry_array_crc32=(88, "I"),
)
_GPT_ENTRY = Fields("<", starting_lba=(32, "Q"), ending_lba=(40, "Q"), attributes=(48, "Q"))
"""``gpt_header`` and ``gpt_entry`` (block/partitions/efi.h)."""


@dataclass(frozen=True, slots=True)
class Partition:
    """One entry. ``start`` and ``size`` are bytes; ``type`` and ``uuid`` are in the notation of :class:`~v2vlint.model.blocks.BlockDevice`.

    ``no_auto``: a GPT attribute says that the partition must not be mounted automatically because of its type (UAPI.2).
    """

    number: int
    start: int
    size: int
    type: str
    uuid: str = ""
    name: str = ""
    bootable: bool = False
    no_auto: bool = False

    @property
    def is_extended(self) -> bool:
        """Whether it only holds logical partitions."""
        return self.type in {f"{kind:#04x}" for kind in _EXTENDED}


@dataclass(frozen=True, slots=True)
class Table:
    """A partition table: ``kind`` is ``gpt``, ``dos`` or empty when there is none. ``problem`` says what is damaged."""

    kind: str = ""
    partitions: tuple[Partition, ...] = ()
    sector: int = 512
    problem: str = ""
    id: str = ""


def read_table(disk: Stream, sector: int = 512) -> Table:
    """The partition table of ``disk``. ``sector`` is the sector size for an MBR; a GPT's follows from its position."""
    first = disk.read_at(0, 512)
    if len(first) < 512 or first[510:512] != b"\x55\xaa":
        return Table()
    entries = [_mbr_entry(first, index) for index in range(4)]
    # Boot sectors of filesystems have the same signature; msdos_partition() tells them apart by this byte.
    if any(first[_MBR_ENTRIES + 16 * index] not in (0, 0x80) for index in range(4)):
        return Table()
    if any(kind == 0xEE for kind, _start, _count, _boot in entries):
        return _gpt(disk)
    return _mbr(disk, first, entries, sector)


def _mbr_entry(sector: bytes, index: int) -> tuple[int, int, int, bool]:
    found = _MBR_ENTRY.read(sector, _MBR_ENTRIES + 16 * index)
    return found["sys_ind"], found["start_sect"], found["nr_sects"], found["boot_ind"] == 0x80


def _mbr(disk: Stream, first: bytes, entries: list[tuple[int, int, int, bool]], sector: int) -> Table:
    signature = _MBR.read(first)["unique_mbr_signature"]
    found: list[Partition] = []
    problem = ""
    for number, (kind, start, count, boot) in enumerate(entries, 1):
        if not kind or not count:
            continue
        if start == 0 or start * sector >= disk.size:
            problem = f"partition {number} starts beyond the end of the disk: the image is truncated"
            continue
        size = min(count * sector, disk.size - start * sector)
        if size < count * sector:
            problem = f"partition {number} ends beyond the end of the disk: the image is truncated"
        found.append(Partition(number, start * sector, size, f"{kind:#04x}", _mbr_uuid(signature, number), bootable=boot))
    if not found:
        return Table(problem=problem)
    extended = next((part for part in found if part.is_extended), None)
    if extended:
        found.extend(_logical(disk, extended, signature, sector))
    return Table("dos", tuple(found), sector, problem=problem, id=f"{signature:08x}")


def _mbr_uuid(signature: int, number: int) -> str:
    return f"{signature:08x}-{number:02x}" if signature else ""


def _logical(disk: Stream, extended: Partition, signature: int, unit: int) -> Iterator[Partition]:
    base = here = extended.start // unit
    seen: set[int] = set()
    number = 5
    while here not in seen and len(seen) < MAX_PARTITIONS:
        seen.add(here)
        sector = disk.read_at(here * unit, 512)
        if len(sector) < 512 or sector[510:512] != b"\x55\xaa":
            return
        following = 0
        for index in range(4):
            kind, start, count, boot = _mbr_entry(sector, index)
            if kind in _EXTENDED:
                # Links count from the start of the extended partition, data from the sector of its entry (parse_extended()).
                following = following or base + start
            elif kind and count and (here + start) * unit < disk.size:
                size = min(count * unit, disk.size - (here + start) * unit)
                yield Partition(number, (here + start) * unit, size, f"{kind:#04x}", _mbr_uuid(signature, number), bootable=boot)
                number += 1
        if not following:
            return
        here = following


def _gpt(disk: Stream) -> Table:
    primary = [_gpt_at(disk, sector, sector) for sector in SECTORS]
    backup = [_gpt_at(disk, disk.size // sector * sector - sector, sector) for sector in SECTORS]
    good = next((table for table in primary if table), None)
    if good:
        return good
    spare = next((table for table in backup if table), None)
    if spare:
        return Table("gpt", spare.partitions, spare.sector, "the primary GPT is damaged, the backup was used", spare.id)
    return Table("gpt", problem="the GPT is damaged: neither header has a valid checksum")


def _gpt_at(disk: Stream, offset: int, sector: int) -> Table | None:
    header = disk.read_at(offset, 512) if offset >= 0 else b""
    if header[:8] != _GPT_MAGIC or len(header) < 512:
        return None
    read = _GPT_HEADER.read(header)
    size, count, length = read["header_size"], read["num_partition_entries"], read["sizeof_partition_entry"]
    if not 92 <= size <= 512 or not 128 <= length <= 4096 or count * length > MAX_GPT_TABLE:
        return None
    # The checksum itself counts as zero.
    blank = header[:16] + bytes(4) + header[20:size]
    entries = disk.read_at(read["partition_entry_lba"] * sector, count * length)
    if zlib.crc32(blank) != read["header_crc32"] or zlib.crc32(entries) != read["partition_entry_array_crc32"]:
        return None
    found = (_gpt_entry(entries[index * length : (index + 1) * length], index + 1, sector, disk.size) for index in range(count))
    last = read["alternate_lba"] * sector
    problem = "the backup GPT lies beyond the end of the disk: the image is truncated" if offset == sector and last >= disk.size else ""
    disk_id = str(uuid.UUID(bytes_le=header[56:72]))
    return Table("gpt", tuple(part for part in found if part)[:MAX_PARTITIONS], sector, problem, disk_id)


def _gpt_entry(entry: bytes, number: int, sector: int, disk_size: int) -> Partition | None:
    found = _GPT_ENTRY.read(entry)
    first, last, attributes = found["starting_lba"], found["ending_lba"], found["attributes"]
    start, size = first * sector, (last - first + 1) * sector
    if not any(entry[:16]) or size <= 0 or start >= disk_size:
        return None
    return Partition(
        number=number,
        start=start,
        size=min(size, disk_size - start),
        type=str(uuid.UUID(bytes_le=entry[:16])),
        uuid=str(uuid.UUID(bytes_le=entry[16:32])),
        name=entry[56:128].decode("utf-16-le", "replace").split("\0", 1)[0],
        # "Legacy BIOS Bootable" (UEFI specification).
        bootable=bool(attributes >> 2 & 1),
        no_auto=bool(attributes >> 63 & 1),
    )
