"""FAT12, FAT16 and FAT32 with long names (Microsoft's fatgen103). Names are matched case-insensitively.

A filesystem that was copied while in use may be half-written, and there are two ways to read it. Linux (fs/fat) refuses a folder whose
chain does not end, ends a file where its chain ends, and continues after the entry that marks the end of a folder. Firmware and GRUB stop
at that entry, and follow a chain only as far as they need.
"""

from __future__ import annotations

import calendar
import copy
import functools
import struct
from collections.abc import Iterator, Sequence
from typing import BinaryIO, cast

from v2vlint.disk.fields import Fields
from v2vlint.disk.filesystems.content import Content
from v2vlint.disk.filesystems.node import Kind, Stat
from v2vlint.disk.filesystems.probe_fat import FatLayout
from v2vlint.disk.filesystems.runs import RunFile
from v2vlint.disk.stream import Slice, Stream
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import ImageError

# Twice FAT_MAX_DIR_SIZE of Linux.
MAX_DIRECTORY = 4 << 20
MAX_CLUSTERS = 1 << 22
_LABEL, _DIRECTORY, _LONG = 0x08, 0x10, 0x0F
# fatgen103: a directory entry of 32 bytes, and one that holds a part of a long name.
_ENTRY = Fields("<", DIR_FstClusHI=(20, "H"), DIR_WrtTime=(22, "H"), DIR_WrtDate=(24, "H"), DIR_FstClusLO=(26, "H"), DIR_FileSize=(28, "I"))
_DIR_ATTR, _DIR_NTRES, _LDIR_CHKSUM = 11, 12, 13
_MAX_SLOTS = 20  # MSDOS_SLOTS, without the slot of the short name
_ROOT = -1
"""Stands for the root folder of FAT12 and FAT16, which is in no cluster."""
_END, _BROKEN = -1, -2
"""What may follow a cluster besides another one: the mark of the last (or of a bad) cluster, or something that leads nowhere."""


@dataclass(frozen=True, slots=True)
class FatEntry:
    """A directory entry. ``cluster`` is 0 for an empty file."""

    name: str
    short: str
    attributes: int
    cluster: int
    size: int
    mtime: float


