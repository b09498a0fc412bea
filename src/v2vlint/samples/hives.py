"""Registry hives for rule examples that text alone cannot describe."""

from __future__ import annotations

import struct

from v2vlint.disk.hives.log import checksum
from v2vlint.samples.regf import make_hive


def sample_unsaved_hive(text: str) -> bytes:
    """The hive of a ``.reg`` text (see :mod:`v2vlint.samples.regf`) whose last changes are only in its log files."""
    hive = bytearray(make_hive(text))
    struct.pack_into("<I", hive, 4, 2)
    struct.pack_into("<I", hive, 508, checksum(hive))
    return bytes(hive)
