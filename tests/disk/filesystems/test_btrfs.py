"""btrfs by hand: where chunks keep their bytes, extents over extents, LZO, damage, limits."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.disk.filesystems.spoiling import Spoiled
from tests.disk.images import blank, make_tree, need, run
from v2vlint.disk.filesystems import btrfs, btrfs_file, btrfs_tree
from v2vlint.disk.filesystems.btrfs import BtrfsFileSystem
from v2vlint.disk.filesystems.btrfs_file import BtrfsFile, unpack
from v2vlint.disk.filesystems.btrfs_items import ROOT, DirItem
from v2vlint.disk.filesystems.btrfs_space import MAX_DEVICES, _devices
from v2vlint.disk.filesystems.btrfs_tree import BtrfsVolume, Chunk, TreeBlock
from v2vlint.disk.filesystems.node import Kind
from v2vlint.disk.stream import HostFile
from v2vlint.model.errors import ImageError, Unsupported

MIB = 1 << 20
NOISE = random.Random(6).randbytes(1 << 18)


def bytes_of(chunk: Chunk, disks: dict[int, bytes]) -> bytes:
    found = b""
    while len(found) < chunk.size:
        places, rest = chunk.places(len(found))
        device, at = places[0]
        assert {disks[other][start : start + 1] for other, start in places} == {disks[device][at : at + 1]}
        found += disks[device][at : at + min(rest, chunk.size - len(found))]
    return found[: chunk.size]


STRIPE = 4096
DATA = NOISE[: 24 * STRIPE]


def spread(rows: Iterable[list[int]], count: int) -> dict[int, bytes]:
    """Disks 1 to ``count``, each with a stripe of every row: the number of the stripe, or -1 for parity."""
    disks = {number: bytearray(b"#" * 1000) for number in range(1, count + 1)}
    for row in rows:
        for number, stripe in enumerate(row, 1):
            disks[number] += b"P" * STRIPE if stripe < 0 else DATA[stripe * STRIPE : stripe * STRIPE + STRIPE]
    return {number: bytes(data) for number, data in disks.items()}


PROFILES = {
    "single": (0, 1, [[stripe] for stripe in range(24)]),
    "raid0": (8, 3, [[row * 3, row * 3 + 1, row * 3 + 2] for row in range(8)]),
    "raid1": (0x10, 2, [[row, row] for row in range(24)]),
    "raid1c3": (0x200, 3, [[row, row, row] for row in range(24)]),
    "raid10": (0x40, 4, [[row * 2, row * 2, row * 2 + 1, row * 2 + 1] for row in range(12)]),
    "raid5": (0x80, 3, [[[row * 2, row * 2 + 1, -1][(disk - row) % 3] for disk in range(3)] for row in range(12)]),
    "raid6": (0x100, 4, [[[row * 2, row * 2 + 1, -1, -1][(disk - row) % 4] for disk in range(4)] for row in range(12)]),
}


@pytest.mark.parametrize(("profile", "count", "rows"), PROFILES.values(), ids=PROFILES)
def test_where_a_chunk_keeps_its_bytes(profile: int, count: int, rows: list[list[int]]) -> None:
    disks = spread(rows, count)
    chunk = Chunk(0, len(DATA), STRIPE, profile, 2, tuple((number, 1000) for number in disks))
    assert bytes_of(chunk, disks) == DATA
    for offset in (0, 1, STRIPE - 1, STRIPE, 5 * STRIPE + 7, len(DATA) - 1):
        places, rest = chunk.places(offset)
        assert all(disks[device][at : at + 1] == DATA[offset : offset + 1] for device, at in places)
        assert 0 < rest <= len(DATA) - offset
    assert len(chunk.places(0)[0]) == {0x10: 2, 0x200: 3, 0x40: 2}.get(profile, 1)


class Volume:
    """Logical addresses as they are."""

    sector = 4096

    def read(self, address: int, length: int) -> bytes:
        return NOISE[address : address + length]


def extent(
    size: int, address: int, *, compression: int = 0, kind: int = 1, skip: int = 0, packed: int = 0, plain: int = 0, encryption: int = 0
) -> bytes:
    """``struct btrfs_file_extent_item``."""
    head = struct.pack("<QQBBHB", 1, plain or size, compression, encryption, 0, kind)
    return head + struct.pack("<QQQQ", address, packed or size, skip, size)


def inline(data: bytes, compression: int = 0, plain: int = 0) -> bytes:
    return struct.pack("<QQBBHB", 1, plain or len(data), compression, 0, 0, 0) + data


def file(size: int, *items: tuple[int, bytes], logged: dict[int, bytes] | None = None) -> BtrfsFile:
    volume: BtrfsVolume = Volume()  # type: ignore[assignment]
    return BtrfsFile(volume, size, items, logged or {})


def test_extents_holes_and_what_was_never_written() -> None:
    found = file(60_000, (0, extent(8192, 4096)), (12288, extent(4096, 0)), (16384, extent(8192, 20480, kind=2)),
    (24576, extent(4096, 8192, skip=4096)),
                 (32768, extent(20000, 100)))  # fmt: skip
    wanted = NOISE[4096:12288] + bytes(24576 - 8192) + NOISE[12288:16384] + bytes(4096) + NOISE[100:20100] + bytes(60_000 - 52768)
    assert found.read() == wanted
    draw = random.Random(1)
    for _try in range(200):
        at, length = draw.randrange(60_000), draw.choice((1, 4096, 5000, 30_000))
        assert found.read_at(at, length) == wanted[at : at + length]
    assert file(10, (4096, extent(4096, 4096))).read() == bytes(10)
    assert file(5000, (0, inline(b"inline"))).read() == b"inline" + bytes(4994)


def test_what_the_log_has_covers_what_was_there() -> None:
    items = ((0, extent(40960, 4096)), (40960, extent(8192, 65536)))
    logged = {8192: extent(8192, 100_000), 40960: extent(4096, 0, kind=2)}
    wanted = bytearray(NOISE[4096 : 4096 + 40960] + NOISE[65536 : 65536 + 8192])
    wanted[8192:16384], wanted[40960:45056] = NOISE[100_000:108_192], bytes(4096)
    assert file(49152, *items, logged=logged).read() == bytes(wanted)
    split = file(20_000, (0, extent(12288, 4096, skip=4096)), logged={4096: extent(4096, 100_000)}).read()
    assert split == NOISE[8192:12288] + NOISE[100_000:104_096] + NOISE[16384:20480] + bytes(20_000 - 12288)
    assert file(100, (0, inline(b"old")), logged={0: inline(b"n")}).read() == b"n" + bytes(99)
    assert file(4096 * 3, (0, extent(12288, 4096)), logged={4096: inline(b"x" * 100)}).read() == (
        NOISE[4096:8192] + b"x" * 100 + bytes(3996) + NOISE[12288:16384]
    )


def lzo_stored(data: bytes) -> bytes:
    """An LZO1X block of literals only."""
    assert 3 < len(data) < 239
    return bytes([17 + len(data)]) + data + b"\x11\0\0"


def test_compressed_extents() -> None:
    text = b"all work and no play " * 300
    packed = zlib.compress(text)
    assert unpack(packed, 1, len(text), 4096) == text
    import zstandard

    assert unpack(zstandard.compress(text), 3, 100, 4096) == text[:100]
    assert file(len(text), (0, inline(packed, 1, len(text)))).read() == text
    many = [(number * 100, inline(zlib.compress(NOISE[number * 100 : number * 100 + 100]), 1, 100)) for number in range(12)]
    assert file(1200, *many).read() == NOISE[:1200], "only some of them are kept unpacked"
    parts = [NOISE[at : at + 200] for at in range(0, 6000, 200)]
    segments = [struct.pack("<I", len(lzo_stored(part))) + lzo_stored(part) for part in parts]
    data = bytearray(4)
    for segment in segments:
        if 4096 - len(data) % 4096 < 4:
            data += bytes(4096 - len(data) % 4096)
        data += segment
    struct.pack_into("<I", data, 0, len(data))
    assert unpack(bytes(data), 2, 6000, 4096) == NOISE[:6000]
    assert unpack(bytes(data) + b"behind", 2, 300, 4096) == NOISE[:300]
    assert len(unpack(bytes(data), 2, 10_000, 4096)) == 6000


def test_lzo_segments_do_not_begin_in_the_last_bytes_of_a_sector() -> None:
    for room in range(1, 8):
        first = NOISE[:100]
        data = bytearray(4) + struct.pack("<I", len(lzo_stored(first))) + lzo_stored(first)
        sector = len(data) + room
        if room < 4:
            data += bytes(room)
        data += struct.pack("<I", 13) + lzo_stored(NOISE[100:109])
        struct.pack_into("<I", data, 0, len(data))
        assert unpack(bytes(data), 2, 109, sector) == NOISE[:109], room


def test_damaged_and_unknown_extents(monkeypatch: pytest.MonkeyPatch) -> None:
    most = btrfs_file.MAX_EXTENT
    cases: list[tuple[bytes, type[ImageError], str]] = [
        (extent(4096, 4096, encryption=1), Unsupported, "encryption 1"), (extent(4096, 4096, compression=4), Unsupported, "compression 4"),
        (extent(4096, 4096, compression=1, packed=most + 1, plain=4096), ImageError, "size"),
        (extent(4096, 4096, compression=1, packed=100, plain=most + 1), ImageError, "size"),
        (extent(4096, 4096, compression=1), ImageError, "damaged compressed extent"),
        (extent(4096, 4096, compression=2), ImageError, "damaged compressed extent"),
        (extent(4096, 4096, compression=3), ImageError, "damaged compressed extent"),
    ]  # fmt: skip
    for data, error, words in cases:
        with pytest.raises(error, match=words):
            file(4096, (0, data)).read()
    file(4096, (0, extent(4096, 4096, compression=1, packed=most, plain=most)))
    monkeypatch.setattr(btrfs_file, "MAX_EXTENTS", 2)
    items = [(number * 4096, extent(4096, 4096)) for number in range(3)]
    file(8192, *items[:2])
    with pytest.raises(ImageError, match="more than 2 extents"):
        file(8192, *items)


def test_what_cannot_be_read_is_not_called_damaged() -> None:
    class Gone(Volume):
        def read(self, _address: int, _length: int) -> bytes:
            raise ImageError("1 of 2 btrfs devices are missing")

    volume: BtrfsVolume = Gone()  # type: ignore[assignment]
    with pytest.raises(ImageError, match=r"^1 of 2"):
        BtrfsFile(volume, 4096, [(0, extent(4096, 4096, compression=1))], {}).read()


@pytest.mark.parametrize("error", [MemoryError, ImageError])
def test_what_stops_the_program_is_no_damage(monkeypatch: pytest.MonkeyPatch, error: type[Exception]) -> None:
    def stop(*_arguments: object) -> bytes:
        raise error("as it is")

    monkeypatch.setattr(btrfs_file, "unpack", stop)
    with pytest.raises(error, match=r"^as it is$"):
        file(10, (0, inline(b"packed", 1, 10))).read()


@pytest.fixture
def image(tmp_path: Path) -> Path:
    need("mkfs.btrfs")
    run("mkfs.btrfs", "-q", "-K", "--rootdir", make_tree(tmp_path / "tree", odd=False), blank(tmp_path / "fs", 128 * MIB))
    return tmp_path / "fs"


SUPERBLOCK: list[tuple[int, bytes, type[ImageError], str]] = [
    (64, b"x", ImageError, "no btrfs superblock"),
    (148, (2048).to_bytes(4, "little"), ImageError, "damaged btrfs superblock"),
    (148, (1 << 17).to_bytes(4, "little"), ImageError, "damaged btrfs superblock"),
    (144, (256).to_bytes(4, "little"), ImageError, "damaged btrfs superblock"),
    (144, (1 << 17).to_bytes(4, "little"), ImageError, "damaged btrfs superblock"),
    (189, b"\x20", Unsupported, "btrfs with extent tree v2 is not supported"),
    (189, b"\x40", Unsupported, "btrfs with RAID stripe tree is not supported"),
    (191, b"\x01", Unsupported, "incompatible features 0x1000000"),
    (80, bytes(8), ImageError, "in no chunk"),
    (811 + 17, bytes(8), ImageError, "damaged btrfs chunk"),
    (811 + 17 + 16, bytes(8), ImageError, "damaged btrfs chunk"),
    (811 + 17 + 44, bytes(2), ImageError, "damaged btrfs chunk"),
    (201, b"\x09", ImageError, "damaged btrfs chunk map"),
]


def test_damaged_superblocks(image: Path) -> None:
    for at, data, error, words in SUPERBLOCK:
        with pytest.raises(error, match=words):
            BtrfsFileSystem([Spoiled(image, (65536 + at, data))])
    assert BtrfsFileSystem([Spoiled(image, (65536 + 190, b"\1"))]).root.child("etc")
    stale = BtrfsFileSystem([Spoiled(image, (65536 + 0x60, b"\0\0\x10"))])
    assert stale.stale.startswith("what was written last is not read: ")
    lying = stale.as_it_lies()
    assert not lying.stale
    assert lying is not stale
    assert lying.as_it_lies() is lying
    assert set(lying.root.names()) == set(stale.root.names())


def test_damaged_trees(image: Path) -> None:
    volume = BtrfsVolume([HostFile(str(image))])
    address = volume.root
    (chunk,) = [one for one in volume._chunks if one.start <= address < one.start + one.size]
    (_device, at), *_ = chunk.places(address - chunk.start)[0]
    for place, data in ((48, b"\1"), (100, b"\x08"), (96, b"\xff\xff")):
        with pytest.raises(ImageError, match=f"damaged btrfs tree block at {address}"):
            BtrfsFileSystem([Spoiled(image, (at + place, data))])


def test_limits(image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    count = len(BtrfsVolume([HostFile(str(image))])._chunks)
    monkeypatch.setattr(btrfs_tree, "MAX_CHUNKS", count + 1)
    found = BtrfsFileSystem([HostFile(str(image))])
    root = found.root
    entries = len(list(root.names()))
    monkeypatch.setattr(btrfs, "MAX_ENTRIES", entries)
    found.directory.cache_clear()
    assert len(list(root.names())) == entries
    monkeypatch.setattr(btrfs, "MAX_ENTRIES", entries - 1)
    found.directory.cache_clear()
    with pytest.raises(ImageError, match=f"more than {entries - 1} directory entries"):
        root.names()
    monkeypatch.undo()
    with pytest.raises(ImageError, match="inode 9999 is missing"):
        found.inode(5, 9999)
    with pytest.raises(ImageError, match="subvolume 77 is missing"):
        found.choose(77).root.stat()
    link, etc = root.child("bin"), root.child("etc")
    assert link is not None
    assert etc is not None
    assert (link.link(), link.stat().kind, etc.stat().kind, link.attributes()) == ("usr/bin", Kind.LINK, Kind.DIR, {})
    monkeypatch.setattr(btrfs, "MAX_LINK", 7)
    assert link.link() == "usr/bin"
    monkeypatch.setattr(btrfs, "MAX_LINK", 6)
    with pytest.raises(ImageError, match="a link of 7 bytes"):
        link.link()
    monkeypatch.setattr(btrfs_tree, "MAX_CHUNKS", count - 1)
    with pytest.raises(ImageError, match="damaged btrfs chunk"):
        BtrfsVolume([HostFile(str(image))])


def test_roots_that_are_short_or_missing(image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A root item of old kernels ends before its UUIDs; an entry whose subvolume is missing is an empty folder."""
    found = BtrfsFileSystem([HostFile(str(image))])
    for size in (239, 238):
        monkeypatch.setattr(found.volume, "items", lambda *_key, size=size: iter([(0, bytes(size))]))
        if size == 239:
            assert found._root_item(5) == bytes(239)
        else:
            with pytest.raises(ImageError, match="subvolume 5 is missing"):
                found._root_item(5)

    def missing(number: int) -> tuple[int, int]:
        raise ImageError(f"{number} is missing")

    monkeypatch.setattr(found.volume, "items", lambda *_key: iter([(300, struct.pack("<QQH", 256, 0, 3) + b"sub")]))
    entry = DirItem("sub", 300, ROOT)
    monkeypatch.setattr(found, "tree", lambda _number: (4096, 256))
    assert found._top(5, 256, entry) == (300, 256)
    assert found._top(5, 257, entry) == (300, 0)
    assert found._top(5, 256, DirItem("other", 300, ROOT)) == (300, 0)
    monkeypatch.setattr(found, "tree", missing)
    assert found._top(5, 256, entry) == (300, 0)


