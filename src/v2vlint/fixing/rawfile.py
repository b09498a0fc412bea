"""Bytes of an open image file: whole reads and writes, holes, space set aside."""

from __future__ import annotations

import ctypes
import errno
import os

HOLE = 4096
"""Bytes: shorter runs of zeros are written, not punched."""
_KEEP_SIZE, _PUNCH = 1, 2


def read_at(handle: int, offset: int, length: int) -> bytes:
    """``length`` bytes from ``offset`` on, fewer at the end of the file."""
    parts: list[bytes] = []
    while length and (part := os.pread(handle, length, offset)):
        parts.append(part)
        offset, length = offset + len(part), length - len(part)
    return b"".join(parts)


def write_at(handle: int, offset: int, data: bytes) -> None:
    """Write all of ``data``; zeros become a hole where the filesystem has them."""
    if len(data) >= HOLE and not any(data) and _fallocate(handle, _PUNCH | _KEEP_SIZE, offset, len(data)):
        return
    view = memoryview(data)
    while view:
        written = os.pwrite(handle, view, offset)
        view, offset = view[written:], offset + written


def reserve(handle: int, offset: int, length: int) -> None:
    """Set aside space for bytes that will be written, without changing what can be read. OSError when there is none."""
    _fallocate(handle, _KEEP_SIZE, offset, length)


def _fallocate(handle: int, mode: int, offset: int, length: int) -> bool:
    """fallocate(2). False where the filesystem cannot; OSError when the space is not there."""
    libc = ctypes.CDLL(None, use_errno=True)
    call = getattr(libc, "fallocate64", None) or libc.fallocate
    if call(handle, mode, ctypes.c_int64(offset), ctypes.c_int64(length)) == 0:
        return True
    if (code := ctypes.get_errno()) in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        raise OSError(code, os.strerror(code))
    return False
