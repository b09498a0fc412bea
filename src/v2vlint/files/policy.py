"""The policy itself. A file that the operator named may be opened wherever it is. What such a file refers to must lie in its folder.

Paths are judged after resolution: an absolute path that stays inside is fine, a link that leads out is not. Names that start with a dot,
below a folder, are nobody's disks (``.ssh``), and ``/`` counts as a folder only for what lies right in it.
"""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field

from v2vlint.model.errors import ImageError
from v2vlint.model.source import GuestRef

_KINDS = (
    (stat.S_ISDIR, "a folder"), (stat.S_ISFIFO, "a pipe"), (stat.S_ISCHR, "a character device"), (stat.S_ISSOCK, "a socket"),
    (stat.S_ISLNK, "a link that leads nowhere"),
)  # fmt: skip


class Refused(ImageError):
    """The policy does not allow to open it; the hint has the option that would."""


class Missing(ImageError):
    """There is no such file."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A file opened for reading: ``path`` as it was asked for, ``real`` where it is, and the ``descriptor``, which the caller owns.

    ``size`` is in bytes, also for a block device.
    """

    path: str
    real: str
    size: int
    descriptor: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class FilePolicy:
    """What may be opened for one guest: the resolved paths ``named``, what lies in ``folders``, and in those ``allowed`` also devices."""

    named: frozenset[str] = frozenset()
    folders: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()

    @classmethod
    def naming(cls, paths: Iterable[str], allowed: Iterable[str] = (), folder: str = "") -> FilePolicy:
        """The policy for files that the operator named, folders that the operator allowed, and a folder in which the guest was found."""
        paths = tuple(path for path in paths if path and "\0" not in path)
        folders = [os.path.realpath(folder)] if folder else []
        for path in paths:
            real = os.path.realpath(path)
            if not os.path.exists(real) or stat.S_ISREG(os.stat(real).st_mode):  # noqa: PTH110, PTH116
                folders += [os.path.realpath(os.path.dirname(path) or "."), os.path.dirname(real)]  # noqa: PTH120
        granted = tuple(dict.fromkeys(map(os.path.realpath, allowed)))
        return cls(frozenset(map(os.path.realpath, paths)), tuple(dict.fromkeys((*folders, *granted))), granted)

    @classmethod
    def of(cls, ref: GuestRef, *more: str) -> FilePolicy:
        """The policy for a guest as the operator named it, and ``more`` files that were named with it."""
        named = (*(() if ref.folder else ref.paths), *ref.named, *(path for path, _format in ref.below), *more)
        return cls.naming(named, ref.allowed, ref.folder)

    def covers(self, path: str) -> bool:
        """Whether ``path``, which must be resolved, may be opened."""
        return path in self.named or any(_is_in(folder, path) for folder in self.folders)

    def open(self, path: str) -> Opened:
        """Open a file for reading. Missing, Refused, or ImageError with the reason; what is opened is what was judged."""
        if not path or "\0" in path:
            raise Missing(f"{path!r}: no such file")
        real = os.path.realpath(path)
        if not os.path.lexists(real):
            raise Missing(f"{path}: no such file or directory")
        self._judge(path, real)
        try:
            handle = os.open(real, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError as error:
            raise ImageError(f"{path}: {os.strerror(error.errno or 0).lower()}") from error
        try:
            return self._reopened(path, handle)
        except OSError as error:
            raise ImageError(f"{path}: {os.strerror(error.errno or 0).lower()}") from error
        finally:
            os.close(handle)

    def _reopened(self, path: str, handle: int) -> Opened:
        """``handle`` opened for reading. A link may have been put in the way since the path was resolved, so it is judged again."""
        real = os.readlink(f"/proc/self/fd/{handle}")  # noqa: PTH115
        self._judge(path, real)
        mode = os.fstat(handle).st_mode
        wanted = stat.S_ISREG(mode) or (stat.S_ISBLK(mode) and self._may_be_a_device(real))
        if not wanted:
            kind = next((word for test, word in _KINDS if test(mode)), "a device that was not named")
            raise ImageError(f"{path}: not a regular file, but {kind}")
        descriptor = os.open(f"/proc/self/fd/{handle}", os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
        size = os.lseek(descriptor, 0, os.SEEK_END)
        os.lseek(descriptor, 0, os.SEEK_SET)
        return Opened(path, real, size, descriptor)

    def _judge(self, path: str, real: str) -> None:
        if not self.covers(real):
            where = f" (it leads to {real})" if real != os.path.abspath(path) else ""  # noqa: PTH100
            folder = os.path.dirname(real)  # noqa: PTH120
            raise Refused(
                f"{path} is outside the folder of the guest{where}", hint=f"if it belongs to it: --allow-folder {shlex.quote(folder)}"
            )

    def _may_be_a_device(self, real: str) -> bool:
        return real in self.named or any(_is_in(folder, real) for folder in self.allowed)


def _is_in(folder: str, path: str) -> bool:
    if folder == "/":
        return os.path.dirname(path) == "/"  # noqa: PTH120
    below = path.removeprefix(f"{folder}/")
    return below != path and not any(part.startswith(".") for part in below.split("/"))
