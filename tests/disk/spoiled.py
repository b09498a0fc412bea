"""Filesystems that were copied in use and whose journal no kernel can replay, made of clean ones by changing some bytes."""

from __future__ import annotations

import mmap
import struct
from collections.abc import Callable
from pathlib import Path

from v2vlint.disk.checksums import crc32c
from v2vlint.disk.filesystems.ntfs import LOG_FILE, NtfsFileSystem
from v2vlint.disk.filesystems.xfs_log import XfsLog
from v2vlint.disk.stream import HostFile, Slice

_SECTOR = 512


def spoil(image: Path, kind: str, uuid: str) -> None:
    """Make the filesystem of this type and UUID, somewhere in a raw image, one whose journal cannot be replayed."""
    with image.open("r+b") as file, mmap.mmap(file.fileno(), 0) as data:
        start = _start(data, kind, uuid)
        _WAYS[kind](data, start, image)


def _start(data: mmap.mmap, kind: str, uuid: str) -> int:
    """Where the filesystem begins."""
    if kind == "ntfs":
        wanted, inside = bytes.fromhex(uuid)[::-1], 72
    else:
        wanted, inside = bytes.fromhex(uuid.replace("-", "")), {"ext4": 1128, "ext3": 1128, "xfs": 32, "btrfs": 0x10020}[kind]
    at = data.find(wanted)
    while at >= 0 and ((at - inside) % _SECTOR or not _begins(data, kind, at - inside)):
        at = data.find(wanted, at + 1)
    assert at >= 0, f"no {kind} with the UUID {uuid}"
    return at - inside


def _begins(data: mmap.mmap, kind: str, start: int) -> bool:
    magic, at = {
        "ext4": (b"\x53\xef", 1080),
        "ext3": (b"\x53\xef", 1080),
        "xfs": (b"XFSB", 0),
        "btrfs": (b"_BHRfS_M", 0x10040),
        "ntfs": (b"NTFS", 3),
    }[kind]
    return start >= 0 and data[start + at : start + at + len(magic)] == magic


def _ext(data: mmap.mmap, start: int, _image: Path) -> None:
    """It needs recovery, and its journal lies on a device that is not there."""
    features = struct.unpack_from("<I", data, start + 1024 + 96)[0]
    struct.pack_into("<I", data, start + 1024 + 96, features | 4)
    struct.pack_into("<I", data, start + 1024 + 224, 0)


def _xfs(data: mmap.mmap, start: int, image: Path) -> None:
    """The last record is none of an unmount, and a big-endian machine wrote it."""
    base = HostFile(str(image))
    log = XfsLog.of(Slice(base, start, base.size - start), data[start : start + _SECTOR])
    assert log is not None
    last = log.last_record(log.head())
    assert last is not None
    at = start + log.offset + last * _SECTOR
    struct.pack_into(">I", data, at + 300, 2)
    data[at + _SECTOR + 9] &= ~0x20 & 0xFF


def _btrfs(data: mmap.mmap, start: int, _image: Path) -> None:
    """It has a log tree where none is."""
    at = start + 0x10000
    struct.pack_into("<Q", data, at + 0x60, 1 << 20)
    struct.pack_into("<I", data, at, crc32c(0xFFFFFFFF, data[at + 32 : at + 4096]) ^ 0xFFFFFFFF)


def _ntfs(data: mmap.mmap, start: int, image: Path) -> None:
    """Slices uses its log, and has not closed it."""
    base = HostFile(str(image))
    system = NtfsFileSystem(Slice(base, start, base.size - start))
    place = start + system.record(LOG_FILE).open().runlist[0][0] * system._cluster
    for page in (place, place + 4096):
        data[page : page + 4096] = struct.pack(
            "<4sHHQIIHHHQHHHHIHHQI", b"RSTR", 30, 9, 0, 4096, 4096, 48, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
        ).ljust(4096, b"\0")
        struct.pack_into("<QHHHH", data, page + 48, 1 << 20, 1, 0xFFFF, 0, 0)


_WAYS: dict[str, Callable[[mmap.mmap, int, Path], None]] = {"ext3": _ext, "ext4": _ext, "xfs": _xfs, "btrfs": _btrfs, "ntfs": _ntfs}
