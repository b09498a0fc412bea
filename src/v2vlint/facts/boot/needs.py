"""What must exist for the guest to boot: the devices under its root and under every mount that boot waits for."""

from __future__ import annotations

import re

from v2vlint.facts.boot.bootloader import Bootloader
from v2vlint.facts.registry import provides
from v2vlint.facts.storage.devices import Devices
from v2vlint.facts.storage.fstab import FstabEntry
from v2vlint.facts.storage.mount_policy import MountPolicy
from v2vlint.guest.fs import GuestFS
from v2vlint.model.blocks import BlockTable
from v2vlint.model.dataclass import dataclass

_VOLUME = re.compile(r"/dev/(?!disk/|mapper/|md/|cciss/|ida/|rd/|mpath/|zvol/|shm/|mmc)([\w.+-]+)/([\w.+-]+)")


@dataclass(frozen=True, slots=True)
class NeededMount:
    """A mount that boot waits for: its fstab entry and the names of the block devices under it (empty when they are not known)."""

    entry: FstabEntry
    devices: frozenset[str]

    @property
    def volume(self) -> str:
        """The logical volume it is on, as ``vg/lv``, or an empty string."""
        return next((name for name in sorted(self.devices) if "/" in name and not name.startswith("md/")), "") or volume_of(
            self.entry.device
        )


@dataclass(frozen=True, slots=True)
class BootNeeds:
    """``root`` are the devices under the root filesystem, ``mounts`` the entries (including the root's) that block the boot."""

    root: frozenset[str] = frozenset()
    mounts: tuple[NeededMount, ...] = ()

    def needs(self, name: str) -> bool:
        """Whether boot needs the block device called ``name``."""
        return name in self.root or any(name in mount.devices for mount in self.mounts)

    def late(self, name: str) -> bool:
        """Whether a mount other than the root needs the block device called ``name``."""
        return any(name in mount.devices for mount in self.mounts if mount.entry.mount_point != "/")

    def mount_on(self, spec: str) -> NeededMount | None:
        """The first needed mount whose fstab entry names exactly ``spec``."""
        return next((mount for mount in self.mounts if mount.entry.device == spec), None)


def volume_of(spec: str) -> str:
    """The logical volume a path names (``/dev/mapper/vg-lv``, ``/dev/vg/lv``) as ``vg/lv``, or an empty string."""
    if match := _VOLUME.fullmatch(spec):
        return f"{match[1]}/{match[2]}"
    if not spec.startswith("/dev/mapper/"):
        return ""
    # LVM doubles hyphens within a name; a single one separates group and volume.
    parts = spec.removeprefix("/dev/mapper/").replace("--", "\0").split("-")
    return "/".join(part.replace("\0", "-") for part in parts) if len(parts) == 2 and all(parts) else ""


@provides
def find_boot_needs(fs: GuestFS, blocks: BlockTable, devices: Devices, bootloader: Bootloader, policy: MountPolicy) -> BootNeeds:
    """Determined from fstab, the default entry's ``root=`` and the filesystem found as root."""
    mounts = tuple(
        NeededMount(entry, _under(blocks, devices, entry.device))
        for entry in policy.entries
        if (policy.stops(entry) or entry.mount_point == "/") and not entry.is_pseudo and entry.mount_point.startswith("/")
    )
    roots = [name for device in blocks.tagged("UUID", fs.mounts["/"].uuid) for name in _chain(blocks, device.name)]
    for default in bootloader.defaults:
        if default.root and default.root.value:
            roots.extend(_under(blocks, devices, default.root.value))
    return BootNeeds(frozenset(roots), mounts)


def _under(blocks: BlockTable, devices: Devices, spec: str) -> frozenset[str]:
    device = devices.resolve(spec)
    return frozenset(_chain(blocks, device.name)) if device else frozenset()


def _chain(blocks: BlockTable, name: str) -> list[str]:
    found = [name]
    for current in found:
        device = blocks.named(current)
        found.extend(parent for parent in (device.parents if device else ()) if parent not in found)
    return found
