"""A guest built from a few literals: the filesystem behind rule examples and tests."""

from __future__ import annotations

import copy
import io
from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import BinaryIO

from v2vlint.disk.filesystems.formats import is_caseless
from v2vlint.disk.filesystems.node import Kind, Stat
from v2vlint.guest.fs import GuestFS
from v2vlint.model.dataclass import dataclass
from v2vlint.model.rule import Content, Hive, Link
from v2vlint.samples.regf import make_hive


@dataclass
class MemoryNode:
    """A file (bytes), a link (:class:`Link`) or a directory (dict) in memory; with ``fold``, names are case-insensitive."""

    content: bytes | Link | dict[str, MemoryNode]
    mode: int = 0o644
    fold: bool = False

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
        if not isinstance(self.content, dict):
            return None
        if self.fold and name not in self.content:
            name = next((known for known in self.content if known.lower() == name.lower()), name)
        return self.content.get(name)

    def link(self) -> str:
        """The link target."""
        return self.content.target if isinstance(self.content, Link) else ""

    def open(self) -> BinaryIO:
        """The file content."""
        return io.BytesIO(self.content if isinstance(self.content, bytes) else b"")


@dataclass
class MemoryFileSystem:
    """A filesystem in memory."""

    files: Mapping[str, Content]
    type: str = "ext4"
    uuid: str = ""
    label: str = ""
    stale: str = ""
    _root: MemoryNode = field(init=False)

    def __post_init__(self) -> None:
        self._root = self._folder()
        for path, content in self.files.items():
            self._add(path, _stored(content))

    @property
    def root(self) -> MemoryNode:
        """The top directory."""
        return self._root

    def as_it_lies(self) -> MemoryFileSystem:
        """The same files without doubts: itself unless it is ``stale``."""
        if not self.stale:
            return self
        other = copy.copy(self)
        other.stale = ""
        return other

    def _add(self, path: str, content: bytes | Link) -> None:
        *folders, name = path.strip("/").split("/")
        node = self._root
        for folder in folders:
            assert isinstance(node.content, dict)
            node = node.child(folder) or node.content.setdefault(folder, self._folder())
        here = node.content
        assert isinstance(here, dict)
        if name:
            # NetworkManager loads no profile that others may read.
            here[name] = MemoryNode(content, 0o600 if folders[-1:] == ["system-connections"] else 0o644)

    def _folder(self) -> MemoryNode:
        return MemoryNode({}, fold=is_caseless(self.type))


def _stored(content: Content) -> bytes | Link:
    if isinstance(content, Hive):
        return make_hive(content.text)
    return content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content


def memory_guest(files: Mapping[str, Content], uuid: str = "") -> GuestFS:
    """A guest with only these files, on a filesystem with this UUID. A path ending in ``/`` creates an empty directory.

    Windows files are on an NTFS with case-insensitive names; ``/esp/`` is then a separate filesystem."""
    plain = {path: content for path, content in files.items() if not path.endswith("/")}
    windows = any(path.lower().startswith("/windows/") for path in files)
    esp = {path.removeprefix("/esp"): content for path, content in plain.items() if windows and path.startswith("/esp/")}
    top = {path: content for path, content in plain.items() if not (windows and path.startswith("/esp/"))}
    system = MemoryFileSystem(top, "ntfs" if windows else "ext4", uuid)
    for path in files:
        if path.endswith("/"):
            system._add(f"{path}.keep", b"")
    return GuestFS({"/": system, **({"/esp": MemoryFileSystem(esp, "vfat", "E5E5-0001")} if esp else {})})
