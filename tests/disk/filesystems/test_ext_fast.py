"""Fast commits of ext4 and journals by hand: tags of fs/ext4/fast_commit.h, blocks of fs/jbd2, up to where they count."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator

import pytest

from v2vlint.disk.checksums import crc32c
from v2vlint.disk.filesystems import ext_fast, ext_journal
from v2vlint.disk.filesystems.ext_fast import FastCommits, FastRange, read_fast_commits
from v2vlint.disk.filesystems.ext_journal import ExtJournal
from v2vlint.disk.stream import MemoryStream
from v2vlint.model.errors import ImageError

NOISE = random.Random(3).randbytes(1 << 16)


def tag(kind: int, value: bytes) -> bytes:
    return struct.pack("<HH", kind, len(value)) + value


def commit(transaction: int, *tags: bytes, wrong: int = 0, stated: int | None = None, features: int = 0, room: int = 0) -> bytes:
    """A fast commit: EXT4_FC_TAG_HEAD, tags, EXT4_FC_TAG_TAIL with the checksum of all of it; the tail may fill a block."""
    data = tag(9, struct.pack("<II", features, transaction)) + b"".join(tags)
    data += struct.pack("<HHI", 8, room - len(data) - 4 if room else 8, transaction if stated is None else stated)
    return (data + struct.pack("<I", crc32c(0, data) ^ wrong)).ljust(room, b"\0")


def entry(kind: int, parent: int, number: int, name: bytes) -> bytes:
    return tag(kind, struct.pack("<II", parent, number) + name)


CREATE, LINK, UNLINK, ADD, DELETE, INODE, PAD = 3, 4, 5, 1, 2, 6, 7


def test_fast_commits_by_hand() -> None:
    raw = bytes(range(128))
    inode = tag(INODE, struct.pack("<I", 12) + raw)
    first = commit(5, entry(CREATE, 2, 12, b"made"), entry(LINK, 2, 13, b"linked"), entry(UNLINK, 2, 14, b"gone"), inode, room=1024)
    second = commit(5, tag(PAD, bytes(60)), tag(ADD, struct.pack("<IIHHI", 12, 3, 4, 1, 100)),
                    tag(ADD, struct.pack("<IIHHI", 12, 9, 32768 + 2, 0, 7)),
                    tag(ADD, struct.pack("<IIHHI", 13, 40, 32768 + 1, 0, 7)), tag(ADD, struct.pack("<IIHHI", 13, 0, 32768, 0, 7)),
                    tag(DELETE, struct.pack("<III", 12, 20, 5)))  # fmt: skip
    found = read_fast_commits([first, second], 5)
    assert found.names == {2: {"made": 12, "linked": 13, "gone": None}}
    assert found.inodes == {12: raw}
    assert found.ranges == {
        12: [FastRange(3, 4, 1 << 32 | 100), FastRange(9, 2, 0), FastRange(20, 5, 0)],
        13: [FastRange(40, 1, 0), FastRange(0, 32768, 7)],
    }
    assert (found.created, found.unlinked, found.reused) == ({12}, {14}, set())
    assert found.folder(2, lambda _number: {"gone": 14, "kept": 15, "made": 3}) == {"kept": 15, "made": 12, "linked": 13}
    assert found.folder(12, lambda _number: {"old": 1}) == {}
    assert found.folder(99, lambda number: {"n": number}) == {"n": 99}
    again = read_fast_commits([commit(5, entry(UNLINK, 2, 14, b"x")) + commit(5, entry(CREATE, 2, 14, b"y"))], 5)
    assert again.reused == {14}


@pytest.mark.parametrize(
    ("blocks", "names"),
    [([commit(5, entry(LINK, 2, 3, b"a")), commit(5, entry(LINK, 2, 3, b"b"), wrong=1)], {"a"}),
     ([commit(5, entry(LINK, 2, 3, b"a")), commit(6, entry(LINK, 2, 3, b"b"))], {"a"}),
     ([commit(5, entry(LINK, 2, 3, b"a")), commit(5, entry(LINK, 2, 3, b"b"), stated=6)], {"a"}),
     ([commit(5, entry(LINK, 2, 3, b"a")), commit(5, entry(LINK, 2, 3, b"b"))[:-1]], {"a"}),
     ([commit(5, entry(LINK, 2, 3, b"a"), tag(ADD, bytes(15)))], set()), ([commit(5, entry(LINK, 2, 3, b"a"),
     tag(DELETE, bytes(11)))], set()),
     ([commit(5, entry(LINK, 2, 3, b"a"), tag(0, b""))], set()), ([commit(5, entry(LINK, 2, 3, b"a"), tag(10, b""))], set()),
     ([tag(9, bytes(7))], set()), ([commit(5, entry(LINK, 2, 3, b""), entry(LINK, 2, 3, b"a"), tag(INODE, bytes(131)))], {"a"})],
)  # fmt: skip
def test_fast_commits_count_up_to_the_first_that_is_not_whole(blocks: list[bytes], names: set[str]) -> None:
    found = read_fast_commits(blocks, 5)
    assert set(found.names.get(2, {})) == names
    assert bool(found) is bool(names)
    assert not found.inodes


def test_a_commit_goes_on_in_the_next_block() -> None:
    """Its checksum covers a tag without a value at the end of the first one, too."""
    whole = commit(5, entry(LINK, 2, 3, b"a"), tag(PAD, b""), entry(LINK, 2, 3, b"b"))
    at = whole.index(tag(PAD, b"")) + 4
    assert set(read_fast_commits([whole[:at], whole[at:]], 5).names[2]) == {"a", "b"}


def test_unknown_features_and_many_tags(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ImageError, match="unknown features 0x4"):
        read_fast_commits([commit(5, features=4)], 5)
    monkeypatch.setattr(ext_fast, "MAX_TAGS", 3)
    assert read_fast_commits([commit(5, entry(LINK, 2, 3, b"a"))], 5)
    assert not read_fast_commits([commit(5, entry(LINK, 2, 3, b"a"), entry(LINK, 2, 3, b"b"))], 5)


def test_ranges_of_fast_commits() -> None:
    found = FastCommits(ranges={1: [FastRange(10, 10, 100), FastRange(14, 2, 0), FastRange(30, 5, 200)]})
    assert [found.find(1, block, 50) for block in (9, 10, 13, 14, 15, 16, 19, 20, 30, 34, 35)] == [
        None, (100, 4), (103, 1), (0, 2), (0, 1), (106, 4), (109, 1), None, (200, 5), (204, 1), None,
    ]  # fmt: skip
    assert found.find(1, 10, 3) == (100, 3)
    assert [found.until(1, block, 50) for block in (0, 9, 20, 34, 40)] == [10, 1, 10, 50, 50]
    assert (found.find(2, 10, 5), found.until(2, 10, 5)) == (None, 5)
    assert [bool(FastCommits(**{name: {1: value}})) for name, value in (("inodes", b""), ("names", {}), ("ranges", []))] == [True] * 3  # type: ignore[arg-type]
    assert not FastCommits()


def test_an_inode_of_a_fast_commit_keeps_its_blocks() -> None:
    disk, tree = bytearray(NOISE[:160]), struct.pack("<HHHHI", 0xF30A, 1, 4, 0, 0)
    new = bytearray(NOISE[1000:1140])

    def applied(flags: int, map_on_disk: bytes) -> bytes:
        struct.pack_into("<I", new, 32, flags)
        disk[40 : 40 + len(map_on_disk)] = map_on_disk
        return FastCommits(inodes={9: bytes(new)}).inode(9, bytes(disk))

    assert applied(0x80000, tree) == bytes(new[:40] + disk[40:100] + new[100:140] + disk[140:])
    empty = struct.pack("<HHHHI", 0xF30A, 0, 4, 0, 0).ljust(60, b"\0")
    assert applied(0x80000, b"\0\0") == bytes(new[:40] + empty + new[100:140] + disk[140:])
    for flags in (0, 0x10000000, 0x10080000):
        assert applied(flags, tree) == bytes(new[:140] + disk[140:])
    assert FastCommits(inodes={9: bytes(new)}).inode(8, b"as it is") == b"as it is"


def superblock(kind: int = 4, size: int = 1024, length: int = 2048, incompat: int = 0, start: int = 0, fast: int = 0) -> bytearray:
    """``journal_superblock_t`` of a journal without checksums."""
    head = bytearray(1024)
    struct.pack_into(">12I", head, 0, 0xC03B3998, kind, 0, size, length, 1, 7, start, 0, 0, incompat, 0)
    struct.pack_into(">I", head, 0x54, fast)
    return head


@pytest.mark.parametrize(
    ("fast", "length", "count"), [(0, 2048, 255), (300, 2048, 299), (1024, 2048, 1023), (1025, 2048, 0), (0, 1280, 255), (0, 1279, 0)]
)
def test_the_blocks_of_fast_commits_are_the_last_ones(fast: int, length: int, count: int) -> None:
    """JBD2_DEFAULT_FAST_COMMIT_BLOCKS, and at least JBD2_MIN_JOURNAL_BLOCKS for the rest."""
    content = b"".join(number.to_bytes(4, "big").ljust(1024, b"\0") for number in range(length))
    journal = ExtJournal(MemoryStream(bytes(superblock(incompat=32, fast=fast, length=length)) + content[1024:]))
    assert journal._last == length - (count + 1 if count else 0)
    assert [int.from_bytes(block[:4], "big") for block in journal.fast()] == list(range(length - count, length))
    assert list(ExtJournal(MemoryStream(bytes(superblock(length=length)) + content[1024:])).fast()) == []


def transactions(first: int, length: int, start: int, *numbers: int) -> Iterator[tuple[int, bytes]]:
    """Blocks of a journal of 1024-byte blocks: each transaction has one tag of 8 bytes, for the filesystem block of its number."""
    here = start
    for sequence, number in enumerate(numbers, 7):
        head = struct.pack(">IIIIHH", 0xC03B3998, 1, sequence, number, 0, 8 | 2)
        for block in (head, b"%d" % number, struct.pack(">III", 0xC03B3998, 2, sequence)):
            yield here, block.ljust(1024, b"\0")
            here = here + 1 if here + 1 < length else first


def test_a_journal_goes_round() -> None:
    data = bytearray(2048 * 1024)
    data[:1024] = superblock(start=2044)
    for place, block in transactions(1, 2048, 2044, 50, 51, 52):
        data[place * 1024 : place * 1024 + 1024] = block
    journal = ExtJournal(MemoryStream(bytes(data)))
    assert journal.changes == {50: (2045, False), 51: (1, False), 52: (4, False)}
    assert journal.expected == 10
    data[:1024] = superblock(kind=3, start=2044)
    assert set(ExtJournal(MemoryStream(bytes(data))).changes) == {50, 51, 52}
    data[:1024] = superblock(start=2044)
    for place, block in transactions(1, 2048, 2044, 50, 51):
        data[place * 1024 : place * 1024 + 1024] = block
    data[3 * 1024 : 4 * 1024] = bytes(1024)
    assert ExtJournal(MemoryStream(bytes(data))).expected == 9
    data[:1024] = superblock(kind=5)
    with pytest.raises(ImageError, match="no superblock"):
        ExtJournal(MemoryStream(bytes(data)))


def test_a_journal_is_replayed_as_a_whole_or_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    data = bytearray(superblock(start=1).ljust(2048 * 1024, b"\0"))
    for place, block in transactions(1, 2048, 1, 50, 51, 52):
        data[place * 1024 : place * 1024 + 1024] = block
    monkeypatch.setattr(ext_journal, "MAX_BLOCKS", 9)
    assert set(ExtJournal(MemoryStream(bytes(data))).changes) == {50, 51, 52}
    monkeypatch.setattr(ext_journal, "MAX_BLOCKS", 8)
    with pytest.raises(ImageError, match="more than 8 blocks to replay"):
        ExtJournal(MemoryStream(bytes(data)))


def test_the_numbers_of_transactions_go_round() -> None:
    data = bytearray(2048 * 1024)
    data[:1024] = superblock(start=1)
    struct.pack_into(">I", data, 0x18, 0xFFFFFFFF)
    for place, block in transactions(1, 2048, 1, 50, 51):
        sequence = struct.unpack_from(">I", block, 8)[0] if block[:4] == b"\xc0\x3b\x39\x98" else 0
        new = struct.pack(">I", sequence - 8 & 0xFFFFFFFF) if sequence else block[8:12]
        data[place * 1024 : place * 1024 + 1024] = block[:8] + new + block[12:]
    journal = ExtJournal(MemoryStream(bytes(data)))
    assert (set(journal.changes), journal.expected) == ({50, 51}, 1)


def crc32_be(crc: int, data: bytes) -> int:
    """lib/crc32.c of Linux, bit by bit."""
    for byte in data:
        crc ^= byte << 24
        for _bit in range(8):
            crc = (crc << 1 ^ 0x04C11DB7 if crc & 0x80000000 else crc << 1) & 0xFFFFFFFF
    return crc


@pytest.mark.parametrize(
    ("kind", "size", "wrong", "replayed"),
    [(1, 4, 0, {50, 51}), (1, 4, 1, {50}), (4, 4, 1, {50, 51}), (1, 0, 1, {50, 51}), (0, 4, 1, {50, 51})],
)
def test_checksums_of_the_first_version(kind: int, size: int, wrong: int, replayed: set[int]) -> None:
    """JBD2_CRC32_CHKSUM over the descriptor and its blocks, in the commit block; other kinds are not looked at."""
    blocks = [block for _place, block in transactions(1, 2048, 1, 50, 51)]
    data = bytearray(2048 * 1024)
    data[:1024] = superblock(start=1)
    struct.pack_into(">I", data, 0x24, 1)
    for at, number in ((0, 0), (3, wrong)):
        stored = crc32_be(crc32_be(0xFFFFFFFF, blocks[at]), blocks[at + 1]) ^ number
        blocks[at + 2] = blocks[at + 2][:12] + bytes([kind, size, 0, 0]) + struct.pack(">I", stored) + blocks[at + 2][20:]
    for place, block in enumerate(blocks, 1):
        data[place * 1024 : place * 1024 + 1024] = block
    assert set(ExtJournal(MemoryStream(bytes(data))).changes) == replayed
    data[0x24:0x28] = bytes(4)
    assert set(ExtJournal(MemoryStream(bytes(data))).changes) == {50, 51}
