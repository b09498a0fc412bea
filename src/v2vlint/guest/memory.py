"""A guest made of a few literals: the filesystem behind rule examples and tests."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO

from v2vlint.disk.node import Kind, Stat
from v2vlint.guest.fs import GuestFS
from v2vlint.model.rule import Link


@dataclass
class MemoryNode:
    """A file (bytes), a link (:class:`Link`) or a directory (dict) in memory."""

    content: bytes | Link | dict[str, MemoryNode]
    mode: int = 0o644

    def stat(self) -> Stat:
        """Type and size."""
        if isinstance(self.content, bytes):
            return Stat(Kind.FILE, len(self.content), self.mode)
        kind = Kind.LINK if isinstance(self.content, Link) else Kind.DIR
        return Stat(kind, 0, 0o755)

    def names(self) -> Iterator[str]:
        """Directory entries."""
        return iter(self.content if isinstance(self.content, dict) else ())

    def child(self, name: str) -> MemoryNode | None:
        """The entry ``name``."""
        return self.content.get(name) if isinstance(self.content, dict) else None

    def link(self) -> str:
        """The link target."""
        return self.content.target if isinstance(self.content, Link) else ""

    def open(self) -> BinaryIO:
        """The file content."""
        return io.BytesIO(self.content if isinstance(self.content, bytes) else b"")


@dataclass
class MemoryFileSystem:
    """A filesystem in memory."""

    files: Mapping[str, str | bytes | Link]
    type: str = "ext4"
    uuid: str = ""
    label: str = ""
    _root: MemoryNode = field(init=False)

    def __post_init__(self) -> None:
        self._root = MemoryNode({})
        for path, content in self.files.items():
            self._add(path, content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content)

    @property
    def root(self) -> MemoryNode:
        """The top directory."""
        return self._root

    def _add(self, path: str, content: bytes | Link) -> None:
        *folders, name = path.strip("/").split("/")
        here = self._root.content
        for folder in folders:
            assert isinstance(here, dict)
            here = here.setdefault(folder, MemoryNode({})).content
        assert isinstance(here, dict)
        if name:
            here[name] = MemoryNode(content)


def memory_guest(files: Mapping[str, str | bytes | Link]) -> GuestFS:
    """A guest with just these files. A path ending in ``/`` makes an empty directory."""
    plain = {path: content for path, content in files.items() if not path.endswith("/")}
    system = MemoryFileSystem(plain)
    for path in files:
        if path.endswith("/"):
            system._add(f"{path}.keep", b"")
    return GuestFS({"/": system})
