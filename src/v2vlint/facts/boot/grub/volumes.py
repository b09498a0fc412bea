"""GRUB's devices: whole filesystems, looked up by GRUB's names, and where the guest mounts them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from v2vlint.disk.filesystems.node import FileSystem
from v2vlint.guest.fs import GuestFS
from v2vlint.guest.whole import default_subvolume, whole
from v2vlint.model.blocks import BlockDevice, BlockTable
from v2vlint.model.dataclass import dataclass
from v2vlint.model.digits import decimal

_BIOS_DISK = re.compile(r"hd(\d+)(?:,([a-z]*)(\d+))?")
_TABLES = {"msdos": "dos", "gpt": "gpt"}


@dataclass(frozen=True, slots=True)
class GrubVolume:
    """A filesystem as GRUB opens it. ``parts`` maps paths on it to the guest's mount points; ``default`` is the default subvolume of a
    btrfs.
    """

    device: str
    system: FileSystem
    tree: GuestFS
    parts: tuple[tuple[str, str], ...] = ()
    default: str = ""

    def shown_at(self, path: str, fs: GuestFS) -> str | None:
        """The path in the guest ``fs`` of ``path`` on this filesystem; None when the guest does not mount that part."""
        # The longest first: a subvolume may lie inside another one that is mounted as well.
        for inner, point in sorted(self.parts, key=lambda part: -len(part[0])):
            if path == inner or path.startswith(f"{inner}/"):
                shown = f"{point.rstrip('/')}{path[len(inner) :]}" or "/"
                # Something else mounted over that folder hides the file from the guest.
                return shown if fs.mount_of(shown) == point else None
        return None


def volumes_of(fs: GuestFS, blocks: BlockTable) -> tuple[GrubVolume, ...]:
    """The filesystems that the guest mounts, then the others that could be opened. Those without a UUID cannot be told apart."""
    found: dict[str, tuple[FileSystem, list[tuple[str, str]]]] = {}
    for point, system in fs.mounts.items():
        top, inner = whole(system)
        if top.uuid:
            found.setdefault(top.uuid.lower(), (top, []))[1].append((inner, point))
    for system in fs.by_device.values():
        if system.uuid:
            found.setdefault(system.uuid.lower(), (whole(system)[0], []))
    names = _devices(blocks, fs.by_device)
    return tuple(_volume(names.get(uuid, uuid), system, parts) for uuid, (system, parts) in found.items())


def _volume(device: str, system: FileSystem, parts: list[tuple[str, str]]) -> GrubVolume:
    return GrubVolume(device, system, GuestFS({"/": system}), tuple(parts), default_subvolume(system))


def _devices(blocks: BlockTable, opened: Mapping[str, FileSystem]) -> dict[str, str]:
    # Reversed, so that the first of several devices with one UUID wins.
    named = {device.uuid.lower(): device.name for device in reversed(blocks.devices) if device.uuid}
    return named | {system.uuid.lower(): name for name, system in reversed(tuple(opened.items())) if system.uuid}


def block_of(device: str, blocks: BlockTable) -> BlockDevice | None:
    """The block device for ``hd0,gpt2``, ``lvm/vg-lv``, ``lvmid/…/…``, ``md/NAME`` or ``mduuid/…``; None when it is unclear."""
    if match := _BIOS_DISK.fullmatch(device):
        disk = decimal(match[1])
        found = _only(one for one in _numbered(match, blocks) if one.disk == disk)
        return blocks.raw(found) if found else None
    kind, _, name = device.partition("/")
    if kind == "lvm":  # written as device mapper escapes it: vg--a-lv
        return _only(one for one in blocks if one.kind == "lv" and "-".join(p.replace("-", "--") for p in one.name.split("/")) == name)
    if kind == "lvmid":
        return _only(one for one in blocks if one.kind == "lv" and f"{one.detail('vg_uuid')}/{one.detail('lv_uuid')}" == name)
    if kind == "mduuid":
        return _only(one for one in blocks if one.kind == "md" and re.sub("[-:]", "", one.detail("array_uuid")).lower() == name.lower())
    if kind == "md":
        return _only(one for one in blocks if one.kind == "md" and one.name == device)
    return None


def is_opaque(device: str, blocks: BlockTable) -> bool:
    """Whether ``hd0,msdos1`` is a part of an array that does not begin with the array's content, or is on none of the disks, whichever
    the firmware calls hd0; or there are fewer disks.

    GRUB legacy stops there with "Error 17: Cannot mount selected partition".
    """
    match = _BIOS_DISK.fullmatch(device)
    found = _numbered(match, blocks) if match else []
    if match and blocks.complete and blocks.disks:
        if decimal(match[1]) >= len(blocks.disks):
            return True  # "no such disk"
        if match[3] and not found and match[2] in ("", *_TABLES):
            return True  # "no such partition", on no disk
        if not match[3] and all(one.detail("pt") for one in blocks.disks):
            return True  # "unknown filesystem": there are partitions
    return bool(found) and all(blocks.raw(one) is None for one in found)


def _numbered(match: re.Match[str], blocks: BlockTable) -> list[BlockDevice]:
    """The disks or partitions with the number of a name. ``gpt2`` is in a GPT only, ``msdos2`` never in one with a protective MBR."""
    number, table = decimal(match[3] or ""), _TABLES.get(match[2] or "", "")
    tables = {one.disk: one.detail("pt") for one in blocks.disks}
    found = (one for one in blocks if one.number == number and one.kind in ("disk", "partition"))
    return [one for one in found if not table or tables.get(one.disk, table) in ("", table)]


def _only(found: Iterable[BlockDevice]) -> BlockDevice | None:
    devices = tuple(found)
    return devices[0] if len(devices) == 1 else None
