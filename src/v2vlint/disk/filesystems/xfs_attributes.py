"""Extended attributes of XFS (XFS Algorithms & Data Structures, "Extended Attributes"): in the inode, or in the leaves of a hash tree."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

from v2vlint.model.errors import ImageError

MAX_VALUE = 1 << 16  # XATTR_SIZE_MAX
MAX_LEAVES = 1024
MAX_LEVEL = 5  # XFS_DA_NODE_MAXDEPTH
_LOCAL, _ROOT, _SECURE, _PARENT, _INCOMPLETE = 0x01, 0x02, 0x04, 0x08, 0x80
# XFS_ATTR_LEAF_MAGIC, XFS_ATTR3_LEAF_MAGIC; XFS_DA_NODE_MAGIC, XFS_DA3_NODE_MAGIC.
_LEAF, _NODE = (0xFBEE, 0x3BEE), (0xFEBE, 0x3EBE)

ReadBlocks = Callable[[int, int], bytes]
"""``count`` blocks of the attribute fork from a number on."""


def in_inode(fork: bytes) -> Iterator[tuple[str, bytes]]:
    """Names and values in short form."""
    _size, count = struct.unpack_from(">HB", fork, 0)
    at = 4
    for _entry in range(count):
        length, size, flags = struct.unpack_from(">BBB", fork, at)
        name = fork[at + 3 : at + 3 + length]
        at += 3 + length + size
        if at > len(fork):
            raise ImageError("damaged extended attributes")
        # The kernel hides values that were not completely written; parent pointers are not attributes.
        if not flags & (_INCOMPLETE | _PARENT):
            yield _name(name, flags), fork[at - size : at]


def in_leaves(read: ReadBlocks, block_size: int, *, crc: bool) -> Iterator[tuple[str, bytes]]:
    """Names and values of all leaves, leftmost first; ``crc`` says whether blocks have the headers of version 5."""
    number, seen = _first(read, crc=crc), set[int]()
    while number not in seen and len(seen) < MAX_LEAVES:
        seen.add(number)
        block = read(number, 1)
        yield from _leaf(block, read, block_size, crc=crc)
        number = struct.unpack_from(">I", block, 0)[0]
        if not number:
            return
    raise ImageError("damaged extended attributes (leaves)")


def _magic(block: bytes) -> int:
    return int(struct.unpack_from(">H", block, 8)[0])


def _first(read: ReadBlocks, *, crc: bool) -> int:
    number = 0
    for _level in range(MAX_LEVEL + 1):
        block = read(number, 1)
        if _magic(block) not in _NODE:
            return number
        number = struct.unpack_from(">I", block, (64 if crc else 16) + 4)[0]
    raise ImageError("damaged extended attributes (too deep)")


def _leaf(block: bytes, read: ReadBlocks, block_size: int, *, crc: bool) -> Iterator[tuple[str, bytes]]:
    # Where the count is in the header, and where the header ends (struct xfs_attr3_leaf_hdr, struct xfs_attr_leaf_hdr).
    start, end = (56, 80) if crc else (12, 32)
    count = struct.unpack_from(">H", block, start)[0]
    if _magic(block) not in _LEAF or end + count * 8 > len(block):
        raise ImageError("damaged extended attributes (leaf)")
    for at in range(end, end + count * 8, 8):
        place, flags = struct.unpack_from(">HB", block, at + 4)
        if flags & (_INCOMPLETE | _PARENT):
            continue
        if flags & _LOCAL:
            size, length = struct.unpack_from(">HB", block, place)
            name = block[place + 3 : place + 3 + length]
            yield _name(name, flags), block[place + 3 + length : place + 3 + length + size]
        else:
            first, size, length = struct.unpack_from(">IIB", block, place)
            yield _name(block[place + 9 : place + 9 + length], flags), _remote(read, block_size, first, size, crc=crc)


def _remote(read: ReadBlocks, block_size: int, first: int, size: int, *, crc: bool) -> bytes:
    """A value stored in blocks of its own, with headers in version 5."""
    if size > MAX_VALUE:
        raise ImageError(f"an extended attribute of {size} bytes")
    header = 56 if crc else 0
    blocks = -(-size // (block_size - header))
    data = read(first, blocks)
    return b"".join(data[at + header : at + block_size] for at in range(0, len(data), block_size))[:size]


def _name(raw: bytes, flags: int) -> str:
    space = "trusted." if flags & _ROOT else "security." if flags & _SECURE else "user."
    return space + raw.decode("utf-8", "surrogateescape")
