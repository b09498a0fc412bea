"""NTFS from a directory tree, in user space through the library of ntfs-3g: nothing is mounted."""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from guestbuild.tools import BuildError, run, write_at

_DIR, _FILE = 0o040000, 0o100000
_DATA = 0x80
_DIRTY = 1
_SERIAL_AT = 72
_CODE_AT = 0x160
_POINTER, _TEXT, _INT = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
_FUNCTIONS = {
    "ntfs_mount": (_POINTER, (_TEXT, ctypes.c_ulong)),
    "ntfs_umount": (_INT, (_POINTER, _INT)),
    "ntfs_pathname_to_inode": (_POINTER, (_POINTER, _POINTER, _TEXT)),
    "ntfs_create": (_POINTER, (_POINTER, ctypes.c_uint32, _TEXT, ctypes.c_uint8, ctypes.c_uint32)),
    "ntfs_inode_close": (_INT, (_POINTER,)),
    "ntfs_inode_close_in_dir": (_INT, (_POINTER, _POINTER)),
    "ntfs_attr_open": (_POINTER, (_POINTER, ctypes.c_uint32, _POINTER, ctypes.c_uint32)),
    "ntfs_attr_pwrite": (ctypes.c_int64, (_POINTER, ctypes.c_int64, ctypes.c_int64, _TEXT)),
    "ntfs_attr_close": (None, (_POINTER,)),
    "ntfs_volume_write_flags": (_INT, (_POINTER, ctypes.c_uint16)),
}


@dataclass(frozen=True, slots=True)
class Geometry:
    """What the boot sector says: ``heads``, the boot code's message (``BOOTMGR``, ``NTLDR`` or nothing), and the volume's dirty flag."""

    heads: int = 255
    code: str = ""
    dirty: bool = False


def make(path: Path, tree: Path | None, serial: str, label: str, geometry: Geometry) -> None:
    """Make an NTFS in the file ``path``, which has its size, with the files and folders of ``tree``."""
    run("mkntfs", "-Q", "-F", "-q", "-p", "2048", "-H", str(geometry.heads), "-S", "63", "-L", label, path)
    if tree is not None or geometry.dirty:
        with _volume(path) as volume:
            for relative, content in _entries(tree) if tree else ():
                volume.add(relative, content)
            if geometry.dirty:
                volume.set_flags(_DIRTY)
    _write_boot_sector(path, serial, geometry.code)


def _entries(tree: Path) -> Iterator[tuple[str, bytes | None]]:
    """Folders (None) before their files, as paths from the top."""
    for folder, folders, files in os.walk(tree):
        folders.sort()
        base = "/" + os.path.relpath(folder, tree).removeprefix(".")
        for name in sorted(folders):
            yield f"{base.rstrip('/')}/{name}", None
        for name in sorted(files):
            yield f"{base.rstrip('/')}/{name}", (Path(folder) / name).read_bytes()


class _Volume:
    def __init__(self, library: ctypes.CDLL, handle: int) -> None:
        self._lib, self._handle = library, handle

    def add(self, path: str, content: bytes | None) -> None:
        """Make a folder (without content) or a file in a folder that exists."""
        parent, _, name = path.rpartition("/")
        folder = self._lib.ntfs_pathname_to_inode(self._handle, None, (parent or "/").encode())
        wide = name.encode("utf-16-le")
        inode = folder and self._lib.ntfs_create(folder, 0, wide, len(wide) // 2, _DIR if content is None else _FILE)
        if not inode:
            raise BuildError(f"ntfs-3g cannot make {path}: {os.strerror(ctypes.get_errno())}")
        written = self._write(inode, content) if content else 0
        self._lib.ntfs_inode_close_in_dir(inode, folder)
        self._lib.ntfs_inode_close(folder)
        if written != len(content or b""):
            raise BuildError(f"ntfs-3g cannot write {path}: {os.strerror(ctypes.get_errno())}")

    def _write(self, inode: int, content: bytes) -> int:
        data = self._lib.ntfs_attr_open(inode, _DATA, None, 0)
        written = int(self._lib.ntfs_attr_pwrite(data, 0, len(content), content)) if data else 0
        if data:
            self._lib.ntfs_attr_close(data)
        return written

    def set_flags(self, flags: int) -> None:
        """Set the flags of $Volume."""
        self._lib.ntfs_volume_write_flags(self._handle, flags)


@contextmanager
def _volume(path: Path) -> Iterator[_Volume]:
    library = _library()
    handle = library.ntfs_mount(str(path).encode(), 0)
    if not handle:
        raise BuildError(f"ntfs-3g cannot open {path}: {os.strerror(ctypes.get_errno())}")
    try:
        yield _Volume(library, handle)
    finally:
        library.ntfs_umount(handle, 0)


def _library() -> ctypes.CDLL:
    name = ctypes.util.find_library("ntfs-3g")
    if name is None:
        raise BuildError("libntfs-3g is not installed (see packages.apt)")
    library = ctypes.CDLL(name, use_errno=True)
    for function, (result, arguments) in _FUNCTIONS.items():
        found = getattr(library, function)
        found.restype, found.argtypes = result, arguments
    return library


def _write_boot_sector(path: Path, serial: str, code: str) -> None:
    number = int(serial.replace("-", "")[:16] or "1", 16)
    size = path.stat().st_size
    for place in (0, size - 512):
        write_at(path, place + _SERIAL_AT, struct.pack("<Q", number))
        if code:
            write_at(path, place + _CODE_AT, f"\r\n{code} is missing\0".encode())
