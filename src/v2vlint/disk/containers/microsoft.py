"""Microsoft's disk images: VHD (Virtual Hard Disk Image Format Specification) and VHDX ([MS-VHDX]); and VirtualBox's VDI."""

from __future__ import annotations

import struct
import uuid

from v2vlint.disk.checksums import crc32c
from v2vlint.disk.stream import Cached, Slice, Stream, exactly
from v2vlint.model.errors import ImageError, Unsupported

MAX_BLOCK = 256 << 20
MAX_COUNTED = 1 << 16
_MIB = 1 << 20
_FIXED, _DYNAMIC, _DIFFERENCING = 2, 3, 4
_BAT = uuid.UUID("2dc27766-f623-4200-9d64-115e9bfd4a08").bytes_le
_METADATA = uuid.UUID("8b7ca206-4790-4b9a-b8fe-575f050f886e").bytes_le
_PARAMETERS = uuid.UUID("caa16737-fa36-4d43-b3b6-33f0aa44e76b").bytes_le
_SIZE = uuid.UUID("2fa54224-cd1b-4876-b211-5dbed83bf4b8").bytes_le
_SECTOR = uuid.UUID("8141bf1d-a96f-4709-ba47-f233a8faab5f").bytes_le


class Blocks(Stream):
    """A disk in blocks of ``block`` bytes; subclasses say where each is."""

    def __init__(self, name: str, base: Stream, size: int, block: int) -> None:
        if not 512 <= block <= MAX_BLOCK or block % 512 or not 0 <= size < 1 << 56:
            raise ImageError(f"{name}: damaged header (size {size}, block size {block})")
        super().__init__(size)
        self._name, self._base, self._block = name, base, block
        self._table = Cached(base, 4096, 64)

    def read_at(self, offset: int, length: int) -> bytes:
        """See :class:`~v2vlint.disk.stream.Stream`."""
        length = self.clip(offset, length)
        parts: list[bytes] = []
        while length > 0:
            number, inside = divmod(offset, self._block)
            count = min(length, self._block - inside)
            place = self._find(number)
            if place is None:
                parts.append(bytes(count))
            elif place + inside >= self._base.size:
                raise ImageError(f"{self._name}: truncated (data at byte {place + inside} lies beyond the end of the file)")
            else:
                parts.append(exactly(self._base, place + inside, count))
            offset, length = offset + count, length - count
        return b"".join(parts)

    def _find(self, number: int) -> int | None:
        """The byte offset of a block, None when it is all zeros."""
        raise NotImplementedError

    def used_bytes(self) -> int:
        """The end of the last block in use, as the block table tells; looks at no more than the first :data:`MAX_COUNTED`."""
        last = max((place or 0 for place in map(self._find, range(min(-(-self.size // self._block), MAX_COUNTED)))), default=0)
        return last + 1

    def _entry(self, layout: str, offset: int) -> int:
        data = self._table.read_at(offset, struct.calcsize(layout))
        if len(data) < struct.calcsize(layout):
            raise ImageError(f"{self._name}: truncated (the block table lies beyond the end of the file)")
        return int(struct.unpack(layout, data)[0])


def open_vhd(name: str, base: Stream) -> Stream:
    """A fixed or dynamic VHD; differencing ones are Unsupported."""
    copies = (base.read_at(0, 512), *(base.read_at(max(0, base.size - at), at) for at in (512, 511)))
    footers = [data for data in copies if data[:8] == b"conectix"]
    if not footers:
        raise ImageError(f"{name}: no VHD footer")
    footer = footers[0]
    header_at, size, kind = (struct.unpack_from(layout, footer, at)[0] for layout, at in ((">Q", 16), (">Q", 48), (">I", 60)))
    if kind == _DIFFERENCING:
        raise Unsupported(f"{name}: a differencing VHD is not supported", hint="merge it into its parent first")
    if not _sums_up(footer, 64):
        raise ImageError(f"{name}: damaged VHD (the checksum of its footer is wrong)")
    if kind == _FIXED:
        if size > base.size:
            raise ImageError(f"{name}: truncated ({base.size} of {size} bytes)")
        return Slice(base, 0, size)
    if kind != _DYNAMIC:
        raise Unsupported(f"{name}: VHD type {kind} is not supported")
    return DynamicVhd(name, base, size, header_at)


def _sums_up(data: bytes, at: int) -> bool:
    """Whether the checksum at ``at`` is that of a footer or header: the ones' complement of the sum of its bytes without it."""
    return int.from_bytes(data[at : at + 4], "big") == ~(sum(data) - sum(data[at : at + 4])) & 0xFFFFFFFF


class DynamicVhd(Blocks):
    """A dynamic VHD."""

    def __init__(self, name: str, base: Stream, size: int, header_at: int) -> None:
        header = base.read_at(header_at, 1024)
        if header[:8] != b"cxsparse" or len(header) < 1024:
            raise ImageError(f"{name}: no dynamic VHD header")
        if not _sums_up(header, 36):
            raise ImageError(f"{name}: damaged VHD (the checksum of its dynamic header is wrong)")
        self._bat, _version, self._entries, block = struct.unpack_from(">QIII", header, 16)
        super().__init__(name, base, size, block)
        self._bitmap = -(-block // 512 // 8 // 512) * 512

    def _find(self, number: int) -> int | None:
        if number >= self._entries:
            raise ImageError(f"{self._name}: damaged VHD (its block table is too small)")
        entry = self._entry(">I", self._bat + number * 4)
        return None if entry == 0xFFFFFFFF else entry * 512 + self._bitmap


class Vdi(Blocks):
    """A fixed or dynamic VDI; differencing ones are Unsupported."""

    def __init__(self, name: str, base: Stream) -> None:
        header = base.read_at(0, 512)
        if len(header) < 512:
            raise ImageError(f"{name}: truncated VDI header")
        version, _length, kind = struct.unpack_from("<III", header, 68)
        linked = any(header[424:456])
        if version >> 16 != 1 or kind not in (1, 2) or linked:
            what = "a differencing VDI" if kind == 4 or linked else f"VDI version {version:#x}, type {kind},"
            raise Unsupported(f"{name}: {what} is not supported", hint="merge it into its parent first" if kind == 4 or linked else "")
        self._map, self._data = struct.unpack_from("<II", header, 340)
        size, block, extra, self._count = struct.unpack_from("<QIII", header, 368)
        if (sector := struct.unpack_from("<I", header, 360)[0]) != 512:
            raise ImageError(f"{name}: damaged VDI (sector size {sector})")
        super().__init__(name, base, size, block)
        self._extra = extra

    def _find(self, number: int) -> int | None:
        if number >= self._count:
            raise ImageError(f"{self._name}: damaged VDI (its block map is too small)")
        entry = self._entry("<I", self._map + number * 4)
        return None if entry >= 0xFFFFFFFE else self._data + entry * (self._block + self._extra) + self._extra


def _is_whole(data: bytes, signature: bytes, length: int) -> bool:
    """Whether ``data`` is a header or region table of VHDX whose CRC-32C is right."""
    if data[:4] != signature or len(data) < length:
        return False
    return ~crc32c(0xFFFFFFFF, data[:4] + bytes(4) + data[8:]) & 0xFFFFFFFF == int.from_bytes(data[4:8], "little")


class Vhdx(Blocks):
    """A fixed or dynamic VHDX; differencing ones are Unsupported. ``dirty`` tells that its log was not replayed."""

    def __init__(self, name: str, base: Stream) -> None:
        self._label = name
        headers = [data for at in (64 << 10, 128 << 10) if _is_whole(data := base.read_at(at, 4096), b"head", 4096)]
        if not headers:
            raise ImageError(f"{name}: damaged VHDX (no valid header)")
        current = max(headers, key=lambda data: int(struct.unpack_from("<Q", data, 8)[0]))
        self.dirty = any(current[48:64])
        regions = self._regions(base)
        metadata = self._metadata(base, regions[_METADATA])
        block, flags = struct.unpack("<II", metadata[_PARAMETERS][:8])
        size, sector = struct.unpack("<Q", metadata[_SIZE][:8])[0], struct.unpack("<I", metadata[_SECTOR][:4])[0]
        if flags & 2:
            raise Unsupported(f"{name}: a differencing VHDX is not supported", hint="merge it into its parent first")
        super().__init__(name, base, size, block)
        if sector not in (512, 4096):
            raise ImageError(f"{name}: damaged VHDX (sector size {sector})")
        self._bat, self._bat_size = regions[_BAT]
        self._ratio = (1 << 23) * sector // block
        if not self._ratio:
            raise ImageError(f"{name}: damaged VHDX (block size {block})")

    def _regions(self, base: Stream) -> dict[bytes, tuple[int, int]]:
        for at in (192 << 10, 256 << 10):
            table = base.read_at(at, 64 << 10)
            if not _is_whole(table, b"regi", 64 << 10):
                continue
            count = min(struct.unpack_from("<I", table, 8)[0], 2047)
            entries = [(table[16 + 32 * i : 32 + 32 * i], struct.unpack_from("<QI", table, 32 + 32 * i)) for i in range(count)]
            found = {guid: (int(place), int(length)) for guid, (place, length) in entries}
            if _BAT in found and _METADATA in found:
                return found
        raise ImageError(f"{self._label}: damaged VHDX (no region table)")

    def _metadata(self, base: Stream, region: tuple[int, int]) -> dict[bytes, bytes]:
        table = base.read_at(region[0], 64 << 10)
        if table[:8] != b"metadata":
            raise ImageError(f"{self._label}: damaged VHDX (no metadata table)")
        found: dict[bytes, bytes] = {}
        for index in range(min(struct.unpack_from("<H", table, 10)[0], 2047)):
            entry = table[32 + 32 * index : 64 + 32 * index]
            offset, length = struct.unpack_from("<II", entry, 16)
            found[entry[:16]] = base.read_at(region[0] + offset, min(length, 4096))
        if any(len(found.get(key, b"")) < 4 for key in (_PARAMETERS, _SIZE, _SECTOR)):
            raise ImageError(f"{self._label}: damaged VHDX (metadata is missing)")
        return found

    def _find(self, number: int) -> int | None:
        index = number + number // self._ratio
        if index * 8 >= self._bat_size:
            raise ImageError(f"{self._name}: damaged VHDX (its block table is too small)")
        entry = self._entry("<Q", self._bat + index * 8)
        return (entry >> 20) * _MIB if entry & 7 == 6 else None
