"""The log of btrfs by hand: items, inodes, folders and roots of logs, as fs/btrfs/tree-log.c of Linux replays them."""

from __future__ import annotations

import stat
import struct
from collections.abc import Iterator

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
    assert log.refs == {(5, 256): [(2, "one"), (3, "two")], (5, 257): [(4, "far")], (5, 258): [(5, "x")]}
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
    assert list(log.refs) == [(5, 256)]


def test_deleted_inodes_take_one_look_at_the_names() -> None:
    looks: list[str] = []

    class Watched(dict[tuple[int, int], list[tuple[int, str]]]):
        def __iter__(self) -> Iterator[tuple[int, int]]:
            looks.append("keys")
            return super().__iter__()

    log = LogTree({number: bytes(160) for number in range(9)}, Watched({(number, 256): [(2, "name")] for number in range(5, 12)}))
    _forget_deleted(log)
    assert (log.inodes, sorted(log.refs)) == ({}, [(9, 256), (10, 256), (11, 256)])
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
        refs={(12, 256): [(14, "new name")], (99, 256): [(15, "no such inode")], (12, 300): [(1, "elsewhere")], (256, 256): [(0, "..")]},
    )
    found = log.folder(256, before, lambda number: number in (20, 22, 12, 256), lambda number: {8: "old name"} if number == 12 else {})
    assert {at: (entry.name, entry.target) for at, entry in found.items()} == {
        2: ("kept", 10), 3: ("new", 20), 11: ("replaced", 22), 14: ("new name", 12),
    }  # fmt: skip


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
