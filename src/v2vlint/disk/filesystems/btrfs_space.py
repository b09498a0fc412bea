"""The free space that the kernel tells of a btrfs (statfs(2)): less than its superblock counts as unused.

Copies take their space too, and a reserve is kept for changes of the trees (``btrfs_statfs()`` of fs/btrfs/super.c,
``btrfs_update_global_block_rsv()`` of fs/btrfs/block-rsv.c).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from v2vlint.disk.fields import Fields
from v2vlint.disk.filesystems.btrfs_items import ROOT, ROOT_ITEM
from v2vlint.disk.filesystems.btrfs_tree import BtrfsVolume
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import ImageError

EXTENT_TREE, CSUM_TREE, FREE_SPACE_TREE, BLOCK_GROUP_TREE = 2, 7, 10, 11
MAX_GROUPS, MAX_DEVICES = 1 << 16, 1 << 12
_SPARE = 1  # a device that is being replaced
_BLOCK_GROUP_ITEM = 192
# struct btrfs_block_group_item (include/uapi/linux/btrfs_tree.h).
_GROUP = Fields("<", used=(0, "Q"), flags=(16, "Q"))
_GROUP_SIZE = 24
# struct btrfs_dev_item; BTRFS_DEV_ITEMS_OBJECTID, BTRFS_DEV_ITEM_KEY.
_DEVICE, _DEV_ITEMS, _DEV_ITEM = Fields("<", total_bytes=(8, "Q"), bytes_used=(16, "Q")), 1, 216
_DATA, _METADATA, _DUP, _PROFILE = 1, 4, 0x20, 0x7F8
_PROFILES = ((0x400, 4), (0x200, 3), (0x100, 1), (0x80, 1), (0x40, 2), (0x20, 2), (0x10, 2), (0x8, 1))
"""The bit of each RAID profile and its number of copies, in the reverse of the kernel's order; parity does not count."""
_WIDTHS = ((0x400, 4, 4), (0x200, 3, 3), (0x100, 3, 1), (0x80, 2, 1), (0x40, 4, 4), (0x20, 1, 1), (0x10, 2, 2), (0x8, 2, 0))
"""The bit, the least number of devices, and on how many a chunk is counted; 0: on all."""
_STRIPE = 64 << 10  # BTRFS_STRIPE_LEN
_SUPER = 1 << 20  # BTRFS_DEVICE_RANGE_RESERVED
_LEAST = 4 << 20  # thresh in btrfs_statfs()
_LEVELS = 8  # BTRFS_MAX_LEVEL
_UNLINK = 6  # BTRFS_UNLINK_METADATA_UNITS
_MAX_RESERVE = 512 << 20


@dataclass(frozen=True, slots=True)
class _BlockGroup:
    flags: int
    size: int
    used: int


def free_bytes(volume: BtrfsVolume) -> int:
    """``f_bfree`` in bytes, when a kernel has mounted it for writing; the reserve is that of Linux 6.4 and later, up to 3 MiB larger than
    before.
    """
    groups = _groups(volume)
    copies = _copies(_data_profile(groups))
    used = sum(group.used * _copies(group.flags) for group in groups)
    return max(0, volume.total_bytes // copies - used // copies - _reserve(volume))


def available_bytes(volume: BtrfsVolume) -> int:
    """``f_bavail`` in bytes: what data can still be written, into its block groups and what is not yet allocated to any."""
    groups = _groups(volume)
    profile = _data_profile(groups)
    unallocated = ((total - used) // _STRIPE * _STRIPE for total, used in _devices(volume))
    rooms = sorted((room - _SUPER for room in unallocated if room > _SUPER + _STRIPE), reverse=True)
    trees = [group for group in groups if group.flags & _METADATA]
    mixed = any(group.flags & _DATA for group in trees)
    if not rooms and not mixed and sum(group.size - group.used for group in trees) < _reserve(volume) + _LEAST:
        return 0
    return sum(group.size - group.used for group in groups if group.flags & _DATA) + _unallocated(rooms, profile) // _copies(profile)


def _unallocated(rooms: list[int], profile: int) -> int:
    """What chunks of this profile could be made of devices with so much room, largest first (``btrfs_calc_avail_data_space()``)."""
    least, width = next(((least, width) for bit, least, width in _WIDTHS if profile & bit), (1, 1))
    found, width = 0, width or len(rooms)
    for last in range(len(rooms) - 1, least - 2, -1):
        width = min(width, last + 1)
        room = rooms[last]
        if room >= _STRIPE * (2 if profile & _DUP else 1):
            found += room * width
            rooms[last + 1 - width : last + 1] = [one - room for one in rooms[last + 1 - width : last + 1]]
    return found


def _data_profile(groups: list[_BlockGroup]) -> int:
    """Of several, the last in the kernel's table."""
    return max((group.flags & _PROFILE for group in groups if group.flags & _DATA), default=0)


def _devices(volume: BtrfsVolume) -> Iterator[tuple[int, int]]:
    """The size of each device, and the bytes of it that are allocated. ImageError when there are more than the superblock counts."""
    most = min(volume.device_count + _SPARE, MAX_DEVICES)
    for count, (_number, data) in enumerate(volume.items(volume.chunk_root, _DEV_ITEMS, _DEV_ITEM)):
        if count >= most:
            raise ImageError(f"its chunk tree has more than {most} devices")
        found = _DEVICE.read(data)
        yield found["total_bytes"], found["bytes_used"]


def _groups(volume: BtrfsVolume) -> list[_BlockGroup]:
    if len(volume.chunk_starts) > MAX_GROUPS:
        raise ImageError(f"its chunk tree has more than {MAX_GROUPS} chunks")
    return list(_each_group(volume))


def _each_group(volume: BtrfsVolume) -> Iterator[_BlockGroup]:
    tree = _root(volume, BLOCK_GROUP_TREE) or _root(volume, EXTENT_TREE)
    if tree is None:
        raise ImageError("btrfs without an extent tree")
    for start in volume.chunk_starts:
        # A chunk has one block group.
        size, data = next(volume.items(tree["bytenr"], start, _BLOCK_GROUP_ITEM), (0, b""))
        if len(data) >= _GROUP_SIZE:
            found = _GROUP.read(data)
            yield _BlockGroup(found["flags"], size, found["used"])


def _copies(flags: int) -> int:
    return next((copies for bit, copies in _PROFILES if flags & bit), 1)


def _root(volume: BtrfsVolume, number: int) -> Mapping[str, int] | None:
    data = next((data for _offset, data in volume.items(volume.root, number, ROOT)), b"")
    return ROOT_ITEM.read(data) if data else None


def _reserve(volume: BtrfsVolume) -> int:
    """The size of the global block reserve."""
    trees = [tree for number in (EXTENT_TREE, CSUM_TREE, FREE_SPACE_TREE, BLOCK_GROUP_TREE) if (tree := _root(volume, number))]
    item = volume.node_size * _LEVELS * 2
    delayed = _UNLINK * (2 if _root(volume, FREE_SPACE_TREE) else 1)
    return min(max(sum(tree["bytes_used"] for tree in trees), item * (1 + len(trees) + _UNLINK + delayed)), _MAX_RESERVE)
