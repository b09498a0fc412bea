"""XFS by hand: inodes in the byte order of the log, logs as the kernel writes them, attributes in leaves, damaged superblocks and trees."""

from __future__ import annotations

import random
import re
import struct
from collections.abc import Callable, Sequence

import pytest

from v2vlint.disk.filesystems import xfs, xfs_attributes
from v2vlint.disk.filesystems.node import Kind
from v2vlint.disk.filesystems.runs import RunFile
from v2vlint.disk.filesystems.xfs import Xfs, XfsInode
from v2vlint.disk.filesystems.xfs_log_inode import InodeChange, inode_change
from v2vlint.disk.stream import MemoryStream
from v2vlint.model.errors import ImageError, Unsupported

MIB = 1 << 20
NOISE = random.Random(4).randbytes(1 << 16)
# struct xfs_dinode (fs/xfs/libxfs/xfs_format.h) up to its forks; di_crc is little-endian on disk, too
CORE = "HHBBHIIIHH6sHIIIIIIQQIIHBBIHHI"
VERSION_3 = "I4sQQQI12sIIQ16s"
BIGTIME = "HHBBHIIIHH6sHQQQQQIIHBBIHHI", "I4sQQQI12sQQ16s"
LARGE_COUNTS = "HHBBHIIIHHQIIIIIIQQII2sBBIHHI"


def core(layout: str, version: int, flags: int = 0, fork: int = 15) -> tuple[bytes, bytes]:
    """An inode with a different value in every field: as in the log, as on disk."""
    draw, words = random.Random(layout), re.findall(r"\d*[a-zA-Z]", layout)
    values: list[int | bytes] = []
    for word in words:
        size = struct.calcsize(word)
        values.append(draw.randbytes(size) if word[-1] == "s" else draw.randrange(1, 1 << 8 * size))
    values[0], values[2] = 0x494E, version
    if version == 3:
        values[next(at for at in range(len(words)) if words[at : at + 4] == ["Q", "Q", "I", "12s"]) + 1] = flags
    logged, disk = struct.pack(f"<{layout}", *values), struct.pack(f">{layout}", *values)
    return patched(logged, (82, bytes([fork]))), patched(disk, (82, bytes([fork])))


def patched(data: bytes, *writes: tuple[int, bytes]) -> bytes:
    held = bytearray(data)
    for at, part in writes:
        held[at : at + len(part)] = part
    return bytes(held)


def head(fields: int, number: int = 77, *, wide: bool = True) -> bytes:
    """``struct xfs_inode_log_format``, with or without the padding of 64-bit machines."""
    return struct.pack("<HHIHH4xQ" if wide else "<HHIHHQ", 0x123B, 3, fields, 0, 0, number).ljust(56 if wide else 52, b"\0")


VERSIONS = [(CORE, 2, 0), (CORE + VERSION_3, 3, 0), (BIGTIME[0] + BIGTIME[1], 3, 8), (LARGE_COUNTS + VERSION_3, 3, 16)]


@pytest.mark.parametrize(("layout", "version", "flags"), VERSIONS, ids=["2", "3", "bigtime", "large counts"])
@pytest.mark.parametrize("wide", [True, False])
def test_an_inode_in_the_log_is_that_of_the_disk_the_other_way_round(layout: str, version: int, flags: int, wide: bool) -> None:
    logged, disk = core(layout, version, flags)
    change = inode_change([head(1, wide=wide), logged], lsn=5)
    assert (change.number, change.lsn, change.fork, change.root, change.other_fork, change.other_root) == (77, 5, None, None, None, None)
    assert change.core == disk[: 176 if version == 3 else 96]


