"""FAT12, FAT16 and FAT32 with long names (Microsoft's fatgen103). Names are found without regard to case."""

from __future__ import annotations

import calendar
import functools
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, cast

from v2vlint.disk.filesystems.content import Content
from v2vlint.disk.filesystems.node import Kind, Stat
from v2vlint.disk.filesystems.probe_fat import FatLayout
from v2vlint.disk.filesystems.runs import RunFile
from v2vlint.disk.stream import Slice, Stream
from v2vlint.model.errors import ImageError

MAX_DIRECTORY = 4 << 20
MAX_CLUSTERS = 1 << 22
_LABEL, _DIRECTORY, _LONG = 0x08, 0x10, 0x0F


@dataclass(frozen=True, slots=True)
class Entry:
    """A directory entry. ``cluster`` 0 is an empty file."""

    name: str
    short: str
    attributes: int
    cluster: int
    size: int
    mtime: float


class Fat:
    """An opened FAT filesystem."""

    type = "vfat"

    def __init__(self, base: Stream, uuid: str = "", label: str = "") -> None:
        self.uuid, self.label = uuid, label
        self.stale = ""
        layout = FatLayout.read(base.read_at(0, 512))
        if layout is None:
            raise ImageError("damaged FAT boot sector")
        self._fat_at, self._fat_size = layout.fat_at, layout.fat_size
        self._root_at, self._root_size = layout.root_at, layout.root_size
        self.cluster_size, self._data_at = layout.cluster, layout.data_at
        self._clusters, self._bits, self._root_cluster = layout.clusters, layout.bits, layout.root_cluster
        self.base = base
        self.directory = functools.lru_cache(maxsize=512)(self._directory)

    @property
    def root(self) -> FatNode:
        """The top directory."""
        return FatNode(self, Entry("", "", _DIRECTORY, self._root_cluster, 0, 0.0))

    def free(self) -> int:
        """Bytes in clusters that belong to nothing, counted in the FAT itself."""
        table = self.base.read_at(self._fat_at, min(self._fat_size, (self._clusters + 2) * 4))
        if self._bits == 12:
            numbers: Iterator[int] = (int.from_bytes(table[at * 3 // 2 : at * 3 // 2 + 2], "little") for at in range(self._clusters + 2))
            values = [number >> 4 if at & 1 else number & 0xFFF for at, number in enumerate(numbers)]
        else:
            width, letter = self._bits // 8, "H" if self._bits == 16 else "I"
            values = list(struct.unpack_from(f"<{min(len(table) // width, self._clusters + 2)}{letter}", table))
        return sum(not value & 0x0FFF_FFFF for value in values[2 : self._clusters + 2]) * int(self.cluster_size)

    def _next(self, cluster: int) -> int:
        """The cluster after ``cluster``; 0 at the end of the chain."""
        offset = cluster * self._bits // 8
        if offset + 4 > self._fat_size + 4:
            raise ImageError(f"cluster {cluster} is outside the FAT")
        raw = int.from_bytes(self.base.read_at(self._fat_at + offset, 4), "little")
        if self._bits == 12:
            raw = (raw >> 4 if cluster & 1 else raw) & 0xFFF
        value = raw & {12: 0xFFF, 16: 0xFFFF, 32: 0x0FFF_FFFF}[self._bits]
        return value if 2 <= value < self._clusters + 2 else 0

    def content(self, first: int, size: int) -> Stream:
        """The data of a chain; ``size`` -1 means up to its end. A chain longer than the file is ignored, a loop is ImageError."""
        clusters: list[int] = []
        wanted = MAX_CLUSTERS if size < 0 else -(-size // self.cluster_size)
        cluster = first if 2 <= first < self._clusters + 2 else 0
        while cluster and len(clusters) < wanted:
            clusters.append(cluster)
            if len(clusters) > min(self._clusters, MAX_CLUSTERS):
                raise ImageError("a FAT chain that loops")
            cluster = self._next(cluster)
        size = len(clusters) * self.cluster_size if size < 0 else size
        per = self.cluster_size
        data = _Data(self.base, self._data_at - 2 * per)
        return RunFile(data, per, size, _runs(clusters))

    def _directory(self, cluster: int) -> dict[str, Entry]:
        data = self.content(cluster, -1) if cluster else Slice(self.base, self._root_at, self._root_size)
        return {entry.name: entry for entry in _entries(data.read_at(0, MAX_DIRECTORY))}


class _Data(Stream):
    """The data area, so that cluster 2 is where it belongs."""

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


def _entries(data: bytes) -> Iterator[Entry]:
    long_parts: dict[int, str] = {}
    for at in range(0, len(data) - 31, 32):
        raw = data[at : at + 32]
        if raw[0] == 0:
            return
        if raw[0] == 0xE5:
            long_parts = {}
        elif raw[11] & 0x3F == _LONG:
            long_parts = {} if raw[0] & 0x40 else long_parts
            long_parts[raw[0] & 0x1F] = (raw[1:11] + raw[14:26] + raw[28:32]).decode("utf-16-le", "replace")
        else:
            entry = _entry(raw, "".join(long_parts[key] for key in sorted(long_parts)).split("\0", 1)[0])
            long_parts = {}
            if not raw[11] & _LABEL and entry.name not in (".", ".."):
                yield entry


def _entry(raw: bytes, long_name: str) -> Entry:
    head, tail = raw[:8].rstrip(b" "), raw[8:11].rstrip(b" ")
    head = b"\xe5" + head[1:] if head[:1] == b"\x05" else head
    base, extension = head.decode("cp437"), tail.decode("cp437")
    short = f"{base}.{extension}" if extension else base
    plain = f"{base.lower() if raw[12] & 8 else base}" + (f".{extension.lower() if raw[12] & 16 else extension}" if extension else "")
    time, date = struct.unpack_from("<HH", raw, 22)
    high, low, size = struct.unpack_from("<H", raw, 20)[0], *struct.unpack_from("<HI", raw, 26)
    return Entry(long_name or plain, short, raw[11], high << 16 | low, size, _seconds(date, time))


def _seconds(date: int, time: int) -> float:
    if not date:
        return 0.0
    day = (1980 + (date >> 9), date >> 5 & 15, date & 31, time >> 11, time >> 5 & 63, (time & 31) * 2)
    return float(calendar.timegm(day)) if 1 <= day[1] <= 12 and day[2] else 0.0


class FatNode:
    """An entry as the rest of v2vlint sees it."""

    def __init__(self, fs: Fat, entry: Entry) -> None:
        self._fs, self._entry = fs, entry

    @property
    def entry(self) -> Entry:
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
    """The reader of :data:`~v2vlint.disk.filesystems.formats.FORMATS`."""
    return Fat(streams[0], content.uuid, content.label)
