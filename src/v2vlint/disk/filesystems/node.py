"""What every filesystem reader looks like to the rest of v2vlint."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Protocol


class Kind(enum.Enum):
    """The type of a directory entry."""

    FILE = "file"
    DIR = "directory"
    LINK = "symbolic link"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Stat:
    """What v2vlint asks of an inode. ``mode`` holds permission bits only; ``mtime`` is seconds since the epoch, 0 when unknown."""

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


class FileSystem(Protocol):
    """An opened filesystem. ``type`` is blkid's word (``ext4``, ``xfs``, ``btrfs``, ``vfat``, ``ntfs``…)."""

    type: str
    uuid: str
    label: str

    @property
    def root(self) -> Node:
        """The top directory (for btrfs: of the chosen subvolume)."""
        ...
