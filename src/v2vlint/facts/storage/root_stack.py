"""The layers between the disk and the root filesystem: the filesystem's type, and LVM, LUKS and MD below it."""

from __future__ import annotations

import re

from v2vlint.disk.filesystems.formats import mounting_modules
from v2vlint.facts.registry import provides
from v2vlint.guest.fs import GuestFS
from v2vlint.model.blocks import BlockDevice, BlockTable
from v2vlint.model.dataclass import dataclass

MAX_LAYERS = 32


@dataclass(frozen=True, slots=True)
class RootStack:
    """The root filesystem's type (blkid's, possibly empty) and everything below it, top first.

    ``device`` is the block device with the filesystem, None when it was not found among the guest's disks. ``closed``: it was not opened,
    so that only its place speaks for its being the root.
    """

    fs_type: str = ""
    device: BlockDevice | None = None
    layers: tuple[BlockDevice, ...] = ()
    closed: bool = False

    def of_kind(self, kind: str) -> tuple[BlockDevice, ...]:
        """The layers of a kind: ``lv``, ``luks``, ``md``, ``bitlocker``, ``ldm``."""
        return tuple(layer for layer in self.layers if layer.kind == kind)

    @property
    def fs_modules(self) -> tuple[tuple[str, ...], ...]:
        """Alternative sets of modules that mount the filesystem; empty when its type is not known."""
        return mounting_modules(self.fs_type) if self.fs_type else ()

    @property
    def layer_modules(self) -> tuple[str, ...]:
        """The modules the layers need, without duplicates."""
        names: list[str] = []
        for layer in self.layers:
            if layer.kind == "lv":
                names += ["dm_mod", *(name for kind in layer.detail("segments").split(",") for name in _lvm_modules(kind))]
            elif layer.kind == "luks":
                names += ["dm_mod", "dm_crypt"]
            elif layer.kind == "md":
                names += ["md_mod", _raid_module(layer.detail("level"))]
        return tuple(dict.fromkeys(name for name in names if name))


def _raid_module(level: str) -> str:
    return {"raid4": "raid456", "raid5": "raid456", "raid6": "raid456", "linear": "linear"}.get(level, level)


def _lvm_modules(kind: str) -> tuple[str, ...]:
    """The device-mapper targets for a segment of LVM's type ``kind`` (lib/*/*.c of LVM: ``target_present``)."""
    if level := _LEVEL.match(kind):
        return "dm_raid", _raid_module(level[0])
    return _TARGETS.get(kind, ())


_LEVEL = re.compile(r"raid(?:0|10|[1456])(?=_|$)")
_TARGETS: dict[str, tuple[str, ...]] = {
    "mirror": ("dm_mirror",), "snapshot": ("dm_snapshot",), "thin": ("dm_thin_pool",), "thin-pool": ("dm_thin_pool",),
    "cache": ("dm_cache", "dm_cache_smq"), "writecache": ("dm_writecache",), "zero": ("dm_zero",),
    "integrity": ("dm_integrity",),
}  # fmt: skip


@provides
def find_root_stack(fs: GuestFS, blocks: BlockTable) -> RootStack:
    """The layers below the filesystem mounted at ``/``, identified by its UUID."""
    root = fs.mounts["/"]
    if root.type == "crypto_LUKS":
        return _locked(blocks.tagged("UUID", root.uuid))
    found = blocks.tagged("UUID", root.uuid) if root.uuid else ()
    device = next((device for device in found if device.fs_type == root.type), None)
    layers: list[BlockDevice] = []
    pending = [device] if device else []
    while pending and len(layers) < MAX_LAYERS:
        layer = pending.pop(0)
        if layer in layers:
            continue
        if layer.kind in ("lv", "luks", "md", "bitlocker", "ldm"):
            layers.append(layer)
        pending.extend(parent for name in layer.parents if (parent := blocks.named(name)) is not None)
    return RootStack(root.type, device, tuple(layers))


def _locked(containers: tuple[BlockDevice, ...]) -> RootStack:
    """The layers below a root that is encrypted and was not opened: the content of the container is unknown."""
    layers = (BlockDevice(f"luks-{one.uuid}", "luks", one.size, one.disk, parents=(one.name,)) for one in containers[:1])
    return RootStack("", None, tuple(layers), closed=True)