class Fat:
    """An opened FAT filesystem."""

    type = "vfat"

    def __init__(self, base: Stream, uuid: str = "", label: str = "", *, dirty: bool = False) -> None:
        self.uuid, self.label = uuid, label
        self.stale = ""
        self._dirty, self._strict = dirty, True
        layout = FatLayout.read(base.read_at(0, 512))
        if layout is None:
            raise ImageError("damaged FAT boot sector")
        self._fat_at, self._fat_size = layout.fat_at, layout.fat_size
        self._root_at, self._root_size = layout.root_at, layout.root_size
        self.cluster_size, self._data_at = layout.cluster, layout.data_at
        self._clusters, self._bits, self._root_cluster = layout.clusters, layout.bits, layout.root_cluster
        self.base = base
        self._forget()

    def _forget(self) -> None:
        self.directory = functools.lru_cache(maxsize=512)(self._directory)

    def as_it_lies(self) -> Fat:
        """See :class:`~v2vlint.disk.filesystems.node.Journaled`. FAT has no journal, but boot loaders accept what the kernel refuses."""
        if not self._dirty:
            return self
        other = copy.copy(self)
        other._dirty = other._strict = False
        other._forget()
        return other

    @property
    def root(self) -> FatNode:
        """The top directory."""
        return FatNode(self, FatEntry("", "", _DIRECTORY, self._root_cluster if self._bits == 32 else _ROOT, 0, 0.0))

    def free(self) -> int:
        """Bytes in free clusters, counted in the FAT itself."""
        table = self.base.read_at(self._fat_at, min(self._fat_size, (self._clusters + 2) * 4))
        if self._bits == 12:
            numbers: Iterator[int] = (int.from_bytes(table[at * 3 // 2 : at * 3 // 2 + 2], "little") for at in range(self._clusters + 2))
            values = [number >> 4 if at & 1 else number & 0xFFF for at, number in enumerate(numbers)]
        else:
            width, letter = self._bits // 8, "H" if self._bits == 16 else "I"
            values = list(struct.unpack_from(f"<{min(len(table) // width, self._clusters + 2)}{letter}", table))
        return sum(not value & 0x0FFF_FFFF for value in values[2 : self._clusters + 2]) * int(self.cluster_size)

    def _next(self, cluster: int) -> int:
        """The cluster after ``cluster``, or one of the two marks above."""
        offset = cluster * self._bits // 8
        if offset + 4 > self._fat_size + 4:
            raise ImageError(f"cluster {cluster} is outside the FAT")
        raw = int.from_bytes(self.base.read_at(self._fat_at + offset, 4), "little")
        if self._bits == 12:
            raw = (raw >> 4 if cluster & 1 else raw) & 0xFFF
        last = {12: 0xFFF, 16: 0xFFFF, 32: 0x0FFF_FFFF}[self._bits]
        value = raw & last
        if 2 <= value < self._clusters + 2:
            return value
        # …F7 is a bad cluster, …F8 and above are the end.
        return _END if value >= last - 8 else _BROKEN

    def content(self, first: int, size: int) -> Stream:
        """The data of a chain; with ``size`` -1, all of it. A chain longer than the file is cut off; a loop is an ImageError."""
        clusters: list[int] = []
        wanted = MAX_CLUSTERS if size < 0 else -(-size // self.cluster_size)
        # Clusters count from 2.
        cluster = first if 2 <= first < self._clusters + 2 else _END if not first else _BROKEN
        while cluster >= 0 and len(clusters) < wanted:
            clusters.append(cluster)
            if len(clusters) > min(self._clusters, MAX_CLUSTERS):
                raise ImageError("a FAT chain that loops")
            cluster = self._next(cluster)
        if self._strict and first and len(clusters) < wanted and (cluster == _BROKEN or size >= 0):
            raise ImageError("a FAT chain that ends too early")
        size = len(clusters) * self.cluster_size if size < 0 else size
        per = self.cluster_size
        data = _Data(self.base, self._data_at - 2 * per)
        return RunFile(data, per, size, _runs(clusters))

    def _directory(self, cluster: int) -> dict[str, FatEntry]:
        data = Slice(self.base, self._root_at, self._root_size) if cluster == _ROOT else self.content(cluster, -1)
        raw = data.read_at(0, MAX_DIRECTORY)
        if self._dirty and cluster != (self._root_cluster if self._bits == 32 else _ROOT) and _folders(raw) < 2:
            raise ImageError("a FAT folder without entries for itself and the one above")
        return {entry.name: entry for entry in _entries(raw, to_the_end=self._strict)}


class _Data(Stream):
    """The data area, shifted so that cluster 2 is at its expected offset."""

    def __init__(self, base: Stream, offset: int) -> None:
        super().__init__(base.size - offset)
        self._base, self._offset = base, offset

    def read_at(self, offset: int, length: int) -> bytes:
        """See :class:`~v2vlint.disk.stream.Stream`."""
        return self._base.read_at(self._offset + offset, length)


def _runs(clusters: list[int]) -> Iterator[tuple[int, int | None, int]]:
    start = 0
    for index in range(1, len(clusters) + 1):
        if index == len(clusters) or clusters[index] != clusters[index - 1] + 1:
            yield start, clusters[start], index - start
            start = index


def _folders(data: bytes) -> int:
    """The number of folders that a folder lists; Linux refuses one with fewer than two (``fat_validate_dir``)."""
    return sum(data[at] not in (0, 0xE5) and data[at + _DIR_ATTR] & 0x18 == _DIRECTORY for at in range(0, len(data) - 31, 32))


def _entries(data: bytes, *, to_the_end: bool) -> Iterator[FatEntry]:
    """The entries of a folder. For Linux, this includes those after the end mark, where it does not stop."""
    long = _LongName()
    for at in range(0, len(data) - 31, 32):
        raw = data[at : at + 32]
        if raw[0] == 0 and not to_the_end:
            return
        # As in __fat_readdir(): a part of a long name is in use even if its first byte is zero.
        if raw[0] == 0xE5 or (raw[0] == 0 and raw[_DIR_ATTR] != _LONG):
            long = _LongName()
        elif raw[_DIR_ATTR] & 0x3F == _LONG:
            long.add(raw)
        else:
            entry = _entry(raw, long.of(raw))
            long = _LongName()
            if not raw[_DIR_ATTR] & _LABEL and entry.name not in (".", ".."):
                yield entry


class _LongName:
    """The parts of a long name, which precede the entry they belong to, last part first. Parts that do not match are ignored."""

    def __init__(self) -> None:
        self._parts = b""
        self._left, self._sum = -1, 0

    def add(self, raw: bytes) -> None:
        """Add the next part (``fat_parse_long`` of Linux)."""
        number = raw[0] & 0x3F
        if raw[0] & 0x40 and 0 < number <= _MAX_SLOTS:
            self._parts, self._left, self._sum = b"", number, raw[_LDIR_CHKSUM]
        if self._left <= 0 or number != self._left or raw[_LDIR_CHKSUM] != self._sum:
            self._parts, self._left = b"", -1
            return
        self._left -= 1
        self._parts = raw[1:11] + raw[14:26] + raw[28:32] + self._parts

    def of(self, raw: bytes) -> str:
        """The long name of the entry ``raw``; empty when it has none."""
        total = 0
        for byte in raw[:11]:
            total = ((total & 1) << 7) + (total >> 1) + byte & 0xFF
        name = self._parts.decode("utf-16-le", "replace").split("\0", 1)[0]
        return name if self._left == 0 and self._sum == total else ""


def _entry(raw: bytes, long_name: str) -> FatEntry:
    head, tail = raw[:8].rstrip(b" "), raw[8:11].rstrip(b" ")
    # 0xE5 would mark a deleted entry, so 0x05 stands for it.
    head = b"\xe5" + head[1:] if head[:1] == b"\x05" else head
    # CONFIG_FAT_DEFAULT_CODEPAGE of Linux.
    base, extension = head.decode("cp437"), tail.decode("cp437")
    short = f"{base}.{extension}" if extension else base
    # Windows NT stores the case of a short name in two flags (CASE_LOWER_BASE, CASE_LOWER_EXT) rather than in a long name.
    case = raw[_DIR_NTRES]
    plain = f"{base.lower() if case & 8 else base}" + (f".{extension.lower() if case & 16 else extension}" if extension else "")
    found = _ENTRY.read(raw)
    cluster, mtime = found["DIR_FstClusHI"] << 16 | found["DIR_FstClusLO"], _seconds(found["DIR_WrtDate"], found["DIR_WrtTime"])
    return FatEntry(long_name or plain, short, raw[_DIR_ATTR], cluster, found["DIR_FileSize"], mtime)


def _seconds(date: int, time: int) -> float:
    if not date:
        return 0.0
    day = (1980 + (date >> 9), date >> 5 & 15, date & 31, time >> 11, time >> 5 & 63, (time & 31) * 2)
    return float(calendar.timegm(day)) if 1 <= day[1] <= 12 and day[2] else 0.0


class FatNode:
    """Implements :class:`~v2vlint.disk.filesystems.node.Node` for a directory entry."""

    def __init__(self, fs: Fat, entry: FatEntry) -> None:
        self._fs, self._entry = fs, entry

    @property
    def entry(self) -> FatEntry:
        """The entry itself."""
        return self._entry

    def stat(self) -> Stat:
        """See :class:`~v2vlint.disk.filesystems.node.Node`."""
        entry = self._entry
        if entry.attributes & _DIRECTORY:
            return Stat(Kind.DIR, 0, 0o755, mtime=entry.mtime)
        return Stat(Kind.FILE, entry.size, 0o755, mtime=entry.mtime)

    def names(self) -> Iterator[str]:
        """See :class:`~v2vlint.disk.filesystems.node.Node`."""
        return iter(self._fs.directory(self._entry.cluster))

    def child(self, name: str) -> FatNode | None:
        """See :class:`~v2vlint.disk.filesystems.node.Node`."""
        entries = self._fs.directory(self._entry.cluster)
        folded = name.casefold()
        found = entries.get(name) or next((one for key, one in entries.items() if folded in (key.casefold(), one.short.casefold())), None)
        return None if found is None else FatNode(self._fs, found)

    def link(self) -> str:
        """FAT has no links."""
        raise ImageError("no link")

    def open(self) -> BinaryIO:
        """See :class:`~v2vlint.disk.filesystems.node.Node`."""
        return cast(BinaryIO, self._fs.content(self._entry.cluster, self._entry.size))


def open_fat(content: Content, streams: Sequence[Stream]) -> Fat:
    """The reader named in :data:`~v2vlint.disk.filesystems.formats.FORMATS`."""
    return Fat(streams[0], content.uuid, content.label, dirty=dict(content.details).get("dirty") == "yes")
