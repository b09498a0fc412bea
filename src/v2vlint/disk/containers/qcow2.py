"""QEMU's qcow2 (docs/interop/qcow2.txt of QEMU): v2 and v3, zlib and zstd, backing file, external data file, extended L2 entries.

The header is checked before anything else is read; an unknown feature bit makes the image unsupported, and the error names it.
"""

from __future__ import annotations

import struct
import zlib
from collections import OrderedDict
from typing import Any

from v2vlint.disk.containers.qcow2_tables import check_bitmaps, check_snapshots
from v2vlint.disk.fields import Fields
from v2vlint.disk.stream import Stream, exactly
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import ImageError, Unsupported

MAGIC = b"QFI\xfb"
# QCOW_MAX_L1_SIZE, and below QCOW_MAX_REFTABLE_SIZE.
MAX_L1_BYTES = 32 << 20
MAX_HEADER = 1 << 16
MAX_REFCOUNT_TABLE = 8 << 20
_DIRTY, _CORRUPT, _DATA_FILE, _COMPRESSION, _EXTENDED_L2 = 1, 2, 4, 8, 16
_KNOWN = _DIRTY | _CORRUPT | _DATA_FILE | _COMPRESSION | _EXTENDED_L2
_HAS_BITMAPS, _RAW_DATA = 1, 2
_BACKING_FORMAT, _FEATURE_NAMES, _DATA_NAME, _CRYPTO, _BITMAPS = 0xE2792ACA, 0x6803F857, 0x44415441, 0x0537BE77, 0x23852875
_OFFSET_MASK = 0x00FF_FFFF_FFFF_FE00  # L2E_OFFSET_MASK
_COMPRESSED = 1 << 62  # QCOW_OFLAG_COMPRESSED
_CIPHERS = {1: "AES", 2: "LUKS"}

_HEADER = Fields(
    ">",
    version=(4, "I"),
    backing_file_offset=(8, "Q"),
    backing_file_size=(16, "I"),
    cluster_bits=(20, "I"),
    size=(24, "Q"),
    crypt_method=(32, "I"),
    l1_size=(36, "I"),
    l1_table_offset=(40, "Q"),
    refcount_table_offset=(48, "Q"),
    refcount_table_clusters=(56, "I"),
    nb_snapshots=(60, "I"),
    snapshots_offset=(64, "Q"),
)
_HEADER_V3 = Fields(">", incompatible_features=(72, "Q"), autoclear_features=(88, "Q"), refcount_order=(96, "I"), header_length=(100, "I"))
_DEFAULTS_V2 = {"incompatible_features": 0, "autoclear_features": 0, "refcount_order": 4, "header_length": 72}
"""``QCowHeader`` (``block/qcow2.h`` of QEMU), with the fields of version 3 and what version 2 has in their place."""
_COMPRESSION_TYPE_AT = 104  # follows the fields that every header of version 3 has
_EXTENSION = Fields(">", magic=(0, "I"), len=(4, "I"))  # QCowExtension
_BITMAP = Fields(">", bitmap=(8, "Q"))  # "Extended L2 Entries" of the specification: after the standard one


@dataclass(frozen=True, slots=True)
class Header:
    """The content of the header. ``backing`` and ``data_file`` are names as written, empty when there is none."""

    version: int
    cluster_bits: int
    size: int
    l1_offset: int
    l1_size: int
    snapshots: int
    backing: str
    backing_format: str
    external: bool
    data_file: str
    compression: int
    extended_l2: bool
    dirty: bool
    corrupt: bool
    refcount_at: int
    refcount_clusters: int
    refcount_order: int


