"""The partition table in effect on a disk or array: whether it is its own, and which sector size its numbers refer to."""

from __future__ import annotations

from v2vlint.disk.filesystems.probe import probe
from v2vlint.disk.stream import Slice, Stream
from v2vlint.disk.volumes.table import SECTORS, Table, read_table


def disk_table(disk: Stream, stated: int = 0) -> Table:
    """The table, unless it belongs to a RAID array with its superblock at the end, in which case every member shows it.

    ``stated`` is the sector size given by the image, 0 when it gives none.
    """
    table = _counted(disk, stated)
    if table.partitions:
        from v2vlint.disk.volumes.md import read_member

        member = read_member(disk)
        # A superblock beyond the last partition is that of the whole disk, not of a member in that partition.
        if member and member.place > max(part.start + part.size for part in table.partitions) - 1:
            return Table()
    return table


def _counted(disk: Stream, stated: int) -> Table:
    """The table. An MBR does not state its sector size: the size that leads to known content is chosen."""
    table = read_table(disk, stated or SECTORS[0])
    if table.kind != "dos" or stated or _is_filled(disk, table):
        return table
    other = read_table(disk, SECTORS[1])
    return other if _is_filled(disk, other) else table


def _is_filled(disk: Stream, table: Table) -> bool:
    parts = (part for part in table.partitions if not part.is_extended)
    return any(probe(Slice(disk, part.start, part.size)).type for part in parts)
