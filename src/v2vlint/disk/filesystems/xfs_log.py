"""The log of an XFS (fs/xfs/libxfs/xfs_log_format.h of Linux): where it is, where it ends, and whether an unmount emptied it."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from v2vlint.disk.fields import Fields
from v2vlint.disk.filesystems.superblocks import XFS
from v2vlint.disk.stream import Stream

MAGIC = 0xFEEDBABE
MAX_RECORD = 2048
SECTOR = 512
IN_FLIGHT = 8
"""So many records may be on their way to the disk at once (``XLOG_MAX_ICLOGS``), and arrive in any order."""
RECORD = Fields(
    ">",
    h_magicno=(0, "I"),
    h_version=(8, "I"),
    h_len=(12, "I"),
    h_lsn=(16, "Q"),
    h_tail_lsn=(24, "Q"),
    h_num_logops=(40, "I"),
    h_fmt=(300, "I"),
    h_size=(320, "I"),
)
"""``struct xlog_rec_header``, in a sector of its own."""
BLOCK_OF_CYCLES = 32768  # XLOG_HEADER_CYCLE_SIZE
VERSION_2 = 2  # XLOG_VERSION_2: its records may have several headers.
OPERATION, OPERATION_SIZE = Fields(">", oh_tid=(0, "I"), oh_len=(4, "I"), oh_flags=(9, "B")), 12
"""``struct xlog_op_header``."""
ELSEWHERE = "its log lies on another device"
_LARGEST = 256 << 10  # XLOG_MAX_RECORD_BSIZE
_UNMOUNT = 0x20  # XLOG_UNMOUNT_TRANS


def is_dirty(base: Stream, superblock: bytes) -> bool:
    """Whether the last record of the internal log is not that of an unmount. False for an external or unreadable log."""
    log = XfsLog.of(base, superblock)
    head = 0 if log is None else log.head()
    last = None if log is None else log.last_record(head)
    return log is not None and last is not None and not log.is_unmount(last, log.sector(last))


class XfsLog:
    """The log in sectors. Each starts with the number of the cycle it was written in, except for record headers."""

    def __init__(self, base: Stream, offset: int, sectors: int) -> None:
        self._base, self.offset, self.sectors = base, offset, sectors

    @classmethod
    def of(cls, base: Stream, superblock: bytes) -> XfsLog | None:
        """The log inside the filesystem; None when it is external (``struct xfs_dsb``)."""
        found = XFS.read(superblock)
        block_size, start = found["sb_blocksize"], found["sb_logstart"]
        group_blocks, blocks, group_log = found["sb_agblocks"], found["sb_logblocks"], found["sb_agblklog"]
        if not start or not blocks or not block_size:
            return None
        place = (start >> group_log) * group_blocks + (start & ((1 << group_log) - 1))
        return cls(base, place * block_size, blocks * block_size // SECTOR)

    def read(self, number: int, count: int) -> bytes:
        """``count`` sectors of the log, which is a ring."""
        first = min(count, self.sectors - number)
        data = self._base.read_at(self.offset + number * SECTOR, first * SECTOR)
        return data if first == count else data + self.read(0, count - first)

    def last_record(self, head: int) -> int | None:
        """The sector of the last record header before ``head``."""
        for back in range(1, min(MAX_RECORD, self.sectors) + 1):
            number = (head - back) % self.sectors
            record = self.sector(number)
            if len(record) == SECTOR and RECORD.read(record)["h_magicno"] == MAGIC:
                return number
        return None

    def sector(self, number: int) -> bytes:
        return self._base.read_at(self.offset + number * SECTOR, SECTOR)

    def cycle(self, number: int) -> int:
        first, second = struct.unpack(">II", self._base.read_at(self.offset + number * SECTOR, 8).ljust(8, b"\0"))
        return int(second if first == MAGIC else first)

    def head(self) -> int:
        """The first sector that was not written in the cycle of sector 0: where the next record would go."""
        cycle, low, high = self.cycle(0), 0, self.sectors - 1
        # The last record ends with the log, so the next would start at its beginning.
        if self.cycle(high) == cycle:
            return 0
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self.cycle(middle) == cycle else (low, middle)
        return high

    def whole_head(self) -> int:
        """The head, without sectors after a gap: they were written before something that never arrived (``xlog_find_verify_cycle`` of
        Linux).
        """
        head, count = self.head() or self.sectors, min(self.sectors, IN_FLIGHT * _LARGEST // SECTOR)
        newest = self.cycle(head - 1)
        ranges = ((max(0, self.sectors - count + head), self.sectors, newest - 2), (max(0, head - count), head, newest - 1))
        for first, end, gap in ranges:
            cycles = self._cycles(first, end - first)
            if gap in cycles:
                return first + cycles.index(gap)
        return head % self.sectors

    def _cycles(self, first: int, count: int) -> list[int]:
        data = self.read(first, count) if count > 0 else b""
        words = ((data[at : at + 4], data[at + 4 : at + 8]) for at in range(0, len(data), SECTOR))
        return [int.from_bytes(second if word == MAGIC.to_bytes(4, "big") else word, "big") for word, second in words]

    def newest(self, head: int) -> Iterator[int]:
        """The sectors of the record headers before ``head``, newest first."""
        seen, at = 0, head
        while (number := self.last_record(at)) is not None:
            seen, at = seen + ((at - number) % self.sectors or self.sectors), number
            # Once around the ring.
            if seen > self.sectors:
                return
            yield number

    def is_unmount(self, number: int, header: bytes) -> bool:
        """Whether a record has but one operation, that of an unmount (``xlog_check_unmount_rec()``)."""
        found = RECORD.read(header)
        # It comes after the header or headers.
        data = self.sector((number + headers_of(found["h_version"], found["h_size"])) % self.sectors)
        return found["h_num_logops"] == 1 and len(data) == SECTOR and bool(OPERATION.read(data)["oh_flags"] & _UNMOUNT)


def headers_of(version: int, size: int) -> int:
    """The number of headers of a record: one for every 32 KiB of data that fit into it."""
    return max(1, -(-size // BLOCK_OF_CYCLES)) if version & VERSION_2 else 1