def read_header(name: str, base: Stream) -> Header:
    """Parse and check the header. ImageError or Unsupported says what is wrong with ``name``."""
    head = base.read_at(0, MAX_HEADER)
    if len(head) < 72 or head[:4] != MAGIC:
        raise ImageError(f"{name}: truncated qcow2 header, or none")
    found = _HEADER.read(head)
    version, cluster_bits, size, crypt = found["version"], found["cluster_bits"], found["size"], found["crypt_method"]
    backing_at, snapshots, snapshots_at = found["backing_file_offset"], found["nb_snapshots"], found["snapshots_offset"]
    l1_size, l1_offset = found["l1_size"], found["l1_table_offset"]
    refcount_at, refcount_clusters = found["refcount_table_offset"], found["refcount_table_clusters"]
    if version not in (2, 3):
        raise Unsupported(f"{name}: qcow2 version {version} is not supported")
    if crypt:
        raise Unsupported(
            f"{name}: encrypted qcow2 ({_CIPHERS.get(crypt, crypt)}) is not supported", hint="decrypt it with qemu-img convert"
        )
    # MIN_CLUSTER_BITS and MAX_CLUSTER_BITS.
    if not 9 <= cluster_bits <= 21:
        raise ImageError(f"{name}: damaged qcow2 header (cluster size 2^{cluster_bits})")
    more = _HEADER_V3.read(head) if version > 2 else _DEFAULTS_V2
    features, length, order, cluster = more["incompatible_features"], more["header_length"], more["refcount_order"], 1 << cluster_bits
    compression = head[_COMPRESSION_TYPE_AT] if length > _COMPRESSION_TYPE_AT else 0
    _check_parts(
        name,
        {
            "its parts do not fit into one cluster": backing_at <= cluster and (104 if version > 2 else 72) <= length <= cluster,
            "reference counts": 0 < refcount_clusters * cluster <= MAX_REFCOUNT_TABLE and order <= 6,
            "the place of its reference counts": _is_place(refcount_at, refcount_clusters * cluster, cluster),
            "the place of its snapshot table": _is_place(snapshots_at, snapshots * 40, cluster),
            "the place of its L1 table": _is_place(l1_offset, l1_size * 8, cluster) and l1_size * 8 <= MAX_L1_BYTES,
            "subclusters smaller than a sector": not features & _EXTENDED_L2 or cluster_bits >= 14,
        },
    )
    # The name of the backing file follows the extensions, as QEMU writes them.
    extensions = _extensions(name, head, length, backing_at or cluster)
    _check_features(name, features, extensions.get(_FEATURE_NAMES, b""))
    _check_parts(name, {"compression type": bool(compression) is bool(features & _COMPRESSION)})
    _check_tables(name, base, (snapshots_at, snapshots), extensions, features, more["autoclear_features"], cluster, size)
    if compression > 1:
        raise Unsupported(f"{name}: qcow2 compression type {compression} is not supported")
    return Header(
        version=version,
        cluster_bits=cluster_bits,
        size=size,
        l1_offset=l1_offset,
        l1_size=l1_size,
        snapshots=snapshots,
        backing=_backing(name, head, backing_at, found["backing_file_size"], cluster),
        backing_format=_text(extensions.get(_BACKING_FORMAT, b"")),
        external=bool(features & _DATA_FILE),
        data_file=_text(extensions.get(_DATA_NAME, b"")) if features & _DATA_FILE else "",
        compression=compression,
        extended_l2=bool(features & _EXTENDED_L2),
        dirty=bool(features & _DIRTY),
        corrupt=bool(features & _CORRUPT),
        refcount_at=refcount_at,
        refcount_clusters=refcount_clusters,
        refcount_order=order,
    )


def _check_tables(
    name: str,
    base: Stream,
    snapshots: tuple[int, int],
    extensions: dict[int, bytes],
    features: int,
    clearing: int,
    cluster: int,
    size: int,
) -> None:
    """Check parts that v2vlint does not read but QEMU needs in order to open the image. ``snapshots`` are offset and count."""
    _check_parts(
        name,
        {
            "raw external data without a data file": not clearing & _RAW_DATA or bool(features & _DATA_FILE),
            "the format of its backing file": len(extensions.get(_BACKING_FORMAT, b"")) < 16,
            "an encryption header": _CRYPTO not in extensions,
            "its bitmaps": len(extensions.get(_BITMAPS, bytes(24))) == 24,
        },
    )
    check_snapshots(name, base, *snapshots)
    if _BITMAPS in extensions and clearing & _HAS_BITMAPS:
        check_bitmaps(name, base, extensions[_BITMAPS], cluster, size)


def _is_place(offset: int, length: int, cluster: int) -> bool:
    """Whether a table can be at ``offset``: aligned to a cluster, and within the maximum size of a file."""
    return offset % cluster == 0 and offset + length < 1 << 63


def _check_parts(name: str, parts: dict[str, bool]) -> None:
    for part, right in parts.items():
        if not right:
            raise ImageError(f"{name}: damaged qcow2 header ({part})")


