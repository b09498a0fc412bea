"""cpio archives in the ``newc`` and ``crc`` formats (cpio(5), the kernel's buffer-format.rst), read member by member without unpacking."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

from v2vlint.facts.initramfs.decompress import Damaged, Source
from v2vlint.model.dataclass import dataclass

HEADER = 110
MAX_NAME = 4096  # PATH_MAX, also for the target of a link, as in do_header() of init/initramfs.c
TRAILER = b"TRAILER!!!"
KINDS = (b"070701", b"070702")
_STEP = 1 << 16
_S_IFMT, S_IFREG, S_IFLNK, S_IFDIR = 0o170000, 0o100000, 0o120000, 0o040000


@dataclass(frozen=True, slots=True)
class CpioMember:
    """One member. ``name`` has no leading ``./`` or ``/``; ``data`` is None unless it was requested."""

    name: str
    mode: int
    size: int
    data: bytes | None = None

    @property
    def is_link(self) -> bool:
        """Whether it is a symbolic link (its data is the target)."""
        return self.mode & _S_IFMT == S_IFLNK

    @property
    def is_dir(self) -> bool:
        """Whether it is a directory."""
        return self.mode & _S_IFMT == S_IFDIR


class Input(Protocol):
    """Bytes read once, from front to back. ``position`` is the next one."""

    @property
    def position(self) -> int: ...

    def take(self, count: int) -> bytes:
        """The next ``count`` bytes; fewer only at the end."""
        ...

    def skip(self, count: int) -> int:
        """Skip ``count`` bytes; return how many existed."""
        ...

    def skip_zeros(self) -> bool:
        """Skip padding; return whether anything follows it."""
        ...


class PieceInput:
    """An :class:`Input` over non-empty pieces of any size."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._piece = b""
        self._at = 0
        self._passed = 0

    @property
    def position(self) -> int:
        """How many bytes were read or skipped."""
        return self._passed + self._at

    def take(self, count: int) -> bytes:
        """The next ``count`` bytes; fewer only at the end."""
        end = self._at + count
        if end <= len(self._piece):
            data = self._piece[self._at : end]
            self._at = end
            return data
        parts = [self._piece[self._at :]]
        missing = count - len(parts[0])
        while missing and self._next():
            parts.append(self._piece[:missing])
            self._at = len(parts[-1])
            missing -= self._at
        return b"".join(parts)

    def skip(self, count: int) -> int:
        """Skip ``count`` bytes; return how many existed."""
        missing = count
        while True:
            here = min(missing, len(self._piece) - self._at)
            self._at += here
            missing -= here
            if not missing or not self._next():
                return count - missing

    def skip_zeros(self) -> bool:
        """Skip padding; return whether anything follows it."""
        while True:
            rest = self._piece[self._at :].lstrip(b"\0")
            if rest:
                self._at = len(self._piece) - len(rest)
                return True
            if not self._next():
                return False

    def _next(self) -> bool:
        self._passed += len(self._piece)
        self._piece, self._at = next(self._pieces, b""), 0
        return bool(self._piece)


class SourceInput:
    """An :class:`Input` over a :class:`Source`, which seeks to skip. ``position`` is the next offset."""

    def __init__(self, source: Source, position: int) -> None:
        self._source = source
        self.position = position

    def take(self, count: int) -> bytes:
        """The next ``count`` bytes; fewer only at the end."""
        data = self._source.at(self.position, count)
        self.position += len(data)
        return data

    def skip(self, count: int) -> int:
        """Skip ``count`` bytes; return how many existed."""
        passed = max(min(count, self._source.size - self.position), 0)
        self.position += passed
        return passed

    def skip_zeros(self) -> bool:
        """Skip padding; return whether anything follows it."""
        while data := self._source.at(self.position, _STEP):
            rest = data.lstrip(b"\0")
            self.position += len(data) - len(rest)
            if rest:
                return True
        return False


Wanted = Callable[[str, int, int], bool]


