"""btrfs through dissect.btrfs: subvolumes, the default one, compression, several devices."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

from dissect.btrfs.btrfs import Btrfs
from dissect.btrfs.c_btrfs import c_btrfs

from v2vlint.disk.node import Kind, Stat
from v2vlint.disk.stream import Stream
from v2vlint.model.errors import ImageError

MAX_SUBVOLUMES = 10_000
MAX_LINK = 1 << 16
MAX_PATH = 4096
TOP = 5


@dataclass(frozen=True, slots=True)
class Subvolume:
    """A subvolume: its id, its path from the top (empty for the top itself), and whether it is a snapshot, read-only, the default."""

    id: int
    path: str
    snapshot: bool = False
    read_only: bool = False
    default: bool = False


class BtrfsFileSystem:
    """An opened btrfs; ``root`` is that of the subvolume chosen, the default one unless told otherwise."""

    type = "btrfs"

    def __init__(self, streams: Sequence[Stream], uuid: str = "", label: str = "", devices: int = 1) -> None:
        self.uuid, self.label = uuid, label
        if len(streams) < devices:
            raise ImageError(f"btrfs: {devices - len(streams)} of its {devices} devices are missing")
        self._fs: Any = Btrfs(list(streams))
        self.default = int(self._fs.default_subvolume.objectid)
        self.chosen = self.default

    def choose(self, subvolume: int) -> BtrfsFileSystem:
        """The same filesystem with the root of another subvolume."""
        other = object.__new__(BtrfsFileSystem)
        other.__dict__.update(self.__dict__)
        other.chosen = subvolume
        return other

    @property
    def root(self) -> BtrfsNode:
        """The top directory of the chosen subvolume."""
        return BtrfsNode(self._fs.open_subvolume(self.chosen).root)

    @functools.cached_property
    def subvolumes(self) -> tuple[Subvolume, ...]:
        """All subvolumes, the top first, parents before children."""
        found = {TOP: self._describe(TOP, "")}
        pending = [TOP]
        for parent in pending:
            for child, path in self._children(parent, found[parent].path):
                if child not in found and len(found) < MAX_SUBVOLUMES:
                    found[child] = self._describe(child, path)
                    pending.append(child)
        return tuple(found.values())

    def _children(self, parent: int, path: str) -> Iterator[tuple[int, str]]:
        cursor = self._fs._root_tree.cursor()
        for item, data in cursor.iter(objectid=parent, type=c_btrfs.BTRFS_ROOT_REF_KEY, offset=0, ignore_offset=True):
            reference = c_btrfs.btrfs_root_ref(data)
            folder = self._folder(parent, int(reference.dirid))
            name = bytes(reference.name).decode("utf-8", "surrogateescape")
            yield int(item.key.offset), "/".join(part for part in (path, folder, name) if part)[:MAX_PATH]

    def _folder(self, subvolume: int, inode: int) -> str:
        names: list[str] = []
        tree = self._fs.open_subvolume(subvolume).tree
        while inode != c_btrfs.BTRFS_FIRST_FREE_OBJECTID and len(names) < 256:
            item, data = tree.find(inode, c_btrfs.BTRFS_INODE_REF_KEY)
            names.append(bytes(c_btrfs.btrfs_inode_ref(data).name).decode("utf-8", "surrogateescape"))
            inode = int(item.key.offset)
        return "/".join(reversed(names))

    def _describe(self, number: int, path: str) -> Subvolume:
        item = self._fs.open_subvolume(number).tree.root_item
        return Subvolume(number, path, any(item.parent_uuid), bool(item.flags & 1), number == self.default)


class BtrfsNode:
    """An inode as the rest of v2vlint sees it."""

    def __init__(self, inode: Any) -> None:
        self._inode = inode

    def stat(self) -> Stat:
        """See :class:`~v2vlint.disk.node.Node`."""
        inode = self._inode
        kind = Kind.DIR if inode.is_dir() else Kind.FILE if inode.is_file() else Kind.LINK if inode.is_symlink() else Kind.OTHER
        return Stat(kind, int(inode.size), inode.mode & 0o7777, inode.uid, inode.gid, inode.mtime_ns / 1e9)

    def names(self) -> Iterator[str]:
        """See :class:`~v2vlint.disk.node.Node`."""
        return (name for name, _inode in self._inode.iterdir() if name not in (".", ".."))

    def child(self, name: str) -> BtrfsNode | None:
        """See :class:`~v2vlint.disk.node.Node`."""
        try:
            return BtrfsNode(self._inode.subvolume.get(name, self._inode))
        except UnicodeEncodeError:
            return next((BtrfsNode(inode) for other, inode in self._inode.iterdir() if other == name), None)
        except FileNotFoundError:
            return None

    def link(self) -> str:
        """See :class:`~v2vlint.disk.node.Node`."""
        if self._inode.size > MAX_LINK:
            raise ImageError(f"a link of {self._inode.size} bytes")
        return str(self._inode.link)

    def open(self) -> BinaryIO:
        """See :class:`~v2vlint.disk.node.Node`."""
        return cast(BinaryIO, self._inode.open())
