"""The types that the parts of direct writing exchange."""

from __future__ import annotations

from typing import Protocol

from v2vlint.model.dataclass import dataclass
from v2vlint.model.source import GuestRef, Keys


class Declined(Exception):
    """The guest cannot, or should not, be written directly, for ``reason``; nothing was written."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Mismatch(Exception):
    """The guest is not in the state that the plan expects."""


class Files(Protocol):
    """The files of one filesystem, for writing. Paths start at its top and contain no links.

    Every method may raise Declined. No change is complete before :meth:`close`. ``folders`` are those created for new files.
    """

    folders: list[str]

    def size(self, path: str) -> int | None:
        """The size of a regular file; None when nothing exists at ``path``."""
        ...

    def read(self, path: str) -> bytes:
        """The content of a regular file."""
        ...

    def overwrite(self, path: str, data: bytes) -> None:
        """Replace a file's content; its metadata stays the same."""
        ...

    def append(self, path: str, size: int, data: bytes) -> None:
        """Append bytes to a file of ``size`` bytes."""
        ...

    def create(self, path: str, data: bytes, mode: int) -> None:
        """Create a file owned by root, with its parent folders."""
        ...

    def copy(self, source: str, path: str) -> None:
        """Create a file with the content, owner, mode, times and attributes of another one."""
        ...

    def delete(self, path: str) -> None:
        """Remove a file or a link."""
        ...

    def label(self, path: str, context: str) -> None:
        """Give a file an SELinux label."""
        ...

    def mode(self, path: str) -> int:
        """Type and permissions of a file, as in st_mode."""
        ...

    def close(self) -> None:
        """Write out buffered changes."""
        ...


@dataclass(frozen=True, slots=True)
class EditAsk:
    """Request to carry out ``orders`` (JSON: :class:`~v2vlint.fixing.orders.Orders`) on ``guest``. ``folder`` is an empty host folder for
    output.
    """

    guest: GuestRef
    keys: Keys
    orders: str
    folder: str


@dataclass(frozen=True, slots=True)
class WrittenRun:
    """``length`` bytes starting at ``place`` in the file of new bytes, to be written at ``offset`` of disk number ``disk``."""

    disk: int
    offset: int
    length: int
    place: int


@dataclass(frozen=True, slots=True)
class FatAction:
    """``put`` the host file ``source`` at ``path``, make a ``folder``, or ``delete``.

    A new file gets ``attributes`` (letters of ``rhs``) and, unless it is 0, the time ``mtime``.
    """

    kind: str
    path: str
    source: str = ""
    attributes: str = ""
    mtime: float = 0.0


@dataclass(frozen=True, slots=True)
class FatVolume:
    """A FAT volume in the folder's file ``name``, the actions to carry out on it, and the position of its parts (``place``) on the
    disks.
    """

    name: str
    actions: tuple[FatAction, ...]
    places: tuple[WrittenRun, ...]


@dataclass(frozen=True, slots=True)
class Edited:
    """The answer: ``runs`` of the new bytes in the folder's file ``BYTES``, or why the request was ``declined``, or ``refused`` because of
    the guest.

    ``volumes`` are still to be written by mtools. ``by`` names the libraries that wrote, ``notes`` are for people.
    """

    runs: tuple[WrittenRun, ...] = ()
    volumes: tuple[FatVolume, ...] = ()
    by: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    declined: str = ""
    refused: str = ""


BYTES = "bytes"
EDIT = "v2vlint.fixing.direct.worker:edit"
