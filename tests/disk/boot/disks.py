"""Disks with real boot code, good and broken in every way that was met, and what comes of each."""

from __future__ import annotations

import functools
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

from guestbuild import grub, legacy

SECTOR, MIB = 512, 1 << 20
SYSLINUX = Path("/usr/lib/EXTLINUX")
PARTED = bytes.fromhex(
    "fab800108ed0bc00b0b800008ed88ec0fbbe007cbf0006b90002f3a4ea21060000bebe073804750b83c61081fefe0775"
    "f3eb16b402b001bb007cb2808a74018b4c02cd13ea007c0000ebfe00"
)
WINDOWS = bytes.fromhex(
    "33c08ed0bc007c8ec08ed8be007cbf0006b90002fcf3a4ea1c060000b90400bdbe07807e00007c09753183c510e2f3cd18666a0066ff76086a0068007c6a016a10b4"
    "4289e6cd13721283c410813efe7d55aa750789eeea007c0000be6e06ac84c07409b40ebb0700cd10ebf2ebfe496e76616c696420706172746974696f6e207461626c65"
)
"""Own code that begins as that of Windows 7 does, and starts the same partition: the first active one, if it has a signature."""
FIRST, SECOND = 2048, 34816


class Raw:
    """A raw image under construction, of a size for which a BIOS counts as many heads as partitioning programs."""

    def __init__(self, path: Path, *parts: str) -> None:
        self.path = path
        path.unlink(missing_ok=True)
        subprocess.run(["truncate", "-s", "9G", path], check=True)
        if parts:
            run("sfdisk", "-q", path, stdin="\n".join(parts))

    def write(self, sector: int, data: bytes, at: int = 0) -> Raw:
        """Overwrite bytes from a sector on."""
        with self.path.open("r+b") as stream:
            stream.seek(sector * SECTOR + at)
            stream.write(data)
        return self

    def read(self, sector: int, count: int = 1) -> bytes:
        """Sectors."""
        with self.path.open("rb") as stream:
            stream.seek(sector * SECTOR)
            return stream.read(count * SECTOR)


def run(*command: str | Path, stdin: str = "") -> None:
    """Run a tool that must succeed."""
    subprocess.run([str(word) for word in command], input=stdin, text=True, check=True, capture_output=True)


MBR = ("2048,32768,83,*", "34816,32768,83")
TWO = ("2048,32768,83", "34816,32768,83,*")
EXTENDED = ("2048,32768,83", "34816,65536,5,*", "36864,16384,83")
GPT = ("label: gpt", "2048,32768,L", "34816,2048,21686148-6449-6E6F-744E-656564454649")


def grub2(path: Path, core: int = 1, parts: tuple[str, ...] = MBR, prefix: str = "(hd0,msdos1)/boot/grub") -> Raw:
    """GRUB 2's boot.img and core.img."""
    raw = Raw(path, *parts)
    grub.write(path, core * SECTOR, prefix)
    return raw


def fat(path: Path, parts: tuple[str, ...] = MBR) -> Raw:
    """A FAT with SYSLINUX in its boot sector on the first partition; no MBR."""
    raw = Raw(path, *parts)
    run("mkfs.vfat", "-F", "16", "--offset", "2048", "-h", "2048", path, "16384")
    run("syslinux", "--install", "-t", str(FIRST * SECTOR), path)
    return raw


def code(name: str, number: int = 0) -> bytes:
    """One of SYSLINUX' codes for the first sector."""
    data = (SYSLINUX / name).read_bytes()[:440]
    return data[:439] + bytes([number]) if number else data


