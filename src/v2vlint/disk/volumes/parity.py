"""RAID 4, 5 and 6 as laid out by drivers/md/raid5.c; the content of missing members is computed from the others.

RAID 6 follows "The mathematics of RAID-6" (H. P. Anvin): P is the sum, Q the sum weighted with powers of 2 in GF(2^8) with polynomial
0x11d.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping

from v2vlint.disk.stream import Chunked, Stream, exactly
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import ImageError, Unsupported

LEFT_ASYMMETRIC, RIGHT_ASYMMETRIC, LEFT_SYMMETRIC, RIGHT_SYMMETRIC, PARITY_FIRST, PARITY_LAST = range(6)
_DDF_ZERO_RESTART, _DDF_N_RESTART, _DDF_N_CONTINUE = 8, 9, 10
_Q_LAST = 16
"""Added to a layout of RAID 5, it is that layout with Q on a further disk."""


@dataclass(frozen=True, slots=True)
class ParityRow:
    """Which slots of one stripe hold P and Q (-1: none), and which hold data, in the order of the content."""

    p: int
    q: int
    data: tuple[int, ...]
    weights: tuple[int, ...] = ()
    """The power of 2 with which each of ``data`` counts in Q."""


def row_of(level: int, layout: int, disks: int, stripe: int) -> ParityRow:
    """The layout of a stripe; Unsupported for one that Linux does not implement."""
    if level == 6:
        return _six(layout, disks, stripe)
    p, data = _five(PARITY_LAST if level == 4 else layout, disks, stripe)
    return ParityRow(p, -1, data)


def _five(layout: int, disks: int, stripe: int) -> tuple[int, tuple[int, ...]]:
    turn = stripe % disks
    places = {
        LEFT_ASYMMETRIC: disks - 1 - turn, LEFT_SYMMETRIC: disks - 1 - turn, RIGHT_ASYMMETRIC: turn, RIGHT_SYMMETRIC: turn,
        PARITY_FIRST: 0, PARITY_LAST: disks - 1,
    }  # fmt: skip
    if layout not in places:
        raise Unsupported(f"MD RAID 5 of layout {layout} is not supported")
    p = places[layout]
    if layout in (LEFT_SYMMETRIC, RIGHT_SYMMETRIC):
        return p, tuple((p + 1 + index) % disks for index in range(disks - 1))
    return p, tuple(slot for slot in range(disks) if slot != p)


def _six(layout: int, disks: int, stripe: int) -> ParityRow:
    if _Q_LAST <= layout <= _Q_LAST + PARITY_FIRST:
        p, data = _five(layout - _Q_LAST, disks - 1, stripe)
        return _weighted(p, disks - 1, data, disks)
    turn = stripe % disks
    if layout in (PARITY_FIRST, PARITY_LAST):
        p = 0 if layout == PARITY_FIRST else disks - 2
    elif layout in (RIGHT_ASYMMETRIC, RIGHT_SYMMETRIC, _DDF_ZERO_RESTART):
        p = turn
    elif layout in (LEFT_ASYMMETRIC, LEFT_SYMMETRIC, _DDF_N_CONTINUE):
        p = disks - 1 - turn
    elif layout == _DDF_N_RESTART:
        p = disks - 1 - (stripe + 1) % disks
    else:
        raise Unsupported(f"MD RAID 6 of layout {layout} is not supported")
    if layout == _DDF_N_CONTINUE:
        # Here alone, Q precedes P.
        q, first = (p + disks - 1) % disks, p + 1
    else:
        q, first = (p + 1) % disks, p + 2
    if layout in (LEFT_SYMMETRIC, RIGHT_SYMMETRIC, _DDF_N_CONTINUE):
        data = tuple((first + index) % disks for index in range(disks - 2))
    else:
        data = tuple(slot for slot in range(disks) if slot not in (p, q))
    return _weighted(p, q, data, disks, ddf=layout in (_DDF_ZERO_RESTART, _DDF_N_RESTART, _DDF_N_CONTINUE))


def _weighted(p: int, q: int, data: tuple[int, ...], disks: int, *, ddf: bool = False) -> ParityRow:
    """The data slots with their weights. Powers count from the disk after Q, skipping P and Q; DDF counts from the first disk, including P
    and Q.
    """
    order = range(disks) if ddf else [(q + 1 + index) % disks for index in range(disks)]
    counted = [slot for slot in order if ddf or slot not in (p, q)]
    power = {slot: index for index, slot in enumerate(counted)}
    return ParityRow(p, q, data, tuple(power[slot] for slot in data))


class Parity(Chunked):
    """The content of a RAID 4, 5 or 6. ``parts`` are the available members by slot, ``size`` is the number of bytes that each contributes.

    ImageError when more members are missing than the level tolerates.
    """

    def __init__(self, level: int, layout: int, disks: int, chunk: int, parts: Mapping[int, Stream], size: int) -> None:
        spare = 2 if level == 6 else 1
        if chunk < 512 or chunk % 512 or disks <= spare:
            raise ImageError(f"damaged RAID superblock ({disks} members, chunk size {chunk})")
        if len(parts) < disks - spare:
            raise ImageError(f"{disks - len(parts)} of {disks} members are missing")
        # An unknown layout is reported here, not by the first read.
        row_of(level, layout, disks, 0)
        self._level, self._layout, self._disks, self._parts, self._width = level, layout, disks, parts, disks - spare
        super().__init__(size // chunk * chunk * self._width, chunk)

    def piece(self, number: int, inside: int, count: int) -> bytes:
        """See :class:`~v2vlint.disk.stream.Chunked`."""
        stripe, index = divmod(number, self._width)
        row = row_of(self._level, self._layout, self._disks, stripe)
        offset = stripe * self._chunk + inside
        slot = row.data[index]
        if slot in self._parts:
            return exactly(self._parts[slot], offset, count)
        return self._computed(row, index, offset, count)

    def _computed(self, row: ParityRow, lost: int, offset: int, count: int) -> bytes:
        def read(slot: int) -> bytes:
            return exactly(self._parts[slot], offset, count)

        others = [(index, slot) for index, slot in enumerate(row.data) if slot in self._parts]
        rest = _sum((read(slot) for _index, slot in others), count)
        also = next((index for index, slot in enumerate(row.data) if slot not in self._parts and index != lost), None)
        # One block of data is missing: P without the others is that block.
        if also is None and row.p in self._parts:
            return _sum((rest, read(row.p)), count)
        weighted = _sum((_times(read(slot), _power(row.weights[index])) for index, slot in others), count)
        q = _sum((weighted, read(row.q)), count)
        if also is None:
            # P is missing as well: what remains of Q is the block times its weight.
            return _times(q, _inverse(_power(row.weights[lost])))
        p = _sum((rest, read(row.p)), count)
        # Two blocks of data are missing: P is their sum, Q their weighted sum.
        mine, other = _power(row.weights[lost]), _power(row.weights[also])
        return _times(_sum((q, _times(p, other)), count), _inverse(mine ^ other))


def _sum(parts: Iterable[bytes], count: int) -> bytes:
    return functools.reduce(lambda one, part: one ^ int.from_bytes(part, "little"), parts, 0).to_bytes(count, "little")


def _product(one: int, other: int) -> int:
    found = 0
    while other:
        found ^= one if other & 1 else 0
        one, other = one << 1 ^ (0x11D if one & 0x80 else 0), other >> 1
    return found


@functools.cache
def _power(exponent: int) -> int:
    return functools.reduce(lambda one, _step: _product(one, 2), range(exponent % 255), 1)


@functools.cache
def _inverse(value: int) -> int:
    return next(one for one in range(1, 256) if _product(value, one) == 1)


@functools.cache
def _table(factor: int) -> bytes:
    return bytes(_product(value, factor) for value in range(256))


def _times(data: bytes, factor: int) -> bytes:
    return data.translate(_table(factor))
