"""GRUB's view of files, translated to the guest's: ``($root)/vmlinuz`` on the boot partition is ``/boot/vmlinuz`` to the guest.

GRUB opens exactly the path it is given, on exactly that device; it follows links on that filesystem only, and its btrfs paths start at the
top, not at the subvolume that Linux mounts (grub-core/fs/btrfs.c), unless a GRUB with SUSE's patch has ``btrfs_relative_path`` set.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import field

from v2vlint.facts.boot.grub.volumes import GrubVolume, block_of, is_opaque, volumes_of
from v2vlint.guest.fs import GuestFS
from v2vlint.guest.text import GuestText
from v2vlint.model.blocks import BlockDevice, BlockTable
from v2vlint.model.dataclass import dataclass

_DEVICE = re.compile(r"\(([^)]*)\)(.*)", re.DOTALL)
MAX_STRIPPED = 6
# Filesystems that GRUB identifies differently from blkid, or not at all.
_OTHERWISE = frozenset({"zfs_member", "udf", "ufs", "minix", "iso9660", "hfsplus", "hfs"})
_PRIORITISED = "5dfbf5f4-2848-4bac-aa5e-0d9a20b745a6"
"""The type of CoreOS' and Flatcar's /usr partitions."""
DEFAULT = "default"
"""What stands for btrfs' default subvolume."""
UNKNOWN = "?"
"""A device that cannot be told."""


@dataclass(frozen=True, slots=True)
class GuestPath:
    """The destination of a loader's path.

    ``path`` is the guest's; ``(disk1p2)/vmlinuz`` for a place that the guest does not mount. ``foreign`` says that it is on a filesystem,
    or a part of one, that this system does not mount. ``certain`` is false when the device was unknown and the path is a guess.
    """

    path: str
    exists: bool
    foreign: bool = False
    certain: bool = True


