"""The items of btrfs trees that are needed to read files (include/uapi/linux/btrfs_tree.h)."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from v2vlint.model.dataclass import dataclass

INODE, INODE_REF, INODE_EXTREF, XATTR, DIR_ITEM, DIR_INDEX, EXTENT, ROOT, ROOT_REF = 1, 12, 13, 24, 84, 96, 108, 132, 156


@dataclass(frozen=True, slots=True)
class DirItem:
    """A directory entry that refers to an inode of the same tree (``kind`` INODE) or to a subvolume (``kind`` ROOT); or an extended
    attribute, whose value is ``data``.
    """

    name: str
    target: int
    kind: int
    data: bytes = b""


def dir_items(data: bytes) -> Iterator[DirItem]:
    """The entries of a ``btrfs_dir_item``; names with the same hash share an item."""
    at = 0
    while at + 30 <= len(data):
        target, kind, _offset, _transid, extra, size, _type = struct.unpack_from("<QBQQHHB", data, at)
        end = at + 30 + size
        yield DirItem(name_of(data[at + 30 : end]), target, kind, data[end : end + extra])
        at = end + extra


def name_of(raw: bytes) -> str:
    """A name as text, with bytes that are not UTF-8 preserved."""
    return raw.decode("utf-8", "surrogateescape")