def _check_features(name: str, features: int, table: bytes) -> None:
    unknown = features & ~_KNOWN
    if not unknown:
        return
    # Type 0: incompatible features.
    names = {table[at + 1]: _text(table[at + 2 : at + 48]) for at in range(0, len(table) - 47, 48) if table[at] == 0}
    bits = [bit for bit in range(64) if unknown >> bit & 1]
    listed = ", ".join(f"bit {bit}" + (f" ({names[bit]})" if names.get(bit) else "") for bit in bits)
    raise Unsupported(f"{name}: qcow2 with unknown incompatible features: {listed}")


def _extensions(name: str, head: bytes, offset: int, end: int) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    while offset < end and offset + 8 <= len(head):
        extension = _EXTENSION.read(head, offset)
        kind, length = extension["magic"], extension["len"]
        if length > end - offset - 8:
            raise ImageError(f"{name}: damaged qcow2 header (an extension is larger than the header)")
        if kind == 0:
            break
        found[kind] = head[offset + 8 : offset + 8 + length]
        offset += 8 + (length + 7) // 8 * 8
    return found


def _backing(name: str, head: bytes, offset: int, size: int, cluster: int) -> str:
    if not offset:
        return ""
    # The limit of qcow2_do_open().
    if size > min(1023, cluster - offset) or offset + size > len(head):
        raise ImageError(f"{name}: damaged qcow2 header (backing file name)")
    return _text(head[offset : offset + size])


def _text(data: bytes) -> str:
    return data.rstrip(b"\0").decode("utf-8", "surrogateescape")


