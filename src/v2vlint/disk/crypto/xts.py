"""AES-XTS as used by dm-crypt (``aes-xts-plain64``). A read is decrypted as a whole: the tweaks of all sectors are doubled in one
integer.
"""

from __future__ import annotations

from array import array
from typing import Any

from Crypto.Cipher import AES

from v2vlint.disk.stream import Stream

_STEP = 512
_MAX = 1 << 20


class DecryptedSectors(Stream):
    """The decrypted content of ``base`` starting at ``offset``, sector by sector. Subclasses implement :meth:`plain`."""

    def __init__(self, base: Stream, offset: int, size: int, sector: int) -> None:
        super().__init__(size)
        self._base, self._offset, self._sector = base, offset, sector

    def read_at(self, offset: int, length: int) -> bytes:
        """See :class:`~v2vlint.disk.stream.Stream`."""
        length, sector = self.clip(offset, length), self._sector
        start, end = offset // sector * sector, -(-(offset + length) // sector) * sector
        # In parts, since decrypting takes several times the memory of what is decrypted.
        parts = (self._part(at, min(_MAX, end - at)) for at in range(start, end, _MAX))
        return b"".join(parts)[offset - start : offset - start + length]

    def _part(self, offset: int, length: int) -> bytes:
        data = self._base.read_at(self._offset + offset, length)
        return self.plain(offset, data[: len(data) // self._sector * self._sector])

    def plain(self, offset: int, data: bytes) -> bytes:
        """The whole sectors ``data``, located at ``offset``, decrypted."""
        raise NotImplementedError


class XtsStream(DecryptedSectors):
    """The plain content of ``base`` starting at ``offset``. Initialisation vectors count units of ``unit`` bytes, starting at ``tweak``."""

    def __init__(self, base: Stream, key: bytes, offset: int, size: int, sector: int = 512, tweak: int = 0, unit: int = _STEP) -> None:
        super().__init__(base, offset, size, sector)
        half = len(key) // 2
        self._data: Any = AES.new(key[:half], AES.MODE_ECB)
        self._tweak: Any = AES.new(key[half:], AES.MODE_ECB)
        self._first, self._unit = tweak, unit

    def plain(self, offset: int, data: bytes) -> bytes:
        """See :class:`DecryptedSectors`."""
        count = len(data) // self._sector
        first, step = self._first + offset // self._unit, self._sector // self._unit
        vectors = b"".join((first + index * step).to_bytes(16, "little") for index in range(count))
        tweaks = spread(self._tweak.encrypt(vectors), self._sector // 16)
        return xor(self._data.decrypt(xor(data, tweaks)), tweaks)


def spread(firsts: bytes, blocks: int) -> bytes:
    """The tweaks of ``blocks`` 16-byte blocks in every sector, given the first one of each: repeated multiplication by x in GF(2^128)."""
    count = len(firsts) // 16
    ones = int.from_bytes((b"\1" + bytes(15)) * count, "little")
    tops = ones << 127
    out = array("Q", bytes(len(firsts) * blocks))
    lanes = int.from_bytes(firsts, "little")
    for block in range(blocks):
        words = array("Q", lanes.to_bytes(len(firsts), "little"))
        out[2 * block :: 2 * blocks] = words[0::2]
        out[2 * block + 1 :: 2 * blocks] = words[1::2]
        carry = lanes & tops
        # x^128 = x^7 + x^2 + x + 1; without their top bits, the lanes cannot run into one another.
        lanes = ((lanes ^ carry) << 1) ^ (carry >> 127) * 0x87
    return out.tobytes()


def xor(left: bytes, right: bytes) -> bytes:
    """Bytewise exclusive or of two strings of the same length."""
    return (int.from_bytes(left, "little") ^ int.from_bytes(right, "little")).to_bytes(len(left), "little")
