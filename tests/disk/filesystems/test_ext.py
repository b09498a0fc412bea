"""ext by its own tools and by hand: the journal that e2fsck replays, inodes, attributes, groups of unusual filesystems, damage."""

from __future__ import annotations

import random
import re
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.disk.filesystems.spoiling import Spoiled
from tests.disk.images import host_tree, make_tree, read_tree, run, same
from v2vlint.disk.filesystems import ext_attributes
from v2vlint.disk.filesystems.ext import Ext, ExtInode
from v2vlint.disk.filesystems.ext_journal import Replayed
from v2vlint.disk.filesystems.node import Kind, as_it_lies, as_known
from v2vlint.disk.stream import HostFile, MemoryStream, Stream
from v2vlint.model.errors import ImageError, Unsupported

MIB = 1 << 20
NOISE = random.Random(3).randbytes(1 << 16)
MAGIC = b"\xc0\x3b\x39\x98"


def made(image: Path, *options: str, size: int = 8 * MIB) -> Path:
    """A filesystem on ground that was something else before."""
    image.write_bytes(NOISE * (size // len(NOISE)))
    run("mke2fs", "-q", "-F", "-E", "nodiscard", *options, image)
    return image


GROUPS = {
    "meta_bg": ("-O", "meta_bg,^resize_inode,^flex_bg"),
    "meta_bg and a superblock in every group": ("-O", "meta_bg,^resize_inode,^flex_bg,^sparse_super"),
    "meta_bg and two more superblocks": ("-O", "meta_bg,^resize_inode,^flex_bg,sparse_super2"),
    "meta_bg of short descriptors": ("-O", "meta_bg,^resize_inode,^flex_bg,^64bit,^metadata_csum"),
    "no meta_bg": ("-O", "^flex_bg"),
    "larger blocks": ("-b", "4096"),
}


@pytest.mark.parametrize("options", GROUPS.values(), ids=GROUPS)
def test_many_groups(tmp_path: Path, options: tuple[str, ...]) -> None:
    """65 groups, each with some of the files."""
    top = make_tree(tmp_path / "root", odd=False)
    for number in range(1010):
        (top / f"home/{number}").mkdir()
        (top / f"home/{number}/file").write_bytes(b"%d" % number)
    small = () if "-b" in options else ("-b", "1024", "-g", "1024")
    made(tmp_path / "fs", "-t", "ext4", "-N", "2080", *small, *options, "-d", str(top), size=65 * MIB)
    same(read_tree(Ext(HostFile(str(tmp_path / "fs")))), host_tree(top))


def test_blocks_behind_three_levels_of_indirect_ones(tmp_path: Path) -> None:
    """With blocks of 1 KiB, file block 65804 is the first of the triple indirect ones."""
    content = random.Random(9).randbytes(5000)
    places = [at * 1024 for at in (11, 267, 65803, 66000)]
    (tmp_path / "root").mkdir()
    with (tmp_path / "root/file").open("wb") as file:
        for at in places:
            file.seek(at)
            file.write(content)
    image = made(tmp_path / "fs", "-t", "ext2", "-b", "1024", "-d", str(tmp_path / "root"))
    found = Ext(HostFile(str(image))).root.child("file")
    assert found is not None
    with found.open() as stream:
        for at in places:
            stream.seek(at - 1000)
            assert stream.read(7000)[:6000] == bytes(1000) + content
    last = 12 + 256 + 256**2 + 256**3
    system = Ext(Spoiled(image, (inode_at(image, "/file") + 4, (last * 1024 + 1 & 0xFFFFFFFF).to_bytes(4, "little")),
                         (inode_at(image, "/file") + 108, (last * 1024 >> 32).to_bytes(4, "little"))))  # fmt: skip
    large = system.root.child("file")
    assert large is not None
    with large.open() as stream:
        stream.seek(last * 1024 - 5)
        assert stream.read(5) == bytes(5)
        with pytest.raises(ImageError, match="too large for its block map"):
            stream.read(1)


def inode_at(image: Path, path: str) -> int:
    """The place of an inode, by debugfs."""
    found = re.search(r"located at block (\d+), offset (0x[0-9a-f]+)", run("debugfs", "-R", f"imap {path}", image))
    assert found is not None
    return int(found[1]) * Ext(HostFile(str(image))).block_size + int(found[2], 16)


class Far(Stream):
    """A filesystem whose inode tables lie 2^32 blocks further on than they did: behind 4 TiB."""

    def __init__(self, image: Path, block_size: int) -> None:
        self._near, self._shift = HostFile(str(image)), block_size << 32
        super().__init__(self._near.size + self._shift)
        at = 2 * block_size  # group 0's descriptor, behind the superblock
        low = int.from_bytes(self._near.read_at(at + 8, 4), "little")
        self._high, self._tables = (at + 0x28, (1).to_bytes(4, "little")), range(low * block_size, (low + 8) * block_size)

    def read_at(self, offset: int, length: int) -> bytes:
        """Nothing but noise where the tables were."""
        data = bytearray(self._near.read_at(offset % self._shift, length))
        at, high = self._high
        if offset <= at < offset + length:
            data[at - offset : at - offset + 4] = high
        return NOISE[:length] if offset in self._tables else bytes(data)


def test_inode_tables_behind_32_bits_of_blocks(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "root/file").write_bytes(b"content")
    image = made(tmp_path / "fs", "-t", "ext4", "-b", "1024", "-O", "64bit", "-d", str(tmp_path / "root"))
    assert read_tree(Ext(Far(image, 1024))) == read_tree(Ext(HostFile(str(image))))


def inode(kind: int = 0x8, room: int = 256, **fields: int) -> ExtInode:
    """An inode with fields at their places in ``struct ext4_inode``."""
    places = {"mode": (0, "H"), "uid": (2, "H"), "size": (4, "I"), "mtime": (16, "I"), "gid": (24, "H"), "flags": (32, "I"),
              "acl": (104, "I"),
              "size_high": (108, "I"), "acl_high": (118, "H"), "uid_high": (120, "H"), "gid_high": (122, "H"), "extra": (128, "H"),
              "more": (136, "I")}  # fmt: skip
    data = bytearray(NOISE[:room])
    for name, (at, letter) in places.items():
        if at + struct.calcsize(letter) <= room:
            struct.pack_into(f"<{letter}", data, at, fields.get(name, kind << 12 if name == "mode" else 0))
    return ExtInode(7, bytes(data))


@pytest.mark.parametrize(
    ("mtime", "extra", "more", "wanted"),
    [(0x7FFFFFFF, 32, 0, 2147483647.0), (0x80000000, 32, 0, -2147483648.0), (0xFFFFFFFF, 32, 0, -1.0), (0x80000000, 32, 1, 2147483648.0),
     (0, 32, 1, 4294967296.0), (0xFFFFFFFF, 32, 3, 12884901887.0), (5, 12, 500_000_000 << 2, 5.5), (5, 8, 500_000_000 << 2, 5.0)],
)  # fmt: skip
def test_times_go_on_until_2446(mtime: int, extra: int, more: int, wanted: float) -> None:
    """The table in Documentation/filesystems/ext4/inodes.rst."""
    assert inode(mtime=mtime, extra=extra, more=more).mtime == wanted
    assert inode(room=128, mtime=5).mtime == 5.0


def test_fields_of_an_inode() -> None:
    found = inode(mode=0o107654, uid=0xF001, uid_high=2, gid=0xE001, gid_high=3, size=0, size_high=1, acl=9, acl_high=1)
    assert (found.kind, found.mode, found.uid, found.gid) == (Kind.FILE, 0o7654, 0x2F001, 0x3E001)
    assert found.attributes == 1 << 32 | 9
    sizes = {kind: inode(kind, size_high=1) for kind in (0x8, 0x4, 0xA, 0x2)}
    assert {kind: one.size >> 32 for kind, one in sizes.items()} == {0x8: 1, 0x4: 1, 0xA: 0, 0x2: 0}
    assert [sizes[kind].kind for kind in (0x4, 0xA, 0x2)] == [Kind.DIR, Kind.LINK, Kind.OTHER]


SUPERBLOCKS: list[tuple[int, bytes, type[Exception], str]] = [
    (1080, b"\0\0", ImageError, "no ext superblock"),
    (1048, b"\7\0\0\0", ImageError, "damaged ext superblock"),
    (1056, bytes(4), ImageError, "damaged ext superblock"),
    (1064, bytes(4), ImageError, "damaged ext superblock"),
    (1112, b"\x7f\0", ImageError, "damaged ext superblock"),
    (1122, b"\x04", Unsupported, "unknown incompatible features 0x4"),
]


@pytest.mark.parametrize(("at", "data", "error", "words"), SUPERBLOCKS)
def test_damaged_superblocks(tmp_path: Path, at: int, data: bytes, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        Ext(Spoiled(made(tmp_path / "fs", "-t", "ext2"), (at, data)))


def test_what_is_encrypted_or_cut_off_says_so(tmp_path: Path) -> None:
    top = make_tree(tmp_path / "root", odd=False)
    image = made(tmp_path / "fs", "-t", "ext4", "-O", "encrypt", "-d", str(top))
    for path in ("etc/fstab", "bin", "boot"):
        run("debugfs", "-w", "-R", f"sif {path} flags 0x80800", image)
    root = Ext(HostFile(str(image))).root
    boot, bin_, etc = root.child("boot"), root.child("bin"), root.child("etc")
    assert boot is not None
    assert bin_ is not None
    assert etc is not None
    fstab, plain = etc.child("fstab"), etc.child("hostname")
    assert fstab is not None
    assert plain is not None
    asked: list[tuple[str, Callable[[], object]]] = [("file", fstab.open), ("link", bin_.link), ("directory", boot.names)]
    for what, call in asked:
        with pytest.raises(Unsupported, match=f"encrypted {what} "):
            call()
    with pytest.raises(Unsupported, match="not a directory"):
        list(plain.names())
    cut = Ext(MemoryStream(image.read_bytes()[:8192]))
    with pytest.raises(ImageError, match="truncated: inode 2 lies beyond"):
        cut.root.stat()
    with pytest.raises(ImageError, match="truncated: group 0 lies beyond"):
        Ext(MemoryStream(image.read_bytes()[:2048])).root.stat()
    for number in (0, cut.inodes + 1):
        with pytest.raises(ImageError, match=f"inode {number} does not exist"):
            cut.inode(number)


def attribute(name: bytes, space: int, offset: int, size: int, elsewhere: int = 0) -> bytes:
    """``struct ext4_xattr_entry`` and its name."""
    return (struct.pack("<BBHIII", len(name), space, offset, elsewhere, size, 0) + name).ljust(16 + (len(name) + 3) // 4 * 4, b"\0")


def test_attributes_by_hand() -> None:
    values = b"first" + b"second"
    entries = (
        attribute(b"a", 1, 200, 5)
        + attribute(b"acl", 2, 200, 5)
        + attribute(b"long name", 4, 205, 6)
        + attribute(b"c", 6, 0, 3, elsewhere=12)
    )
    block = (b"\0\0\2\xea" + bytes(28) + entries).ljust(200, b"\0") + values
    wanted = {"user.a": b"first", "trusted.long name": b"second", "security.c": b"12/3"}
    assert dict(ext_attributes.in_block(block, lambda number, size: b"%d/%d" % (number, size))) == wanted
    inside = bytes(128 + 32) + b"\0\0\2\xea" + (entries.ljust(200, b"\0") + values)
    assert dict(ext_attributes.in_inode(inside, 32, lambda number, size: b"%d/%d" % (number, size))) == wanted
    assert dict(ext_attributes.in_inode(inside, 0, lambda _number, _size: b"")) == {}
    assert dict(ext_attributes.in_inode(inside[:160] + b"\0\0\2\xeb" + inside[164:], 32, lambda _number, _size: b"")) == {}
    with pytest.raises(ImageError, match="damaged block"):
        dict(ext_attributes.in_block(b"\1" + block[1:], lambda _number, _size: b""))


@pytest.mark.parametrize(("size", "elsewhere", "fits"), [(1 << 16, 9, True), ((1 << 16) + 1, 9, False), (4, 0, True), (5, 0, False)])
def test_the_size_of_an_attribute(size: int, elsewhere: int, fits: bool) -> None:
    block = b"\0\0\2\xea" + bytes(28) + attribute(b"name", 1, 56, size, elsewhere) + bytes(4) + b"1234"
    if fits:
        assert len(dict(ext_attributes.in_block(block, lambda _number, size: bytes(size)))["user.name"]) == size
    else:
        with pytest.raises(ImageError, match=r"damaged extended attribute user\.name"):
            dict(ext_attributes.in_block(block, lambda _number, size: bytes(size)))


JOURNALS = {
    "checksums of version 3": (("-b", "4096"), "-c -v 3"),
    "32 bits": (("-O", "^64bit"), "-c -v 3"),
    "without checksums": (("-O", "^metadata_csum"), ""),
    "without checksums, 32 bits": (("-O", "^metadata_csum,^64bit"), ""),
    "checksums of version 2": ((), "-c -v 2"),
    "small blocks": (("-b", "1024"), "-c -v 3"),
}


def written(image: Path, draw: random.Random, form: str) -> None:
    """Transactions by debugfs: blocks, some that begin with the journal's magic number, some revoked again."""
    size = Ext(HostFile(str(image))).block_size
    free = run("dumpe2fs", image).split("Free blocks: ")[2].split("\n")[0].split(",")[0].split("-")
    first = int(free[0])
    lines = []
    for number in range(3):
        blocks = sorted(draw.sample(range(first, first + 60), 40))
        source = image.parent / f"blocks{number}"
        source.write_bytes(b"".join(draw.choice((MAGIC, b"")).ljust(size, bytes([draw.randrange(1, 255)])) for _ in blocks))
        lines.append(f"jo {form}\njw -b {','.join(map(str, blocks))} {source}\njc\n")
        if number < 2:
            lines.append(f"jo {form}\njw -r {','.join(str(first + draw.randrange(60)) for _ in range(5))}\njc\n")
    run("debugfs", "-w", "-f", "-", image, input="".join(lines))


@pytest.mark.parametrize(("options", "form"), JOURNALS.values(), ids=JOURNALS)
def test_the_journal_as_e2fsck_replays_it(tmp_path: Path, options: tuple[str, ...], form: str) -> None:
    image = made(tmp_path / "fs", "-t", "ext4", *options)
    before = image.read_bytes()
    written(image, random.Random(str(options) + form), form)
    system = Ext(HostFile(str(image)))
    assert not system.stale
    found = system.base.read_at(0, system.base.size)
    lying = as_it_lies(system)
    assert lying is not system
    assert as_it_lies(lying) is lying
    assert as_known(system) is system
    run("cp", image, tmp_path / "recovered")
    run("e2fsck", "-E", "journal_only", "-p", tmp_path / "recovered")
    wanted, size = (tmp_path / "recovered").read_bytes(), system.block_size
    journal = journal_blocks(image)
    differ = [at for at in range(0, len(wanted), size) if found[at : at + size] != wanted[at : at + size]]
    assert [at for at in differ if at // size not in journal and at >= 4096] == []
    assert sum(found[at : at + size] != before[at : at + size] for at in range(0, len(wanted), size)) > 40
    step = size // 2 + 3
    assert b"".join(system.base.read_at(at, step) for at in range(0, len(found), step)) == found


def journal_blocks(image: Path) -> set[int]:
    return set(map(int, run("debugfs", "-R", "blocks <8>", image).split()))


def at_journal(image: Path) -> int:
    """Where the journal's superblock is."""
    return int(run("debugfs", "-R", "bmap <8> 0", image)) * Ext(HostFile(str(image))).block_size


JOURNAL_DAMAGE: list[tuple[int, bytes, str]] = [
    (0, b"\0", "has no superblock"),
    (0x0C, b"\0\0\x08\0", "fails its checksum|is damaged|other blocks"),
    (0x20, b"\xff", "fails its checksum"),
    (0x28, b"\x01", "unknown features 0x1000000"),
    (0x50, b"\1", "fails its checksum"),
]


@pytest.mark.parametrize(("place", "data", "words"), JOURNAL_DAMAGE)
def test_a_damaged_journal_is_not_replayed(tmp_path: Path, place: int, data: bytes, words: str) -> None:
    image = made(tmp_path / "fs", "-t", "ext4")
    start = at_journal(image)
    written(image, random.Random(1), "-c -v 3")
    system = Ext(Spoiled(image, (start + place, data)))
    assert re.search(words, system.stale), system.stale
    lying = as_known(system)
    assert lying is not system
    assert not lying.stale


def test_a_damaged_block_in_the_journal(tmp_path: Path) -> None:
    """One in a transaction makes the mount fail, one in the last commit ends the replay before it."""
    image = made(tmp_path / "fs", "-t", "ext4", "-b", "4096")
    start = at_journal(image)
    written(image, random.Random(1), "-c -v 3")
    data = image.read_bytes()
    commits = [at for at in range(start, start + 2 * MIB, 4096) if data[at : at + 8] == MAGIC + b"\0\0\0\2"]
    heads = [at for at in range(start, start + 2 * MIB, 4096) if data[at : at + 8] == MAGIC + b"\0\0\0\1"]
    assert len(commits) == 5
    assert "fails its checksum" in Ext(Spoiled(image, (heads[0] + 4092, b"\1\2\3\4"))).stale
    assert "in its journal fails its checksum" in Ext(Spoiled(image, (heads[-1] + 4096 + 100, b"\1\2\3\4"))).stale
    whole, cut = Ext(MemoryStream(data)), Ext(Spoiled(image, (commits[-1] + 16, b"\1\2\3\4")))
    assert not cut.stale
    assert isinstance(whole.base, Replayed)
    assert isinstance(cut.base, Replayed)
    assert len(cut.base._journal.changes) < len(whole.base._journal.changes)
    assert cut.base._journal.expected == whole.base._journal.expected - 1


def test_a_journal_elsewhere_or_of_other_blocks(tmp_path: Path) -> None:
    image = made(tmp_path / "fs", "-t", "ext4", "-b", "4096", "-O", "^metadata_csum")
    run("debugfs", "-w", "-R", "feature needs_recovery", image)
    assert Ext(HostFile(str(image))).stale == ""
    assert Ext(Spoiled(image, (1024 + 224, bytes(4)))).stale == "its journal lies on another device"
    start = at_journal(image)
    assert Ext(Spoiled(image, (start + 0x0C, (1024).to_bytes(4, "big")))).stale == "its journal has other blocks than itself"
    for place, value in ((0x0C, 512), (0x0C, 1 << 17), (0x14, 0), (0x10, 1 << 20), (0x14, 1 << 19)):
        assert Ext(Spoiled(image, (start + place, value.to_bytes(4, "big")))).stale == "the superblock of its journal is damaged"
