"""Partition tables: MBR with logical partitions, and GPT (UEFI specification, chapter 5), read as the Linux kernel reads them."""

from __future__ import annotations

import uuid
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import replace

from v2vlint.disk.fields import Fields
from v2vlint.disk.stream import Stream
from v2vlint.model.dataclass import dataclass

# DISK_MAX_PARTS of Linux, which counts the disk itself.
MAX_PARTITIONS = 255
# KMALLOC_MAX_SIZE on most systems.
MAX_GPT_TABLE = 4 << 20
GPT_ENTRY = 128
"""The bytes of an entry."""
SECTORS = (512, 4096)
"""Logical sector sizes of disks."""
_EXTENDED = frozenset({0x05, 0x0F, 0x85})
_GPT_MAGIC = b"EFI PART"

_MBR = Fields("<", unique_mbr_signature=(440, "I"))
MBR_ENTRIES = range(446, 510, 16)
"""Where an MBR, or the first sector of a logical partition, has its entries."""
MBR_ENTRY = Fields("<", boot_ind=(0, "B"), sys_ind=(4, "B"), start_sect=(8, "I"), nr_sects=(12, "I"))
"""``struct msdos_partition`` (include/linux/msdos_partition.h)."""
_GPT_HEADER = Fields(
    "<",
    header_size=(12, "I"),
    header_crc32=(16, "I"),
    my_lba=(24, "Q"),
    alternate_lba=(32, "Q"),
    first_usable_lba=(40, "Q"),
    last_usable_lba=(48, "Q"),
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
    ``boot_priority`` is the one in ChromeOS' attributes, which CoreOS took over; 0 when no tries are left and none was successful.
    """

    number: int
    start: int
    size: int
    type: str
    uuid: str = ""
    name: str = ""
    bootable: bool = False
    no_auto: bool = False
    boot_priority: int = 0

    @property
    def is_extended(self) -> bool:
        """Whether it only holds logical partitions."""
        return self.type in {f"{kind:#04x}" for kind in _EXTENDED}


@dataclass(frozen=True, slots=True)
class Table:
    """A partition table: ``kind`` is ``gpt``, ``dos`` or empty when there is none. ``problem`` says what is damaged.

    ``spare``: it is the backup of a GPT, which UEFI firmware alone uses.
    """

    kind: str = ""
    partitions: tuple[Partition, ...] = ()
    sector: int = 512
    problem: str = ""
    id: str = ""
    spare: bool = False


def read_table(disk: Stream, sector: int = 512) -> Table:
    """The partition table of ``disk``. ``sector`` is the sector size for an MBR; a GPT's follows from its position."""
    first = disk.read_at(0, 512)
    if len(first) < 512 or first[510:512] != b"\x55\xaa":
        return Table()
    entries = [_mbr_entry(first, at) for at in MBR_ENTRIES]
    protective = [start for kind, start, _count, _boot in entries if kind == 0xEE]
    if 1 in protective:
        return _gpt(disk)
    # Boot sectors of filesystems have the same signature; msdos_partition() tells them apart by this byte. It leaves GPTs alone.
    if protective or any(first[at] not in (0, 0x80) for at in MBR_ENTRIES):
        return Table()
    return _mbr(disk, first, entries, sector)


def _mbr_entry(sector: bytes, at: int) -> tuple[int, int, int, bool]:
    found = MBR_ENTRY.read(sector, at)
    return found["sys_ind"], found["start_sect"], found["nr_sects"], found["boot_ind"] == 0x80


def _mbr(disk: Stream, first: bytes, entries: list[tuple[int, int, int, bool]], sector: int) -> Table:
    signature = _MBR.read(first)["unique_mbr_signature"]
    found: list[Partition] = []
    problem = ""
    for number, (kind, start, count, boot) in enumerate(entries, 1):
        # The type does not matter to Linux, and isohybrid images have a partition that begins with the disk.
        if not count:
            continue
        if start * sector >= disk.size:
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
        for at in MBR_ENTRIES:
            kind, start, count, boot = _mbr_entry(sector, at)
            if kind in _EXTENDED:
                # Links count from the start of the extended partition, data from the sector of its entry (parse_extended()).
                following = following or base + start
            elif count and (here + start) * unit < disk.size:
                size = min(count * unit, disk.size - (here + start) * unit)
                yield Partition(number, (here + start) * unit, size, f"{kind:#04x}", _mbr_uuid(signature, number), bootable=boot)
                number += 1
        if not following:
            return
        here = following


def _gpt(disk: Stream) -> Table:
    primary = next((table for sector in SECTORS if (table := _gpt_at(disk, sector, sector))), None)
    if primary is not None:
        return primary
    spare = next((table for sector in SECTORS if (table := _gpt_at(disk, disk.size // sector * sector - sector, sector))), None)
    if spare is None:
        return Table("gpt", problem="the GPT is damaged: neither header has a valid checksum")
    # Linux looks at the backup only where ``gpt`` is on its command line (find_valid_gpt()), GRUB never; UEFI firmware repairs the primary.
    told = (
        spare.problem
        or "the primary GPT is damaged: Linux and GRUB find no partitions unless UEFI firmware repairs it; the backup was read"
    )
    return Table("gpt", spare.partitions, spare.sector, told, spare.id, spare=True)


def _gpt_at(disk: Stream, offset: int, sector: int) -> Table | None:
    """The table whose header is at ``offset``; None where there is none, or its checksums do not fit."""
    header = disk.read_at(offset, sector) if offset >= 0 else b""
    if header[:8] != _GPT_MAGIC or len(header) < sector:
        return None
    read = _GPT_HEADER.read(header)
    size, count, length = read["header_size"], read["num_partition_entries"], read["sizeof_partition_entry"]
    if not 92 <= size <= sector or not count * length <= MAX_GPT_TABLE:
        return None
    # The checksum itself counts as zero.
    blank = header[:16] + bytes(4) + header[20:size]
    entries = disk.read_at(read["partition_entry_lba"] * sector, count * length)
    if zlib.crc32(blank) != read["header_crc32"] or zlib.crc32(entries) != read["partition_entry_array_crc32"]:
        return None
    disk_id = str(uuid.UUID(bytes_le=header[56:72]))
    if refused := _refused(read, offset // sector):
        return Table("gpt", sector=sector, problem=f"Linux ignores the GPT, {refused}", id=disk_id)
    last = max(read["alternate_lba"], read["last_usable_lba"]) * sector
    problem = "the backup GPT lies beyond the end of the disk: the image is truncated" if offset == sector and last >= disk.size else ""
    count = min(count, MAX_PARTITIONS)
    found = (_gpt_entry(entries[index * length : (index + 1) * length], index + 1, sector, disk.size) for index in range(count))
    # Linux does not clip a partition, it ignores it (is_pte_valid()); of a truncated image all that is there is shown.
    kept = (part for part in found if part and (problem or part.start + part.size <= disk.size))
    return Table("gpt", tuple(replace(part, size=min(part.size, disk.size - part.start)) for part in kept), sector, problem, disk_id)


def _refused(read: Mapping[str, int], place: int) -> str:
    """Why Linux refuses a table whose checksums fit (is_gpt_valid()); firmware, GRUB and libblkid have other rules."""
    if read["sizeof_partition_entry"] != GPT_ENTRY:
        return f"as its entries have {read['sizeof_partition_entry']} bytes instead of {GPT_ENTRY}"
    if read["my_lba"] != place:
        return f"as its header says that it is in sector {read['my_lba']} instead of {place}"
    if read["last_usable_lba"] < read["first_usable_lba"]:
        return "as its last usable sector comes before the first"
    return ""


def _gpt_entry(entry: bytes, number: int, sector: int, disk_size: int) -> Partition | None:
    found = _GPT_ENTRY.read(entry)
    first, last, attributes = found["starting_lba"], found["ending_lba"], found["attributes"]
    start, size = first * sector, (last - first + 1) * sector
    if not any(entry[:16]) or size <= 0 or start >= disk_size:
        return None
    return Partition(
        number=number,
        start=start,
        size=size,
        type=str(uuid.UUID(bytes_le=entry[:16])),
        uuid=str(uuid.UUID(bytes_le=entry[16:32])),
        name=entry[56:128].decode("utf-16-le", "replace").split("\0", 1)[0],
        # "Legacy BIOS Bootable" (UEFI specification).
        bootable=bool(attributes >> 2 & 1),
        no_auto=bool(attributes >> 63 & 1),
        # Four bits each of priority and tries left, one for success (include/grub/gpt_partition.h of CoreOS' GRUB).
        boot_priority=attributes >> 48 & 15 if attributes >> 52 & 31 else 0,
    )
