"""The bytes of an open image file: complete reads and writes, holes, and reserved space."""

from __future__ import annotations

import ctypes
import errno
import os

HOLE = 4096
"""Bytes: shorter runs of zeros are written, not punched."""
_KEEP_SIZE, _PUNCH = 1, 2


def read_at(handle: int, offset: int, length: int) -> bytes:
    """``length`` bytes starting at ``offset``, fewer at the end of the file."""
    parts: list[bytes] = []
    while length and (part := os.pread(handle, length, offset)):
        parts.append(part)
        offset, length = offset + len(part), length - len(part)
    return b"".join(parts)


def write_at(handle: int, offset: int, data: bytes) -> None:
    """Write all of ``data``; zeros become a hole if the filesystem supports that."""
    if len(data) >= HOLE and not any(data) and _fallocate(handle, _PUNCH | _KEEP_SIZE, offset, len(data)):
        return
    view = memoryview(data)
    while view:
        written = os.pwrite(handle, view, offset)
        view, offset = view[written:], offset + written


def reserve(handle: int, offset: int, length: int) -> None:
    """Reserve space for bytes that will be written, without changing the visible content. OSError when there is not enough."""
    _fallocate(handle, _KEEP_SIZE, offset, length)


def _fallocate(handle: int, mode: int, offset: int, length: int) -> bool:
    """fallocate(2). False when the filesystem does not support it; OSError when there is no space."""
    libc = ctypes.CDLL(None, use_errno=True)
    call = getattr(libc, "fallocate64", None) or libc.fallocate
    if call(handle, mode, ctypes.c_int64(offset), ctypes.c_int64(length)) == 0:
        return True
    if (code := ctypes.get_errno()) in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        raise OSError(code, os.strerror(code))
    return False
