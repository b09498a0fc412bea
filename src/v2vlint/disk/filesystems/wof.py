"""Files that Windows compresses behind a reparse point (WOF: CompactOS, ``compact /exe``): XPRESS in chunks of 4, 8 or 16 KiB, LZX in
chunks of 32 KiB.

The reparse point names the provider and the algorithm. The stream ``WofCompressedData`` holds a table with the end of each chunk, then the
chunks; a chunk that did not shrink is stored as is. The unnamed stream is a hole of the file's size. Linux does not support this; the
format is described by ntfs-3g's plugin and wimlib's ``wof.h``.
"""

from __future__ import annotations

import io
import struct
from typing import BinaryIO

from v2vlint.disk.filesystems import lzx, xpress
from v2vlint.disk.stream import Chunked
from v2vlint.model.errors import ImageError, Unsupported

STREAM = "WofCompressedData"
_FILE_PROVIDER, _LZX = 2, 1  # WOF_PROVIDER_FILE, FILE_PROVIDER_COMPRESSION_LZX
_CHUNKS = {0: 4 << 10, _LZX: lzx.WINDOW, 2: 8 << 10, 3: 16 << 10}


class WofStream(Chunked):
    """The content of a file of ``size`` bytes whose ``packed`` stream is compressed by ``algorithm``."""

    def __init__(self, packed: BinaryIO, size: int, algorithm: int) -> None:
        super().__init__(size, _CHUNKS[algorithm])
        self._packed, self._algorithm = packed, algorithm
        self._width = 8 if size > 0xFFFFFFFF else 4
        self._data = max(-(-size // self._chunk) - 1, 0) * self._width
        self._total = packed.seek(0, io.SEEK_END)
        self._last: tuple[int, bytes] = (-1, b"")

    def piece(self, number: int, inside: int, count: int) -> bytes:
        """See :class:`~v2vlint.disk.stream.Chunked`; the last chunk is kept, for reads in small pieces."""
        if self._last[0] != number:
            self._last = (number, self._unpacked(number))
        return self._last[1][inside : inside + count]

    def _unpacked(self, number: int) -> bytes:
        size = min(self._chunk, self.size - number * self._chunk)
        start, end = self._end(number - 1), self._end(number)
        if not 0 <= start <= end <= self._total or end - start > size:
            raise ImageError("a file compressed by Windows (WOF) is damaged: its table of chunks does not fit")
        self._packed.seek(start)
        packed = bytes(self._packed.read(end - start))
        if len(packed) == size:
            return packed
        try:
            return lzx.unpack(packed, size) if self._algorithm == _LZX else xpress.unpack(packed, size)
        except (ValueError, IndexError, struct.error) as error:
            raise ImageError(f"a file compressed by Windows (WOF) is damaged: {error}") from error

    def _end(self, number: int) -> int:
        """The end of chunk ``number`` in the stream; chunk -1 is the table."""
        if number < 0:
            return self._data
        if (number + 1) * self._chunk >= self.size:
            return self._total
        self._packed.seek(number * self._width)
        return self._data + int.from_bytes(self._packed.read(self._width), "little")


def open_wof(data: bytes, packed: BinaryIO, size: int) -> WofStream:
    """The file whose reparse point is ``data``. Unsupported when the content is in an image file (WIM boot) or in an unknown form."""
    if len(data) < 16:
        raise ImageError("its reparse point is cut short")
    _version, provider, _own, algorithm = struct.unpack_from("<4I", data)
    if provider != _FILE_PROVIDER:
        raise Unsupported("a file whose content lies in an image file (WIM boot)")
    if algorithm not in _CHUNKS:
        raise Unsupported(f"a file compressed by Windows (WOF) in an unknown way ({algorithm})")
    return WofStream(packed, size, algorithm)
