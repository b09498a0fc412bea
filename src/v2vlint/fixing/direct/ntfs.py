"""Changes files of NTFS through libntfs-3g, preserving names, links and security descriptors. Names are matched case-insensitively."""

from __future__ import annotations

import ctypes
import os
import posixpath
import stat
from collections.abc import Iterator
from contextlib import contextmanager

from v2vlint.fixing.direct.libntfs import Mounted, library
from v2vlint.fixing.direct.terms import Declined
from v2vlint.fixing.direct.volume import WritableVolume

_DATA, _REPARSE_POINT = 0x80, 0xC0
_ARCHIVE, _SPECIAL = 0x20, 0x200 | 0x400 | 0x800 | 0x4000
"""FILE_ATTRIBUTE_ARCHIVE; files that are sparse, reparse points, compressed or encrypted."""
# NTFS_UPDATE_MTIME | NTFS_UPDATE_CTIME (ntfs-3g/inode.h).
_CHANGED = 0x6
_CHUNK = 1 << 20
_PAGE = 4096


class NtfsFiles:
    """See :class:`~v2vlint.fixing.direct.terms.Files`."""

    def __init__(self, volume: WritableVolume) -> None:
        self._mounted = Mounted(volume)
        self.folders: list[str] = []
        self._unnamed = ctypes.addressof(ctypes.c_uint16.in_dll(library(), "AT_UNNAMED"))

    def size(self, path: str) -> int | None:
        """See :class:`Files`."""
        with self._inode(path) as inode:
            return None if not inode else len(self._content(path, inode))

    def read(self, path: str) -> bytes:
        """See :class:`Files`."""
        with self._inode(path) as inode:
            return self._content(path, inode)

    def mode(self, path: str) -> int:
        """See :class:`Files`."""
        raise Declined(f"{path} lies on NTFS, which has no labels")

    def label(self, path: str, context: str) -> None:
        """See :class:`Files`."""
        raise Declined(f"{path} lies on NTFS, which has no labels")

    def overwrite(self, path: str, data: bytes) -> None:
        """See :class:`Files`."""
        with self._inode(path) as inode:
            self._store(path, inode, data, self._content(path, inode))

    def append(self, path: str, size: int, data: bytes) -> None:
        """See :class:`Files`."""
        self.overwrite(path, self.read(path)[:size] + data)

    def create(self, path: str, data: bytes, mode: int) -> None:
        """See :class:`Files`."""
        self._need_folder(posixpath.dirname(path))
        self._made(path, stat.S_IFREG)
        with self._inode(path) as inode:
            self._store(path, inode, data, b"")

    def copy(self, source: str, path: str) -> None:
        """See :class:`Files`."""
        raise Declined(f"{source} is to be copied with its attributes")

    def delete(self, path: str) -> None:
        """See :class:`Files`."""
        raise Declined(f"{path} is to be removed from NTFS")

    def close(self) -> None:
        """Write out buffered changes."""
        self._mounted.close()

    @contextmanager
    def _inode(self, path: str) -> Iterator[int]:
        """The open inode at a path; 0 when there is none."""
        inode = library().ntfs_pathname_to_inode(self._mounted.volume, None, os.fsencode(path)) or 0
        self._mounted.check()
        try:
            yield inode
        finally:
            if inode and library().ntfs_inode_close(inode):
                raise Declined(f"libntfs-3g cannot write {path}")
            self._mounted.check()

    @contextmanager
    def _attribute(self, path: str, inode: int) -> Iterator[int]:
        """The open content of a regular file."""
        flags = ctypes.c_uint32()
        if not inode or library().ntfs_get_ntfs_attrib(inode, ctypes.byref(flags), 4) < 0 or flags.value & _SPECIAL:
            raise Declined(f"{path} is no plain file")
        if library().ntfs_attr_exist(inode, _REPARSE_POINT, self._unnamed, 0):
            raise Declined(f"{path} is a reparse point")
        attribute = library().ntfs_attr_open(inode, _DATA, self._unnamed, 0)
        if not attribute:
            raise Declined(f"{path} is no plain file")
        try:
            yield attribute
        finally:
            library().ntfs_attr_close(attribute)
            self._mounted.check()

    def _content(self, path: str, inode: int) -> bytes:
        parts, buffer = bytearray(), ctypes.create_string_buffer(_CHUNK)
        with self._attribute(path, inode) as attribute:
            while (count := library().ntfs_attr_pread(attribute, len(parts), _CHUNK, buffer)) > 0:
                parts += buffer.raw[:count]
        if count < 0:
            raise Declined(f"libntfs-3g cannot read {path}")
        return bytes(parts)

    def _store(self, path: str, inode: int, data: bytes, old: bytes) -> None:
        """Write the pages of ``data`` that differ from ``old``, and set the length."""
        with self._attribute(path, inode) as attribute:
            if len(data) != len(old) and library().ntfs_attr_truncate(attribute, len(data)):
                raise Declined(f"libntfs-3g cannot give {path} a length of {len(data)}")
            for start, part in _changed(data, old):
                if library().ntfs_attr_pwrite(attribute, start, len(part), part) != len(part):
                    raise Declined(f"libntfs-3g cannot write {path}")
        library().ntfs_inode_update_times(inode, _CHANGED)
        flags = ctypes.c_uint32()
        if library().ntfs_get_ntfs_attrib(inode, ctypes.byref(flags), 4) >= 0:
            # Windows sets it at every change, for backup programs.
            flags.value |= _ARCHIVE
            library().ntfs_set_ntfs_attrib(inode, ctypes.byref(flags), 4, 0)

    def _made(self, path: str, kind: int) -> None:
        """Create an empty file or folder in an existing folder."""
        name = ctypes.POINTER(ctypes.c_uint16)()
        length = library().ntfs_mbstoucs(os.fsencode(posixpath.basename(path)), ctypes.byref(name))
        if not 0 < length < 256:
            raise Declined(f"{path} has a name that NTFS does not take")
        with self._inode(posixpath.dirname(path) or "/") as folder:
            inode = folder and library().ntfs_create(folder, 0, ctypes.cast(name, ctypes.c_void_p), length, kind)
            if not inode:
                raise Declined(f"libntfs-3g cannot make {path}")
            if library().ntfs_inode_close(inode):
                raise Declined(f"libntfs-3g cannot write {path}")
            library().ntfs_inode_update_times(folder, _CHANGED)

    def _need_folder(self, path: str) -> None:
        if not path.strip("/"):
            return
        with self._inode(path) as inode:
            if inode:
                return
        self._need_folder(posixpath.dirname(path))
        self._made(path, stat.S_IFDIR)


def _changed(data: bytes, old: bytes) -> Iterator[tuple[int, bytes]]:
    start = None
    for at in range(0, len(data) + _PAGE, _PAGE):
        differs = at < len(data) and data[at : at + _PAGE] != old[at : at + _PAGE]
        if differs and start is None:
            start = at
        elif not differs and start is not None:
            yield start, data[start:at]
            start = None
