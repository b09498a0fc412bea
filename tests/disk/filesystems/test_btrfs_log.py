"""The log of btrfs by hand: items, inodes, folders and roots of logs, as fs/btrfs/tree-log.c of Linux replays them."""

from __future__ import annotations

import random
import stat
import struct
import time
from typing import Any

import pytest

from v2vlint.disk.filesystems import btrfs_log
from v2vlint.disk.filesystems.btrfs_items import INODE, ROOT, DirItem, dir_items
from v2vlint.disk.filesystems.btrfs_log import LogTree, _forget_deleted, _take
from v2vlint.disk.filesystems.btrfs_tree import BtrfsVolume
from v2vlint.model.errors import ImageError

INODE_REF, INODE_EXTREF, XATTR, DIR_INDEX, EXTENT, DIR_LOG_INDEX = 12, 13, 24, 96, 108, 72


def inode(mode: int, size: int, generation: int = 1, mark: int = 7) -> bytes:
    """``struct btrfs_inode_item``, with ``mark`` in what is neither of these."""
    data = bytearray([mark] * 160)
    struct.pack_into("<QQQ", data, 0, generation, generation, size)
    struct.pack_into("<I", data, 52, mode)
    return bytes(data)


def test_inodes_of_the_log() -> None:
    old_file, old_folder = inode(stat.S_IFREG, 10), inode(stat.S_IFDIR, 20)
    new_file, new_folder = inode(stat.S_IFREG, 11, mark=8), inode(stat.S_IFDIR, 21, mark=8)
    log = LogTree({1: new_file, 2: new_folder, 3: inode(stat.S_IFREG, 5, 0), 4: inode(stat.S_IFREG, 0, 0), 5: inode(stat.S_IFDIR, 6, 0)})
    assert log.inode(1, old_file) == new_file
    assert log.inode(1, None) == new_file
    assert log.inode(9, old_file) == old_file
    assert log.inode(9, None) is None
    assert log.inode(2, old_folder) == inode(stat.S_IFDIR, 20, mark=8)
    assert log.inode(3, old_file) == inode(stat.S_IFREG, 5)
    assert log.inode(4, old_file) == old_file
    assert log.inode(5, old_folder) == old_folder
    assert log.inode(3, old_folder) == old_folder


def item(name: bytes, target: int, kind: int = INODE, data: bytes = b"") -> bytes:
    """``struct btrfs_dir_item`` with name and data."""
    return struct.pack("<QBQQHHB", target, kind, 0, 0, len(data), len(name), 1) + name + data


def ref(index: int, name: bytes) -> bytes:
    return struct.pack("<QH", index, len(name)) + name


def test_items_of_the_log() -> None:
    log = LogTree()
    for owner, kind, offset, data in (
        (5, INODE, 0, bytes(160)), (6, INODE, 0, bytes(159)), (5, INODE_REF, 256, ref(2, b"one") + ref(3, b"two")),
        (5, INODE_EXTREF, 99, struct.pack("<QQH", 257, 4, 3) + b"far" + struct.pack("<QQH", 258, 5, 1) + b"x"),
        (256, DIR_LOG_INDEX, 2, struct.pack("<Q", 9)), (256, DIR_LOG_INDEX, 12, struct.pack("<Q", 13)),
        (256, DIR_INDEX, 3, item(b"two", 5)),
        (5, XATTR, 1, item(b"user.a", 0, 0, b"value")), (5, EXTENT, 4096, b"extent"), (5, 200, 0, bytes(200)),
    ):  # fmt: skip
        _take(log, owner, kind, offset, data)
    assert log.inodes == {5: bytes(160)}
    assert log.refs == {256: {5: [(2, "one"), (3, "two")]}, 257: {5: [(4, "far")]}, 258: {5: [(5, "x")]}}
    assert log.ranges == {256: [(2, 9), (12, 13)]}
    assert log.entries == {256: {3: DirItem("two", 5, INODE)}}
    assert log.extents == {5: {4096: b"extent"}}
    assert [list(dir_items(data)) for data in log.attributes[5]] == [[DirItem("user.a", 0, 0, b"value")]]


def test_inodes_without_a_name_are_not_replayed() -> None:
    """A file that was cut and deleted while it was open, whose entry is still in the tree: Linux 6.18 shows it as it was."""
    kept, deleted = inode(stat.S_IFREG, 5), bytearray(inode(stat.S_IFREG, 6, 0))
    deleted[40:44] = bytes(4)
    log = LogTree()
    for owner, data in ((5, kept), (6, bytes(deleted))):
        items = [(INODE, data), (INODE_REF, ref(2, b"name")), (EXTENT, b"extent"), (DIR_LOG_INDEX, bytes(8)), (DIR_INDEX, item(b"in", 9))]
        for kind, one in (*items, (XATTR, item(b"user.a", 0, 0, b"v"))):
            _take(log, owner, kind, 256, one)
    _forget_deleted(log)
    found = (log.inodes, log.extents, log.ranges, log.entries, log.attributes)
    assert [list(one) for one in found] == [[5]] * 5
    assert [list(inodes) for inodes in log.refs.values()] == [[5]]


def test_deleted_inodes_take_one_look_at_the_names() -> None:
    looks: list[str] = []

    class Watched(dict[int, list[tuple[int, str]]]):
        def items(self) -> Any:
            looks.append("keys")
            return super().items()

    log = LogTree({number: bytes(160) for number in range(9)}, {256: Watched({number: [(2, "name")] for number in range(5, 12)})})
    _forget_deleted(log)
    assert (log.inodes, sorted(log.refs[256])) == ({}, [9, 10, 11])
    assert len(looks) <= 1


