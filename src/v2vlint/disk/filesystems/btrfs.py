"""The files of a btrfs: subvolumes, the default one, directories, extents compressed with zlib, LZO or zstd."""

from __future__ import annotations

import functools
import stat as modes
import struct
import zlib
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

from v2vlint.disk.filesystems.btrfs_tree import Volume
from v2vlint.disk.filesystems.content import Content
from v2vlint.disk.filesystems.node import Kind, Stat
from v2vlint.disk.stream import Stream
from v2vlint.model.errors import ImageError, Unsupported

TOP = 5
FIRST_FREE = 256
MAX_SUBVOLUMES = 10_000
MAX_LINK = 1 << 16
MAX_PATH = 4096
MAX_EXTENTS = 1 << 20
MAX_EXTENT = 1 << 20
MAX_ENTRIES = 1 << 20
_ROOT_DIRECTORY = 6
_INODE, _INODE_REF, _DIR_ITEM, _DIR_INDEX, _EXTENT, _ROOT, _ROOT_REF = 1, 12, 84, 96, 108, 132, 156
_KINDS = {modes.S_IFREG: Kind.FILE, modes.S_IFDIR: Kind.DIR, modes.S_IFLNK: Kind.LINK}
_INLINE, _REGULAR = 0, 1
_ZLIB, _LZO, _ZSTD = 1, 2, 3


@dataclass(frozen=True, slots=True)
class Subvolume:
    """A subvolume: its id, its path from the top (empty for the top itself), and whether it is a snapshot, read-only, the default."""

    id: int
    path: str
    snapshot: bool = False
    read_only: bool = False
    default: bool = False


class BtrfsFileSystem:
    """An opened btrfs; ``root`` is that of the subvolume chosen, the default one unless told otherwise."""

    type = "btrfs"

    def __init__(self, streams: Sequence[Stream], uuid: str = "", label: str = "") -> None:
        self.uuid, self.label = uuid, label
        self.volume = Volume(streams)
        self.tree = functools.lru_cache(maxsize=1024)(self._tree)
        self.inode = functools.lru_cache(maxsize=16384)(self._inode)
        self.directory = functools.lru_cache(maxsize=2048)(self._directory)
        self.default = self.chosen = self._default()
        self.tree(self.chosen)

    def choose(self, subvolume: int) -> BtrfsFileSystem:
        """The same filesystem with the root of another subvolume."""
        other = object.__new__(BtrfsFileSystem)
        other.__dict__.update(self.__dict__)
        other.chosen = subvolume
        return other

    @property
    def root(self) -> BtrfsNode:
        """The top directory of the chosen subvolume."""
        return BtrfsNode(self, self.chosen, self.tree(self.chosen)[1])

    @functools.cached_property
    def subvolumes(self) -> tuple[Subvolume, ...]:
        """All subvolumes, the top first, parents before children."""
        found = {TOP: self._describe(TOP, "")}
        pending = [TOP]
        for parent in pending:
            for child, data in self.volume.items(self.volume.root, parent, _ROOT_REF):
                if child not in found and len(found) < MAX_SUBVOLUMES:
                    folder, _sequence, size = struct.unpack_from("<QQH", data, 0)
                    parts = (found[parent].path, self._folder(parent, folder), _name(data[18 : 18 + size]))
                    found[child] = self._describe(child, "/".join(part for part in parts if part)[:MAX_PATH])
                    pending.append(child)
        return tuple(found.values())

    def _folder(self, subvolume: int, inode: int) -> str:
        names: list[str] = []
        while inode != FIRST_FREE and len(names) < 256:
            parent, data = next(self.volume.items(self.tree(subvolume)[0], inode, _INODE_REF), (FIRST_FREE, b""))
            names.append(_name(data[10 : 10 + struct.unpack_from("<H", data, 8)[0]]) if data else "")
            inode = parent
        return "/".join(reversed(names))

    def _describe(self, number: int, path: str) -> Subvolume:
        item = self._root_item(number)
        snapshot = len(item) >= 279 and any(item[263:279])
        return Subvolume(number, path, snapshot, bool(struct.unpack_from("<Q", item, 208)[0] & 1), number == self.default)

    def _root_item(self, subvolume: int) -> bytes:
        found = next(self.volume.items(self.volume.root, subvolume, _ROOT), None)
        if found is None or len(found[1]) < 239:
            raise ImageError(f"btrfs subvolume {subvolume} is missing")
        return found[1]

    def _tree(self, subvolume: int) -> tuple[int, int]:
        """The address of a subvolume's tree and the inode of its top directory."""
        folder, address = struct.unpack_from("<QQ", self._root_item(subvolume), 168)
        return address, folder

    def _default(self) -> int:
        for _hash, data in self.volume.items(self.volume.root, _ROOT_DIRECTORY, _DIR_ITEM):
            for name, number, _kind in _dir_items(data):
                if name == "default":
                    return number
        return TOP

    def _inode(self, subvolume: int, number: int) -> bytes:
        found = next(self.volume.items(self.tree(subvolume)[0], number, _INODE), None)
        if found is None or len(found[1]) < 160:
            raise ImageError(f"btrfs inode {number} is missing")
        return found[1]

    def _directory(self, subvolume: int, number: int) -> dict[str, tuple[int, int]]:
        """Names with the subvolume and inode each leads to."""
        found: dict[str, tuple[int, int]] = {}
        for _index, data in self.volume.items(self.tree(subvolume)[0], number, _DIR_INDEX):
            for name, target, kind in _dir_items(data):
                if kind == _INODE:
                    found[name] = (subvolume, target)
                elif kind == _ROOT:
                    found[name] = self._top(target)
            if len(found) > MAX_ENTRIES:
                raise ImageError(f"more than {MAX_ENTRIES} directory entries")
        return found

    def _top(self, subvolume: int) -> tuple[int, int]:
        try:
            return subvolume, self.tree(subvolume)[1]
        except ImageError:
            return subvolume, 0


