"""The table ``Packages`` of an ``rpmdb.sqlite``, read page by page (SQLite's file format, fileformat2.html) without loading the file.

A database of a few thousand packages takes a hundred megabytes, of which the header heads are about a hundredth. Pages in the
write-ahead log take precedence, as in SQLite after a guest was powered off.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping
from functools import partial

from v2vlint.disk.fields import Fields
from v2vlint.facts.initramfs.decompress import Source
from v2vlint.facts.packages.rpmdb_files import RpmdbError
from v2vlint.model.dataclass import dataclass

MAX_DEPTH, MAX_READS, MAX_LOG = 20, 8, 256 << 20
_INTERIOR, _LEAF = 5, 13  # pages of table b-trees
# fileformat2.html: "The Database Header", "B-tree Pages", "Cell Payload Overflow Pages" and "The Write-Ahead Log".
_HEADER_SIZE, _HEADER = 100, Fields(">", page_size=(16, "H"), reserved=(20, "B"))
_PAGE, _POINTER = Fields(">", type=(0, "B"), cells=(3, "H"), right=(8, "I")), struct.Struct(">H")
_LEAF_HEAD, _INTERIOR_HEAD = 8, 12  # an interior page has the pointer to the right, in a leaf the cells' pointers start there
_INTERIOR_CELL, _FIRST_OVERFLOW = Fields(">", left=(0, "I")), Fields(">", page=(0, "I"))
_OVERFLOW_HEAD, _OVERFLOW = 4, Fields(">", next=(0, "I"))
_WAL_SIZE, _WAL = 32, Fields(">", magic=(0, "I"), salts=(16, "Q"))
_FRAME_SIZE, _FRAME = 24, Fields(">", page=(0, "I"), commit=(4, "I"), salts=(8, "Q"))
_WAL_MAGICS = (0x377F0682, 0x377F0683)

Head = Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class _Cell:
    size: int
    local: bytes
    overflow: int


class _Database:
    def __init__(self, source: Source, log: Source | None) -> None:
        self.source = source
        head = source.at(0, _HEADER_SIZE)
        if len(head) < _HEADER_SIZE or head[:16] != b"SQLite format 3\0":
            raise RpmdbError("is not an SQLite database")
        header = _HEADER.read(head)
        size = header["page_size"]
        self.page_size = 65536 if size == 1 else size  # 65536 does not fit into 16 bits
        if self.page_size < 512 or self.page_size & (self.page_size - 1):
            raise RpmdbError("has an impossible page size")
        self.usable = self.page_size - header["reserved"]  # less what is reserved at the end of each page
        self.log = log
        self.frames: Mapping[int, int] = _frames(log, self.page_size) if log and log.size > _WAL_SIZE else {}
        # A tree or chain of pages that leads in a circle would never end.
        self.reads_left = MAX_READS * (source.size // self.page_size + 64)

    def page(self, number: int) -> bytes:
        self.reads_left -= 1
        if self.reads_left < 0 or number < 1:
            raise RpmdbError("has a damaged page chain")
        if self.log is not None and number in self.frames:
            data = self.log.at(self.frames[number], self.page_size)
        else:
            data = self.source.at((number - 1) * self.page_size, self.page_size)
        if len(data) < self.page_size:
            raise RpmdbError("ends early")
        return data

    def cells(self, root: int, depth: int = 0) -> Iterator[_Cell]:
        """The rows of the table whose b-tree starts at page ``root``."""
        page, start = self.page(root), _HEADER_SIZE if root == 1 else 0  # page 1 begins with the header of the file
        fields = _PAGE.read(page, start)
        kind, count = fields["type"], fields["cells"]
        if kind not in (_INTERIOR, _LEAF) or depth > MAX_DEPTH:
            raise RpmdbError("has a damaged table")
        head = start + (_INTERIOR_HEAD if kind == _INTERIOR else _LEAF_HEAD)
        for index in range(min(count, (self.page_size - head) // _POINTER.size)):
            (offset,) = _POINTER.unpack_from(page, head + _POINTER.size * index)
            if kind == _LEAF:
                yield self.cell(page, offset)
            else:
                yield from self.cells(_INTERIOR_CELL.read(page, offset)["left"], depth + 1)
        if kind == _INTERIOR:
            yield from self.cells(fields["right"], depth + 1)

    def cell(self, page: bytes, offset: int) -> _Cell:
        size, offset = _varint(page, offset)
        _, offset = _varint(page, offset)
        # X and M of section "Cell Payload Overflow Pages": how much of a row is on its own page.
        most, least = self.usable - 35, (self.usable - 12) * 32 // 255 - 23
        if size <= most:
            return _Cell(size, page[offset : offset + size], 0)
        wanted = least + (size - least) % (self.usable - 4)
        local = wanted if wanted <= most else least
        return _Cell(size, page[offset : offset + local], _FIRST_OVERFLOW.read(page, offset + local)["page"])

    def payload(self, cell: _Cell, wanted: int) -> bytes:
        """The first ``wanted`` bytes of a row."""
        wanted = min(wanted, cell.size)
        parts, have, number = [cell.local], len(cell.local), cell.overflow
        while have < wanted and number:
            page = self.page(number)
            parts.append(page[_OVERFLOW_HEAD : self.usable])
            have += len(parts[-1])
            number = _OVERFLOW.read(page)["next"]
        return b"".join(parts)[:wanted]

    def column(self, cell: _Cell, start: int, wanted: int) -> bytes:
        """The first ``wanted`` bytes of the column that starts at ``start`` in a row."""
        return self.payload(cell, start + wanted)[start:]


def sqlite_blobs(source: Source, log: Source | None = None) -> Iterator[Head]:
    """The header blobs of the table ``Packages (hnum INTEGER PRIMARY KEY, blob BLOB)``."""
    database = _Database(source, log)
    for cell in database.cells(_root(database)):
        head = database.payload(cell, 64)
        size, offset = _varint(head, 0)
        types: list[int] = []
        while offset < size:
            kind, offset = _varint(head, offset)
            types.append(kind)
        # The key is in the row ID and NULL here; even types from 12 are BLOBs.
        if len(types) == 2 and types[1] >= 12 and not types[1] % 2:
            yield partial(database.column, cell, size + _width(types[0]))


def _root(database: _Database) -> int:
    for cell in database.cells(1):
        values = _record(database.payload(cell, 65536))
        # sqlite_schema: type, name, tbl_name, rootpage
        if len(values) > 3 and values[0] == b"table" and values[1] == b"Packages" and isinstance(values[3], int):
            return values[3]
    raise RpmdbError("has no table Packages")


def _record(data: bytes) -> list[bytes | int]:
    """The values of a small row. Integers of eight bytes and rarer types stay bytes."""
    size, offset = _varint(data, 0)
    position, values = size, list[bytes | int]()
    while offset < min(size, len(data)):
        kind, offset = _varint(data, offset)
        width = _width(kind)
        raw = data[position : position + width]
        position += width
        values.append(int.from_bytes(raw, "big") if kind in (1, 2, 3, 4) else kind - 8 if kind in (8, 9) else raw)
    return values


def _width(kind: int) -> int:
    return (kind - 12) // 2 if kind >= 12 else (0, 1, 2, 3, 4, 6, 8, 8, 0, 0, 0, 0)[kind]


def _varint(data: bytes, offset: int) -> tuple[int, int]:
    value = 0
    for index in range(9):
        if offset >= len(data):
            raise RpmdbError("has a damaged row")
        byte = data[offset]
        offset += 1
        if index == 8:
            return value << 8 | byte, offset
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            break
    return value, offset


def _frames(log: Source, page_size: int) -> Mapping[int, int]:
    """The offset of each page's last committed version in a write-ahead log. A frame with other salts ends the log."""
    head = log.at(0, _WAL_SIZE)
    # The last bit of the magic number is the byte order of the checksums, which are not verified.
    if len(head) < _WAL_SIZE or (wal := _WAL.read(head))["magic"] not in _WAL_MAGICS or log.size > MAX_LOG:
        return {}
    committed: dict[int, int] = {}
    pending: dict[int, int] = {}
    position = _WAL_SIZE
    while len(data := log.at(position, _FRAME_SIZE)) == _FRAME_SIZE and (frame := _FRAME.read(data))["salts"] == wal["salts"]:
        pending[frame["page"]] = position + _FRAME_SIZE
        if frame["commit"]:
            committed.update(pending)
            pending.clear()
        position += _FRAME_SIZE + page_size
    return committed
