"""The free blocks that the kernel tells of an XFS (statfs(2)): fewer than its superblock counts.

When it is mounted for writing, Linux sets blocks aside: a pool for its own changes (``xfs_default_resblks``, fs/xfs/xfs_mount.c), the
lists of each allocation group (``xfs_alloc_set_aside``), and room for its trees to grow (``xfs_finobt_calc_reserves``,
``xfs_refcountbt_calc_reserves``, ``xfs_rmapbt_calc_reserves`` of fs/xfs/libxfs). Linux 6.18 was asked on six of them.
"""

from __future__ import annotations

from collections.abc import Mapping

_POOL = 8192
_LIST = 8  # XFS_ALLOCBT_AGFL_RESERVE, and four more
_HEADER = 56  # struct xfs_btree_block with the checksum of version 5
_INODES = 64  # in a record of the tree of free inodes
MAX_GROUPS = 1 << 20
FINOBT, RMAPBT, REFLINK = 1, 2, 4


def usable_blocks(superblock: Mapping[str, int]) -> int:
    """The value of ``f_bfree``. Trees are taken for as small as mkfs.xfs(8) makes them; ``superblock`` is that of a version 4 or 5."""
    total, size, log = superblock["sb_dblocks"], superblock["sb_agblocks"], superblock["sb_logblocks"]
    groups = min(-(-total // size), MAX_GROUPS) if size else 0
    aside = min(total // 20, _POOL) + groups * _LIST
    if superblock["sb_versionnum"] & 0xF == 5 and groups:
        last = total - (groups - 1) * size
        holder = (superblock["sb_logstart"] >> superblock["sb_agblklog"]) if superblock["sb_logstart"] else groups
        lengths = {index: (last if index == groups - 1 else size) - (log if index == holder else 0) for index in (holder, groups - 1)}
        lengths = {index: length for index, length in lengths.items() if index < groups}
        whole = groups - len(lengths)
        aside += whole * _reserved(superblock, size) + sum(_reserved(superblock, length) for length in lengths.values())
    return max(superblock["sb_fdblocks"] - aside, 0)


def _reserved(superblock: Mapping[str, int], length: int) -> int:
    """What the trees of a group with ``length`` blocks may grow by."""
    room, features = superblock["sb_blocksize"] - _HEADER, superblock["sb_features_ro_compat"]
    found = 0
    if features & FINOBT:
        found += _tree((length << superblock["sb_inopblog"]) // _INODES, room // 16 // 2, room // 8 // 2) - 1
    if features & REFLINK:
        found += _tree(length, room // 12 // 2, room // 8 // 2) - 1
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
