"""The log tree of btrfs (fs/btrfs/tree-log.c of Linux): what fsync(2) wrote since the last full commit, which the next mount replays.

Each subvolume's log has copies of items of its tree. They are collected as changes to inodes, folders and extents, which the reader
consults before the tree itself.
"""

from __future__ import annotations

import stat as modes
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import field

from v2vlint.disk.fields import Fields
from v2vlint.disk.filesystems.btrfs_items import (
    DIR_INDEX,
    EXTENT,
    INODE,
    INODE_EXTREF,
    INODE_EXTREF_HEAD,
    INODE_EXTREF_HEAD_SIZE,
    INODE_ITEM,
    INODE_ITEM_SIZE,
    INODE_REF,
    INODE_REF_HEAD,
    INODE_REF_HEAD_SIZE,
    ROOT,
    ROOT_ITEM,
    ROOT_ITEM_LEGACY_SIZE,
    XATTR,
    DirItem,
    dir_items,
    name_of,
)
from v2vlint.disk.filesystems.btrfs_tree import BtrfsVolume
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import ImageError

# BTRFS_TREE_LOG_OBJECTID and BTRFS_DIR_LOG_INDEX_KEY.
_TREE_LOG = 2**64 - 6
_DIR_LOG_INDEX = 72
# The field size of struct btrfs_inode_item.
_SIZE = slice(16, 24)
_DIR_LOG_ITEM = Fields("<", end=(0, "Q"))
MAX_ITEMS = 1 << 20
_HIGHEST = 2**64 - 1

Listing = dict[int, DirItem]
"""The entries of a folder by their index."""


@dataclass(slots=True)
class LogTree:
    """The log of one subvolume.

    ``refs`` are the names that inodes have in a folder, by its number and then by theirs, ``ranges`` the index ranges for which the log of
    a folder is complete.
    """

    inodes: dict[int, bytes] = field(default_factory=dict)
    refs: dict[int, dict[int, list[tuple[int, str]]]] = field(default_factory=dict)
    ranges: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    entries: dict[int, Listing] = field(default_factory=dict)
    extents: dict[int, dict[int, bytes]] = field(default_factory=dict)
    attributes: dict[int, list[bytes]] = field(default_factory=dict)

    def inode(self, number: int, item: bytes | None) -> bytes | None:
        """The inode item after replay. An item of generation 0 only states that the inode exists, and possibly its size."""
        new = self.inodes.get(number)
        if new is None or item is None:
            return item if new is None else new
        if not INODE_ITEM.read(new)["generation"]:
            sized = _is(new, modes.S_ISREG) and _is(item, modes.S_ISREG) and any(new[_SIZE])
            return _sized(item, new) if sized else item
        # overwrite_item() keeps the size of a folder: entries that are replayed change it.
        return _sized(new, item) if _is(new, modes.S_ISDIR) else new

    def folder(self, number: int, listing: Listing, exists: Callable[[int], bool], refs: Callable[[int], Mapping[int, str]]) -> Listing:
        """The entries of a folder after replay. ``refs`` gives the indexes and names that an inode has in the folder according to its
        tree.
        """
        logged, spans = self.entries.get(number, {}), _merged(self.ranges.get(number, ()))
        kept = _Names({at: entry for at, entry in listing.items() if at in logged or not _covers(spans, at)})
        for at, entry in logged.items():
            # replay_one_name() adds no name for an inode that does not exist.
            if entry.kind == INODE and exists(entry.target):
                kept.put(at, entry)
        for inode, names in self.refs.get(number, {}).items():
            # The top folder refers to itself, as "..".
            if inode != number and exists(inode):
                kept.rename(inode, names, refs(inode))
        return kept.listing


class _Names:
    """A listing that is changed, by index and by name."""

    def __init__(self, listing: Listing) -> None:
        self.listing = listing
        # The indexes by name and inode: in a damaged folder a name may be there many times.
        self._places: dict[str, dict[int, set[int]]] = {}
        for at, entry in listing.items():
            self._place(at, entry)

    def _place(self, index: int, entry: DirItem) -> None:
        self._places.setdefault(entry.name, {}).setdefault(entry.target, set()).add(index)

    def put(self, index: int, entry: DirItem) -> None:
        """``entry`` replaces any other of the same name or index."""
        for places in self._places.pop(entry.name, {}).values():
            for at in places:
                del self.listing[at]
        if old := self.listing.pop(index, None):
            self._places[old.name][old.target].discard(index)
        self.listing[index] = entry
        self._place(index, entry)

    def rename(self, inode: int, names: list[tuple[int, str]], before: Mapping[int, str]) -> None:
        """Leave exactly ``names`` for an inode: names in its tree (``before``) that are not in the log are removed."""
        for name in set(before.values()) - {name for _index, name in names}:
            places = self._places.get(name, {}).get(inode, set())
            for at in [at for at in places if self.listing[at].kind == INODE]:
                del self.listing[at]
                places.discard(at)
        for index, name in names:
            self.put(index, DirItem(name, inode, INODE))


