"""Device-mapper's persistent data (drivers/md/persistent-data): B-trees and arrays in blocks of 4,096 bytes, thin pools and caches."""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator
from itertools import pairwise

from v2vlint.disk.fields import Fields
from v2vlint.disk.stream import Chunked, Stream, exactly
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import ImageError

BLOCK = 4096
THIN_MAGIC, CACHE_MAGIC = 27022010, 0o6142003
"""The second one begins with a zero in dm-cache-metadata.c, so that it is octal."""
# struct node_header (dm-btree-internal.h) and struct array_block (dm-array.c), each followed by its entries.
_NODE, _NODE_SIZE = Fields("<", flags=(4, "I"), blocknr=(8, "Q"), nr_entries=(16, "I"), max_entries=(20, "I"), value_size=(24, "I")), 32
_INTERNAL_NODE, _LEAF_NODE = 1, 2
_ARRAY, _ARRAY_SIZE = Fields("<", max_entries=(4, "I"), nr_entries=(8, "I"), value_size=(12, "I")), 24
_VALUE = 8
"""Bytes of a key, and of a value where it is a number."""
# struct thin_disk_superblock (dm-thin-metadata.c) and cache_disk_superblock (dm-cache-metadata.c).
_THIN = Fields("<", magic=(32, "Q"), data_mapping_root=(320, "Q"), data_block_size=(336, "I"))
_CACHE = Fields("<", magic=(32, "Q"), mapping_root=(192, "Q"), data_block_size=(232, "I"))
MAX_DEPTH = 12
MAX_MAPPINGS = 4_000_000
MAX_NODES = 4096


@dataclass(frozen=True, slots=True)
class _Node:
    leaf: bool
    keys: tuple[int, ...]
    values: tuple[int, ...]


class MetadataTrees:
    """B-trees of 64-bit values on a metadata device. ImageError for an invalid node."""

    def __init__(self, base: Stream) -> None:
        self._base = base
        self._nodes: OrderedDict[int, _Node] = OrderedDict()

    def lookup(self, root: int, key: int) -> int | None:
        """The value of ``key`` in the tree at block ``root``, or None."""
        for _level in range(MAX_DEPTH):
            node = self._node(root)
            index = bisect_right(node.keys, key) - 1
            if index < 0:
                return None
            if node.leaf:
                return node.values[index] if node.keys[index] == key else None
            root = node.values[index]
        raise ImageError("damaged device-mapper metadata (tree too deep)")

    def items(self, root: int, depth: int = 0) -> Iterator[tuple[int, int]]:
        """Every key and value, in key order."""
        if depth > MAX_DEPTH:
            raise ImageError("damaged device-mapper metadata (tree too deep)")
        node = self._node(root)
        for key, value in zip(node.keys, node.values, strict=True):
            if node.leaf:
                yield key, value
            else:
                yield from self.items(value, depth + 1)

    def _node(self, number: int) -> _Node:
        if number in self._nodes:
            self._nodes.move_to_end(number)
            return self._nodes[number]
        data = exactly(self._base, number * BLOCK, BLOCK)
        found = _NODE.read(data)
        flags, count, room = found["flags"], found["nr_entries"], found["max_entries"]
        fits = count <= room and _NODE_SIZE + room * 2 * _VALUE <= BLOCK and found["value_size"] == _VALUE
        if flags not in (_INTERNAL_NODE, _LEAF_NODE) or found["blocknr"] != number or not fits:
            raise ImageError(f"damaged device-mapper metadata (block {number})")
        keys = struct.unpack_from(f"<{count}Q", data, _NODE_SIZE)
        values = struct.unpack_from(f"<{count}Q", data, _NODE_SIZE + room * _VALUE)
        # Keys out of order would be missed by the search.
        if any(one >= other for one, other in pairwise(keys)):
            raise ImageError(f"damaged device-mapper metadata (block {number})")
        node = self._nodes[number] = _Node(flags == _LEAF_NODE, keys, values)
        if len(self._nodes) > MAX_NODES:
            self._nodes.popitem(last=False)
        return node


