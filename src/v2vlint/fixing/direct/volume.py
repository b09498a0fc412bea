"""A block device of the guest whose writes stay in memory, and the position of its bytes on the guest's disks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from v2vlint.disk.stream import Stream, exactly
from v2vlint.fixing.direct.terms import Declined
from v2vlint.model.dataclass import dataclass

BLOCK = 4096
SECTOR = 512
MAX_WRITTEN = 512 << 20


@dataclass(frozen=True, slots=True)
class Change:
    """Bytes to write to disk number ``disk`` (0-based) at ``offset``."""

    disk: int
    offset: int
    data: bytes


class WritableVolume:
    """``stream`` with changes layered on top. Declined when they need too much memory."""

    def __init__(self, stream: Stream) -> None:
        self.stream, self.size = stream, stream.size
        self._blocks: dict[int, bytearray] = {}

    def read(self, offset: int, length: int) -> bytes:
        """``length`` bytes, with zeros beyond the end."""
        first, last = offset // BLOCK, (offset + length - 1) // BLOCK
        if not any(number in self._blocks for number in range(first, last + 1)):
            return exactly(self.stream, offset, length)
        content = bytearray(exactly(self.stream, offset, length))
        for number in range(first, last + 1):
            if (block := self._blocks.get(number)) is not None:
                start = max(offset, number * BLOCK)
                end = min(offset + length, (number + 1) * BLOCK)
                content[start - offset : end - offset] = block[start - number * BLOCK : end - number * BLOCK]
        return bytes(content)

    def write(self, offset: int, data: bytes) -> None:
        """Record a write. ValueError for a place outside of the volume."""
        if offset < 0 or offset + len(data) > self.size:
            raise ValueError(f"a write of {len(data)} bytes at {offset} leaves a volume of {self.size}")
        done = 0
        while done < len(data):
            number, inside = divmod(offset + done, BLOCK)
            count = min(BLOCK - inside, len(data) - done)
            self._block(number)[inside : inside + count] = data[done : done + count]
            done += count

    def _block(self, number: int) -> bytearray:
        if number not in self._blocks:
            if len(self._blocks) >= MAX_WRITTEN // BLOCK:
                raise Declined(f"more than {MAX_WRITTEN >> 20} MiB would be written")
            self._blocks[number] = bytearray(exactly(self.stream, number * BLOCK, BLOCK))
        return self._blocks[number]

    def places(self, disks: Sequence[Stream]) -> Iterator[tuple[int, int, int, int]]:
        """The position of the whole volume on ``disks``: disk, offset, length, and offset in the volume. Declined like :meth:`changes`."""
        numbers = {id(disk): number for number, disk in enumerate(disks)}
        yield from _parts(self.stream, 0, self.size, 0, numbers)

    def changes(self, disks: Sequence[Stream]) -> Iterator[Change]:
        """The changes to ``disks``, in sectors that differ. Declined when the volume is not a plain part of the disks."""
        numbers = {id(disk): number for number, disk in enumerate(disks)}
        for start, data in _runs(self._blocks, self.stream):
            for disk, offset, length, place in _parts(self.stream, start, len(data), 0, numbers):
                yield Change(disk, offset, data[place : place + length])


def _runs(blocks: Mapping[int, bytearray], stream: Stream) -> Iterator[tuple[int, bytes]]:
    """The sectors that differ from ``stream``, adjacent ones joined."""
    start, held = 0, bytearray()
    for number in sorted(blocks):
        old = exactly(stream, number * BLOCK, BLOCK)
        for at in range(0, BLOCK, SECTOR):
            sector, place = blocks[number][at : at + SECTOR], number * BLOCK + at
            # The last block may reach beyond the end of the volume.
            if sector == old[at : at + SECTOR] or place >= stream.size:
                continue
            if start + len(held) != place:
                if held:
                    yield start, bytes(held)
                start, held = place, bytearray()
            held += sector
    if held:
        yield start, bytes(held[: stream.size - start])


def _parts(stream: Stream, offset: int, length: int, place: int, disks: Mapping[int, int]) -> Iterator[tuple[int, int, int, int]]:
    """The position of a stream's bytes on disks (by identity), in the form of :meth:`WritableVolume.places`."""
    if id(stream) in disks:
        yield disks[id(stream)], offset, length, place
        return
    for below, start, count in stream.parts(offset, length):
        if below is stream or below is None:
            raise Declined("it lies on something that is no plain part of a disk")
        yield from _parts(below, start, count, place, disks)
        place += count
