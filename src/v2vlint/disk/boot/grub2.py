"""GRUB 2 started by a BIOS: boot.img, then the first sector of core.img (diskboot.img), then core.img."""

from __future__ import annotations

import struct

from v2vlint.disk.boot import blocklist
from v2vlint.disk.boot.disks import Disks
from v2vlint.disk.boot.grub_image import CORE, read_core, redundancy
from v2vlint.disk.boot.sector import SIZE
from v2vlint.model.boot_chain import BootChain, GrubImage
from v2vlint.model.errors import ImageError

# GRUB_BOOT_MACHINE_KERNEL_SECTOR and GRUB_BOOT_MACHINE_BOOT_DRIVE (include/grub/i386/pc/boot.h).
_CORE_AT, _DRIVE = 0x5C, 0x64
_FIRST_DISK, _BOOTED_FROM = 0x80, 0xFF  # the BIOS's number of the first disk; the disk that was started


def follow(disks: Disks, disk: int, sector: bytes, place: str) -> BootChain:
    """What the boot.img in ``sector`` of ``place`` loads."""
    start, drive = struct.unpack_from("<Q", sector, _CORE_AT)[0], sector[_DRIVE]
    home = disk if drive == _BOOTED_FROM else drive - _FIRST_DISK
    told = f"GRUB 2 on {place} goes on at sector {start}" + ("" if home == disk else f" of disk{home + 1}")
    if home not in disks.streams:
        return BootChain(disk, "grub2", None, f"{told}, which is not among these disks")
    first = disks.read(home, start)
    if not _is_core(first):
        what = "is beyond the end of the disk" if len(first) < SIZE else "has nothing in it" if not any(first) else "has no core.img"
        return BootChain(disk, "grub2", False, f"{told}, which {what}")
    core = blocklist.load(disks, home, blocklist.blocks_of(first, "<QHH"))
    if not core:
        return BootChain(disk, "grub2", False, f"{told}, and the list of sectors there names none that exist")
    return _judged(disk, place, told, core)


def _is_core(sector: bytes) -> bool:
    """Whether ``sector`` is diskboot.img: it has GRUB's messages and a block list."""
    return len(sector) == SIZE and b"loading\0" in sector and b"Geom\0" in sector


def _judged(disk: int, place: str, told: str, core: bytes) -> BootChain:
    damage, image = "", None
    try:
        image = read_core(core)
    except ImageError as error:
        damage = str(error)
    empty = sum(SIZE for at in range(0, _packed_end(core), SIZE) if not any(core[at : at + SIZE]))
    if empty:
        damage = f"{empty} bytes of it are empty"
    if not damage:
        return BootChain(disk, "grub2", True, _good(place, image), "grub2", image=image)
    spare = redundancy(core)
    # Repair needs twice as many bytes of code as are damaged, and whether it succeeds is not known without doing it.
    if spare and empty * 2 <= spare:
        return BootChain(disk, "grub2", None, f"{told}, where core.img is damaged ({damage}): GRUB may be able to repair it", "grub2")
    return BootChain(disk, "grub2", False, f"{told}, where core.img is damaged: {damage}")


def _packed_end(core: bytes) -> int:
    """Where the packed part surely has not ended yet: behind it there may be anything."""
    packed = CORE.read(core)["compressed_size"] if len(core) >= SIZE else 0
    return min(packed, len(core)) // SIZE * SIZE


def _good(place: str, image: GrubImage | None) -> str:
    looks = f", which looks for {image.prefix}" if image and image.prefix else ""
    return f"{place} has the boot code of GRUB 2{looks}"
