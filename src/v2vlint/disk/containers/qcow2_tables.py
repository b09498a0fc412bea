"""Parts of a qcow2 that reading does not need but QEMU checks when it opens one: an image with a damaged one cannot start a guest.

The checks and limits are those of `block/qcow2.c`, `qcow2-snapshot.c` and `qcow2-bitmap.c` of QEMU when it opens without repair.
"""

from __future__ import annotations

import struct

from v2vlint.disk.stream import Stream
from v2vlint.model.errors import ImageError

MAX_LOOKED_AT = 1 << 18
_HINT = "QEMU refuses it as well; qemu-img check -r all may repair it"
_MAX_SNAPSHOTS, _MAX_SNAPSHOT_TABLE, _MAX_EXTRA = 65536, 64 << 20, 1024
# l1_table_offset, l1_size, id_str_size, name_size, date_sec, date_nsec, vm_clock_nsec, vm_state_size, extra_data_size
_SNAPSHOT = struct.Struct(">QIHHIIQII")
_MAX_BITMAPS, _MAX_DIRECTORY = 65535, 65535 * 1024
# nb_bitmaps, reserved, bitmap_directory_size, bitmap_directory_offset
_BITMAPS = struct.Struct(">IIQQ")
# bitmap_table_offset, bitmap_table_size, flags, type, granularity_bits, name_size, extra_data_size
_BITMAP = struct.Struct(">QIIBBHI")
_IN_USE, _FLAGS, _TRACKING = 1, 3, 1
_MAX_TABLE, _MAX_BYTES = 1 << 27, 1 << 29
_ENTRY_RESERVED, _ENTRY_OFFSET = 0xFF00_0000_0000_01FE, 0x00FF_FFFF_FFFF_FE00


def check_snapshots(name: str, base: Stream, offset: int, count: int) -> None:
    """Check the table of ``count`` internal snapshots at ``offset``, entry by entry. ImageError names the damaged one."""
    if count > _MAX_SNAPSHOTS:
        raise _damaged(name, f"its snapshot table has {count} entries")
    place = offset
    for number in range(count):
        place = -(-place // 8) * 8
        head = base.read_at(place, _SNAPSHOT.size).ljust(_SNAPSHOT.size, b"\0")
        _l1, _l1_size, identity, label, *_times, extra = _SNAPSHOT.unpack(head)
        if extra > _MAX_EXTRA:
            raise _damaged(name, f"too much extra data in entry {number} of its snapshot table")
        place += _SNAPSHOT.size + extra + identity + label
        if place - offset > _MAX_SNAPSHOT_TABLE:
            raise _damaged(name, "its snapshot table is too big")


def check_bitmaps(name: str, base: Stream, extension: bytes, cluster: int, size: int) -> None:
    """Check the dirty bitmaps of a disk of ``size`` bytes; the header's ``extension`` locates their directory.

    Of all bitmap tables together, little more than the first :data:`MAX_LOOKED_AT` entries are checked.
    """
    count, reserved, length, offset = _BITMAPS.unpack(extension)
    if reserved or not 0 < count <= _MAX_BITMAPS or offset % cluster or offset >> 62 or not 0 < length <= _MAX_DIRECTORY:
        raise _damaged(name, "the place of its bitmap directory")
    directory = base.read_at(offset, length).ljust(length, b"\0")
    at = found = looked_at = 0
    while at < length:
        if at + _BITMAP.size > length:
            raise _damaged(name, "its bitmap directory is cut short")
        table, entries, flags, kind, bits, label, extra = _BITMAP.unpack_from(directory, at)
        at += -(-(_BITMAP.size + extra + label) // 8) * 8
        found += 1
        right = 0 < entries <= _MAX_TABLE and 0 < table < 1 << 62 and table % cluster == 0 and 9 <= bits <= 31 and not flags & ~_FLAGS
        if at > length or extra or not right or not 0 < label <= 1023 or kind != _TRACKING or found > count:
            raise _damaged(name, f"entry {found - 1} of its bitmap directory")
        # A bit for every 2^bits bytes, in words of 64.
        needed = -(-(-(-size // (64 << bits)) * 8) // cluster)
        if entries * cluster > _MAX_BYTES or (not flags & _IN_USE and entries != needed):
            raise _damaged(name, f"entry {found - 1} of its bitmap directory does not fit the disk")
        # The content of a bitmap that was in use when QEMU stopped is not loaded.
        if not flags & _IN_USE and looked_at < MAX_LOOKED_AT:
            looked_at += entries
            _check_table(name, base.read_at(table, entries * 8), cluster)
    if found != count:
        raise _damaged(name, "its bitmap directory has fewer entries than its header says")


def _check_table(name: str, table: bytes, cluster: int) -> None:
    """Check a table of a bitmap's clusters: in an entry without a cluster, the lowest bit says that all bits are set."""
    for (entry,) in struct.iter_unpack(">Q", table[: len(table) // 8 * 8]):
        place = entry & _ENTRY_OFFSET
        if entry & _ENTRY_RESERVED or place % cluster or (place and entry & 1):
            raise _damaged(name, "the table of a bitmap")


def _damaged(name: str, what: str) -> ImageError:
    return ImageError(f"{name}: damaged qcow2 ({what})", hint=_HINT)
