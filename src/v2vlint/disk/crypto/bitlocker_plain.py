"""The plain content of a BitLocker volume: its layout and ciphers."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from v2vlint.disk.crypto.bitlocker_metadata import Metadata
from v2vlint.disk.crypto.cbc import CbcStream
from v2vlint.disk.crypto.xts import XtsStream
from v2vlint.disk.stream import Joined, MemoryStream, Piece, Stream
from v2vlint.model.errors import Unsupported

_SETTLE = "start Windows and let it finish (manage-bde -status shows how far it is), then shut it down"
_VISTA_PLAIN = 0x2000
_AREA = 1 << 16
_XTS = {0x8004: 32, 0x8005: 64}
_CBC = {0x8000: 128, 0x8001: 256, 0x8002: 128, 0x8003: 256}
_DIFFUSED = (0x8000, 0x8001)


def plain_content(base: Stream, found: Metadata, key_type: int = 0, key: bytes = b"") -> Stream:
    """The filesystem. BitLocker's own areas read as zeros; parts that are not encrypted (yet) are returned unchanged.

    Unsupported when it is unknown which parts of the volume are encrypted.
    """
    if found.on_write:
        reason = "BitLocker has not converted all of this volume, and which parts are encrypted is not supported"
        raise Unsupported(reason, hint=_SETTLE)
    if found.torn:
        raise Unsupported("BitLocker was stopped while it was converting this volume, which is not supported", hint=_SETTLE)
    mixed = base if found.plain else Joined(_mixed(base, decrypted(base, found.sector, key_type, key), found))
    return Joined(_pieces(base, mixed, found))


def _mixed(base: Stream, clear: Stream, found: Metadata) -> Iterator[Piece]:
    """A partly converted volume: it is encrypted up to a mark, which reaches the end when conversion is complete."""
    mark = min(int(found.information.state_offset) or base.size, base.size)
    yield Piece(mark, clear)
    yield Piece(base.size - mark, base, mark)


def _pieces(base: Stream, mixed: Stream, found: Metadata) -> Iterator[Piece]:
    position = 0
    for piece in _beginning(base, mixed, found):
        yield piece
        position += piece.size
    for start, size in _areas(found):
        if start + size <= position or start >= base.size:
            continue
        if start > position:
            yield Piece(start - position, mixed, position)
        position = max(position, start)
        end = min(start + size, base.size)
        yield Piece(end - position, None)
        position = end
    yield Piece(base.size - position, mixed, position)


def _beginning(base: Stream, mixed: Stream, found: Metadata) -> Iterator[Piece]:
    """The first sectors are stored elsewhere, encrypted. Vista leaves them in place, unencrypted, and changes two fields of the first."""
    header = found.information.header
    if found.version == 1:
        first = bytearray(base.read_at(0, found.sector))
        first[3:11] = b"NTFS    "
        first[0x38:0x40] = struct.pack("<Q", int(header.Mft2StartLcn))
        yield Piece(len(first), MemoryStream(bytes(first)))
        yield Piece(min(_VISTA_PLAIN, base.size) - len(first), base, len(first))
        return
    size = min(int(header.VirtualizedSectors) * found.sector, base.size)
    yield Piece(size, mixed, int(header.VirtualizedBlockOffset))


def _areas(found: Metadata) -> list[tuple[int, int]]:
    """The offset and size of BitLocker's own areas, in order."""
    header = found.information.header
    # 16 KiB in Vista, 64 KiB later, rounded up to whole units.
    unit, room = (found.cluster, 0x3FFF) if found.version == 1 else (found.sector, 0xFFFF)
    size = (unit + room) // unit * unit
    areas = [(int(offset), size) for offset in header.InformationOffset]
    if found.version != 1:
        areas.append((int(header.VirtualizedBlockOffset), (int(header.VirtualizedSectors) or 1) * found.sector))
    return sorted(set(areas))


def decrypted(base: Stream, sector: int, key_type: int, key: bytes) -> Stream:
    """``base`` decrypted in place, as a whole."""
    if len(key) == _XTS.get(key_type):
        return XtsStream(base, key, 0, base.size, sector, unit=sector)
    bits = _CBC.get(key_type, 0)
    diffuser = key[32 : 32 + bits // 8] if key_type in _DIFFUSED else b""
    if not bits or len(key) != (64 if diffuser else bits // 8):
        raise Unsupported(f"BitLocker's method 0x{key_type:04x} with a key of {8 * len(key)} bits is not supported")
    return CbcStream(base, key[: bits // 8], sector, diffuser)
