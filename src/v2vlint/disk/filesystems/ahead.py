"""The files of a remote machine that has sent an archive ahead: its content is read from the archive, everything else on request.

The archive has whole folders. One that lacks something (what is large, or what the user there may not read) is listed by the machine.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import BinaryIO

from v2vlint.disk.filesystems.archive import ArchiveFileSystem, EntryNode
from v2vlint.disk.filesystems.node import Kind, Node, Stat
from v2vlint.disk.filesystems.remote import RemoteFileSystem, RemoteNode
from v2vlint.disk.stream import HostFile, Slice
from v2vlint.model.errors import ImageError

MAX_HEAD = 16 << 20


class AheadFileSystem:
    """The tree ``far``, with the file that its machine has packed (see :mod:`v2vlint.files.ahead`). ImageError when that is damaged."""

    def __init__(self, far: RemoteFileSystem, packed: HostFile) -> None:
        self.type, self.uuid, self.label, self.stale = "", "", "", ""
        head = packed.read_at(0, min(packed.size, MAX_HEAD))
        words, start = _words(head, 0)
        holes, start = _words(head, start)
        folders, start = _words(head, start)
        entries, start = _words(head, start)
        # Four words for each entry.
        far.know(folders, zip(*(iter(entries),) * 4, strict=False))
        self.far = far
        self._whole = frozenset(f"/{word}" for word in words)
        # The folder of what is lacking has to be listed, too.
        self._lacking = {f"/{hole}" for hole in holes} | {posixpath.dirname(f"/{hole}") for hole in holes}
        self._near = ArchiveFileSystem()
        self._near.add("the archive that was sent", Slice(packed, start, packed.size - start))

    @property
    def root(self) -> AheadNode:
        """See :class:`~v2vlint.disk.filesystems.node.FileSystem`."""
        return AheadNode(self, "", self.far.root, self._near.root)

    def has_all_of(self, path: str) -> bool:
        """Whether the archive contains the whole folder."""
        above = path
        while above and above not in self._whole:
            above = above.rpartition("/")[0]
        return bool(above) and path not in self._lacking


def _words(head: bytes, start: int) -> tuple[list[str], int]:
    """The words from ``start`` up to an empty one, and the position after that."""
    end = start if head[start : start + 1] == b"\0" else head.find(b"\0\0", start) + 1 or len(head)
    if end >= len(head):
        raise ImageError("the archive that was sent is cut short")
    return head[start:end].decode("utf-8", "surrogateescape").split("\0")[: -1 if end > start else 0], end + 1


class AheadNode:
    """An inode: ``known`` is from the archive or the machine, ``near`` is what the archive contains of a folder."""

    def __init__(self, system: AheadFileSystem, path: str, known: Node, near: EntryNode | None) -> None:
        self._system, self._path, self._known, self._near = system, path, known, near

    def _folder(self) -> Node:
        """Where the entries of a folder come from."""
        if self._near is not None and self._system.has_all_of(self._path):
            return self._near
        return RemoteNode(self._system.far, self._path, self.stat())

    def stat(self) -> Stat:
        """See :class:`~v2vlint.disk.filesystems.node.Node`."""
        return self._known.stat()

    def names(self) -> Iterator[str]:
        """See :class:`~v2vlint.disk.filesystems.node.Node`."""
        return self._folder().names()

    def child(self, name: str) -> AheadNode | None:
        """See :class:`~v2vlint.disk.filesystems.node.Node`."""
        found, near = self._folder().child(name), self._near.child(name) if self._near else None
        if found is None:
            return None
        is_sent = near is not None and near.stat().kind is Kind.FILE and found.stat().kind is Kind.FILE
        return AheadNode(self._system, f"{self._path}/{name}", near if near and is_sent else found, near)

    def link(self) -> str:
        """See :class:`~v2vlint.disk.filesystems.node.Node`."""
        return self._known.link()

    def open(self) -> BinaryIO:
        """See :class:`~v2vlint.disk.filesystems.node.Node`."""
        return self._known.open()
