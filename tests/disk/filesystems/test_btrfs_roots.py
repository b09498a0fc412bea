"""Roots, subvolumes and tree blocks of btrfs by hand, by struct btrfs_root_item, btrfs_root_ref and btrfs_header of Linux."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import pytest

from v2vlint.disk.filesystems import btrfs
from v2vlint.disk.filesystems.btrfs import BtrfsFileSystem, BtrfsNode, Subvolume
from v2vlint.disk.filesystems.btrfs_tree import BtrfsVolume, _node, _system_chunks
from v2vlint.disk.filesystems.node import Kind
from v2vlint.model.errors import ImageError, Unsupported

ROOT_ITEM, ROOT_REF, INODE_REF, DIR_ITEM = 132, 156, 12, 84
LONE, FULL, SNAPSHOT = (bytes([number]) * 16 for number in (1, 2, 3))


def root_item(uuid: bytes, parent: bytes = bytes(16), *, read_only: bool = False, received: bytes = b"\5" * 16) -> bytes:
    """Top directory 256, tree at 4096 (``root_dirid``, ``bytenr``), flags, and the UUIDs, with that of a received subvolume behind them."""
    item = bytearray(439)
    struct.pack_into("<QQ", item, 168, 256, 4096)
    struct.pack_into("<Q", item, 208, 1 if read_only else 0x1_0000_0000_0000)
    item[247:263], item[263:279], item[279:295] = uuid, parent, received
    return bytes(item)


def root_ref(folder: int, name: bytes) -> bytes:
    return struct.pack("<QQH", folder, 7, len(name)) + name


class Trees:
    """A volume whose items are given: (tree, object, type) with the key's offset and the data of each."""

    root = 1
    newer_copy: Trees | None = None

    def __init__(self, items: dict[tuple[int, int, int], list[tuple[int, bytes]]]) -> None:
        self._items = items

    def items(self, address: int, owner: int, kind: int, first: int = 0) -> Iterator[tuple[int, bytes]]:
        return iter([one for one in self._items.get((address, owner, kind), []) if one[0] >= first])


def system(items: dict[tuple[int, int, int], list[tuple[int, bytes]]]) -> BtrfsFileSystem:
    made = object.__new__(BtrfsFileSystem)
    made.volume = Trees(items)  # type: ignore[assignment]
    made.tree, made.logs, made.strict, made.stale, made.default, made.chosen = made._tree, {}, True, "", 258, 5  # type: ignore[assignment]
    return made


REFERENCE = struct.pack("<QH", 3, 3) + b"dir"
NESTED = {
    (1, 5, ROOT_ITEM): [(0, root_item(bytes(16)))],
    (1, 5, ROOT_REF): [(257, root_ref(256, b"@")), (258, root_ref(300, b"snap")), (257, root_ref(256, b"again"))],
    (4096, 300, INODE_REF): [(256, REFERENCE + b"behind")],
    (1, 257, ROOT_ITEM): [(0, root_item(FULL, read_only=True))],
    (1, 257, ROOT_REF): [(259, root_ref(256, b"deep"))],
    (1, 258, ROOT_ITEM): [(0, root_item(SNAPSHOT, LONE))],
    (1, 259, ROOT_ITEM): [(0, root_item(LONE))],
}


def test_subvolumes_and_where_they_lie(monkeypatch: pytest.MonkeyPatch) -> None:
    assert system(NESTED).subvolumes == (
        Subvolume(5, ""),
        Subvolume(257, "@", read_only=True),
        Subvolume(258, "dir/snap", snapshot=True, default=True),
        Subvolume(259, "@/deep"),
    )
    monkeypatch.setattr(btrfs, "MAX_SUBVOLUMES", 3)
    assert [one.id for one in system(NESTED).subvolumes] == [5, 257, 258]


@pytest.mark.parametrize("parent", [LONE, FULL])
def test_a_snapshot_of_what_has_nested_subvolumes(parent: bytes) -> None:
    """Its entries for those lead anywhere for GRUB only, which has a view of its own then."""
    found = system({**NESTED, (1, 258, ROOT_ITEM): [(0, root_item(SNAPSHOT, parent))]})
    assert found._has_loose_ends() is (parent == FULL)
    lying = found.as_it_lies()
    assert (lying is found, lying.strict) == (parent == LONE, parent == LONE)


@pytest.mark.parametrize("asked", [False, True])
def test_a_newer_copy_has_subvolumes_and_a_default_of_its_own(*, asked: bool) -> None:
    found = system({(1, 5, ROOT_ITEM): [(0, root_item(bytes(16)))]})
    default = struct.pack("<QBQQHHB", 257, ROOT_ITEM, 0, 7, 0, 7, 2) + b"default"
    found.volume.newer_copy = Trees({**NESTED, (1, 6, DIR_ITEM): [(0, default)]})  # type: ignore[assignment]
    if asked:
        assert found.subvolumes == (Subvolume(5, ""),)
    lying = found.as_it_lies()
    assert (lying.default, lying.chosen, found.default) == (257, 5, 258)
    assert [(one.path, one.default) for one in lying.subvolumes] == [("", False), ("@", True), ("dir/snap", False), ("@/deep", False)]
    assert found.subvolumes == (Subvolume(5, ""),)