class Trees(BtrfsVolume):
    """Tree blocks by their address."""

    def __init__(self, nodes: dict[int, TreeBlock], device_count: int = 1) -> None:
        self._made, self.chunk_root, self.device_count = nodes, 1, device_count

    def node(self, address: int) -> TreeBlock:
        """See :class:`BtrfsVolume`."""
        return self._made[address]


def leaf(*numbers: int) -> TreeBlock:
    """Items of devices."""
    return TreeBlock(0, [(1, 216, number) for number in numbers], [(0, 24)] * len(numbers), bytes(125))


def inner(level: int, *children: tuple[int, int]) -> TreeBlock:
    """Children by the number that they begin with."""
    return TreeBlock(level, [(1, 216, number) for number, _address in children], [(address, 0) for _number, address in children], b"")


@pytest.mark.parametrize(
    "nodes",
    [
        {1: inner(1, (1, 2), (1, 2)), 2: leaf(1)},
        {1: inner(1, (1, 2), (2, 2)), 2: leaf(1, 2)},
        {1: inner(1, (1, 2), (2, 3)), 2: leaf(), 3: leaf(2)},
        {1: inner(1, (1, 2), (3, 3)), 2: leaf(1, 3), 3: leaf(3)},
        {1: inner(1, (2, 2)), 2: leaf(1, 2)},
        {1: inner(1, (1, 2)), 2: leaf(2, 1)},
        {1: inner(2, (1, 2), (2, 3)), 2: inner(1, (1, 4), (5, 6)), 3: inner(1, (2, 5), (5, 6)), 4: leaf(1), 5: leaf(2), 6: leaf(5)},
    ],
)  # fmt: skip
def test_no_block_of_a_tree_is_read_twice(nodes: dict[int, TreeBlock]) -> None:
    """A few blocks that lead to each other several times over would never come to an end."""
    with pytest.raises(ImageError, match="damaged btrfs tree at"):
        list(Trees(nodes).scan(1, (0, 0, 0)))


@pytest.mark.parametrize("start", range(9))
def test_a_tree_in_order(start: int) -> None:
    nodes = {1: inner(2, (1, 2), (5, 3)), 2: inner(1, (1, 4), (3, 5)), 3: inner(1, (5, 6)), 4: leaf(1, 2), 5: leaf(3, 4), 6: leaf(5, 7)}
    assert [number for number, _data in Trees(nodes).items(1, 1, 216, start)] == [one for one in (1, 2, 3, 4, 5, 7) if one >= start]


@pytest.mark.parametrize(("stated", "most"), [(1, 2), (3, 4), (2**64 - 1, MAX_DEVICES)])
def test_more_devices_than_the_superblock_counts(stated: int, most: int) -> None:
    assert len(list(_devices(Trees({1: leaf(*range(most))}, stated)))) == most
    with pytest.raises(ImageError, match=f"more than {most} devices"):
        list(_devices(Trees({1: leaf(*range(most + 1))}, stated)))
