"""The superblocks of Microsoft's filesystems, FAT, exFAT and NTFS, with the UUID and LABEL that blkid(8) reports."""

from __future__ import annotations

import struct

from v2vlint.disk.filesystems.content import Content, details, text
from v2vlint.disk.stream import Stream
from v2vlint.model.dataclass import dataclass

MAX_ROOT = 1 << 20
MAX_LABEL_CLUSTERS = 100


def probe_exfat(base: Stream) -> Content | None:
    """``exfat``, or None."""
    boot = base.read_at(0, 512)
    if boot[3:11] != b"EXFAT   " or boot[510:512] != b"\x55\xaa":
        return None
    return Content("exfat", _serial(boot, 100), _exfat_label(base, boot), details(block_size=1 << boot[108]))


@dataclass(frozen=True, slots=True)
class FatLayout:
    """Where the parts of a FAT filesystem are, in bytes. ``bits`` is 12, 16 or 32; ``root_cluster`` is 0 when the root folder has a fixed
    place.

    Linux (``fat_fill_super``), GRUB, EDK II and libblkid all treat a filesystem as FAT32 when the 16-bit length of its FAT is zero, however
    few clusters it has; FAT12 and FAT16 differ by the number of clusters.
    """

    sector: int
    cluster: int
    bits: int
    fat_at: int
    fat_size: int
    root_at: int
    root_size: int
    data_at: int
    clusters: int
    root_cluster: int
    size: int

    @classmethod
    def read(cls, boot: bytes) -> FatLayout | None:
        """The layout described by a boot sector; None when it is not one of FAT."""
        if len(boot) < 512:
            return None
        sector, per_cluster, reserved, copies, entries, total16, media, length16 = struct.unpack_from("<HBHBHHBH", boot, 11)
        total32, length32, first = (struct.unpack_from("<I", boot, at)[0] for at in (32, 36, 44))
        if sector not in (512, 1024, 2048, 4096) or per_cluster.bit_count() != 1 or not reserved or not copies or media < 0xF0:
            return None
        length = length16 or length32
        root = reserved + copies * length
        data = root + (entries * 32 + sector - 1) // sector
        clusters = ((total16 or total32) - data) // per_cluster
        if not length or clusters <= 0:
            return None
        bits = 32 if not length16 else 16 if clusters >= 4085 else 12
        return cls(
            sector, sector * per_cluster, bits, reserved * sector, length * sector, root * sector, entries * 32, data * sector,
            min(clusters, length * sector * 8 // bits - 2), first if bits == 32 else 0, (total16 or total32) * sector,
        )  # fmt: skip


def probe_fat(base: Stream) -> Content | None:
    """``vfat``, or None."""
    boot = base.read_at(0, 512)
    layout = FatLayout.read(boot)
    if layout is None or boot[510:512] != b"\x55\xaa" or boot[0] not in (0xEB, 0xE9):
        return None
    at = 67 if layout.bits == 32 else 39
    known = boot[at - 1] in (0x28, 0x29) or layout.bits == 32
    more = details(block_size=layout.sector, fs_size=layout.size, fat_bits=str(layout.bits), dirty=bool(boot[at - 2] & 1))
    return Content("vfat", _serial(boot, at) if known else "", _fat_label(base, layout), more)


def _fat_label(base: Stream, layout: FatLayout) -> str:
    """The label in the root folder; blkid does not report the one in the boot sector as LABEL."""
    if layout.bits != 32:
        return _root_label(base.read_at(layout.root_at, min(layout.root_size, MAX_ROOT))) or ""
    cluster, seen = layout.root_cluster, 0
    while 2 <= cluster < layout.clusters + 2 and seen < MAX_LABEL_CLUSTERS:
        label = _root_label(base.read_at(layout.data_at + (cluster - 2) * layout.cluster, layout.cluster))
        if label is not None:
            return label
        raw = base.read_at(layout.fat_at + cluster * 4, 4)
        cluster, seen = int.from_bytes(raw, "little") & 0x0FFF_FFFF, seen + 1
    return ""


def _serial(boot: bytes, at: int) -> str:
    low, high = struct.unpack_from("<HH", boot, at)
    return f"{high:04X}-{low:04X}" if low or high else ""


def _root_label(folder: bytes) -> str | None:
    """The volume label among the entries of a root folder, as libblkid's ``search_fat_label`` finds it."""
    for at in range(0, len(folder) - 31, 32):
        entry = folder[at : at + 32]
        if entry[0] == 0:
            return None
        empty = entry[20:22] == b"\0\0" and entry[26:28] == b"\0\0"
        if entry[0] != 0xE5 and empty and entry[11] & 0x3F != 0x0F and entry[11] & 0x18 == 0x08:
            name = b"\xe5" + entry[1:11] if entry[0] == 0x05 else entry[:11]
            return name.split(b"\0", 1)[0].decode("utf-8", "surrogateescape").rstrip()
    return None


def _exfat_label(base: Stream, boot: bytes) -> str:
    """The label in the root folder, found by following its clusters (exFAT specification, 7.3)."""
    fat, _length, heap, count, cluster = struct.unpack_from("<IIIII", boot, 80)
    sector, size = 1 << min(boot[108], 12), 1 << min(boot[108] + boot[109], 25)
    for _step in range(MAX_LABEL_CLUSTERS):
        if not 2 <= cluster < count + 2:
            return ""
        folder = base.read_at(heap * sector + (cluster - 2) * size, min(size, MAX_ROOT))
        for at in range(0, len(folder) - 31, 32):
            if folder[at] == 0x83:
                return folder[at + 2 : at + 2 + 2 * min(folder[at + 1], 11)].decode("utf-16-le", "replace")
            if folder[at] == 0:
                return ""
        cluster = int.from_bytes(base.read_at(fat * sector + cluster * 4, 4), "little")
    return ""


def probe_ntfs(base: Stream) -> Content | None:
    """``ntfs`` with its label, and ``dirty``, ``heads`` and ``version`` as details; or None."""
    boot = base.read_at(0, 512)
    if boot[3:11] != b"NTFS    " or len(boot) < 512:
        return None
    sector, raw = struct.unpack_from("<HB", boot, 11)
    cluster = sector * (raw if raw <= 128 else 1 << (256 - raw))
    size = struct.unpack_from("<b", boot, 64)[0]
    record = size * cluster if size > 0 else 1 << -size
    if sector not in (512, 1024, 2048, 4096) or not 256 <= record <= 65536:
        return None
    mft = struct.unpack_from("<Q", boot, 48)[0] * cluster
    label, version, dirty = _volume(base.read_at(mft + 3 * record, record), sector)
    serial = struct.unpack_from("<Q", boot, 72)[0]
    return Content(
        "ntfs",
        f"{serial:016X}",
        label,
        details(
            block_size=cluster,
            fs_size=struct.unpack_from("<Q", boot, 40)[0] * sector,
            version=version,
            dirty=dirty,
            heads=struct.unpack_from("<H", boot, 26)[0],
        ),
    )


def _volume(record: bytes, sector: int) -> tuple[str, str, bool]:
    if record[:4] != b"FILE":
        return "", "", False
    data = _fixed_up(record, sector)
    at = struct.unpack_from("<H", data, 20)[0]
    label, version, dirty = "", "", False
    while at + 24 <= len(data):
        kind, length = struct.unpack_from("<II", data, at)
        if kind == 0xFFFFFFFF or length < 24:
            break
        size, offset = struct.unpack_from("<IH", data, at + 16)
        value = data[at + offset : at + offset + size] if not data[at + 8] else b""
        if kind == 0x60:
            label = value.decode("utf-16-le", "replace")
        elif kind == 0x70 and len(value) >= 12:
            version, dirty = f"{value[8]}.{value[9]}", bool(value[10] & 1)
        at += length
    return label, version, dirty


def _fixed_up(record: bytes, sector: int) -> bytearray:
    data = bytearray(record)
    offset, count = struct.unpack_from("<HH", data, 4)
    for index in range(1, count):
        end = index * min(sector, 512)
        if end <= len(data) and offset + index * 2 + 2 <= len(data):
            data[end - 2 : end] = data[offset + index * 2 : offset + index * 2 + 2]
    return data


def probe_hpfs(base: Stream) -> Content | None:
    """``hpfs`` of OS/2: it has a superblock and a spare one; serial number and label are in the boot sector."""
    if base.read_at(8192, 8) != b"\x49\xe8\x95\xf9\xc5\xe9\x53\xfa" or base.read_at(8704, 4) != b"\x49\x18\x91\xf9":
        return None
    sector = base.read_at(0, 512)
    if sector[510:] != b"\x55\xaa" or sector[38] not in (0x28, 0x29):
        return Content("hpfs")
    serial = sector[39:43][::-1].hex().upper()
    return Content("hpfs", f"{serial[:4]}-{serial[4:]}", text(sector[43:54]).rstrip())
