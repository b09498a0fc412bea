"""Hyper-V's binary configuration (.vmcx): a key-value store with a tree of keys. Microsoft does not document it; the layout is known from
dissect.

The file has two headers, of which the one with the higher number is valid; a table of objects; and tables of keys, whose entries refer to
their parents.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import ImageError, Unsupported
from v2vlint.model.plain import JsonObject

MAX_VMCX = 16 << 20
MAX_KEYS = 50_000
MAX_TABLES = 1000
# HyperVStorageHeader of dissect.hypervisor (descriptor/c_hyperv.py), as all of the following.
_HEADER = struct.Struct("<IIHIQIQQI")
_SIGNATURE, _OBJECTS, _KEYS = 0x01282014, 0x01110001, 2
# HyperVStorageObjectTable: signature, number of entries, which follow.
_OBJECT_TABLE = struct.Struct("<II")
# HyperVStorageObjectTableEntry: type, checksum, offset, size, allocated.
_OBJECT = struct.Struct("<BIQIB")
# HyperVStorageKeyTable: signature, index, sequence number, checksum.
_TABLE = struct.Struct("<HHHI")
# HyperVStorageKeyTableEntryHeader: type, size, table and offset of the parent, checksum, insertion sequence, offset of the value.
_ENTRY = struct.Struct("<HIHIIIB")
# KeyDataType; in the byte above it, KeyDataFlag.FileObjectPointer.
_FREE, _INT, _UNSIGNED, _DOUBLE, _STRING, _BOOL, _NODE = 1, 3, 4, 5, 6, 8, 9
_ELSEWHERE = 0x100
# A text is preceded by its size; with FileObjectPointer, the size is followed by the text's offset in the file.
_TEXT_SIZE, _TEXT_OFFSET = struct.Struct("<I"), struct.Struct("<Q")
_NUMBERS = {_INT: "<q", _UNSIGNED: "<Q", _DOUBLE: "<d", _BOOL: "<I"}

Tree = JsonObject
"""Keys with their values: texts, numbers, or further trees."""


@dataclass(frozen=True, slots=True)
class _Key:
    name: str
    kind: int
    parent: tuple[int, int]
    value: object


def is_storage(head: bytes) -> bool:
    """Whether a file starts like such a store."""
    return head[:4] == _SIGNATURE.to_bytes(4, "little")


def read_storage(where: str, data: bytes) -> Tree:
    """The tree in a store; ImageError when it is damaged, Unsupported for another version."""
    try:
        return _linked(_tables(where, data))
    except (struct.error, IndexError, UnicodeDecodeError, RecursionError) as error:
        raise ImageError(f"{where}: damaged configuration ({error})") from error


def _tables(where: str, data: bytes) -> dict[tuple[int, int], _Key]:
    """All keys by their table and their place in it. Of tables with the same number, the latest one counts."""
    headers = [found for at in (0, 0x1000) if len(data) >= at + _HEADER.size and (found := _HEADER.unpack_from(data, at))[0] == _SIGNATURE]
    if not headers:
        raise ImageError(f"{where}: not a configuration of Hyper-V's")
    if (version := max(headers, key=lambda one: one[2])[3]) != 0x400:
        raise Unsupported(f"{where}: configuration of version {version:#x}", hint="export the machine from a current Hyper-V")
    latest: dict[int, tuple[int, int, int]] = {}
    for offset, size in _objects(data):
        signature, index, sequence, _checksum = _TABLE.unpack_from(data, offset)
        if signature == _KEYS and (index not in latest or sequence > latest[index][0]):
            latest[index] = (sequence, offset, size)
    return {(index, at): key for index, (_sequence, offset, size) in latest.items() for at, key in _keys(where, data, offset, size)}


def _objects(data: bytes) -> Iterator[tuple[int, int]]:
    """The place and size of every table of keys."""
    waiting, seen = [0x2000], set[int]()
    while waiting and len(seen) < MAX_TABLES:
        at = waiting.pop()
        signature, count = _OBJECT_TABLE.unpack_from(data, at)
        # A hostile file may have tables that lead in a circle.
        if signature != _OBJECTS or at in seen:
            continue
        seen.add(at)
        for number in range(min(count, MAX_TABLES)):
            kind, _checksum, offset, size, allocated = _OBJECT.unpack_from(data, at + _OBJECT_TABLE.size + number * _OBJECT.size)
            if allocated and kind == 1:
                waiting.append(offset)
            elif allocated and kind == 2:
                yield offset, size


def _keys(where: str, data: bytes, offset: int, size: int) -> Iterator[tuple[int, _Key]]:
    """The entries of one table, each with its place in it."""
    at = _TABLE.size
    for _number in range(MAX_KEYS):
        if at + _ENTRY.size > size:
            return
        kind, length, table, parent, _checksum, _inserted, value_at = _ENTRY.unpack_from(data, offset + at)
        if length < _ENTRY.size:
            return
        raw = data[offset + at + _ENTRY.size : offset + at + length]
        if kind & 0xFF != _FREE:
            name = raw[:value_at].partition(b"\0")[0].decode("utf-8")
            yield at, _Key(name, kind & 0xFF, (table, parent), _value(data, kind, raw[value_at:]))
        at += length
    raise ImageError(f"{where}: more than {MAX_KEYS} keys")


def _value(data: bytes, kind: int, raw: bytes) -> object:
    """The value of an entry. Long texts are stored elsewhere in the file; short ones are preceded by their length."""
    plain = kind & 0xFF
    if plain in _NUMBERS:
        number = struct.unpack_from(_NUMBERS[plain], raw)[0]
        return bool(number) if plain == _BOOL else number
    if plain == _NODE:
        return {}
    (size,) = _TEXT_SIZE.unpack_from(raw)
    if kind & _ELSEWHERE:
        (offset,) = _TEXT_OFFSET.unpack_from(raw, _TEXT_SIZE.size)
        text = data[offset : offset + size]
    else:
        text = raw[_TEXT_SIZE.size : _TEXT_SIZE.size + size]
    return text[: len(text) & ~1].decode("utf-16-le", "replace").rstrip("\0") if plain == _STRING else ""


def _linked(keys: dict[tuple[int, int], _Key]) -> Tree:
    """The keys below their parents; a key without a parent is left out."""
    root: Tree = {}
    nodes = {place: key.value for place, key in keys.items() if isinstance(key.value, dict)}
    for key in keys.values():
        above = root if not key.parent[0] else nodes.get(key.parent)
        if above is not None:
            above.setdefault(key.name, key.value)
    return root
