"""Block lists, from which GRUB loads the rest of itself. They end the first sector of core.img, stage2 and stage1_5, and grow downwards."""

from __future__ import annotations

import struct

from v2vlint.disk.boot.disks import Disks
from v2vlint.disk.boot.sector import SIZE
from v2vlint.model.dataclass import dataclass

MAX_BLOCKS = 128


@dataclass(frozen=True, slots=True)
class Block:
    """A run of ``count`` sectors starting at ``start``."""

    start: int
    count: int


def blocks_of(sector: bytes, form: str) -> tuple[Block, ...]:
    """The block list in ``sector``. Entries are ``<QHH`` (GRUB 2) or ``<IHH`` (GRUB legacy); an entry of length zero ends the list."""
    size, found = struct.calcsize(form), []
    for index in range(1, min(MAX_BLOCKS, SIZE // size) + 1):
        start, count, _segment = struct.unpack_from(form, sector, SIZE - index * size)
        if not count:
            break
        found.append(Block(start, count))
    return tuple(found)


def load(disks: Disks, disk: int, blocks: tuple[Block, ...]) -> bytes | None:
    """The sectors of all blocks; None when some are beyond the end of the disk."""
    parts = []
    for block in blocks:
        data = disks.read(disk, block.start, block.count)
        if len(data) < block.count * SIZE:
            return None
        parts.append(data)
    return b"".join(parts)
