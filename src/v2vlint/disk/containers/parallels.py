"""Parallels' expanding images (docs/interop/parallels.txt of QEMU): a table with the location of every block."""

from __future__ import annotations

import struct

from v2vlint.disk.containers.microsoft import Blocks
from v2vlint.disk.stream import Stream
from v2vlint.model.errors import ImageError

MAGICS = (b"WithoutFreeSpace", b"WithouFreSpacExt")
_HEADER = struct.Struct("<16sIIIIIQII")
_IN_USE = 0x746F6E59


class Parallels(Blocks):
    """An expanding image. ``dirty`` means that it was not closed."""

    def __init__(self, name: str, base: Stream) -> None:
        header = base.read_at(0, 64)
        if len(header) < 64:
            raise ImageError(f"{name}: truncated header")
        magic, version, _heads, _cylinders, tracks, self._entries, sectors, in_use, _data = _HEADER.unpack_from(header)
        if version != 2 or not tracks:
            raise ImageError(f"{name}: damaged header (version {version}, blocks of {tracks} sectors)")
        self._unit = tracks * 512 if magic == MAGICS[1] else 512
        self.dirty = in_use == _IN_USE
        super().__init__(name, base, (sectors if magic == MAGICS[1] else sectors & 0xFFFFFFFF) * 512, tracks * 512)

    def _find(self, number: int) -> int | None:
        if number >= self._entries:
            raise ImageError(f"{self._name}: damaged image (its block table is too small)")
        return self._entry("<I", 64 + number * 4) * self._unit or None
