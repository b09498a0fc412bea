"""EROFS as mkfs.erofs makes it: every layout and LZ4 read like the tree it was made of, other packing named, damage refused."""

from __future__ import annotations

import random
import struct
from pathlib import Path

import pytest

from tests.disk.images import Tree, host_tree, make_tree, need, read_tree, run, same
from v2vlint.disk.filesystems import erofs, erofs_lz4
from v2vlint.disk.filesystems.erofs import Erofs, ErofsNode
from v2vlint.disk.filesystems.erofs_lz4 import Packed
from v2vlint.disk.filesystems.node import FileSystem, Kind
from v2vlint.disk.filesystems.opening import open_filesystem
from v2vlint.disk.filesystems.probe import probe
from v2vlint.disk.stream import HostFile, MemoryStream
from v2vlint.model.errors import ImageError, Unsupported


@pytest.fixture
def tmp_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """On the disk: mkfs.erofs collects chunks in /tmp, and cannot copy them from there to another filesystem."""
    return tmp_path_factory.mktemp("image")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tree(tmp_path_factory.mktemp("erofs"))


@pytest.fixture(scope="module")
def wanted(source: Path) -> Tree:
    return host_tree(source)


def made(folder: Path, source: Path, *options: str) -> FileSystem:
    need("mkfs.erofs")
    run("mkfs.erofs", *options, folder / "image", source)
    stream = HostFile(str(folder / "image"))
    return open_filesystem(probe(stream), [stream])


@pytest.mark.parametrize(
    "options",
    [(), ("-zlz4",), ("-zlz4hc", "-Eforce-inode-extended"), ("--chunksize=65536",), ("-Eforce-inode-compact",), ("-Enoinline_data",)],
)
def test_every_layout(tmp_path: Path, source: Path, wanted: Tree, options: tuple[str, ...]) -> None:
    system = made(tmp_path, source, "-T0", *options)
    same(read_tree(system), wanted)


def test_other_packing_is_named(tmp_path: Path, source: Path) -> None:
    for number, options in enumerate((("-zlz4hc", "-C65536"), ("-zlz4", "-Elegacy-compress"))):
        folder = tmp_path / str(number)
        folder.mkdir()
        with pytest.raises((Unsupported, ImageError), match="not supported"):
            read_tree(made(folder, source, *options))


def test_damage_ends_in_a_reason(tmp_path: Path) -> None:
    (tmp_path / "few").mkdir()
    for number in range(5):
        (tmp_path / f"few/file{number}").write_bytes(b"content " * 1000 * number)
    made(tmp_path, tmp_path / "few", "-zlz4")
    whole, draw = (tmp_path / "image").read_bytes(), random.Random(3)
    for _try in range(150):
        data = bytearray(whole)
        for _byte in range(8):
            data[draw.randrange(1024, len(data))] = draw.randrange(256)
        stream = MemoryStream(bytes(data))
        try:
            read_tree(open_filesystem(probe(stream), [stream]))
        except (ImageError, ValueError, RecursionError, AssertionError):
            continue


BLOCK = 4096
NOISE = random.Random(9).randbytes(64 * BLOCK)


def by_hand(*writes: tuple[int, bytes], bits: int = 12, features: int = 1) -> Erofs:
    """An EROFS of noise whose inodes begin at block 1 (fs/erofs/erofs_fs.h)."""
    data = bytearray(NOISE)
    head = bytearray(128)
    struct.pack_into("<4sIIB", head, 0, b"\xe2\xe1\xf5\xe0", 0, 0, bits)
    struct.pack_into("<HQQ", head, 14, 3, 0, 1_600_000_000)
    struct.pack_into("<I", head, 40, 1)
    struct.pack_into("<I", head, 80, features)
    data[1024 : 1024 + 128] = head
    for at, part in writes:
        data[at : at + len(part)] = part
    return Erofs(MemoryStream(bytes(data)))


def inode(layout: int, mode: int, size: int, *, xattrs: int = 0, data: int = 0, compact: bool = True) -> bytes:
    """``struct erofs_inode_compact`` or ``erofs_inode_extended``, owned by 7 and 9."""
    head = struct.pack("<HHH", layout << 1 | (not compact), xattrs, mode)
    if compact:
        return head + struct.pack("<HIIIIHHI", 1, size, 0, data, 0, 7, 9, 0)
    return head + struct.pack("<HQIIIIQII16x", 0, size, data, 0, 70_007, 80_009, 1_500_000_000, 5, 1)


