"""Writes kmod's binary indexes (``modules.dep.bin``, ``modules.alias.bin``), the only form that modprobe and udev read.

The layout is that of libkmod's index, version 2.1, all numbers big-endian: magic, version, offset of the root node. A node has an optional
prefix string, optional children (first and last character, one offset each) and optional values (count, then priority and string each); the
top bits of the offset that refers to a node say which of these it has.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import field

from v2vlint.model.dataclass import dataclass

_MAGIC, _VERSION = 0xB007F457, 0x00020001
_PREFIX, _VALUES, _CHILDREN = 0x80000000, 0x40000000, 0x20000000


@dataclass
class _Node:
    prefix: bytes = b""
    values: list[tuple[int, bytes]] = field(default_factory=list)
    children: dict[int, _Node] = field(default_factory=dict)


def index(pairs: Iterable[tuple[str, str]]) -> bytes:
    """The index of (key, value) pairs. Keys must be ASCII; pairs with the same key get their priority from their order."""
    root = _Node()
    for priority, (key, value) in enumerate(pairs):
        _insert(root, key.encode("ascii"), (priority, value.encode()))
    out = bytearray(struct.pack(">III", _MAGIC, _VERSION, 0))
    struct.pack_into(">I", out, 8, _write(root, out))
    return bytes(out)


def _insert(node: _Node, key: bytes, value: tuple[int, bytes]) -> None:
    while True:
        shared = _shared(node.prefix, key)
        if shared < len(node.prefix):
            rest = _Node(node.prefix[shared + 1 :], node.values, node.children)
            node.children, node.values = {node.prefix[shared]: rest}, []
            node.prefix = node.prefix[:shared]
        if shared == len(key):
            node.values.append(value)
            return
        letter, key = key[shared], key[shared + 1 :]
        if letter not in node.children:
            node.children[letter] = _Node(key, [value])
            return
        node = node.children[letter]


def _shared(a: bytes, b: bytes) -> int:
    limit = min(len(a), len(b))
    return next((position for position in range(limit) if a[position] != b[position]), limit)


def _write(node: _Node, out: bytearray) -> int:
    # Children first: the node has their offsets. Characters in between without a child have the offset 0.
    offsets = {letter: _write(child, out) for letter, child in node.children.items()}
    here = len(out)
    if node.prefix:
        out += node.prefix + b"\0"
        here |= _PREFIX
    if offsets:
        first, last = min(offsets), max(offsets)
        out += struct.pack("BB", first, last)
        out += b"".join(struct.pack(">I", offsets.get(letter, 0)) for letter in range(first, last + 1))
        here |= _CHILDREN
    if node.values:
        out += struct.pack(">I", len(node.values))
        for priority, value in node.values:
            out += struct.pack(">I", priority) + value + b"\0"
        here |= _VALUES
    return here
