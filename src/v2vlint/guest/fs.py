"""A guest's files by path. Links resolve inside the guest; damaged data becomes an outcome, never an exception of the reader."""

from __future__ import annotations

import functools
import io
import os
import posixpath
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import BinaryIO, TypeVar, cast

from v2vlint.disk.filesystems.node import Attributed, FileSystem, Kind, Node, Stat, as_it_lies, as_known
from v2vlint.guest import budget
from v2vlint.guest.closed import Closed
from v2vlint.guest.text import GuestText
from v2vlint.model.errors import FactUnavailable
from v2vlint.model.globs import matcher
from v2vlint.model.place import WholeFile

MAX_TEXT = 4 << 20
MAX_FILE = 512 << 20
MAX_ENTRIES = 200_000
MAX_LINKS = 40  # MAXSYMLINKS of the kernel
MAX_DEPTH = 64

T = TypeVar("T")


class GuestFS:
    """The file tree of one root: a root filesystem and everything mounted under it.

    ``by_device`` holds all filesystems of the guest's disks, mounted here or not; empty when only a tree of files is known.

    Absent files are ``None``, ``False`` or empty, never an exception. Unreadable ones raise
    :class:`~v2vlint.model.errors.FactUnavailable` with the path and the reason; so does everything on a filesystem that is ``stale``,
    with the place where it is mounted: what the kernel will show there is not known, neither what it has nor what it lacks.
    """

    def __init__(self, mounts: Mapping[str, FileSystem], others: Mapping[str, FileSystem] | None = None) -> None:
        self.mounts = dict(mounts)
        self.by_device = dict(others or {})
        self._lying: GuestFS | None = None
        # For each tree: a cache of the class would keep closed images open.
        self._walk = functools.lru_cache(maxsize=50_000)(self._walk_uncached)

    def as_it_lies(self) -> GuestFS:
        """The tree as seen by firmware and boot loaders, which do not replay journals; the same object when no journal needs replaying."""
        if self._lying is None:
            mounts, others = ({name: as_it_lies(one) for name, one in found.items()} for found in (self.mounts, self.by_device))
            same = mounts == self.mounts and others == self.by_device
            self._lying = self if same else GuestFS(mounts, others)
        return self._lying

    def as_known(self) -> GuestFS:
        """The tree as the kernel will see it, or without journal replay where that is not known. For describing a machine, with a
        warning.
        """
        return GuestFS({point: as_known(one) for point, one in self.mounts.items()}, self.by_device)

    def exists(self, path: str) -> bool:
        """Whether ``path`` exists, following links."""
        return self._find(path) is not None

    def is_file(self, path: str) -> bool:
        """Whether ``path`` is a regular file, following links."""
        found = self.stat(path)
        return found is not None and found.kind is Kind.FILE

    def is_dir(self, path: str) -> bool:
        """Whether ``path`` is a directory, following links."""
        found = self.stat(path)
        return found is not None and found.kind is Kind.DIR

    def is_masked(self, path: str) -> bool:
        """Whether ``path`` is a link to /dev/null (how systemd and modprobe mask a file), by any way, or an empty file."""
        place = path
        for _ in range(MAX_LINKS):
            if (link := self.readlink(place)) is None:
                break
            folder = self.resolve(posixpath.dirname(place)) or "/"
            place = posixpath.normpath(posixpath.join(folder, link))
            if place == "/dev/null":  # the folder /dev is empty until the kernel mounts its own
                return True
        found = self.stat(path)
        return found is not None and found.kind is Kind.FILE and found.size == 0

    def stat(self, path: str) -> Stat | None:
        """The inode at ``path``, following links."""
        found = self._find(path)
        return None if found is None else _guarded(path, found[1].stat)

    def attributes(self, path: str) -> Mapping[str, bytes] | None:
        """Extended attributes of what is at ``path``, following links; None when it does not exist. FactUnavailable where the filesystem
        has none that are read."""
        found = self._find(path)
        if found is None:
            return None
        node = found[1]
        if not isinstance(node, Attributed):
            raise FactUnavailable(WholeFile(path), "extended attributes of its filesystem are not read")
        return _guarded(path, node.attributes)

    def resolve(self, path: str) -> str | None:
        """The canonical path after following every link, or None when it leads nowhere."""
        found = self._find(path)
        return None if found is None else found[0]

    def distinct(self, paths: Sequence[str]) -> list[str]:
        """``paths`` without further names of a file that has been named: its lines count once, and are changed once."""
        first = {self.resolve(path) or path: path for path in reversed(paths)}
        return [path for path in paths if first[self.resolve(path) or path] == path]

    def mount_of(self, path: str) -> str:
        """The mount point of the filesystem that ``path``, a canonical path, is on."""
        return max((point for point in self.mounts if f"{path}/".startswith(f"{point.rstrip('/')}/")), key=len, default="/")

    def readlink(self, path: str) -> str | None:
        """The target of the link at ``path`` itself, or None when it is not a link."""
        found = self._find(path, follow=False)
        if found is None or _guarded(path, found[1].stat).kind is not Kind.LINK:
            return None
        return _guarded(path, found[1].link)

    def listdir(self, path: str) -> tuple[str, ...]:
        """Sorted names in a directory; empty when it does not exist or is not a directory."""
        found = self._find(path)
        if found is None or _guarded(path, found[1].stat).kind is not Kind.DIR:
            return ()
        return _guarded(path, lambda: _names(path, found[1]))

    def open(self, path: str) -> BinaryIO | None:
        """The content of a regular file as a stream; None when it does not exist. Reads raise FactUnavailable for bytes that cannot be
        read.
        """
        found = self._find(path)
        if found is None or _guarded(path, found[1].stat).kind is not Kind.FILE:
            return None
        budget.opened(path)
        return cast(BinaryIO, _File(path, _guarded(path, found[1].open)))

    def read(self, path: str, limit: int = MAX_FILE) -> bytes | None:
        """All bytes of a regular file of at most ``limit`` bytes; None when it does not exist. FactUnavailable when it is larger."""
        stream = self.open(path)
        if stream is None:
            return None
        data = _guarded(path, lambda: stream.read(limit + 1))
        budget.read(path, len(data))
        if len(data) > limit:
            raise FactUnavailable(WholeFile(path), f"larger than {limit} bytes")
        return data

    def head(self, path: str, size: int) -> bytes | None:
        """The first ``size`` bytes of a regular file; None when it does not exist."""
        stream = self.open(path)
        return None if stream is None else _guarded(path, lambda: stream.read(size))

    def text(self, path: str) -> GuestText | None:
        """A configuration file; None when it does not exist. Findings will point to the path as given."""
        data = self.read(path, MAX_TEXT)
        # Bytes that are not UTF-8 come through an edit unchanged.
        return None if data is None else GuestText(path, data.decode("utf-8", "surrogateescape"))

    def glob(self, pattern: str) -> tuple[str, ...]:
        """Existing paths matching ``pattern`` (``*``, ``?``, ``[…]`` within one component), sorted; dangling links count."""
        found = [""]
        for part in pattern.strip("/").split("/"):
            if any(char in part for char in "*?["):
                found = [f"{base}/{name}" for base in found for name in filter(matcher(part), self.listdir(base or "/"))]
            else:
                found = [f"{base}/{part}" for base in found]
        return tuple(sorted(path for path in found if self._find(path, follow=False) is not None))

    def walk(self, top: str) -> Iterator[str]:
        """Paths of all regular files under ``top``, without following links or entering other mounts; capped."""
        pending, seen = [(top.rstrip("/"), 0)], 0
        while pending:
            folder, depth = pending.pop()
            for name in self.listdir(folder or "/"):
                path, seen = f"{folder}/{name}", seen + 1
                found = self._find(path, follow=False)
                kind = None if found is None else _guarded(path, found[1].stat).kind
                if kind is Kind.FILE:
                    yield path
                elif kind is Kind.DIR and depth < MAX_DEPTH:
                    pending.append((path, depth + 1))
            if seen > MAX_ENTRIES:
                raise FactUnavailable(WholeFile(top), f"more than {MAX_ENTRIES} files")

    def _find(self, path: str, follow: bool = True) -> tuple[str, Node] | None:
        budget.looking_at(path)
        return _guarded(path, lambda: self._walk(path, follow))

    def _walk_uncached(self, path: str, follow: bool) -> tuple[str, Node] | None:
        top = self.mounts["/"]
        trail: list[tuple[str, Node, FileSystem]] = [("/", top.root, top)]
        parts, links = _split(path), 0
        while parts:
            name = parts.pop(0)
            if name == "..":
                trail = trail[:-1] or trail  # the parent of / is /
                continue
            here, node, system = trail[-1]
            child_path = f"{here.rstrip('/')}/{name}"
            mounted = self.mounts.get(child_path)
            # A mount point hides what is under it, so that need not be known.
            child = mounted.root if mounted else _child(self._known(here, node, system), name)
            if child is None:
                return None
            if child.stat().kind is not Kind.LINK or not (parts or follow):
                trail.append((child_path, child, mounted or system))
                continue
            links, target = links + 1, child.link()
            if links > MAX_LINKS:
                return None
            parts = _split(target) + parts
            if target.startswith("/"):
                trail = trail[:1]
        here, node, system = trail[-1]
        return here, self._known(here, node, system)

    def _known(self, path: str, node: Node, system: FileSystem) -> Node:
        """``node``, unless it is on a filesystem whose journal cannot be replayed."""
        if not system.stale:
            return node
        points = (point for point, one in self.mounts.items() if one is system and f"{path}/".startswith(f"{point.rstrip('/')}/"))
        raise FactUnavailable(WholeFile(max(points, key=len, default="/")), unknown_state(system))


