"""The files of a btrfs: subvolumes, the default one, directories, extents compressed with zlib, LZO or zstd."""

from __future__ import annotations

import functools
import stat as modes
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import BinaryIO, cast

from v2vlint.disk.filesystems.btrfs_file import BtrfsFile
from v2vlint.disk.filesystems.btrfs_items import (
    DIR_INDEX,
    DIR_ITEM,
    EXTENT,
    INODE,
    INODE_ITEM,
    INODE_ITEM_SIZE,
    INODE_REF,
    INODE_REF_HEAD,
    INODE_REF_HEAD_SIZE,
    ROOT,
    ROOT_ITEM,
    ROOT_ITEM_LEGACY_SIZE,
    ROOT_ITEM_PARENT_UUID,
    ROOT_ITEM_UUID,
    ROOT_REF,
    ROOT_REF_HEAD,
    ROOT_REF_HEAD_SIZE,
    ROOT_SUBVOL_READONLY,
    XATTR,
    DirItem,
    dir_items,
    name_of,
)
from v2vlint.disk.filesystems.btrfs_log import LogTree, names_in, read_logs
from v2vlint.disk.filesystems.btrfs_tree import BtrfsVolume
from v2vlint.disk.filesystems.content import Content
from v2vlint.disk.filesystems.node import Kind, Stat
from v2vlint.disk.stream import Stream
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import ImageError

# BTRFS_FS_TREE_OBJECTID, BTRFS_FIRST_FREE_OBJECTID; _ROOT_DIRECTORY is BTRFS_ROOT_TREE_DIR_OBJECTID.
TOP = 5
FIRST_FREE = 256
MAX_SUBVOLUMES = 10_000
MAX_LINK = 1 << 16
MAX_PATH = 4096
MAX_ENTRIES = 1 << 20
_ROOT_DIRECTORY = 6
_KINDS = {modes.S_IFREG: Kind.FILE, modes.S_IFDIR: Kind.DIR, modes.S_IFLNK: Kind.LINK}


@dataclass(frozen=True, slots=True)
class Subvolume:
    """A subvolume: its id, its path from the top (empty for the top itself), and whether it is a snapshot, read-only, or the default."""

    id: int
    path: str
    snapshot: bool = False
    read_only: bool = False
    default: bool = False


