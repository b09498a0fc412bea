"""A patch of a host file: the bytes to write, and digests of the bytes that they replace.

Everything that a transaction writes into an image goes through :func:`apply`, in either direction. A patch has the bytes of one state of
the file (the target) in some ranges, and digests of the other state (the source) in the same ranges, sector by sector. Nothing is written
unless every sector is in one of the two states; an interrupted ``apply`` leaves a mixture of them, and can be repeated.

Layout: a prologue of 64 bytes (magic, modification time of the image in ns, length of the header, whether a write is in progress), the
header as JSON, the bytes of the ranges up to the target's end, and 16 bytes of BLAKE2b for each sector up to the source's end. The SHA-256
in the journal covers everything after the prologue.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate

from v2vlint.fixing.rawfile import read_at, write_at
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import ImageError

SECTOR = 512
CHUNK = 1 << 20
GAP = 8 * SECTOR
"""Bytes: ranges that lie nearer to each other become one."""
MAX_RANGES = 1 << 20
MAX_HEADER = 64 << 20
_MAGIC = b"V2VPATCH"
_PROLOGUE = struct.Struct("<8sqQ?39x")
_DIGEST = 16

Range = tuple[int, int]
Read = Callable[[int, int], bytes]
"""``(offset, length)`` to bytes, fewer at the end of the file."""
State = tuple[int, Read]
"""The size of a file, and its content."""


def merge(ranges: Iterable[Range], gap: int = GAP) -> tuple[Range, ...]:
    """The ranges (offset and length) in order, without overlaps; ranges closer than ``gap`` are joined."""
    merged: list[Range] = []
    for start, length in sorted(ranges):
        end = start + length
        if merged and start <= sum(merged[-1]) + gap:
            first, before = merged.pop()
            start, end = first, max(end, first + before)
        merged.append((start, end - start))
    return tuple(merged)


def pieces(ranges: Iterable[Range], limit: int) -> Iterator[Range]:
    """The ranges up to ``limit``, in pieces of at most :data:`CHUNK` bytes."""
    for start, length in ranges:
        end = min(start + length, limit)
        while start < end:
            size = min(CHUNK, end - start)
            yield start, size
            start += size


def digests(data: bytes) -> bytes:
    """The digest of each sector."""
    return b"".join(hashlib.blake2b(data[at : at + SECTOR], digest_size=_DIGEST).digest() for at in range(0, len(data), SECTOR))


def write_patch(handle: int, target: State, source: State, ranges: Sequence[Range]) -> str:
    """Write a patch into an empty file and sync it to disk; returns its SHA-256."""
    (size, new), (before, old) = target, source
    header = json.dumps({"size": size, "from": before, "ranges": ranges}).encode()
    os.pwrite(handle, _PROLOGUE.pack(_MAGIC, 0, len(header), False), 0)
    digest, position = hashlib.sha256(), _PROLOGUE.size
    parts = (new(start, length) for start, length in pieces(ranges, size))
    sums = (digests(old(start, length)) for start, length in pieces(ranges, before))
    for group in ((header,), parts, sums):
        for data in group:
            digest.update(data)
            write_at(handle, position, data)
            position += len(data)
    # Zeros at the end may have been punched, and a hole does not make the file longer.
    os.ftruncate(handle, position)
    os.fsync(handle)
    return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class Patch:
    """An open patch whose checksum matches the journal. ``size`` and ``before`` are the sizes of target and source.

    ``data`` and ``sums`` are the offsets in the patch of the target's bytes and the source's digests.
    """

    handle: int
    size: int
    before: int
    ranges: tuple[Range, ...]
    data: int
    sums: int

    @property
    def progress(self) -> tuple[int, bool]:
        """The image's modification time at the last mark, in ns, and whether a write was in progress."""
        _magic, mtime, _length, busy = self._prologue()
        return mtime, busy

    def _prologue(self) -> tuple[bytes, int, int, bool]:
        magic, mtime, length, busy = _PROLOGUE.unpack(read_at(self.handle, 0, _PROLOGUE.size))
        return magic, mtime, length, busy

    @property
    def touched(self) -> int:
        """When :meth:`mark` was last called, in ns, by the clock of the filesystem."""
        return os.fstat(self.handle).st_mtime_ns

    def mark(self, image: int, *, busy: bool) -> None:
        """Record the modification time of the open image."""
        magic, _mtime, length, _busy = self._prologue()
        os.pwrite(self.handle, _PROLOGUE.pack(magic, os.fstat(image).st_mtime_ns, length, busy), 0)

    def sectors(self) -> Iterator[tuple[int, bytes, bytes, int]]:
        """Pieces in order: offset, bytes of the target, digests of the source, and length. At the end of the file, either may be shorter
        than the length.
        """
        data, sums = self.data, self.sums
        for start, length in pieces(self.ranges, max(self.size, self.before)):
            new = read_at(self.handle, data, max(0, min(length, self.size - start)))
            old = read_at(self.handle, sums, -(-max(0, min(length, self.before - start)) // SECTOR) * _DIGEST)
            data, sums = data + len(new), sums + len(old)
            yield start, new, old, length

    def over(self, base: Read) -> Read:
        """The file's content after this patch, given its content ``base`` before."""
        starts = [start for start, _length in self.ranges]
        held = [max(0, min(length, self.size - start)) for start, length in self.ranges]
        places = [self.data, *(self.data + total for total in accumulate(held))]

        def read(offset: int, length: int) -> bytes:
            length = max(0, min(length, self.size - offset))
            content = bytearray(base(offset, length).ljust(length, b"\0"))
            for number in range(max(0, bisect_right(starts, offset) - 1), bisect_right(starts, offset + length)):
                first, last = max(offset, starts[number]), min(offset + length, starts[number] + held[number])
                if first < last:
                    part = read_at(self.handle, places[number] + first - starts[number], last - first)
                    content[first - offset : last - offset] = part
            return bytes(content)

        return read


def open_patch(handle: int, sha256: str, name: str) -> Patch:
    """The patch in an open file. ImageError unless its content has the checksum ``sha256``."""
    length = os.fstat(handle).st_size
    prologue = read_at(handle, 0, _PROLOGUE.size)
    try:
        magic, _progress, header_length, _busy = _PROLOGUE.unpack(prologue)
        if magic != _MAGIC or header_length > MAX_HEADER or _sum(handle, length) != sha256:
            raise ValueError("its content is not what the journal says")
        header = json.loads(read_at(handle, _PROLOGUE.size, header_length))
        return _checked(handle, length, header, _PROLOGUE.size + header_length)
    except (ValueError, KeyError, TypeError, struct.error, RecursionError) as error:
        raise ImageError(f"{name}: damaged, or not v2vlint's: {error}", hint="restore it from where it was kept") from error


def _sum(handle: int, length: int) -> str:
    digest = hashlib.sha256()
    for start in range(_PROLOGUE.size, length, CHUNK):
        digest.update(read_at(handle, start, CHUNK))
    return digest.hexdigest()


def _checked(handle: int, length: int, header: dict[str, object], data: int) -> Patch:
    """ValueError unless the ranges are in order, within the file, and complete."""
    size, before, listed = header["size"], header["from"], header["ranges"]
    if not isinstance(size, int) or not isinstance(before, int) or not isinstance(listed, list) or len(listed) > MAX_RANGES:
        raise ValueError("not a patch")
    ranges, end, top = [], 0, max(size, before)
    for start, count in listed:
        if start < end or start % SECTOR or count <= 0 or start + count > -(-top // SECTOR) * SECTOR:
            raise ValueError("its ranges are not in order")
        ranges.append((int(start), int(count)))
        end = start + count
    sums = data + sum(part for _start, part in pieces(ranges, size))
    if length != sums + sum(-(-part // SECTOR) * _DIGEST for _start, part in pieces(ranges, before)):
        raise ValueError("its length is not that of its ranges")
    return Patch(handle, size, before, tuple(ranges), data, sums)


def foreign(image: int, patch: Patch) -> int | None:
    """The offset of the first sector of the image that is in neither state; None when there is none."""
    for start, new, old, length in patch.sectors():
        now = read_at(image, start, length)
        if now == new:
            continue
        for at in range(0, length, SECTOR):
            have, want = now[at : at + SECTOR], new[at : at + SECTOR]
            # Beyond the target's end there are zeros until the file is truncated (see apply).
            is_target = have[: len(want)] == want and not any(have[len(want) :])
            digest = old[at // SECTOR * _DIGEST :][:_DIGEST]
            if not is_target and not _is_source(have, start + at, digest, patch.before):
                return start + at
    return None


def _is_source(have: bytes, offset: int, digest: bytes, before: int) -> bool:
    """Whether a sector is in its old state. Beyond the old end of the file, that is nothing, or the hole left by growing it."""
    if offset >= before:
        return not any(have)
    return hashlib.blake2b(have[: min(SECTOR, before - offset)], digest_size=_DIGEST).digest() == digest


def apply(image: int, patch: Patch, reached: Callable[[str], None]) -> None:
    """Write the target into the image and sync it to disk. May be interrupted at any time, and repeated."""
    # A file grows before anything is written and shrinks after everything is: each sector then always has a place.
    if os.lseek(image, 0, os.SEEK_END) < patch.size:
        with marked(patch, image, reached):
            os.ftruncate(image, patch.size)
    for start, new, _old, length in patch.sectors():
        now = read_at(image, start, length)
        # The last sector is written whole: until the file is truncated, half of it would match neither state.
        new = new.ljust(min(len(now), -(-len(new) // SECTOR) * SECTOR), b"\0")
        if now[: len(new)] != new:
            with marked(patch, image, reached):
                write_at(image, start, new)
    # The content must be on disk before the end is cut off: otherwise a crash could lose both.
    os.fsync(image)
    if os.lseek(image, 0, os.SEEK_END) > patch.size:
        with marked(patch, image, reached):
            os.ftruncate(image, patch.size)
        os.fsync(image)


@contextmanager
def marked(patch: Patch, image: int, reached: Callable[[str], None]) -> Iterator[None]:
    """A change of the image between two marks, so that a later change by another program can be told apart."""
    patch.mark(image, busy=True)
    reached("marked")
    yield
    reached("changed")
    patch.mark(image, busy=False)