@dataclass(frozen=True)
class GrubFiles:
    """Resolves GRUB paths.

    A device is written ``mount:/boot`` (what the guest mounts there), ``uuid:…``, ``label:…``, or GRUB's own ``hd0,msdos1``; anything else
    is unknown. Only for an unknown device, the path is looked for below ``/boot`` and ``/``. ``patched`` says that this GRUB has SUSE's
    patches for btrfs, which Red Hat adopted; ``by_name`` that it has Red Hat's for entry names that start with a digit. ``memory`` is the
    memory disk inside GRUB's program, the device ``memdisk``.
    """

    fs: GuestFS
    blocks: BlockTable
    patched: bool = False
    memory: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    by_name: bool = False

    @functools.cached_property
    def volumes(self) -> tuple[GrubVolume, ...]:
        """All filesystems, those mounted by the guest first."""
        return volumes_of(self.fs, self.blocks)

    def device_of(self, path: str) -> str:
        """The device that contains the guest path ``path``."""
        return f"mount:{self.fs.mount_of(path)}"

    def inside(self, path: str) -> str:
        """The guest path ``path`` relative to the device that contains it."""
        return f"{self.part_of(path)}/{path[len(self.fs.mount_of(path)) :].lstrip('/')}"

    def part_of(self, path: str) -> str:
        """The part of the device that the guest mounts: the path of a subvolume or folder on it, empty for the whole."""
        point = self.fs.mount_of(path)
        volume = self._mounted_at(point)
        return next((inner for inner, at in volume.parts if at == point), "") if volume else ""

    def locate(self, name: str, root: str, subvolume: str = "") -> GuestPath:
        """The guest path of GRUB's ``name`` (``/x`` on the device ``root``, or ``(device)/x``).

        On btrfs it is relative to ``subvolume``, a path from the top, or :data:`DEFAULT`.
        """
        device, path = root, name
        if match := _DEVICE.fullmatch(name):
            device, path = match[1], match[2]
        if not path.startswith("/"):
            return GuestPath(name, exists=False)  # "invalid file name": without a slash it would be a list of blocks
        path = "/" + path.lstrip("/")
        if match and not device:
            return GuestPath(f"(){path}", exists=False)  # GRUB opens no device without a name: a failed search left its variable unset
        if device == "memdisk":
            inside = path in self.memory or any(one.startswith(f"{path.rstrip('/')}/") for one in self.memory)
            return GuestPath(f"(memdisk){path}", exists=inside, foreign=True)
        volume = self._volume(device)
        if volume is not None:
            below = volume.default if subvolume == DEFAULT else subvolume if volume.system.type == "btrfs" else ""
            found = self._exactly(volume, f"{below}{path}")
            ordered = device.startswith("hd") and len(self.blocks.disks) > 1  # the firmware's order of disks may differ
            return self._guessed(device, path) if ordered and not found.exists else found
        if self._is_elsewhere(device):
            return GuestPath(path, exists=False, foreign=True)
        # All disks are known, so an array or volume that was not found does not exist.
        arrays = device.startswith(("md/", "mduuid/", "lvm/", "lvmid/")) and self.blocks.complete and self.blocks.devices
        if arrays or is_opaque(device, self.blocks):
            return GuestPath(f"({device}){path}", exists=False)
        return self._guessed(device, path)

    def is_on_several(self, path: str) -> bool:
        """Whether more than one filesystem has the path."""
        return path.startswith("/") and sum(volume.tree.exists(path) for volume in self.volumes) > 1

    def kind_at(self, name: str, root: str) -> str:
        """The type of the filesystem that a path of GRUB is on; empty when it is not known."""
        match = _DEVICE.fullmatch(name)
        volume = self._volume(match[1] if match else root)
        return volume.system.type if volume else ""

    def text(self, place: GuestPath) -> GuestText | None:
        """The content of a configuration file; None when it does not exist, or the guest does not mount its place."""
        if place.path.startswith("(memdisk)"):
            data = self.memory.get(place.path.removeprefix("(memdisk)"))
            return None if data is None else GuestText(place.path, data.decode("utf-8", "surrogateescape"))
        return None if place.foreign else self.fs.text(place.path)

    def search(self, kind: str, value: str) -> tuple[str, bool | None]:
        """The device that ``search --fs-uuid``, ``--label`` or ``--file`` finds, and whether it finds one; None where that is not known.

        :data:`UNKNOWN` stands for a device that cannot be told.
        """
        found = self._searched(kind, value)
        if found:
            return found, True
        certain = self.blocks.complete and bool(self.blocks.devices) and not any(one.fs_type in _OTHERWISE for one in self.blocks)
        return f"{kind}:{value}" if kind in ("uuid", "label") else UNKNOWN, False if certain else None

    def _searched(self, kind: str, value: str) -> str:
        if kind == "file" and self.volumes:
            devices = [f"uuid:{volume.system.uuid}" for volume in self.volumes if volume.tree.exists(value)]
            return devices[0] if len(devices) == 1 else UNKNOWN * bool(devices)
        if kind == "file":
            return next((f"mount:{point}" for point in self.fs.mounts if self.fs.exists(f"{point.rstrip('/')}/{value.lstrip('/')}")), "")
        block = next(iter(self.blocks.tagged(kind.upper(), value)), None)
        if kind in ("partlabel", "partuuid"):
            return grub_name(block) if block else ""
        device = f"{kind}:{value}"
        return device if self._volume(device) or block else ""

    def by_priority(self) -> tuple[BlockDevice, ...] | None:
        """The partition that ``gptprio.next`` of CoreOS' GRUB takes, empty when it finds none; None when that is not known.

        It is the first with the highest priority on the disk of ``$root``.
        """
        found = [one for one in self.blocks if one.part_type == _PRIORITISED and one.detail("boot_priority")]
        if not self.blocks.complete or not self.blocks.disks or len({one.disk for one in found}) > 1:
            return None
        return tuple(sorted(found, key=lambda one: -int(one.detail("boot_priority")))[:1])

    def _volume(self, device: str) -> GrubVolume | None:
        kind, _, value = device.partition(":")
        if kind == "mount":
            return self._mounted_at(value)
        if kind == "uuid":
            return next((volume for volume in self.volumes if volume.system.uuid.lower() == value.lower()), None)
        if kind == "label":
            return next((volume for volume in self.volumes if value and volume.system.label == value), None)
        block = block_of(device, self.blocks)
        return next((volume for volume in self.volumes if block and block.uuid.lower() == volume.system.uuid.lower()), None)

    def _mounted_at(self, point: str) -> GrubVolume | None:
        return next((volume for volume in self.volumes if any(at == point for _inner, at in volume.parts)), None)

    def _is_elsewhere(self, device: str) -> bool:
        """Whether ``device`` exists and cannot be opened, while the filesystems of this system are known to be others."""
        kind, _, value = device.partition(":")
        told_apart = kind in ("uuid", "label") and bool(getattr(self.fs.mounts["/"], kind))
        return told_apart and bool(self.blocks.tagged(kind.upper(), value))

    def _exactly(self, volume: GrubVolume, path: str) -> GuestPath:
        real = volume.tree.resolve(path)
        shown = volume.shown_at(path, self.fs)
        if real is None:
            return GuestPath(shown or f"({volume.device}){path}", exists=False, foreign=not volume.parts)
        seen = volume.shown_at(real, self.fs)
        if seen is None:
            return GuestPath(f"({volume.device}){path}", exists=True, foreign=True)
        same = shown is not None and self.fs.resolve(shown) == self.fs.resolve(seen)
        return GuestPath(shown if same and shown else seen, exists=True)

    def _guessed(self, device: str, path: str) -> GuestPath:
        kind, _, value = device.partition(":")
        mounts = [value] if kind == "mount" else []
        candidates = [*(f"{mount.rstrip('/')}{path}" for mount in mounts), f"/boot{path}", path, *_stripped(path)]
        found = next((candidate for candidate in candidates if self.fs.exists(candidate)), None)
        best = candidates[0] if mounts else path if path.startswith("/boot/") else f"/boot{path}"
        return GuestPath(found or best, exists=found is not None, certain=False)


def _stripped(path: str) -> list[str]:
    """The path without its leading directories: on btrfs they may be the subvolume's."""
    parts = path.strip("/").split("/")
    return ["/" + "/".join(parts[count:]) for count in range(1, min(len(parts), MAX_STRIPPED))]


def grub_name(block: BlockDevice) -> str:
    """How a :class:`GrubFiles` names a partition: by its filesystem, since firmware may order the disks in another way."""
    return f"uuid:{block.uuid}" if block.uuid else f"hd{block.disk},gpt{block.number}"
