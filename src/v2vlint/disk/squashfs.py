"""squashfs 4 through dissect.squashfs."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any, BinaryIO, cast

from dissect.squashfs import SquashFS

from v2vlint.disk.node import Kind, Stat
from v2vlint.disk.stream import Stream


class SquashFileSystem:
    """An opened squashfs."""

    type = "squashfs"

    def __init__(self, base: Stream) -> None:
        self.uuid = self.label = ""
        self._fs: Any = SquashFS(base)

    @property
    def root(self) -> SquashNode:
        """The top directory."""
        return SquashNode(self._fs.root)


class SquashNode:
    """An inode as the rest of v2vlint sees it."""

    def __init__(self, inode: Any) -> None:
        self._inode = inode

    def stat(self) -> Stat:
        """See :class:`~v2vlint.disk.node.Node`."""
        inode = self._inode
        kind = Kind.DIR if inode.is_dir() else Kind.FILE if inode.is_file() else Kind.LINK if inode.is_symlink() else Kind.OTHER
        return Stat(kind, int(inode.size or 0), inode.mode & 0o7777, inode.uid, inode.gid, float(inode.header.mtime))

    @functools.cached_property
    def _children(self) -> dict[str, Any]:
        return {inode.name: inode for inode in self._inode.iterdir()}

    def names(self) -> Iterator[str]:
        """See :class:`~v2vlint.disk.node.Node`."""
        return iter(self._children)

    def child(self, name: str) -> SquashNode | None:
        """See :class:`~v2vlint.disk.node.Node`."""
        found = self._children.get(name)
        return None if found is None else SquashNode(found)

    def link(self) -> str:
        """See :class:`~v2vlint.disk.node.Node`."""
        return str(self._inode.link)

    def open(self) -> BinaryIO:
        """See :class:`~v2vlint.disk.node.Node`."""
        return cast(BinaryIO, self._inode.open())
