"""What lies between a disk and its filesystem and is recognised in the same way: RAID members, encryption, LVM, bcache, and filesystems
that span devices or machines.
"""

from __future__ import annotations

import struct
from itertools import pairwise

from v2vlint.disk.fields import Fields
from v2vlint.disk.filesystems.content import Content, details, standard_uuid, text
from v2vlint.disk.stream import Stream


def raid(base: Stream) -> Content | None:
    """``linux_raid_member`` of any level."""
    from v2vlint.disk.volumes.md import describe, read_member

    member = read_member(base)
    return None if member is None else Content("linux_raid_member", member.uuid, member.label, describe(member))


_LUKS, _SECOND_LUKS = b"LUKS\xba\xbe", b"SKUL\xba\xbe\0\2"
_LUKS_HEADER = Fields(">", version=(6, "H"), hdr_offset=(256, "Q"))  # struct luks_phdr (its version), struct luks2_hdr_disk (cryptsetup)
# LUKS2_HDR2_OFFSETS of cryptsetup: the header's size is one of these, and the second follows the first.
_SECOND_PLACES = tuple(1 << power for power in range(14, 23))


def luks(base: Stream) -> Content | None:
    """``crypto_LUKS``, version 1 or 2; a LUKS2 volume without its first header is recognised by the second."""
    found = (head for at, magic in ((0, _LUKS), *((at, _SECOND_LUKS) for at in _SECOND_PLACES)) if (head := _luks_header(base, at, magic)))
    head = next(found, b"")
    if not head:
        return None
    from v2vlint.disk.crypto.luks import describe

    version = _LUKS_HEADER.read(head)["version"]
    return Content("crypto_LUKS", text(head[168:208]), text(head[24:72]) if version == 2 else "", describe(base, version))


def _luks_header(base: Stream, at: int, magic: bytes) -> bytes:
    """The header that begins with ``magic`` and says that it belongs there. One at another place was copied: a page in swap space, say."""
    head = base.read_at(at, 512)
    if not head.startswith(magic):
        return b""
    found = _LUKS_HEADER.read(head)
    return b"" if found["version"] == 2 and found["hdr_offset"] != at else head


def bitlocker(base: Stream) -> Content | None:
    """``BitLocker``."""
    head = base.read_at(0, 512)
    # BitLocker To Go keeps the boot sector of a FAT, for older Windows.
    if head[3:11] not in (b"-FVE-FS-", b"MSWIN4.1"):
        return None
    from v2vlint.disk.crypto.bitlocker_metadata import describe, is_bitlocker

    return Content("BitLocker", details=(*details(bitlocker=True), *describe(base))) if is_bitlocker(head) else None


LVM_LABEL = Fields("<", offset_xl=(20, "I"))  # struct label_header (lib/label/label.h of LVM)


def lvm(base: Stream) -> Content | None:
    """``LVM2_member``: the label is in one of the first four sectors (lib/format_text/layout.h of LVM)."""
    head = base.read_at(0, 2048)
    for at in range(0, 2048, 512):
        if head[at : at + 8] == b"LABELONE" and head[at + 24 : at + 32] == b"LVM2 001":
            offset = at + LVM_LABEL.read(head, at)["offset_xl"]
            return Content("LVM2_member", lvm_uuid(text(base.read_at(offset, 32))))
    return None


def lvm_uuid(plain: str) -> str:
    """An LVM UUID with its dashes: 6-4-4-4-4-4-6."""
    cuts = (0, 6, 10, 14, 18, 22, 26, 32)
    return "-".join(plain[start:end] for start, end in pairwise(cuts)) if len(plain) == 32 else plain


def zfs(base: Stream) -> Content | None:
    """``zfs_member``, by the magic of an uberblock in either byte order."""
    for slot in range(0, 128 << 10, 16 << 10):
        if base.read_at((128 << 10) + slot, 8) in (b"\x0c\xb1\xba\0\0\0\0\0", b"\0\0\0\0\0\xba\xb1\x0c"):
            return _zfs(base)
    return None


