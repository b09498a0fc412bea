"""The superblocks of read-only images: squashfs and ISO 9660."""

from __future__ import annotations

import struct

from v2vlint.disk.filesystems.content import Content, details
from v2vlint.disk.stream import Stream


def squashfs(base: Stream) -> Content | None:
    """``squashfs`` 4 (``struct squashfs_super_block``, fs/squashfs/squashfs_fs.h)."""
    head = base.read_at(0, 96)
    more = details(block_size=struct.unpack_from("<I", head, 12)[0], fs_size=struct.unpack_from("<Q", head, 40)[0])
    return Content("squashfs", details=more) if head[:4] == b"hsqs" else None


def iso(base: Stream) -> Content | None:
    """``iso9660`` (ECMA-119, 8.4: primary volume descriptor)."""
    block = base.read_at(32768, 2048)
    if block[1:6] != b"CD001" or block[0] != 1:
        return None
    stamp = block[813:829]
    digits = stamp.decode("ascii", "replace")
    uuid = "-".join((digits[:4], *(digits[at : at + 2] for at in range(4, 16, 2)))) if digits.isdigit() else ""
    return Content("iso9660", uuid, block[40:72].decode("ascii", "replace").strip(" \0"), details(block_size=2048))
