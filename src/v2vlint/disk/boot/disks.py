"""The guest's disks as a BIOS and its boot code see them: sectors by number, partitions by their first sector."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from v2vlint.disk.boot.sector import SIZE
from v2vlint.disk.stream import Stream
from v2vlint.model.blocks import BlockDevice
from v2vlint.model.dataclass import dataclass

MAX_CODE = 2 << 20


@dataclass(frozen=True)
class Disks:
    """``streams`` are the disks' bytes by index; ``partitions`` are the partitions of all disks."""

    streams: Mapping[int, Stream]
    partitions: Sequence[BlockDevice]

    def read(self, disk: int, sector: int, count: int = 1) -> bytes:
        """``count`` sectors; fewer at the end of the disk, and none when there is no such disk."""
        stream = self.streams.get(disk)
        if stream is None or sector < 0 or count < 0 or count * SIZE > MAX_CODE:
            return b""
        return stream.read_at(sector * SIZE, count * SIZE)

    def partition(self, disk: int, sector: int) -> BlockDevice | None:
        """The partition that starts at ``sector``."""
        return next((part for part in self.partitions if part.disk == disk and part.detail("start") == str(sector * SIZE)), None)

    def active(self, disk: int) -> tuple[BlockDevice, ...]:
        """Partitions marked as bootable: active ones of an MBR, and those with the legacy BIOS attribute of a GPT."""
        return tuple(part for part in self.partitions if part.disk == disk and part.bootable)
