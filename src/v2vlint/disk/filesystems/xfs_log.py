"""Whether the log of an XFS was emptied by an unmount. Nothing is replayed: what a dirty log holds is not seen by the reader."""

from __future__ import annotations

import struct

from v2vlint.disk.stream import Stream

MAGIC = 0xFEEDBABE
MAX_RECORD = 2048
_SECTOR = 512
_UNMOUNT = 0x20


def is_dirty(base: Stream, superblock: bytes) -> bool:
    """Whether the last record of the internal log is anything but that of an unmount. False for an external or unreadable log."""
    block_size, start = struct.unpack_from(">I", superblock, 4)[0], struct.unpack_from(">Q", superblock, 48)[0]
    group_blocks, blocks = struct.unpack_from(">I", superblock, 84)[0], struct.unpack_from(">I", superblock, 96)[0]
    group_log = superblock[124]
    if not start or not blocks or not block_size:
        return False
    place = (start >> group_log) * group_blocks + (start & ((1 << group_log) - 1))
    log = _Log(base, place * block_size, blocks * block_size // _SECTOR)
    head = log.head()
    for back in range(1, min(MAX_RECORD, log.sectors) + 1):
        record = log.sector((head - back) % log.sectors)
        if len(record) == _SECTOR and struct.unpack_from(">I", record, 0)[0] == MAGIC:
            return not log.is_unmount((head - back) % log.sectors, record)
    return False


class _Log:
    """The log in sectors. The first word of each is the cycle it was written in, but for record headers."""

    def __init__(self, base: Stream, offset: int, sectors: int) -> None:
        self._base, self._offset, self.sectors = base, offset, sectors

    def sector(self, number: int) -> bytes:
        return self._base.read_at(self._offset + number * _SECTOR, _SECTOR)

    def cycle(self, number: int) -> int:
        first, second = struct.unpack(">II", self._base.read_at(self._offset + number * _SECTOR, 8).ljust(8, b"\0"))
        return int(second if first == MAGIC else first)

    def head(self) -> int:
        """The first sector that was not written in the cycle of sector 0: where the next record would go."""
        cycle, low, high = self.cycle(0), 0, self.sectors - 1
        if self.cycle(high) == cycle:
            return 0
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self.cycle(middle) == cycle else (low, middle)
        return high

    def is_unmount(self, number: int, header: bytes) -> bool:
        version, operations, size = (struct.unpack_from(">I", header, at)[0] for at in (8, 40, 320))
        blocks = -(-size // 32768) if version & 2 and size > 32768 else 1
        data = self.sector((number + blocks) % self.sectors)
        return operations == 1 and len(data) == _SECTOR and bool(data[9] & _UNMOUNT)