def _merged(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same numbers in ranges that do not overlap, in order."""
    found: list[tuple[int, int]] = []
    for first, last in sorted(one for one in ranges if one[0] <= one[1]):
        if found and first <= found[-1][1]:
            found[-1] = found[-1][0], max(last, found[-1][1])
        else:
            found.append((first, last))
    return found


def _covers(spans: list[tuple[int, int]], index: int) -> bool:
    at = bisect_right(spans, (index, _HIGHEST)) - 1
    return at >= 0 and index <= spans[at][1]


def _is(item: bytes, test: Callable[[int], bool]) -> bool:
    return test(INODE_ITEM.read(item)["mode"])


def _sized(item: bytes, other: bytes) -> bytes:
    """An inode item with the size of another one."""
    return item[: _SIZE.start] + other[_SIZE] + item[_SIZE.stop :]


def read_logs(volume: BtrfsVolume) -> dict[int, LogTree]:
    """The logs by subvolume, empty after an unmount or a full commit. ImageError when one is damaged."""
    if not volume.log_root:
        return {}
    logs: dict[int, LogTree] = {}
    for subvolume, data in volume.items(volume.log_root, _TREE_LOG, ROOT):
        if len(data) < ROOT_ITEM_LEGACY_SIZE:
            raise ImageError("its log tree is damaged")
        logs[subvolume] = _read_log(volume, ROOT_ITEM.read(data)["bytenr"])
    return logs


def _read_log(volume: BtrfsVolume, address: int) -> LogTree:
    log = LogTree()
    for count, ((owner, kind, offset), data) in enumerate(volume.scan(address, (0, 0, 0))):
        if count > MAX_ITEMS:
            raise ImageError(f"its log tree has more than {MAX_ITEMS} items")
        _take(log, owner, kind, offset, data)
    _forget_deleted(log)
    return log


def _forget_deleted(log: LogTree) -> None:
    """Leave out inodes without a name, as ``replay_one_buffer()`` does: what their tree has stays."""
    gone = {number for number, item in log.inodes.items() if not INODE_ITEM.read(item)["nlink"]}
    for number in gone:
        for found in (log.inodes, log.ranges, log.entries, log.extents, log.attributes):
            found.pop(number, None)
    for folder, inodes in log.refs.items():
        log.refs[folder] = {number: names for number, names in inodes.items() if number not in gone}


def _take(log: LogTree, owner: int, kind: int, offset: int, data: bytes) -> None:
    if kind == INODE and len(data) >= INODE_ITEM_SIZE:
        log.inodes[owner] = data
    elif kind in (INODE_REF, INODE_EXTREF):
        for parent, index, name in _refs(kind, offset, data):
            log.refs.setdefault(parent, {}).setdefault(owner, []).append((index, name))
    elif kind == _DIR_LOG_INDEX:
        log.ranges.setdefault(owner, []).append((offset, _DIR_LOG_ITEM.read(data)["end"]))
    elif kind == DIR_INDEX:
        log.entries.setdefault(owner, {}).update((offset, entry) for entry in dir_items(data))
    elif kind == XATTR:
        log.attributes.setdefault(owner, []).append(data)
    elif kind == EXTENT:
        log.extents.setdefault(owner, {})[offset] = data


def _refs(kind: int, offset: int, data: bytes) -> Iterator[tuple[int, int, str]]:
    """Folder, index and name of each reference (``btrfs_inode_ref``, ``btrfs_inode_extref``)."""
    plain = kind == INODE_REF
    head, size = (INODE_REF_HEAD, INODE_REF_HEAD_SIZE) if plain else (INODE_EXTREF_HEAD, INODE_EXTREF_HEAD_SIZE)
    at = 0
    while at + size <= len(data):
        found, start = head.read(data, at), at + size
        at = start + found["name_len"]
        yield offset if plain else found["parent_objectid"], found["index"], name_of(data[start:at])


def names_in(volume: BtrfsVolume, address: int, inode: int, folder: int) -> dict[int, str]:
    """The indexes and names of an inode in a folder, according to the tree at ``address``."""
    plain = ((INODE_REF, offset, data) for offset, data in volume.items(address, inode, INODE_REF, folder))
    return {index: name for kind, offset, data in plain if offset == folder for _parent, index, name in _refs(kind, offset, data)}