class Thin(Chunked):
    """One thin volume of a pool, ``size`` bytes. Blocks that were never written come from ``origin``, or are zeros."""

    def __init__(self, metadata: Stream, data: Stream, device: int, size: int, origin: Stream | None = None) -> None:
        head = metadata.read_at(0, BLOCK)
        if len(head) < BLOCK or (found := _THIN.read(head))["magic"] != THIN_MAGIC:
            raise ImageError("damaged LVM thin pool (no superblock)")
        sectors = found["data_block_size"]
        # DATA_DEV_BLOCK_SIZE_MIN_SECTORS and _MAX_SECTORS of dm-thin.c.
        if not 128 <= sectors <= 1 << 21 or sectors % 128:
            raise ImageError(f"damaged LVM thin pool (blocks of {sectors} sectors)")
        self._tree, self._data, self._origin = MetadataTrees(metadata), data, origin
        # The top tree leads from devices to the trees of their blocks.
        self._root = self._tree.lookup(found["data_mapping_root"], device)
        if self._root is None:
            raise ImageError(f"the LVM thin pool has no device {device}")
        super().__init__(size, sectors * 512)

    def piece(self, number: int, inside: int, count: int) -> bytes:
        """See :class:`~v2vlint.disk.stream.Chunked`."""
        assert self._root is not None
        found = self._tree.lookup(self._root, number)
        if found is None:
            return exactly(self._origin, number * self._chunk + inside, count)
        # The lower 24 bits are the time of the mapping (unpack_block_time()).
        return exactly(self._data, (found >> 24) * self._chunk + inside, count)


class LvmCache(Chunked):
    """An LVM cache in front of ``origin``. Cached blocks are read from the cache, as they may not have been written back."""

    def __init__(self, metadata: Stream, data: Stream, origin: Stream, size: int) -> None:
        head = metadata.read_at(0, BLOCK)
        if len(head) < BLOCK or (found := _CACHE.read(head))["magic"] != CACHE_MAGIC:
            raise ImageError("damaged LVM cache (no superblock)")
        sectors = found["data_block_size"]
        if not 64 <= sectors <= 1 << 21:
            raise ImageError(f"damaged LVM cache (blocks of {sectors} sectors)")
        super().__init__(size, sectors * 512)
        self._data, self._origin = data, origin
        # Flags are in the lower 16 bits, of which the first is M_VALID (unpack_value() of dm-cache-metadata.c).
        self._mapped = {value >> 16: block for block, value in _array(metadata, found["mapping_root"]) if value & 1}

    def piece(self, number: int, inside: int, count: int) -> bytes:
        """See :class:`~v2vlint.disk.stream.Chunked`."""
        block = self._mapped.get(number)
        if block is None:
            return exactly(self._origin, number * self._chunk + inside, count)
        return exactly(self._data, block * self._chunk + inside, count)


def _array(base: Stream, root: int) -> Iterator[tuple[int, int]]:
    """The entries of an array of 64-bit values (dm-array.c), with their numbers."""
    number = 0
    for _key, block in MetadataTrees(base).items(root):
        data = exactly(base, block * BLOCK, BLOCK)
        found = _ARRAY.read(data)
        room, count = found["max_entries"], found["nr_entries"]
        if found["value_size"] != _VALUE or not count <= room <= (BLOCK - _ARRAY_SIZE) // _VALUE:
            raise ImageError(f"damaged device-mapper metadata (block {block})")
        for value in struct.unpack_from(f"<{count}Q", data, _ARRAY_SIZE):
            yield number, value
            number += 1
            if number > MAX_MAPPINGS:
                raise ImageError(f"more than {MAX_MAPPINGS} mappings in an LVM cache")
