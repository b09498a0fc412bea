"""What is on a block device, from its superblocks: the answers of blkid(8) for TYPE, UUID and LABEL, and what else is cheap to see."""

from __future__ import annotations

import struct
import uuid as uuids
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from v2vlint.disk.stream import Stream
from v2vlint.model.errors import ImageError

Details = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Content:
    """A recognised content; ``type`` is empty when nothing was. ``details`` are explained in docs of the single probes."""

    type: str = ""
    uuid: str = ""
    label: str = ""
    details: Details = ()


def probe(base: Stream) -> Content:
    """The content of ``base``. RAID members and encrypted volumes win over what they may contain, as with blkid.

    ImageError when nothing was recognised and a place where something may be cannot be read.
    """
    unreadable: ImageError | None = None
    for try_probe in (*_PROBES, _by_magic):
        try:
            found = try_probe(base)
        except (struct.error, IndexError, ValueError, OverflowError):
            continue
        except ImageError as error:
            unreadable = unreadable or error
            continue
        if found:
            return found
    if unreadable:
        raise unreadable
    return Content()


def text(data: bytes) -> str:
    """A NUL-terminated name in a superblock."""
    return data.split(b"\0", 1)[0].decode("utf-8", "replace").strip()


def standard_uuid(data: bytes) -> str:
    """16 bytes in the usual notation; empty when all are zero."""
    return str(uuids.UUID(bytes=data[:16])) if any(data[:16]) else ""


def details(**values: object) -> Details:
    """Details without the empty ones; true is ``yes``, false is left out."""
    kept = ((key, value) for key, value in values.items() if value is not None and value is not False and value != "")
    return tuple((key, "yes" if value is True else str(value)) for key, value in kept)


def _luks(base: Stream) -> Content | None:
    head = base.read_at(0, 512)
    if head[:6] != b"LUKS\xba\xbe":
        return None
    from v2vlint.disk.crypto.luks import describe

    version = struct.unpack_from(">H", head, 6)[0]
    return Content("crypto_LUKS", text(head[168:208]), text(head[24:72]) if version == 2 else "", describe(base, version))


def _bitlocker(base: Stream) -> Content | None:
    head = base.read_at(0, 512)
    if head[3:11] not in (b"-FVE-FS-", b"MSWIN4.1"):
        return None
    from v2vlint.disk.crypto.bitlocker_metadata import describe, is_bitlocker

    return Content("BitLocker", details=(*details(bitlocker=True), *describe(base))) if is_bitlocker(head) else None


def _lvm(base: Stream) -> Content | None:
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


def _ext(base: Stream) -> Content | None:
    block = base.read_at(1024, 1024)
    if len(block) < 1024 or block[56:58] != b"\x53\xef":
        return None
    blocks, _reserved, free, free_inodes = struct.unpack_from("<IIII", block, 4)
    log_size = struct.unpack_from("<I", block, 24)[0]
    state, _behaviour = struct.unpack_from("<HH", block, 58)
    compat, incompat, read_only = struct.unpack_from("<III", block, 92)
    if incompat & 8 or log_size > 6:
        return Content("jbd", standard_uuid(block[104:120])) if incompat & 8 else None
    free |= struct.unpack_from("<I", block, 0x158)[0] << 32 if incompat & 0x80 else 0
    blocks |= struct.unpack_from("<I", block, 0x150)[0] << 32 if incompat & 0x80 else 0
    more = details(
        block_size=1024 << log_size,
        fs_size=blocks * (1024 << log_size),
        free=free * (1024 << log_size),
        free_inodes=free_inodes,
        inodes=struct.unpack_from("<I", block, 0)[0],
        clean=bool(state & 1),
        errors=bool(state & 2),
        needs_recovery=bool(incompat & 4),
        features=" ".join(names_of_ext_features(compat, incompat, read_only)),
    )
    return Content(_ext_type(compat, incompat, read_only), standard_uuid(block[104:120]), text(block[120:136]), more)


def _ext_type(compat: int, incompat: int, read_only: int) -> str:
    if incompat & ~0x16 or read_only & ~0x7:
        return "ext4"
    return "ext3" if compat & 4 else "ext2"


