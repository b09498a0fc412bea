"""VMware's VMDK (Virtual Disk Format 5.0): descriptor files, sparse, compressed and flat extents, ESX's COWD and SESparse extents."""

from __future__ import annotations

import re
import struct
import zlib
from array import array
from collections import OrderedDict

from v2vlint.disk.fields import Fields
from v2vlint.disk.stream import Cached, Stream, exactly
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import ImageError, Unsupported

SECTOR = 512
MAX_DESCRIPTOR = 1 << 20
MAX_EXTENTS = 4096
# The limit of vmdk_open_vmdk4() in QEMU's block/vmdk.c.
MAX_PER_TABLE = 512
MAX_COUNTED = 1 << 14
NO_PARENT = "ffffffff"
_COMPRESSED, _MARKERS, _ZERO_GRAIN, _REDUNDANT = 1 << 16, 1 << 17, 1 << 2, 1 << 1
_AT_END = (1 << 64) - 1  # GD_AT_END
_EXTENT = re.compile(r'^(RW|RDONLY|NOACCESS)\s+(\d+)\s+(\w+)(?:\s+"([^"]*)"(?:\s+(\d+))?)?')
_SETTING = re.compile(r'^\s*([\w.]+)\s*=\s*"?(.*?)"?\s*$')

_HOSTED = Fields(
    "<",
    version=(4, "I"),
    flags=(8, "I"),
    capacity=(12, "Q"),
    grainSize=(20, "Q"),
    descriptorOffset=(28, "Q"),
    descriptorSize=(36, "Q"),
    numGTEsPerGT=(44, "I"),
    rgdOffset=(48, "Q"),
    gdOffset=(56, "Q"),
    overHead=(64, "Q"),
    compressAlgorithm=(77, "H"),
)
"""``SparseExtentHeader`` (Virtual Disk Format 5.0), in sectors."""
_COWD = Fields("<", capacity=(12, "I"), granularity=(16, "I"), gdOffset=(20, "I"))
"""``COWDisk_Header`` (Virtual Disk Format 5.0), in sectors."""
_SESPARSE = Fields(
    "<",
    version=(8, "Q"),
    capacity=(16, "Q"),
    grain_size=(24, "Q"),
    grain_table_size=(32, "Q"),
    volatile_header_offset=(80, "Q"),
    grain_dir_offset=(128, "Q"),
    grain_tables_offset=(144, "Q"),
    grains_offset=(192, "Q"),
)
_REPLAY_JOURNAL = 24
"""``VMDKSESparseConstHeader`` in sectors; the offset of ``replay_journal`` in ``VMDKSESparseVolatileHeader`` (QEMU: ``block/vmdk.c``)."""


