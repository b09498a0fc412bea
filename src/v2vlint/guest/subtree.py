"""A directory as a filesystem of its own, for ostree deployments and bind mounts of folders."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from v2vlint.disk.filesystems.node import FileSystem, Kind, Node, Stat, as_it_lies
from v2vlint.model.errors import ImageError

MAX_DEPTH = 32


class SubTree:
    """The tree below ``node``, which is at ``path`` in ``system``, with the identity of that filesystem."""

    def __init__(self, system: FileSystem, node: Node, path: str) -> None:
        self.type, self.uuid, self.label, self.stale = system.type, system.uuid, system.label, system.stale
        self.system, self.path = system, path
        self._node = node

    @property
    def root(self) -> Node:
        """The selected directory."""
        return self._node

    def as_it_lies(self) -> FileSystem:
        """The same directory as the boot loader sees it; an empty tree when it does not exist yet."""
        lying = as_it_lies(self.system)
        return self if lying is self.system else descend(lying, self.path) or SubTree(lying, Nothing(), self.path)


class Nothing:
    """An empty directory."""

    def stat(self) -> Stat:
        """See :class:`~v2vlint.disk.filesystems.node.Node`."""
        return Stat(Kind.DIR, 0)

    def names(self) -> Iterator[str]:
        """None."""
        return iter(())

    def child(self, name: str) -> None:
        """None."""

    def link(self) -> str:
        """Always fails: not a link."""
        raise ImageError("not a link")

    def open(self) -> BinaryIO:
        """Always fails: not a file."""
        raise ImageError("not a file")


def descend(system: FileSystem, path: str) -> SubTree | None:
    """The directory ``path`` of ``system`` as a tree, or None when it does not exist. Links are not followed."""
    node: Node | None = system.root
    names = [part for part in path.split("/") if part][:MAX_DEPTH]
    for name in names:
        if node is None or node.stat().kind is not Kind.DIR:
            return None
        node = node.child(name)
    return None if node is None or node.stat().kind is not Kind.DIR else SubTree(system, node, "".join(f"/{name}" for name in names))
