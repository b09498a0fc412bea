"""What the parts of direct writing say to one another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from v2vlint.model.source import GuestRef, Keys


class Declined(Exception):
    """It cannot, or should not, be written directly, for ``reason``; nothing was."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Mismatch(Exception):
    """The guest is not as the plan expects."""


class Files(Protocol):
    """The files of one filesystem, to be changed. Paths begin at its top and lead over no links.

    Every method may raise Declined. Nothing is complete before :meth:`close`.
    """

    def size(self, path: str) -> int | None:
        """The size of a regular file; None when nothing is there."""
        ...

    def read(self, path: str) -> bytes:
        """The content of a regular file."""
        ...

    def overwrite(self, path: str, data: bytes) -> None:
        """Give a file new content; what else is known of it stays."""
        ...

    def append(self, path: str, size: int, data: bytes) -> None:
        """Add bytes behind the first ``size``, which are all there are."""
        ...

    def create(self, path: str, data: bytes, mode: int) -> None:
        """A new file of root's, with the folders on its way."""
        ...

    def copy(self, source: str, path: str) -> None:
        """A new file with content, owner, mode, times and attributes of another one."""
        ...

    def delete(self, path: str) -> None:
        """Remove a file or a link."""
        ...

    def label(self, path: str, context: str) -> None:
        """Give a file an SELinux label."""
        ...

    def mode(self, path: str) -> int:
        """Type and permissions of a file, as st_mode has them."""
        ...

    def close(self) -> None:
        """Write out what is still held back."""
        ...


@dataclass(frozen=True, slots=True)
class EditAsk:
    """Carry out ``orders`` (JSON: :class:`~v2vlint.fixing.orders.Orders`) on ``guest``. ``folder`` is an empty host folder to write to."""

    guest: GuestRef
    keys: Keys
    orders: str
    folder: str


@dataclass(frozen=True, slots=True)
class WrittenRun:
    """``length`` bytes of the file with the new bytes, from ``place`` on, that go to ``offset`` of disk number ``disk``."""

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
    """A FAT volume in the folder's file ``name``, what is to be done to it, and where its parts (``place``) lie on the disks."""

    name: str
    actions: tuple[FatAction, ...]
    places: tuple[WrittenRun, ...]


@dataclass(frozen=True, slots=True)
class Edited:
    """What came of it: ``runs`` of the new bytes in the folder's file ``BYTES``; or why it was ``declined``, or ``refused`` by the guest.

    ``volumes`` are still to be written by mtools. ``by`` names what wrote, ``notes`` are for people.
    """

    runs: tuple[WrittenRun, ...] = ()
    volumes: tuple[FatVolume, ...] = ()
    by: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    declined: str = ""
    refused: str = ""


BYTES = "bytes"
EDIT = "v2vlint.fixing.direct.worker:edit"