def members(data: Input, wanted: Wanted) -> Iterator[CpioMember]:
    """The members of one archive, excluding its trailer and those that the kernel skips. ``wanted(name, mode, size)`` decides whose data is
    kept.

    Of a file with several names, only the last usually has the data. Names before it come a second time when their data is wanted.
    Damaged when the archive ends early or something is not a valid member.
    """
    names: dict[tuple[int, ...], list[str]] = {}
    while True:
        head = data.take(HEADER)
        if len(head) < HEADER:
            raise Damaged("ends early")
        header = _header(head)
        # Header and name are padded together, the content on its own, each to four bytes.
        raw = data.take(min(header.name_size, MAX_NAME))
        data.skip(header.name_size - len(raw) + (-(HEADER + header.name_size) % 4))
        name = raw.partition(b"\0")[0]
        if name == TRAILER and not header.is_skipped:
            return
        path = _path(name)
        links = names.setdefault(header.file, []) if header.names > 1 else []
        same = () if header.is_skipped else (*links, path) if header.size else (path,)
        keeping = [one for one in same if wanted(one, header.mode, header.size)]
        content = data.take(header.size) if keeping else None
        passed = (len(content) if content is not None else 0) + data.skip((0 if keeping else header.size) + (-header.size % 4))
        # Only the content counts: the last padding may be missing.
        if passed < header.size:
            raise Damaged(f"ends inside {path}")
        if header.is_skipped:
            continue
        if path not in keeping:
            yield CpioMember(path, header.mode, header.size)
        yield from (CpioMember(one, header.mode, header.size, content) for one in keeping)
        if header.size:
            links.clear()
        else:
            links.append(path)


@dataclass(frozen=True, slots=True)
class _Header:
    """The fields of a header that count here. Members with the same ``file`` and more than one of ``names`` are one file."""

    mode: int
    size: int
    name_size: int
    names: int
    file: tuple[int, ...]

    @property
    def is_skipped(self) -> bool:
        """Whether the kernel steps over the member (``do_header()``)."""
        kind = self.mode & _S_IFMT
        if not 0 < self.name_size <= MAX_NAME:
            return True
        return self.size > (MAX_NAME if kind == S_IFLNK else 0) and kind != S_IFREG


def _header(head: bytes) -> _Header:
    if head[:6] not in KINDS:
        raise Damaged("is not a newc archive, or is damaged inside")
    try:
        # After the magic, all in eight hexadecimal digits: ino, mode, uid, gid, nlink, mtime, filesize, devmajor, devminor, rdevmajor,
        # rdevminor, namesize, check.
        inode, mode, links, size, major, minor, name_size = (int(head[6 + 8 * at : 14 + 8 * at], 16) for at in (0, 1, 4, 6, 7, 8, 11))
    except ValueError as error:
        raise Damaged("has a damaged member header") from error
    if min(mode, size, name_size) < 0:
        raise Damaged("has a damaged member header")
    return _Header(mode, size, name_size, links, (inode, major, minor, mode & _S_IFMT))


def _path(name: bytes) -> str:
    text = name.decode("utf-8", "surrogateescape")
    if not text.startswith((".", "/")):
        return text
    while text.startswith(("./", "/")):
        text = text[1:] if text[0] == "/" else text[2:]
    return "" if text == "." else text


def newc(files: Mapping[str, bytes | str]) -> bytes:
    """A small archive of regular files and, for values of type str, symbolic links. Used by examples and tests."""
    parts = [
        _member(path, S_IFLNK | 0o777, content.encode()) if isinstance(content, str) else _member(path, S_IFREG | 0o644, content)
        for path, content in files.items()
    ]
    return b"".join([*parts, _member(TRAILER.decode(), 0, b"")])


def _member(path: str, mode: int, data: bytes) -> bytes:
    name = path.encode("utf-8", "surrogateescape") + b"\0"
    fields = (0, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name), 0)
    head = KINDS[0] + b"".join(b"%08X" % field for field in fields) + name
    return head + bytes(-len(head) % 4) + data + bytes(-len(data) % 4)
