"""EXTLINUX put into an image by hand, as its installer does on a mounted filesystem: ldlinux.sys is a file, and knows where it lies.

Offsets from SYSLINUX' ``libinstaller/syslxint.h``. Both files come out of the program ``syslinux``, which has them inside.
"""

from __future__ import annotations

import functools
import re
import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path

from guestbuild.partition import MIB, SECTOR
from guestbuild.tools import BuildError, blank, run, write_at

MBR = Path("/usr/lib/EXTLINUX/mbr.bin")
_MAGIC = 0x3EB202FE
_CODE_AT = 0x5A
_CONFIGS = ("extlinux.conf", "syslinux.cfg")


@functools.cache
def _stock() -> tuple[bytes, bytes, bytes]:
    """A boot sector, ldlinux.sys and ldlinux.c32, as they are installed on a FAT."""
    with tempfile.TemporaryDirectory(prefix="extlinux-") as folder:
        image = blank(Path(folder) / "fat", 4 * MIB)
        run("mkfs.fat", image)
        run("syslinux", "--install", image)
        for name in ("ldlinux.sys", "ldlinux.c32"):
            run("mcopy", "-n", "-i", image, f"::{name}", Path(folder) / name)
        system, library = ((Path(folder) / name).read_bytes() for name in ("ldlinux.sys", "ldlinux.c32"))
        return image.read_bytes()[:SECTOR], system, library


def add_files(tree: Path) -> None:
    """Put ldlinux.sys and ldlinux.c32 where the configuration is, before the filesystem is made."""
    _sector, system, library = _stock()
    folder = tree / folder_of(tree).lstrip("/")
    # Filled, so that no block of it becomes a hole: its content is written when it is known where the blocks are.
    (folder / "ldlinux.sys").write_bytes(b"\xff" * len(system))
    (folder / "ldlinux.c32").write_bytes(library)


def folder_of(tree: Path) -> str:
    """The folder with the configuration, from the top of ``tree``."""
    found = sorted(path for name in _CONFIGS for path in tree.rglob(name) if path.parent.name != "etc")
    if not found:
        raise BuildError(f"{tree} has no configuration for EXTLINUX")
    return f"/{found[0].parent.relative_to(tree)}"


def write(image: Path, start: int, content: Path, folder: str) -> None:
    """The MBR, and the boot sector of the partition at the byte ``start`` with the ext4 of the file ``content``; ``folder`` is on that."""
    sectors = list(_sectors(content, f"{folder}/ldlinux.sys"))
    sector, system, _library = _stock()
    body, first = bytearray(system), bytearray(sector)
    at = body.index(struct.pack("<I", _MAGIC))
    # The boot sector loads the sectors with data; the two after them, which the program reads itself, would land in its variables.
    loaded, dwords, more = struct.unpack_from("<H2xI4xxxH", body, at + 8)
    advance, place, room, _sub, _subroom, table, count, low, high = struct.unpack_from("<9H", body, more)
    whole = len(body) // SECTOR
    body[place : place + room] = folder.encode().ljust(room, b"\0")
    body[table : table + 10 * count] = b"".join(struct.pack("<QH", *run) for run in _runs(sectors[1:loaded])).ljust(10 * count, b"\0")
    struct.pack_into("<QQ", body, advance, *sectors[whole - 2 : whole])
    struct.pack_into("<I", body, at + 16, 0)
    struct.pack_into("<I", body, at + 16, (_MAGIC - sum(struct.unpack_from(f"<{dwords}I", body))) & 0xFFFFFFFF)
    struct.pack_into("<I", first, low, sectors[0])
    struct.pack_into("<I", first, high, 0)
    for number, where in enumerate(sectors[:whole]):
        write_at(image, start + where * SECTOR, bytes(body[number * SECTOR : (number + 1) * SECTOR]))
    head = b"\xeb\x58\x90EXTLINUX" + struct.pack("<HBHBHHBHHHII", SECTOR, 0, 0, 0, 0, 0, 0, 0, 63, 255, start // SECTOR, 0)
    write_at(image, start, head.ljust(_CODE_AT, b"\0") + bytes(first[_CODE_AT:]))
    write_at(image, 0, MBR.read_bytes()[:440])


def _sectors(content: Path, path: str) -> Iterator[int]:
    """The sectors of a file, from the beginning of its filesystem."""
    found = re.search(r"^Block size:\s*(\d+)", run("dumpe2fs", "-h", content), re.MULTILINE)
    blocks = run("debugfs", "-R", f"blocks {path}", content).split()
    if not found or not blocks:
        raise BuildError(f"{path} is not in the filesystem")
    per_block = int(found[1]) // SECTOR
    for block in map(int, blocks):
        yield from range(block * per_block, (block + 1) * per_block)


def _runs(sectors: list[int]) -> Iterator[tuple[int, int]]:
    """Runs of neighbouring sectors, none across 64 KiB of memory, where a BIOS cannot read."""
    start, count, loaded = sectors[0], 0, 0x8000 + SECTOR
    for sector in sectors:
        if count and (sector != start + count or loaded % 0x10000 == 0):
            yield start, count
            start, count = sector, 0
        count, loaded = count + 1, loaded + SECTOR
    yield start, count
