"""What is free in an ext filesystem: descriptors of groups, and files that Linux deletes when it mounts it for writing. A program had them
open, and they have no name any more (``ext4_orphan_cleanup``, fs/ext4/orphan.c).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from itertools import chain

from v2vlint.disk.fields import Fields
from v2vlint.disk.filesystems.superblocks import EXT
from v2vlint.disk.stream import Stream
from v2vlint.model.errors import ImageError

MAX_ORPHANS = 1 << 16
MAX_ORPHAN_FILE = 8 << 20  # ext4_init_orphan_info(): a larger one is not mounted
_ORPHAN_FILE = 0x1000  # EXT4_FEATURE_COMPAT_ORPHAN_FILE
_EXTENTS, _BIGALLOC = 0x40, 0x200  # EXT4_FEATURE_INCOMPAT_EXTENTS, EXT4_FEATURE_RO_COMPAT_BIGALLOC
_MOST_RESERVED = 4096
_TAIL = 8  # struct ext4_orphan_block_tail
# struct ext4_inode (fs/ext4/ext4.h); for an orphan, i_dtime is the number of the next.
_INODE = Fields(
    "<", i_dtime=(0x14, "I"), i_links_count=(0x1A, "H"), i_blocks_lo=(0x1C, "I"), i_flags=(0x20, "I"), l_i_blocks_high=(0x74, "H")
)
_GROUP = Fields("<", bg_inode_table_lo=(0x8, "I"), bg_free_blocks_count_lo=(0xC, "H"), bg_free_inodes_count_lo=(0xE, "H"))
_GROUP_64 = Fields("<", bg_inode_table_hi=(0x28, "I"), bg_free_blocks_count_hi=(0x2C, "H"), bg_free_inodes_count_hi=(0x2E, "H"))
"""``struct ext4_group_desc`` (fs/ext4/ext4.h); the upper half exists in descriptors of 64 bytes."""
_HUGE = 0x40000  # EXT4_HUGE_FILE_FL: i_blocks counts blocks, not sectors


def descriptor(data: bytes) -> dict[str, int]:
    """The descriptor of a group; of what is stored in two halves, ``…_lo`` is the whole."""
    found = dict(_GROUP.read(data))
    if len(data) >= 64:
        upper = _GROUP_64.read(data)
        found["bg_inode_table_lo"] |= upper["bg_inode_table_hi"] << 32
        found["bg_free_blocks_count_lo"] |= upper["bg_free_blocks_count_hi"] << 16
        found["bg_free_inodes_count_lo"] |= upper["bg_free_inodes_count_hi"] << 16
    return found


def reserved_clusters(base: Stream) -> int:
    """What not even root can write: kept for changes of extents (``ext4_calculate_resv_clusters``, fs/ext4/super.c; since Linux 3.10)."""
    head = EXT.read(base.read_at(1024, 1024))
    bits = head["s_log_cluster_size"] - head["s_log_block_size"] if head["s_feature_ro_compat"] & _BIGALLOC else 0
    blocks = head["s_blocks_count_lo"] | head["s_blocks_count_hi"] << 32
    return min((blocks >> max(0, bits)) // 50, _MOST_RESERVED) if head["s_feature_incompat"] & _EXTENTS else 0


def deleted(base: Stream, block_size: int, inode: Callable[[int], bytes], content: Callable[[int, int], bytes]) -> Iterator[int]:
    """The bytes of each such file. ``inode`` gives an inode's bytes, ``content`` the first bytes of a file. ImageError when one is found
    twice, or too many are.
    """
    head = EXT.read(base.read_at(1024, 1024))
    filed = content(head["s_orphan_file_inum"], MAX_ORPHAN_FILE) if head["s_feature_compat"] & _ORPHAN_FILE else b""
    seen: set[int] = set()
    for number in chain(_listed(head["s_last_orphan"], inode), _filed(filed, block_size)):
        if number in seen or len(seen) >= MAX_ORPHANS:
            raise ImageError("its lists of deleted files are damaged")
        seen.add(number)
        found = _INODE.read(inode(number))
        if not found["i_links_count"]:
            # One that has links is only cut.
            blocks = found["i_blocks_lo"] | found["l_i_blocks_high"] << 32
            yield blocks * (block_size if found["i_flags"] & _HUGE else 512)


def _listed(number: int, inode: Callable[[int], bytes]) -> Iterator[int]:
    """The orphans of the list that begins in the superblock; without an end if it leads in a circle."""
    while number:
        yield number
        number = _INODE.read(inode(number))["i_dtime"]


def _filed(data: bytes, block_size: int) -> Iterator[int]:
    """The orphans of the file that takes the place of the list."""
    for at in range(0, len(data), block_size):
        block = data[at : at + block_size - _TAIL]
        yield from (number for (number,) in struct.iter_unpack("<I", block[: len(block) // 4 * 4]) if number)
