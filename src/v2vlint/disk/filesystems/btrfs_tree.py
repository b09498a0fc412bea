"""btrfs below the level of files (fs/btrfs/ctree.h of Linux): superblocks, the chunk map over several devices, and B-tree search."""

from __future__ import annotations

import functools
import struct
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Iterator, Sequence

from v2vlint.disk.fields import Fields
from v2vlint.disk.filesystems.superblocks import BTRFS, BTRFS_SYS_CHUNK_ARRAY
from v2vlint.disk.stream import Stream, exactly
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import ImageError, Unsupported

Key = tuple[int, int, int]
_END: Key = (1 << 64, 0, 0)

MAX_NODE = 65536  # BTRFS_MAX_METADATA_BLOCKSIZE
MAX_LEVEL = 8  # BTRFS_MAX_LEVEL
MAX_CHUNKS = 1 << 18
CHUNK_TREE_OBJECT = 256
CHUNK_ITEM = 228
# struct btrfs_header, struct btrfs_chunk, struct btrfs_stripe (include/uapi/linux/btrfs_tree.h), all packed.
_HEADER, _HEADER_SIZE = Fields("<", bytenr=(48, "Q"), nritems=(96, "I"), level=(100, "B")), 101
_CHUNK = Fields("<", length=(0, "Q"), stripe_len=(16, "Q"), type=(24, "Q"), num_stripes=(44, "H"), sub_stripes=(46, "H"))
_CHUNK_SIZE = 48
"""Up to the first stripe."""
_STRIPE, _STRIPE_SIZE = Fields("<", devid=(0, "Q"), offset=(8, "Q")), 32
# struct btrfs_disk_key, and what follows it: in struct btrfs_item an offset and a size, in struct btrfs_key_ptr a block and its generation.
_KEY, _ITEM, _KEY_PTR = struct.Struct("<QBQ"), struct.Struct("<QBQII"), struct.Struct("<QBQQQ")
_CACHED_NODES = 1024
# BTRFS_FEATURE_INCOMPAT_MIXED_BACKREF to _ZONED, and _SIMPLE_QUOTA.
_KNOWN_INCOMPAT = 0x1FFF | 0x10000
_NAMES = {0x2000: "extent tree v2", 0x4000: "RAID stripe tree"}
_RAID0, _RAID10, _RAID5, _RAID6 = 8, 0x40, 0x80, 0x100