def test_several_names_in_an_item() -> None:
    data = item(b"a", 1, data=b"12") + item(b"bb", 2, ROOT) + item(b"\xff", 3)
    assert list(dir_items(data)) == [DirItem("a", 1, INODE, b"12"), DirItem("bb", 2, ROOT), DirItem("\udcff", 3, INODE)]
    assert list(dir_items(data[:29])) == []


def test_folders_of_the_log() -> None:
    before = {2: DirItem("kept", 10, INODE), 5: DirItem("gone", 11, INODE), 6: DirItem("sub", 300, ROOT), 8: DirItem("old name", 12, INODE),
              9: DirItem("replaced", 13, INODE)}  # fmt: skip
    log = LogTree(
        entries={
            256: {
                3: DirItem("new", 20, INODE),
                7: DirItem("missing", 21, INODE),
                11: DirItem("replaced", 22, INODE),
                12: DirItem("vol", 300, ROOT),
            }
        },
        ranges={256: [(3, 7)]},
        refs={256: {12: [(14, "new name")], 99: [(15, "no such inode")], 256: [(0, "..")]}, 300: {12: [(1, "elsewhere")]}},
    )
    found = log.folder(256, before, lambda number: number in (20, 22, 12, 256), lambda number: {8: "old name"} if number == 12 else {})
    assert {at: (entry.name, entry.target) for at, entry in found.items()} == {
        2: ("kept", 10), 3: ("new", 20), 11: ("replaced", 22), 14: ("new name", 12),
    }  # fmt: skip


def by_the_book(log: LogTree, listing: dict[int, DirItem], names: dict[int, dict[int, str]]) -> dict[int, DirItem]:
    """What :meth:`LogTree.folder` does to folder 256, one entry after the other."""
    logged, ranges = log.entries.get(256, {}), log.ranges.get(256, [])
    found = {at: one for at, one in listing.items() if at in logged or not any(first <= at <= last for first, last in ranges)}

    def put(index: int, entry: DirItem) -> None:
        for at in [at for at, one in found.items() if at == index or one.name == entry.name]:
            del found[at]
        found[index] = entry

    for at, entry in logged.items():
        if entry.kind == INODE:
            put(at, entry)
    for inode, new in log.refs.get(256, {}).items():
        gone = set(names.get(inode, {}).values()) - {name for _index, name in new}
        for at in [at for at, one in found.items() if (one.target, one.kind) == (inode, INODE) and one.name in gone]:
            del found[at]
        for index, name in new:
            put(index, DirItem(name, inode, INODE))
    return found


def test_folders_of_random_logs() -> None:
    draw = random.Random(3)

    def entry() -> DirItem:
        return DirItem(f"n{draw.randrange(12)}", draw.randrange(1, 6), draw.choice((INODE, INODE, ROOT)))

    for _round in range(400):
        listing = {draw.randrange(20): entry() for _ in range(draw.randrange(14))}
        names = {inode: {at: one.name for at, one in listing.items() if one.target == inode} for inode in range(6)}
        refs = {draw.randrange(1, 6): [(draw.randrange(20), f"n{draw.randrange(12)}") for _ in range(2)] for _ in range(draw.randrange(4))}
        ranges = [(draw.randrange(20), draw.randrange(20)) for _ in range(draw.randrange(4))]
        log = LogTree(
            entries={256: {draw.randrange(20): entry() for _ in range(draw.randrange(6))}}, ranges={256: ranges}, refs={256: refs}
        )
        wanted = by_the_book(log, dict(listing), names)
        assert log.folder(256, dict(listing), lambda _number: True, lambda inode, names=names: names[inode]) == wanted  # type: ignore[misc]


def test_long_logs_take_little_time() -> None:
    """Tens of thousands of entries, names and ranges in one folder: each was compared with all others."""
    many = range(1000, 40_000)
    log = LogTree(
        entries={256: {at: DirItem(f"e{at}", at, INODE) for at in many}},
        ranges={256: [(at * 3, at * 3 + 1) for at in many]},
        refs={256: {at: [(at + 50_000, f"r{at}")] for at in many}},
    )
    before = {at + 200_000: DirItem("same", at, INODE) for at in many}
    begin = time.process_time()
    found = log.folder(256, before, lambda _number: True, lambda _number: {1: "same"})
    assert len(found) == 2 * len(many)
    assert time.process_time() - begin < 5


class Logged:
    """A volume with a log tree."""

    log_root = 4096

    def __init__(self, root: bytes, count: int) -> None:
        self._root, self._count = root, count

    def items(self, address: int, owner: int, kind: int) -> list[tuple[int, bytes]]:
        return [(256, self._root)] if (address, owner, kind) == (4096, 2**64 - 6, 132) else []

    def scan(self, address: int, start: tuple[int, int, int]) -> list[tuple[tuple[int, int, int], bytes]]:
        return [((257, XATTR, number), b"") for number in range(self._count)] if (address, start) == (8192, (0, 0, 0)) else []


def test_trees_of_logs(monkeypatch: pytest.MonkeyPatch) -> None:
    root = (bytes(176) + struct.pack("<Q", 8192)).ljust(239, b"\0")

    def read(root: bytes, count: int) -> dict[int, LogTree]:
        volume: BtrfsVolume = Logged(root, count)  # type: ignore[assignment]
        return btrfs_log.read_logs(volume)

    assert read(root, 3) == {256: LogTree(attributes={257: [b"", b"", b""]})}
    with pytest.raises(ImageError, match="its log tree is damaged"):
        read(root[:238], 3)
    monkeypatch.setattr(btrfs_log, "MAX_ITEMS", 2)
    read(root, 3)
    with pytest.raises(ImageError, match="more than 2 items"):
        read(root, 4)
