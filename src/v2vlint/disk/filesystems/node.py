"""The interface that every filesystem reader implements."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from typing import BinaryIO, Generic, Protocol, Self, TypeVar, runtime_checkable

from v2vlint.model.dataclass import dataclass


class Kind(enum.Enum):
    """The type of a directory entry."""

    FILE = "file"
    DIR = "directory"
    LINK = "symbolic link"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Stat:
    """The attributes of an inode that v2vlint uses. ``mode`` is the permission bits only; ``mtime`` is seconds since the epoch, 0 when
    unknown.
    """

    kind: Kind
    size: int
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    mtime: float = 0.0


class Node(Protocol):
    """One inode. Any method may raise any exception on damaged bytes; ``GuestFS`` turns that into an outcome."""

    def stat(self) -> Stat:
        """Type, size, owner, mode, modification time."""
        ...

    def names(self) -> Iterator[str]:
        """Names in a directory, without ``.`` and ``..``, in any order."""
        ...

    def child(self, name: str) -> Node | None:
        """The entry ``name`` of a directory, or None."""
        ...

    def link(self) -> str:
        """The target of a symbolic link."""
        ...

    def open(self) -> BinaryIO:
        """The content of a file, seekable."""
        ...


@runtime_checkable
class Attributed(Protocol):
    """An inode whose extended attributes can be read."""

    def attributes(self) -> Mapping[str, bytes]:
        """Extended attributes by name (``security.selinux``), those of ``security``, ``trusted`` and ``user``. Links are not followed."""
        ...


class FileSystem(Protocol):
    """An opened filesystem. ``type`` is the type reported by blkid (``ext4``, ``xfs``, ``btrfs``, ``vfat``, ``ntfs``…).

    ``stale`` says why the kernel may see something else after mounting it: its journal holds changes that cannot be replayed. It is empty
    when there are none. Such a filesystem is :class:`Journaled`, and its other view is not stale.
    """

    type: str
    uuid: str
    label: str
    stale: str

    @property
    def root(self) -> Node:
        """The top directory (for btrfs: of the chosen subvolume)."""
        ...


@runtime_checkable
class Journaled(Protocol):
    """A filesystem with a journal that its reader replays."""

    def as_it_lies(self) -> FileSystem:
        """The same filesystem without the changes that are only in its journal, as firmware and boot loaders see it; itself when there are
        none.
        """
        ...


@runtime_checkable
class Counting(Protocol):
    """A filesystem that counts its free space; any exception means that it cannot be told."""

    def free(self) -> int:
        """The bytes that statfs(2) calls free (``f_bfree``) once it is mounted for writing."""
        ...


@runtime_checkable
class CountingInodes(Protocol):
    """A filesystem with a fixed number of inodes that counts its free ones; any exception means that they cannot be told."""

    def free_inodes(self) -> int:
        """What statfs(2) calls free (``f_ffree``)."""
        ...


@runtime_checkable
class Limiting(Protocol):
    """A filesystem whose free space root cannot use whole; any exception means that it cannot be told."""

    def available(self) -> int:
        """The bytes that root can still write, once it is mounted for writing."""
        ...


def as_it_lies(system: FileSystem) -> FileSystem:
    """``system`` as firmware and boot loaders see it, which never replay a journal."""
    return system.as_it_lies() if isinstance(system, Journaled) else system


def as_known(system: FileSystem) -> FileSystem:
    """``system`` as the kernel will see it; without replay where that cannot be known. For finding out what a guest consists of."""
    return as_it_lies(system) if system.stale else system


class Inode(Protocol):
    """A numbered inode; for the fields see :class:`Stat`."""

    @property
    def kind(self) -> Kind: ...
    @property
    def size(self) -> int: ...
    @property
    def mode(self) -> int: ...
    @property
    def uid(self) -> int: ...
    @property
    def gid(self) -> int: ...
    @property
    def mtime(self) -> float: ...


class Numbered(Protocol):
    """A filesystem whose inodes and directories are found by number."""

    def inode(self, number: int) -> Inode:
        """The inode ``number``."""
        ...

    def directory(self, number: int) -> Mapping[str, int]:
        """Names in the directory ``number`` with the numbers of their inodes."""
        ...


System = TypeVar("System", bound=Numbered)


class NumberedNode(Generic[System]):
    """A node of a filesystem whose inodes have numbers. Subclasses read links and files."""

    def __init__(self, fs: System, number: int) -> None:
        self._fs, self._number = fs, number

    def stat(self) -> Stat:
        """See :class:`Node`."""
        inode = self._fs.inode(self._number)
        return Stat(inode.kind, inode.size, inode.mode, inode.uid, inode.gid, inode.mtime)

    def names(self) -> Iterator[str]:
        """See :class:`Node`."""
        return iter(self._fs.directory(self._number))

    def child(self, name: str) -> Self | None:
        """See :class:`Node`."""
        number = self._fs.directory(self._number).get(name)
        return None if number is None else type(self)(self._fs, number)
