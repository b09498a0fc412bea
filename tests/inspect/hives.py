"""Registry hives written from a few literals: regf with one bin, keys (nk) in lf lists, values (vk)."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import TypeAlias

Value: TypeAlias = str | int | bytes | list[str]
Tree: TypeAlias = "Mapping[str, Value | Tree]"
_NONE = 0xFFFFFFFF


class _Cells:
    """The cells of a hive; offsets count from the first bin, whose header they follow."""

    def __init__(self) -> None:
        self.data = bytearray(32)

    def add(self, content: bytes) -> int:
        size = -(-(len(content) + 4) // 8) * 8
        offset = len(self.data)
        self.data += struct.pack("<i", -size) + content.ljust(size - 4, b"\0")
        return offset


def hive(tree: Tree) -> bytes:
    """The bytes of a hive; a mapping is a key, anything else a value (text, number, binary, list of texts)."""
    cells = _Cells()
    root = _key(cells, "ROOT", tree, flags=0x2C)
    size = -(-len(cells.data) // 4096) * 4096
    if free := size - len(cells.data):
        cells.data += struct.pack("<i", free).ljust(free, b"\0")
    cells.data[:32] = struct.pack("<4sIIIIIII", b"hbin", 0, size, 0, 0, 0, 0, 0)
    head = struct.pack("<4sIIQ6I", b"regf", 1, 1, 0, 1, 5, 0, 1, root, size) + struct.pack("<I", 1)
    total = head.ljust(508, b"\0")
    checksum = 0
    for word in struct.unpack("<127I", total):
        checksum ^= word
    return (total + struct.pack("<I", checksum)).ljust(4096, b"\0") + bytes(cells.data)


def _key(cells: _Cells, name: str, tree: Tree, flags: int = 0x20) -> int:
    keys = {key: item for key, item in tree.items() if isinstance(item, Mapping)}
    children = [(key, _key(cells, key, item)) for key, item in sorted(keys.items(), key=lambda one: one[0].upper())]
    values = [_value(cells, key, item) for key, item in tree.items() if not isinstance(item, Mapping)]
    subkeys = cells.add(b"lf" + struct.pack("<H", len(children)) + b"".join(map(_hint, children))) if children else _NONE
    listed = cells.add(struct.pack(f"<{len(values)}I", *values)) if values else _NONE
    text = name.encode("latin-1")
    head = struct.pack("<2sHQ15IHH", b"nk", flags, 0, 0, _NONE, len(children), 0, subkeys, _NONE, len(values), listed, _NONE,
                       _NONE, 0, 0, 0, 0, 0, len(text), 0)  # fmt: skip
    return cells.add(head + text)


def _hint(child: tuple[str, int]) -> bytes:
    return struct.pack("<I", child[1]) + child[0].encode("latin-1")[:4].ljust(4, b"\0")


def _value(cells: _Cells, name: str, item: Value) -> int:
    kind, data = _encoded(item)
    if len(data) <= 4:
        size, place = len(data) | 0x80000000, int.from_bytes(data.ljust(4, b"\0"), "little")
    else:
        size, place = len(data), cells.add(data)
    text = name.encode("latin-1")
    return cells.add(struct.pack("<2sHIIIHH", b"vk", len(text), size, place, kind, 1, 0) + text)


def _encoded(item: Value) -> tuple[int, bytes]:
    if isinstance(item, int):
        return 4, struct.pack("<I", item)
    if isinstance(item, bytes):
        return 3, item
    if isinstance(item, list):
        return 7, "".join(f"{one}\0" for one in [*item, ""]).encode("utf-16-le")
    return 1, f"{item}\0".encode("utf-16-le")
