"""How the journal and the cache recognise that a guest, and the settings it was judged with, are unchanged."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import replace
from importlib.util import find_spec

from v2vlint.engine.packs import GROUP
from v2vlint.files.devices import host_mounts
from v2vlint.files.policy import Queries
from v2vlint.files.urls import is_url
from v2vlint.model.codec import encode
from v2vlint.model.dataclass import dataclass
from v2vlint.model.entry_points import entry_points
from v2vlint.model.errors import ImageError
from v2vlint.model.report import ImageReport
from v2vlint.model.source import GuestRef, Keys
from v2vlint.model.version import __version__
from v2vlint.run.request import Request

_SHARED = ("nfs", "nfs4", "ceph", "lustre")
# Where a kernel keeps the change time of every write; FUSE, SMB and exFAT are not among them (docs/design.md).
_KEPT_BY_A_KERNEL = frozenset(
    ("ext2", "ext3", "ext4", "xfs", "btrfs", "bcachefs", "f2fs", "zfs", "jfs", "nilfs2", "ocfs2", "gfs2", "tmpfs", "overlay", *_SHARED)
)
# Nanoseconds, a little more than the two seconds of the coarsest filesystems.
_COARSE = 2_500_000_000
_MISSING, _ODD, _CHANGING, _UNTOLD = -1, -2, -3, -4


@dataclass(frozen=True, slots=True)
class FileStamp:
    """The state of a file: where it is, its inode, and when it last changed, in ns. ``size`` is in bytes; negative for a file that cannot
    be compared: -1 does not exist, -2 not a file, -3 changed during the run, -4 its times prove nothing.

    For a file on a server, ``tag`` is the server's version tag: a hash, a number or a time. It is empty when there is none.
    """

    path: str
    size: int
    device: int = 0
    inode: int = 0
    mtime: int = 0
    ctime: int = 0
    tag: str = ""


def stamp_of(path: str, queries: Queries = ()) -> FileStamp:
    """The current state of the file at ``path``, or URL."""
    if is_url(path):
        return _remote(path, queries)
    try:
        found = os.stat(path)  # noqa: PTH116
        if not stat.S_ISREG(found.st_mode):
            return FileStamp(path, _ODD)
        kind = filesystem_of(path)
        if kind in _SHARED:
            # Opening asks the server; stat may be answered from this host's cache.
            with open(path, "rb") as stream:  # noqa: PTH123
                found = os.fstat(stream.fileno())
    except OSError:
        return FileStamp(path, _MISSING)
    if kind not in _KEPT_BY_A_KERNEL:
        return FileStamp(path, _UNTOLD)
    return FileStamp(path, found.st_size, found.st_dev, found.st_ino, found.st_mtime_ns, found.st_ctime_ns)


def _remote(url: str, queries: Queries) -> FileStamp:
    from v2vlint.files.remote import open_url

    query = dict(queries).get(url, "")
    try:
        with contextlib.closing(open_url(f"{url}?{query}" if query else url)) as found:
            return FileStamp(url, found.size, tag=found.state)
    except ImageError:
        return FileStamp(url, _MISSING)


def filesystem_of(path: str) -> str:
    """The type of the filesystem that contains a file; empty when the kernel does not say."""
    real = os.path.realpath(path)
    above = (point for point in _filesystems() if real.startswith(f"{point.rstrip('/')}/"))
    return _filesystems().get(max(above, key=len, default=""), "")


@functools.cache
def _filesystems() -> dict[str, str]:
    return {mount.point: mount.type for mount in host_mounts()}


def stamps_of(guest: GuestRef, image: ImageReport, since: int) -> tuple[FileStamp, ...]:
    """The files of a guest: those that were named, and all that were opened for it.

    A file that changed after ``since``, the start of reading (ns since the epoch), never compares equal. For files on servers, the state at
    opening counts. Files of a running machine never compare equal, as the times of a file that a hypervisor has open may be updated late.
    """
    paths = dict.fromkeys((*guest.paths, *guest.named, *(file.path for file in image.files)))
    opened = {
        file.path: FileStamp(file.path, file.size, tag="" if guest.state else file.state) for file in image.files if is_url(file.path)
    }
    missing = {path: FileStamp(path, _MISSING) for path in guest.paths if is_url(path)}
    remote = missing | opened
    return (*remote.values(), *(_settled(stamp_of(path), since) for path in paths if not is_url(path)))


def _settled(stamp: FileStamp, since: int) -> FileStamp:
    latest = max(stamp.mtime, stamp.ctime)
    # Whole seconds mean that the filesystem has no finer times.
    early = since - (_COARSE if latest % 1_000_000_000 == 0 else 0)
    return FileStamp(stamp.path, _CHANGING) if latest >= early else stamp


def tells(stamp: FileStamp) -> bool:
    """Whether an equal stamp proves that the file is unchanged."""
    return stamp.size >= 0 and bool(stamp.tag or not is_url(stamp.path))


def unchanged(stamps: Iterable[FileStamp], queries: Queries = ()) -> bool:
    """Whether every file is unchanged; False for those that cannot tell, such as devices, and for missing files."""
    return all(tells(one) and stamp_of(one.path, queries) == one for one in stamps)


def judging(request: Request) -> str:
    """A digest of everything that an answer depends on besides the guest: settings, rules and their version. Keys are not included."""
    known = request.ask(GuestRef("", "disks", ()))
    # The day only matters to exceptions, which expire.
    decisions = known.decisions if known.decisions.exceptions else replace(known.decisions, today=type(known.decisions.today).min)
    plain = replace(known, keys=Keys(), decisions=decisions)
    return digest([__version__, rules_version(known.selection.folders), encode(plain)])


def key_of(judged: str, guest: GuestRef) -> str:
    """A digest of how a guest is judged, and of what is known about it besides its files."""
    # Relative names lead to other files in another folder.
    return digest([judged, encode(guest), os.getcwd()])  # noqa: PTH109


def digest(value: object) -> str:
    """SHA-256 of a plain value, in hexadecimal."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode("utf-8", "surrogatepass")).hexdigest()


@functools.cache
def rules_version(folders: tuple[str, ...], *, times: bool = True) -> str:
    """A digest of the judging code: names, sizes and times of the files of v2vlint, of the installed packs, and of custom rules.

    Without ``times``, the same code has the same digest on every machine, wherever it is installed.
    """
    packages = {"v2vlint", *(entry.module.partition(".")[0] for entry in entry_points(GROUP))}
    places = [place for name in sorted(packages) if (spec := find_spec(name)) for place in spec.submodule_search_locations or ()]
    found = [
        (path if times else os.path.relpath(path, place), seen.st_size, *((seen.st_mtime_ns,) if times else ()))
        for place in (*places, *folders)
        for path, seen in sorted(_sources(place))
    ]
    return digest(found)


def _sources(place: str) -> Iterator[tuple[str, os.stat_result]]:
    """The code below a folder. It is listed in every run, hence without a Path object for each file."""
    for folder, _below, names in os.walk(place):
        paths = (f"{folder}/{name}" for name in names if name.endswith((".py", ".toml")))
        yield from ((path, os.stat(path)) for path in paths)  # noqa: PTH116