FORKS: list[tuple[int, tuple[bytes | None, bytes | None, bytes | None, bytes | None]]] = [
    (1, (None, None, None, None)),
    (1 | 2, (b"one", None, None, None)),
    (1 | 4, (b"one", None, None, None)),
    (1 | 8, (None, b"one", None, None)),
    (1 | 0x40, (None, None, b"one", None)),
    (1 | 0x80, (None, None, b"one", None)),
    (1 | 0x100, (None, None, None, b"one")),
    (1 | 4 | 0x40, (b"one", None, b"two", None)),
    (1 | 8 | 0x100, (None, b"one", None, b"two")),
]


@pytest.mark.parametrize(("fields", "wanted"), FORKS)
def test_forks_in_the_log(fields: int, wanted: tuple[bytes | None, ...]) -> None:
    found = inode_change([head(fields), core(CORE, 2)[0], b"one", b"two"], 1)
    assert (found.fork, found.root, found.other_fork, found.other_root) == wanted


@pytest.mark.parametrize("regions", [[head(1)], [head(1)[:51], bytes(96)], [head(1), bytes(95)]])
def test_damaged_inodes_in_the_log(regions: list[bytes]) -> None:
    with pytest.raises(ImageError, match="damaged inode"):
        inode_change(regions, 1)


