"""The content of a btrfs file: extents in place, compressed with zlib, LZO or zstd, or inline."""

from __future__ import annotations

import struct
import zlib
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from v2vlint.disk.fields import Fields
from v2vlint.disk.filesystems.btrfs_tree import BtrfsVolume
from v2vlint.disk.stream import Stream
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import ImageError, Unsupported

MAX_EXTENTS = 1 << 20
# Plenty: Linux compresses at most 128 KiB into an extent (BTRFS_MAX_UNCOMPRESSED).
MAX_EXTENT = 1 << 20
_INLINE, _REGULAR = 0, 1
_ZLIB, _LZO, _ZSTD = 1, 2, 3
# struct btrfs_file_extent_item (include/uapi/linux/btrfs_tree.h), packed. Inline data takes the place of the second part.
_HEAD = Fields("<", ram_bytes=(8, "Q"), compression=(16, "B"), encryption=(17, "B"), type=(20, "B"))
_INLINE_DATA = 21
_LZO_LENGTH = struct.Struct("<I")
_PLACE = Fields("<", disk_bytenr=(21, "Q"), disk_num_bytes=(29, "Q"), offset=(37, "Q"), num_bytes=(45, "Q"))


@dataclass(frozen=True, slots=True)
class BtrfsExtent:
    """``size`` bytes of a file starting at ``start``. ``data`` is inline data; without it, ``address`` 0 is a hole."""

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

    def __init__(self, volume: BtrfsVolume, size: int, items: Iterable[tuple[int, bytes]], logged: Mapping[int, bytes]) -> None:
        super().__init__(size)
        self._volume = volume
        self._extents: list[BtrfsExtent] = []
        for start, data in items:
            self._extents.append(_extent(start, data))
            if len(self._extents) > MAX_EXTENTS:
                raise ImageError(f"more than {MAX_EXTENTS} extents")
        if logged:
            self._extents = _overlaid(self._extents, [_extent(start, data) for start, data in logged.items()], volume.sector)
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

    def _read(self, extent: BtrfsExtent, inside: int, count: int) -> bytes:
        if extent.compression:
            return self._unpacked(extent)[extent.skip + inside : extent.skip + inside + count]
        if extent.data or not extent.address:
            return extent.data[inside : inside + count]
        return self._volume.read(extent.address + extent.skip + inside, count)

    def _unpacked(self, extent: BtrfsExtent) -> bytes:
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


def _extent(start: int, data: bytes) -> BtrfsExtent:
    head = _HEAD.read(data)
    plain, compression = head["ram_bytes"], head["compression"]
    if head["encryption"] or compression > _ZSTD:
        raise Unsupported(f"btrfs extent with encryption {head['encryption']}, compression {compression}")
    if head["type"] == _INLINE:
        return BtrfsExtent(start, plain, compression, plain_size=min(plain, MAX_EXTENT), data=data[_INLINE_DATA:])
    place = _PLACE.read(data)
    # BTRFS_FILE_EXTENT_PREALLOC is allocated but not written.
    if head["type"] != _REGULAR or not place["disk_bytenr"]:
        return BtrfsExtent(start, place["num_bytes"])
    if compression and (place["disk_num_bytes"] > MAX_EXTENT or plain > MAX_EXTENT):
        raise ImageError("damaged btrfs extent (size)")
    return BtrfsExtent(start, place["num_bytes"], compression, place["disk_bytenr"], place["disk_num_bytes"], place["offset"], plain)


def _overlaid(extents: list[BtrfsExtent], logged: list[BtrfsExtent], sector: int) -> list[BtrfsExtent]:
    """The extents after log replay: each logged extent replaces everything that it covers."""
    for new in logged:
        # Replaced up to the end of the sector, which inline data need not fill (replay_one_extent()).
        end = -(-(new.start + new.size) // sector) * sector
        extents = [piece for old in extents for piece in _without(old, new.start, end)] + [new]
    return sorted(extents, key=lambda extent: extent.start)


def _without(extent: BtrfsExtent, start: int, end: int) -> Iterator[BtrfsExtent]:
    """The parts of an extent outside of ``start`` to ``end``. Inline data is never split: it is all in the first sector."""
    last = extent.start + extent.size
    if last <= start or extent.start >= end:
        yield extent
        return
    if extent.start < start and not extent.data:
        yield replace(extent, size=start - extent.start)
    if last > end and not extent.data:
        yield replace(extent, start=end, size=last - end, skip=extent.skip + end - extent.start)


def unpack(packed: bytes, compression: int, size: int, sector: int) -> bytes:
    """The plain bytes of a compressed extent. Raises any exception when it is damaged."""
    if compression == _ZLIB:
        return zlib.decompressobj().decompress(packed, size)
    if compression == _LZO:
        return _unpack_lzo(packed, size, sector)
    import zstandard

    reader: Any = zstandard.ZstdDecompressor().stream_reader(packed)
    return bytes(reader.read(size))


def _unpack_lzo(packed: bytes, size: int, sector: int) -> bytes:
    from v2vlint.disk.filesystems.lzo import decompress_block

    # The length of all, then each segment with its length before it (fs/btrfs/lzo.c).
    end = min(len(packed), _LZO_LENGTH.unpack_from(packed)[0])
    parts: list[bytes] = []
    at, total = _LZO_LENGTH.size, 0
    while at + _LZO_LENGTH.size <= end and total < size:
        start = at + _LZO_LENGTH.size
        at = start + int(_LZO_LENGTH.unpack_from(packed, at)[0])
        part = decompress_block(packed[start:at], sector)
        parts.append(part)
        total += len(part)
        # A length is never split between sectors.
        if sector - at % sector < _LZO_LENGTH.size:
            at += sector - at % sector
    return b"".join(parts)[:size]
