"""Microsoft's disk images, VHD (Virtual Hard Disk Image Format Specification) and VHDX ([MS-VHDX]), and VirtualBox's VDI."""

from __future__ import annotations

import struct
import sys
import uuid
from array import array

from v2vlint.disk.checksums import crc32c
from v2vlint.disk.containers import headers as h
from v2vlint.disk.containers.differencing import MAX_LOCATOR, Changed, ParentLink, merged, vhd_link, vhdx_link
from v2vlint.disk.stream import Cached, Slice, Stream, exactly
from v2vlint.model.errors import ImageError, Unsupported

MAX_BLOCK = 256 << 20  # the largest of [MS-VHDX], whose blocks are the largest here
MAX_COUNTED = 1 << 16
_MIB = 1 << 20
MAX_ENTRIES = 1 << 24
MAX_VHD = 65535 * 255 * 255 * 512
MAX_VDI_BLOCKS = 0x1FFFFF80  # VDI_BLOCKS_IN_IMAGE_MAX of block/vdi.c
_UNUSED = 0xFFFFFFFF
ZEROS = -1
# PAYLOAD_BLOCK_NOT_PRESENT, _FULLY_PRESENT and _PARTIALLY_PRESENT.
_ABSENT, _WHOLE, _PARTLY = 0, 6, 7
_FIXED, _DYNAMIC, _DIFFERENCING = 2, 3, 4
_BAT = uuid.UUID("2dc27766-f623-4200-9d64-115e9bfd4a08").bytes_le
_METADATA = uuid.UUID("8b7ca206-4790-4b9a-b8fe-575f050f886e").bytes_le
_PARAMETERS = uuid.UUID("caa16737-fa36-4d43-b3b6-33f0aa44e76b").bytes_le
_SIZE = uuid.UUID("2fa54224-cd1b-4876-b211-5dbed83bf4b8").bytes_le
_SECTOR = uuid.UUID("8141bf1d-a96f-4709-ba47-f233a8faab5f").bytes_le
_PHYSICAL = uuid.UUID("cda348c7-445d-4471-9cc9-e9885251c556").bytes_le
_PAGE_83 = uuid.UUID("beca12ab-b2e6-4523-93ef-c309e000c746").bytes_le
_PARENT = uuid.UUID("a8d35f2d-b30b-454d-abf7-d3d84834ab0c").bytes_le
_ITEMS = (_PARAMETERS, _SIZE, _SECTOR, _PHYSICAL, _PAGE_83, _PARENT)