def _dir_items(data: bytes) -> Iterator[tuple[str, int, int]]:
    at = 0
    while at + 30 <= len(data):
        target, kind, _offset, _transid, extra, size, _type = struct.unpack_from("<QBQQHHB", data, at)
        yield _name(data[at + 30 : at + 30 + size]), target, kind
        at += 30 + size + extra


def _name(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


class BtrfsNode:
    """An inode as the rest of v2vlint sees it. Inode 0 is the empty directory where a nested subvolume is not present."""

    def __init__(self, fs: BtrfsFileSystem, subvolume: int, number: int) -> None:
        self._fs, self._subvolume, self._number = fs, subvolume, number

    def stat(self) -> Stat:
        """See :class:`~v2vlint.disk.filesystems.node.Node`."""
        if not self._number:
            return Stat(Kind.DIR, 0, 0o755)
        item = self._fs.inode(self._subvolume, self._number)
        size = struct.unpack_from("<Q", item, 16)[0]
        uid, gid, mode = struct.unpack_from("<III", item, 44)
        seconds, nanoseconds = struct.unpack_from("<qI", item, 136)
        kind = _KINDS.get(modes.S_IFMT(mode), Kind.OTHER)
        return Stat(kind, size, mode & 0o7777, uid, gid, seconds + nanoseconds / 1e9)

    def _entries(self) -> dict[str, tuple[int, int]]:
        return self._fs.directory(self._subvolume, self._number) if self._number else {}

    def names(self) -> Iterator[str]:
        """See :class:`~v2vlint.disk.filesystems.node.Node`."""
        return iter(self._entries())

    def child(self, name: str) -> BtrfsNode | None:
        """See :class:`~v2vlint.disk.filesystems.node.Node`."""
        found = self._entries().get(name)
        return None if found is None else BtrfsNode(self._fs, *found)

    def link(self) -> str:
        """See :class:`~v2vlint.disk.filesystems.node.Node`."""
        content = self._content()
        if content.size > MAX_LINK:
            raise ImageError(f"a link of {content.size} bytes")
        return _name(content.read())

    def open(self) -> BinaryIO:
        """See :class:`~v2vlint.disk.filesystems.node.Node`."""
        return cast(BinaryIO, self._content())

    def _content(self) -> BtrfsFile:
        volume = self._fs.volume
        extents = volume.items(self._fs.tree(self._subvolume)[0], self._number, _EXTENT)
        return BtrfsFile(volume, self.stat().size, extents)


@dataclass(frozen=True, slots=True)
class Extent:
    """``size`` bytes of a file from ``start`` on. ``data`` is inline data; ``address`` 0 without it is a hole."""

    start: int
    size: int
    compression: int = 0
    address: int = 0
    disk_size: int = 0
    skip: int = 0
    plain_size: int = 0
    data: bytes = b""


class BtrfsFile(Stream):
    """The content of a file; gaps between extents are zeros."""

    def __init__(self, volume: Volume, size: int, items: Iterator[tuple[int, bytes]]) -> None:
        super().__init__(size)
        self._volume = volume
        self._extents: list[Extent] = []
        for start, data in items:
            self._extents.append(_extent(start, data))
            if len(self._extents) > MAX_EXTENTS:
                raise ImageError(f"more than {MAX_EXTENTS} extents")
        self._starts = [extent.start for extent in self._extents]
        self._plain: OrderedDict[int, bytes] = OrderedDict()

    def read_at(self, offset: int, length: int) -> bytes:
        """See :class:`~v2vlint.disk.stream.Stream`."""
        length = self.clip(offset, length)
        parts: list[bytes] = []
        while length > 0:
            index = bisect_right(self._starts, offset) - 1
            end = self._starts[index + 1] if index + 1 < len(self._starts) else offset + length
            count = min(length, end - offset)
            extent = self._extents[index] if index >= 0 else None
            if extent is None or offset >= extent.start + extent.size:
                parts.append(bytes(count))
            else:
                count = min(count, extent.start + extent.size - offset)
                parts.append(self._read(extent, offset - extent.start, count).ljust(count, b"\0"))
            offset, length = offset + count, length - count
        return b"".join(parts)

    def _read(self, extent: Extent, inside: int, count: int) -> bytes:
        if extent.compression:
            return self._unpacked(extent)[extent.skip + inside : extent.skip + inside + count]
        if extent.data or not extent.address:
            return extent.data[inside : inside + count]
        return self._volume.read(extent.address + extent.skip + inside, count)

    def _unpacked(self, extent: Extent) -> bytes:
        if extent.start not in self._plain:
            packed = extent.data or self._volume.read(extent.address, extent.disk_size)
            try:
                self._plain[extent.start] = unpack(packed, extent.compression, extent.plain_size, self._volume.sector)
            except (MemoryError, ImageError):
                raise
            except Exception as error:
                raise ImageError(f"damaged compressed extent: {error}") from error
            if len(self._plain) > 8:
                self._plain.popitem(last=False)
        return self._plain[extent.start]


def _extent(start: int, data: bytes) -> Extent:
    plain, compression, encryption, _other, kind = struct.unpack_from("<QBBHB", data, 8)
    if encryption or compression > _ZSTD:
        raise Unsupported(f"btrfs extent with encryption {encryption}, compression {compression}")
    if kind == _INLINE:
        return Extent(start, plain, compression, plain_size=min(plain, MAX_EXTENT), data=data[21:])
    address, disk_size, skip, size = struct.unpack_from("<QQQQ", data, 21)
    if kind != _REGULAR or not address:
        return Extent(start, size)
    if compression and (disk_size > MAX_EXTENT or plain > MAX_EXTENT):
        raise ImageError("damaged btrfs extent (size)")
    return Extent(start, size, compression, address, disk_size, skip, plain)


def unpack(packed: bytes, compression: int, size: int, sector: int) -> bytes:
    """The plain bytes of a compressed extent; any exception when it is damaged."""
    if compression == _ZLIB:
        return zlib.decompressobj().decompress(packed, size)
    if compression == _LZO:
        return _unpack_lzo(packed, size, sector)
    import zstandard

    reader: Any = zstandard.ZstdDecompressor().stream_reader(packed)
    return bytes(reader.read(size))


def _unpack_lzo(packed: bytes, size: int, sector: int) -> bytes:
    from v2vlint.disk.filesystems.lzo import decompress_block

    end = min(len(packed), struct.unpack_from("<I", packed, 0)[0])
    parts: list[bytes] = []
    at, total = 4, 0
    while at + 4 <= end and total < size:
        length = struct.unpack_from("<I", packed, at)[0]
        part = decompress_block(packed[at + 4 : at + 4 + length], sector)
        parts.append(part)
        total += len(part)
        at += 4 + length
        if sector - at % sector < 4:
            at += sector - at % sector
    return b"".join(parts)[:size]


def open_btrfs(content: Content, streams: Sequence[Stream]) -> BtrfsFileSystem:
    """The reader of :data:`~v2vlint.disk.filesystems.formats.FORMATS`."""
    return BtrfsFileSystem(streams, content.uuid, content.label)
