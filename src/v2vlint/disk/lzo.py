"""LZO1X blocks."""

from __future__ import annotations


def decompress_block(data: bytes, size: int) -> bytes:
    """One LZO1X block that unpacks to ``size`` bytes; any exception when it is damaged."""
    from dissect.util.compression import lzo

    return bytes(lzo.decompress(data, False, size))
