"""Random access into a gzip file (RFC 1952) without unpacking it, by resuming from decompressor states saved at intervals."""

from __future__ import annotations

import zlib
from bisect import bisect_right
from collections.abc import Iterator
from typing import TYPE_CHECKING

from v2vlint.disk.stream import Stream
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import ImageError

if TYPE_CHECKING:
    from zlib import _Decompress

BLOCK = 1 << 18
# A saved state takes some 40 KiB, most of it the window.
MAX_POINTS = 512
FIRST_SPACING = 4 << 20
_WITH_HEADER = 16 + zlib.MAX_WBITS


@dataclass(frozen=True, slots=True)
class _Point:
    """A state to resume from: ``produced`` plain bytes precede it; compressed input continues at ``consumed``, after ``state``."""

    produced: int
    consumed: int
    state: _Decompress


class Gzipped(Stream):
    """The plain content of ``base``, which contains consecutive gzip members. Opening reads all of it once.

    ImageError, naming ``name``, when it is damaged or truncated.
    """

    def __init__(self, name: str, base: Stream) -> None:
        self._name, self._base = name, base
        self._points: list[_Point] = []
        self._spacing = FIRST_SPACING
        super().__init__(self._survey())

    def read_at(self, offset: int, length: int) -> bytes:
        """See :class:`Stream`."""
        length = self.clip(offset, length)
        if not length:
            return b""
        point = self._points[bisect_right(self._points, offset, key=lambda one: one.produced) - 1]
        parts: list[bytes] = []
        position, end = point.produced, offset + length
        for data, _consumed, _state in self._from(point):
            if position + len(data) > offset:
                parts.append(data[max(0, offset - position) : end - position])
            position += len(data)
            if position >= end:
                break
        return b"".join(parts)

    def _survey(self) -> int:
        start = _Point(0, 0, zlib.decompressobj(_WITH_HEADER))
        self._points.append(_Point(0, 0, start.state.copy()))
        produced = 0
        for data, consumed, state in self._from(start):
            produced += len(data)
            if produced - self._points[-1].produced >= self._spacing:
                self._points.append(_Point(produced, consumed, state.copy()))
                if len(self._points) > MAX_POINTS:
                    # Every other one goes, so that memory stays bounded whatever the size.
                    self._points = self._points[::2]
                    self._spacing *= 2
        return produced

    def _from(self, point: _Point) -> Iterator[tuple[bytes, int, _Decompress]]:
        """Plain blocks starting at ``point``; with each, the offset of the next compressed byte and the state to process it."""
        state, consumed = point.state.copy(), point.consumed
        while True:
            packed = self._base.read_at(consumed, BLOCK)
            if not packed and state.eof:
                return
            data, state, used = self._step(state, packed)
            if not packed and not data and not state.eof:
                raise ImageError(f"{self._name}: the gzip file is truncated")
            consumed += used
            yield data, consumed, state

    def _step(self, state: _Decompress, packed: bytes) -> tuple[bytes, _Decompress, int]:
        """Plain bytes, at most a few blocks; the state after them; the number of compressed bytes consumed."""
        try:
            if state.eof:
                # Zeros may follow the last member, as on a tape; gzip(1) accepts them.
                if not packed.strip(b"\0"):
                    return b"", state, len(packed)
                state = zlib.decompressobj(_WITH_HEADER)
            data = state.decompress(packed, 4 * BLOCK)
        except zlib.error as error:
            raise ImageError(f"{self._name}: damaged gzip file: {error}") from error
        rest = len(state.unused_data if state.eof else state.unconsumed_tail)  # at the end of a member, zlib may have the rest in both
        return data, state, len(packed) - rest