def legacy_disk(path: Path) -> Raw:
    """GRUB legacy: stage1 loads stage2 by its list of sectors."""
    raw = Raw(path, *MBR)
    first, second = bytearray(legacy.stage("stage1")[:440]), bytearray(legacy.stage("stage2"))
    struct.pack_into("<HIH", first, 0x42, 0x8000, 1, 0x800)
    struct.pack_into("<IH", second, SECTOR - 8, 2, -(-len(second) // SECTOR) - 1)
    return raw.write(0, bytes(first)).write(1, bytes(second))


def scattered(path: Path) -> Raw:
    """core.img as a file: its first sector, then its rest in two places (``grub-install --force`` without room for it)."""
    raw = grub2(path, 4096)
    whole = raw.read(4096, 400)
    raw.write(4096, bytes(400 * SECTOR))
    first = bytearray(whole[:SECTOR])
    count = struct.unpack_from("<H", first, SECTOR - 4)[0]
    half = count // 2
    struct.pack_into("<QHH", first, SECTOR - 12, 6000, half, 0x820)
    struct.pack_into("<QHH", first, SECTOR - 24, 9000, count - half, 0x820 + half * 32)
    rest = whole[SECTOR:]
    return raw.write(4096, bytes(first)).write(6000, rest[: half * SECTOR]).write(9000, rest[half * SECTOR :])


Shape = tuple[bool | None, str, str, Callable[[Path], Raw]]
SHAPES: dict[str, Shape] = {
    "GRUB 2": (True, "grub2", "", grub2),
    "GRUB 2 on GPT": (True, "grub2", "", functools.partial(grub2, core=SECOND, parts=GPT, prefix="(hd0,gpt1)/grub")),
    "GRUB 2 by a list of sectors": (True, "grub2", "", scattered),
    "no core.img": (False, "grub2", "which has nothing in it", lambda path: grub2(path).write(1, bytes(400 * SECTOR))),
    "GRUB 2 of an MBR under a GPT": (
        False, "grub2", "sector 1, which has no core.img",
        lambda path: grub2(path, 2, GPT).write(0, struct.pack("<Q", 1), 0x5C),
    ),
    "core.img beyond the disk": (False, "grub2", "beyond the end", lambda path: grub2(path).write(0, struct.pack("<Q", 1 << 33), 0x5C)),
    "half of core.img is gone": (False, "grub2", "core.img is damaged", lambda path: grub2(path).write(80, bytes(400 * SECTOR))),
    "another core.img over its end": (False, "grub2", "does not unpack", lambda path: grub2(path).write(100, b"\xa5" * 100 * SECTOR)),
    "GRUB 2 in the active partition": (True, "grub2", "", lambda path: _in_partition(grub2(path, 40), PARTED)),
    "GRUB 2 in an extended partition": (True, "grub2", "", lambda path: _in_partition(grub2(path, 40, EXTENDED), PARTED, SECOND)),
    "an active extended partition": (False, "parted", "has no boot code", lambda path: Raw(path, *EXTENDED).write(0, PARTED)),
    "GRUB 2 behind Windows' code": (True, "grub2", "", lambda path: _in_partition(grub2(path, 40), WINDOWS)),
    "GRUB 2 behind Windows' code, none active": (
        False, "windows", "none is active", lambda path: _in_partition(grub2(path, 40, ("2048,32768,83",)), WINDOWS),
    ),
    "GRUB 2 behind Windows' code, two active": (
        True, "grub2", "", lambda path: _in_partition(grub2(path, 40, ("2048,32768,83,*", "34816,32768,83,*")), WINDOWS),
    ),
    "Windows' code before an empty boot sector": (
        False, "windows", "is empty", lambda path: Raw(path, *MBR).write(0, WINDOWS),
    ),
    "SYSLINUX behind Windows' code": (True, "syslinux", "", lambda path: fat(path).write(0, WINDOWS)),
    "core.img at the beginning of a partition": (True, "grub2", "", lambda path: _in_partition(grub2(path, FIRST + 1), PARTED)),
    "parted, none active": (False, "parted", "none is active", lambda path: Raw(path, "2048,32768,83").write(0, PARTED)),
    "parted, an empty boot sector": (False, "parted", "is empty", lambda path: Raw(path, *MBR).write(0, PARTED)),
    "parted, a FAT that is not bootable": (False, "parted", "has no boot code", lambda path: _dummy(path).write(0, PARTED)),
    "parted on a GPT": (False, "parted", "none is active", lambda path: Raw(path, *GPT).write(0, PARTED)),
    "SYSLINUX": (True, "syslinux", "", lambda path: fat(path).write(0, code("mbr.bin"))),
    "SYSLINUX behind parted's code": (True, "syslinux", "", lambda path: fat(path).write(0, PARTED)),
    "SYSLINUX by number": (True, "syslinux", "", lambda path: fat(path, ("2048,32768,83",)).write(0, code("altmbr.bin", 1))),
    "SYSLINUX by a number without partition": (False, "syslinux", "none is active", lambda path: fat(path).write(0, code("altmbr.bin", 3))),
    "SYSLINUX on GPT": (True, "syslinux", "", lambda path: _legacy_boot(fat(path, GPT)).write(0, code("gptmbr.bin"))),
    "SYSLINUX on GPT, none marked": (False, "syslinux", "none is active", lambda path: fat(path, GPT).write(0, code("gptmbr.bin"))),
    "SYSLINUX on a hybrid MBR": (True, "syslinux", "", lambda path: _hybrid(fat(path, GPT), active=True).write(0, code("mbr.bin"))),
    "SYSLINUX on a hybrid MBR, none active": (
        False, "syslinux", "none is active", lambda path: _hybrid(fat(path, GPT), active=False).write(0, code("mbr.bin")),
    ),
    "GRUB 2 on a hybrid MBR": (True, "grub2", "", lambda path: _hybrid(grub2(path, SECOND, GPT, "(hd0,gpt1)/grub"), active=True)),
    "SYSLINUX, two active": (
        False, "syslinux", "several partitions are active",
        lambda path: fat(path, ("2048,32768,83,*", "34816,32768,83,*")).write(0, code("mbr.bin")),
    ),
    "SYSLINUX behind install-mbr": (True, "syslinux", "", lambda path: _mbr(fat(path))),
    "SYSLINUX by install-mbr's choice": (True, "syslinux", "", lambda path: _mbr(fat(path, TWO), "-p", "1")),
    "install-mbr's choice is empty": (False, "mbr", "is empty", lambda path: _mbr(fat(path), "-p", "2")),
    "install-mbr, none active": (False, "mbr", "none is active", lambda path: _mbr(fat(path, ("2048,32768,83",)))),
    "SYSLINUX behind install-mbr, two active": (
        True, "syslinux", "", lambda path: _mbr(fat(path, ("2048,32768,83,*", "34816,32768,83,*"))),
    ),
    "ldlinux.sys is damaged": (False, "syslinux", "checksum", lambda path: _damaged(fat(path).write(0, code("mbr.bin")), 20)),
    "ldlinux.sys is gone": (False, "syslinux", "which has no ldlinux.sys", lambda path: _damaged(fat(path).write(0, code("mbr.bin")), 0)),
    "GRUB legacy": (True, "grub-legacy", "", legacy_disk),
    "GRUB legacy without stage2": (False, "grub-legacy", "which has nothing in it", lambda path: legacy_disk(path).write(1, bytes(SECTOR))),
    "no boot code": (False, "none", "has no boot code", lambda path: Raw(path, *MBR)),
    "an empty disk": (False, "none", "empty boot sector", Raw),
}  # fmt: skip


def _in_partition(raw: Raw, mbr: bytes, at: int = FIRST) -> Raw:
    """The boot sector of the disk goes to a partition."""
    return raw.write(at, raw.read(0)[:440]).write(at, b"\x55\xaa", 510).write(0, mbr.ljust(440, b"\0"))


def _mbr(raw: Raw, *options: str) -> Raw:
    """The boot code of Debian's package mbr, usual with LILO."""
    run("install-mbr", *options, raw.path)
    return raw


def _dummy(path: Path) -> Raw:
    raw = Raw(path, *MBR)
    run("mkfs.vfat", "-F", "16", "--offset", "2048", "-h", "2048", path, "16384")
    return raw


def _hybrid(raw: Raw, *, active: bool) -> Raw:
    """The first partition of the GPT in the MBR, too, before the entry that protects the rest (``sgdisk --hybrid``)."""
    first = struct.pack("<B3sB3sII", 0x80 if active else 0, b"\xfe\xff\xff", 0x0C, b"\xfe\xff\xff", FIRST, 32768)
    rest = struct.pack("<B3sB3sII", 0, b"\xfe\xff\xff", 0xEE, b"\xfe\xff\xff", 1, FIRST - 1)
    return raw.write(0, first + rest, 446)


def _legacy_boot(raw: Raw) -> Raw:
    run("sfdisk", "-q", "--part-attrs", raw.path, "1", "LegacyBIOSBootable")
    return raw


def _damaged(raw: Raw, behind: int) -> Raw:
    """A sector of ldlinux.sys overwritten, ``behind`` sectors from its first."""
    data = raw.read(FIRST, 4096)
    first = next(at // SECTOR for at in range(SECTOR, len(data), SECTOR) if data[at : at + 10] == b"\r\nSYSLINUX")
    return raw.write(FIRST + first + behind, b"\xa5" * SECTOR)
