"""GRUB legacy put into an image by hand, as its ``setup`` does: stage1 in the MBR, stage1_5 behind it, which reads stage2 from a file."""

from __future__ import annotations

import struct
from pathlib import Path

from guestbuild.debs import unpacked
from guestbuild.partition import SECTOR
from guestbuild.tools import write_at

FOLDER = "/boot/grub"
_FILESYSTEMS = {"ext2": "e2fs", "ext3": "e2fs", "ext4": "e2fs", "vfat": "fat", "xfs": "xfs"}
_CODE = 440
_NEXT_AT, _TEXT_AT = 0x42, SECTOR + 0x12


def stage(name: str) -> bytes:
    """``stage1``, ``stage2``, ``e2fs_stage1_5``… of Debian's grub-legacy."""
    return (unpacked("grub-legacy") / "usr/lib/grub/x86_64-pc" / name).read_bytes()


def add_files(tree: Path, mount: str) -> None:
    """Put stage2 where stage1_5 looks for it; in it is the path of its configuration on the partition that is mounted at ``mount``."""
    folder = tree / FOLDER.lstrip("/")
    folder.mkdir(parents=True, exist_ok=True)
    name = "grub.conf" if (folder / "grub.conf").exists() else "menu.lst"
    body, told = bytearray(stage("stage2")), f"{folder_on(mount)}/{name}\0".encode()
    text = body.index(b"\0", _TEXT_AT) + 1
    body[text : text + len(told)] = told
    (folder / "stage2").write_bytes(body)


def folder_on(mount: str) -> str:
    """GRUB's folder from the top of the filesystem that is mounted at ``mount``."""
    return FOLDER.removeprefix(mount.rstrip("/"))


def write(image: Path, number: int, fs_type: str, mount: str) -> None:
    """The boot code; stage2 is on the partition ``number``, counted from 1."""
    first, second = bytearray(stage("stage1")[:_CODE]), bytearray(stage(f"{_FILESYSTEMS[fs_type]}_stage1_5"))
    struct.pack_into("<HIH", first, _NEXT_AT, 0x2000, 1, 0x200)
    text = second.index(b"\0", _TEXT_AT) + 1
    struct.pack_into("<I", second, text, 0xFF00FFFF | (number - 1) << 16)
    told = f"{folder_on(mount)}/stage2\0".encode()
    second[text + 4 : text + 4 + len(told)] = told
    struct.pack_into("<IH", second, SECTOR - 8, 2, -(-len(second) // SECTOR) - 1)
    write_at(image, 0, bytes(first))
    write_at(image, SECTOR, bytes(second))
