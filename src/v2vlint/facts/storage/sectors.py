"""Logical sector sizes: the one that a disk was laid out with, and the one that the target presents.

A partition table is in units of sectors, and a GPT header is in the second sector (Linux ``block/partitions/efi.c``, EDK II
``PartitionDxe``). A filesystem with blocks smaller than a sector is not mounted: ``fat_fill_super`` ("logical sector size too small for
device"), ``xfs_readsb`` ("device supports 4096 byte sectors (not 512)"), ``sb_set_blocksize`` in ext4 and btrfs,
``exfat_calibrate_blocksize``, ``isofs_fill_super``.
"""

from __future__ import annotations

from collections.abc import Iterator

from v2vlint.facts.registry import provides
from v2vlint.model.blocks import BlockDevice, BlockTable
from v2vlint.model.dataclass import dataclass
from v2vlint.model.target import Target

MAX_LAYERS = 32
USUAL = 512
_OWN = {"xfs": "sector_size"} | dict.fromkeys(("vfat", "exfat", "iso9660", "ext2", "ext3", "ext4", "btrfs"), "block_size")


@dataclass(frozen=True, slots=True)
class Sectors:
    """The sector sizes on the target. ``presented`` is the target's own, 0 when it uses the one that an image states; ``each`` are those of
    its first disks, where they differ.
    """

    presented: int = USUAL
    blocks: BlockTable = BlockTable()
    each: tuple[int, ...] = ()

    def of(self, disk: BlockDevice) -> int:
        """The logical sector size of ``disk`` on the target."""
        own = self.each[disk.disk] if 0 <= disk.disk < len(self.each) else self.presented
        return own or int(disk.detail("stated_sector") or USUAL)

    def of_disk(self, index: int | None) -> int:
        """The logical sector size of the disk with this 0-based index; the usual size when there is none."""
        return next((self.of(disk) for disk in self.blocks.disks if disk.disk == index), self.presented or USUAL)

    def lost(self, device: BlockDevice) -> str:
        """Why ``device`` does not appear on the target: the partition table of a disk under it is for another sector size. Empty when it
        does appear.
        """
        for layer in self._under(device):
            disk = next((parent for name in layer.parents if (parent := self.blocks.named(name)) and parent.kind == "disk"), None)
            counted = int(disk.detail("sector_size") or 0) if disk else 0
            if disk and layer.kind == "partition" and counted and counted != self.of(disk):
                return f"the partition table of {disk.name} counts in sectors of {counted} bytes, and there they have {self.of(disk)}"
        return ""

    def refused(self, device: BlockDevice) -> str:
        """Why the kernel does not mount the filesystem on ``device`` there. Empty when it does."""
        own = int(device.detail(_OWN.get(device.fs_type, "")) or 0)
        widest = max((self.of(layer) for layer in self._under(device) if layer.kind == "disk"), default=0)
        if own and own < widest:
            return f"{device.fs_type} on {device.name} has sectors of {own} bytes, and those of the disk have {widest} there"
        return ""

    def _under(self, device: BlockDevice) -> Iterator[BlockDevice]:
        """``device`` and everything below it."""
        pending, seen = [device], set[str]()
        while pending and len(seen) < MAX_LAYERS:
            layer = pending.pop()
            if layer.name not in seen:
                seen.add(layer.name)
                yield layer
                pending += [parent for name in layer.parents if (parent := self.blocks.named(name)) is not None]


@provides
def find_sectors(target: Target, blocks: BlockTable) -> Sectors:
    """Determined by the target's key and by what images state."""
    return Sectors(target.sector_size, blocks, target.disk_sectors)
