"""Structures on disk by the names that their sources give the fields."""

from __future__ import annotations

import struct
from collections.abc import Mapping


class Fields:
    """Integer fields of a structure: each has its offset in bytes and its letter of :mod:`struct`. ``order`` is ``<`` or ``>``.

    Only the fields that somebody needs are listed, in the order of their offsets; one call of ``struct`` reads them all.
    """

    def __init__(self, order: str, **fields: tuple[int, str]) -> None:
        layout, end = order, 0
        for offset, letter in fields.values():
            layout += f"{offset - end}x{letter}"
            end = offset + struct.calcsize(order + letter)
        self._names, self._struct = tuple(fields), struct.Struct(layout)

    def read(self, data: bytes, offset: int = 0) -> Mapping[str, int]:
        """The fields of the structure ``offset`` bytes into ``data``, by name. struct.error when it is cut off."""
        return dict(zip(self._names, self._struct.unpack_from(data, offset), strict=True))