def unknown_state(system: FileSystem) -> str:
    """Why nothing is known about the content of a ``stale`` filesystem."""
    return system.stale if isinstance(system, Closed) else f"its filesystem was copied while it was in use, and {system.stale}"


class _File(io.RawIOBase):
    """An open file of the guest: damage in any layer below it becomes an error of the read that meets it."""

    def __init__(self, path: str, stream: BinaryIO) -> None:
        super().__init__()
        self._path, self._stream = path, stream
        self.tell, self.seek = stream.tell, stream.seek  # type: ignore[method-assign]

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        return _guarded(self._path, lambda: self._stream.read(-1 if size is None else size))

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def _child(node: Node, name: str) -> Node | None:
    return node.child(name) if node.stat().kind is Kind.DIR else None


def _split(path: str) -> list[str]:
    return [part for part in path.split("/") if part not in ("", ".")]


def _names(path: str, node: Node) -> tuple[str, ...]:
    names: list[str] = []
    for name in node.names():
        if len(names) >= MAX_ENTRIES:
            raise FactUnavailable(WholeFile(path), f"more than {MAX_ENTRIES} directory entries")
        names.append(name)
    return tuple(sorted(names))


def _guarded(path: str, action: Callable[[], T]) -> T:
    try:
        return action()
    except (FactUnavailable, MemoryError):
        raise  # budget.spending() ends the whole fact when memory runs out
    except Exception as error:
        # The number's words: those of the error name the file as the reader opened it.
        said = os.strerror(error.errno).lower() if isinstance(error, OSError) and error.errno else str(error).strip()
        raise FactUnavailable(WholeFile(path), f"cannot be read: {said or type(error).__name__}") from error
