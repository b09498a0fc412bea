"""What lies between a disk and its filesystem and is recognised like one: RAID members, encryption, LVM, ZFS."""

from __future__ import annotations

import struct
from itertools import pairwise

from v2vlint.disk.filesystems.content import Content, details, text
from v2vlint.disk.stream import Stream


def raid(base: Stream) -> Content | None:
    """``linux_raid_member`` of any level."""
    from v2vlint.disk.volumes.md import describe, read_member

    member = read_member(base)
    return None if member is None else Content("linux_raid_member", member.uuid, member.label, describe(member))


def luks(base: Stream) -> Content | None:
    """``crypto_LUKS``, version 1 or 2."""
    head = base.read_at(0, 512)
    if head[:6] != b"LUKS\xba\xbe":
        return None
    from v2vlint.disk.crypto.luks import describe

    version = struct.unpack_from(">H", head, 6)[0]
    return Content("crypto_LUKS", text(head[168:208]), text(head[24:72]) if version == 2 else "", describe(base, version))


def bitlocker(base: Stream) -> Content | None:
    """``BitLocker``."""
    head = base.read_at(0, 512)
    if head[3:11] not in (b"-FVE-FS-", b"MSWIN4.1"):
        return None
    from v2vlint.disk.crypto.bitlocker_metadata import describe, is_bitlocker

    return Content("BitLocker", details=(*details(bitlocker=True), *describe(base))) if is_bitlocker(head) else None


def lvm(base: Stream) -> Content | None:
    """``LVM2_member``: the label is in one of the first four sectors (lib/format_text/layout.h of LVM)."""
    head = base.read_at(0, 2048)
    for at in range(0, 2048, 512):
        if head[at : at + 8] == b"LABELONE" and head[at + 24 : at + 32] == b"LVM2 001":
            offset = at + struct.unpack_from("<I", head, at + 20)[0]
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
            return Content("zfs_member")
    return None