def names_of_ext_features(compat: int, incompat: int, read_only: int) -> list[str]:
    """The feature names that old kernels and boot loaders stumble over, as tune2fs(8) spells them."""
    table = (
        (compat, ((4, "has_journal"), (0x20, "dir_index"), (0x200, "sparse_super2"), (0x1000, "orphan_file"))),
        (incompat, ((0x10, "meta_bg"), (0x40, "extent"), (0x80, "64bit"), (0x200, "flex_bg"), (0x2000, "metadata_csum_seed"),
                    (0x4000, "large_dir"), (0x8000, "inline_data"), (0x10000, "encrypt"), (0x20000, "casefold"))),
        (read_only, ((0x200, "bigalloc"), (0x400, "metadata_csum"), (0x8000, "verity"))),
    )  # fmt: skip
    return [name for word, bits in table for bit, name in bits if word & bit]


def _xfs(base: Stream) -> Content | None:
    block = base.read_at(0, 512)
    if block[:4] != b"XFSB" or len(block) < 512:
        return None
    from v2vlint.disk.filesystems.xfs_log import is_dirty

    size = struct.unpack_from(">I", block, 4)[0]
    version = struct.unpack_from(">H", block, 100)[0] & 0xF
    inodes, free_inodes, free = struct.unpack_from(">QQQ", block, 128)
    more = details(
        block_size=size,
        fs_size=struct.unpack_from(">Q", block, 8)[0] * size,
        version=version,
        free=free * size,
        inodes=inodes,
        free_inodes=free_inodes,
        dirty_log=is_dirty(base, block),
        needs_repair=version == 5 and bool(struct.unpack_from(">I", block, 216)[0] & 0x10),
        features=" ".join(_xfs_features(block)) if version == 5 else "",
    )
    return Content("xfs", standard_uuid(block[32:48]), text(block[108:120]), more)


def _xfs_features(block: bytes) -> list[str]:
    read_only, incompat = struct.unpack_from(">II", block, 212)
    names = [name for bit, name in ((1, "finobt"), (2, "rmapbt"), (4, "reflink"), (8, "inobtcount")) if read_only & bit]
    return names + [
        name for bit, name in ((1, "ftype"), (2, "sparse"), (8, "bigtime"), (0x20, "nrext64"), (0x40, "exchange"), (0x80, "parent"))
        if incompat & bit
    ]  # fmt: skip


def _btrfs(base: Stream) -> Content | None:
    block = base.read_at(65536, 4096)
    if block[64:72] != b"_BHRfS_M" or len(block) < 4096:
        return None
    total, used = struct.unpack_from("<QQ", block, 112)
    count = struct.unpack_from("<Q", block, 136)[0]
    sector, node = struct.unpack_from("<II", block, 144)
    more = details(
        block_size=sector,
        fs_size=struct.unpack_from("<Q", block, 209)[0],
        node_size=node,
        devices=count,
        free=max(0, total - used),
        uuid_sub=standard_uuid(block[201 + 66 : 201 + 82]),
        dirty_log=bool(struct.unpack_from("<Q", block, 96)[0]),
    )
    return Content("btrfs", standard_uuid(block[32:48]), text(block[299:555]), more)


def _swap(base: Stream) -> Content | None:
    for page in (4096, 8192, 16384, 65536):
        magic = base.read_at(page - 10, 10)
        if magic in (b"SWAPSPACE2", b"SWAP-SPACE"):
            head = base.read_at(1024, 44)
            return Content("swap", standard_uuid(head[12:28]), text(head[28:44]), details(block_size=page))
        if magic in (b"S1SUSPEND\0", b"S2SUSPEND\0", b"ULSUSPEND\0", b"LINHIB0001"):
            head = base.read_at(1024, 44)
            return Content("swsuspend", standard_uuid(head[12:28]), text(head[28:44]), details(hibernated=True))
    return None


def _squashfs(base: Stream) -> Content | None:
    head = base.read_at(0, 96)
    more = details(block_size=struct.unpack_from("<I", head, 12)[0], fs_size=struct.unpack_from("<Q", head, 40)[0])
    return Content("squashfs", details=more) if head[:4] == b"hsqs" else None


