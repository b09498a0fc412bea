"""The free space that the kernel tells of an ext filesystem (statfs(2)), once it is mounted for writing.

Linux sums up the groups: while it is mounted, the superblock's own numbers are out of date (``ext4_count_free_clusters``). Then it deletes
the files that were only kept because a program had them open (``ext4_orphan_cleanup``, fs/ext4/orphan.c).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from v2vlint.disk.fields import Fields
from v2vlint.disk.filesystems.ext import Ext, ExtFile
from v2vlint.disk.filesystems.superblocks import EXT

MAX_ORPHANS = 1 << 16
_ORPHAN_FILE = 0x1000  # EXT4_FEATURE_COMPAT_ORPHAN_FILE
_TAIL = 8  # struct ext4_orphan_block_tail
# struct ext4_inode (fs/ext4/ext4.h); for an orphan, i_dtime is the number of the next.
_INODE = Fields("<", i_dtime=(0x14, "I"), i_links_count=(0x1A, "H"), i_blocks_lo=(0x1C, "I"), l_i_blocks_high=(0x74, "H"))
_HUGE = 0x40000  # EXT4_HUGE_FILE_FL: i_blocks counts blocks, not sectors


def free_bytes(fs: Ext) -> int:
    """``f_bfree`` in bytes."""
    clusters = sum(fs.group(number)["bg_free_blocks_count_lo"] for number in range(fs.groups))
    return clusters * fs.cluster_size + sum(size for size in _deleted(fs))


def free_inodes(fs: Ext) -> int:
    """``f_ffree``."""
    return sum(fs.group(number)["bg_free_inodes_count_lo"] for number in range(fs.groups)) + sum(1 for _size in _deleted(fs))


def _deleted(fs: Ext) -> Iterator[int]:
    """The bytes of each file without a name."""
    head = EXT.read(fs.base.read_at(1024, 1024))
    number, seen = head["s_last_orphan"], 0
    while number and seen < MAX_ORPHANS:
        size, number = _one(fs, number)
        seen += 1
        yield from () if size < 0 else (size,)
    if head["s_feature_compat"] & _ORPHAN_FILE:
        data = ExtFile(fs, fs.inode(head["s_orphan_file_inum"])).read(MAX_ORPHANS * 4)
        for at in range(0, len(data), fs.block_size):
            block = data[at : at + fs.block_size - _TAIL]
            found = (_one(fs, number)[0] for (number,) in struct.iter_unpack("<I", block[: len(block) // 4 * 4]) if number)
            yield from (size for size in found if size >= 0)


def _one(fs: Ext, number: int) -> tuple[int, int]:
    """The bytes that deleting an orphan frees, -1 when it is only truncated; and the next in the list."""
    inode = fs.inode(number)
    found = _INODE.read(inode.data)
    blocks = found["i_blocks_lo"] | found["l_i_blocks_high"] << 32
    return -1 if found["i_links_count"] else blocks * (fs.block_size if inode.flags & _HUGE else 512), found["i_dtime"]
