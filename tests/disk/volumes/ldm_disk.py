"""Dynamic disks written byte by byte: a private header, a database of records in fragments, and the content dealt to the disks."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from uuid import UUID

SECTOR = 512
START, CONFIG, TOTAL = 64, 4096, 6144
FRAGMENT = 128
GROUP, NAME = "0f0e0d0c-0000-4000-8000-0000000000d0", "PC-Dg0"
CHUNK = 8
_STRIPED, _SPANNED, _RAID5 = 1, 2, 3


def guid(disk: int) -> str:
    return f"0f0e0d0c-0000-4000-8000-00000000000{disk}"


def _number(value: int) -> bytes:
    raw = value.to_bytes(max(1, -(-value.bit_length() // 8)), "big")
    return bytes([len(raw)]) + raw


def _text(value: str) -> bytes:
    raw = value.encode()
    return bytes([len(raw)]) + raw


def _record(kind: int, flags: int, number: int, name: str, body: bytes) -> bytes:
    data = _number(number) + _text(name) + body
    return struct.pack(">HBBI", 0, flags, kind, len(data)) + data


@dataclass(frozen=True, slots=True)
class Extent:
    """Sectors on a disk: where they begin after the disk's start, and their place in the component."""

    disk: int
    start: int
    size: int
    offset: int = 0
    column: int = 0


def _component(number: int, volume: int, kind: int, extents: tuple[Extent, ...]) -> list[bytes]:
    striped = kind != _SPANNED
    body = _text("ACTIVE") + bytes([kind]) + bytes(4) + _number(len(extents)) + bytes(16) + _number(volume) + bytes(1)
    found = [
        _record(0x32, 0x10 if striped else 0, number, f"c{number}", body + (_number(CHUNK) + _number(len(extents)) if striped else b""))
    ]
    for index, one in enumerate(extents):
        place = bytes(12) + struct.pack(">2Q", one.start, one.offset)
        body = place + _number(one.size) + _number(number) + _number(one.disk) + (_number(one.column) if striped else b"")
        found.append(_record(0x33, 0x08 if striped else 0, 100 * number + index, f"Disk{one.disk}-{index:02}", body))
    return found


def _volume(kind: str, size: int, children: int) -> bytes:
    body = _text("raid5" if kind == "RAID5" else "gen") + _text("") + bytes(21) + _number(children) + bytes(16) + _number(size)
    return _record(0x51, 0x02, 1, "Volume1", body + bytes(5) + UUID(guid(9)).bytes + _text("E:"))


def _extents(kind: str, disks: int, size: int) -> tuple[tuple[Extent, ...], ...]:
    """The extents of each component; a spanned one is longer on its second disk, and neither begins where its disk does."""
    if kind == "mirrored":
        return tuple((Extent(disk, 8 * disk, size),) for disk in range(1, disks + 1))
    if kind == "spanned":
        return ((Extent(2, 16, size - 40, 40), Extent(1, 8, 40)),)
    each = size // max(1, disks - (kind == "RAID5"))
    return (tuple(Extent(disk, 8 * disk, each, 0, disk - 1) for disk in range(1, disks + 1)),)


def _dealt(kind: str, disks: int, content: bytes) -> list[bytes]:
    """What each column holds of a striped or RAID 5 volume."""
    step, columns = CHUNK * SECTOR, [bytearray() for _disk in range(disks)]
    width = disks - (kind == "RAID5")
    for row in range(len(content) // step // width):
        parts = [content[(row * width + at) * step : (row * width + at + 1) * step] for at in range(width)]
        if kind == "RAID5":
            parity = disks - 1 - row % disks
            total = 0
            for part in parts:
                total ^= int.from_bytes(part, "little")
            placed = {(parity + 1 + at) % disks: part for at, part in enumerate(parts)} | {parity: total.to_bytes(step, "little")}
            parts = [placed[column] for column in range(disks)]
        for column, part in zip(columns, parts, strict=True):
            column += part
    return [bytes(column) for column in columns]


def dynamic_disks(kind: str, disks: int, content: bytes) -> list[bytes]:
    """The disks of a group with one volume that holds ``content``."""
    size = len(content) // SECTOR
    components = _extents(kind, disks, size)
    number = {"striped": _STRIPED, "RAID5": _RAID5}.get(kind, _SPANNED)
    records = [_volume(kind, size, len(components))]
    for index, extents in enumerate(components):
        records += _component(2 + index, 1, number, extents)
    records += [_record(0x34, 0, disk, f"Disk{disk}", _text(guid(disk)) + _text("") + bytes(12)) for disk in range(1, disks + 1)]
    images = [_empty(disk, records) for disk in range(1, disks + 1)]
    columns = _dealt(kind, disks, content) if kind in ("striped", "RAID5") else []
    for extents in components:
        for one in extents:
            data = columns[one.column] if columns else content[one.offset * SECTOR : (one.offset + one.size) * SECTOR]
            at = (START + one.start) * SECTOR
            images[one.disk - 1][at : at + len(data)] = data
    return [bytes(image) for image in images]


def _empty(disk: int, records: list[bytes]) -> bytearray:
    image = bytearray(TOTAL * SECTOR)
    image[446:462] = struct.pack("<B3sB3sII", 0, bytes(3), 0x42, bytes(3), START - 1, CONFIG - START)
    image[510:512] = b"\x55\xaa"
    head = bytearray(SECTOR)
    head[:16] = b"PRIVHEAD" + bytes(4) + struct.pack(">HH", 2, 11)
    for at, text in ((0x30, guid(disk)), (0xB0, GROUP), (0xF0, NAME)):
        head[at : at + len(text)] = text.encode()
    struct.pack_into(">4Q", head, 0x11B, START, CONFIG - START, CONFIG, TOTAL - CONFIG)
    image[6 * SECTOR : 7 * SECTOR] = head
    database = struct.pack(">4s3I", b"VMDB", 9, FRAGMENT, SECTOR).ljust(SECTOR, b"\0") + b"".join(_fragments(records))
    at = (CONFIG + 17) * SECTOR
    image[at : at + len(database)] = database
    return image


def _fragments(records: list[bytes]) -> list[bytes]:
    found = []
    for group, record in enumerate(records, 1):
        step = FRAGMENT - 16
        parts = [record[at : at + step] for at in range(0, len(record), step)]
        for number, part in enumerate(parts):
            found.append((struct.pack(">4sIIHH", b"VBLK", 1, group, number, len(parts)) + part).ljust(FRAGMENT, b"\0"))
    return found[::-1]