class Blocks(Stream):
    """A disk in blocks of ``block`` bytes; subclasses locate each block.

    ``link`` is the reference to the parent of a differencing disk; ``parent`` is then the parent's content.
    """

    link: ParentLink | None = None
    parent: Stream | None = None

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
            parts.append(self._piece(number, inside, count))
            offset, length = offset + count, length - count
        return b"".join(parts)

    def _piece(self, number: int, inside: int, count: int) -> bytes:
        place = self._find(number)
        if place is None:
            return exactly(self.parent, number * self._block + inside, count)
        if place == ZEROS:
            return bytes(count)
        if place + inside >= self._base.size:
            raise ImageError(f"{self._name}: truncated (data at byte {place + inside} lies beyond the end of the file)")
        own = exactly(self._base, place + inside, count)
        changed = self._changed(number) if self.link else None
        if changed is None:
            return own
        return merged(changed, inside, own, exactly(self.parent, number * self._block + inside, count))

    def _find(self, number: int) -> int | None:
        """The byte offset of a block; None when it is not in this file, :data:`ZEROS` when it is all zeros."""
        raise NotImplementedError

    def _changed(self, number: int) -> Changed | None:
        """The sectors of a differencing disk's block that are in this file; None when all of them are."""
        raise NotImplementedError

    def used_bytes(self) -> int:
        """The end of the last block in use, from the first :data:`MAX_COUNTED` entries of the block table."""
        last = max((max(place or 0, 0) for place in map(self._find, range(min(-(-self.size // self._block), MAX_COUNTED)))), default=0)
        return last + 1

    def _entry(self, layout: str, offset: int) -> int:
        data = self._table.read_at(offset, struct.calcsize(layout))
        if len(data) < struct.calcsize(layout):
            raise ImageError(f"{self._name}: truncated (the block table lies beyond the end of the file)")
        return int(struct.unpack(layout, data)[0])


def open_vhd(name: str, base: Stream) -> Stream:
    """A fixed, dynamic or differencing VHD; the last kind needs its ``parent``."""
    copies = (base.read_at(0, 512), *(base.read_at(max(0, base.size - at), at) for at in (512, 511)))
    footers = [data for data in copies if data.startswith(h.VHD_FOOTER_COOKIE)]
    if not footers:
        raise ImageError(f"{name}: no VHD footer")
    footer = footers[0]
    first = copies[0] is footer
    fields = h.VHD_FOOTER.read(footer)
    size, kind = fields["current_size"], fields["disk_type"]
    if not _sums_up(footer, fields["checksum"]):
        raise ImageError(f"{name}: damaged VHD (the checksum of its footer is wrong)")
    # The copy at the start is for dynamic disks only.
    if first is (kind == _FIXED):
        raise ImageError(f"{name}: damaged VHD (a copy of its footer is " + ("" if first else "not ") + "at its start)")
    if kind == _FIXED:
        if size > base.size:
            raise ImageError(f"{name}: truncated ({base.size} of {size} bytes)")
        return Slice(base, 0, size)
    if kind not in (_DYNAMIC, _DIFFERENCING):
        raise Unsupported(f"{name}: VHD type {kind} is not supported")
    return DynamicVhd(name, base, size, fields["data_offset"], linked=kind == _DIFFERENCING)


def _sums_up(data: bytes, checksum: int) -> bool:
    """Whether the checksum of a footer or header is right: the ones' complement of the sum of its other bytes."""
    return checksum == ~(sum(data) - sum(checksum.to_bytes(4, "big"))) & 0xFFFFFFFF


class DynamicVhd(Blocks):
    """A dynamic or differencing VHD."""

    def __init__(self, name: str, base: Stream, size: int, header_at: int, *, linked: bool = False) -> None:
        header = base.read_at(header_at, h.VHD_DYNAMIC_SIZE)
        if not header.startswith(h.VHD_DYNAMIC_COOKIE) or len(header) < h.VHD_DYNAMIC_SIZE:
            raise ImageError(f"{name}: no dynamic VHD header")
        fields = h.VHD_DYNAMIC.read(header)
        if not _sums_up(header, fields["checksum"]):
            raise ImageError(f"{name}: damaged VHD (the checksum of its dynamic header is wrong)")
        self._bat, self._entries, block = fields["table_offset"], fields["max_table_entries"], fields["block_size"]
        super().__init__(name, base, size, block)
        if block & (block - 1) or self._entries * block > MAX_VHD or self._entries > MAX_ENTRIES:
            raise ImageError(f"{name}: damaged VHD ({self._entries} blocks of {block} bytes)")
        if self._entries * block < size:
            raise ImageError(f"{name}: damaged VHD (its block table is too small)")
        # Every block follows a bitmap of its sectors, padded to whole sectors.
        self._bitmap = -(-block // 512 // 8 // 512) * 512
        self.link = vhd_link(base, header) if linked else None
        if (used := self._used()) > base.size:
            raise ImageError(f"{name}: truncated (in use up to byte {used}, but {base.size} bytes long)")

    def _used(self) -> int:
        """The end of the table and of the last block in use."""
        table = self._base.read_at(self._bat, self._entries * 4)
        places = array("I", table[: len(table) // 4 * 4])
        if sys.byteorder == "little":
            places.byteswap()
        last = max((place for place in places if place != _UNUSED), default=None)
        end: int = self._bat + -(-self._entries * 4 // 512) * 512
        return end if last is None else max(end, last * 512 + self._bitmap + self._block)

    def _find(self, number: int) -> int | None:
        entry = self._entry(">I", self._bat + number * 4)
        return None if entry == _UNUSED else entry * 512 + self._bitmap

    def _changed(self, number: int) -> Changed | None:
        entry = self._entry(">I", self._bat + number * 4)
        return Changed(self._base.read_at(entry * 512, self._bitmap), first_bit=0x80)


class Vdi(Blocks):
    """A fixed, dynamic or differencing VDI; the last kind needs its ``parent``."""

    def __init__(self, name: str, base: Stream) -> None:
        data = base.read_at(0, h.VDI_HEADER_SIZE)
        short = len(data) < h.VDI_HEADER_SIZE
        if short or (header := h.VDI_HEADER.read(data))["u32Signature"] != h.VDI_SIGNATURE:
            raise ImageError(f"{name}: " + ("truncated VDI header" if short else "no VDI header"))
        linkage, kind, version = data[h.VDI_UUID_LINKAGE], header["u32Type"], header["u32Version"]
        self.link = ParentLink((str(uuid.UUID(bytes_le=linkage)),), linkage) if kind == 4 else None
        # VDI_IMAGE_TYPE_NORMAL, _FIXED and _DIFF.
        if version != 0x10001 or kind not in (1, 2, 4) or (self.link is None and any(linkage + data[h.VDI_UUID_PARENT_MODIFY])):
            raise Unsupported(f"{name}: VDI version {version:#x}, type {kind}, is not supported")
        self._map, self._data = header["offBlocks"], header["offData"]
        size, block, self._count = header["cbDisk"], header["cbBlock"], header["cBlocks"]
        if header["cbSector"] != 512:
            raise ImageError(f"{name}: damaged VDI (sector size {header['cbSector']})")
        # No other size is written, and QEMU reads no other (vdi_open()).
        if block != _MIB or self._map % 512 or self._data % 512:
            raise Unsupported(f"{name}: a VDI with blocks of {block} bytes, or parts that begin no sector, is not supported")
        if self._count * block < size or self._count > MAX_VDI_BLOCKS:
            raise ImageError(f"{name}: damaged VDI (a block map of {self._count} entries)")
        if header["cbBlockExtra"]:
            raise Unsupported(f"{name}: a VDI with data of its own in each block is not supported")
        super().__init__(name, base, -(-size // 512) * 512, block)

    def _find(self, number: int) -> int | None:
        entry = self._entry("<I", self._map + number * 4)
        # VDI_IMAGE_BLOCK_FREE and VDI_IMAGE_BLOCK_ZERO of VDICore.h.
        return None if entry == _UNUSED else ZEROS if entry == _UNUSED - 1 else self._data + entry * self._block

    def _changed(self, number: int) -> Changed | None:
        """A VDI copies whole blocks on the first write."""
        return None


def _is_whole(data: bytes, signature: bytes, length: int) -> bool:
    """Whether ``data`` is a VHDX header or region table with a valid CRC-32C."""
    if not data.startswith(signature) or len(data) < length:
        return False
    stored = data[h.VHDX_CHECKSUM]
    plain = data[: h.VHDX_CHECKSUM.start] + bytes(len(stored)) + data[h.VHDX_CHECKSUM.stop :]
    return ~crc32c(0xFFFFFFFF, plain) & 0xFFFFFFFF == int.from_bytes(stored, "little")


class Vhdx(Blocks):
    """A fixed, dynamic or differencing VHDX; the last kind needs its ``parent``. ``dirty`` means that its log has not been replayed."""

    _locator: tuple[int, int] | None = None

    def __init__(self, name: str, base: Stream) -> None:
        self._label = name
        if base.read_at(0, len(h.VHDX_SIGNATURE)) != h.VHDX_SIGNATURE:
            raise self._damaged("no signature")
        self._taken = [(0, _MIB)]
        current = self._header(base)
        # It is zero when there is nothing to replay.
        self.dirty = any(current[h.VHDX_LOG_GUID])
        fields = h.VHDX_HEADER.read(current)
        self._take(fields["LogOffset"], fields["LogLength"], "log")
        regions = self._regions(base)
        block, size, self.sector = self._metadata(base, regions[_METADATA][0])
        super().__init__(name, base, size, block)
        if self._locator:
            self.link = vhdx_link(name, base.read_at(*self._locator))
        self._bat, length = regions[_BAT]
        # The chunk ratio ([MS-VHDX] 2.5): after so many blocks, the table has an entry for the bitmap of their sectors.
        self._ratio = (1 << 23) * self.sector // block
        blocks = -(-size // block)
        if (blocks + (blocks - 1) // self._ratio) * 8 > length:
            raise self._damaged("its block table is too small")
        self._check_blocks(blocks)

    def _damaged(self, what: str) -> ImageError:
        return ImageError(f"{self._label}: damaged VHDX ({what})")

    def _header(self, base: Stream) -> bytes:
        """The newer of the two headers that is valid."""
        size = h.VHDX_HEADER_SIZE
        found = [data for at in h.VHDX_HEADERS if _is_whole(data := base.read_at(at, size), h.VHDX_HEADER_SIGNATURE, size)]
        headers = [data for data in found if h.VHDX_HEADER.read(data)["Version"] == 1]
        written = [h.VHDX_HEADER.read(data)["SequenceNumber"] for data in headers]
        # Two different headers with one sequence number: neither is the newer.
        if not headers or (len(set(written)) < len(set(headers))):
            raise self._damaged("no valid header")
        return headers[written.index(max(written))]

    def _take(self, start: int, length: int, what: str) -> None:
        """Reserve a part of the file. ImageError when it overlaps another one."""
        if any(start < end and begin < start + length for begin, end in self._taken):
            raise self._damaged(f"its {what} lies on another part")
        self._taken.append((start, start + length))

    def _regions(self, base: Stream) -> dict[bytes, tuple[int, int]]:
        copies = (base.read_at(at, h.VHDX_TABLE_SIZE) for at in h.VHDX_REGION_TABLES)
        table = next((data for data in copies if _is_whole(data, h.VHDX_REGION_TABLE_SIGNATURE, h.VHDX_TABLE_SIZE)), None)
        if table is None:
            raise self._damaged("no region table")
        count = h.VHDX_REGION_TABLE.read(table)["EntryCount"]
        if count > h.VHDX_MAX_ENTRIES:
            raise self._damaged("its region table")
        found: dict[bytes, tuple[int, int]] = {}
        for at in range(h.VHDX_REGION_ENTRIES, h.VHDX_REGION_ENTRIES + h.VHDX_ENTRY_SIZE * count, h.VHDX_ENTRY_SIZE):
            guid, entry = table[at : at + h.VHDX_GUID_SIZE], h.VHDX_REGION_ENTRY.read(table, at)
            self._take(entry["FileOffset"], entry["Length"], "region")
            # Required regions that are not known make the file unreadable ([MS-VHDX] 2.2.3).
            if guid in found or (guid not in (_BAT, _METADATA) and entry["Required"] & 1):
                raise self._damaged("its region table")
            found[guid] = (entry["FileOffset"], entry["Length"])
        if not {_BAT, _METADATA} <= set(found):
            raise self._damaged("a region is missing")
        return found

    def _metadata(self, base: Stream, region: int) -> tuple[int, int, int]:
        """The block size, disk size and sector size, in bytes."""
        found = self._items(base, region)
        if not set(_ITEMS[:5]) <= set(found):
            raise self._damaged("metadata is missing")
        parameters = h.VHDX_FILE_PARAMETERS.read(found[_PARAMETERS])
        block, linked = parameters["BlockSize"], bool(parameters["Flags"] & h.VHDX_HAS_PARENT)
        if linked is not (_PARENT in found):
            raise self._damaged("the place of a parent, but none is used" if _PARENT in found else "no place of its parent")
        size = h.VHDX_VIRTUAL_DISK_SIZE.read(found[_SIZE])["VirtualDiskSize"]
        sector = h.VHDX_LOGICAL_SECTOR_SIZE.read(found[_SECTOR])["LogicalSectorSize"]
        if sector not in (512, 4096) or not _MIB <= block <= MAX_BLOCK or block & (block - 1):
            raise self._damaged(f"block size {block}, sector size {sector}")
        return block, size // sector * sector, sector

    def _items(self, base: Stream, region: int) -> dict[bytes, bytes]:
        """The beginnings of the known metadata items by their identifiers; of others, nothing."""
        table = base.read_at(region, h.VHDX_TABLE_SIZE).ljust(h.VHDX_TABLE_SIZE, b"\0")
        count = h.VHDX_METADATA_TABLE.read(table)["EntryCount"]
        if not table.startswith(h.VHDX_METADATA_SIGNATURE) or count > h.VHDX_MAX_ENTRIES:
            raise self._damaged("no metadata table")
        found: dict[bytes, bytes] = {}
        for at in range(h.VHDX_METADATA_ENTRIES, h.VHDX_METADATA_ENTRIES + h.VHDX_ENTRY_SIZE * count, h.VHDX_ENTRY_SIZE):
            guid, entry = table[at : at + h.VHDX_GUID_SIZE], h.VHDX_METADATA_ENTRY.read(table, at)
            if guid in found or (guid not in _ITEMS and entry["Flags"] & h.VHDX_IS_REQUIRED):
                raise self._damaged("its metadata table")
            found[guid] = b""
            if guid in _ITEMS:
                found[guid] = base.read_at(region + entry["Offset"], h.VHDX_ITEM_SIZE).ljust(h.VHDX_ITEM_SIZE, b"\0")
            if guid == _PARENT:
                self._locator = (region + entry["Offset"], min(entry["Length"], MAX_LOCATOR))
        return found

    def _check_blocks(self, blocks: int) -> None:
        """Every block in use must be inside the file and overlap no other part."""
        taken = sorted(self._taken)
        for number in range(min(blocks, MAX_COUNTED)):
            place = self._find(number)
            if place is None or place == ZEROS:
                continue
            if place + self._block > -(-self._base.size // 512) * 512:
                raise ImageError(
                    f"{self._label}: truncated (a block ends at byte {place + self._block}, but the file at {self._base.size})"
                )
            if any(place < end and begin < place + self._block for begin, end in taken):
                raise self._damaged("a block lies on another part")

    def _find(self, number: int) -> int | None:
        entry = self._entry("<Q", self._bat + (number + number // self._ratio) * 8)
        if entry & 7 in (_WHOLE, _PARTLY):
            return (entry >> 20) * _MIB
        return None if entry & 7 == _ABSENT else ZEROS

    def _changed(self, number: int) -> Changed | None:
        if self._entry("<Q", self._bat + (number + number // self._ratio) * 8) & 7 == _WHOLE:
            return None
        chunk, inside = divmod(number, self._ratio)
        entry = self._entry("<Q", self._bat + ((chunk + 1) * self._ratio + chunk) * 8)
        count = self._block // self.sector // 8
        if entry & 7 != _WHOLE:
            raise self._damaged("a block with changes has no bitmap of them")
        return Changed(self._base.read_at((entry >> 20) * _MIB + inside * count, count), sector=self.sector)
