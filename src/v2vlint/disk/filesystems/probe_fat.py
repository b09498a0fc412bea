"""The superblocks of Microsoft's filesystems: FAT, exFAT and NTFS, with the UUID and LABEL that blkid(8) gives them."""

from __future__ import annotations

import struct

from v2vlint.disk.filesystems.content import Content, details
from v2vlint.disk.stream import Stream

MAX_ROOT = 1 << 20


def probe_exfat(base: Stream) -> Content | None:
    """``exfat``, or None."""
    boot = base.read_at(0, 512)
    if boot[3:11] != b"EXFAT   " or boot[510:512] != b"\x55\xaa":
        return None
    return Content("exfat", _serial(boot, 100), _exfat_label(base, boot), details(block_size=1 << boot[108]))


def probe_fat(base: Stream) -> Content | None:
    """``vfat``, or None."""
    boot = base.read_at(0, 512)
    if len(boot) < 512 or boot[510:512] != b"\x55\xaa":
        return None
    sector, per_cluster, reserved, copies, entries, total16, media, length16 = struct.unpack_from("<HBHBHHBH", boot, 11)
    if sector not in (512, 1024, 2048, 4096) or per_cluster not in (1, 2, 4, 8, 16, 32, 64, 128) or not reserved or not copies:
        return None
    if media < 0xF0 or (boot[0] not in (0xEB, 0xE9)):
        return None
    total32, length32 = struct.unpack_from("<I", boot, 32)[0], struct.unpack_from("<I", boot, 36)[0]
    fat_length = length16 or length32
    data = reserved + copies * fat_length + (entries * 32 + sector - 1) // sector
    clusters = ((total16 or total32) - data) // per_cluster
    if not fat_length or clusters <= 0:
        return None
    wide = clusters >= 65525
    root = (data + (struct.unpack_from("<I", boot, 44)[0] - 2) * per_cluster if wide else reserved + copies * fat_length) * sector
    size = per_cluster * sector if wide else entries * 32
    at = 67 if wide else 39
    label = _root_label(base.read_at(root, min(size, MAX_ROOT))) or _plain_label(boot[at + 4 : at + 15])
    bits = "32" if wide else "16" if clusters >= 4085 else "12"
    return Content(
        "vfat",
        _serial(boot, at),
        label,
        details(block_size=sector, fs_size=(total16 or total32) * sector, fat_bits=bits, dirty=bool(boot[at - 2] & 1)),
    )


def _serial(boot: bytes, at: int) -> str:
    low, high = struct.unpack_from("<HH", boot, at)
    return f"{high:04X}-{low:04X}" if low or high else ""


def _plain_label(raw: bytes) -> str:
    label = raw.decode("ascii", "replace").rstrip(" \0")
    return "" if label == "NO NAME" else label


def _root_label(directory: bytes) -> str:
    for at in range(0, len(directory) - 31, 32):
        if directory[at] == 0:
            break
        if directory[at] != 0xE5 and directory[at + 11] & 0x3F != 0x0F and directory[at + 11] & 0x18 == 0x08:
            return _plain_label(directory[at : at + 11])
    return ""


def _exfat_label(base: Stream, boot: bytes) -> str:
    heap, _count, root = struct.unpack_from("<III", boot, 88)
    sector, cluster = 1 << min(boot[108], 12), 1 << min(boot[108] + boot[109], 25)
    directory = base.read_at(heap * sector + (root - 2) * cluster, 4096) if root >= 2 else b""
    for at in range(0, len(directory) - 31, 32):
        if directory[at] == 0x83:
            return directory[at + 2 : at + 2 + 2 * min(directory[at + 1], 11)].decode("utf-16-le", "replace")
    return ""


def probe_ntfs(base: Stream) -> Content | None:
    """``ntfs`` with label, and ``dirty``, ``heads`` and ``version`` among the details; or None."""
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
