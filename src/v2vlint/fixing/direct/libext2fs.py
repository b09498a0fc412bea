"""The part of libext2fs (e2fsprogs) that fixing needs, over ctypes. It reads and writes through a WritableVolume.

The structures are those of ``ext2fs/ext2_io.h`` and ``ext2fs/ext2_fs.h``, unchanged since e2fsprogs 1.43.
"""

from __future__ import annotations

import ctypes
import functools
import re
from collections.abc import Callable
from ctypes import POINTER, byref, c_char_p, c_int, c_long, c_size_t, c_uint16, c_uint32, c_ulong, c_ulonglong, c_void_p
from typing import Any

from v2vlint.fixing.direct.terms import Declined
from v2vlint.fixing.direct.volume import WritableVolume

SONAME = "libext2fs.so.2"
OLDEST = (1, 46)
"""The first that keeps the hash trees of directories (ext2fs_link)."""
# EXT2_ET_BASE: com_err numbers libext2fs's errors from here (lib/ext2fs/ext2_err.et.in).
BASE = 2133571328
NO_SPACE_IN_DIRECTORY, NOT_FOUND = BASE + 38, BASE + 76
_IO_CHANNEL, _IO_MANAGER, _SHORT_READ, _SHORT_WRITE = BASE + 5, BASE + 7, BASE + 36, BASE + 37
# EXT2_FLAG_RW and EXT2_FLAG_64BITS, then EXT2_FILE_WRITE (ext2fs/ext2fs.h).
_READ_WRITE, _64_BITS = 0x1, 0x20000
FILE_WRITE = 1

_Open = ctypes.CFUNCTYPE(c_long, c_char_p, c_int, POINTER(c_void_p))
_Close = ctypes.CFUNCTYPE(c_long, c_void_p)
_SetSize = ctypes.CFUNCTYPE(c_long, c_void_p, c_int)
_Block = ctypes.CFUNCTYPE(c_long, c_void_p, c_ulong, c_int, c_void_p)
_Block64 = ctypes.CFUNCTYPE(c_long, c_void_p, c_ulonglong, c_int, c_void_p)
_Bytes = ctypes.CFUNCTYPE(c_long, c_void_p, c_ulong, c_int, c_void_p)
EachAttribute = ctypes.CFUNCTYPE(c_int, c_void_p, c_void_p, c_size_t, c_void_p)


class _Channel(ctypes.Structure):
    _fields_ = (
        ("magic", c_long), ("manager", c_void_p), ("name", c_char_p), ("block_size", c_int), ("read_error", c_void_p),
        ("write_error", c_void_p), ("refcount", c_int), ("flags", c_int), ("reserved", c_long * 14), ("private_data", c_void_p),
        ("app_data", c_void_p), ("align", c_int),
    )  # fmt: skip


class _Manager(ctypes.Structure):
    _fields_ = (
        ("magic", c_long), ("name", c_char_p), ("open", _Open), ("close", _Close), ("set_blksize", _SetSize), ("read_blk", _Block),
        ("write_blk", _Block), ("flush", _Close), ("write_byte", _Bytes), ("set_option", c_void_p), ("get_stats", c_void_p),
        ("read_blk64", _Block64), ("write_blk64", _Block64), ("discard", c_void_p), ("cache_readahead", c_void_p),
        ("zeroout", c_void_p), ("reserved", c_long * 14),
    )  # fmt: skip


class Ext2InodeLarge(ctypes.Structure):
    """``struct ext2_inode_large``; small inodes lack its second part."""

    _fields_ = (
        ("mode", c_uint16), ("uid_low", c_uint16), ("size_low", c_uint32), ("atime", c_uint32), ("ctime", c_uint32), ("mtime", c_uint32),
        ("dtime", c_uint32), ("gid_low", c_uint16), ("links", c_uint16), ("blocks", c_uint32), ("flags", c_uint32), ("version", c_uint32),
        ("block", c_uint32 * 15), ("generation", c_uint32), ("file_acl", c_uint32), ("size_high", c_uint32), ("faddr", c_uint32),
        ("blocks_high", c_uint16), ("file_acl_high", c_uint16), ("uid_high", c_uint16), ("gid_high", c_uint16), ("checksum", c_uint16),
        ("unused", c_uint16), ("extra_size", c_uint16), ("checksum_high", c_uint16), ("ctime_extra", c_uint32),
        ("mtime_extra", c_uint32), ("atime_extra", c_uint32), ("crtime", c_uint32), ("crtime_extra", c_uint32),
        ("version_high", c_uint32), ("project", c_uint32),
    )  # fmt: skip

    @property
    def size(self) -> int:
        """The size of the content in bytes."""
        return int(self.size_low) | int(self.size_high) << 32