class BtrfsFileSystem:
    """An opened btrfs; ``root`` is the top of the chosen subvolume, by default the filesystem's default subvolume."""

    type = "btrfs"

    def __init__(self, streams: Sequence[Stream], uuid: str = "", label: str = "") -> None:
        self.uuid, self.label = uuid, label
        self.volume = BtrfsVolume(streams)
        self.tree = functools.lru_cache(maxsize=1024)(self._tree)
        self.inode = functools.lru_cache(maxsize=16384)(self._inode)
        self.directory = functools.lru_cache(maxsize=2048)(self._directory)
        self.stale = ""
        self.strict = True
        self.logs = self._read_logs()
        self.default = self.chosen = _default(self.volume)
        # A missing default subvolume is reported here, not by the first file that is read.
        self.tree(self.chosen)

    def _read_logs(self) -> dict[int, LogTree]:
        try:
            return read_logs(self.volume)
        except (ImageError, struct.error) as error:
            self.stale = f"what was written last is not read: {error}"
            return {}

    def choose(self, subvolume: int) -> BtrfsFileSystem:
        """The same filesystem with another subvolume as its root."""
        other = object.__new__(BtrfsFileSystem)
        # This shares the caches, whose keys contain the subvolume.
        other.__dict__.update(self.__dict__)
        other.chosen = subvolume
        return other

    def as_it_lies(self) -> BtrfsFileSystem:
        """See :class:`~v2vlint.disk.filesystems.node.Journaled`. GRUB's ``btrfs.c`` does not read log trees, nor root references."""
        copy = self._newer_copy()
        if copy is None and not self.logs and not self.stale and not self._has_loose_ends():
            return self
        other = self.choose(self.chosen)
        other.logs, other.stale, other.strict = {}, "", False
        if copy is not None:
            other.volume, other.default = copy
            other.__dict__.pop("subvolumes", None)
            other.tree = functools.lru_cache(maxsize=1024)(other._tree)
        # What these cache depends on the log.
        other.inode = functools.lru_cache(maxsize=16384)(other._inode)
        other.directory = functools.lru_cache(maxsize=2048)(other._directory)
        return other

    def free(self) -> int:
        """See :class:`~v2vlint.disk.filesystems.node.Counting`."""
        from v2vlint.disk.filesystems.btrfs_space import free_bytes

        return free_bytes(self.volume)

    def available(self) -> int:
        """See :class:`~v2vlint.disk.filesystems.node.Limiting`."""
        from v2vlint.disk.filesystems.btrfs_space import available_bytes

        return available_bytes(self.volume)

    def _newer_copy(self) -> tuple[BtrfsVolume, int] | None:
        """What the newest superblock leads to when it is not the first, and the default subvolume there."""
        try:
            volume = self.volume.newer_copy
            return None if volume is None else (volume, _default(volume))
        except (ImageError, struct.error):
            # GRUB reads nothing then; what the first superblock leads to is the better guess at what was there.
            return None

    @property
    def root(self) -> BtrfsNode:
        """The top directory of the chosen subvolume."""
        return BtrfsNode(self, self.chosen, self.tree(self.chosen)[1])

    @functools.cached_property
    def subvolumes(self) -> tuple[Subvolume, ...]:
        """All subvolumes, the top first, parents before children."""
        found = {TOP: self._describe(TOP, "")}
        pending = [TOP]
        for parent in pending:
            for child, data in self.volume.items(self.volume.root, parent, ROOT_REF):
                if child not in found and len(found) < MAX_SUBVOLUMES:
                    head = ROOT_REF_HEAD.read(data)
                    name = name_of(data[ROOT_REF_HEAD_SIZE : ROOT_REF_HEAD_SIZE + head["name_len"]])
                    parts = (found[parent].path, self._folder(parent, head["dirid"]), name)
                    found[child] = self._describe(child, "/".join(part for part in parts if part)[:MAX_PATH])
                    pending.append(child)
        return tuple(found.values())

    def _has_loose_ends(self) -> bool:
        """Whether there is a snapshot of a subvolume with nested ones: only for GRUB do its entries for those lead anywhere."""
        try:
            items = {one.id: self._root_item(one.id) for one in self.subvolumes}
            volume = self.volume
            full = {item[ROOT_ITEM_UUID] for number, item in items.items() if next(volume.items(volume.root, number, ROOT_REF), None)}
            parents = {item[ROOT_ITEM_PARENT_UUID] for item in items.values()}
            return any(any(parent) and parent in full for parent in parents)
        except (ImageError, struct.error):
            return False

    def _folder(self, subvolume: int, inode: int) -> str:
        names: list[str] = []
        # The limit ends a damaged tree's loops.
        while inode != FIRST_FREE and len(names) < 256:
            parent, data = next(self.volume.items(self.tree(subvolume)[0], inode, INODE_REF), (FIRST_FREE, b""))
            end = INODE_REF_HEAD_SIZE + INODE_REF_HEAD.read(data)["name_len"] if data else 0
            names.append(name_of(data[INODE_REF_HEAD_SIZE:end]))
            inode = parent
        return "/".join(reversed(names))

    def _describe(self, number: int, path: str) -> Subvolume:
        item = self._root_item(number)
        snapshot = len(item) >= ROOT_ITEM_PARENT_UUID.stop and any(item[ROOT_ITEM_PARENT_UUID])
        read_only = bool(ROOT_ITEM.read(item)["flags"] & ROOT_SUBVOL_READONLY)
        return Subvolume(number, path, snapshot, read_only, number == self.default)

    def _root_item(self, subvolume: int) -> bytes:
        found = next(self.volume.items(self.volume.root, subvolume, ROOT), None)
        if found is None or len(found[1]) < ROOT_ITEM_LEGACY_SIZE:
            raise ImageError(f"btrfs subvolume {subvolume} is missing")
        return found[1]

    def _tree(self, subvolume: int) -> tuple[int, int]:
        """The address of a subvolume's tree and the inode number of its top directory."""
        found = ROOT_ITEM.read(self._root_item(subvolume))
        return found["bytenr"], found["root_dirid"]

    def _inode(self, subvolume: int, number: int) -> bytes:
        item = self._item(subvolume, number)
        log = self.logs.get(subvolume)
        found = item if log is None else log.inode(number, item)
        if found is None or len(found) < INODE_ITEM_SIZE:
            raise ImageError(f"btrfs inode {number} is missing")
        return found

    def _item(self, subvolume: int, number: int) -> bytes | None:
        return next(self.volume.items(self.tree(subvolume)[0], number, INODE), (0, None))[1]

    def _directory(self, subvolume: int, number: int) -> dict[str, tuple[int, int]]:
        """Names with the subvolume and inode that each refers to."""
        entries: dict[int, DirItem] = {}
        for index, data in self.volume.items(self.tree(subvolume)[0], number, DIR_INDEX):
            entries.update((index, entry) for entry in dir_items(data))
            if len(entries) > MAX_ENTRIES:
                raise ImageError(f"more than {MAX_ENTRIES} directory entries")
        if log := self.logs.get(subvolume):
            entries = self._replayed(log, subvolume, number, entries)
        inodes = ((entry.name, (subvolume, entry.target)) for entry in entries.values() if entry.kind == INODE)
        nested = ((entry.name, self._top(subvolume, number, entry)) for entry in entries.values() if entry.kind == ROOT)
        return dict(inodes) | dict(nested)

    def _replayed(self, log: LogTree, subvolume: int, number: int, entries: dict[int, DirItem]) -> dict[int, DirItem]:
        address = self.tree(subvolume)[0]

        def exists(inode: int) -> bool:
            return inode in log.inodes or self._item(subvolume, inode) is not None

        return log.folder(number, entries, exists, lambda inode: names_in(self.volume, address, inode, number))

    def _top(self, subvolume: int, folder: int, entry: DirItem) -> tuple[int, int]:
        """The target of an entry that is a subvolume. The kernel requires a root reference for this very directory: a snapshot has none for
        subvolumes that were nested in its source, and shows an empty folder instead. GRUB follows every entry.
        """
        data = next(
            (data for child, data in self.volume.items(self.volume.root, subvolume, ROOT_REF, entry.target) if child == entry.target), b""
        )
        whole = len(data) >= ROOT_REF_HEAD_SIZE
        refers = whole and ROOT_REF_HEAD.read(data)["dirid"] == folder and name_of(data[ROOT_REF_HEAD_SIZE:]) == entry.name
        if self.strict and not refers:
            return entry.target, 0
        try:
            return entry.target, self.tree(entry.target)[1]
        except ImageError:
            # As btrfs_lookup_dentry() (new_simple_dir()): an entry whose subvolume is gone is an empty folder.
            return entry.target, 0


