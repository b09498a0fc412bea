"""XPRESS with Huffman codes ([MS-XCA], "LZ77+Huffman"), one chunk at a time. dissect's decoder stops at the end of the input, not after the
last symbol.
"""

from __future__ import annotations

from v2vlint.disk.filesystems import huffman

_TABLE, _END = 256, 256


class _Bits:
    """Bits of little-endian 16-bit words, highest bit first, with two words of read-ahead; literal bytes come from the data after them."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at, self._held, self._left = data, _TABLE, 0, 0
        self._more()
        self._more()

    def _more(self) -> None:
        self._held = (self._held << 16 | self.number(2)) & 0xFFFFFFFFFFFF
        self._left += 16

    def number(self, size: int) -> int:
        """The next bytes as a number; zeros beyond the end, since the last symbols may read ahead."""
        if self._at > len(self._data) + 8:
            raise ValueError("XPRESS data is cut short")
        found = int.from_bytes(self._data[self._at : self._at + size], "little")
        self._at += size
        return found

    def take(self, count: int) -> int:
        self._left -= count
        found = self._held >> self._left & ((1 << count) - 1)
        if self._left < 16:
            self._more()
        return found


def unpack(data: bytes, size: int) -> bytes:
    """The ``size`` bytes of a chunk. ValueError when it is damaged."""
    if len(data) < _TABLE:
        raise ValueError("XPRESS data is cut short")
    table = huffman.codes([half for byte in data[:_TABLE] for half in (byte & 15, byte >> 4)])
    bits, out = _Bits(data), bytearray()
    while len(out) < size:
        found = huffman.symbol(table, bits.take)
        if found < _END:
            out.append(found)
        else:
            _copy(out, found - _END, bits, size)
    return bytes(out)


def _copy(out: bytearray, match: int, bits: _Bits, size: int) -> None:
    count, log = match & 15, match >> 4
    if count == 15:
        count += bits.number(1)
        if count == 15 + 255:
            count = bits.number(2) or bits.number(4)
    offset = (1 << log) + bits.take(log)
    count += 3
    start = len(out) - offset
    if start < 0 or len(out) + count > size:
        raise ValueError("XPRESS data copies from outside")
    while count:
        part = out[start : start + min(count, offset)]
        out += part
        start += len(part)
        count -= len(part)
