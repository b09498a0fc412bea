"""LZX as used by Windows' image files and CompactOS: independent chunks of up to 32 KiB (Microsoft, [MS-PATCH]; wimlib for the rest).

A chunk is a sequence of blocks. Each block has Huffman codes for literals and matches and for long match lengths; the code lengths are
stored as differences from the previous block. An offset is a slot plus extra bits, or one of the last three offsets. Targets of x86 calls
were made absolute before compression and are made relative again.
"""

from __future__ import annotations

import struct

from v2vlint.disk.filesystems.huffman import Codes, codes, symbol

WINDOW = 1 << 15
# Slots for a window of 32 KiB; the size of a file that the translation of calls assumes is LZX_WIM_MAGIC_FILESIZE of wimlib.
_SLOTS, _LENGTHS, _SIGNATURE = 30, 249, 12_000_000
_EXTRA = (0, 0, *(slot // 2 - 1 if slot > 3 else 0 for slot in range(2, _SLOTS)))
_BASE = tuple(sum(1 << bits for bits in _EXTRA[:slot]) for slot in range(_SLOTS))


class _Bits:
    """Bits of little-endian 16-bit words, highest bit first."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at, self._held, self._left = data, 0, 0, 0

    def take(self, count: int) -> int:
        while self._left < count:
            word = int.from_bytes(self._data[self._at : self._at + 2], "little")
            if self._at > len(self._data) + 4:
                raise ValueError("LZX data is cut short")
            self._at += 2
            self._held = (self._held << 16 | word) & 0xFFFFFFFFFF
            self._left += 16
        self._left -= count
        return self._held >> self._left & ((1 << count) - 1)

    def symbol(self, table: Codes) -> int:
        return symbol(table, self.take)

    def align(self) -> None:
        """Skip to the next word; at the start of a word, skip all of it."""
        self._at += 0 if self._left else 2
        self._left = 0

    def raw(self, count: int) -> bytes:
        """Bytes after an :meth:`align`."""
        found = self._data[self._at : self._at + count]
        if len(found) < count:
            raise ValueError("LZX data is cut short")
        self._at += count
        return found


def _read_lengths(bits: _Bits, lengths: list[int], first: int, last: int) -> None:
    """Update the code lengths from ``first`` to ``last`` with those encoded by the pre-code."""
    table = codes([bits.take(4) for _ in range(20)])
    at = first
    while at < last:
        found = bits.symbol(table)
        if found < 17:
            # 0 to 16 are a difference, 17 and 18 begin a run of zeros, 19 one of the same length.
            new, run = (lengths[at] - found) % 17, 1
        elif found < 19:
            new, run = 0, 4 + bits.take(4) if found == 17 else 20 + bits.take(5)
        else:
            run = 4 + bits.take(1)
            new = (lengths[at] - bits.symbol(table)) % 17
        for place in range(at, min(at + run, last)):
            lengths[place] = new
        at += run


class _Chunk:
    """One chunk during decompression."""

    def __init__(self, data: bytes, size: int) -> None:
        self.bits, self.size, self.out = _Bits(data), size, bytearray()
        self.recent = [1, 1, 1]
        self.main, self.length = [0] * (256 + 8 * _SLOTS), [0] * _LENGTHS
        while len(self.out) < size:
            self._block()

    def _block(self) -> None:
        kind = self.bits.take(3)
        # A bit stands for the usual size.
        size = WINDOW if self.bits.take(1) else self.bits.take(16)
        if kind not in (1, 2, 3) or not 0 < size <= self.size - len(self.out):
            raise ValueError("LZX data has no such block")
        if kind == 3:
            self._stored(size)
        else:
            self._packed(len(self.out) + size, kind == 2)

    def _stored(self, size: int) -> None:
        self.bits.align()
        self.recent = list(struct.unpack("<3I", self.bits.raw(12)))
        self.out += self.bits.raw(size)
        # Bits continue at a whole word.
        if size % 2:
            self.bits.raw(1)

    def _packed(self, end: int, aligned: bool) -> None:
        low = codes([self.bits.take(3) for _ in range(8)]) if aligned else {}
        _read_lengths(self.bits, self.main, 0, 256)
        _read_lengths(self.bits, self.main, 256, len(self.main))
        _read_lengths(self.bits, self.length, 0, _LENGTHS)
        main, length, take = codes(self.main), codes(self.length), self.bits.take
        while len(self.out) < end:
            found = symbol(main, take)
            if found < 256:
                self.out.append(found)
                continue
            count = found & 7
            count += 2 + (symbol(length, take) if count == 7 else 0)
            self._copy(self._offset((found - 256) >> 3, low), count, end)

    def _offset(self, slot: int, low: Codes) -> int:
        if slot < 3:
            # A repeated offset trades places with the latest one; it does not push the others back.
            self.recent[0], self.recent[slot] = self.recent[slot], self.recent[0]
            return self.recent[0]
        extra = _EXTRA[slot]
        # In aligned blocks, the lowest three bits have a code of their own.
        if low and extra >= 3:
            rest = self.bits.take(extra - 3) << 3
            rest |= self.bits.symbol(low)
        else:
            rest = self.bits.take(extra)
        self.recent = [_BASE[slot] + rest - 2, *self.recent[:2]]
        return self.recent[0]

    def _copy(self, offset: int, count: int, end: int) -> None:
        start = len(self.out) - offset
        if start < 0 or offset < 1 or len(self.out) + count > end:
            raise ValueError("LZX data copies from outside")
        while count:
            part = self.out[start : start + min(count, offset)]
            self.out += part
            start += len(part)
            count -= len(part)


def unpack(data: bytes, size: int) -> bytes:
    """The ``size`` bytes of a chunk. ValueError when it is damaged."""
    return bytes(_relative(_Chunk(data, size).out))


def _relative(data: bytearray) -> bytearray:
    """Reverse the translation of x86 call targets (E8)."""
    # The last ten bytes are never translated.
    at, end = 0, len(data) - 10
    while at < end:
        at = data.find(0xE8, at, end)
        if at < 0:
            break
        (target,) = struct.unpack_from("<i", data, at + 1)
        if -at <= target < _SIGNATURE:
            struct.pack_into("<i", data, at + 1, target - at if target >= 0 else target + _SIGNATURE)
        at += 5
    return data
