"""The free blocks that the kernel tells of an XFS (statfs(2)): fewer than its superblock counts.

When it is mounted for writing, Linux sets blocks aside: a pool for its own changes (``xfs_default_resblks``, fs/xfs/xfs_mount.c), the
lists of each allocation group (``xfs_alloc_set_aside``), and room for its trees to grow (``xfs_finobt_calc_reserves``,
``xfs_refcountbt_calc_reserves``, ``xfs_rmapbt_calc_reserves`` of fs/xfs/libxfs). After a recovery of the log it sums up the groups, since
the superblock's number is out of date (``xfs_initialize_perag_data``). Linux 6.18 was asked.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping, Sequence

from v2vlint.disk.fields import Fields
from v2vlint.disk.filesystems.superblocks import XFS
from v2vlint.disk.stream import Stream
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import ImageError

_POOL = 8192
_LIST = 8  # XFS_ALLOCBT_AGFL_RESERVE, and four more
_HEADER = 56  # struct xfs_btree_block with the checksum of version 5
_INODES = 64  # in a record of the tree of free inodes
MAX_GROUPS = 1 << 20
FINOBT, RMAPBT, REFLINK, INOBTCOUNT = 1, 2, 4, 8
# struct xfs_agf, struct xfs_agi (fs/xfs/libxfs/xfs_format.h).
_AGF = Fields(">", magicnum=(0, "I"), flcount=(48, "I"), freeblks=(52, "I"), btreeblks=(60, "I"), refcount_blocks=(84, "I"))
_AGI = Fields(">", magicnum=(0, "I"), free_root=(328, "I"), free_level=(332, "I"), fblocks=(340, "I"))
_UNLINKED, _NONE = slice(40, 296), 0xFFFFFFFF
_INODE = Fields(">", di_nblocks=(64, "Q"), di_next_unlinked=(96, "I"))
MAX_DELETED = 1 << 16
_AGF_MAGIC, _AGI_MAGIC = 0x58414746, 0x58414749
_TREE = Fields(">", level=(4, "H"), numrecs=(6, "H"))


@dataclass(frozen=True, slots=True)
class GroupSpace:
    """What an allocation group says of itself: its free blocks, and those that its trees of free inodes and of shared extents have now."""

    free: int = 0
    finobt: int = 1
    refcount: int = 1


def free_bytes(base: Stream, *, recovered: bool, gained: int, inode: Callable[[int], bytes]) -> int:
    """``f_bfree`` in bytes; ``recovered``: the log was replayed into ``base``, and frees ``gained`` blocks; ``inode`` reads an inode."""
    superblock = XFS.read(base.read_at(0, 512))
    groups = [_group(base, superblock, number) for number in range(_count(superblock))]
    if recovered:
        gained += sum(_deleted(base, superblock, len(groups), inode))
        superblock = {**superblock, "sb_fdblocks": sum(group.free for group in groups) + gained}
    return usable_blocks(superblock, groups) * superblock["sb_blocksize"]


def _deleted(base: Stream, superblock: Mapping[str, int], groups: int, inode: Callable[[int], bytes]) -> Iterator[int]:
    """The blocks of each file that has no name any more, which recovery deletes (``xlog_recover_process_iunlinks``). ImageError when a
    list comes to a file again, or there are too many.
    """
    shift, seen = superblock["sb_agblklog"] + superblock["sb_inopblog"], set[int]()
    for group in range(groups):
        for (number,) in struct.iter_unpack(">I", _inodes(base, superblock, group)[_UNLINKED]):
            while number != _NONE:
                whole = group << shift | number
                if whole in seen or len(seen) >= MAX_DELETED:
                    raise ImageError("its lists of deleted files are damaged")
                seen.add(whole)
                found = _INODE.read(inode(whole))
                number = found["di_next_unlinked"]
                yield found["di_nblocks"]


def _inodes(base: Stream, superblock: Mapping[str, int], group: int) -> bytes:
    """What a group says of its inodes (``struct xfs_agi``)."""
    return base.read_at(group * superblock["sb_agblocks"] * superblock["sb_blocksize"] + 2 * superblock["sb_sectsize"], 512)


def usable_blocks(superblock: Mapping[str, int], groups: Sequence[GroupSpace] = ()) -> int:
    """``f_bfree`` in blocks, from the superblock of version 4 or 5. Without ``groups``, trees are taken for as small as mkfs.xfs(8) makes
    them.
    """
    total, size, log = superblock["sb_dblocks"], superblock["sb_agblocks"], superblock["sb_logblocks"]
    count = _count(superblock)
    aside = min(total // 20, _POOL) + count * _LIST
    if superblock["sb_versionnum"] & 0xF == 5 and count:
        holder = (superblock["sb_logstart"] >> superblock["sb_agblklog"]) if superblock["sb_logstart"] else count
        odd = {index for index in (holder, count - 1) if index < count}
        lengths = {index: (total - (count - 1) * size if index == count - 1 else size) - (log if index == holder else 0) for index in odd}
        aside += (count - len(odd)) * _reserved(superblock, size) + sum(_reserved(superblock, length) for length in lengths.values())
        aside -= sum(_used(superblock, group) for group in groups) if groups else count * _used(superblock, GroupSpace())
    return max(superblock["sb_fdblocks"] - aside, 0)


def _count(superblock: Mapping[str, int]) -> int:
    size = superblock["sb_agblocks"]
    return min(-(-superblock["sb_dblocks"] // size), MAX_GROUPS) if size else 0


def _group(base: Stream, superblock: Mapping[str, int], number: int) -> GroupSpace:
    size, sector = superblock["sb_blocksize"], superblock["sb_sectsize"]
    start = number * superblock["sb_agblocks"] * size
    space, inodes = _AGF.read(base.read_at(start + sector, 512)), _AGI.read(_inodes(base, superblock, number))
    if (space["magicnum"], inodes["magicnum"]) != (_AGF_MAGIC, _AGI_MAGIC):
        raise ImageError(f"damaged allocation group {number}")
    finobt = inodes["fblocks"]
    if not superblock["sb_features_ro_compat"] & INOBTCOUNT:
        # Linux counts the blocks of the tree. A deeper one would have more records of free inodes than a group has.
        root = base.read_at(start + inodes["free_root"] * size, _HEADER)
        finobt = 1 if inodes["free_level"] <= 1 or len(root) < _HEADER else 1 + _TREE.read(root)["numrecs"]
    return GroupSpace(space["freeblks"] + space["flcount"] + space["btreeblks"], finobt, space["refcount_blocks"])


def _used(superblock: Mapping[str, int], group: GroupSpace) -> int:
    """What the trees of a group already have of what is reserved for them. The reverse map counts as free space."""
    features = superblock["sb_features_ro_compat"]
    return (group.finobt if features & FINOBT else 0) + (group.refcount if features & REFLINK else 0)


def _reserved(superblock: Mapping[str, int], length: int) -> int:
    """What the trees of a group with ``length`` blocks may grow to."""
    room, features = superblock["sb_blocksize"] - _HEADER, superblock["sb_features_ro_compat"]
    found = 0
    if features & FINOBT:
        found += _tree((length << superblock["sb_inopblog"]) // _INODES, room // 16 // 2, room // 8 // 2)
    if features & REFLINK:
        found += _tree(length, room // 12 // 2, room // 8 // 2)
    if features & RMAPBT:
        found += max(length // 100, _tree(length, room // 24 // 2, room // 44 // 2))
    return found


def _tree(records: int, leaf: int, node: int) -> int:
    """The blocks of a tree whose blocks are half full (``xfs_btree_calc_size``)."""
    level, blocks, fill = max(records, 0), 0, leaf
    while fill > 1:
        level = -(-level // fill)
        blocks += level
        if level <= 1:
            break
        fill = node
    return blocks
