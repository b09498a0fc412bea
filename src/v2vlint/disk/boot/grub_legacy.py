"""GRUB legacy (0.97): stage1 loads stage1_5, which reads a filesystem, or stage2 by its list of sectors.

Layouts from its ``stage1/stage1.S``, ``stage2/start.S`` and ``stage2/asm.S``.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from v2vlint.disk.boot import blocklist
from v2vlint.disk.boot.disks import Disks
from v2vlint.disk.boot.sector import SIZE
from v2vlint.model.boot_chain import BootChain

_DRIVE, _NEXT_AT, _VERSION_AT = 0x40, 0x44, 6
_FIRST_DISK, _BOOTED_FROM = 0x80, 0xFF  # the BIOS's number of the first disk; the disk that was started
_PARTITION_AT, _KIND_AT, _NUMBER_AT, _TEXT_AT = 8, 0x10, 0x0A, 0x12
_STAGE2 = 0
_WHOLE = 0xFF

ReadFile = Callable[[str, str], bytes | None]
"""The beginning of a file on a device, as a program sees it that knows nothing of RAID: None when there is none, LookupError when that
cannot be told."""


def follow(disks: Disks, disk: int, sector: bytes, place: str, read: ReadFile) -> BootChain:
    """What the stage1 in ``sector`` of ``place`` loads."""
    start, drive = struct.unpack_from("<I", sector, _NEXT_AT)[0], sector[_DRIVE]
    home = disk if drive == _BOOTED_FROM else drive - _FIRST_DISK
    told = f"GRUB legacy on {place} goes on at sector {start}" + ("" if home == disk else f" of disk{home + 1}")
    if home not in disks.streams:
        return BootChain(disk, "grub-legacy", None, f"{told}, which is not among these disks")
    first = disks.read(home, start)
    blocks = blocklist.blocks_of(first, "<IHH") if b"Geom\0" in first else ()
    stage = blocklist.load(disks, home, blocks)
    # COMPAT_VERSION 3.2, which stage1 and stage2 share.
    if not stage or stage[_VERSION_AT : _VERSION_AT + 2] != b"\x03\x02":
        what = "is beyond the end of the disk" if len(first) < SIZE else "has nothing in it" if not any(first) else "has no stage of it"
        return BootChain(disk, "grub-legacy", False, f"{told}, which {what}")
    if stage[_KIND_AT] == _STAGE2:
        part = _partition(disks, home, stage[_NUMBER_AT])
        return BootChain(
            disk, "grub-legacy", True, f"{place} has the boot code of GRUB legacy", "grub-legacy", part, config=_configured(stage)
        )
    return _by_filesystem(disks, disk, home, stage, place, read)


def _by_filesystem(disks: Disks, disk: int, home: int, stage: bytes, place: str, read: ReadFile) -> BootChain:
    """stage1_5 contains the device and path of stage2. A configuration path may follow, but only the one in stage2 itself counts."""
    at = stage.index(b"\0", _TEXT_AT) + 1
    device, path = stage[at : at + 4], _text(stage, at + 4).partition(" ")[0]
    home = device[3] - _FIRST_DISK if device[3] != _BOOTED_FROM else home
    part = _partition(disks, home, device[2])
    told = f"GRUB legacy on {place} looks for {path} on {part or f'disk{home + 1}'}"
    try:
        found = read(part or f"disk{home + 1}", path)
    except LookupError:
        return BootChain(disk, "grub-legacy", None, f"{told}, which could not be read", "grub-legacy", part)
    if found is None:
        return BootChain(disk, "grub-legacy", False, f"{told}, where it is not")
    reason = f"{place} has the boot code of GRUB legacy"
    # The file starts with start.S, which is no part of stage2 once loaded.
    return BootChain(disk, "grub-legacy", True, reason, "grub-legacy", part, config=_configured(found[SIZE:]))


def _configured(stage2: bytes) -> str:
    """The path of the configuration file, which follows the version."""
    return _text(stage2, stage2.index(b"\0", _TEXT_AT) + 1) if stage2[_VERSION_AT : _VERSION_AT + 2] == b"\x03\x02" else ""


def _partition(disks: Disks, disk: int, number: int) -> str:
    """The device for GRUB's partition number, which counts from 0; empty for a whole disk."""
    found = (part.name for part in disks.partitions if part.disk == disk and part.number == number + 1)
    return next(found, "") if number != _WHOLE else ""


def _text(data: bytes, at: int) -> str:
    return data[at : at + SIZE].split(b"\0", 1)[0].decode("utf-8", "replace")
