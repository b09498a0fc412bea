"""Compressed files of EROFS (fs/erofs/zmap.c): an index with one entry per logical cluster, in a full or a compact form."""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections import OrderedDict

import lz4.block

from v2vlint.disk.stream import Stream, exactly
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import ImageError, Unsupported

MAX_CLUSTERS = 1 << 20
MAX_PIECE = 8 << 20
KEPT = 16
_COMPACTED_2B, _BIG = 1, 2 | 4
_FRAGMENT_OR_TAIL = 8 | 16 | 32
_STORED, _HEAD, _INSIDE, _HEAD2 = range(4)


@dataclass(frozen=True, slots=True)
class _Extent:
    """From byte ``start`` of the file on: what ``block`` decompresses to, or contains as is (``stored``)."""

    start: int
    block: int
    stored: bool


class Packed(Stream):
    """A file of ``size`` bytes whose index starts after ``place``. Unsupported for anything but LZ4 in clusters of one block."""

    def __init__(self, base: Stream, block: int, size: int, place: int, *, compact: bool) -> None:
        super().__init__(size)
        self._base, self._block = base, block
        at = -(-place // 8) * 8
        self._advise, algorithms, bits = struct.unpack("<HBB", exactly(base, at + 4, 4))
        self._bits: int = block.bit_length() - 1 + (bits & 7)
        if algorithms & 15 or self._advise & (_BIG | _FRAGMENT_OR_TAIL) or bits & 0x80 or size >> self._bits > MAX_CLUSTERS:
            raise Unsupported("EROFS files that are not packed with LZ4, a block at a time, are not supported")
        # The full form skips eight more bytes (Z_EROFS_FULL_INDEX_ALIGN()).
        self._extents = list(self._compact(at + 8) if compact else self._full(at + 16))
        self._starts = [extent.start for extent in self._extents]
        self._known: OrderedDict[int, bytes] = OrderedDict()

    @property
    def _clusters(self) -> int:
        return -(-self.size // (1 << self._bits))

    def _full(self, at: int) -> list[_Extent]:
        table = exactly(self._base, at, self._clusters * 8)
        rows = (struct.unpack_from("<HHI", table, number * 8) for number in range(self._clusters))
        heads = ((number, row) for number, row in enumerate(rows) if row[0] & 3 != _INSIDE)
        return [_Extent((number << self._bits) + offset, block, kind & 3 == _STORED) for number, (kind, offset, block) in heads]

    def _compact(self, at: int) -> list[_Extent]:
        """Entries of four bytes up to a multiple of 32, then of two bytes if the file has such entries, then of four again."""
        total, found = self._clusters, list[_Extent]()
        # As z_erofs_load_compact_lcluster().
        first = (32 - at % 32) // 4 % 8
        middle = (total - first) // 16 * 16 if self._advise & _COMPACTED_2B and total > first else 0
        number = 0
        for count, width in ((first, 4), (middle, 2), (total - first - middle, 4)):
            # A group of 32 or 8 bytes ends with the block that its entries count from.
            group = 16 if width == 2 else 2
            for start in range(0, min(count, total - number) if count > 0 else 0, group):
                found += self._pack(number + start, exactly(self._base, at + start * width, group * width), group, total)
            if count > 0:
                at, number = at + count * width, number + count
        return found

    def _pack(self, number: int, data: bytes, group: int, total: int) -> list[_Extent]:
        bits = (len(data) - 4) * 8 // group
        whole, block = int.from_bytes(data, "little"), int.from_bytes(data[-4:], "little")
        words = [whole >> (bits * index) & ((1 << bits) - 1) for index in range(group)]
        rows = [(word & ((1 << self._bits) - 1), word >> self._bits & 3) for word in words]
        found = []
        for index, (low, kind) in enumerate(rows):
            if kind != _INSIDE and number + index < total:
                place = block + _blocks_before(rows, index)
                found.append(_Extent((number + index << self._bits) + low, place, kind == _STORED))
        return found

    def read_at(self, offset: int, length: int) -> bytes:
        """See :class:`~v2vlint.disk.stream.Stream`."""
        length, parts = self.clip(offset, length), list[bytes]()
        while length > 0:
            index = bisect_right(self._starts, offset) - 1
            if index < 0:
                raise ImageError("damaged EROFS (no cluster)")
            part = self._unpacked(index)[offset - self._starts[index] :][:length]
            if not part:
                raise ImageError("damaged EROFS (a cluster is too short)")
            parts.append(part)
            offset, length = offset + len(part), length - len(part)
        return b"".join(parts)

    def _unpacked(self, index: int) -> bytes:
        if index in self._known:
            return self._known[index]
        extent = self._extents[index]
        end = self._extents[index + 1].start if index + 1 < len(self._extents) else self.size
        size = end - extent.start
        if not 0 < size <= MAX_PIECE:
            raise ImageError("damaged EROFS (clusters out of order)")
        raw = exactly(self._base, extent.block * self._block, self._block)
        data = self._known[index] = raw[:size] if extent.stored else _lz4(raw, size)
        if len(self._known) > KEPT:
            self._known.popitem(last=False)
        return data


def _blocks_before(rows: list[tuple[int, int]], index: int) -> int:
    """The number of blocks between the one stated for a pack and that of its entry ``index``."""
    found = 1
    while index > 0:
        index -= 1
        if rows[index][1] == _INSIDE:
            index -= rows[index][0]
        if index >= 0:
            found += 1
    return found


def _lz4(raw: bytes, size: int) -> bytes:
    """Decompress a block. The data is at the end of the block, after padding with zeros."""
    try:
        data = lz4.block.decompress(raw.lstrip(b"\0"), uncompressed_size=size)
    except lz4.block.LZ4BlockError as error:
        raise ImageError(f"damaged EROFS ({error})") from error
    return bytes(data)
