"""NTFS through dissect.ntfs. Names are matched case-insensitively; reparse points to other volumes are dangling links."""

from __future__ import annotations

import copy
import functools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, BinaryIO, cast

from dissect.ntfs import NTFS, index, mft

from v2vlint.disk.fields import Fields
from v2vlint.disk.filesystems.content import Content
from v2vlint.disk.filesystems.node import Kind, Stat
from v2vlint.disk.filesystems.wof import STREAM as WOF
from v2vlint.disk.filesystems.wof import open_wof
from v2vlint.disk.stream import Stream
from v2vlint.model.errors import ImageError, Unsupported

LOG_FILE, ROOT, BITMAP = 2, 5, 6
# MFT_REC_FREE of fs/ntfs3/ntfs.h: records before it are the volume's own ($MFT, $Extend, the top directory), which no driver lists.
_FIRST_USER = 24
MAX_BITMAP = 64 << 20
_INFORMATION, _DATA, _ENCRYPTED, _IN_USE = 0x10, 0x80, 0x4000, 1
# IO_REPARSE_TAG_… of winnt.h. IO_REPARSE_TAG_CLOUD_1 to _CLOUD_F differ from _CLOUD in the bits 0xF000.
_WOF, _CLOUD = 0x80000017, 0x9000001A
_ELSEWHERE = {
    0x80000013: "a deduplicated file", 0xC0000004: "a file in hierarchical storage", 0x80000006: "a file in hierarchical storage",
    0x80000008: "a file of an image (WIM)", 0x80000021: "a file in the cloud", 0x8000001E: "a file in the cloud",
}  # fmt: skip
_DOS, _HEADER, _ENTRY = 2, 72, 16  # FILE_NAME_DOS; the sizes of the longest header of an attribute, and of an index entry's
_DEEPEST = 64
_SECTORS_PER_VOLUME = 0x28  # struct NTFS_BOOT (fs/ntfs3/ntfs.h), 8 bytes
# struct RESTART_HDR and struct RESTART_AREA (fs/ntfs3/fslog.c). client_idx[] has the lists of free clients and of those in use.
_RESTART = Fields("<", ra_off=(0x18, "H"))
_RESTART_AREA = Fields("<", current_lsn=(0, "Q"), client_idx_in_use=(0xC, "H"), flags=(0xE, "H"))
_NO_CLIENT, _CLEAN = 0xFFFF, 2  # LFS_NO_CLIENT, RESTART_VOLUME_IS_CLEAN


class IndexEntry(index.IndexEntry):  # type: ignore[misc]
    """An index entry that always leads to the next one: dissect rereads an entry of length zero forever."""

    def __init__(self, owner: Any, stream: BinaryIO, offset: int) -> None:
        super().__init__(owner, stream, offset)
        if self.length < _ENTRY:
            raise ImageError(f"an index entry of {self.length} bytes")


class Index(index.Index):  # type: ignore[misc]
    """An index whose searches terminate: in a damaged one, a node may refer back to one above it, and dissect would follow."""

    index_buffer: Any

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._node, self._left = self.index_buffer, math.inf
        self.index_buffer = self._bounded  # dissect keeps it in the object, too

    def search(self, *arguments: Any, **options: Any) -> Any:
        """See dissect. ImageError after more nodes than any tree is deep."""
        self._left = _DEEPEST
        try:
            return super().search(*arguments, **options)
        finally:
            self._left = math.inf

    def _bounded(self, vcn: Any) -> Any:
        self._left -= 1
        if self._left < 0:
            raise ImageError("an index that leads back to itself")
        return self._node(vcn)


# dissect searches indexes even while it opens a volume.
index.IndexEntry, index.Index, mft.Index = IndexEntry, Index, Index


class NtfsFileSystem:
    """An opened NTFS."""

    type = "ntfs"

    def __init__(self, base: Stream, uuid: str = "", label: str = "") -> None:
        self.uuid, self.label = uuid, label
        self._fs: Any = NTFS(base)
        self.record = self._fs.mft.get = functools.lru_cache(maxsize=4096)(_whole(self._fs.mft.get))
        self._cluster = int(self._fs.cluster_size)
        self._size = int.from_bytes(base.read_at(_SECTORS_PER_VOLUME, 8), "little") * int(self._fs.sector_size)
        self.stale = "" if self._log_is_clean() else "its $LogFile, which is not replayed, holds changes"

    def as_it_lies(self) -> NtfsFileSystem:
        """See :class:`~v2vlint.disk.filesystems.node.Journaled`. Neither GRUB's ``ntfs.c`` nor Windows' boot manager and loader replay
        ``$LogFile``; the driver of the running system does.
        """
        if not self.stale:
            return self
        other = copy.copy(self)
        other.stale = ""
        return other

    def _log_is_clean(self) -> bool:
        """Whether Windows closed its log (``RESTART_AREA`` of fs/ntfs3/fslog.c); true when there is no readable log."""
        try:
            head = self._fs.mft.get(LOG_FILE).open().read(3 * 4096)
        except Exception:
            return True
        # There are two restart pages, of which the newer counts.
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