def _zfs(base: Stream) -> Content:
    """The pool's number and name, from the name-value list (XDR) in the first label."""
    pairs = base.read_at(16 << 10, 112 << 10)
    guid = _after(pairs, b"\0\0\0\x09pool_guid\0\0\0" + b"\0\0\0\x08\0\0\0\x01", 8)
    name = _after(pairs, b"\0\0\0\x04name" + b"\0\0\0\x09\0\0\0\x01", 260)
    size = int.from_bytes(name[:4], "big")
    return Content("zfs_member", str(int.from_bytes(guid, "big")) if guid else "", text(name[4 : 4 + min(size, 256)]))


def _after(data: bytes, mark: bytes, size: int) -> bytes:
    at = data.find(mark)
    return data[at + len(mark) :][:size] if at >= 0 else b""


def vmfs(base: Stream) -> Content | None:
    """``VMFS``: the filesystem of ESX on its volume, with the UUID in ESX's notation."""
    block = base.read_at(2 << 20, 157)
    if block[:4] != b"\x5e\xf1\xab\x2f" or len(block) < 157:
        return None
    return Content("VMFS", _esx_uuid(block[9:25]), text(block[29:157]))


def vmfs_volume(base: Stream) -> Content | None:
    """``VMFS_volume_member``: an extent of such a volume."""
    block = base.read_at(1 << 20, 612)
    return Content("VMFS_volume_member", _esx_uuid(block[596:])) if block[:4] == b"\x0d\xd0\x01\xc0" and len(block) == 612 else None


def _esx_uuid(raw: bytes) -> str:
    first, second, third = struct.unpack_from("<IIH", raw)
    return f"{first:08x}-{second:08x}-{third:04x}-{raw[10:].hex()}"


def scoutfs(base: Stream) -> Content | None:
    """``scoutfs_meta`` or ``scoutfs_data``, which differ by a flag."""
    block = base.read_at(65536, 72)
    if block[4:8] != b"\x8b\x42\x3c\x10" or len(block) < 72:
        return None
    return Content("scoutfs_meta" if block[48] & 1 else "scoutfs_data", standard_uuid(block[56:72]))


_BCACHE = bytes.fromhex("c68573f64e1a45ca8265f57f48ba6d81")
_CACHE_SB = Fields("<", offset=(8, "Q"))  # struct cache_sb (drivers/md/bcache of Linux)
_BCACHEFS = bytes.fromhex("c68573f666ce90a9d96a60cf803df7ef")


def bcache(base: Stream) -> Content | None:
    """``bcache``: its superblock states that it is in sector 8. bcachefs used the same magic number before 2021 (``struct cache_sb``)."""
    block = base.read_at(4096, 104)
    if block[24:40] != _BCACHE or _CACHE_SB.read(block)["offset"] != 8:
        return None
    return Content("bcache", standard_uuid(block[40:56]), text(block[72:104]))


def bcachefs(base: Stream) -> Content | None:
    """``bcachefs`` by its old or its new magic number (``struct bch_sb``)."""
    block = base.read_at(4096, 104)
    if block[24:40] not in (_BCACHE, _BCACHEFS):
        return None
    return Content("bcachefs", standard_uuid(block[56:72]), text(block[72:104]))


# struct md_on_disk_08, struct meta_data_on_disk_9 (libblkid's drbd.c).
_DRBD_8, _DRBD_9 = Fields(">", device_uuid=(40, "Q")), Fields(">", device_uuid=(48, "Q"))


def drbd(base: Stream) -> Content | None:
    """``drbd``: metadata of version 8 or 9 in the last 4 KiB of the backing device; the UUID is the device's 64-bit number."""
    block = base.read_at((base.size & ~0xFFF) - 4096, 64) if base.size >= 8192 else b""
    version = {b"\x83\x74\x02\x6b": _DRBD_8, b"\x83\x74\x02\x6c": _DRBD_8, b"\x83\x74\x02\x6d": _DRBD_9}.get(block[60:64])
    return None if version is None else Content("drbd", f"{version.read(block)['device_uuid']:x}")
