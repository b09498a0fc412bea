"""Filesystem images held in memory, listed with their small files: dracut can store the content of an initramfs in one."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from v2vlint.disk.filesystems.content import Content
from v2vlint.disk.filesystems.node import Kind, Node
from v2vlint.disk.stream import MemoryStream
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import Unsupported

MAX_DEPTH = 48
MAX_FOLDERS = 1 << 16
_MAGICS = {"squashfs": (0, b"hsqs"), "erofs": (1024, b"\xe2\xe1\xf5\xe0")}


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
    for kind, (at, magic) in _MAGICS.items():
        if data[at : at + len(magic)] == magic:
            return kind, _guarded(data, kind, wanted)
    raise NestedImageError("is neither a squashfs nor an EROFS image")


def _guarded(data: bytes, kind: str, wanted: Wanted) -> Iterator[NestedEntry]:
    from v2vlint.disk.filesystems.opening import open_filesystem

    try:
        yield from _walk(open_filesystem(Content(kind), [MemoryStream(data)]).root, wanted)
    except (MemoryError, NestedImageError):
        raise
    except Exception as error:
        raise NestedImageError(f"is damaged ({type(error).__name__}: {error})") from error


def _walk(root: Node, wanted: Wanted) -> Iterator[NestedEntry]:
    pending, folders = [("", root, 0)], 0
    while pending:
        folder, node, depth = pending.pop()
        folders += 1
        if folders > MAX_FOLDERS:
            raise NestedImageError(f"has more than {MAX_FOLDERS} folders")
        for name in node.names():
            child, path = node.child(name), f"{folder}{name}"
            assert child is not None
            if child.stat().kind is not Kind.DIR:
                yield _entry(path, child, wanted)
            elif depth < MAX_DEPTH:
                pending.append((f"{path}/", child, depth + 1))


def _entry(path: str, node: Node, wanted: Wanted) -> NestedEntry:
    found = node.stat()
    if found.kind is Kind.LINK:
        return NestedEntry(path, 0, link=node.link())
    keep = found.kind is Kind.FILE and wanted(path, found.size)
    return NestedEntry(path, found.size, _content(node, found.size) if keep else None)


def _content(node: Node, size: int) -> bytes | None:
    """The content of a file; None when its compression is not supported."""
    try:
        return node.open().read(size)
    except Unsupported:
        return None
