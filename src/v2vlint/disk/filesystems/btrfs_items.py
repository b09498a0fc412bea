"""The items of btrfs trees that are needed to read files (include/uapi/linux/btrfs_tree.h)."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from v2vlint.disk.fields import Fields
from v2vlint.model.dataclass import dataclass

INODE, INODE_REF, INODE_EXTREF, XATTR, DIR_ITEM, DIR_INDEX, EXTENT, ROOT, ROOT_REF = 1, 12, 13, 24, 84, 96, 108, 132, 156

# The structures are packed. Where a name or data follows, HEAD is in the name, and the size is that of the part before it.
INODE_ITEM = Fields(
    "<",
    generation=(0, "Q"),
    size=(16, "Q"),
    nlink=(40, "I"),
    uid=(44, "I"),
    gid=(48, "I"),
    mode=(52, "I"),
    mtime_sec=(136, "q"),
    mtime_nsec=(144, "I"),
)
INODE_ITEM_SIZE = 160
ROOT_ITEM = Fields("<", root_dirid=(168, "Q"), bytenr=(176, "Q"), bytes_used=(192, "Q"), flags=(208, "Q"))
ROOT_ITEM_UUID, ROOT_ITEM_PARENT_UUID = slice(247, 263), slice(263, 279)
# btrfs_legacy_root_item_size(): the items of old kernels have no UUIDs.
ROOT_ITEM_LEGACY_SIZE, ROOT_SUBVOL_READONLY = 239, 1
ROOT_REF_HEAD, ROOT_REF_HEAD_SIZE = Fields("<", dirid=(0, "Q"), name_len=(16, "H")), 18
INODE_REF_HEAD, INODE_REF_HEAD_SIZE = Fields("<", index=(0, "Q"), name_len=(8, "H")), 10
INODE_EXTREF_HEAD, INODE_EXTREF_HEAD_SIZE = Fields("<", parent_objectid=(0, "Q"), index=(8, "Q"), name_len=(16, "H")), 18
# What is read in long loops: struct btrfs_dir_item (location.objectid, location.type, data_len, name_len).
_DIR_ITEM_HEAD = struct.Struct("<QB16xHHx")


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
    while at + _DIR_ITEM_HEAD.size <= len(data):
        target, kind, data_length, name_length = _DIR_ITEM_HEAD.unpack_from(data, at)
        start = at + _DIR_ITEM_HEAD.size
        end = start + name_length
        at = end + data_length
        yield DirItem(name_of(data[start:end]), target, kind, data[end:at])


def name_of(raw: bytes) -> str:
    """A name as text, with bytes that are not UTF-8 preserved."""
    return raw.decode("utf-8", "surrogateescape")
