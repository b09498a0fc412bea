"""The file policy. A file that the operator named may be opened wherever it is. Files that it refers to must be in its folder.

Paths are checked after resolution: an absolute path inside the folder is allowed, a link out of it is not. Names that start with a dot,
below a folder, are never disks (``.ssh``), and if the folder is ``/``, only files directly in it are allowed.
"""

from __future__ import annotations

import io
import os
import re
import shlex
import stat
from collections.abc import Iterable
from dataclasses import field
from typing import Any, BinaryIO

from v2vlint.files import urls
from v2vlint.files.devices import user_of_device
from v2vlint.files.errors import FileMissing, Refused
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import ImageError
from v2vlint.model.source import GuestRef

_ASKED = re.compile(r"\+(list|link|ahead)$")
_KINDS = (
    (stat.S_ISDIR, "a folder"), (stat.S_ISFIFO, "a pipe"), (stat.S_ISCHR, "a character device"), (stat.S_ISSOCK, "a socket"),
    (stat.S_ISLNK, "a link that leads nowhere"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Opened:
    """A file opened for reading: ``path`` as requested, ``real`` after resolution, and the ``descriptor``, which the caller owns.

    ``size`` is in bytes, also for a block device. The descriptor of a ``remote`` file is a socket (see :mod:`v2vlint.files.remote`), and
    ``state`` is the server's version tag. ``user`` says in words what this host is using a block device for.
    """

    path: str
    real: str
    size: int
    descriptor: int = field(compare=False)
    remote: bool = False
    user: str = ""
    state: str = ""

    def stream(self) -> BinaryIO:
        """The content from the start. The stream owns the descriptor."""
        if not self.remote:
            return os.fdopen(self.descriptor, "rb")
        from v2vlint.files.remote import RemoteFile

        found: Any = io.BufferedReader(RemoteFile(self.descriptor, self.size), 1 << 16)
        plain: BinaryIO = found
        return plain


Queries = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class UrlPolicy:
    """The policy for URLs: those ``named``, and everything in ``folders`` of the same server."""

    named: frozenset[str] = frozenset()
    folders: tuple[str, ...] = ()
    queries: Queries = field(default=(), repr=False)
    trees: tuple[str, ...] = ()

    @classmethod
    def naming(cls, named: Iterable[str], allowed: Iterable[str], queries: Queries, trees: Iterable[str] = ()) -> UrlPolicy:
        """See :meth:`FilePolicy.naming`; everything below ``trees`` may be read and listed."""
        files = tuple(map(urls.plain, named))
        folders = tuple(dict.fromkeys((*map(urls.folder_of, files), *map(urls.plain, allowed))))
        return cls(frozenset(files), folders, queries, tuple(trees))

    def _tree_of(self, url: str) -> str:
        """The tree that contains a file, folder or link; empty when none does."""
        below = f"{_ASKED.sub('', urls.scheme_of(url))}://{url.partition('://')[2]}"
        return next((tree for tree in self.trees if below.startswith(f"{tree}/")), "")

    def open(self, path: str) -> Opened:
        """See :meth:`FilePolicy.open`; the result is a socket to the thread that reads the file."""
        from v2vlint.files.remote import serve

        url = urls.plain(path)
        tree = self._tree_of(url)
        if not tree and url not in self.named and not any(urls.is_in(folder, url) for folder in self.folders):
            hint = f"if it belongs to it: --allow-folder {shlex.quote(urls.shown(urls.folder_of(url)))}"
            raise Refused(f"{urls.shown(path)} is outside the folder of the guest", hint=hint)
        # The operator's, not the child's: a query may be a signature, or name a program to start over ssh.
        query = dict(self.queries).get(tree or url, "")
        descriptor, size, state = serve(f"{url}?{query}" if query else url)
        return Opened(path, urls.shown(url), size, descriptor, remote=True, state=state)


@dataclass(frozen=True, slots=True)
class FilePolicy:
    """What may be opened for one guest: the resolved paths ``named``, everything in ``folders``, and in those ``allowed`` also devices."""

    named: frozenset[str] = frozenset()
    folders: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()
    remote: UrlPolicy = UrlPolicy()

    @classmethod
    def naming(
        cls, paths: Iterable[str], allowed: Iterable[str] = (), folder: str = "", queries: Queries = (), trees: Iterable[str] = ()
    ) -> FilePolicy:
        """The policy for files that the operator named, folders that the operator allowed, and the folder in which the guest was found.

        All of them may be URLs; ``queries`` are the query parts needed to open those, which are never shown.
        """
        given, allowed = tuple(path for path in paths if path and "\0" not in path), tuple(allowed)
        remote = UrlPolicy.naming(filter(urls.is_url, given), filter(urls.is_url, (*allowed, folder)), queries, filter(urls.is_url, trees))
        paths, folder = tuple(path for path in given if not urls.is_url(path)), "" if urls.is_url(folder) else folder
        folders = [os.path.realpath(folder)] if folder else []
        for path in paths:
            real = os.path.realpath(path)
            # Not the folder of a device: with /dev would come every other disk of the host.
            if not os.path.exists(real) or stat.S_ISREG(os.stat(real).st_mode):  # noqa: PTH110, PTH116
                folders += [os.path.realpath(os.path.dirname(path) or "."), os.path.dirname(real)]  # noqa: PTH120
        granted = tuple(dict.fromkeys(os.path.realpath(one) for one in allowed if not urls.is_url(one)))
        return cls(frozenset(map(os.path.realpath, paths)), tuple(dict.fromkeys((*folders, *granted))), granted, remote)

    @classmethod
    def of(cls, ref: GuestRef, *more: str) -> FilePolicy:
        """The policy for a guest as the operator named it, and ``more`` files that were named with it."""
        named = (*(() if ref.folder else ref.paths), *ref.named, *(path for path, _format in ref.below), *more)
        return cls.naming(named, ref.allowed, ref.folder, ref.queries, ref.trees)

    def covers(self, path: str) -> bool:
        """Whether ``path``, which must be resolved, may be opened."""
        return path in self.named or any(_is_in(folder, path) for folder in self.folders)

    def open(self, path: str) -> Opened:
        """Open a file for reading. Missing, Refused, or ImageError with the reason; the file opened is the file that was checked."""
        # Calls of the system would raise ValueError for a NUL byte, and the name comes from the guest.
        if not path or "\0" in path:
            raise FileMissing(f"{path!r}: no such file")
        if urls.is_url(path):
            return self.remote.open(path)
        real = os.path.realpath(path)
        if not os.path.lexists(real):
            raise FileMissing(f"{path}: no such file or directory")
        self._judge(path, real)
        try:
            # O_PATH touches neither a device nor a pipe before it has been judged.
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
        """``handle`` reopened for reading. It is checked again, as a link may have been created since the path was resolved."""
        real = os.readlink(f"/proc/self/fd/{handle}")  # noqa: PTH115
        self._judge(path, real)
        mode = os.fstat(handle).st_mode
        wanted = stat.S_ISREG(mode) or (stat.S_ISBLK(mode) and self._may_be_a_device(real))
        if not wanted:
            kind = next((word for test, word in _KINDS if test(mode)), "a device that was not named")
            raise ImageError(f"{path}: not a regular file, but {kind}")
        descriptor = os.open(f"/proc/self/fd/{handle}", os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
        # st_size of a block device is 0.
        size = os.lseek(descriptor, 0, os.SEEK_END)
        os.lseek(descriptor, 0, os.SEEK_SET)
        return Opened(path, real, size, descriptor, user=user_of_device(os.fstat(descriptor).st_rdev) if stat.S_ISBLK(mode) else "")

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
