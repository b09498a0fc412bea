"""Candidates for guests in a folder, by names and file types only. Runs in the parent; nothing is opened.

Folders, local or on servers, are searched to a limited depth, in name order. Links to files inside the folder are followed, links to
folders are not.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator
from dataclasses import field, replace

from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import ImageError
from v2vlint.model.source import GuestRef, NotJudged
from v2vlint.source.entries import Entry, entries_of
from v2vlint.source.kind import IMAGES, DefinitionKind, claiming, kind_name, kinds

MAX_DEPTH = 64
MAX_ENTRIES = 500_000
SMALLEST = 64 << 10
"""Size in bytes from which a file without a known name may be a disk image."""
# What a VMDK's descriptor names: sparse and flat extents, deltas, change tracking, raw mappings.
_EXTENT = re.compile(r"-(s\d{3}|f\d{3}|flat|delta|sesparse|ctk|rdmp?)\.vmdk$")
_SIDECAR = re.compile(r"\.v2vlint-[a-z.]+$")


@dataclass(frozen=True, slots=True)
class Search:
    """How folders are searched: the number of levels below (0: only the folder itself), and globs of names or relative paths to include or
    exclude.
    """

    depth: int = MAX_DEPTH
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()


@dataclass(slots=True)
class Walked:
    """The content of a folder: ``refs`` are candidates; those with a ``doubt`` still have to be confirmed as guests."""

    refs: list[GuestRef] = field(default_factory=list)
    others: list[NotJudged] = field(default_factory=list)
    entries: int = 0


EVERYTHING = Search()


def walk(top: str, search: Search = EVERYTHING) -> Walked:
    """Everything in the folder ``top``, which may be a URL. A folder that cannot be read is a guest with a problem."""
    found = Walked()
    _descend(top, "", top, search, found)
    return found


def _descend(folder: str, below: str, top: str, search: Search, found: Walked) -> None:
    """Search one folder and those in it; ``below`` is its path relative to ``top``."""
    try:
        # Links last: of several names of a guest, the first one counts (run.discovery).
        entries = sorted(entries_of(folder), key=lambda entry: (entry.is_link, entry.name))
    except ImageError as error:
        found.refs.append(GuestRef(folder, "disks", (folder,), problem=error.message, hint=error.hint, folder=top))
        return
    for entry in entries:
        found.entries += 1
        if found.entries > MAX_ENTRIES:
            problem = f"more than {MAX_ENTRIES} files and folders: the search stopped"
            found.refs.append(GuestRef(top, "disks", (top,), problem=problem, hint="give its folders one by one", folder=top))
            return
        relative = f"{below}{entry.name}"
        if reason := _left_out(entry, relative, search):
            found.others.append(NotJudged(entry.path, reason))
        elif not entry.is_folder:
            _look(entry, relative, top, found)
    for entry in entries:
        relative = f"{below}{entry.name}"
        if found.entries <= MAX_ENTRIES and entry.is_folder and not _left_out(entry, relative, search):
            _descend(entry.path, f"{relative}/", top, search, found)


def _left_out(entry: Entry, relative: str, search: Search) -> str:
    """Why an entry is skipped; empty when it is not."""
    if entry.name.startswith("."):
        return "its name starts with a dot"
    if any(_fits(entry.name, relative, pattern) for pattern in search.exclude):
        return "left out by --exclude"
    if entry.is_folder:
        return "a folder deeper than the search goes (--depth)" if relative.count("/") >= min(search.depth, MAX_DEPTH) else ""
    if search.include and not any(_fits(entry.name, relative, pattern) for pattern in search.include):
        return "left out by --include"
    return ""


def _fits(name: str, relative: str, pattern: str) -> bool:
    return fnmatch.fnmatchcase(name, pattern) or fnmatch.fnmatchcase(relative, pattern)


def _look(entry: Entry, relative: str, top: str, found: Walked) -> None:
    """Classify one file: a candidate, or something to report."""
    ref = _candidate(entry, relative)
    problem, hint = entry.problem(top) if entry.is_link or isinstance(ref, GuestRef) else ("", "")
    # The name of a link says less than where it leads.
    if isinstance(ref, NotJudged):
        found.others.append(NotJudged(entry.path, problem or ref.reason))
    elif problem and (ref.doubt or entry.leads_to_folder):
        found.others.append(NotJudged(entry.path, problem))
    else:
        found.refs.append(replace(ref, folder=top, unwritable=entry.unwritable, problem=problem and f"{entry.path}: {problem}", hint=hint))


def _candidate(entry: Entry, relative: str) -> GuestRef | NotJudged:
    """The candidate suggested by a file's name."""
    path, lowered = entry.path, entry.name.lower()
    if _SIDECAR.search(lowered):
        return NotJudged(path, "kept beside an image by v2vlint")
    if _EXTENT.search(lowered):
        return NotJudged(path, "part of a VMDK, and no descriptor here names it")
    if lowered.removesuffix(".gz").endswith(IMAGES):
        return GuestRef(path, "disks", (path,))
    claims = claiming(entry.name)
    if unread := next((kind for kind in claims if kind.locate is None), None):
        return NotJudged(path, f"{unread.title}, which is not read: {unread.instead}")
    if claims:
        doubt = "" if any(kind.listed for kind in claims) or _inside(relative) else "not the definition of a machine"
        return GuestRef(path, kind_name(entry.name), (path,), doubt=doubt)
    if entry.size < SMALLEST:
        return NotJudged(path, "neither a disk image nor the definition of a machine, by its name")
    return GuestRef(path, "disks", (path,), doubt="neither a disk image nor the definition of a machine, by its name and content")


def _inside(relative: str) -> bool:
    """Whether a file is the definition of a folder that is one machine as a whole."""
    return any(fnmatch.fnmatchcase(f"/{relative}", f"*/{pattern}") for pattern in _patterns(kinds()))


def _patterns(known: tuple[DefinitionKind, ...]) -> Iterator[str]:
    for kind in known:
        yield from kind.inside
