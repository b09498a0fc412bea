"""An image with some bytes written over, without a copy of it."""

from __future__ import annotations

from pathlib import Path

from v2vlint.disk.stream import HostFile, Stream


class Spoiled(Stream):
    """``image`` with each of ``writes``, a place and bytes."""

    def __init__(self, image: Path, *writes: tuple[int, bytes]) -> None:
        self._base, self._writes = HostFile(str(image)), writes
        super().__init__(self._base.size)

    def read_at(self, offset: int, length: int) -> bytes:
        """See :class:`Stream`."""
        data = bytearray(self._base.read_at(offset, length))
        for at, part in self._writes:
            inside = part[max(0, offset - at) : max(0, offset + len(data) - at)]
            start = max(0, at - offset)
            data[start : start + len(inside)] = inside
        return bytes(data)