@dataclass(frozen=True, slots=True)
class Chunk:
    """A range of the logical address space and its stripes: (device id, byte offset on the device)."""

    start: int
    size: int
    stripe: int
    profile: int
    sub_stripes: int
    stripes: tuple[tuple[int, int], ...]

    def places(self, offset: int) -> tuple[Sequence[tuple[int, int]], int]:
        """Where byte ``offset`` of the chunk is stored (in several places for mirrors), and how many bytes follow it there."""
        count = len(self.stripes)
        row, inside = divmod(offset, self.stripe)
        rest = self.stripe - inside
        if self.profile & _RAID10:
            group = max(1, self.sub_stripes)
            row, index = divmod(row, max(1, count // group))
            chosen = self.stripes[index * group : index * group + group]
        elif self.profile & _RAID0:
            row, index = divmod(row, count)
            chosen = self.stripes[index : index + 1]
        elif self.profile & (_RAID5 | _RAID6):
            row, index = divmod(row, max(1, count - (1 if self.profile & _RAID5 else 2)))
            # Parity rotates, and data with it: each row starts one device further on.
            chosen = (self.stripes[(row + index) % count],)
        else:
            return [(device, at + offset) for device, at in self.stripes], self.size - offset
        return [(device, at + row * self.stripe + inside) for device, at in chosen], rest


_SUPERBLOCKS = (64 << 10, 64 << 20, 256 << 30)
"""The places of the superblock and its copies (btrfs_sb_offset())."""


@dataclass(frozen=True, slots=True)
class TreeBlock:
    """A tree block: its keys with the position of their data in a leaf, or with the blocks below in an inner node."""

    level: int
    keys: list[Key]
    places: list[tuple[int, int]]
    data: bytes


def _superblock(stream: Stream, copies: bool) -> bytes:
    """The superblock in use; empty when there is none."""
    best = b""
    for place in _SUPERBLOCKS if copies else _SUPERBLOCKS[:1]:
        block = stream.read_at(place, 4096)
        if len(block) < 4096 or block[64:72] != b"_BHRfS_M":
            break
        if not best or BTRFS.read(block)["generation"] > BTRFS.read(best)["generation"]:
            best = block
    return best


class BtrfsVolume:
    """The logical address space of a btrfs over its devices, and its trees.

    ``copies``: the newest copy of the superblock counts, as for GRUB (``read_sblock()``); Linux reads the first one.
    """

    def __init__(self, streams: Sequence[Stream], *, copies: bool = False) -> None:
        self._streams = streams
        blocks = [(stream, block) for stream in streams if (block := _superblock(stream, copies))]
        if not blocks:
            raise ImageError("no btrfs superblock")
        self._devices = {BTRFS.read(block)["dev_item_devid"]: stream for stream, block in blocks}
        # A device that was missing for a while has an older superblock.
        newest = max((block for _stream, block in blocks), key=lambda block: BTRFS.read(block)["generation"])
        found = BTRFS.read(newest)
        self.generation = found["generation"]
        self.root, self.log_root, self.device_count = found["root"], found["log_root"], found["num_devices"]
        self.chunk_root = found["chunk_root"]
        self.sector, self.node_size, self.total_bytes = found["sectorsize"], found["nodesize"], found["total_bytes"]
        self._check(found["incompat_flags"])
        self._nodes: OrderedDict[int, TreeBlock] = OrderedDict()
        self._starts: list[int] = []
        self._chunks: list[Chunk] = []
        size = min(found["sys_chunk_array_size"], 2048)
        array = newest[BTRFS_SYS_CHUNK_ARRAY : BTRFS_SYS_CHUNK_ARRAY + size]
        # These few (at most BTRFS_SYSTEM_CHUNK_ARRAY_SIZE bytes) are what it takes to read the chunk tree, which has the rest.
        for key, data in _system_chunks(array):
            self._add(key, data)
        for key, data in list(self.scan(self.chunk_root, (CHUNK_TREE_OBJECT, CHUNK_ITEM, 0))):
            if key[:2] == (CHUNK_TREE_OBJECT, CHUNK_ITEM):
                self._add(key, data)

    @functools.cached_property
    def newer_copy(self) -> BtrfsVolume | None:
        """What GRUB sees instead, where a copy of the superblock is newer than the first: the disk was copied while one was written."""
        blocks = (block for stream in self._streams if (block := _superblock(stream, copies=True)))
        newer = max((BTRFS.read(block)["generation"] for block in blocks), default=0) > self.generation
        return BtrfsVolume(self._streams, copies=True) if newer else None

    def _check(self, incompat: int) -> None:
        if unknown := incompat & ~_KNOWN_INCOMPAT:
            names = [name for bit, name in _NAMES.items() if unknown & bit] or [f"incompatible features {unknown:#x}"]
            raise Unsupported(f"btrfs with {', '.join(names)} is not supported")
        if not 4096 <= self.node_size <= MAX_NODE or not 512 <= self.sector <= MAX_NODE:
            raise ImageError("damaged btrfs superblock")

    def _add(self, key: Key, data: bytes) -> None:
        found = _CHUNK.read(data)
        size, stripe = found["length"], found["stripe_len"]
        each = (_STRIPE.read(data, _CHUNK_SIZE + _STRIPE_SIZE * index) for index in range(found["num_stripes"]))
        stripes = tuple((one["devid"], one["offset"]) for one in each)
        if not size or not stripe or not stripes or len(self._chunks) >= MAX_CHUNKS:
            raise ImageError("damaged btrfs chunk")
        index = bisect_right(self._starts, key[2])
        # The chunk tree repeats those of the superblock.
        if index and self._chunks[index - 1].start == key[2]:
            return
        self._starts.insert(index, key[2])
        self._chunks.insert(index, Chunk(key[2], size, stripe, found["type"], found["sub_stripes"], stripes))

    @property
    def chunk_starts(self) -> tuple[int, ...]:
        """The logical addresses at which chunks begin, in order."""
        return tuple(self._starts)

    @property
    def missing(self) -> str:
        """Which devices are missing, in words; empty when all are present."""
        count = self.device_count - len(self._devices)
        return f"{count} of {self.device_count} btrfs devices are missing" if count > 0 else ""

    def read(self, address: int, length: int) -> bytes:
        """``length`` bytes starting at the logical ``address``."""
        parts: list[bytes] = []
        while length > 0:
            index = bisect_right(self._starts, address) - 1
            if index < 0 or address >= self._chunks[index].start + self._chunks[index].size:
                raise ImageError(f"btrfs address {address} is in no chunk")
            chunk = self._chunks[index]
            places, rest = chunk.places(address - chunk.start)
            count = min(length, rest, chunk.start + chunk.size - address)
            parts.append(self._read_one(places, count))
            address, length = address + count, length - count
        return b"".join(parts)

    def _read_one(self, places: Sequence[tuple[int, int]], count: int) -> bytes:
        # Checksums are not verified, so the first copy that is present has to do.
        for device, offset in places:
            if device in self._devices:
                return exactly(self._devices[device], offset, count)
        raise ImageError(self.missing or "damaged btrfs chunk map")

    def node(self, address: int) -> TreeBlock:
        """The tree block at a logical address."""
        nodes = self._nodes
        if address in nodes:
            nodes.move_to_end(address)
            return nodes[address]
        node = nodes[address] = _node(address, self.read(address, self.node_size))
        if len(nodes) > _CACHED_NODES:
            nodes.popitem(last=False)
        return node

    def scan(self, address: int, start: Key) -> Iterator[tuple[Key, bytes]]:
        """Items of the tree rooted at ``address``, in order, starting with the first whose key is at least ``start``."""
        return self._below(self.node(address), start, _END)

    def _child(self, address: int, level: int, first: Key, end: Key) -> TreeBlock:
        """The tree block below a key. The level falls with every step, and a block begins with the key that leads to it and ends before the
        next one (``btrfs_verify_level_key()``): no damaged tree leads back to itself, nor twice to one block.
        """
        node = self.node(address)
        if node.level != level or not node.keys or node.keys[0] != first or not first <= node.keys[-1] < end:
            raise ImageError(f"damaged btrfs tree at {address}")
        return node

    def _below(self, node: TreeBlock, start: Key, end: Key) -> Iterator[tuple[Key, bytes]]:
        if node.level == 0:
            for index in range(bisect_left(node.keys, start), len(node.keys)):
                offset, size = node.places[index]
                yield node.keys[index], node.data[_HEADER_SIZE + offset : _HEADER_SIZE + offset + size]
            return
        for index in range(max(0, bisect_right(node.keys, start) - 1), len(node.keys)):
            before = node.keys[index + 1] if index + 1 < len(node.keys) else end
            yield from self._below(self._child(node.places[index][0], node.level - 1, node.keys[index], before), start, before)

    def items(self, address: int, owner: int, kind: int, first: int = 0) -> Iterator[tuple[int, bytes]]:
        """The items of one object and type: (offset of the key, data)."""
        for key, data in self.scan(address, (owner, kind, first)):
            if key[:2] != (owner, kind):
                return
            yield key[2], data


def _node(address: int, data: bytes) -> TreeBlock:
    found = _HEADER.read(data)
    count, level = found["nritems"], found["level"]
    layout = _KEY_PTR if level else _ITEM
    if found["bytenr"] != address or level >= MAX_LEVEL or count * layout.size > len(data) - _HEADER_SIZE:
        raise ImageError(f"damaged btrfs tree block at {address}")
    items = list(layout.iter_unpack(data[_HEADER_SIZE : _HEADER_SIZE + count * layout.size]))
    return TreeBlock(level, [item[:3] for item in items], [item[3:] for item in items], b"" if level else data)


def _system_chunks(data: bytes) -> Iterator[tuple[Key, bytes]]:
    at = 0
    while at + _KEY.size + _CHUNK_SIZE + _STRIPE_SIZE <= len(data):
        key, start = _KEY.unpack_from(data, at), at + _KEY.size
        if key[1] != CHUNK_ITEM:
            return
        at = start + _CHUNK_SIZE + _STRIPE_SIZE * _CHUNK.read(data, start)["num_stripes"]
        yield key, data[start:at]
