"""Snapshots of the old kind: the store of chunks that differ from the origin (drivers/md/dm-snap-persistent.c)."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from v2vlint.disk.fields import Fields
from v2vlint.disk.stream import Chunked, Stream, exactly
from v2vlint.model.errors import ImageError

MAX_EXCEPTIONS = 4_000_000
_MAGIC = 0x70416E53
_HEADER = Fields("<", magic=(0, "I"), valid=(4, "I"), version=(8, "I"), chunk_size=(12, "I"))
"""``struct disk_header``; ``chunk_size`` is in sectors."""
_EXCEPTION = struct.Struct("<QQ")
"""``struct disk_exception``: a chunk of the origin, and where the store has it."""


class Snapshot(Chunked):
    """The content of a snapshot of ``origin``, and of an origin into which that snapshot is being merged: merged chunks leave the store."""

    def __init__(self, origin: Stream, store: Stream) -> None:
        head = _HEADER.read(exactly(store, 0, 512))
        # A store that was never used is empty.
        known = head["magic"] == _MAGIC
        sectors = head["chunk_size"] if known else 8
        if known and (not head["valid"] or head["version"] != 1 or not 1 <= sectors <= 1 << 20):
            raise ImageError("invalid LVM snapshot")
        super().__init__(origin.size, sectors * 512)
        self._origin, self._store = origin, store
        self._moved = dict(_exceptions(store, sectors * 512)) if known else {}

    def piece(self, number: int, inside: int, count: int) -> bytes:
        """See :class:`~v2vlint.disk.stream.Chunked`."""
        if number in self._moved:
            return exactly(self._store, self._moved[number] * self._chunk + inside, count)
        return exactly(self._origin, number * self._chunk + inside, count)


def _exceptions(store: Stream, chunk: int) -> Iterator[tuple[int, int]]:
    """The exceptions, which fill the first chunk after the header, and then one after each chunk's worth of moved chunks."""
    room = chunk // _EXCEPTION.size
    for area in range(MAX_EXCEPTIONS // room + 1):
        start = (1 + area * (room + 1)) * chunk
        if start + chunk > store.size:
            return
        for old, new in _EXCEPTION.iter_unpack(exactly(store, start, chunk)):
            # The header is in chunk 0, so that nothing can have been moved there: this is the end (insert_exceptions()).
            if not new:
                return
            yield old, new
    raise ImageError(f"more than {MAX_EXCEPTIONS} chunks in an LVM snapshot")
