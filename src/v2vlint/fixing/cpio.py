"""Writes cpio archives in the ``newc`` format that the kernel unpacks (Documentation/driver-api/early-userspace/buffer-format.rst)."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping

_DIR, _FILE = 0o040755, 0o100644
FIRST_INODE = 0x7000_0000
"""Above what generators use, so that no hard link to an earlier member can be meant."""


def archive(files: Mapping[str, bytes]) -> bytes:
    """A complete archive with ``files`` (paths without a leading slash) and their parent directories, padded to 512 bytes."""
    folders = sorted({folder for path in files for folder in _above(path)})
    members = [(folder, _DIR, b"") for folder in folders] + [(path, _FILE, files[path]) for path in sorted(files)]
    parts = [_member(FIRST_INODE + number, path, mode, data) for number, (path, mode, data) in enumerate(members)]
    parts.append(_member(0, "TRAILER!!!", 0, b""))
    return _pad(b"".join(parts), 512)


def _above(path: str) -> list[str]:
    found: list[str] = []
    while path := posixpath.dirname(path):
        found.append(path)
    return found


def _member(inode: int, path: str, mode: int, data: bytes) -> bytes:
    name = path.encode("utf-8", "surrogateescape") + b"\0"
    links = 2 if mode == _DIR else 1
    fields = (inode, mode, 0, 0, links, 0, len(data), 0, 0, 0, 0, len(name), 0)
    header = b"070701" + b"".join(b"%08X" % field for field in fields)
    return _pad(header + name, 4) + _pad(data, 4)


def _pad(data: bytes, size: int) -> bytes:
    return data + bytes(-len(data) % size)
