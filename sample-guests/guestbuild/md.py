"""A RAID 1 with one member, as ``mdadm --create --metadata=1.0`` writes it (drivers/md/md.c, struct mdp_superblock_1): no kernel needed."""

from __future__ import annotations

import struct
import uuid
from pathlib import Path

from guestbuild.tools import write_at

_MAGIC = 0xA92B4EFC
_SECTOR = 512
_TAIL = 1 << 20


def append(content: Path, name: str, identity: str) -> None:
    """Make the filesystem in ``content`` a member's: its superblock goes behind it, 8 KiB before the new end, at a multiple of 4 KiB."""
    size = content.stat().st_size
    whole = size + _TAIL
    place = (whole // _SECTOR - 16) & ~7
    array, member = uuid.UUID(identity).bytes, uuid.uuid5(uuid.UUID(identity), "member").bytes
    head = struct.pack("<IIII16s32sQ", _MAGIC, 1, 0, 0, array, f"(none):{name}".encode(), 0)
    shape = struct.pack("<iIQII", 1, 0, size // _SECTOR, 0, 1).ljust(56, b"\0")
    where = struct.pack("<QQQQII16s", 0, size // _SECTOR, place, 0, 0, 0, member).ljust(64, b"\0")
    state = struct.pack("<QQQII", 0, 1, 0xFFFFFFFFFFFFFFFF, 0, 1).ljust(64, b"\0")
    roles = struct.pack("<H", 0)
    block = bytearray(head + shape + where + state + roles)
    struct.pack_into("<I", block, 216, _checksum(bytes(block)))
    with content.open("r+b") as stream:
        stream.truncate(whole)
    write_at(content, place * _SECTOR, bytes(block))


def _checksum(block: bytes) -> int:
    """calc_sb_1_csum: the sum of all 32-bit words, and of a last half one, folded once."""
    words: int = sum(struct.unpack(f"<{len(block) // 4}I", block[: len(block) // 4 * 4]))
    if len(block) % 4:
        words += struct.unpack("<H", block[-2:])[0]
    return ((words & 0xFFFFFFFF) + (words >> 32)) & 0xFFFFFFFF
