"""From command-line arguments to guests. Runs in the parent: it looks at names and file types only, never into an image."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace

from v2vlint.files.urls import is_url, shown
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import NothingFound, UsageError
from v2vlint.model.source import GuestRef, NotJudged
from v2vlint.source.door import door_of, doors
from v2vlint.source.entries import is_remote_folder
from v2vlint.source.kind import IMAGES, kind_name, kinds
from v2vlint.source.lists import listed
from v2vlint.source.paths import problem_of
from v2vlint.source.tree import EVERYTHING, Search, walk

MAX_GUESTS = 50_000


@dataclass(frozen=True, slots=True)
class Expanded:
    """The result of expanding arguments: candidates, of which those from folders are still to be identified, and everything else that was
    found.
    """

    refs: tuple[GuestRef, ...]
    others: tuple[NotJudged, ...] = ()


def expand(
    arguments: Sequence[str], connect: str = "", *, allowed: Sequence[str] = (), search: Search = EVERYTHING
) -> tuple[GuestRef, ...]:
    """One reference per guest in ``arguments``, as far as their names tell; see :func:`expand_all`."""
    return tuple(ref for ref in expand_all(arguments, connect, allowed=allowed, search=search).refs if not ref.doubt)


def expand_all(
    arguments: Sequence[str],
    connect: str = "",
    *,
    verify: bool = False,
    allowed: Sequence[str] = (),
    hashed: bool = False,
    configuration: str = "",
    search: Search = EVERYTHING,
) -> Expanded:
    """One reference per guest.

    An argument is a disk image, ``a+b`` (disks of one guest), a folder to search (local or on a server), a glob, a machine definition (see
    :mod:`v2vlint.source.kinds`), something with a door (see :mod:`v2vlint.source.door`) such as ``tree:DIR`` or ``domain:NAME`` of the
    libvirt at the URI ``connect``, or a list of arguments (``@FILE``, ``-`` for stdin). ``configuration`` is the one to use in OVF packages
    that offer several. ``verify`` checks the checksums of whole OVF packages, ``hashed`` includes the digests of all files; ``allowed`` are
    folders that may contain files a guest refers to.

    An argument that does not exist or cannot be read becomes a guest with a problem, and so does a folder or glob without guests if others
    have some; NothingFound when none has.
    """
    for folder in allowed:
        if not is_url(folder) and not os.path.isdir(folder):  # noqa: PTH112
            raise UsageError(f"--allow-folder {folder}: no such folder")
    refs: list[GuestRef] = []
    others: list[NotJudged] = []
    empty: list[NothingFound] = []
    for argument in listed(arguments):
        try:
            refs += _expand(argument, connect, search, others)
        except NothingFound as error:
            empty.append(error)
            refs.append(GuestRef(argument, "disks", (), problem=error.message, hint=error.hint))
    if empty and len(refs) == len(empty):
        raise empty[0]
    if len(refs) > MAX_GUESTS:
        raise UsageError(f"more than {MAX_GUESTS} guests")
    folders = tuple(allowed)
    found = (replace(ref, verify=verify, hashed=hashed, allowed=folders, configuration=configuration or ref.configuration) for ref in refs)
    return Expanded(tuple(found), tuple(others))


def _expand(argument: str, connect: str, search: Search, others: list[NotJudged]) -> Iterator[GuestRef]:
    if is_remote_folder(argument):
        yield from _searched(argument, search, others)
    elif door := door_of(argument):
        yield from door.find(argument, connect)
    elif os.path.lexists(argument):
        yield from _existing(argument, search, others)
    # A file with a plus sign in its own name was found above.
    elif "+" in argument and any(os.path.lexists(part) for part in argument.split("+")):
        paths = argument.split("+")
        yield GuestRef(argument, "disks", tuple(paths), problem=next(filter(None, map(problem_of, paths)), ""))
    elif is_url(argument):
        yield _unread(shown(argument))
    elif glob.has_magic(argument):
        yield from _matching(argument, search, others)
    else:
        yield _file(argument)


def _unread(url: str) -> GuestRef:
    """A URL that no door leads to."""
    read = sorted(prefix for one in doors() for prefix in one.prefixes if prefix.endswith("://") and "+" not in prefix)
    return GuestRef(url, "disks", (), problem=f"{url}: URLs of this kind are not read", hint=f"read are {', '.join(read)}")


def _matching(pattern: str, search: Search, others: list[NotJudged]) -> Iterator[GuestRef]:
    matches = sorted(glob.glob(pattern))  # noqa: PTH207
    if not matches:
        raise NothingFound(f"{pattern}: no file matches")
    for path in matches:
        yield from _existing(path, search, others)


def _existing(path: str, search: Search, others: list[NotJudged]) -> Iterator[GuestRef]:
    if os.path.isdir(path):  # noqa: PTH112
        yield from _searched(path, search, others)
    else:
        yield _file(path)


def _searched(folder: str, search: Search, others: list[NotJudged]) -> Iterator[GuestRef]:
    """The guests in a folder. NothingFound when it has none."""
    walked = walk(folder, search)
    if not walked.refs:
        looked = sorted({*IMAGES, *(suffix for kind in kinds() if kind.listed for suffix in kind.suffixes)})
        raise NothingFound(f"{folder}: a folder without disk images", hint=f"looked for {', '.join(looked)}")
    others += walked.others
    yield from walked.refs


def _file(path: str) -> GuestRef:
    return GuestRef(path, kind_name(path), (path,), problem=problem_of(path))