def used_bytes(base: Stream, header: Header) -> int:
    """The end of the used part of the file, according to its reference counts; 0 when they do not tell."""
    cluster = 1 << header.cluster_bits
    table = base.read_at(header.refcount_at, min(header.refcount_clusters, 512) * cluster).rstrip(b"\0")
    blocks = struct.unpack(f">{-(-len(table) // 8)}Q", table.ljust(-(-len(table) // 8) * 8, b"\0"))
    if header.external or not blocks:
        return 0
    # The last count in use belongs to the last cluster in use.
    place = blocks[-1] & _OFFSET_MASK
    counts = base.read_at(place, cluster)
    if len(counts) < cluster:
        return int(place) + cluster
    bits, used = 1 << header.refcount_order, len(counts.rstrip(b"\0")) * 8
    per_block = cluster * 8 // bits
    return int(((len(blocks) - 1) * per_block + -(-used // bits) - 1) * cluster + 1) if used else 0


class Qcow2(Stream):
    """The virtual disk of a qcow2 file. ``data`` is the external data file, ``backing`` the opened backing disk."""

    def __init__(self, name: str, base: Stream, header: Header, data: Stream | None = None, backing: Stream | None = None) -> None:
        # QEMU counts sectors, and ignores the rest of an incomplete one.
        super().__init__(header.size // 512 * 512)
        self.header = header
        self._name, self._base, self._data, self._backing = name, base, data or base, backing
        self._raw_data = data is not None
        self._cluster = 1 << header.cluster_bits
        self._entry = 16 if header.extended_l2 else 8
        self._per_table = self._cluster // self._entry
        self._l1 = self._read_l1()
        self._tables: OrderedDict[int, bytes] = OrderedDict()
        self._inflated: OrderedDict[int, bytes] = OrderedDict()

    def _read_l1(self) -> tuple[int, ...]:
        header = self.header
        needed = -(-header.size // (self._cluster * self._per_table))
        if needed * 8 > MAX_L1_BYTES or header.size < 0:
            raise Unsupported(f"{self._name}: a virtual size of {header.size} bytes is not supported")
        if needed > header.l1_size:
            raise ImageError(f"{self._name}: damaged qcow2 (its L1 table is too small for its size)")
        table = self._base.read_at(header.l1_offset, needed * 8)
        if len(table) < needed * 8:
            raise ImageError(f"{self._name}: truncated (its L1 table lies beyond the end of the file)")
        return struct.unpack(f">{needed}Q", table)

    def read_at(self, offset: int, length: int) -> bytes:
        """See :class:`Stream`."""
        length = self.clip(offset, length)
        parts: list[bytes] = []
        while length > 0:
            number, inside = divmod(offset, self._cluster)
            count = min(length, self._cluster - inside)
            parts.append(self._read_cluster(number, inside, count))
            offset, length = offset + count, length - count
        return b"".join(parts)

    def _read_cluster(self, number: int, inside: int, count: int) -> bytes:
        first, second = divmod(number, self._per_table)
        table = self._table(self._l1[first] & _OFFSET_MASK)
        entry = struct.unpack_from(">Q", table, second * self._entry)[0] if table else 0
        if entry & _COMPRESSED:
            if self._raw_data:
                raise ImageError(f"{self._name}: damaged qcow2 (a compressed cluster beside an external data file)")
            return self._inflate(entry)[inside : inside + count]
        host = entry & _OFFSET_MASK
        if host % self._cluster:
            raise ImageError(f"{self._name}: damaged qcow2 (data at byte {host}, which begins no cluster)")
        if self._raw_data and host and host != number * self._cluster:
            raise ImageError(f"{self._name}: damaged qcow2 (its external data file is mapped out of order, which QEMU refuses)")
        if self.header.extended_l2:
            bitmap = _BITMAP.read(table, second * self._entry)["bitmap"] if table else 0
            place = host if host or (self._raw_data and entry >> 63) else None
            return self._read_subclusters(number, place, bitmap, inside, count)
        # QCOW_OFLAG_ZERO, which version 2 does not have.
        if entry & 1 and self.header.version > 2:
            return bytes(count)
        # In a data file, 0 is a valid place: there, QCOW_OFLAG_COPIED tells an allocated cluster.
        if host or (self._raw_data and entry >> 63):
            return self._read_host(host + inside, count)
        return exactly(self._backing, number * self._cluster + inside, count)

    def _read_subclusters(self, number: int, host: int | None, bitmap: int, inside: int, count: int) -> bytes:
        """Read from a cluster at ``host`` (None: unallocated). A subcluster is data or zeros, not both; an unallocated one is not data."""
        # The lower half says which subclusters are allocated, the upper one which read as zeros.
        allocated, zeros = bitmap & 0xFFFFFFFF, bitmap >> 32
        if allocated & zeros or (allocated and host is None):
            raise ImageError(f"{self._name}: damaged qcow2 (the subclusters of cluster {number})")
        size, parts = self._cluster // 32, []
        while count > 0:
            index, skip = divmod(inside, size)
            step = min(count, size - skip)
            if zeros >> index & 1:
                parts.append(bytes(step))
            elif allocated >> index & 1 and host is not None:
                parts.append(self._read_host(host + inside, step))
            else:
                parts.append(exactly(self._backing, number * self._cluster + inside, step))
            inside, count = inside + step, count - step
        return b"".join(parts)

    def _read_host(self, offset: int, count: int) -> bytes:
        if offset >= self._data.size:
            raise ImageError(f"{self._name}: truncated (data at byte {offset} lies beyond the end of the file)")
        return exactly(self._data, offset, count)

    def _table(self, offset: int) -> bytes:
        if not offset:
            return b""
        if offset % self._cluster:
            raise ImageError(f"{self._name}: damaged qcow2 (an L2 table at byte {offset}, which begins no cluster)")
        tables = self._tables
        if offset in tables:
            tables.move_to_end(offset)
            return tables[offset]
        table = tables[offset] = self._base.read_at(offset, self._cluster)
        if len(table) < self._cluster:
            raise ImageError(f"{self._name}: truncated (an L2 table lies beyond the end of the file)")
        if len(tables) > max(4, (8 << 20) // self._cluster):
            tables.popitem(last=False)
        return table

    def _inflate(self, entry: int) -> bytes:
        clusters = self._inflated
        if entry in clusters:
            clusters.move_to_end(entry)
            return clusters[entry]
        # "Compressed Clusters Descriptor": the number of further sectors is above the offset, which is in bytes.
        shift = 62 - (self.header.cluster_bits - 8)
        offset = entry & ((1 << shift) - 1)
        sectors = (entry >> shift & ((1 << (self.header.cluster_bits - 8)) - 1)) + 1
        packed = self._base.read_at(offset, sectors * 512 - (offset & 511))
        plain = clusters[entry] = self._decompress(packed)
        if len(plain) < self._cluster:
            raise ImageError(f"{self._name}: damaged or truncated compressed cluster (at byte {offset})")
        if len(clusters) > max(4, (4 << 20) // self._cluster):
            clusters.popitem(last=False)
        return plain

    def _decompress(self, packed: bytes) -> bytes:
        try:
            if self.header.compression == 0:
                # Without a header, and with a window of 4 KiB, as qcow2_zlib_compress() writes it.
                return zlib.decompressobj(-12).decompress(packed, self._cluster)
            import zstandard

            inflater: Any = zstandard.ZstdDecompressor().stream_reader(packed)
            return bytes(inflater.read(self._cluster))
        except Exception as error:
            raise ImageError(f"{self._name}: damaged compressed cluster: {error}") from error
