"""AES-XTS as dm-crypt uses it (``aes-xts-plain64``), a whole read at a time: the tweaks of all sectors are doubled in one number."""

from __future__ import annotations

from array import array
from typing import Any

from Crypto.Cipher import AES

from v2vlint.disk.stream import Stream

_STEP = 512
_MAX = 1 << 20


class XtsStream(Stream):
    """The plain content of ``base`` from ``offset`` on. Initialisation vectors count units of ``unit`` bytes from ``tweak`` on."""

    def __init__(self, base: Stream, key: bytes, offset: int, size: int, sector: int = 512, tweak: int = 0, unit: int = _STEP) -> None:
        super().__init__(size)
        half = len(key) // 2
        self._data: Any = AES.new(key[:half], AES.MODE_ECB)
        self._tweak: Any = AES.new(key[half:], AES.MODE_ECB)
        self._base, self._offset, self._sector, self._first, self._unit = base, offset, sector, tweak, unit

    def read_at(self, offset: int, length: int) -> bytes:
        """See :class:`~v2vlint.disk.stream.Stream`."""
        length = self.clip(offset, length)
        start, end = offset // self._sector * self._sector, -(-(offset + length) // self._sector) * self._sector
        parts = (self._plain(at, min(_MAX, end - at)) for at in range(start, end, _MAX))
        return b"".join(parts)[offset - start : offset - start + length]

    def _plain(self, offset: int, length: int) -> bytes:
        data = self._base.read_at(self._offset + offset, length)
        data = data[: len(data) // self._sector * self._sector]
        count = len(data) // self._sector
        first, step = self._first + offset // self._unit, self._sector // self._unit
        vectors = b"".join((first + index * step).to_bytes(16, "little") for index in range(count))
        tweaks = spread(self._tweak.encrypt(vectors), self._sector // 16)
        return xor(self._data.decrypt(xor(data, tweaks)), tweaks)


def spread(firsts: bytes, blocks: int) -> bytes:
    """The tweaks of ``blocks`` 16-byte blocks in every sector, from the first one of each: multiplied by x in GF(2^128) step by step."""
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
        lanes = ((lanes ^ carry) << 1) ^ (carry >> 127) * 0x87
    return out.tobytes()


def xor(left: bytes, right: bytes) -> bytes:
    """Bytewise exclusive or of two strings of the same length."""
    return (int.from_bytes(left, "little") ^ int.from_bytes(right, "little")).to_bytes(len(left), "little")
