"""SYSLINUX and EXTLINUX: a partition's boot sector loads the first sector of ldlinux.sys, which loads the rest.

Layouts from ``core/diskstart.inc`` and ``libinstaller/syslxint.h`` of SYSLINUX.
"""

from __future__ import annotations

import re
import struct

from v2vlint.disk.boot.disks import Disks
from v2vlint.disk.boot.sector import SIZE
from v2vlint.disk.fields import Fields
from v2vlint.model.boot_chain import BootChain

# mov eax, …; mov edx, …; mov bx, 8000h: the installer writes the sector's number into the code.
_LOADS = re.compile(rb"\x66\xb8(.{4})\x66\xba(.{4})\xbb\x00\x80", re.DOTALL)
_MAGIC = 0x3EB202FE
# lea esi, […]: where the loaded code finds the table of extents.
_EXTENTS = re.compile(rb"\x66\x8d\x36(.{2})", re.DOTALL)
_LOADED_AT = 0x8000
_MAX_EXTENTS = 256
# struct syslinux_extent, struct ext_patch_area, and struct patch_area from its dwords on (syslxint.h).
_EXTENT = Fields("<", lba=(0, "Q"), len=(8, "H"))
_EXT_PATCH_AREA = Fields("<", diroffset=(2, "H"), dirlen=(4, "H"))
_DWORDS_AT = 12
_PATCH_AREA = Fields("<", dwords=(12 - _DWORDS_AT, "I"), epaoffset=(22 - _DWORDS_AT, "H"))
_MAX_SECTORS = 1024


def follow(disks: Disks, disk: int, base: int, sector: bytes, place: str) -> BootChain:
    """What the boot sector of the partition at sector ``base`` loads."""
    match = _LOADS.search(sector)
    if match is None:
        return BootChain(disk, "syslinux", None, f"{place} has a boot sector of SYSLINUX of a make that is not known here", "syslinux")
    start = base + (struct.unpack("<I", match[1])[0] | struct.unpack("<I", match[2])[0] << 32)
    told = f"the boot sector of {place} is SYSLINUX's, and goes on at sector {start}"
    first = disks.read(disk, start)
    if b"SYSLINUX" not in first or struct.pack("<I", _MAGIC) not in first:
        return BootChain(disk, "syslinux", False, f"{told}, which has no ldlinux.sys")
    return _checked(disks, disk, base, start, told, place)


def _checked(disks: Disks, disk: int, base: int, start: int, told: str, place: str) -> BootChain:
    first = disks.read(disk, start)
    at, table = first.find(struct.pack("<I", _MAGIC)), _EXTENTS.search(first)
    if table is None or at + 24 > SIZE:
        return BootChain(disk, "syslinux", None, f"{told}, where ldlinux.sys is of a make that is not known here", "syslinux")
    area = _PATCH_AREA.read(first, at + _DWORDS_AT)
    dwords, more = area["dwords"], area["epaoffset"]
    body = _body(disks, disk, base, first, struct.unpack("<H", table[1])[0] - _LOADED_AT)
    total = sum(struct.unpack_from(f"<{dwords}I", body)) & 0xFFFFFFFF if len(body) >= dwords * 4 else 0
    # The installer sets a dword so that all of them add up to LDLINUX_MAGIC.
    if total != _MAGIC:
        return BootChain(disk, "syslinux", False, f"{told}, where ldlinux.sys is damaged: its checksum is wrong")
    reason = f"{place} has the boot code of SYSLINUX"
    return BootChain(disk, "syslinux", True, reason, "syslinux", place, config=_folder(body, more))


def _body(disks: Disks, disk: int, base: int, first: bytes, table: int) -> bytes:
    """ldlinux.sys, whose sectors are given by a list of extents. The list may continue in the sectors that it names."""
    body = first
    for index in range(_MAX_EXTENTS):
        at = table + 10 * index
        if at < 0 or at + 10 > len(body):
            break
        extent = _EXTENT.read(body, at)
        sector, count = extent["lba"], extent["len"]
        if not count or len(body) + count * SIZE > _MAX_SECTORS * SIZE:
            break
        body += disks.read(disk, base + sector, count)
    return body


def _folder(body: bytes, more: int) -> str:
    """The folder that SYSLINUX is installed in, as recorded by its installer."""
    if more + 6 > len(body):
        return ""
    area = _EXT_PATCH_AREA.read(body, more)
    at, room = area["diroffset"], area["dirlen"]
    return body[at : at + room].split(b"\0", 1)[0].decode("utf-8", "replace")
