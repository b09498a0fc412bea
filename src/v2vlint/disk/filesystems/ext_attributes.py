"""Extended attributes of ext (fs/ext4/xattr.h of Linux): after the fields of an inode, and in a block that inodes may share."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

from v2vlint.model.errors import ImageError

MAX_VALUE = 1 << 16  # XATTR_SIZE_MAX
_MAGIC = b"\x00\x00\x02\xea"
# EXT4_XATTR_INDEX_USER, _TRUSTED and _SECURITY.
_SPACES = {1: "user.", 4: "trusted.", 6: "security."}
_BLOCK_HEADER = 32

Elsewhere = Callable[[int, int], bytes]
"""The value that the inode of a number holds, of a size (feature ``ea_inode``)."""


def in_inode(data: bytes, extra: int, elsewhere: Elsewhere) -> Iterator[tuple[str, bytes]]:
    """Names and values after the fields of the inode ``data``, which has ``extra`` bytes of fields beyond the first 128."""
    start = 128 + extra
    if extra and data[start : start + 4] == _MAGIC:
        yield from _entries(data, start + 4, start + 4, elsewhere)


def in_block(block: bytes, elsewhere: Elsewhere) -> Iterator[tuple[str, bytes]]:
    """Names and values in an attribute block."""
    if block[:4] != _MAGIC:
        raise ImageError("damaged block of extended attributes")
    yield from _entries(block, _BLOCK_HEADER, 0, elsewhere)


def _entries(data: bytes, at: int, base: int, elsewhere: Elsewhere) -> Iterator[tuple[str, bytes]]:
    """The entries starting at ``at``; offsets of their values count from ``base``."""
    # Four zero bytes end the list (IS_LAST_ENTRY()).
    while at + 16 <= len(data) and data[at : at + 4] != b"\0\0\0\0":
        length, space, offset, inode, size = struct.unpack_from("<BBHII", data, at)
        if space in _SPACES:
            name = _SPACES[space] + data[at + 16 : at + 16 + length].decode("utf-8", "surrogateescape")
            if size > MAX_VALUE or (not inode and base + offset + size > len(data)):
                raise ImageError(f"damaged extended attribute {name}")
            yield name, elsewhere(inode, size) if inode else data[base + offset : base + offset + size]
        at += 16 + (length + 3) // 4 * 4