def test_a_newer_copy_without_a_readable_root_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    found = system({(1, 5, ROOT_ITEM): [(0, root_item(bytes(16)))]})
    found.volume.newer_copy = Trees({(1, 6, DIR_ITEM): [(0, bytes(30))]})  # type: ignore[assignment]
    assert found.as_it_lies().volume is found.volume.newer_copy
    monkeypatch.setattr(Trees, "items", _damaged)
    assert found.as_it_lies() is found


def _damaged(_volume: Trees, address: int, *_key: int) -> Iterator[tuple[int, bytes]]:
    raise ImageError(f"damaged btrfs tree block at {address}")


def test_a_root_item_without_uuids_is_no_snapshot() -> None:
    old = {(1, 5, ROOT_ITEM): [(0, root_item(FULL, LONE)[:278])]}
    assert system(old).subvolumes == (Subvolume(5, ""),)
    assert not system(old)._has_loose_ends()


def test_the_empty_folder_in_place_of_a_subvolume() -> None:
    node = BtrfsNode(system({}), 300, 0)
    assert (node.stat().kind, node.stat().size, node.stat().mode) == (Kind.DIR, 0, 0o755)
    assert (list(node.names()), node.child("x"), node.attributes()) == ([], None, {})


def block(level: int, count: int, size: int = 4096, address: int = 8192) -> bytes:
    data = bytearray(size)
    struct.pack_into("<Q", data, 48, address)
    struct.pack_into("<IB", data, 96, count, level)
    for index in range(count):
        at = 101 + index * (33 if level else 25)
        if at + (33 if level else 25) <= size:
            struct.pack_into(*(("<QBQQQ", data, at, index, 1, 2, 40, 50) if level else ("<QBQII", data, at, index, 1, 2, 30, 20)))
    return bytes(data)


@pytest.mark.parametrize(("level", "most"), [(0, 159), (1, 121), (7, 121)])
def test_a_full_tree_block(level: int, most: int) -> None:
    """Items of a leaf are 25 bytes, pointers of an inner node 33, behind a header of 101."""
    found = _node(8192, block(level, most))
    assert (found.level, len(found.keys), found.keys[-1]) == (level, most, (most - 1, 1, 2))
    assert found.places[-1] == ((40, 50) if level else (30, 20))
    assert len(found.data) == (0 if level else 4096)
    with pytest.raises(ImageError, match="damaged btrfs tree block at 8192"):
        _node(8192, block(level, most + 1))


def test_tree_blocks_that_are_not_taken() -> None:
    for data in (block(8, 1), block(0, 1, address=8193)):
        with pytest.raises(ImageError, match="damaged btrfs tree block at 8192"):
            _node(8192, data)


def chunk(start: int, stripes: int) -> bytes:
    """A key and a chunk item as the superblock has them."""
    head = struct.pack("<QBQ", 256, 228, start) + struct.pack("<QQQQIIIHH", 1 << 20, 2, 65536, 0x10, 4096, 4096, 4096, stripes, 1)
    return head + b"".join(struct.pack("<QQ", number, number << 20) + bytes([number]) * 16 for number in range(1, stripes + 1))


def test_the_chunks_in_the_superblock() -> None:
    data = chunk(0, 2) + chunk(1 << 20, 1)
    found = list(_system_chunks(data))
    assert [(key, len(item)) for key, item in found] == [((256, 228, 0), 112), ((256, 228, 1 << 20), 80)]
    volume = object.__new__(BtrfsVolume)
    volume._starts, volume._chunks = [], []
    for key, item in [*reversed(found), found[0]]:
        volume._add(key, item)
    assert [(one.start, one.size, one.stripe, one.profile, one.sub_stripes) for one in volume._chunks] == [
        (0, 1 << 20, 65536, 0x10, 1),
        (1 << 20, 1 << 20, 65536, 0x10, 1),
    ]
    assert [one.stripes for one in volume._chunks] == [((1, 1 << 20), (2, 2 << 20)), ((1, 1 << 20),)]
    assert list(_system_chunks(chunk(0, 1)[:96])) == []
    assert list(_system_chunks(chunk(0, 1).replace(struct.pack("<QB", 256, 228), struct.pack("<QB", 256, 1)))) == []


@pytest.mark.parametrize(
    ("node", "sector", "good"),
    [(4096, 512, True), (65536, 65536, True), (4095, 512, False), (65537, 512, False), (4096, 511, False), (4096, 65537, False)],
)
def test_sizes_of_blocks(node: int, sector: int, good: bool) -> None:
    volume = object.__new__(BtrfsVolume)
    volume.node_size, volume.sector = node, sector
    if good:
        volume._check(0x11FFF)
        with pytest.raises(Unsupported, match="incompatible features 0x20000"):
            volume._check(0x20001)
    else:
        with pytest.raises(ImageError, match="damaged btrfs superblock"):
            volume._check(1)
