"""On-disk structures, read by the field names of the header or specification that defines them."""

from __future__ import annotations

import struct
from collections.abc import Mapping


class Fields:
    """The integer fields of a structure: an offset in bytes and a :mod:`struct` letter for each. ``order`` is ``<`` or ``>``.

    Only the fields in use are listed, in the order of their offsets; a single ``struct`` call reads them all.
    """

    def __init__(self, order: str, **fields: tuple[int, str]) -> None:
        layout, end = order, 0
        for offset, letter in fields.values():
            layout += f"{offset - end}x{letter}"
            end = offset + struct.calcsize(order + letter)
        self._names, self._struct = tuple(fields), struct.Struct(layout)

    def read(self, data: bytes | bytearray, offset: int = 0) -> Mapping[str, int]:
        """The fields of the structure ``offset`` bytes into ``data``, by name. struct.error when the structure is truncated."""
        return dict(zip(self._names, self._struct.unpack_from(data, offset), strict=True))
