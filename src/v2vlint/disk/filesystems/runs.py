"""File contents made of runs of disk blocks, for readers that know all runs of a file in advance."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable

from v2vlint.disk.stream import Stream, exactly

MAX_RUNS = 1 << 20


class RunFile(Stream):
    """A file of ``size`` bytes. A run is (first file block, first disk block or None for zeros, number of blocks); gaps are zeros."""

    def __init__(self, base: Stream, block: int, size: int, runs: Iterable[tuple[int, int | None, int]]) -> None:
        super().__init__(size)
        self._base, self._block = base, block
        self._runs = sorted(runs, key=lambda run: run[0])
        self._starts = [run[0] for run in self._runs]

    def read_at(self, offset: int, length: int) -> bytes:
        """See :class:`~v2vlint.disk.stream.Stream`."""
        length = self.clip(offset, length)
        parts: list[bytes] = []
        while length > 0:
            place, count = self._place(offset, length)
            parts.append(bytes(count) if place is None else exactly(self._base, place, count))
            offset, length = offset + count, length - count
        return b"".join(parts)

    def is_stored(self, offset: int) -> bool:
        """Whether the byte at ``offset`` lies on the disk, and not in a hole."""
        return self._place(offset, 1)[0] is not None

    def _place(self, offset: int, length: int) -> tuple[int | None, int]:
        number = offset // self._block
        index = bisect_right(self._starts, number) - 1
        if index >= 0:
            first, disk, blocks = self._runs[index]
            inside = offset - first * self._block
            if inside < blocks * self._block:
                return None if disk is None else disk * self._block + inside, min(length, blocks * self._block - inside)
        following = self._starts[index + 1] * self._block if index + 1 < len(self._starts) else offset + length
        return None, max(1, min(length, following - offset))
