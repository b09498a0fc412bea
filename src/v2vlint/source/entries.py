"""The entries of a folder, here or on a server: names, types and sizes. Runs in the parent."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from typing import Protocol

from v2vlint.files.scheme import RemoteEntry, schemes
from v2vlint.files.urls import child_of, has_password, is_url, scheme_of
from v2vlint.model.errors import ImageError

INSTEAD = "a file on a server is not written to: download it, fix it, look at it, and upload it again"


class Entry(Protocol):
    """An entry of a folder. Links are not followed.

    ``leads_to_folder`` is true of a link to a folder; ``size`` is in bytes, 0 where it cannot be had; ``unwritable`` is advice on what to
    do instead of fixing it, empty for files of this host.
    """

    name: str
    path: str
    is_link: bool
    is_folder: bool
    unwritable: str

    @property
    def leads_to_folder(self) -> bool: ...
    @property
    def size(self) -> int: ...
    def problem(self, top: str) -> tuple[str, str]:
        """Why the file cannot be read in a search of the folder ``top``, and the remedy; empty when it can."""


class _Here:
    """An entry of a folder of this host."""

    unwritable = ""

    def __init__(self, entry: os.DirEntry[str]) -> None:
        self._entry = entry
        self.name, self.path = entry.name, entry.path
        self.is_link, self.is_folder = entry.is_symlink(), entry.is_dir(follow_symlinks=False)

    @property
    def leads_to_folder(self) -> bool:
        """See :class:`Entry`."""
        return os.path.isdir(self.path)  # noqa: PTH112

    @property
    def size(self) -> int:
        """See :class:`Entry`."""
        try:
            return self._entry.stat().st_size
        except OSError:
            return 0

    def problem(self, top: str) -> tuple[str, str]:
        """See :class:`Entry`."""
        try:
            mode = self._entry.stat().st_mode
        except OSError as error:
            return ("a link that leads nowhere" if self.is_link else os.strerror(error.errno or 0).lower()), ""
        if self.is_link:
            real = os.path.realpath(self.path)
            if stat.S_ISDIR(mode):
                return "a link to a folder, which is not followed", ""
            if not real.startswith(f"{os.path.realpath(top).rstrip('/')}/"):
                return f"a link that leads out of the folder, to {real}", "name the file itself"
        if not stat.S_ISREG(mode):
            return "not a regular file", ""
        return ("", "") if os.access(self.path, os.R_OK) else ("permission denied", "")


class _There:
    """An entry of a folder on a server, with what the server's listing said."""

    unwritable = INSTEAD
    leads_to_folder = False

    def __init__(self, folder: str, entry: RemoteEntry) -> None:
        self.name, self.path = entry.name, child_of(folder, entry.name)
        self.is_link, self.is_folder, self.size = bool(entry.odd), entry.is_folder, entry.size
        self._odd = entry.odd

    def problem(self, top: str) -> tuple[str, str]:
        """See :class:`Entry`."""
        return (self._odd, "name the file itself") if self._odd else ("", "")


def entries_of(folder: str) -> Iterator[Entry]:
    """The entries of a folder. ImageError when it cannot be listed."""
    if is_url(folder):
        from v2vlint.files.remote import listing

        yield from (_There(folder, entry) for entry in listing(folder))
        return
    try:
        with os.scandir(folder) as entries:
            yield from map(_Here, entries)
    except OSError as error:
        raise ImageError(f"{folder}: {os.strerror(error.errno or 0).lower()}") from error


def is_remote_folder(argument: str) -> bool:
    """Whether a URL is a folder: its path is empty or ends with a slash, or its name has no suffix and the server can list it."""
    if not is_url(argument) or has_password(argument):
        return False
    scheme = schemes().get(scheme_of(argument))
    if scheme is None or scheme.listed is None:
        return False
    name = argument.partition("://")[2].partition("/")[2].rpartition("/")[2]
    return not name or ("." not in name and "?" not in name and "+" not in argument and _lists(argument, scheme.folders))


def _lists(url: str, may_be_empty: bool) -> bool:
    try:
        return any(True for _entry in entries_of(url)) or may_be_empty
    except ImageError:
        return False
