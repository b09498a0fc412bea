"""Logical sectors: those that disks were laid out in, and those that the target presents.

A partition table counts in them, and the header of a GPT is in the second one (Linux ``block/partitions/efi.c``, EDK II
``PartitionDxe``). A filesystem whose own blocks are smaller than the disk's is not mounted: ``fat_fill_super`` ("logical sector size too
small for device"), ``xfs_readsb`` ("device supports 4096 byte sectors (not 512)"), ``sb_set_blocksize`` in ext4 and btrfs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from v2vlint.facts.registry import provides
from v2vlint.model.blocks import BlockDevice, BlockTable
from v2vlint.model.target import Target

MAX_LAYERS = 32
USUAL = 512
_OWN = {"xfs": "sector_size", "vfat": "block_size", "ext2": "block_size", "ext3": "block_size", "ext4": "block_size", "btrfs": "block_size"}


@dataclass(frozen=True, slots=True)
class Sectors:
    """What the target makes of the guest's disks. ``presented`` is the target's size, 0 where it is what an image states."""

    presented: int = USUAL
    blocks: BlockTable = BlockTable()

    def of(self, disk: BlockDevice) -> int:
        """The logical sector size of ``disk`` on the target."""
        return self.presented or int(disk.detail("stated_sector") or USUAL)

    def of_disk(self, index: int | None) -> int:
        """The same of the disk with this 0-based index; the usual size where there is none."""
        return next((self.of(disk) for disk in self.blocks.disks if disk.disk == index), self.presented or USUAL)

    def lost(self, device: BlockDevice) -> str:
        """Why ``device`` does not appear on the target: the table of a disk under it counts in other sectors. Empty when it does."""
        for layer in self._under(device):
            disk = next((parent for name in layer.parents if (parent := self.blocks.named(name)) and parent.kind == "disk"), None)
            counted = int(disk.detail("sector_size") or 0) if disk else 0
            if disk and layer.kind == "partition" and counted and counted != self.of(disk):
                return f"the partition table of {disk.name} counts in sectors of {counted} bytes, and there they have {self.of(disk)}"
        return ""

    def refused(self, device: BlockDevice) -> str:
        """Why the kernel does not mount the filesystem on ``device`` there. Empty when nothing speaks against it."""
        own = int(device.detail(_OWN.get(device.fs_type, "")) or 0)
        widest = max((self.of(layer) for layer in self._under(device) if layer.kind == "disk"), default=0)
        if own and own < widest:
            return f"{device.fs_type} on {device.name} has sectors of {own} bytes, and those of the disk have {widest} there"
        return ""

    def _under(self, device: BlockDevice) -> Iterator[BlockDevice]:
        """``device`` and all that it lies on."""
        pending, seen = [device], set[str]()
        while pending and len(seen) < MAX_LAYERS:
            layer = pending.pop()
            if layer.name not in seen:
                seen.add(layer.name)
                yield layer
                pending += [parent for name in layer.parents if (parent := self.blocks.named(name)) is not None]


@provides
def find_sectors(target: Target, blocks: BlockTable) -> Sectors:
    """From the target's key and what images state."""
    return Sectors(target.sector_size, blocks)
