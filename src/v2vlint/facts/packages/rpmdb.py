"""RPM's database in its three formats: SQLite, NDB (``Packages.db``), Berkeley DB hash (``Packages``). Only header heads are read."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from functools import partial
from typing import TypeVar

from v2vlint.facts.initramfs.decompress import Source
from v2vlint.facts.packages.package import Package
from v2vlint.facts.packages.rpmdb_files import RpmdbError, bdb_blobs, ndb_blobs
from v2vlint.facts.packages.rpmdb_sqlite import sqlite_blobs
from v2vlint.guest.fs import GuestFS
from v2vlint.model.errors import FactUnavailable
from v2vlint.model.place import WholeFile

FOLDERS = ("/usr/lib/sysimage/rpm", "/var/lib/rpm", "/usr/share/rpm")
MAX_HEADER, MAX_TAGS, MAX_PACKAGES = 4 << 20, 4096, 50_000
_NAME, _VERSION, _RELEASE, _EPOCH, _ARCH = 1000, 1001, 1002, 1003, 1022  # rpmTag of rpmtag.h
_STRING, _INT32 = 6, 4  # RPM_STRING_TYPE, RPM_INT32_TYPE

T = TypeVar("T")

Head = Callable[[int], bytes]
"""Returns the first n bytes of a header blob."""


def rpm_packages(fs: GuestFS) -> list[Package] | None:
    """The installed packages; None without a database. FactUnavailable when it is damaged."""
    return read_rpmdb(fs, parse_header)


def read_rpmdb(fs: GuestFS, parse: Callable[[Head, str], T | None]) -> list[T] | None:
    """Apply ``parse`` to every package header and the path of the database; None without a database.

    FactUnavailable when it is damaged.
    """
    for folder in FOLDERS:
        for name, blobs in (("rpmdb.sqlite", sqlite_blobs), ("Packages.db", ndb_blobs), ("Packages", bdb_blobs)):
            path = f"{folder}/{name}"
            source = _source(fs, path)
            if source is not None and source.size:
                return _read(path, partial(blobs, source, _source(fs, f"{path}-wal")), parse)
    return [] if any(fs.is_dir(folder) and fs.listdir(folder) for folder in FOLDERS) else None


def _source(fs: GuestFS, path: str) -> Source | None:
    stream, found = fs.open(path), fs.stat(path)
    return None if stream is None or found is None else Source(stream, 0, found.size)


def _read(path: str, blobs: Callable[[], Iterator[Head]], parse: Callable[[Head, str], T | None]) -> list[T]:
    found: list[T] = []
    try:
        for head in blobs():
            package = parse(head, path)
            if package is not None:
                found.append(package)
            if len(found) > MAX_PACKAGES:
                raise FactUnavailable(WholeFile(path), f"more than {MAX_PACKAGES} packages")
    except (FactUnavailable, MemoryError):
        raise
    except RpmdbError as error:
        raise FactUnavailable(WholeFile(path), str(error)) from error
    except Exception as error:
        raise FactUnavailable(WholeFile(path), f"cannot be read: {type(error).__name__}: {error}") from error
    return found


def parse_header(head: Head, path: str) -> Package | None:
    """The package described by a header blob (tag index, then data, all big-endian); None when it has no name, as for public keys."""
    tags, size, entries = header_index(head)
    wanted = [entries[tag][1] for tag in (_NAME, _VERSION, _RELEASE, _EPOCH, _ARCH) if tag in entries]
    if _NAME not in entries or max(wanted) > size:
        return None
    # Up to the last string that is wanted: the rest of a header, megabytes for a kernel, is not read.
    data = head(8 + 16 * tags + max(wanted) + 256)[8 + 16 * tags :]
    name, version, release, arch = (_string(data, entries.get(tag)) for tag in (_NAME, _VERSION, _RELEASE, _ARCH))
    if name == "gpg-pubkey" or not name:
        return None
    return Package(name, f"{_epoch(data, entries.get(_EPOCH))}{version}-{release}", arch, WholeFile(path))


def header_index(head: Head) -> tuple[int, int, dict[int, tuple[int, int]]]:
    """The number of tags in a header, the size of its data, and type and offset by tag; no tags for an empty header."""
    start = head(8)
    if len(start) < 8:
        return 0, 0, {}
    tags, size = struct.unpack(">II", start)
    if not 0 < tags <= MAX_TAGS or size > MAX_HEADER:
        raise RpmdbError("contains a damaged package header")
    index = head(8 + 16 * tags)[8:]
    return tags, size, {tag: (kind, offset) for tag, kind, offset, _ in struct.iter_unpack(">IIII", index[: len(index) // 16 * 16])}


def _string(data: bytes, entry: tuple[int, int] | None) -> str:
    if entry is None or entry[0] != _STRING:
        return ""
    return data[entry[1] : entry[1] + 256].split(b"\0", 1)[0].decode("utf-8", "replace")


def _epoch(data: bytes, entry: tuple[int, int] | None) -> str:
    if entry is None or entry[0] != _INT32 or entry[1] + 4 > len(data):
        return ""
    return f"{struct.unpack_from('>I', data, entry[1])[0]}:"
