"""Exclusive access to an image: v2vlint's lock against other v2vlint processes, and QEMU's against a guest that is started."""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from v2vlint.fixing.qemu import ImageLocked
from v2vlint.model.errors import ImageError
from v2vlint.source import sidecars
from v2vlint.source.journal import read_journal
from v2vlint.source.sidecars import SidecarPlace

LOCK_PATIENCE = 1.0
"""Seconds: children of a killed v2vlint may hold the lock a moment longer than it."""
# struct flock with offsets of 64 bits: type, whence, start, length, pid.
_FLOCK = "hhqqi4x"
_HELD, _DENIED = (100, 101, 102, 103), (201, 203)
"""QEMU's lock bytes (block/file-posix.c): what a writer may do (read, write, write unchanged, resize), and what it denies others."""


@contextmanager
def locked(images: Sequence[Path]) -> Iterator[None]:
    """Hold an exclusive lock on every image, and on the other images of their transactions. ImageLocked when one is already locked."""
    with ExitStack() as stack:
        # In the same order everywhere, so that two fixes of the same disks do not wait for each other.
        for _key, at in sorted({at.key: at for at in _together(images)}.items()):
            handle = os.open(at.image, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
            stack.callback(os.close, handle)
            if not flocked(handle):
                raise ImageLocked(f"{at.image}: another v2vlint is writing to it")
        yield


def _together(images: Iterable[Path]) -> Iterator[SidecarPlace]:
    for image in images:
        yield sidecars.place(image)
        with suppress(ImageError):
            journal = read_journal(image)
            yield from (member.at for member in journal.members) if journal else ()


def flocked(handle: int) -> bool:
    """Take an exclusive flock(2). False while another process holds it."""
    deadline = time.monotonic() + LOCK_PATIENCE
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        else:
            return True


@contextmanager
def opened(at: SidecarPlace) -> Iterator[int]:
    """The image, open for reading. ImageError when its path now leads to another file."""
    handle = os.open(at.image, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        if sidecars.place_of(at.image, handle).key != at.key:
            raise ImageError(f"{at.image}: replaced by another file meanwhile")
        yield handle
    finally:
        os.close(handle)


@contextmanager
def held(at: SidecarPlace) -> Iterator[int]:
    """The image, open for writing and locked as QEMU does it: no guest can start meanwhile. ImageLocked when one is running.

    ImageError when the path now leads to another file.
    """
    # O_EXCL without O_CREAT is for block devices only: the kernel then refuses one that is mounted or in use (open(2)).
    flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | (os.O_EXCL if at.device else 0)
    try:
        handle = os.open(at.image, flags)
    except OSError as error:
        kind = ImageLocked if error.errno == errno.EBUSY else ImageError
        raise kind(f"{at.image}: {os.strerror(error.errno or 0).lower()}") from error
    try:
        found = os.fstat(handle)
        if not at.device and (found.st_dev, found.st_ino) != (at.dev, at.ino):
            raise ImageError(f"{at.image}: replaced by another file meanwhile")
        _lock(handle, at)
        yield handle
    finally:
        os.close(handle)


def _lock(handle: int, at: SidecarPlace) -> None:
    for byte in (*_HELD, *_DENIED):
        if not _fcntl_lock(handle, byte):
            return
    # QEMU (block/file-posix.c) locks byte 100 + N for a permission it uses and 200 + N for one it does not share:
    # 1 is writing, 3 is resizing, 0 is consistent reading, 2 is writing unchanged bytes.
    for byte in (101, 103, 200, 201, 202, 203):
        # An exclusive lock is only tested, never taken: shared locks are enough to keep QEMU out.
        request = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, byte, 1, 0)
        if struct.unpack(_FLOCK, fcntl.fcntl(handle, fcntl.F_OFD_GETLK, request))[0] != fcntl.F_UNLCK:
            raise ImageLocked(f"{at.image}: QEMU has it open", hint="shut the guest down first")


def _fcntl_lock(handle: int, byte: int) -> bool:
    """Take a shared lock on one byte. False when the filesystem does not support such locks."""
    try:
        # Not F_SETLK: that lock would go when this process closes any other descriptor of the file (fcntl(2)).
        fcntl.fcntl(handle, fcntl.F_OFD_SETLK, struct.pack(_FLOCK, fcntl.F_RDLCK, os.SEEK_SET, byte, 1, 0))
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EACCES):
            raise ImageLocked("QEMU has it open", hint="shut the guest down first") from error
        return False
    return True