def _iso(base: Stream) -> Content | None:
    block = base.read_at(32768, 2048)
    if block[1:6] != b"CD001" or block[0] != 1:
        return None
    stamp = block[813:829]
    digits = stamp.decode("ascii", "replace")
    uuid = "-".join((digits[:4], *(digits[at : at + 2] for at in range(4, 16, 2)))) if digits.isdigit() else ""
    return Content("iso9660", uuid, block[40:72].decode("ascii", "replace").strip(" \0"), details(block_size=2048))


_MAGICS: tuple[tuple[str, int, bytes], ...] = (
    ("bcache", 4096 + 24, bytes.fromhex("c68573f64e1a45ca8265f57f48ba6d81")),
    ("stratis", 512 + 4, b"!Stra0tis\x86\xff\x02^\x41rh"),
    ("vdo", 0, b"dmvdo001"),
    ("DM_integrity", 0, b"integrt\0"),
    ("DM_verity_hash", 0, b"verity\0\0"),
    ("f2fs", 1024, b"\x10\x20\xf5\xf2"),
    ("erofs", 1024, b"\xe2\xe1\xf5\xe0"),
    ("nilfs2", 1024 + 6, b"\x34\x34"),
    ("jfs", 32768, b"JFS1"),
    ("reiserfs", 65536 + 52, b"ReIsErFs"),
    ("reiserfs", 65536 + 52, b"ReIsEr2Fs"),
    ("reiserfs", 65536 + 52, b"ReIsEr3Fs"),
    ("reiser4", 65536, b"ReIsEr4"),
    ("apfs", 32, b"NXSB"),
    ("hfsplus", 1024, b"H+\0\4"),
    ("hfsplus", 1024, b"HX\0\5"),
    ("ReFS", 3, b"ReFS\0\0\0\0"),
    ("ufs", 65536 + 1372, b"\x19\x01\x54\x19"),
    ("ufs", 8192 + 1372, b"\x19\x01\x54\x19"),
    ("bcachefs", 4096 + 24, bytes.fromhex("c68573f666ce90a9d96a60cf803df7ef")),
    ("zfs_member", 128 << 10, b"\x0c\xb1\xba\0\0\0\0\0"),
    ("VMFS_volume_member", 1 << 20, b"\x0d\xd0\x01\xc0"),
    ("ldm_member", 6 << 9, b"PRIVHEAD"),
    ("minix", 1024 + 16, b"\x68\x24"),
    ("minix", 1024 + 16, b"\x78\x24"),
)


def _by_magic(base: Stream) -> Content | None:
    for kind, offset, magic in _MAGICS:
        if base.read_at(offset, len(magic)) == magic:
            return Content(kind)
    for kind, offset, magic in (("isw_raid_member", 1024, b"Intel Raid ISM Cfg"), ("ddf_raid_member", 512, b"\xde\x11\xde\x11")):
        if base.size > offset and base.read_at(base.size - offset, len(magic)) == magic:
            return Content(kind)
    return _zfs(base)


def _zfs(base: Stream) -> Content | None:
    for slot in range(0, 128 << 10, 16 << 10):
        if base.read_at((128 << 10) + slot, 8) in (b"\x0c\xb1\xba\0\0\0\0\0", b"\0\0\0\0\0\xba\xb1\x0c"):
            return Content("zfs_member")
    return None


def _raid(base: Stream) -> Content | None:
    from v2vlint.disk.volumes.md import describe, read_member

    member = read_member(base)
    return None if member is None else Content("linux_raid_member", member.uuid, member.label, describe(member))


def _fat(base: Stream) -> Content | None:
    from v2vlint.disk.filesystems.probe_fat import probe_fat

    return probe_fat(base)


def _ntfs(base: Stream) -> Content | None:
    from v2vlint.disk.filesystems.probe_fat import probe_ntfs

    return probe_ntfs(base)


_PROBES: tuple[Callable[[Stream], Content | None], ...] = (
    _raid, _luks, _bitlocker, _lvm, _xfs, _btrfs, _ext, _squashfs, _ntfs, _fat, _swap, _iso,
)  # fmt: skip