def _default(volume: BtrfsVolume) -> int:
    for _hash, data in volume.items(volume.root, _ROOT_DIRECTORY, DIR_ITEM):
        for entry in dir_items(data):
            if entry.name == "default":
                return entry.target
    return TOP


class BtrfsNode:
    """A btrfs inode as a :class:`~v2vlint.disk.filesystems.node.Node`. Inode 0 is the empty directory in place of a missing nested
    subvolume.
    """

    def __init__(self, fs: BtrfsFileSystem, subvolume: int, number: int) -> None:
        self._fs, self._subvolume, self._number = fs, subvolume, number

    def stat(self) -> Stat:
        """See :class:`~v2vlint.disk.filesystems.node.Node`."""
        if not self._number:
            return Stat(Kind.DIR, 0, 0o755)
        item = self._fs.inode(self._subvolume, self._number)
        found = INODE_ITEM.read(item)
        kind = _KINDS.get(modes.S_IFMT(found["mode"]), Kind.OTHER)
        mtime = found["mtime_sec"] + found["mtime_nsec"] / 1e9
        return Stat(kind, found["size"], found["mode"] & 0o7777, found["uid"], found["gid"], mtime)

    def _entries(self) -> dict[str, tuple[int, int]]:
        return self._fs.directory(self._subvolume, self._number) if self._number else {}

    def names(self) -> Iterator[str]:
        """See :class:`~v2vlint.disk.filesystems.node.Node`."""
        return iter(self._entries())

    def child(self, name: str) -> BtrfsNode | None:
        """See :class:`~v2vlint.disk.filesystems.node.Node`."""
        found = self._entries().get(name)
        return None if found is None else BtrfsNode(self._fs, *found)

    def link(self) -> str:
        """See :class:`~v2vlint.disk.filesystems.node.Node`."""
        content = self._content()
        if content.size > MAX_LINK:
            raise ImageError(f"a link of {content.size} bytes")
        return name_of(content.read())

    def open(self) -> BinaryIO:
        """See :class:`~v2vlint.disk.filesystems.node.Node`."""
        return cast(BinaryIO, self._content())

    def attributes(self) -> Mapping[str, bytes]:
        """See :class:`~v2vlint.disk.filesystems.node.Attributed`. If the log has an inode, it has all of its attributes."""
        log = self._fs.logs.get(self._subvolume)
        if log and self._number in log.inodes:
            items: Iterable[bytes] = log.attributes.get(self._number, ())
        else:
            found = self._fs.volume.items(self._fs.tree(self._subvolume)[0], self._number, XATTR) if self._number else ()
            items = (data for _hash, data in found)
        entries = (entry for data in items for entry in dir_items(data))
        return {entry.name: entry.data for entry in entries if entry.name.startswith(("security.", "trusted.", "user."))}

    def _content(self) -> BtrfsFile:
        volume = self._fs.volume
        extents = volume.items(self._fs.tree(self._subvolume)[0], self._number, EXTENT)
        log = self._fs.logs.get(self._subvolume)
        return BtrfsFile(volume, self.stat().size, extents, log.extents.get(self._number, {}) if log else {})


def open_btrfs(content: Content, streams: Sequence[Stream]) -> BtrfsFileSystem:
    """The reader named in :data:`~v2vlint.disk.filesystems.formats.FORMATS`."""
    return BtrfsFileSystem(streams, content.uuid, content.label)