@dataclass(frozen=True, slots=True)
class VmdkExtent:
    """A line in a descriptor's extent section; ``size`` and ``start`` are in bytes."""

    size: int
    kind: str
    file: str
    start: int


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A descriptor: the disk type, the parent's file name (empty without a parent), the extents, its own id and its parent's."""

    kind: str
    parent: str
    extents: tuple[VmdkExtent, ...]
    ids: tuple[str, str] = ("", "")


def read_descriptor(name: str, data: bytes) -> Descriptor:
    """Parse the text of a descriptor. ImageError when it names no extents."""
    text = data.split(b"\0", 1)[0].decode("utf-8", "surrogateescape")
    lines = [line.strip() for line in text.splitlines() if not line.lstrip().startswith("#")]
    settings = {match[1].lower(): match[2] for line in lines if (match := _SETTING.match(line))}
    extents = tuple(
        VmdkExtent(int(match[2][:15]) * SECTOR, match[3].upper(), match[4] or "", int((match[5] or "0")[:15]) * SECTOR)
        for line in lines
        if (match := _EXTENT.match(line))
    )
    if not extents or len(extents) > MAX_EXTENTS:
        raise ImageError(f"{name}: damaged VMDK descriptor ({len(extents)} extents)")
    # The id decides: a parent that is not named must not pass for none.
    parented = settings.get("parentcid", NO_PARENT).lower() != NO_PARENT
    ids = settings.get("cid", ""), settings.get("parentcid", NO_PARENT)
    return Descriptor(settings.get("createtype", ""), settings.get("parentfilenamehint", "?") if parented else "", extents, ids)


def embedded_descriptor(base: Stream) -> bytes:
    """The descriptor inside a sparse file; empty when there is none."""
    head = base.read_at(0, SECTOR)
    if head[:4] != b"KDMV":
        return b""
    found = _HOSTED.read(head)
    offset, size = found["descriptorOffset"], found["descriptorSize"]
    return base.read_at(offset * SECTOR, min(size * SECTOR, MAX_DESCRIPTOR))


def open_extent(name: str, base: Stream, parent: Stream | None, offset: int = 0) -> Stream:
    """The sparse extent in ``base``, recognised by its magic. ``offset`` is its start on the whole disk, for reads that fall through to
    ``parent``.
    """
    magic = base.read_at(0, 8)
    if magic[:4] == b"KDMV":
        return Sparse(name, base, parent, offset)
    if magic[:4] == b"COWD":
        return Cowd(name, base, parent, offset)
    if magic == b"\xbe\xba\xfe\xca\0\0\0\0":
        return SeSparse(name, base, parent, offset)
    raise ImageError(f"{name}: not a sparse VMDK extent")


class _Grains(Stream):
    """Grains located through a directory of tables. Subclasses define the layout and locate each grain."""

    def __init__(self, name: str, base: Stream, parent: Stream | None, offset: int, capacity: int, grain: int) -> None:
        if not 0 < grain <= 1 << 16 or not 0 < capacity < 1 << 52:
            raise ImageError(f"{name}: damaged VMDK header")
        super().__init__(capacity * SECTOR)
        self._name, self._base, self._parent, self._offset = name, base, parent, offset
        self._grain = grain * SECTOR
        self._tables = Cached(base, 4096, 512)

    def read_at(self, offset: int, length: int) -> bytes:
        """See :class:`~v2vlint.disk.stream.Stream`."""
        length = self.clip(offset, length)
        parts: list[bytes] = []
        while length > 0:
            number, inside = divmod(offset, self._grain)
            count = min(length, self._grain - inside)
            place = self._find(number)
            if place is None:
                parts.append(exactly(self._parent, self._offset + offset, count))
            elif place == 0:
                parts.append(bytes(count))
            else:
                parts.append(self._read(place, inside, count))
            offset, length = offset + count, length - count
        return b"".join(parts)

    def _find(self, number: int) -> int | None:
        """The byte offset of a grain; 0 when it is all zeros, None when it is not in this file."""
        raise NotImplementedError

    def _read(self, place: int, inside: int, count: int) -> bytes:
        if place >= self._base.size:
            raise ImageError(f"{self._name}: truncated (data at byte {place} lies beyond the end of the file)")
        return exactly(self._base, place + inside, count)

    def _number(self, layout: str, offset: int) -> int:
        data = self._tables.read_at(offset, struct.calcsize(layout))
        if len(data) < struct.calcsize(layout):
            raise ImageError(f"{self._name}: truncated (a grain table lies beyond the end of the file)")
        return int(struct.unpack(layout, data)[0])


class Sparse(_Grains):
    """A hosted sparse extent, including the stream-optimised variant."""

    def __init__(self, name: str, base: Stream, parent: Stream | None, offset: int = 0) -> None:
        head = self._header(name, base)
        found = _HOSTED.read(head)
        self._flags, self._per_table, self._directory = found["flags"], found["numGTEsPerGT"], found["gdOffset"]
        super().__init__(name, base, parent, offset, found["capacity"], found["grainSize"])
        if found["version"] > 3:
            raise Unsupported(f"{name}: VMDK version {found['version']} is not supported")
        if not 0 < self._per_table <= MAX_PER_TABLE or (self._flags & _REDUNDANT and found["rgdOffset"] >> 53):
            raise ImageError(f"{name}: damaged VMDK header (grain tables)")
        overhead, algorithm = found["overHead"], found["compressAlgorithm"]
        if overhead * SECTOR > base.size:
            raise ImageError(f"{name}: truncated (its grains begin at sector {overhead}, beyond the end of the file)")
        # COMPRESSION_DEFLATE, the only one there is.
        if bool(self._flags & _COMPRESSED) is not (algorithm == 1):
            raise Unsupported(f"{name}: unknown VMDK compression (type {algorithm}, flags {self._flags:#x})")
        self._plain: OrderedDict[int, bytes] = OrderedDict()

    @property
    def is_packed(self) -> bool:
        """Whether it is stream-optimised."""
        return bool(self._flags & _COMPRESSED)

    @staticmethod
    def _header(name: str, base: Stream) -> bytes:
        """The header, or the footer that replaces it."""
        head = base.read_at(0, SECTOR)
        if len(head) < SECTOR:
            raise ImageError(f"{name}: truncated VMDK header")
        if not _HOSTED.read(head)["capacity"]:
            raise ImageError(f"{name}: damaged VMDK header (QEMU takes what follows it for a descriptor)")
        if _HOSTED.read(head)["gdOffset"] == _AT_END:
            head = base.read_at(base.size - 2 * SECTOR, SECTOR)
            if head[:4] != b"KDMV":
                raise ImageError(f"{name}: truncated (the footer of a stream-optimised VMDK is missing)")
        return head

    def _find(self, number: int) -> int | None:
        table, index = divmod(number, self._per_table)
        start = self._number("<I", self._directory * SECTOR + table * 4)
        entry = self._number("<I", start * SECTOR + index * 4) if start else 0
        if entry == 1 and self._flags & _ZERO_GRAIN:
            return 0
        return entry * SECTOR or None

    def used_bytes(self) -> int:
        """The start of the last grain in use, from the first :data:`MAX_COUNTED` grain tables."""
        coverage = self._per_table * self._grain
        last = 0
        for table in range(min(-(-self.size // coverage), MAX_COUNTED)):
            start = self._number("<I", self._directory * SECTOR + table * 4)
            if start:
                data = self._base.read_at(start * SECTOR, self._per_table * 4)
                last = max(last, start + 1, *array("I", data[: len(data) // 4 * 4]))
        return last * SECTOR

    def _read(self, place: int, inside: int, count: int) -> bytes:
        if not self._flags & _COMPRESSED:
            return super()._read(place, inside, count)
        if place not in self._plain:
            self._plain[place] = self._inflate(place)
            if len(self._plain) > 64:
                self._plain.popitem(last=False)
        return self._plain[place][inside : inside + count]

    def _inflate(self, place: int) -> bytes:
        # A marker has the grain's number before the size.
        skip = 12 if self._flags & _MARKERS else 4
        size = struct.unpack_from("<I", self._base.read_at(place, skip).ljust(skip, b"\0"), skip - 4)[0]
        if not 0 < size <= 2 * self._grain:
            raise ImageError(f"{self._name}: damaged compressed grain (of {size} bytes)")
        inflater = zlib.decompressobj()
        try:
            plain = inflater.decompress(self._base.read_at(place + skip, size), self._grain + 1)
        except zlib.error as error:
            raise ImageError(f"{self._name}: damaged or truncated compressed grain: {error}") from error
        if not inflater.eof or len(plain) > self._grain:
            raise ImageError(f"{self._name}: damaged or truncated compressed grain (at byte {place})")
        return plain.ljust(self._grain, b"\0")


class Cowd(_Grains):
    """An ESX 3 sparse extent."""

    def __init__(self, name: str, base: Stream, parent: Stream | None, offset: int = 0) -> None:
        found = _COWD.read(base.read_at(0, SECTOR).ljust(SECTOR, b"\0"))
        self._directory = found["gdOffset"]
        super().__init__(name, base, parent, offset, found["capacity"], found["granularity"])

    def _find(self, number: int) -> int | None:
        # COWD tables always have 4,096 entries.
        table, index = divmod(number, 4096)
        start = self._number("<I", self._directory * SECTOR + table * 4)
        return self._number("<I", start * SECTOR + index * 4) * SECTOR or None if start else None


class SeSparse(_Grains):
    """An ESX 6.5 sparse extent, as used for snapshots."""

    def __init__(self, name: str, base: Stream, parent: Stream | None, offset: int = 0) -> None:
        head = base.read_at(0, SECTOR).ljust(SECTOR, b"\0")
        found = _SESPARSE.read(head)
        self._directory, self._tables_at = found["grain_dir_offset"], found["grain_tables_offset"]
        self._grains_at = found["grains_offset"]
        super().__init__(name, base, parent, offset, found["capacity"], found["grain_size"])
        # The only kind that vmdk_open_se_sparse() of QEMU reads.
        if found["version"] != 0x0000_0002_0000_0001 or found["grain_size"] != 8 or found["grain_table_size"] != 64:
            raise Unsupported(f"{name}: this kind of SESparse VMDK is not supported")
        if self._number("<Q", found["volatile_header_offset"] * SECTOR + _REPLAY_JOURNAL):
            hint = "its host does that when the machine starts or the snapshot is removed"
            raise Unsupported(f"{name}: writes of this SESparse VMDK wait in its journal, which is not replayed", hint=hint)

    def _find(self, number: int) -> int | None:
        table, index = divmod(number, 64 * SECTOR // 8)
        entry = self._number("<Q", self._directory * SECTOR + table * 8)
        if entry >> 32 != 0x10000000:
            return None
        start = self._tables_at + (entry & 0xFFFFFFFF) * 64
        grain = self._number("<Q", start * SECTOR + index * 8)
        kind = grain >> 60
        # 0 is not allocated, 1 unmapped, 2 zeros, 3 data (get_cluster_offset() of block/vmdk.c).
        if kind != 3:
            return None if kind == 0 else 0
        # The lower 12 bits of the number come before the upper ones.
        place: int = (grain >> 48 & 0xFFF) | (grain & 0xFFFF_FFFF_FFFF) << 12
        return int(self._grains_at + place * 8) * SECTOR
