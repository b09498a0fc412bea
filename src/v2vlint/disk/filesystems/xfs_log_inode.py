"""Inodes in the log of an XFS (``struct xfs_inode_log_format``, ``struct xfs_log_dinode``), in the byte order of the disk."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from v2vlint.disk.fields import Fields
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import ImageError

_CORE, _LOCAL, _EXTENTS, _ROOT = 1, 2, 4, 8
_OTHER_LOCAL, _OTHER_EXTENTS, _OTHER_ROOT = 0x40, 0x80, 0x100
_BIGTIME, _LARGE_COUNTS = 8, 16
# struct xfs_inode_log_format (fs/xfs/libxfs/xfs_log_format.h). 32-bit kernels left out the padding before ilf_ino
# (struct xfs_inode_log_format_32).
_FORMAT, _FORMAT_INO, _FORMAT_32_INO = Fields("<", ilf_fields=(4, "I")), Fields("<", ilf_ino=(16, "Q")), Fields("<", ilf_ino=(12, "Q"))
# struct xfs_log_dinode (the same file). The places are the same in struct xfs_dinode (xfs_format.h).
_LOG_CORE_V3 = Fields("<", di_flags2=(120, "Q"))
_DI_VERSION, _DI_FORKOFF, _DI_LSN = 4, 82, slice(112, 120)
TREE_BLOCK = Fields(">", bb_level=(4, "H"), bb_numrecs=(6, "H"))
"""``struct xfs_btree_block`` (xfs_format.h)."""
# The numeric fields of an inode: offset and struct letter. ``_fields`` adds what differs between versions.
_FIXED = (
    (0, "H"), (2, "H"), (6, "H"), (8, "I"), (12, "I"), (16, "I"), (20, "H"), (22, "H"), (56, "Q"), (64, "Q"), (72, "I"),
    (84, "I"), (88, "H"), (90, "H"), (92, "I"), (96, "I"),
)  # fmt: skip
_VERSION_3 = ((104, "Q"), (112, "Q"), (120, "Q"), (128, "I"), (152, "Q"))


@dataclass(frozen=True, slots=True)
class InodeChange:
    """The parts of an inode that one transaction logged: its core as on disk, and its data and attribute forks if they were logged, too.
    The roots of trees are in the format of the log.
    """

    number: int
    lsn: int
    core: bytes
    fork: bytes | None
    root: bytes | None
    other_fork: bytes | None = None
    other_root: bytes | None = None

    def applied(self, data: bytes) -> bytes:
        """The inode on disk after the change. An inode that was written later than it was logged stays as it is."""
        # di_lsn, compared as in xlog_recover_inode_commit_pass2().
        written = int.from_bytes(data[_DI_LSN], "big") if data[:2] == b"IN" and data[_DI_VERSION] >= 3 else 0
        if written not in (0, 2**64 - 1) and written > self.lsn:
            return data
        result = bytearray(data)
        result[: len(self.core)] = self.core
        start = 176 if self.core[_DI_VERSION] >= 3 else 100
        end = start + self.core[_DI_FORKOFF] * 8 if self.core[_DI_FORKOFF] else len(data)
        for at, room, fork, root in ((start, end - start, self.fork, self.root), (end, len(data) - end, self.other_fork, self.other_root)):
            new = fork if root is None else _root_on_disk(root, room, header=72 if self.core[_DI_VERSION] >= 3 else 24)
            if new is not None:
                result[at : at + len(new[:room])] = new[:room]
        return bytes(result)


def inode_change(regions: Sequence[bytes], lsn: int) -> InodeChange:
    """The change described by the regions of a log item."""
    head = regions[0]
    if len(head) < 52 or len(regions) < 2:
        raise ImageError("its log holds a damaged inode")
    fields = _FORMAT.read(head)["ilf_fields"]
    number = (_FORMAT_INO if len(head) >= 56 else _FORMAT_32_INO).read(head)["ilf_ino"]
    if len(regions[1]) < 96:
        raise ImageError("its log holds a damaged inode")
    forks = iter(regions[2:])
    data = next(forks, None) if fields & (_LOCAL | _EXTENTS | _ROOT) else None
    other = next(forks, None) if fields & (_OTHER_LOCAL | _OTHER_EXTENTS | _OTHER_ROOT) else None
    core = _on_disk(regions[1])
    plain = (None if fields & _ROOT else data, data if fields & _ROOT else None)
    return InodeChange(number, lsn, core, *plain, *((None, other) if fields & _OTHER_ROOT else (other, None)))


def _on_disk(core: bytes) -> bytes:
    """The core in the disk's byte order; it has 176 bytes in version 3 and 96 in versions 1 and 2."""
    size = 176 if core[_DI_VERSION] >= 3 and len(core) >= 176 else 96
    result = bytearray(core[:size])
    for offset, letter in _fields(core, size):
        width = struct.calcsize(letter)
        if offset + width <= size:
            result[offset : offset + width] = core[offset : offset + width][::-1]
    return bytes(result)


def _fields(core: bytes, size: int) -> list[tuple[int, str]]:
    flags = _LOG_CORE_V3.read(core)["di_flags2"] if size == 176 else 0
    times = (32, 40, 48, 144) if size == 176 else (32, 40, 48)
    wide = [(at, "Q") for at in times] if flags & _BIGTIME else [(at + part, "I") for at in times for part in (0, 4)]
    counts = [(24, "Q"), (76, "I")] if flags & _LARGE_COUNTS else [(30, "H"), (76, "I"), (80, "H")]
    return [*_FIXED, *wide, *counts, *(_VERSION_3 if size == 176 else ())]


def _root_on_disk(block: bytes, room: int, *, header: int) -> bytes:
    """The root of an extent tree: in the log it is a block with a header, on disk it has only level and count (``xfs_bmbt_to_bmdr``)."""
    found = TREE_BLOCK.read(block)
    level, count = found["bb_level"], found["bb_numrecs"]
    logged, stored = (len(block) - header) // 16, (room - 4) // 16
    keys = block[header : header + count * 8]
    pointers = block[header + logged * 8 : header + logged * 8 + count * 8]
    return struct.pack(">HH", level, count) + keys.ljust(stored * 8, b"\0") + pointers
