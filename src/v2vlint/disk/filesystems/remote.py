"""The files of a remote running machine: the parent process lists each folder once, and opens each file, on request."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO
from urllib.parse import quote

from v2vlint.disk.filesystems.node import Kind, Stat
from v2vlint.disk.stream import HostFile
from v2vlint.files import FileOpener
from v2vlint.model.errors import ImageError

MAX_LISTING = 64 << 20
_LETTERS = {"f": Kind.FILE, "d": Kind.DIR, "l": Kind.LINK}
_KINDS = ((stat.S_ISREG, Kind.FILE), (stat.S_ISDIR, Kind.DIR), (stat.S_ISLNK, Kind.LINK))


class RemoteFileSystem:
    """The tree below ``url`` (``sftp://host``)."""

    def __init__(self, url: str, files: FileOpener) -> None:
        self.type, self.uuid, self.label, self.stale = "", "", "", ""
        self._url, self._files = url, files
        self._folders: dict[str, dict[str, tuple[Stat, str]]] = {}

    @property
    def root(self) -> RemoteNode:
        """See :class:`~v2vlint.disk.filesystems.node.FileSystem`."""
        return RemoteNode(self, "", Stat(Kind.DIR, 0, 0o755))

    def open(self, path: str, what: str = "") -> HostFile:
        """The file at ``path``, opened by the parent process."""
        place = self._url.replace("sftp://", f"sftp{what}://", 1)
        return HostFile(f"{place}{quote(path or '/', errors='surrogateescape')}", files=self._files)

    def answer(self, path: str, what: str) -> bytes:
        """The server's answer about ``path``."""
        file = self.open(path, what)
        try:
            if file.size > MAX_LISTING:
                raise ImageError(f"{path}: too long a list")
            return file.read_at(0, file.size)
        finally:
            file.close()

    def listed(self, path: str) -> dict[str, tuple[Stat, str]]:
        """The entries of a folder, with link targets if the server included them."""
        if path not in self._folders:
            rows: list[list[Any]] = json.loads(self.answer(path, "+list"))
            self._folders[path] = {str(name): (_stat(*map(int, rest)), str(target)) for name, *rest, target in rows}
        return self._folders[path]

    def know(self, folders: Iterable[str], entries: Iterable[tuple[str, ...]]) -> None:
        """Take the entries of folders as told: type, mode, size, owners and time; the folder after a slash; the name; ``>`` and target."""
        told: dict[str, dict[str, tuple[Stat, str]]] = {f"/{folder}" if folder != "." else "": {} for folder in folders}
        for what, folder, name, target in entries:
            known = told.get("" if folder == "/." else folder)
            # The machine is not trusted: no name may lead into another folder.
            if known is not None and "/" not in name:
                known[name] = _told(what), target[1:]
        self._folders |= told


def _told(what: str) -> Stat:
    """An inode as printed by find(1). ImageError for any other text."""
    try:
        kind, mode, size, uid, gid, mtime = what.split()
        return Stat(_LETTERS.get(kind, Kind.OTHER), int(size), int(mode, 8), int(uid), int(gid), float(mtime))
    except ValueError as error:
        raise ImageError("the list that was sent is damaged") from error


def _stat(mode: int, size: int, uid: int, gid: int, mtime: int) -> Stat:
    kind = next((kind for test, kind in _KINDS if test(mode)), Kind.OTHER)
    return Stat(kind, size, stat.S_IMODE(mode), uid, gid, float(mtime))


class RemoteNode:
    """An inode, identified by its path."""

    def __init__(self, system: RemoteFileSystem, path: str, found: Stat, target: str = "") -> None:
        self._system, self._path, self._stat, self._target = system, path, found, target

    def stat(self) -> Stat:
        """See :class:`~v2vlint.disk.filesystems.node.Node`."""
        return self._stat

    def names(self) -> Iterator[str]:
        """See :class:`~v2vlint.disk.filesystems.node.Node`."""
        return iter(self._system.listed(self._path))

    def child(self, name: str) -> RemoteNode | None:
        """See :class:`~v2vlint.disk.filesystems.node.Node`."""
        found = self._system.listed(self._path).get(name)
        return None if found is None else RemoteNode(self._system, f"{self._path}/{name}", *found)

    def link(self) -> str:
        """See :class:`~v2vlint.disk.filesystems.node.Node`."""
        return self._target or self._system.answer(self._path, "+link").decode("utf-8", "surrogateescape")

    def open(self) -> BinaryIO:
        """See :class:`~v2vlint.disk.filesystems.node.Node`. The whole file is read, up to a maximum size."""
        if self._stat.kind is not Kind.FILE:
            raise ImageError("not a regular file")
        found: Any = self._system.open(self._path)
        stream: BinaryIO = found
        return stream
