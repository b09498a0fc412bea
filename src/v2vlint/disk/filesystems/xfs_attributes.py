"""Extended attributes of XFS (XFS Algorithms & Data Structures, "Extended Attributes"): in the inode, or in the leaves of a hash tree."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from v2vlint.disk.fields import Fields
from v2vlint.model.errors import ImageError

MAX_VALUE = 1 << 16  # XATTR_SIZE_MAX
MAX_LEAVES = 1024
MAX_LEVEL = 5  # XFS_DA_NODE_MAXDEPTH
_LOCAL, _ROOT, _SECURE, _PARENT, _INCOMPLETE = 0x01, 0x02, 0x04, 0x08, 0x80
# XFS_ATTR_LEAF_MAGIC, XFS_ATTR3_LEAF_MAGIC; XFS_DA_NODE_MAGIC, XFS_DA3_NODE_MAGIC.
_LEAF, _NODE = (0xFBEE, 0x3BEE), (0xFEBE, 0x3EBE)

# fs/xfs/libxfs/xfs_da_format.h: struct xfs_attr_sf_hdr, struct xfs_attr_sf_entry; struct xfs_da_blkinfo, with which all blocks start.
_SHORT, _SHORT_ENTRY = Fields(">", count=(2, "B")), Fields(">", namelen=(0, "B"), valuelen=(1, "B"), flags=(2, "B"))
_INFO = Fields(">", forw=(0, "I"), magic=(8, "H"))
# struct xfs_da_node_entry, and the sizes of struct xfs_da_node_hdr and struct xfs_da3_node_hdr before the first of them.
_NODE_ENTRY, _NODE_HEADER, _NODE_HEADER_3 = Fields(">", before=(4, "I")), 16, 64
# struct xfs_attr_leaf_hdr and struct xfs_attr3_leaf_hdr; struct xfs_attr_leaf_entry, xfs_attr_leaf_name_local and _remote.
_LEAF_HEADER, _LEAF_HEADER_3 = Fields(">", count=(12, "H")), Fields(">", count=(56, "H"))
_LEAF_ENTRY = Fields(">", nameidx=(4, "H"), flags=(6, "B"))
_LOCAL_NAME = Fields(">", valuelen=(0, "H"), namelen=(2, "B"))
_REMOTE_NAME = Fields(">", valueblk=(0, "I"), valuelen=(4, "I"), namelen=(8, "B"))

ReadBlocks = Callable[[int, int], bytes]
"""``count`` blocks of the attribute fork from a number on."""


def in_inode(fork: bytes) -> Iterator[tuple[str, bytes]]:
    """Names and values in short form."""
    at = 4
    for _entry in range(_SHORT.read(fork)["count"]):
        entry = _SHORT_ENTRY.read(fork, at)
        length, size, flags = entry["namelen"], entry["valuelen"], entry["flags"]
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
        number = _INFO.read(block)["forw"]
        if not number:
            return
    raise ImageError("damaged extended attributes (leaves)")


def _magic(block: bytes) -> int:
    return _INFO.read(block)["magic"]


def _first(read: ReadBlocks, *, crc: bool) -> int:
    number = 0
    for _level in range(MAX_LEVEL + 1):
        block = read(number, 1)
        if _magic(block) not in _NODE:
            return number
        number = _NODE_ENTRY.read(block, _NODE_HEADER_3 if crc else _NODE_HEADER)["before"]
    raise ImageError("damaged extended attributes (too deep)")


def _leaf(block: bytes, read: ReadBlocks, block_size: int, *, crc: bool) -> Iterator[tuple[str, bytes]]:
    # The header, and where it ends.
    header, end = (_LEAF_HEADER_3, 80) if crc else (_LEAF_HEADER, 32)
    count = header.read(block)["count"]
    if _magic(block) not in _LEAF or end + count * 8 > len(block):
        raise ImageError("damaged extended attributes (leaf)")
    for at in range(end, end + count * 8, 8):
        entry = _LEAF_ENTRY.read(block, at)
        place, flags = entry["nameidx"], entry["flags"]
        if flags & (_INCOMPLETE | _PARENT):
            continue
        if flags & _LOCAL:
            found = _LOCAL_NAME.read(block, place)
            size, length = found["valuelen"], found["namelen"]
            name = block[place + 3 : place + 3 + length]
            yield _name(name, flags), block[place + 3 + length : place + 3 + length + size]
        else:
            found = _REMOTE_NAME.read(block, place)
            first, size, length = found["valueblk"], found["valuelen"], found["namelen"]
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
