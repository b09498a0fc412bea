"""RAID 10 as laid out by drivers/md/raid10.c: near, far and offset copies, and far copies in sets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from v2vlint.disk.stream import Chunked, Stream, exactly
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import ImageError, Unsupported

_OFFSET, _SETS = 1 << 16, 17


@dataclass(frozen=True, slots=True)
class Geometry:
    """The numbers of ``near`` and ``far`` copies; with ``offset``, far copies are in the next stripe. They are confined to sets of
    ``far_set`` disks.
    """

    disks: int
    near: int
    far: int
    offset: bool
    far_set: int


def geometry(layout: int, disks: int) -> Geometry:
    """The geometry in the layout word of a superblock; ImageError for an impossible one, Unsupported for one that Linux does not
    implement.
    """
    near, far, sets = layout & 0xFF, layout >> 8 & 0xFF, layout >> _SETS
    if not near or not far or near * far > disks:
        raise ImageError(f"damaged RAID superblock (layout {layout:#x})")
    if sets > 2 or (sets and not (disks // far if sets == 1 else far * near)):
        raise Unsupported(f"MD RAID 10 of layout {layout:#x} is not supported")
    return Geometry(disks, near, far, bool(layout & _OFFSET), {0: disks, 1: disks // far, 2: far * near}[sets])


class Raid10(Chunked):
    """The content of a RAID 10. ``parts`` are the available members by slot, ``size`` is the number of bytes that each contributes."""

    def __init__(self, layout: int, disks: int, chunk: int, parts: Mapping[int, Stream], size: int) -> None:
        self._shape = shape = geometry(layout, disks)
        if chunk < 512 or chunk % 512:
            raise ImageError(f"damaged RAID superblock (chunk size {chunk})")
        self._parts = parts
        # As raid10_size().
        chunks = size // chunk // shape.far * disks // shape.near
        used = -(-chunks * shape.near * shape.far // disks)
        self._stride = 1 if shape.offset else used // shape.far
        super().__init__(chunks * chunk, chunk)
        lost = [number for number in range(min(chunks, disks)) if not any(slot in parts for slot, _row in self.copies(number))]
        if lost:
            raise ImageError(f"{disks - len(parts)} of {disks} members are missing")

    def copies(self, number: int) -> Iterator[tuple[int, int]]:
        """Slot and row (in chunks) of every copy of chunk ``number``."""
        shape = self._shape
        # As __raid10_find_phys().
        stripe, slot = divmod(number * shape.near, shape.disks)
        row = stripe * shape.far if shape.offset else stripe
        for _copy in range(shape.near):
            device = slot
            for far in range(shape.far):
                yield device, row + far * self._stride
                device = self._next(device)
            slot += 1
            if slot >= shape.disks:
                slot, row = 0, row + 1

    def _next(self, device: int) -> int:
        """The disk with the next far copy."""
        shape = self._shape
        group, rest = device // shape.far_set, shape.disks % shape.far_set
        last = (shape.disks // shape.far_set - 1) * shape.far_set
        device += shape.near
        if rest and device > last:
            return (device - last) % (shape.far_set + rest) + last
        return device % shape.far_set + shape.far_set * group

    def piece(self, number: int, inside: int, count: int) -> bytes:
        """See :class:`~v2vlint.disk.stream.Chunked`."""
        for slot, row in self.copies(number):
            if slot in self._parts:
                return exactly(self._parts[slot], row * self._chunk + inside, count)
        raise ImageError(f"no member with chunk {number} is at hand")