@functools.cache
def library() -> ctypes.CDLL:
    """The library. Declined when it is missing or too old."""
    try:
        found = ctypes.CDLL(SONAME)
        told = _version(found)
    except (OSError, AttributeError) as error:
        raise Declined(f"{SONAME} is not installed (apt install e2fsprogs)") from error
    if tuple(int(part) for part in re.findall(r"\d+", told)[:2]) < OLDEST:
        raise Declined(f"{SONAME} is too old ({told})")
    return found


def _version(found: ctypes.CDLL) -> str:
    text = c_char_p()
    found.ext2fs_get_library_version(byref(text), None)
    return (text.value or b"").decode("ascii", "replace")


def version() -> str:
    """The version that the library reports."""
    return _version(library())


def call(name: str, *arguments: Any, allowed: tuple[int, ...] = ()) -> int:
    """Call a function that returns an ``errcode_t``: 0, or one of ``allowed``. Declined, with its number, for any other."""
    function = getattr(library(), name)
    function.restype = c_long
    code = int(function(*arguments))
    if code and code not in allowed:
        raise Declined(f"{name} of libext2fs failed ({code - BASE if code > BASE else code})")
    return code


class Handle:
    """A filesystem on a volume, opened by libext2fs for writing. Declined when the library refuses."""

    def __init__(self, volume: WritableVolume) -> None:
        self._volume = volume
        self._failure: Exception | None = None
        # Kept as long as this object: libext2fs holds pointers to it and to its functions.
        self._manager = self._made()
        self._channel = _Channel(magic=_IO_CHANNEL, manager=ctypes.addressof(self._manager), name=b"v2vlint", block_size=1024, refcount=1)
        self.fs = c_void_p()
        flags = _READ_WRITE | _64_BITS
        self.call("ext2fs_open2", b"v2vlint", None, flags, 0, 0, byref(self._manager), byref(self.fs), plain=True)
        self.call("ext2fs_read_bitmaps")

    def call(self, name: str, *arguments: Any, allowed: tuple[int, ...] = (), plain: bool = False) -> int:
        """Call a function of the filesystem. An exception raised in the I/O functions below is raised again here."""
        try:
            return call(name, *(() if plain else (self.fs,)), *arguments, allowed=allowed)
        finally:
            if self._failure is not None:
                raise self._failure

    def close(self) -> None:
        """Write out bitmaps, group descriptors and superblock."""
        self.call("ext2fs_close_free", byref(self.fs), plain=True)

    def _made(self) -> _Manager:
        def opened(_name: bytes, _flags: int, channel: Any) -> int:
            # A manager usually allocates its channel here; this one is part of the object.
            channel[0] = ctypes.addressof(self._channel)
            return 0

        def sized(_channel: int, size: int) -> int:
            self._channel.block_size = size
            return 0

        return _Manager(
            magic=_IO_MANAGER,
            name=b"v2vlint",
            open=_Open(opened),
            close=_Close(lambda _channel: 0),
            set_blksize=_SetSize(sized),
            read_blk=_Block(self._guarded(self._read, _SHORT_READ)),
            write_blk=_Block(self._guarded(self._write, _SHORT_WRITE)),
            flush=_Close(lambda _channel: 0),
            write_byte=_Bytes(self._guarded(self._write_bytes, _SHORT_WRITE)),
            read_blk64=_Block64(self._guarded(self._read, _SHORT_READ)),
            write_blk64=_Block64(self._guarded(self._write, _SHORT_WRITE)),
        )

    def _guarded(self, action: Callable[[int, int, int], None], code: int) -> Callable[[int, int, int, int], int]:
        """Call ``action`` and store its exception, which cannot propagate through C."""

        def guarded(_channel: int, place: int, count: int, data: int) -> int:
            try:
                action(place, count, data)
            except Exception as error:
                self._failure = error
                return code
            return 0

        return guarded

    def _length(self, count: int) -> int:
        """A negative count is in bytes, a positive one in blocks."""
        return -count if count < 0 else count * int(self._channel.block_size)

    def _read(self, block: int, count: int, data: int) -> None:
        length = self._length(count)
        ctypes.memmove(data, self._volume.read(block * int(self._channel.block_size), length), length)

    def _write(self, block: int, count: int, data: int) -> None:
        self._volume.write(block * int(self._channel.block_size), ctypes.string_at(data, self._length(count)))

    def _write_bytes(self, offset: int, count: int, data: int) -> None:
        self._volume.write(offset, ctypes.string_at(data, count))
