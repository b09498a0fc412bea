"""Filesystem images held in memory, listed with their small files: dracut can store the content of an initramfs in one.

squashfs is read by :mod:`v2vlint.disk.filesystems.squashfs`. For EROFS (``fs/erofs/erofs_fs.h`` of Linux), this module reads what a listing
needs, and files that are not compressed.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

from v2vlint.disk.filesystems.node import Kind
from v2vlint.disk.stream import MemoryStream
from v2vlint.model.dataclass import dataclass

MAX_DEPTH = 48
MAX_DIRECTORY = 16 << 20
_EROFS_MAGIC = 0xE0F5E1E2
_DIR, _LINK, _FILE = 0o040000, 0o120000, 0o100000
_PLAIN, _INLINE = 0, 2


class NestedImageError(Exception):
    """The image is damaged or of an unknown kind; the message is a lower-case fragment."""


@dataclass(frozen=True, slots=True)
class NestedEntry:
    """A file or symbolic link. ``data`` is None unless it was requested and could be read; ``link`` is a link's target."""

    path: str
    size: int
    data: bytes | None = None
    link: str | None = None


Wanted = Callable[[str, int], bool]


def entries(data: bytes, wanted: Wanted) -> tuple[str, Iterator[NestedEntry]]:
    """The type of the image and its files and links, without directories. NestedImageError, at once or during iteration."""
    if data[:4] == b"hsqs":
        return "squashfs", _guarded(_squashfs(data, wanted))
    if len(data) >= 1028 and struct.unpack_from("<I", data, 1024)[0] == _EROFS_MAGIC:
        return "erofs", _guarded(_Erofs(data, wanted).walk())
    raise NestedImageError("is neither a squashfs nor an EROFS image")


def _guarded(found: Iterator[NestedEntry]) -> Iterator[NestedEntry]:
    try:
        yield from found
    except (MemoryError, NestedImageError):
        raise
    except Exception as error:
        raise NestedImageError(f"is damaged ({type(error).__name__}: {error})") from error


def _squashfs(data: bytes, wanted: Wanted) -> Iterator[NestedEntry]:
    from v2vlint.disk.filesystems.squashfs import SquashFileSystem, SquashNode

    pending: list[tuple[str, SquashNode, int]] = [("", SquashFileSystem(MemoryStream(data)).root, 0)]
    while pending:
        folder, node, depth = pending.pop()
        for name in node.names():
            child = node.child(name)
            path = f"{folder}{name}"
            if child is None:
                continue
            found = child.stat()
            if found.kind is Kind.DIR:
                if depth < MAX_DEPTH:
                    pending.append((f"{path}/", child, depth + 1))
            elif found.kind is Kind.LINK:
                yield NestedEntry(path, 0, link=child.link())
            else:
                keep = found.kind is Kind.FILE and wanted(path, found.size)
                yield NestedEntry(path, found.size, child.open().read(found.size) if keep else None)


@dataclass(frozen=True, slots=True)
class _Inode:
    mode: int
    size: int
    layout: int
    start: int
    tail: int


class _Erofs:
    def __init__(self, data: bytes, wanted: Wanted) -> None:
        self.data = data
        self.wanted = wanted
        self.bits = data[1024 + 12]
        self.root = struct.unpack_from("<H", data, 1024 + 14)[0]
        self.meta = struct.unpack_from("<I", data, 1024 + 40)[0] << self.bits
        if not 9 <= self.bits <= 16:
            raise NestedImageError("has an impossible block size")

    def walk(self) -> Iterator[NestedEntry]:
        pending = [("", self.root, 0)]
        seen: set[int] = set()
        while pending:
            folder, number, depth = pending.pop()
            if number in seen:
                continue
            seen.add(number)
            for name, child in self.directory(self.inode(number)):
                path, node = f"{folder}{name}", self.inode(child)
                kind = node.mode & 0o170000
                if kind == _DIR and depth < MAX_DEPTH:
                    pending.append((f"{path}/", child, depth + 1))
                elif kind != _DIR:
                    yield self.entry(path, node, kind)

    def entry(self, path: str, node: _Inode, kind: int) -> NestedEntry:
        if kind == _LINK:
            return NestedEntry(path, 0, link=(self.content(node, 4096) or b"").decode("utf-8", "surrogateescape"))
        keep = kind == _FILE and self.wanted(path, node.size)
        return NestedEntry(path, node.size, self.content(node, node.size) if keep else None)

    def inode(self, number: int) -> _Inode:
        offset = self.meta + number * 32
        form, xattrs, mode = struct.unpack_from("<HHH", self.data, offset)
        extended = form & 1
        size, start = struct.unpack_from("<QI" if extended else "<II", self.data, offset + 8) if extended else self._compact(offset)
        tail = offset + (64 if extended else 32) + (12 + 4 * (xattrs - 1) if xattrs else 0)
        return _Inode(mode, size, form >> 1 & 7, start, tail)

    def _compact(self, offset: int) -> tuple[int, int]:
        size, _, start = struct.unpack_from("<III", self.data, offset + 8)
        return size, start

    def content(self, node: _Inode, limit: int) -> bytes | None:
        """The bytes of an uncompressed file; None when it is compressed or in chunks."""
        if node.layout not in (_PLAIN, _INLINE) or node.size > limit:
            return None
        whole = node.size if node.layout == _PLAIN else node.size >> self.bits << self.bits
        begin = node.start << self.bits
        data = self.data[begin : begin + whole] + self.data[node.tail : node.tail + node.size - whole]
        if len(data) < node.size:
            raise NestedImageError("ends early")
        return data

    def directory(self, node: _Inode) -> Iterator[tuple[str, int]]:
        data = self.content(node, MAX_DIRECTORY)
        if data is None:
            raise NestedImageError("stores directories in a way that is not understood")
        block = 1 << self.bits
        for begin in range(0, len(data), block):
            yield from self.names(data[begin : begin + block])

    def names(self, block: bytes) -> Iterator[tuple[str, int]]:
        count = struct.unpack_from("<H", block, 8)[0] // 12
        heads = [struct.unpack_from("<QH", block, 12 * index) for index in range(count)]
        ends = [*(start for _, start in heads[1:]), len(block)]
        for (number, start), end in zip(heads, ends, strict=True):
            name = block[start:end].split(b"\0", 1)[0].decode("utf-8", "surrogateescape")
            if name not in ("", ".", ".."):
                yield name, number
