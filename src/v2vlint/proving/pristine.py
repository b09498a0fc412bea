"""Evidence that a boot did not change the bytes of image files."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Iterable, Iterator

from v2vlint.model.dataclass import dataclass

WHOLE = 16 << 30
_SAMPLES = 4096
_BLOCK = 1 << 20
_ZEROES = bytes(_BLOCK)


@dataclass(frozen=True, slots=True)
class FileDigest:
    """A file's identity, size, times of last change, and a SHA-256 over its data.

    ``whole`` is false for a file with more than 16 GiB of data: then the hash covers 4096 evenly spread MiB, and the times cover the rest
    (the kernel updates them at every write).
    """

    path: str
    inode: int
    size: int
    changed_ns: tuple[int, int]
    digest: str
    whole: bool


def file_states(paths: Iterable[str]) -> tuple[FileDigest, ...]:
    """The state of every file. The hash skips holes and blocks of zeros, but includes their positions."""
    return tuple(_state(path) for path in paths)


def _state(path: str) -> FileDigest:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        size = os.lseek(descriptor, 0, os.SEEK_END)
        whole = (status.st_blocks * 512 if stat.S_ISREG(status.st_mode) else size) <= WHOLE
        digest = hashlib.sha256()
        for start in _data_blocks(descriptor, size) if whole else range(0, size, max(_BLOCK, size // _SAMPLES)):
            data = os.pread(descriptor, _BLOCK, start)
            if data != _ZEROES[: len(data)]:
                digest.update(start.to_bytes(8))
                digest.update(data)
    finally:
        os.close(descriptor)
    return FileDigest(path, status.st_ino, size, (status.st_mtime_ns, status.st_ctime_ns), digest.hexdigest(), whole)


def _data_blocks(descriptor: int, size: int) -> Iterator[int]:
    """Offsets of the aligned blocks that may contain data."""
    position = 0
    while position < size:
        try:
            start = os.lseek(descriptor, position, os.SEEK_DATA)
            end = os.lseek(descriptor, start, os.SEEK_HOLE)
        except OSError as error:
            # No data after this position; any other error means that the filesystem cannot tell.
            if error.errno == errno.ENXIO:
                return
            start, end = position, size
        first = max(position, start - start % _BLOCK)
        yield from range(first, end, _BLOCK)
        position = -(-end // _BLOCK) * _BLOCK
