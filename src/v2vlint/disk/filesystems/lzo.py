"""LZO1X blocks."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any


class LzoError(Exception):
    """A block is damaged."""


@cache
def _decompressor() -> Callable[..., Any]:
    """python-lzo where it is installed (the ``lzo`` extra), else dissect's."""
    try:
        import lzo
    except ImportError:
        from dissect.util.compression import lzo
    return lzo.decompress  # type: ignore[no-any-return, unused-ignore]


def decompress_block(data: bytes, size: int) -> bytes:
    """One LZO1X block that unpacks to ``size`` bytes; LzoError when it is damaged.

    dissect's native code panics on damaged bytes, which arrives as a BaseException of its own.
    """
    try:
        return bytes(_decompressor()(data, False, size))
    except (MemoryError, KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:
        raise LzoError(str(error) or type(error).__name__) from error
