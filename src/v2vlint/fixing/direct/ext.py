"""Changes files of ext2, ext3 and ext4 through libext2fs, with the same result as the kernel.

A filesystem is declined if its journal needs replay, if it was not unmounted, if it has errors, or if it has a feature that the library
leaves to the kernel.
"""

from __future__ import annotations

import ctypes
import os
import posixpath
import stat
import time
from collections.abc import Mapping
from ctypes import byref, c_char_p, c_size_t, c_uint, c_uint32, c_ulonglong, c_void_p

from v2vlint.disk.filesystems.superblocks import EXT
from v2vlint.fixing.direct import libext2fs
from v2vlint.fixing.direct.libext2fs import EachAttribute, Ext2InodeLarge, Handle, call
from v2vlint.fixing.direct.terms import Declined
from v2vlint.fixing.direct.volume import WritableVolume

_ROOT, _FT_FILE = 2, 1
_SUPERBLOCK, _VALID, _ERRORS = 1024, 1, 2
# EXT4_FEATURE_INCOMPAT_* and, below, EXT4_FEATURE_RO_COMPAT_* (fs/ext4/ext4.h).
_INCOMPATIBLE = {
    0x1: "compression", 0x4: "a journal that must be replayed", 0x8: "a journal of its own", 0x100: "multiple mount protection",
    0x1000: "dirdata", 0x10000: "encryption", 0x20000: "casefold",
}  # fmt: skip
_KNOWN_INCOMPATIBLE = 0x2 | 0x10 | 0x40 | 0x80 | 0x200 | 0x400 | 0x2000 | 0x4000 | 0x8000
_READ_ONLY = {
    0x80: "snapshots", 0x100: "quotas", 0x200: "clusters of blocks (bigalloc)", 0x1000: "read-only", 0x2000: "project quotas",
    0x4000: "shared blocks", 0x8000: "verity", 0x10000: "files whose removal is not finished",
}  # fmt: skip
_KNOWN_READ_ONLY = 0x1 | 0x2 | 0x8 | 0x10 | 0x20 | 0x40 | 0x400
_EXTENTS_FEATURE = 0x40
_SPECIAL = 0x4 | 0x10 | 0x20 | 0x800 | 0x100000 | 0x200000 | 0x2000000 | 0x10000000 | 0x20000000 | 0x40000000
"""Inodes compressed, immutable, only appended to, encrypted, verified, for attributes, with DAX, inline data, project or casefolding."""
# EXT4_FL_INHERITED (fs/ext4/ext4.h), without what is in _SPECIAL; EXT4_DIRSYNC_FL is only for folders (ext4_mask_flags()).
_INHERITED = 0x1 | 0x2 | 0x8 | 0x40 | 0x80 | 0x400 | 0x4000 | 0x8000
_INHERITED_BY_FOLDERS = _INHERITED | 0x10000
_EXTENTS, _INDEX = 0x80000, 0x1000
_DEFAULT_ACL = "system.posix_acl_default"
_CHUNK = 1 << 20
_RAW = 1
_LONGEST_NAME = 255


def state_of(superblock: bytes) -> str:
    """Why a filesystem with this superblock is not written directly; empty when it can be."""
    found = EXT.read(superblock)
    state, incompatible, read_only = found["s_state"], found["s_feature_incompat"], found["s_feature_ro_compat"]
    for bits, known, words in ((incompatible, _KNOWN_INCOMPATIBLE, _INCOMPATIBLE), (read_only, _KNOWN_READ_ONLY, _READ_ONLY)):
        if rest := bits & ~known:
            return f"the filesystem has {next((word for bit, word in words.items() if rest & bit), f'feature {rest:#x}')}"
    if state & _ERRORS or not state & _VALID:
        return "the filesystem has errors" if state & _ERRORS else "the filesystem was not unmounted"
    return "the filesystem has files whose removal is not finished" if found["s_last_orphan"] else ""