def _whole(get: Callable[..., Any]) -> Callable[..., Any]:
    """A ``get`` for records that finds the last attribute, too: dissect reads more of each attribute header than a short one has, and
    mistakes the end of the record for the end of the attributes.
    """

    def found(reference: Any, root: Any = None) -> Any:
        record = get(reference, root)
        record.data += bytes(_HEADER)
        return record

    return found


def _restart_area(page: bytes) -> tuple[int, int, int] | None:
    """The last sequence number, the list of clients in use and the flags of a restart page; None when it is not one."""
    if page[:4] != b"RSTR":
        return None
    area = _RESTART_AREA.read(page, _RESTART.read(page)["ra_off"])
    return area["current_lsn"], area["client_idx_in_use"], area["flags"]


class NtfsNode:
    """Implements :class:`~v2vlint.disk.filesystems.node.Node` for a file record."""

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
        attributes = self._record.attributes.find("", _INFORMATION)
        return attributes[0].last_modification_time_ns / 1e9 if attributes else 0.0

    def names(self) -> Iterator[str]:
        """See :class:`~v2vlint.disk.filesystems.node.Node`."""
        for entry in self._record.index("$I30").entries():
            attribute = entry.attribute
            # A file with a long name has a second entry for its short one.
            if attribute.flags != _DOS and _number(entry) >= _FIRST_USER:
                yield attribute.file_name

    def child(self, name: str) -> NtfsNode | None:
        """See :class:`~v2vlint.disk.filesystems.node.Node`. ImageError for an entry whose file was deleted, which Windows does not open
        either.
        """
        try:
            entry = self._record.index("$I30").search(name)
        except KeyError:
            return None
        number, sequence = _number(entry), int(entry.header.FileReference.SequenceNumber)
        header = self._fs.record(number).header
        if not int(header.Flags) & _IN_USE or sequence not in (0, int(header.SequenceNumber)):
            raise ImageError(f"the entry {name!r} leads to a file that was deleted")
        return NtfsNode(self._fs, number)

    def link(self) -> str:
        """The target with slashes, with ``C:`` as the top."""
        record = self._record
        target = str(record.reparse_point_substitute_name or record.reparse_point_name).replace("\\", "/")
        # Absolute targets lead through \??\, the names of devices in Windows' kernel.
        target = target.removeprefix("/??/")
        return target[2:] or "/" if target[1:2] == ":" else target

    def open(self) -> BinaryIO:
        """See :class:`~v2vlint.disk.filesystems.node.Node`."""
        record = self._record
        if record.is_dir():
            raise ImageError("a directory")
        if any(int(one.attr.FileAttributes) & _ENCRYPTED for one in record.attributes.find("", _INFORMATION)):
            raise Unsupported("a file encrypted by Windows (EFS)")
        points = record.attributes.find("", 0xC0) if record.is_reparse_point() else ()
        return next((self._behind(record, point) for point in points), None) or _data(record)

    def _behind(self, record: Any, point: Any) -> BinaryIO | None:
        """The content that a reparse point stands for; None when the file itself has the content."""
        tag = int(point.tag)
        if tag == _WOF:
            return cast(BinaryIO, open_wof(bytes(point.buffer), _data(record, WOF), int(record.size())))
        if tag in _ELSEWHERE or tag & 0xFFFF0FFF == _CLOUD:
            raise Unsupported(f"{_ELSEWHERE.get(tag, 'a file in the cloud')}, whose content is elsewhere")
        return None


def _number(entry: Any) -> int:
    """The number of the file record that an index entry leads to."""
    reference = entry.header.FileReference
    return int(reference.SegmentNumberLowPart) | int(reference.SegmentNumberHighPart) << 32


class WrittenPart(Stream):
    """A file of which only the first ``valid`` bytes have been written. The rest of its clusters is left over from other files and reads as
    zeros.
    """

    def __init__(self, below: BinaryIO, size: int, valid: int) -> None:
        super().__init__(size)
        self._below, self._valid = below, valid

    def read_at(self, offset: int, length: int) -> bytes:
        """See :class:`~v2vlint.disk.stream.Stream`."""
        length = self.clip(offset, length)
        self._below.seek(offset)
        written = self._below.read(max(0, min(length, self._valid - offset)))
        return written + bytes(length - len(written))


def _data(record: Any, name: str = "") -> BinaryIO:
    """The stream ``name`` up to its ``ValidDataLength``, like Windows, ntfs3 and ntfs-3g; dissect only considers its size."""
    stream = cast(BinaryIO, record.open(name))
    # A file with many runs has several such attributes; the first has the sizes.
    form = next(
        (one.header.header.Form for one in record.attributes.find(name, _DATA) if not one.resident and not one.header.lowest_vcn), None
    )
    size, valid = int(record.size(name)), int(form.Nonresident.ValidDataLength) if form else -1
    return cast(BinaryIO, WrittenPart(stream, size, valid)) if 0 <= valid < size else stream


def open_ntfs(content: Content, streams: Sequence[Stream]) -> NtfsFileSystem:
    """The reader named in :data:`~v2vlint.disk.filesystems.formats.FORMATS`."""
    return NtfsFileSystem(streams[0], content.uuid, content.label)
