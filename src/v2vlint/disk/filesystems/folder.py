"""A folder of this host as a filesystem. It is read without following links, so nothing outside of it is reached."""

from __future__ import annotations

import os
import stat
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any, BinaryIO

from v2vlint.disk.filesystems.node import Kind, Stat
from v2vlint.disk.stream import MemoryStream, Stream
from v2vlint.model.errors import ImageError

# Each costs a file descriptor, of which a process usually has 1024.
MAX_FOLDERS = 256
MAX_KERNEL_FILE = 4 << 20
_DIRECTORY = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# A pipe or device that has appeared since the check must not block.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_KINDS = ((stat.S_ISREG, Kind.FILE), (stat.S_ISDIR, Kind.DIR), (stat.S_ISLNK, Kind.LINK))
_NOBODY = 65534

Path = tuple[str, ...]


class FolderFileSystem:
    """The tree at ``path``. ImageError when it cannot be opened.

    Owners are relative to the owner of the top folder: in a tree that was unpacked without root, that user stands for root.
    """

    def __init__(self, path: str, kind: str = "", uuid: str = "", label: str = "") -> None:
        self.type, self.uuid, self.label, self.stale = kind, uuid, label, ""
        try:
            # The folder itself was named by the user, who may do so through a link.
            self._top = os.open(path, _DIRECTORY & ~os.O_NOFOLLOW)
        except OSError as error:
            raise ImageError(f"{path}: {os.strerror(error.errno or 0).lower()}") from error
        found = os.fstat(self._top)
        self.device, self._owner, self._group = found.st_dev, found.st_uid, found.st_gid
        self._folders: OrderedDict[Path, int] = OrderedDict()

    @property
    def root(self) -> FolderNode:
        """See :class:`~v2vlint.disk.filesystems.node.FileSystem`."""
        return FolderNode(self, ())

    def folder(self, path: Path) -> int:
        """The descriptor of a folder, opened relative to its parent's and cached."""
        if not path:
            return self._top
        if path in self._folders:
            self._folders.move_to_end(path)
            return self._folders[path]
        found = self._folders[path] = os.open(path[-1], _DIRECTORY, dir_fd=self.folder(path[:-1]))
        if len(self._folders) > MAX_FOLDERS:
            os.close(self._folders.popitem(last=False)[1])
        return found

    def stat(self, path: Path) -> os.stat_result:
        """The inode at ``path`` itself, links not followed."""
        return os.stat(path[-1], dir_fd=self.folder(path[:-1]), follow_symlinks=False) if path else os.fstat(self._top)

    def owners(self, found: os.stat_result) -> tuple[int, int]:
        """User and group as the system in the tree sees them."""
        # The overflow id stands for an owner that has no mapping here.
        if found.st_uid == _NOBODY or found.st_uid < self._owner:
            return found.st_uid, found.st_gid
        return found.st_uid - self._owner, max(0, found.st_gid - self._group)


class FolderNode:
    """An inode, identified by its path from the top."""

    def __init__(self, system: FolderFileSystem, path: Path) -> None:
        self._system, self._path = system, path

    def stat(self) -> Stat:
        """See :class:`~v2vlint.disk.filesystems.node.Node`."""
        found = self._system.stat(self._path)
        kind = next((kind for test, kind in _KINDS if test(found.st_mode)), Kind.OTHER)
        return Stat(kind, found.st_size, stat.S_IMODE(found.st_mode), *self._system.owners(found), found.st_mtime)

    def names(self) -> Iterator[str]:
        """See :class:`~v2vlint.disk.filesystems.node.Node`."""
        # A descriptor opened with O_PATH cannot be listed.
        handle = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=self._system.folder(self._path))
        try:
            with os.scandir(handle) as entries:
                yield from (entry.name for entry in entries)
        finally:
            os.close(handle)

    def child(self, name: str) -> FolderNode | None:
        """See :class:`~v2vlint.disk.filesystems.node.Node`."""
        found = FolderNode(self._system, (*self._path, name))
        try:
            self._system.stat(found._path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        return found

    def link(self) -> str:
        """See :class:`~v2vlint.disk.filesystems.node.Node`."""
        return os.readlink(self._path[-1], dir_fd=self._system.folder(self._path[:-1]))

    def open(self) -> BinaryIO:
        """See :class:`~v2vlint.disk.filesystems.node.Node`. Anything but a regular file is not opened."""
        file = _File(os.open(self._path[-1], _FILE, dir_fd=self._system.folder(self._path[:-1])))
        found: Any = file if file.size else MemoryStream(file.rest())
        stream: BinaryIO = found
        return stream


class _File(Stream):
    """An open file of this host. Files of /proc and /sys report size 0 although they have content."""

    def __init__(self, handle: int) -> None:
        self._handle = handle
        found = os.fstat(handle)
        super().__init__(found.st_size)
        if not stat.S_ISREG(found.st_mode):
            raise ImageError("not a regular file")

    def read_at(self, offset: int, length: int) -> bytes:
        """See :class:`~v2vlint.disk.stream.Stream`."""
        return os.pread(self._handle, self.clip(offset, length), offset)

    def rest(self) -> bytes:
        """Everything that can be read from it, up to a limit."""
        found = bytearray()
        while len(found) < MAX_KERNEL_FILE and (more := os.read(self._handle, 1 << 16)):
            found += more
        return bytes(found)

    def __del__(self) -> None:
        os.close(self._handle)