class ExtFiles:
    """See :class:`~v2vlint.fixing.direct.terms.Files`."""

    def __init__(self, volume: WritableVolume) -> None:
        superblock = volume.read(_SUPERBLOCK, 1024)
        if reason := state_of(superblock):
            raise Declined(reason)
        found = EXT.read(superblock)
        self._inode_size = found["s_inode_size"] if found["s_rev_level"] else 128
        self._extents = bool(found["s_feature_incompat"] & _EXTENTS_FEATURE)
        self._handle = Handle(volume)
        self._now = time.time_ns()
        self.folders: list[str] = []

    def size(self, path: str) -> int | None:
        """See :class:`Files`."""
        number = self._lookup(path)
        return None if number is None else self._file(path, number).size

    def mode(self, path: str) -> int:
        """See :class:`Files`."""
        return int(self._inode(self._there(path)).mode)

    def read(self, path: str) -> bytes:
        """See :class:`Files`."""
        number = self._there(path)
        return self._content(number, self._file(path, number).size)

    def overwrite(self, path: str, data: bytes) -> None:
        """See :class:`Files`."""
        number = self._there(path)
        self._file(path, number)
        self._store(number, 0, data)
        self._touch(number)

    def append(self, path: str, size: int, data: bytes) -> None:
        """See :class:`Files`."""
        number = self._there(path)
        self._file(path, number)
        self._store(number, size, data)
        self._touch(number)

    def create(self, path: str, data: bytes, mode: int) -> None:
        """See :class:`Files`."""
        inode = Ext2InodeLarge(mode=stat.S_IFREG | mode, links=1)
        self._made(path, inode, data)

    def copy(self, source: str, path: str) -> None:
        """See :class:`Files`."""
        number = self._there(source)
        old = self._file(source, number)
        new = Ext2InodeLarge(mode=old.mode, links=1, uid_low=old.uid_low, uid_high=old.uid_high, gid_low=old.gid_low, gid_high=old.gid_high)
        made = self._made(path, new, self._content(number, old.size))
        for name, value in self._attributes(number).items():
            self._set_attribute(made, name, value)
        inode = self._inode(made)
        # cp -a sets owner and group after creating the file, so a folder's set-group-ID bit has no effect.
        inode.gid_low, inode.gid_high = old.gid_low, old.gid_high
        for field in ("atime", "mtime", *(("atime_extra", "mtime_extra") if self._has_nanoseconds(inode) else ())):
            setattr(inode, field, getattr(old, field))
        self._write_inode(made, inode)

    def delete(self, path: str) -> None:
        """See :class:`Files`."""
        folder, name = self._parent(path)
        number = self._there(path)
        inode = self._inode(number)
        if stat.S_IFMT(inode.mode) not in (stat.S_IFREG, stat.S_IFLNK) or inode.flags & _SPECIAL:
            raise Declined(f"{path} is no plain file")
        self._handle.call("ext2fs_unlink", folder, name, number, 0)
        inode.links -= 1
        self._stamp(inode, "ctime")
        self._write_inode(number, inode)
        if inode.links == 0:
            self._release(number)
        self._touch(folder)

    def _release(self, number: int) -> None:
        """Free an inode without any name."""
        inode = self._inode(number)
        # A target of fewer than 60 bytes is in the inode itself: there are no blocks to free.
        fast_link = stat.S_ISLNK(inode.mode) and inode.size < 60 and not inode.flags & _EXTENTS
        if inode.file_acl or inode.file_acl_high:
            self._handle.call("ext2fs_free_ext_attr", number, byref(inode))
        if not fast_link:
            self._handle.call("ext2fs_punch", number, None, None, c_ulonglong(0), c_ulonglong(2**64 - 1))
            inode = self._inode(number)
        inode.dtime = self._now // 10**9
        self._write_inode(number, inode)
        libext2fs.library().ext2fs_inode_alloc_stats2(self._handle.fs, number, -1, 0)

    def label(self, path: str, context: str) -> None:
        """See :class:`Files`."""
        self._set_attribute(self._there(path), "security.selinux", os.fsencode(context) + b"\0")

    def close(self) -> None:
        """See :class:`Files`."""
        self._handle.close()

    def _lookup(self, path: str) -> int | None:
        """The inode number at a path; None when there is none. Declined when a link is on the way."""
        number = c_uint32(_ROOT)
        parts = [part for part in path.split("/") if part]
        for part in parts:
            if not stat.S_ISDIR(self._inode(number.value).mode):
                raise Declined(f"{path} leads over something that is no folder")
            name, found = os.fsencode(part), c_uint32()
            if self._handle.call("ext2fs_lookup", number, name, len(name), None, byref(found), allowed=(libext2fs.NOT_FOUND,)):
                return None
            number = found
        return number.value

    def _there(self, path: str) -> int:
        number = self._lookup(path)
        if number is None:
            raise Declined(f"{path} is not there")
        return number

    def _inode(self, number: int) -> Ext2InodeLarge:
        buffer = ctypes.create_string_buffer(max(self._inode_size, ctypes.sizeof(Ext2InodeLarge)))
        self._handle.call("ext2fs_read_inode_full", number, buffer, self._inode_size)
        return Ext2InodeLarge.from_buffer(buffer)

    def _write_inode(self, number: int, inode: Ext2InodeLarge) -> None:
        """Write an inode. What follows the known fields (attributes) is read again and preserved."""
        buffer = ctypes.create_string_buffer(max(self._inode_size, ctypes.sizeof(Ext2InodeLarge)))
        self._handle.call("ext2fs_read_inode_full", number, buffer, self._inode_size)
        kept = ctypes.sizeof(Ext2InodeLarge) if self._inode_size >= ctypes.sizeof(Ext2InodeLarge) else 128
        if self._inode_size > 128:
            kept = min(kept, 128 + inode.extra_size)
        ctypes.memmove(buffer, byref(inode), kept)
        self._handle.call("ext2fs_write_inode_full", number, buffer, self._inode_size)

    def _file(self, path: str, number: int) -> Ext2InodeLarge:
        inode = self._inode(number)
        if not stat.S_ISREG(inode.mode) or inode.flags & _SPECIAL:
            raise Declined(f"{path} is no plain file")
        return inode

    def _content(self, number: int, size: int) -> bytes:
        handle, parts = self._opened(number, 0), bytearray()
        buffer, got = ctypes.create_string_buffer(_CHUNK), c_uint()
        while len(parts) < size:
            call("ext2fs_file_read", handle, buffer, min(_CHUNK, size - len(parts)), byref(got))
            if not got.value:
                break
            parts += buffer.raw[: got.value]
        call("ext2fs_file_close", handle)
        return bytes(parts)

    def _opened(self, number: int, flags: int) -> c_void_p:
        handle = c_void_p()
        self._handle.call("ext2fs_file_open", number, flags, byref(handle))
        return handle

    def _store(self, number: int, offset: int, data: bytes) -> None:
        """Write ``data`` and end the file after it."""
        handle, written = self._opened(number, libext2fs.FILE_WRITE), c_uint()
        self._handle.call("ext2fs_file_llseek", handle, c_ulonglong(offset), 0, None, plain=True)
        for start in range(0, len(data), _CHUNK):
            part = data[start : start + _CHUNK]
            self._handle.call("ext2fs_file_write", handle, part, len(part), byref(written), plain=True)
            if written.value != len(part):
                raise Declined("libext2fs wrote less than it was given")
        self._handle.call("ext2fs_file_flush", handle, plain=True)
        self._handle.call("ext2fs_file_set_size2", handle, c_ulonglong(offset + len(data)), plain=True)
        self._handle.call("ext2fs_file_close", handle, plain=True)

    def _has_nanoseconds(self, inode: Ext2InodeLarge) -> bool:
        return self._inode_size >= ctypes.sizeof(Ext2InodeLarge) and int(inode.extra_size) >= 28

    def _stamp(self, inode: Ext2InodeLarge, *fields: str) -> None:
        seconds, rest = divmod(self._now, 10**9)
        for field in fields:
            setattr(inode, field, seconds & 0xFFFFFFFF)
            if self._has_nanoseconds(inode):
                # Two bits that extend the epoch, 30 of nanoseconds (fs/ext4/ext4.h, ext4_encode_extra_time).
                setattr(inode, f"{field}_extra", rest << 2 | (seconds + 0x80000000 >> 32) & 3)

    def _touch(self, number: int) -> None:
        inode = self._inode(number)
        self._stamp(inode, "ctime", "mtime")
        self._write_inode(number, inode)

    def _parent(self, path: str) -> tuple[int, bytes]:
        name = os.fsencode(posixpath.basename(path))
        if len(name) > _LONGEST_NAME:
            raise Declined(f"{path} has a name longer than {_LONGEST_NAME} bytes")
        return self._there(posixpath.dirname(path)), name

    def _made(self, path: str, inode: Ext2InodeLarge, data: bytes) -> int:
        """The inode number of a new file, whose parent folders are created."""
        self._need_folder(posixpath.dirname(path))
        folder, name = self._parent(path)
        above = self._inherit(folder, path, inode)
        # As the kernel does in a folder with the set-group-ID bit (fs/inode.c, inode_init_owner).
        if not inode.gid_low and not inode.gid_high and above.mode & stat.S_ISGID:
            inode.gid_low, inode.gid_high = above.gid_low, above.gid_high
        number = c_uint32()
        self._handle.call("ext2fs_new_inode", folder, int(inode.mode), None, byref(number))
        # Opening writes the header of an empty extent tree into the inode.
        if self._extents:
            inode.flags |= _EXTENTS
            handle = c_void_p()
            self._handle.call("ext2fs_extent_open2", number, byref(inode), byref(handle))
            libext2fs.library().ext2fs_extent_free(handle)
        self._stamp(inode, "atime", "ctime", "mtime")
        self._handle.call("ext2fs_write_new_inode", number, byref(inode))
        libext2fs.library().ext2fs_inode_alloc_stats2(self._handle.fs, number, 1, 0)
        self._link(folder, name, number.value)
        self._store(number.value, 0, data)
        fresh = self._inode(number.value)
        self._stamp(fresh, "atime", "ctime", "mtime", *(("crtime",) if self._has_nanoseconds(fresh) else ()))
        self._write_inode(number.value, fresh)
        self._touch(folder)
        return number.value

    def _link(self, folder: int, name: bytes, number: int) -> None:
        # libext2fs does not extend a full folder by itself.
        full = (libext2fs.NO_SPACE_IN_DIRECTORY,)
        if self._handle.call("ext2fs_link", folder, name, number, _FT_FILE, allowed=full):
            self._handle.call("ext2fs_expand_dir", folder)
            self._handle.call("ext2fs_link", folder, name, number, _FT_FILE)

    def _inherit(self, folder: int, path: str, inode: Ext2InodeLarge) -> Ext2InodeLarge:
        """Check the folder of a new inode, which inherits flags from it."""
        above = self._inode(folder)
        if not stat.S_ISDIR(above.mode) or above.flags & _SPECIAL:
            raise Declined(f"the folder of {path} is no plain one")
        if _DEFAULT_ACL in self._attributes(folder):
            raise Declined(f"the folder of {path} has a default ACL")
        inode.flags |= above.flags & (_INHERITED if stat.S_ISREG(inode.mode) else _INHERITED_BY_FOLDERS)
        return above

    def _need_folder(self, path: str) -> None:
        """Create a folder and its parents, as ``mkdir -p`` does."""
        if self._lookup(path) is not None:
            return
        above = posixpath.dirname(path)
        self._need_folder(above)
        folder, name = self._parent(path)
        parent = self._inherit(folder, path, inherited := Ext2InodeLarge())
        full = (libext2fs.NO_SPACE_IN_DIRECTORY,)
        if self._handle.call("ext2fs_mkdir", folder, 0, name, allowed=full):
            self._handle.call("ext2fs_expand_dir", folder)
            self._handle.call("ext2fs_mkdir", folder, 0, name)
        number = self._there(path)
        inode = self._inode(number)
        # As the kernel hands it down (fs/inode.c, inode_init_owner).
        inode.mode = stat.S_IFDIR | 0o755 | parent.mode & stat.S_ISGID
        if parent.mode & stat.S_ISGID:
            inode.gid_low, inode.gid_high = parent.gid_low, parent.gid_high
        inode.flags |= inherited.flags
        self._stamp(inode, "atime", "ctime", "mtime", *(("crtime",) if self._has_nanoseconds(inode) else ()))
        self._write_inode(number, inode)
        self._touch(folder)
        self.folders.append(path)

    def _attributes(self, number: int) -> Mapping[str, bytes]:
        """Extended attributes; ACLs are in their on-disk format."""
        handle, found = self._opened_attributes(number), dict[str, bytes]()

        def one(name: int, value: int, length: int, _data: int) -> int:
            found[os.fsdecode(ctypes.string_at(name))] = ctypes.string_at(value, length)
            return 0

        call("ext2fs_xattrs_iterate", handle, EachAttribute(one), None)
        call("ext2fs_xattrs_close", byref(handle))
        return found

    def _set_attribute(self, number: int, name: str, value: bytes) -> None:
        handle = self._opened_attributes(number)
        self._handle.call("ext2fs_xattr_set", handle, c_char_p(os.fsencode(name)), value, c_size_t(len(value)), plain=True)
        self._handle.call("ext2fs_xattrs_close", byref(handle), plain=True)

    def _opened_attributes(self, number: int) -> c_void_p:
        handle = c_void_p()
        self._handle.call("ext2fs_xattrs_open", number, byref(handle))
        self._handle.call("ext2fs_xattrs_flags", handle, byref(c_uint(_RAW)), None, plain=True)
        self._handle.call("ext2fs_xattrs_read", handle, plain=True)
        return handle
