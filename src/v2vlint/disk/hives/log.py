"""Log files of registry hives (``SYSTEM.LOG1``, ``.LOG2``, ``.LOG``): changes that Windows has not yet written to the hive.

There are two formats: a bitmap of dirty pages with the pages (``DIRT``, up to Windows 8), and a sequence of entries with pages (``HvLE``,
from 8.1 on), which may be spread over two files. Source: github.com/msuhanov/regf, "Windows registry file format specification".
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import BinaryIO

from v2vlint.disk.fields import Fields
from v2vlint.model.dataclass import dataclass

MAX_LOG = 32 << 20
MAX_BINS = 2 << 30
SECTOR = 512
BINS_AT = 4096
_NEW = 6
_OLD = (1, 2)
# The seed is the same in every log (82EF4D887A4E55C5 in the specification).
_SEED = (0x7A4E55C5, 0x82EF4D88)
_MASK = 0xFFFFFFFF
# The specification's "Base block" and "Log entry"; a base block may be cut off, so its fields are read one by one.
_PRIMARY_AT, _SECONDARY_AT, _TYPE_AT, _BINS_SIZE_AT, _CHECKSUM_AT = 4, 8, 28, 40, 508
_WRITTEN = slice(12, 20)
_ENTRY_HEADER_SIZE = 40
_ENTRY_HEADER = Fields(
    "<",
    size=(4, "I"),
    sequence_number=(12, "I"),
    hive_bins_data_size=(16, "I"),
    dirty_pages_count=(20, "I"),
    hash_1=(24, "Q"),
    hash_2=(32, "Q"),
)


@dataclass(frozen=True, slots=True)
class BaseBlock:
    """The base block: the first sector of a hive or a log."""

    raw: bytes

    @property
    def intact(self) -> bool:
        """Whether the checksum is valid."""
        return len(self.raw) == SECTOR and self.raw[:4] == b"regf" and checksum(self.raw) == self._word(_CHECKSUM_AT)

    @property
    def sequence(self) -> tuple[int, int]:
        """The primary and secondary sequence number; they differ while a hive is being written."""
        return self._word(_PRIMARY_AT), self._word(_SECONDARY_AT)

    @property
    def closed(self) -> bool:
        """Whether nothing was being written."""
        return self.intact and self.sequence[0] == self.sequence[1]

    @property
    def type(self) -> int:
        """0 for a hive, 1, 2 or 6 for a log."""
        return self._word(_TYPE_AT)

    @property
    def bins(self) -> int:
        """The size of all hive bins, in bytes."""
        return self._word(_BINS_SIZE_AT)

    @property
    def written(self) -> bytes:
        """The timestamp."""
        return self.raw[_WRITTEN]

    def _word(self, offset: int) -> int:
        return int.from_bytes(self.raw[offset : offset + 4], "little")


@dataclass(frozen=True, slots=True)
class _Entry:
    sequence: int
    bins: int
    pages: Mapping[int, bytes]


def checksum(block: bytes | bytearray) -> int:
    """The checksum of a base block: the exclusive or of its first 127 words, avoiding 0 and all ones."""
    total = 0
    for word in struct.unpack_from("<127I", block):
        total ^= word
    return {0: 1, _MASK: _MASK - 1}.get(total, total)


def replay(head: bytes, logs: Sequence[bytes]) -> tuple[bytes, dict[int, bytes]] | None:
    """The base block and the sectors (by number, from the start of the file) that the logs change in the hive with the base block ``head``.

    None when no log belongs to it.
    """
    hive = BaseBlock(head)
    usable = [log for log in logs if BaseBlock(log[:SECTOR]).closed]
    new = [log for log in usable if BaseBlock(log).type == _NEW]
    entries = list(_in_order(hive, new))
    if not entries:
        # A log of the old format belongs to the hive whose time it bears.
        old = (log for log in usable if BaseBlock(log).type in _OLD and (not hive.intact or BaseBlock(log).written == hive.written))
        entries = [entry for entry in map(_bitmap, old) if entry is not None][:1]
    if not entries:
        return None
    sectors: dict[int, bytes] = {}
    for entry in entries:
        for offset, data in entry.pages.items():
            first = (BINS_AT + offset) // SECTOR
            sectors.update((first + at // SECTOR, data[at : at + SECTOR]) for at in range(0, len(data), SECTOR))
    # A log begins with a copy of the base block.
    base = head if hive.intact else usable[0][:SECTOR]
    return _closed(base, entries[-1]), sectors


def _in_order(hive: BaseBlock, logs: Sequence[bytes]) -> Iterator[_Entry]:
    """Consecutive entries, starting with the log that has the older ones."""
    logs = sorted(logs, key=lambda log: BaseBlock(log).sequence[0])
    expected = hive.sequence[1] if hive.intact else 0
    last = None
    # Without an intact base block, nothing says where to start: only the newer log is used.
    for log in logs if hive.intact else logs[-1:]:
        first = BaseBlock(log).sequence[0]
        if first < expected or (last is not None and first != last + 1):
            continue
        for entry in _entries(log):
            if entry.sequence != (first if last is None or entry.sequence == first else last + 1):
                break
            last = entry.sequence
            yield entry


def _entries(log: bytes) -> Iterator[_Entry]:
    """The entries of a log, up to the first damaged one."""
    offset = SECTOR
    while log[offset : offset + 4] == b"HvLE" and len(log) >= offset + _ENTRY_HEADER_SIZE:
        head = _ENTRY_HEADER.read(log, offset)
        size, bins, count = head["size"], head["hive_bins_data_size"], head["dirty_pages_count"]
        raw = log[offset : offset + size]
        sane = size % SECTOR == 0 and _ENTRY_HEADER_SIZE + 8 * count <= size == len(raw) and bins % 4096 == 0 and bins <= MAX_BINS
        # Hash 2 covers the first 32 bytes, hash 1 what follows the header.
        if not sane or marvin32(raw[:32]) != head["hash_2"] or marvin32(raw[_ENTRY_HEADER_SIZE:]) != head["hash_1"]:
            return
        pages = _pages(raw, count, bins)
        if pages is None:
            return
        yield _Entry(head["sequence_number"], bins, pages)
        offset += size


def _pages(raw: bytes, count: int, bins: int) -> dict[int, bytes] | None:
    pages: dict[int, bytes] = {}
    at = _ENTRY_HEADER_SIZE + 8 * count
    for offset, size in struct.iter_unpack("<2I", raw[_ENTRY_HEADER_SIZE:at]):
        if offset % SECTOR or size % SECTOR or offset + size > bins or at + size > len(raw):
            return None
        pages[offset] = raw[at : at + size]
        at += size
    return pages


def _bitmap(log: bytes) -> _Entry | None:
    """The single set of pages in a log of the old format; None when it is damaged."""
    block = BaseBlock(log[:SECTOR])
    length = -(-block.bins // SECTOR // 8)
    if log[SECTOR : SECTOR + 4] != b"DIRT" or block.bins > MAX_BINS or len(log) < SECTOR + 4 + length:
        return None
    bitmap = int.from_bytes(log[SECTOR + 4 : SECTOR + 4 + length], "little")
    at = -(-(SECTOR + 4 + length) // SECTOR) * SECTOR
    if len(log) < at + bitmap.bit_count() * SECTOR:
        return None
    pages: dict[int, bytes] = {}
    for number in range(8 * length):
        if bitmap >> number & 1:
            pages[number * SECTOR] = log[at : at + SECTOR]
            at += SECTOR
    return _Entry(block.sequence[0], block.bins, pages)


def _closed(base: bytes, last: _Entry) -> bytes:
    """The base block as Windows leaves it: equal sequence numbers, and the size after the last entry."""
    block = bytearray(base)
    struct.pack_into("<2I", block, _PRIMARY_AT, last.sequence + 1, last.sequence + 1)
    struct.pack_into("<I", block, _TYPE_AT, 0)
    struct.pack_into("<I", block, _BINS_SIZE_AT, last.bins)
    struct.pack_into("<I", block, _CHECKSUM_AT, checksum(block))
    return bytes(block)


def marvin32(data: bytes) -> int:
    """Marvin32 with the seed used by registry logs."""
    low, high = _SEED
    tail = data[len(data) & ~3 :]
    words = struct.unpack(f"<{len(data) // 4}I", data[: len(data) & ~3])
    for word in (*words, int.from_bytes(tail + b"\x80", "little"), 0):
        low = low + word & _MASK
        high ^= low
        low = ((low << 20 | low >> 12) + high) & _MASK
        high = (high << 9 | high >> 23) & _MASK ^ low
        low = ((low << 27 | low >> 5) + high) & _MASK
        high = (high << 19 | high >> 13) & _MASK
    return high << 32 | low


class ReplayedHive(io.RawIOBase):
    """A hive with some sectors replaced; the rest is read from the file."""

    def __init__(self, base: BinaryIO, head: bytes, sectors: Mapping[int, bytes]) -> None:
        self._base, self._sectors, self._at = base, {**sectors, 0: head}, 0

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move, like any file."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at}.get(whence)
        self._at = offset + (self._end() if start is None else start)
        return self._at

    def _end(self) -> int:
        return max(self._base.seek(0, io.SEEK_END), (max(self._sectors) + 1) * SECTOR)

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Read up to one buffer."""
        first, inside = divmod(self._at, SECTOR)
        count = -(-(inside + len(buffer)) // SECTOR)
        self._base.seek(first * SECTOR)
        data = bytearray(self._base.read(count * SECTOR) or b"")
        for number in range(first, first + count):
            if (sector := self._sectors.get(number)) is not None:
                at = (number - first) * SECTOR
                # The log may make the hive longer than its file.
                data.extend(bytes(max(0, at + SECTOR - len(data))))
                data[at : at + SECTOR] = sector
        found = data[inside : inside + len(buffer)]
        buffer[: len(found)] = found
        self._at += len(found)
        return len(found)