@pytest.mark.parametrize("compact", [True, False])
@pytest.mark.parametrize(("xattrs", "more"), [(0, 0), (1, 12), (4, 24)])
def test_an_inode_by_hand(compact: bool, xattrs: int, more: int) -> None:
    at = BLOCK + 5 * 32
    fs = by_hand((at, inode(2, 0o104751, 4100, xattrs=xattrs, data=9, compact=compact)))
    found = fs.inode(5)
    owner = (7, 9, 1_600_000_000.0) if compact else (70_007, 80_009, 1_500_000_000.0)
    assert (found.kind, found.size, found.mode, found.uid, found.gid, found.mtime) == (Kind.FILE, 4100, 0o4751, *owner)
    tail = at + (32 if compact else 64) + more
    assert (found.layout, found.data, found.place) == (2, 9, tail)
    assert fs.open(found).read() == NOISE[9 * BLOCK : 10 * BLOCK] + NOISE[tail : tail + 4]
    assert by_hand((BLOCK, inode(0, 0o020600, 0))).inode(0).kind is Kind.OTHER


@pytest.mark.parametrize(
    ("layout", "size", "plain"), [(0, 5000, 5000), (2, 5000, 4096), (2, 8192, 4096), (2, 8193, 8192), (2, 1, 0), (2, 0, 0), (0, 0, 0)]
)
def test_plain_and_inline_data(layout: int, size: int, plain: int) -> None:
    fs = by_hand((BLOCK, inode(layout, 0o100644, size, data=20)))
    assert fs.open(fs.inode(0)).read() == NOISE[20 * BLOCK : 20 * BLOCK + plain] + fs.base.read_at(BLOCK + 32, size - plain)


def test_chunks_by_hand() -> None:
    table = BLOCK + 32
    plain = struct.pack("<IIII", 30, 0xFFFFFFFF, 10, 12)
    fs = by_hand((BLOCK, inode(4, 0o100644, 3 * 8192 + 100, data=1)), (table, plain))
    wanted = NOISE[30 * BLOCK : 32 * BLOCK] + bytes(8192) + NOISE[10 * BLOCK : 12 * BLOCK] + NOISE[12 * BLOCK : 12 * BLOCK + 100]
    assert fs.open(fs.inode(0)).read() == wanted
    wide = b"".join(struct.pack("<HHI", 0, 0, block) for block in (30, 0xFFFFFFFF, 10, 12))
    fs = by_hand((BLOCK, inode(4, 0o100644, 3 * 8192 + 100, data=0x21, xattrs=2)), (table + 16, wide))
    assert fs.open(fs.inode(0)).read() == wanted
    fs = by_hand((BLOCK, inode(4, 0o100644, 2 * 8192, data=0x21)), (table, struct.pack("<HHIHHI", 0, 0, 30, 0, 1, 31)))
    with pytest.raises(Unsupported, match="on another device"):
        fs.open(fs.inode(0))


def test_limits_and_what_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    fs = by_hand((BLOCK, inode(4, 0o100644, 3 * BLOCK, data=0)))
    monkeypatch.setattr(erofs, "MAX_CHUNKS", 3)
    fs.open(fs.inode(0))
    monkeypatch.setattr(erofs, "MAX_CHUNKS", 2)
    with pytest.raises(ImageError, match="3 chunks"):
        fs.open(fs.inode(0))
    for layout, features, words in ((5, 1, "layout 5"), (1, 0, "old way of compression"), (3, 0, "old way of compression")):
        fs = by_hand((BLOCK, inode(layout, 0o100644, 10)), features=features)
        with pytest.raises(Unsupported, match=words):
            fs.open(fs.inode(0))
    names = struct.pack("<QHHQHH", 5, 24, 2, 6, 28, 1) + b"nameother"
    folder = by_hand((BLOCK + 96, inode(0, 0o040755, len(names), data=8)), (8 * BLOCK, names))
    assert folder.directory(3) == {"name": 5, "other": 6}
    monkeypatch.setattr(erofs, "MAX_DIRECTORY", len(names))
    folder.directory.cache_clear()
    assert set(folder.root.names()) == {"name", "other"}
    monkeypatch.setattr(erofs, "MAX_DIRECTORY", len(names) - 1)
    folder.directory.cache_clear()
    with pytest.raises(ImageError, match="directory 3"):
        folder.directory(3)
    link = by_hand((BLOCK, inode(0, 0o120777, 5, data=8)), (8 * BLOCK, b"there"))
    node = ErofsNode(link, 0)
    monkeypatch.setattr(erofs, "MAX_LINK", 5)
    assert node.link() == "there"
    monkeypatch.setattr(erofs, "MAX_LINK", 4)
    with pytest.raises(ImageError, match="a link of 5 bytes"):
        node.link()
    with pytest.raises(ImageError, match="directory 0"):
        list(node.names())


