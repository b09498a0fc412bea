"""AES-CBC as BitLocker uses it, with or without the Elephant diffuser (N. Ferguson, "AES-CBC + Elephant diffuser", 2006).

All sectors of a read are processed at once: word 0 of every sector, then word 1…, as lanes of one big integer.
"""

from __future__ import annotations

from array import array
from typing import Any

from Crypto.Cipher import AES

from v2vlint.disk.crypto.xts import DecryptedSectors, xor
from v2vlint.disk.stream import Stream

_A, _B = (9, 0, 13, 0), (0, 10, 0, 25)
_LANE = b"\xff\xff\xff\xff\0\0\0\0"


class CbcStream(DecryptedSectors):
    """The plain content of ``base``. A sector's initialisation vector is its offset, encrypted; ``diffuser`` is the diffuser's key, if
    any.
    """

    def __init__(self, base: Stream, key: bytes, sector: int, diffuser: bytes = b"") -> None:
        super().__init__(base, 0, base.size, sector)
        self._cipher: Any = AES.new(key, AES.MODE_ECB)
        self._diffuser: Any = AES.new(diffuser, AES.MODE_ECB) if diffuser else None

    def plain(self, offset: int, data: bytes) -> bytes:
        """See :class:`~v2vlint.disk.crypto.xts.DecryptedSectors`."""
        if not data:
            return b""
        places = range(offset, offset + len(data), self._sector)
        offsets = [place.to_bytes(16, "little") for place in places]
        vectors, before = self._cipher.encrypt(b"".join(offsets)), bytearray(16) + data[:-16]
        # Only the first block of a sector is not chained to the one before.
        for index in range(len(offsets)):
            before[index * self._sector : index * self._sector + 16] = vectors[index * 16 : index * 16 + 16]
        plain = xor(self._cipher.decrypt(data), bytes(before))
        if self._diffuser is None:
            return plain
        halves = self._diffuser.encrypt(b"".join(one + one[:15] + b"\x80" for one in offsets))
        keys = (halves[at : at + 32] * (self._sector // 32) for at in range(0, len(halves), 32))
        return xor(undiffuse(plain, self._sector), b"".join(keys))


def undiffuse(data: bytes, sector: int) -> bytes:
    """Whole sectors after reversing diffusers B and A."""
    per, words = sector // 4, array("I", data)
    mask = int.from_bytes(_LANE * (len(data) // sector), "little")
    lanes = [_wide(words[index::per]) for index in range(per)]
    # Diffuser B runs three times and A five times, in both directions.
    for index in [*range(per)] * 3:
        other = _turned(lanes[(index + 5) % per], _B[index % 4], mask)
        lanes[index] = (lanes[index] + (lanes[(index + 2) % per] ^ other)) & mask
    for index in [*range(per)] * 5:
        other = _turned(lanes[index - 5], _A[index % 4], mask)
        lanes[index] = (lanes[index] + (lanes[index - 2] ^ other)) & mask
    for index, lane in enumerate(lanes):
        words[index::per] = array("I", lane.to_bytes(2 * len(data) // per, "little"))[0::2]
    return words.tobytes()


def _wide(words: array[int]) -> int:
    """The same words, each followed by 32 zero bits."""
    wide = array("I", bytes(8 * len(words)))
    wide[0::2] = words
    return int.from_bytes(wide.tobytes(), "little")


def _turned(lanes: int, bits: int, mask: int) -> int:
    """Each word rotated to the left."""
    if not bits:
        return lanes
    moved = lanes << bits
    return (moved | moved >> 32) & mask
