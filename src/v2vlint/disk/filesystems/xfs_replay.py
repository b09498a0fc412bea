"""What the log of an XFS would change at the next mount (fs/xfs/xfs_log_recover.c and fs/xfs/libxfs/xfs_log_format.h of Linux).

The records between the tail and the head of the log contain transactions. Committed ones are applied to the filesystem in memory: parts of
buffers, and inodes with their forks. The image is not modified. The kernel also completes intents: those that free space or change the
reverse map do not affect a reader; those that move extents do, and make the result uncertain.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from itertools import islice

from v2vlint.disk.checksums import crc32c
from v2vlint.disk.fields import Fields
from v2vlint.disk.filesystems.superblocks import XFS
from v2vlint.disk.filesystems.xfs_log import (
    BLOCK_OF_CYCLES,
    ELSEWHERE,
    IN_FLIGHT,
    MAGIC,
    OPERATION,
    OPERATION_SIZE,
    RECORD,
    SECTOR,
    XfsLog,
    headers_of,
)
from v2vlint.disk.filesystems.xfs_log_inode import InodeChange, inode_change
from v2vlint.disk.stream import Stream
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import ImageError

CHUNK = 128  # XFS_BLF_CHUNK
MAX_LOG = 1 << 31  # more than XFS_MAX_LOG_BYTES
_LITTLE_ENDIAN = 1  # XLOG_FMT_LINUX_LE
# In struct xlog_rec_header, after RECORD: the checksum, and the first word of every sector of its first 32 KiB. 32-bit machines have four
# bytes fewer of padding, which the checksum includes. struct xlog_rec_ext_header has the words of the next 32 KiB.
_CRC, _CYCLE_DATA = slice(32, 36), slice(44, 300)
_HEADER_SIZES = (328, 324)
_EXTENDED_CYCLE_DATA = slice(4, 260)
_WORD = 4
# XLOG_START_TRANS, XLOG_COMMIT_TRANS, XLOG_WAS_CONT_TRANS.
_START, _COMMIT, _WAS_CONTINUED = 1, 2, 8
# What every item begins with, and struct xfs_buf_log_format up to its map.
_ITEM, _ITEM_SIZE = Fields("<", type=(0, "H"), size=(2, "H")), 4
_BUFFER_FORMAT = Fields("<", blf_flags=(4, "H"), blf_len=(6, "H"), blf_blkno=(8, "q"), blf_map_size=(16, "I"))
_BUFFER_FORMAT_SIZE = 20
_INODE, _BUFFER = 0x123B, 0x123C  # XFS_LI_INODE, XFS_LI_BUF
# XFS_LI_EFI and XFS_LI_EFD, XFS_LI_INODE to XFS_LI_CUD_RT: of other kinds Linux refuses the log (xlog_recover_reorder_trans()).
_KNOWN = frozenset({0x1236, 0x1237, *range(0x123B, 0x1250)})
# XFS_LI_BUI and XFS_LI_XMI, and below what marks each as done (XFS_LI_BUD, XFS_LI_XMD).
_MOVES = {0x1244: "extents", 0x1248: "ranges of files"}
_MOVED = {0x1245: 0x1244, 0x1249: 0x1248}
# XFS_LI_EFI and XFS_LI_EFD, of which the realtime section has its own: struct xfs_efi_log_format up to its extents, and struct xfs_extent
# of 64-bit machines.
_FREES, _FREED = 0x1236, 0x1237
_EXTENTS, _EXTENTS_SIZE = Fields("<", nextents=(4, "I"), id=(8, "Q")), 16
_EXTENT, _EXTENT_SIZE = Fields("<", ext_len=(8, "I")), 16
_INODE_BUFFER, _CANCEL = 1, 2  # XFS_BLF_INODE_BUF, XFS_BLF_CANCEL


@dataclass(slots=True)
class _Item:
    """A log item: its regions, of which the first describes the others; ``total`` is their number."""

    total: int
    regions: list[bytes]

    @property
    def kind(self) -> int:
        return _ITEM.read(self.regions[0])["type"]


@dataclass(slots=True)
class _Transaction:
    lsn: int
    items: list[_Item] = field(default_factory=list)
    begun: bool = False
    last: list[bytes] | None = None

    def add(self, data: bytes) -> None:
        """The next region."""
        if not self.begun:
            # The first region is the transaction's header (struct xfs_trans_header).
            self.begun, self.last = True, None
            return
        if not self.items or len(self.items[-1].regions) >= self.items[-1].total:
            if len(data) < _ITEM_SIZE:
                raise ImageError("its log holds a damaged item")
            # The number of its regions.
            self.items.append(_Item(_ITEM.read(data)["size"], []))
        self.items[-1].regions.append(data)
        self.last = self.items[-1].regions

    def more(self, data: bytes) -> None:
        """The rest of the last region, which did not fit into the record."""
        if self.last:
            self.last[-1] += data


@dataclass(slots=True)
class Changes:
    """What a log changes: 128-byte chunks of the disk, and inodes, by their number. ``uncertain`` names what is not replayed;
    ``freed`` counts the blocks that recovery gives back to free space.
    """

    chunks: dict[int, bytes] = field(default_factory=dict)
    inodes: dict[int, list[InodeChange]] = field(default_factory=dict)
    uncertain: str = ""
    freed: int = 0


def replay(base: Stream, superblock: bytes) -> Changes:
    """The changes of a log that was not emptied. ImageError when the kernel would refuse to replay it."""
    log = XfsLog.of(base, superblock)
    if log is None:
        raise ImageError(ELSEWHERE)
    transactions = [one for one in _transactions(log, has_crc=XFS.read(superblock)["sb_versionnum"] & 0xF == 5) if one.items]
    if any(item.kind not in _KNOWN for one in transactions for item in one.items):
        raise ImageError("its log holds an item of an unknown kind")
    # As in XLOG_RECOVER_PASS1: a block that was freed later may since hold file data, which must not be overwritten.
    cancelled = Counter(key for one in transactions for item in one.items if (key := _cancelled(item)))
    changes = Changes()
    pending: Counter[int] = Counter()
    frees: dict[int, int] = {}
    for transaction in transactions:
        for item in transaction.items:
            # Buffers come before inodes, whatever their order in the log (xlog_recover_reorder_trans()).
            if item.kind == _BUFFER:
                _buffer(item, changes, cancelled)
        for item in transaction.items:
            if item.kind == _INODE:
                change = inode_change(item.regions, transaction.lsn)
                changes.inodes.setdefault(change.number, []).append(change)
            pending[item.kind] += item.kind in _MOVES
            pending[_MOVED.get(item.kind, 0)] -= 1
            _free(item, frees)
    changes.freed = sum(frees.values())
    changes.uncertain = next((f"its log has unfinished moves of {what}" for kind, what in _MOVES.items() if pending[kind] > 0), "")
    return changes


def _free(item: _Item, frees: dict[int, int]) -> None:
    """Note an intent to free extents, or that one was carried out, in ``frees``: the number of each and its blocks."""
    if item.kind not in (_FREES, _FREED):
        return
    found = _EXTENTS.read(item.regions[0])
    if item.kind == _FREED:
        frees.pop(found["id"], None)
    else:
        ends = range(_EXTENTS_SIZE + _EXTENT_SIZE, len(item.regions[0]) + 1, _EXTENT_SIZE)
        extents = [_EXTENT.read(item.regions[0], end - _EXTENT_SIZE)["ext_len"] for end in ends]
        frees[found["id"]] = sum(extents[: found["nextents"]])


def _transactions(log: XfsLog, *, has_crc: bool) -> Iterator[_Transaction]:
    """Committed transactions, in commit order."""
    running: dict[int, _Transaction] = {}
    for header, data in _records(log, has_crc=has_crc):
        for number, flags, region in _operations(data, header["h_num_logops"]):
            if flags & _START:
                running[number] = _Transaction(header["h_lsn"])
                continue
            transaction = running.get(number)
            # xlog_recover_ophdr_to_trans() skips operations without a start, too.
            if transaction is None:
                continue
            if flags & _WAS_CONTINUED:
                transaction.more(region)
            elif flags & _COMMIT:
                yield running.pop(number)
            elif region:
                transaction.add(region)


def _operations(data: bytes, count: int) -> Iterator[tuple[int, int, bytes]]:
    """The transaction number, flags and data of each operation of a record."""
    at = 0
    for _number in range(count):
        start = at + OPERATION_SIZE
        if start > len(data):
            raise ImageError("its log holds a damaged record")
        found = OPERATION.read(data, at)
        at = start + found["oh_len"]
        yield found["oh_tid"], found["oh_flags"], data[start:at]


def _records(log: XfsLog, *, has_crc: bool) -> Iterator[tuple[Mapping[str, int], bytes]]:
    """The records from the tail to the head: each header, and the data with the words that cycle numbers had replaced."""
    last = _last(log)
    if last is None:
        return
    # The lower half is a sector number.
    here, left = last.fields["h_tail_lsn"] & 0xFFFFFFFF, log.sectors
    while left > 0:
        record = last if here == last.number else _Record(log, here)
        if has_crc and not record.is_whole():
            raise ImageError("a record of its log fails its checksum")
        yield record.fields, record.unpacked()
        if here == last.number:
            return
        here, left = (here + record.sectors) % log.sectors, left - record.sectors
    raise ImageError("its log holds a damaged record")


def _last(log: XfsLog) -> _Record | None:
    """The last record of the log. A truncated record does not count, nor do those after a wrong checksum if they may still have been in
    flight (``xlog_find_verify_log_record`` and ``xlog_verify_head`` of Linux).
    """
    head = log.whole_head()
    found = [_Record(log, number) for number in islice(log.newest(head), IN_FLIGHT + 1)]
    # It does not end at the head, so part of it is missing.
    if found and (head - found[0].number) % log.sectors != found[0].sectors:
        del found[0]
    bad = max((index for index, record in enumerate(found[:IN_FLIGHT]) if not record.is_whole()), default=-1)
    if bad + 1 < len(found):
        return found[bad + 1]
    if bad >= 0:
        raise ImageError("the last records of its log fail their checksums")
    return None


class _Record:
    """A record of the log: its header, more headers if its data may exceed 32 KiB, and the data."""

    def __init__(self, log: XfsLog, number: int) -> None:
        header = log.sector(number % log.sectors)
        if len(header) < SECTOR or (fields := RECORD.read(header))["h_magicno"] != MAGIC:
            raise ImageError("its log holds a damaged record")
        self.number, self.fields, self._header, self._length = number, fields, header, fields["h_len"]
        if fields["h_fmt"] != _LITTLE_ENDIAN:
            raise ImageError("its log was written by a big-endian machine")
        if self._length > log.sectors * SECTOR or self._length > MAX_LOG:
            raise ImageError("its log holds a damaged record")
        headers, blocks = headers_of(fields["h_version"], fields["h_size"]), -(-self._length // SECTOR)
        self.sectors = headers + blocks
        self._extended = [log.sector((number + index) % log.sectors) for index in range(1, headers)]
        self._data = log.read((number + headers) % log.sectors, blocks)

    def is_whole(self) -> bool:
        """Whether the checksum is right; zero means none."""
        # Unlike the rest of the header, it is little-endian.
        stored = int.from_bytes(self._header[_CRC], "little")
        return not stored or any(self._sum(size) == stored for size in _HEADER_SIZES)

    def _sum(self, size: int) -> int:
        crc = crc32c(0xFFFFFFFF, self._header[: _CRC.start] + bytes(4) + self._header[_CRC.stop : size])
        for extended in self._extended[: max(0, -(-self._length // BLOCK_OF_CYCLES) - 1)]:
            crc = crc32c(crc, extended[: _EXTENDED_CYCLE_DATA.stop])
        return crc32c(crc, self._data[: self._length]) ^ 0xFFFFFFFF

    def unpacked(self) -> bytes:
        """The data with the first word of each sector restored."""
        words = self._header[_CYCLE_DATA] + b"".join(extended[_EXTENDED_CYCLE_DATA] for extended in self._extended)
        data = bytearray(self._data)
        for index, at in zip(range(0, len(data), SECTOR), range(0, len(words), _WORD), strict=False):
            data[index : index + _WORD] = words[at : at + _WORD]
        return bytes(data[: self._length])


def _head_of_buffer(item: _Item) -> tuple[int, int, int, Sequence[int]]:
    """The flags, length in sectors, first sector and map of dirty chunks of a buffer (``struct xfs_buf_log_format``)."""
    head = item.regions[0]
    if len(head) < _BUFFER_FORMAT_SIZE:
        raise ImageError("its log holds a damaged buffer")
    found = _BUFFER_FORMAT.read(head)
    size = min(found["blf_map_size"], (len(head) - _BUFFER_FORMAT_SIZE) // _WORD)
    return found["blf_flags"], found["blf_len"], found["blf_blkno"], struct.unpack_from(f"<{size}I", head, _BUFFER_FORMAT_SIZE)


def _cancelled(item: _Item) -> tuple[int, int] | None:
    """The place and length of a freed buffer: earlier changes to it do not count."""
    if item.kind != _BUFFER:
        return None
    flags, length, sector, _map = _head_of_buffer(item)
    return (sector, length) if flags & _CANCEL else None


def _buffer(item: _Item, changes: Changes, cancelled: Counter[tuple[int, int]]) -> None:
    """Record the dirty chunks of a buffer. Each run of bits in its map is a region, or several where a page ends."""
    flags, length, sector, bitmap = _head_of_buffer(item)
    if flags & _CANCEL:
        # As xlog_put_buffer_cancelled(): what is logged for this place from here on counts again.
        cancelled[(sector, length)] -= 1
        return
    # Of such buffers only the list of unlinked inodes is replayed (xlog_recover_do_inode_buffer()), which no reader needs.
    if flags & _INODE_BUFFER or cancelled[(sector, length)] > 0:
        return
    dirty = [word * 32 + bit for word, bits in enumerate(bitmap) for bit in range(32) if bits >> bit & 1]
    first = sector * SECTOR // CHUNK
    data = b"".join(region[: len(region) // CHUNK * CHUNK] for region in item.regions[1:])
    for index, chunk in enumerate(dirty):
        part = data[index * CHUNK : (index + 1) * CHUNK]
        if len(part) == CHUNK:
            changes.chunks[first + chunk] = part


class Patched(Stream):
    """A disk with some of its 128-byte chunks replaced."""

    def __init__(self, base: Stream, chunks: Mapping[int, bytes]) -> None:
        super().__init__(base.size)
        self._base, self._chunks = base, chunks
        # Blocks of 4 KiB with a changed chunk, so that most reads need no look at single chunks.
        self._blocks = {number >> 5 for number in chunks}

    def read_at(self, offset: int, length: int) -> bytes:
        """See :class:`~v2vlint.disk.stream.Stream`."""
        length = self.clip(offset, length)
        data = self._base.read_at(offset, length)
        blocks = range(offset // (CHUNK * 32), (offset + length - 1) // (CHUNK * 32) + 1) if length else range(0)
        touched = [number for block in blocks if block in self._blocks for number in range(block * 32, block * 32 + 32)]
        if not touched:
            return data
        patched = bytearray(data)
        for number in touched:
            if (chunk := self._chunks.get(number)) is not None:
                start = number * CHUNK - offset
                inside = chunk[max(0, -start) : max(0, len(patched) - start)]
                patched[max(0, start) : max(0, start) + len(inside)] = inside
        return bytes(patched)