@pytest.mark.parametrize(
    "names",
    [struct.pack("<QHH", 5, 11, 2) + b"x", struct.pack("<QHH", 5, 13, 2) + b"x", struct.pack("<QHH", 5, 24, 2) + b"x", b"short",
     struct.pack("<QHHQHH", 5, 24, 2, 6, 24, 1) + b"xy", struct.pack("<QHHQHH", 5, 24, 2, 6, 26, 1) + b"xy",
     struct.pack("<QHHQHH", 5, 24, 2, 6, 23, 1) + b"xy"],
)  # fmt: skip
def test_damaged_folders(names: bytes) -> None:
    with pytest.raises(ImageError, match=r"damaged EROFS \(directory\)"):
        list(erofs._entries(names))


def test_names_end_at_a_zero() -> None:
    names = struct.pack("<QHHQHH", 5, 24, 2, 6, 26, 1) + b"a\0bb\0rest\0"
    assert list(erofs._entries(names)) == [("a", 5), ("bb", 6)]


@pytest.mark.parametrize(
    ("head", "error", "words"),
    [((1024, b"x"), ImageError, "no EROFS superblock"), ((1036, b"\x08"), ImageError, "blocks of 2.8"),
    ((1036, b"\x11"), ImageError, "blocks of 2.17"),
     ((1104, b"\x10"), Unsupported, "incompatible features 0x10"), ((1107, b"\x80"), Unsupported, "incompatible features 0x80000000")],
)  # fmt: skip
def test_superblocks(head: tuple[int, bytes], error: type[ImageError], words: str) -> None:
    with pytest.raises(error, match=words):
        by_hand(head)
    with pytest.raises(ImageError, match="no EROFS superblock"):
        Erofs(MemoryStream(NOISE[:1024] + b"\xe2\xe1\xf5\xe0" + bytes(123)))


def clusters(
    *rows: tuple[int, int, int], size: int, blocks: dict[int, bytes], advise: int = 0, algorithms: int = 0, bits: int = 0
) -> Packed:
    """A file with an index in full form: kind, offset in its cluster and block of each logical cluster of 4 KiB."""
    data = bytearray(NOISE[: 40 * BLOCK])
    struct.pack_into("<HBB", data, 8 + 4, advise, algorithms, bits)
    for number, (kind, offset, block) in enumerate(rows):
        struct.pack_into("<HHI", data, 8 + 16 + number * 8, kind, offset, block)
    for block, content in blocks.items():
        data[block * BLOCK : block * BLOCK + BLOCK] = content.rjust(BLOCK, b"\0") if len(content) < BLOCK else content
    return Packed(MemoryStream(bytes(data)), BLOCK, size, 3, compact=False)


def test_clusters_by_hand() -> None:
    import lz4.block

    text = (b"all work and no play\n" * 500)[:9000]
    block = lz4.block.compress(text, store_size=False)
    stored, head, inside = 0, 1, 2
    file = clusters((head, 0, 5), (inside, 0, 0), (stored, 808, 7), size=12_000, blocks={5: block})
    assert file.read() == text + NOISE[7 * BLOCK : 7 * BLOCK + 3000]
    assert file.read_at(8990, 20) == text[8990:] + NOISE[7 * BLOCK : 7 * BLOCK + 10]
    assert clusters((stored, 0, 7), size=BLOCK, blocks={}).read() == NOISE[7 * BLOCK : 8 * BLOCK]
    for rows, words in (
        (((inside, 0, 0), (stored, 0, 7)), "no cluster"), (((stored, 0, 7), (stored, 4096, 7), (stored, 0, 8)), "too short|out of order"),
        (((head, 0, 7), (stored, 0, 8)), "damaged EROFS"), (((stored, 0, 7), (inside, 0, 0), (inside, 0, 0)), "too short"),
    ):  # fmt: skip
        with pytest.raises(ImageError, match=words):
            clusters(*rows, size=len(rows) * BLOCK, blocks={}).read()
    for advise, algorithms, bits in ((2, 0, 0), (4, 0, 0), (8, 0, 0), (16, 0, 0), (32, 0, 0), (0, 1, 0), (0, 0, 0x80)):
        with pytest.raises(Unsupported, match="not packed with LZ4"):
            clusters((stored, 0, 7), size=BLOCK, blocks={}, advise=advise, algorithms=algorithms, bits=bits)


def test_few_clusters_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(erofs_lz4, "KEPT", 2)
    file = clusters(*((0, 0, 5 + number) for number in range(5)), size=5 * BLOCK, blocks={})
    assert file.read() == NOISE[5 * BLOCK : 10 * BLOCK]
    assert list(file._known) == [3, 4]
    monkeypatch.setattr(erofs_lz4, "MAX_PIECE", BLOCK - 1)
    with pytest.raises(ImageError, match="out of order"):
        file.read_at(0, 1)
    monkeypatch.setattr(erofs_lz4, "MAX_CLUSTERS", 2)
    assert clusters((0, 0, 7), (2, 0, 0), size=2 * BLOCK, blocks={}).size == 2 * BLOCK
    with pytest.raises(Unsupported, match="LZ4"):
        clusters((0, 0, 7), size=3 * BLOCK, blocks={})
