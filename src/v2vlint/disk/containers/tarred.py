"""disk.raw in a tar archive, as imported by Google Compute Engine: read in place, including the holes of GNU tar (``tar --sparse``)."""

from __future__ import annotations

from collections.abc import Iterator

from v2vlint.disk.stream import Joined, Piece, Slice, Stream
from v2vlint.model.errors import ImageError, Unsupported

NAME = b"disk.raw"
MAX_PARTS = 1 << 20
_BLOCK = 512
_PLAIN, _SPARSE = (b"0", b"\0"), b"S"
_BESIDE = (b"g", b"x", b"L")
"""Members that describe the next one."""
_MOST_BESIDE = 8
# struct posix_header, and of GNU tar: struct oldgnu_header, whose map goes on in struct sparse_header (src/tar.h).
_MAGIC_AT = 257
_MEMBER_NAME, _SIZE, _TYPEFLAG = slice(0, 100), slice(124, 136), slice(156, 157)
_SP, _IS_EXTENDED, _REAL_SIZE = slice(386, 482), 482, slice(483, 495)
_MORE_SP, _MORE_IS_EXTENDED = slice(0, 504), 504
_ENTRY_SIZE = 24


def holds_disk(base: Stream) -> bool:
    """Whether ``base`` is an archive whose first member is disk.raw."""
    return base.read_at(_MAGIC_AT, 5) == b"ustar" and _header(base)[1] is not None


def open_tarred(name: str, base: Stream) -> Stream:
    """The disk in the archive ``base``."""
    at, header = _header(base)
    if header is None:
        raise ImageError(f"{name}: there is no disk.raw at the start of the archive")
    kind, stored = header[_TYPEFLAG], _number(name, header[_SIZE])
    if kind in _PLAIN:
        if at + _BLOCK + stored > base.size:
            raise ImageError(f"{name}: truncated (disk.raw has {stored} bytes, which the archive has not)")
        return Slice(base, at + _BLOCK, stored)
    if kind != _SPARSE:
        raise Unsupported(f"{name}: disk.raw is a member of type {kind.decode('latin-1')!r}", hint="pack it with tar --format=oldgnu -S")
    return Joined(list(_pieces(name, base, at, header)))


def _header(base: Stream) -> tuple[int, bytes | None]:
    """The position and the header of the disk."""
    at = 0
    for _member in range(_MOST_BESIDE):
        header = base.read_at(at, _BLOCK)
        if len(header) < _BLOCK:
            break
        if header[_MEMBER_NAME].rstrip(b"\0").removeprefix(b"./") == NAME:
            return at, header
        if header[_TYPEFLAG] not in _BESIDE:
            break
        at += _BLOCK + -(-_number("", header[_SIZE]) // _BLOCK) * _BLOCK
    return at, None


def _number(name: str, field: bytes) -> int:
    """A number in octal, or in GNU tar's encoding of large ones."""
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    digits = field.strip(b" \0")
    if set(digits) - set(b"01234567"):
        raise ImageError(f"{name}: damaged archive (a size is no number)")
    return int(digits or b"0", 8)


def _pieces(name: str, base: Stream, at: int, header: bytes) -> Iterator[Piece]:
    """Data and holes in order. GNU tar's map gives the offset and size of each part; the parts are stored back to back."""
    # struct oldgnu_header: four entries, whether more follow, and the size with holes. A further block has 21 entries.
    real, entries, end = _number(name, header[_REAL_SIZE]), header[_SP], header[_IS_EXTENDED]
    data = at + _BLOCK
    while end:
        block = base.read_at(data, _BLOCK)
        if len(block) < _BLOCK or len(entries) > MAX_PARTS * _ENTRY_SIZE:
            raise ImageError(f"{name}: damaged archive (its map of holes)")
        entries, end, data = entries + block[_MORE_SP], block[_MORE_IS_EXTENDED], data + _BLOCK
    position = 0
    for index in range(0, len(entries), _ENTRY_SIZE):
        start, size = _number(name, entries[index : index + 12]), _number(name, entries[index + 12 : index + _ENTRY_SIZE])
        if not size:
            continue
        if start < position or start + size > real or data + size > base.size:
            raise ImageError(f"{name}: truncated or damaged (a part of disk.raw lies beyond its end)")
        if start > position:
            yield Piece(start - position, None)
        yield Piece(size, Slice(base, data, size))
        position, data = start + size, data + -(-size // _BLOCK) * _BLOCK
    if real > position:
        yield Piece(real - position, None)
