"""What tells that a guest, and the way it is judged, are as they were: for the journal, which goes on, and for the cache."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from importlib.metadata import entry_points
from importlib.util import find_spec

from v2vlint import __version__
from v2vlint.engine.packs import GROUP
from v2vlint.model.codec import encode
from v2vlint.model.report import ImageReport
from v2vlint.model.source import GuestRef, Keys
from v2vlint.run.request import Request


@dataclass(frozen=True, slots=True)
class FileStamp:
    """A host file as it was: where it is, which it is, and when it was last changed, in ns. ``size`` is in bytes, -1 for one not there."""

    path: str
    size: int
    device: int = 0
    inode: int = 0
    mtime: int = 0
    ctime: int = 0


def stamp_of(path: str) -> FileStamp:
    """The file at ``path`` as it is now."""
    try:
        found = os.stat(path)  # noqa: PTH116
    except OSError:
        return FileStamp(path, -1)
    if not stat.S_ISREG(found.st_mode):
        return FileStamp(path, -2)
    return FileStamp(path, found.st_size, found.st_dev, found.st_ino, found.st_mtime_ns, found.st_ctime_ns)


def stamps_of(guest: GuestRef, image: ImageReport, since: int) -> tuple[FileStamp, ...]:
    """The files of a guest: those that were named, and all that were opened for it.

    One that changed after ``since``, when it was begun to be read (ns since the epoch), is no stamp that anything compares with.
    """
    paths = dict.fromkeys((*guest.paths, *guest.named, *(file.path for file in image.files)))
    found = map(stamp_of, paths)
    return tuple(one if max(one.mtime, one.ctime) < since else FileStamp(one.path, -3) for one in found)


def unchanged(stamps: Iterable[FileStamp]) -> bool:
    """Whether every file is as it was; False for devices, which do not tell, and for files that are not there."""
    return all(one.size >= 0 and stamp_of(one.path) == one for one in stamps)


def judging(request: Request) -> str:
    """A digest of everything but the guest that an answer depends on: settings, rules and their version. Keys are no part of it."""
    known = request.ask(GuestRef("", "disks", ()))
    decisions = known.decisions if known.decisions.exceptions else replace(known.decisions, today=type(known.decisions.today).min)
    plain = replace(known, keys=Keys(), decisions=decisions)
    return _digest([__version__, rules_version(known.selection.folders), encode(plain)])


def key_of(judged: str, guest: GuestRef) -> str:
    """A digest of how a guest is judged, and what is known of it besides its files."""
    return _digest([judged, encode(guest), os.getcwd()])  # noqa: PTH109


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode("utf-8", "surrogatepass")).hexdigest()


@functools.cache
def rules_version(folders: tuple[str, ...], *, times: bool = True) -> str:
    """A digest of the code that judges: names, sizes and times of the files of v2vlint, of the installed packs, and of own rules.

    Without ``times`` the same code has the same digest on every machine, wherever it is installed.
    """
    packages = {"v2vlint", *(entry.module.partition(".")[0] for entry in entry_points(group=GROUP))}
    places = [place for name in sorted(packages) if (spec := find_spec(name)) for place in spec.submodule_search_locations or ()]
    found = [
        (path if times else os.path.relpath(path, place), seen.st_size, *((seen.st_mtime_ns,) if times else ()))
        for place in (*places, *folders)
        for path, seen in sorted(_sources(place))
    ]
    return _digest(found)


def _sources(place: str) -> Iterator[tuple[str, os.stat_result]]:
    """The code below a folder. Every run looks at all of it, hence without a Path for each."""
    for folder, _below, names in os.walk(place):
        paths = (f"{folder}/{name}" for name in names if name.endswith((".py", ".toml")))
        yield from ((path, os.stat(path)) for path in paths)  # noqa: PTH116
