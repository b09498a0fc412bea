"""NTFS through dissect.ntfs. Names are found without regard to case; reparse points to other volumes are dangling links."""

from __future__ import annotations

import functools
import struct
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO, cast

from dissect.ntfs import NTFS

from v2vlint.disk.filesystems.content import Content
from v2vlint.disk.filesystems.node import Kind, Stat
from v2vlint.disk.stream import Stream
from v2vlint.model.errors import ImageError, Unsupported

LOG_FILE, ROOT, BITMAP = 2, 5, 6
MAX_BITMAP = 64 << 20
_WOF = 0x80000017
_DOS = 2
_NO_CLIENT, _CLEAN = 0xFFFF, 2


class NtfsFileSystem:
    """An opened NTFS."""

    type = "ntfs"

    def __init__(self, base: Stream, uuid: str = "", label: str = "") -> None:
        self.uuid, self.label = uuid, label
        self._fs: Any = NTFS(base)
        self._cluster = int(self._fs.cluster_size)
        self._size = int.from_bytes(base.read_at(40, 8), "little") * int(self._fs.sector_size)
        self.stale = "" if self._log_is_clean() else "its $LogFile, which is not replayed, holds changes"
        self.record = functools.lru_cache(maxsize=4096)(self._fs.mft.get)

    def _log_is_clean(self) -> bool:
        """Whether Windows closed its log (``RESTART_AREA`` of fs/ntfs3/fslog.c); true where there is none to be read."""
        try:
            head = self._fs.mft.get(LOG_FILE).open().read(3 * 4096)
        except Exception:
            return True
        areas = [area for at in (0, 4096) if (area := _restart_area(head[at : at + 4096])) is not None]
        _lsn, in_use, flags = max(areas, default=(0, _NO_CLIENT, 0))
        return in_use == _NO_CLIENT or bool(flags & _CLEAN)

    def free(self) -> int:
        """Bytes in clusters that the volume's bitmap marks as free."""
        clusters = min(self._size // self._cluster, 8 * MAX_BITMAP)
        bitmap = self.record(BITMAP).open().read(-(-clusters // 8))
        used = int.from_bytes(bitmap, "little") & ((1 << clusters) - 1)
        return (clusters - used.bit_count()) * self._cluster

    @property
    def root(self) -> NtfsNode:
        """The top directory."""
        return NtfsNode(self, ROOT)


def _restart_area(page: bytes) -> tuple[int, int, int] | None:
    """The last sequence number, the list of clients in use and the flags of a restart page; None when it is none."""
    if page[:4] != b"RSTR":
        return None
    at = struct.unpack_from("<H", page, 24)[0]
    lsn, _clients, _free, in_use, flags = struct.unpack_from("<QHHHH", page, at)
    return lsn, in_use, flags


class NtfsNode:
    """A file record as the rest of v2vlint sees it."""

    def __init__(self, fs: NtfsFileSystem, number: int) -> None:
        self._fs, self._number = fs, number

    @property
    def _record(self) -> Any:
        return self._fs.record(self._number)

    def stat(self) -> Stat:
        """See :class:`~v2vlint.disk.filesystems.node.Node`."""
        record = self._record
        if record.is_symlink() or record.is_mount_point():
            return Stat(Kind.LINK, 0, 0o777)
        if record.is_dir():
            return Stat(Kind.DIR, 0, 0o755, mtime=self._mtime())
        return Stat(Kind.FILE, int(record.size()) if record.has_stream() else 0, 0o755, mtime=self._mtime())

    def _mtime(self) -> float:
        attributes = self._record.attributes.find("", 0x10)
        return attributes[0].last_modification_time_ns / 1e9 if attributes else 0.0

    def names(self) -> Iterator[str]:
        """See :class:`~v2vlint.disk.filesystems.node.Node`."""
        for entry in self._record.index("$I30").entries():
            attribute = entry.attribute
            if attribute.flags != _DOS and not (self._number == ROOT and attribute.file_name.startswith(("$", "."))):
                yield attribute.file_name

    def child(self, name: str) -> NtfsNode | None:
        """See :class:`~v2vlint.disk.filesystems.node.Node`."""
        try:
            entry = self._record.index("$I30").search(name)
        except KeyError:
            return None
        reference = entry.header.FileReference
        return NtfsNode(self._fs, int(reference.SegmentNumberLowPart) | int(reference.SegmentNumberHighPart) << 32)

    def link(self) -> str:
        """The target with slashes, ``C:`` taken as the top."""
        record = self._record
        target = str(record.reparse_point_substitute_name or record.reparse_point_name).replace("\\", "/")
        target = target.removeprefix("/??/")
        return target[2:] or "/" if target[1:2] == ":" else target

    def open(self) -> BinaryIO:
        """See :class:`~v2vlint.disk.filesystems.node.Node`."""
        record = self._record
        if record.is_dir():
            raise ImageError("a directory")
        points = record.attributes.find("", 0xC0) if record.is_reparse_point() else ()
        if any(int(point.tag) == _WOF for point in points):
            raise Unsupported("a file compressed by Windows (WOF)")
        return cast(BinaryIO, record.open())


def open_ntfs(content: Content, streams: Sequence[Stream]) -> NtfsFileSystem:
    """The reader of :data:`~v2vlint.disk.filesystems.formats.FORMATS`."""
    return NtfsFileSystem(streams[0], content.uuid, content.label)