@pytest.mark.parametrize(("version", "start"), [(2, 100), (3, 176)])
def test_forks_are_laid_into_the_inode(version: int, start: int) -> None:
    plain = core(CORE if version == 2 else CORE + VERSION_3, version, fork=4)[1][: 96 if version == 2 else 176]
    disk, end = NOISE[:256], start + 32
    assert InodeChange(1, 9, plain, b"data", None, b"attributes").applied(disk) == patched(
        disk, (0, plain), (start, b"data"), (end, b"attributes")
    )  # fmt: skip
    long = bytes(range(100))
    assert InodeChange(1, 9, plain, long, None, long).applied(disk) == patched(
        disk, (0, plain), (start, long[:32]), (end, long[: 256 - end])
    )
    whole = patched(plain, (82, b"\0"))
    assert InodeChange(1, 9, whole, long, None, b"no room").applied(disk) == patched(disk, (0, whole), (start, long[: 256 - start]))
    header = 24 if version == 2 else 72
    tree = b"BMAP" + struct.pack(">HH", 1, 2) + bytes(header - 8) + b"key-1234key-5678" + bytes(32) + b"ptr-1234ptr-5678" + bytes(32)
    root = struct.pack(">HH", 1, 2) + b"key-1234key-5678" + b"ptr-1234ptr-5678"
    short = patched(plain, (82, b"\5"))
    keys = struct.pack(">HH", 1, 2) + b"key-1234key-5678".ljust((40 - 4) // 16 * 8, b"\0") + b"ptr-1234ptr-5678"
    assert root.startswith(keys[:20])
    found = InodeChange(1, 9, short, None, tree, None, None).applied(disk)
    assert found == patched(disk, (0, short), (start, keys[:40]))


def test_an_inode_written_later_than_logged_stays() -> None:
    plain = core(CORE + VERSION_3, 3)[1]
    for stamp, magic, version, stays in (
        (10, b"IN", 3, True), (9, b"IN", 3, False), (0, b"IN", 3, False), (2**64 - 1, b"IN", 3, False), (10, b"XX", 3, False),
        (10, b"IN", 2, False),
    ):  # fmt: skip
        disk = patched(NOISE[:256], (0, magic), (4, bytes([version])), (112, stamp.to_bytes(8, "big")))
        assert (InodeChange(1, 9, plain, None, None).applied(disk) == disk) is stays


BLOCK, SECTORS = 4096, 4096
SUPERBLOCK = {4: (BLOCK, "I"), 48: (2, "Q"), 84: (1 << 16, "I"), 96: (SECTORS * 512 // BLOCK, "I"), 100: (5, "H"), 124: (16, "B")}


def superblock(**fields: int) -> bytes:
    data = bytearray(512)
    data[:4] = b"XFSB"
    for at, (value, letter) in SUPERBLOCK.items():
        struct.pack_into(f">{letter}", data, at, fields.get(f"at{at}", value))
    return bytes(data)


def test_runs_are_read_like_their_blocks() -> None:
    draw = random.Random(2)
    runs = [(3, 20, 4), (9, None, 2), (7, 60, 2), (20, 0, 1)]
    wanted = bytearray(30 * 512 - 100)
    for first, disk, count in runs:
        if disk is not None:
            wanted[first * 512 : (first + count) * 512] = NOISE[disk * 512 : (disk + count) * 512]
    file = RunFile(MemoryStream(NOISE), 512, len(wanted), runs)
    assert file.read_at(0, 1 << 20) == bytes(wanted)
    for _try in range(200):
        at, length = draw.randrange(len(wanted)), draw.choice((1, 300, 512, 3000))
        assert file.read_at(at, length) == bytes(wanted[at : at + length])
    assert RunFile(MemoryStream(NOISE), 512, 1024, [(0, 127, 2)]).read() == NOISE[-512:] + bytes(512)


def leaf(crc: bool, *entries: tuple[int, bytes, bytes], onward: int = 0, magic: int | None = None) -> bytes:
    """``struct xfs_attr3_leafblock``: flags, name, value; a value that is not local is (block, size)."""
    start, end = (56, 80) if crc else (12, 32)
    block = bytearray(NOISE[:1024])
    struct.pack_into(">IIH", block, 0, onward, 0, magic or (0x3BEE if crc else 0xFBEE))
    struct.pack_into(">H", block, start, len(entries))
    place = 600
    for index, (flags, name, value) in enumerate(entries):
        struct.pack_into(">IHB", block, end + index * 8, 0, place, flags)
        if flags & 1:
            data = struct.pack(">HB", len(value), len(name)) + name + value
        else:
            data = struct.pack(">IIB", value[0], int.from_bytes(value[1:], "big"), len(name)) + name
        block[place : place + len(data)] = data
        place += len(data)
    return bytes(block)


def read_from(*blocks: bytes) -> Callable[[int, int], bytes]:
    return lambda first, count: b"".join(blocks[first : first + count])


@pytest.mark.parametrize("crc", [True, False])
def test_attributes_in_leaves(crc: bool) -> None:
    header = 56 if crc else 0
    value = NOISE[:1500]
    parts = [value[at : at + 1024 - header] for at in range(0, len(value), 1024 - header)]
    remote = b"".join((b"#" * header + part).ljust(1024, b"#") for part in parts)
    node = patched(NOISE[:1024], (8, struct.pack(">H", 0x3EBE if crc else 0xFEBE)), ((64 if crc else 16) + 4, struct.pack(">I", 1)))
    entries = ((1, b"a", b"one"), (1 | 2, b"bb", b""), (1 | 4, b"c", b"three"), (1 | 0x80, b"d", b"no"), (1 | 8, b"e", b"no"))
    blocks = (node, leaf(crc, *entries, onward=2), leaf(crc, (2, b"far", b"\3" + (1500).to_bytes(2, "big"))), remote[:1024], remote[1024:])
    wanted = {"user.a": b"one", "trusted.bb": b"", "security.c": b"three", "trusted.far": value}
    assert dict(xfs_attributes.in_leaves(read_from(*blocks), 1024, crc=crc)) == wanted
    assert dict(xfs_attributes.in_leaves(read_from(leaf(crc, *entries)), 1024, crc=crc)) == {
        name: wanted[name] for name in wanted if "far" not in name
    }


def test_attributes_in_the_inode() -> None:
    entries = ((0, b"a", b"one"), (2, b"b", b""), (4, b"cc", b"three"), (0x80, b"d", b"no"), (8, b"e", b"no"), (0, b"z", b"last"))
    fork = b"".join(struct.pack(">BBB", len(name), len(value), flags) + name + value for flags, name, value in entries)
    data = struct.pack(">HBx", len(fork) + 4, len(entries)) + fork
    assert dict(xfs_attributes.in_inode(data + NOISE)) == {"user.a": b"one", "trusted.b": b"", "security.cc": b"three", "user.z": b"last"}
    assert dict(xfs_attributes.in_inode(data))["user.z"] == b"last"
    with pytest.raises(ImageError, match="damaged extended attributes"):
        dict(xfs_attributes.in_inode(data[:-1]))


def test_damaged_trees_of_attributes(monkeypatch: pytest.MonkeyPatch) -> None:
    node = patched(bytes(1024), (8, b"\x3e\xbe"))
    good = leaf(True, (1, b"a", b"one"))
    chain = [patched(node, (68, struct.pack(">I", number + 1))) for number in range(6)]
    assert dict(xfs_attributes.in_leaves(read_from(*chain[:5], good), 1024, crc=True)) == {"user.a": b"one"}
    cases: list[tuple[str, tuple[bytes, ...]]] = [
        ("too deep", (*chain, good)),
        ("leaf", (leaf(True, magic=0x3BEF),)),
        ("leaf", (patched(good, (56, struct.pack(">H", 119))),)),
        ("leaves", (leaf(True, onward=1), leaf(True, onward=1))),
        ("an extended attribute of 65537 bytes", (leaf(True, (0, b"a", b"\1\1\0\1")),)),
    ]
    for words, blocks in cases:
        with pytest.raises(ImageError, match=words):
            dict(xfs_attributes.in_leaves(read_from(*blocks), 1024, crc=True))
    assert len(dict(xfs_attributes.in_leaves(read_from(leaf(True, (0, b"a", b"\0\1\0\0"))), 1024, crc=True))) == 1
    monkeypatch.setattr(xfs_attributes, "MAX_LEAVES", 2)
    leaves = [leaf(True, (1, b"%d" % number, b""), onward=number + 1) for number in range(2)]
    with pytest.raises(ImageError, match="leaves"):
        dict(xfs_attributes.in_leaves(read_from(*leaves, good), 1024, crc=True))
    assert len(dict(xfs_attributes.in_leaves(read_from(leaves[0], good), 1024, crc=True))) == 2


DAMAGED: list[tuple[int, bytes, type[ImageError], str]] = [
    (101, b"\xb3", Unsupported, "XFS version 3"),
    (216, b"\0\0\1\0", Unsupported, "incompatible features 0x10"),
    (4, b"\0\0\x02\x01", ImageError, "damaged XFS superblock"),
    (4, b"\0\2\0\0", ImageError, "damaged XFS superblock"),
    (104, b"\0\xff", ImageError, "damaged XFS superblock"),
    (104, b"\x20\0", ImageError, "damaged XFS superblock"),
    (84, b"\0\0\0\0", ImageError, "damaged XFS superblock"),
    (192, b"\x09", ImageError, "damaged XFS superblock"),
    (124, b"\x20", ImageError, "damaged XFS superblock"),
    (123, b"\x09", ImageError, "damaged XFS superblock"),
]


@pytest.mark.parametrize(("at", "data", "error", "words"), DAMAGED)
def test_damaged_superblocks(at: int, data: bytes, error: type[ImageError], words: str) -> None:
    good = bytearray(superblock(at48=0))
    for place, value in ((104, b"\2\0"), (123, b"\3"), (216, b"\0\0\0\1")):
        good[place : place + len(value)] = value
    assert Xfs(MemoryStream(bytes(good))).ftype
    with pytest.raises(error, match=words):
        Xfs(MemoryStream(patched(bytes(good), (at, data))))


def leaf_of_extents(level: int, count: int, magic: bytes = b"BMA3") -> bytes:
    """A block of an extent tree (``struct xfs_bmbt_block``), with records or pointers to block 7."""
    head = struct.pack(">4sHH", magic, level, count).ljust(72, b"#")
    if level:
        return head + bytes((BLOCK - 72) // 16 * 8) + struct.pack(">Q", 7) * count
    return head + b"".join(struct.pack(">QQ", number * 2 << 9, number + 20 << 21 | 1) for number in range(count))


@pytest.mark.parametrize(
    ("level", "blocks", "error"),
    [(1, (leaf_of_extents(0, 9),), ""), (2, (leaf_of_extents(1, 1), leaf_of_extents(0, 9)), ""), (1, (leaf_of_extents(0, 9, b"BMAP"),), ""),
     (1, (leaf_of_extents(1, 1), leaf_of_extents(0, 9)), "damaged extent tree"),
     (1, (leaf_of_extents(0, 9, b"BMA4"),), "damaged extent tree"),
     (1, (leaf_of_extents(0, 11),), "damaged extent tree"), (2, (leaf_of_extents(1, 2), leaf_of_extents(0, 9)), "damaged extent tree")],
)  # fmt: skip
def test_trees_of_extents(monkeypatch: pytest.MonkeyPatch, level: int, blocks: tuple[bytes, ...], error: str) -> None:
    """Their root lies in the inode; each block has its level, and all records together a limit."""
    monkeypatch.setattr(xfs, "MAX_RUNS", 10)
    writes = [((5 + 2 * number) * BLOCK, block) for number, block in enumerate(blocks)]
    image = patched(superblock(at48=0).ljust(9 * BLOCK, b"#"), (104, b"\2\0"), *writes)
    root = struct.pack(">HHQQQQ", level, 1, 0, 0, 5, 0)
    inode = XfsInode(1, Kind.FILE, 0o644, 0, 0, 40 * BLOCK, 0.0, 3, 9, root)
    fs = Xfs(MemoryStream(image))
    if error:
        with pytest.raises(ImageError, match=error):
            fs.content(inode)
    else:
        content = fs.content(inode)
        assert isinstance(content, RunFile)
        assert content._runs == [(number * 2, number + 20, 1) for number in range(9)]


def test_what_is_no_folder_or_has_no_data() -> None:
    fs = Xfs(MemoryStream(patched(superblock(at48=0), (104, b"\2\0"))))
    inode = XfsInode(1, Kind.FILE, 0o644, 0, 0, 9, 0.0, 0, 0, b"")
    fs.inode = lambda _number: inode  # type: ignore[assignment]
    with pytest.raises(ImageError, match="not a directory"):
        fs.directory(1)
    with pytest.raises(ImageError, match="inode 1 has no data"):
        fs.root.open()


def test_records_of_extents_in_an_inode() -> None:
    """No more of them than the inode states, whatever lies behind."""
    good = bytearray(superblock(at48=0))
    good[104:106] = b"\2\0"
    fs = Xfs(MemoryStream(bytes(good) + NOISE))
    records = b"".join(struct.pack(">QQ", number * 2 << 9, number + 1 << 21 | 1) for number in range(16))
    content = fs.content(XfsInode(1, Kind.FILE, 0o644, 0, 0, 40 * BLOCK, 0.0, 2, 16, records + bytes(range(64))))
    assert isinstance(content, RunFile)
    assert content._runs == [(number * 2, number + 1, 1) for number in range(16)]


def test_a_record_of_an_extent_by_its_bits() -> None:
    """1 bit for unwritten, 54 for the place in the file, 52 for the block, 21 for the length (``xfs_bmbt_rec``)."""
    fs = Xfs(MemoryStream(patched(superblock(at48=0, at84=50_000), (104, b"\2\0"))))
    block, first, count = 0xA5A5A5A5A5A5A, 0x2A5A5A5A5A5A5A, 0x1A5A5A
    record = first << 73 | block << 21 | count
    place = (block >> 16) * 50_000 + (block & 0xFFFF)
    for unwritten in (0, 1):
        records = (unwritten << 127 | record).to_bytes(16, "big")
        assert list(fs._runs(records + b"cut off")) == [(first, None if unwritten else place, count)]


@pytest.mark.parametrize(
    ("version", "at", "data", "ftype"), [(4, 200, 1, False), (4, 200, 0x200, True), (5, 216, 1, True), (5, 216, 2, False)]
)
def test_whether_entries_have_a_type(version: int, at: int, data: int, ftype: bool) -> None:
    block = patched(superblock(at48=0, at100=version), (104, b"\2\0"), (at, struct.pack(">I", data)))
    assert Xfs(MemoryStream(block)).ftype is ftype


@pytest.mark.parametrize("size", [512 << power for power in range(8)])
def test_sizes_of_blocks(size: int) -> None:
    fs = Xfs(MemoryStream(patched(superblock(at48=0, at4=size), (104, b"\1\0"), (192, b"\1"))))
    assert (fs.block_size, fs.directory_block) == (size, 2 * size)


def entry(name: bytes, number: int) -> bytes:
    """``struct xfs_dir2_data_entry`` with a type and a tag."""
    held = struct.pack(">QB", number, len(name)) + name + b"\1"
    return held + bytes(-(len(held) + 2) % 8) + b"\0\0"


def block_of_entries(*entries: bytes, magic: bytes = b"XDD3", free: int | None = None) -> bytes:
    """A block of a directory (``struct xfs_dir3_data_hdr``), whose rest is free."""
    head = magic.ljust(64, b"#") + b"".join(entries)
    return (head + struct.pack(">HH", 0xFFFF, BLOCK - len(head) if free is None else free)).ljust(BLOCK, b"#")


def directory(*runs: tuple[int, int, int], blocks: Sequence[bytes], size: int) -> dict[str, int]:
    """The names in a directory whose extents are ``runs``, in blocks from the second of the disk on."""
    image = superblock(at48=0).ljust(BLOCK, b"\0") + b"".join(blocks)
    fs = Xfs(MemoryStream(patched(image, (104, b"\2\0"), (192, b"\0"), (216, b"\0\0\0\1"))))
    records = b"".join(struct.pack(">QQ", first << 9, place << 21 | count) for first, place, count in runs)
    inode = XfsInode(1, Kind.DIR, 0o755, 0, 0, size * BLOCK, 0.0, 2, len(runs), records)
    fs.inode = lambda _number: inode  # type: ignore[assignment]
    return fs._directory(1)


def test_holes_in_directories_hold_no_entries() -> None:
    first, last = block_of_entries(entry(b".", 1), entry(b"one", 5)), block_of_entries(entry(b"two", 6), entry(b"3" * 255, 7))
    assert directory((0, 1, 1), (2, 2, 1), blocks=(first, last), size=3) == {"one": 5, "two": 6, "3" * 255: 7}


def tailed(count: int) -> bytes:
    """A directory of one block, with ``count`` entries in its hash index."""
    held = bytearray(block_of_entries(entry(b"one", 5), magic=b"XDB3", free=BLOCK - 64 - len(entry(b"one", 5)) - 8 - 8 * 2))
    struct.pack_into(">II", held, BLOCK - 8, count, 0)
    return bytes(held)


def test_a_directory_of_one_block_ends_with_its_index() -> None:
    assert directory((0, 1, 1), blocks=(tailed(2),), size=1) == {"one": 5}


@pytest.mark.parametrize(
    "block",
    [bytes(BLOCK), block_of_entries(magic=b"XDD4"), block_of_entries(entry(b"one", 5), free=0), block_of_entries(free=BLOCK),
     block_of_entries(free=13), block_of_entries(entry(b"one", 5), entry(b"", 6)), tailed(3), tailed(1 << 31)],
    ids=["zeros", "magic", "no length", "too long", "length", "no name", "over the index", "only index"],
)  # fmt: skip
def test_a_damaged_block_does_not_pass_for_an_empty_one(block: bytes) -> None:
    """The kernel's verifier (``__xfs_dir3_data_check``) refuses each of them."""
    with pytest.raises(ImageError, match="damaged directory block"):
        directory((0, 1, 1), blocks=(block,), size=1)
