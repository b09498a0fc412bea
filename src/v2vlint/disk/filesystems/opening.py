"""Opening a filesystem by its type; each reader is imported only when it is needed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from v2vlint.disk.filesystems.node import FileSystem
from v2vlint.disk.filesystems.probe import Content
from v2vlint.disk.stream import Stream
from v2vlint.model.errors import ImageError, Unsupported


def is_readable(kind: str) -> bool:
    """Whether there is a reader for filesystems of type ``kind``."""
    return kind in _READERS


def open_filesystem(content: Content, streams: Sequence[Stream]) -> FileSystem:
    """Open the filesystem on ``streams`` (several only for btrfs); ImageError or Unsupported says why not."""
    reader = _READERS.get(content.type)
    if reader is None:
        raise Unsupported(f"{content.type} is not supported")
    try:
        return reader(content, streams)
    except (ImageError, MemoryError):
        raise
    except Exception as error:
        raise ImageError(f"damaged {content.type}: {str(error).strip() or type(error).__name__}") from error


def _ext(content: Content, streams: Sequence[Stream]) -> FileSystem:
    from v2vlint.disk.filesystems.ext import Ext

    return Ext(streams[0], content.type, content.uuid, content.label)


def _xfs(content: Content, streams: Sequence[Stream]) -> FileSystem:
    from v2vlint.disk.filesystems.xfs import Xfs

    return Xfs(streams[0], content.uuid, content.label)


def _btrfs(content: Content, streams: Sequence[Stream]) -> FileSystem:
    from v2vlint.disk.filesystems.btrfs import BtrfsFileSystem

    return BtrfsFileSystem(streams, content.uuid, content.label)


def _fat(content: Content, streams: Sequence[Stream]) -> FileSystem:
    from v2vlint.disk.filesystems.fat import Fat

    return Fat(streams[0], content.uuid, content.label)


def _ntfs(content: Content, streams: Sequence[Stream]) -> FileSystem:
    from v2vlint.disk.filesystems.ntfs import NtfsFileSystem

    return NtfsFileSystem(streams[0], content.uuid, content.label)


def _squashfs(_content: Content, streams: Sequence[Stream]) -> FileSystem:
    from v2vlint.disk.filesystems.squashfs import SquashFileSystem

    return SquashFileSystem(streams[0])


def _iso(content: Content, streams: Sequence[Stream]) -> FileSystem:
    from v2vlint.disk.filesystems.iso import IsoFileSystem

    return IsoFileSystem(streams[0], content.uuid, content.label)


_READERS: dict[str, Callable[[Content, Sequence[Stream]], FileSystem]] = {
    "ext2": _ext,
    "ext3": _ext,
    "ext4": _ext,
    "xfs": _xfs,
    "btrfs": _btrfs,
    "vfat": _fat,
    "ntfs": _ntfs,
    "squashfs": _squashfs,
    "iso9660": _iso,
}
