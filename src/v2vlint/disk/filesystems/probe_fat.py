"""The superblocks of Microsoft's filesystems, FAT, exFAT and NTFS, with the UUID and LABEL that blkid(8) reports."""

from __future__ import annotations

import struct

from v2vlint.disk.fields import Fields
from v2vlint.disk.filesystems.content import Content, details, text, utf16_text
from v2vlint.disk.stream import Stream
from v2vlint.model.dataclass import dataclass

MAX_ROOT = 1 << 20
MAX_LABEL_CLUSTERS = 100  # maxloop in libblkid's vfat.c

SECTORS = (512, 1024, 2048, 4096)
_BPB = Fields(
    "<",
    BytsPerSec=(11, "H"),
    SecPerClus=(13, "B"),
    RsvdSecCnt=(14, "H"),
    NumFATs=(16, "B"),
    RootEntCnt=(17, "H"),
    TotSec16=(19, "H"),
    Media=(21, "B"),
    FATSz16=(22, "H"),
    TotSec32=(32, "I"),
    FATSz32=(36, "I"),
    RootClus=(44, "I"),
)
"""The BIOS parameter block (Microsoft's fatgen103, "BPB_…"); the last two fields are FAT32's."""
_EXFAT = Fields(
    "<",
    FatOffset=(80, "I"),
    ClusterHeapOffset=(88, "I"),
    ClusterCount=(92, "I"),
    FirstClusterOfRootDirectory=(96, "I"),
    BytesPerSectorShift=(108, "B"),
    SectorsPerClusterShift=(109, "B"),
)
"""The main boot sector (exFAT specification, 3.1)."""
_NTFS = Fields(
    "<",
    bytes_per_sector=(11, "H"),
    sectors_per_cluster=(13, "B"),
    heads=(26, "H"),
    number_of_sectors=(40, "Q"),
    mft_lcn=(48, "Q"),
    clusters_per_mft_record=(64, "b"),
    volume_serial_number=(72, "Q"),
)
"""``NTFS_BOOT_SECTOR`` (ntfs-3g's ``layout.h``)."""
_RECORD = Fields("<", usa_ofs=(4, "H"), usa_count=(6, "H"), attrs_offset=(20, "H"))
_ATTRIBUTE = Fields("<", type=(0, "I"), length=(4, "I"), non_resident=(8, "B"), value_length=(16, "I"), value_offset=(20, "H"))
_VOLUME, _VOLUME_NAME, _VOLUME_INFORMATION, _END = 3, 0x60, 0x70, 0xFFFFFFFF
"""``MFT_RECORD`` and ``ATTR_RECORD`` (ntfs-3g's ``layout.h``), the number of the record ``$Volume`` and the types of its attributes."""


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
        found = _BPB.read(boot)
        sector, per_cluster, reserved = found["BytsPerSec"], found["SecPerClus"], found["RsvdSecCnt"]
        copies, entries = found["NumFATs"], found["RootEntCnt"]
        if sector not in SECTORS or per_cluster.bit_count() != 1 or not reserved or not copies or found["Media"] < 0xF0:
            return None
        length, total = found["FATSz16"] or found["FATSz32"], found["TotSec16"] or found["TotSec32"]
        root = reserved + copies * length
        data = root + (entries * 32 + sector - 1) // sector
        clusters = (total - data) // per_cluster
        if not length or clusters <= 0:
            return None
        bits = 32 if not found["FATSz16"] else 16 if clusters >= 4085 else 12
        return cls(
            sector, sector * per_cluster, bits, reserved * sector, length * sector, root * sector, entries * 32, data * sector,
            # As fat_fill_super(): there are no more clusters than the FAT has entries.
            min(clusters, length * sector * 8 // bits - 2), found["RootClus"] if bits == 32 else 0, total * sector,
        )  # fmt: skip


def probe_fat(base: Stream) -> Content | None:
    """``vfat``, or None."""
    boot = base.read_at(0, 512)
    layout = FatLayout.read(boot)
    if layout is None or boot[510:512] != b"\x55\xaa" or boot[0] not in (0xEB, 0xE9):
        return None
    at = 67 if layout.bits == 32 else 39
    # Older boot sectors have no serial number, and other bytes in its place.
    known = boot[at - 1] in (0x28, 0x29) or layout.bits == 32
    # FAT_STATE_DIRTY is in the byte before the extended boot signature.
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
        # The upper four bits are reserved.
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
            return text(name)
    return None


def _exfat_label(base: Stream, boot: bytes) -> str:
    """The label in the root folder, found by following its clusters (exFAT specification, 7.3)."""
    found = _EXFAT.read(boot)
    fat, heap, count, cluster = found["FatOffset"], found["ClusterHeapOffset"], found["ClusterCount"], found["FirstClusterOfRootDirectory"]
    shift = found["BytesPerSectorShift"]
    sector, size = 1 << min(shift, 12), 1 << min(shift + found["SectorsPerClusterShift"], 25)
    for _step in range(MAX_LABEL_CLUSTERS):
        if not 2 <= cluster < count + 2:
            return ""
        folder = base.read_at(heap * sector + (cluster - 2) * size, min(size, MAX_ROOT))
        for at in range(0, len(folder) - 31, 32):
            # 0x83 is the entry of the volume label, 0 the end of the folder.
            if folder[at] == 0x83:
                return utf16_text(folder[at + 2 : at + 2 + 2 * min(folder[at + 1], 11)])
            if folder[at] == 0:
                return ""
        cluster = int.from_bytes(base.read_at(fat * sector + cluster * 4, 4), "little")
    return ""


def probe_ntfs(base: Stream) -> Content | None:
    """``ntfs`` with its label, and ``dirty``, ``heads`` and ``version`` as details; or None."""
    boot = base.read_at(0, 512)
    if boot[3:11] != b"NTFS    " or len(boot) < 512:
        return None
    found = _NTFS.read(boot)
    sector, raw, size = found["bytes_per_sector"], found["sectors_per_cluster"], found["clusters_per_mft_record"]
    # Clusters of more than 64 KiB, and records smaller than a cluster, are stated as negated powers of two.
    cluster = sector * (raw if raw <= 128 else 1 << (256 - raw))
    record = size * cluster if size > 0 else 1 << -size
    if sector not in SECTORS or not 256 <= record <= 65536:
        return None
    mft = found["mft_lcn"] * cluster
    label, version, dirty = _volume(base.read_at(mft + _VOLUME * record, record), sector)
    more = details(block_size=cluster, fs_size=found["number_of_sectors"] * sector, version=version, dirty=dirty, heads=found["heads"])
    return Content("ntfs", f"{found['volume_serial_number']:016X}", label, more)


def _volume(record: bytes, sector: int) -> tuple[str, str, bool]:
    if record[:4] != b"FILE":
        return "", "", False
    data = _fixed_up(record, sector)
    at = _RECORD.read(data)["attrs_offset"]
    label, version, dirty = "", "", False
    while at + 24 <= len(data):
        found = _ATTRIBUTE.read(data, at)
        if found["type"] == _END or found["length"] < 24:
            break
        begin = at + found["value_offset"]
        # Both attributes are always resident.
        value = data[begin : begin + found["value_length"]] if not found["non_resident"] else b""
        if found["type"] == _VOLUME_NAME:
            label = utf16_text(bytes(value))
        elif found["type"] == _VOLUME_INFORMATION and len(value) >= 12:
            # VOLUME_IS_DIRTY.
            version, dirty = f"{value[8]}.{value[9]}", bool(value[10] & 1)
        at += found["length"]
    return label, version, dirty


def _fixed_up(record: bytes, sector: int) -> bytearray:
    data = bytearray(record)
    found = _RECORD.read(data)
    offset, count = found["usa_ofs"], found["usa_count"]
    for index in range(1, count):
        # Fixups are applied every 512 bytes, even with larger sectors (NTFS_BLOCK_SIZE of ntfs-3g).
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
    return Content("hpfs", f"{serial[:4]}-{serial[4:]}", text(sector[43:54]))
