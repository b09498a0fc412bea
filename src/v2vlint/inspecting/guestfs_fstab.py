"""A guest's fstab as libguestfs reads it: which entries it skips, and which device path it derives from each spec."""

from __future__ import annotations

import re

from v2vlint.facts.registry import FactStore
from v2vlint.facts.storage.crypttab import Crypttab
from v2vlint.facts.storage.fstab import Fstab, FstabEntry
from v2vlint.inspecting.storage import device_path
from v2vlint.model.blocks import BlockDevice, BlockTable, kernel_position
from v2vlint.model.errors import FactUnavailable

# What check_fstab_entry and resolve_fstab_device do (libguestfs, daemon/inspect_fs_unix_fstab.ml).
_PASSED = re.compile(r"/dev/(?:fd\d|cd\d|floppy$|cdrom$|iso9660/)")
_TAGS = ("UUID=", "LABEL=", "PARTUUID=", "PARTLABEL=")
_SYSTEM = ("/dev", "/proc", "/selinux", "/sys")
_FOLLOWED = re.compile(r"/dev/(?:mapper/|md\d+$|(?:h|s|v|xv)d[a-z]+\d*$|disk/by-uuid/|disk/by-id/dm-uuid-LVM-|(?!disk/)[^/]+/)")
_BY_ID = re.compile(r"/dev/disk/by-id/.*-part(\d+)")


def guestfs_mounts(store: FactStore, home: BlockDevice, root: str) -> tuple[tuple[str, str], ...]:
    """Pairs of device path and mount point in fstab's order; for an entry without a mount point (swap), the word in that field."""
    try:
        entries = store.get(Fstab).entries
    except FactUnavailable:
        return ()
    found: list[tuple[str, str]] = []
    for entry in entries:
        pair = _mount(store, entry, home, root)
        if pair and (pair[1] != "/" or all(point != "/" for _path, point in found)):
            found.append(pair)
    return tuple(found)


def _mount(store: FactStore, entry: FstabEntry, home: BlockDevice, root: str) -> tuple[str, str] | None:
    point, spec = _canonical(entry.mount_point), entry.device
    if _PASSED.match(spec) or point.startswith(("/media/", *(f"{one}/" for one in _SYSTEM))) or point in _SYSTEM:
        return None
    path = device_path(home) if spec == "/dev/root" else _path(store, spec)
    if path is None:
        return None
    subvolume = entry.option("subvol") if entry.fs_type == "btrfs" else None
    return (f"btrfsvol:{path}/{subvolume}" if subvolume else path), point


def _canonical(point: str) -> str:
    return re.sub(r"/+", "/", point) if point.startswith("/") else point


def _path(store: FactStore, spec: str) -> str | None:
    """The device path for a spec; None for a spec that is not a device, or a tag that no device has."""
    blocks = store.get(BlockTable)
    if spec.startswith(_TAGS):
        found = next(iter(blocks.candidates(spec)), None)
        return None if found is None else device_path(found)
    if not spec.startswith("/dev/"):
        return None
    return _device(store, blocks, spec)


def _device(store: FactStore, blocks: BlockTable, spec: str) -> str:
    if spec.startswith("/dev/mapper/"):
        inner = _mapped(store, blocks, spec[12:])
        if inner is not None:
            return device_path(inner)
    known = next(iter(blocks.candidates(spec)), None) if _FOLLOWED.match(spec) else None
    if known is not None:
        return device_path(known)
    by_id = _BY_ID.fullmatch(spec)
    return f"/dev/sda{by_id[1]}" if by_id and len(blocks.disks) == 1 else spec


def _mapped(store: FactStore, blocks: BlockTable, name: str) -> BlockDevice | None:
    try:
        entries = store.get(Crypttab).entries
    except FactUnavailable:
        return None
    source = next((entry.device for entry in entries if entry.name.value == name), "")
    outer = blocks.resolve(source) if source and kernel_position(source) is None else None
    inner = blocks.children(outer.name) if outer else ()
    return inner[0] if len(inner) == 1 else None
