"""The log of XFS by hand: records as xlog_write and xlog_pack_data of Linux make them, what of them counts, damage."""

from __future__ import annotations

import random
import struct
from pathlib import Path

import pytest

from tests.disk.filesystems.test_xfs import BLOCK, CORE, NOISE, SECTORS, core, head, patched, superblock
from tests.disk.images import blank, need, run
from v2vlint.disk.checksums import crc32c
from v2vlint.disk.filesystems.opening import open_filesystem
from v2vlint.disk.filesystems.probe import probe
from v2vlint.disk.filesystems.xfs_log import SECTOR, XfsLog, is_dirty
from v2vlint.disk.filesystems.xfs_replay import Patched, replay
from v2vlint.disk.stream import HostFile, MemoryStream
from v2vlint.model.errors import ImageError


class Log:
    """A log of SECTORS sectors behind two blocks; records are appended, with cycle numbers, as ``xlog_write`` does."""

    def __init__(self, cycle: int = 3, at: int = 0, version: int = 2) -> None:
        self.data = bytearray(SECTORS * SECTOR)
        for sector in range(SECTORS):
            struct.pack_into(">I", self.data, sector * SECTOR, cycle - 1 if sector >= at else cycle)
        self.cycle, self.at, self.tail, self.version = cycle, at, at, version
        self.records: list[int] = []

    def add(self, *operations: tuple[int, int, bytes], tail: int | None = None, spoil: bool = False, size: int = 32768) -> None:
        """A record of operations: transaction, flags, data."""
        body = b"".join(struct.pack(">IIBBH", number, len(part), 0x69, flags, 0) + part for number, flags, part in operations)
        blocks = [bytearray(body[at : at + SECTOR].ljust(SECTOR, b"\0")) for at in range(0, len(body), SECTOR)]
        headers = max(1, -(-size // 32768))
        header = bytearray(SECTOR * headers)
        lsn = self.cycle << 32 | self.at
        struct.pack_into(">IIIIQQ", header, 0, 0xFEEDBABE, self.cycle, self.version, len(body), lsn, self.tail if tail is None else tail)
        struct.pack_into(">I", header, 40, len(operations))
        struct.pack_into(">I", header, 300, 1)
        struct.pack_into(">I", header, 320, size)
        for index, block in enumerate(blocks):
            part, place = divmod(index, 64)
            at = (44 if not part else SECTOR * part + 4) + place * 4
            header[at : at + 4] = block[:4]
            struct.pack_into(">I", block, 0, self.cycle + (self.at + headers + index >= SECTORS))
        whole = b"".join(blocks)
        for part in range(1, headers):
            struct.pack_into(">I", header, SECTOR * part, self.cycle)
        crc = crc32c(0xFFFFFFFF, bytes(header[:328]))
        for part in range(1, headers):
            crc = crc32c(crc, bytes(header[SECTOR * part : SECTOR * part + 260])) if part <= -(-len(body) // 32768) - 1 else crc
        struct.pack_into("<I", header, 32, (crc32c(crc, whole[: len(body)]) ^ 0xFFFFFFFF) ^ spoil)
        self.records.append(self.at)
        for sector in (*(header[at : at + SECTOR] for at in range(0, len(header), SECTOR)), *blocks):
            self._write(sector)

    def _write(self, sector: bytearray) -> None:
        if sector[:4] != b"\xfe\xed\xba\xbe":
            struct.pack_into(">I", sector, 0, self.cycle)
        self.data[self.at * SECTOR : self.at * SECTOR + SECTOR] = sector
        self.at += 1
        if self.at == SECTORS:
            self.at, self.cycle = 0, self.cycle + 1

    def stream(self) -> MemoryStream:
        return MemoryStream(bytes(2 * BLOCK) + bytes(self.data) + bytes(BLOCK))


START, COMMIT, CONTINUE, WAS_CONTINUED = 1, 2, 4, 8


def buffer(sector: int, *chunks: int, flags: int = 0, length: int = 8) -> bytes:
    """``struct xfs_buf_log_format`` with a map of the dirty chunks of 128 bytes."""
    bits = sum(1 << chunk for chunk in chunks)
    return struct.pack("<HHHHqI", 0x123C, 2, flags, length, sector, 2) + struct.pack("<Q", bits)


def transaction(number: int, *regions: bytes) -> list[tuple[int, int, bytes]]:
    return [(number, START, b""), (number, 0, b"TRANS-HEADER-16b"), *((number, 0, region) for region in regions), (number, COMMIT, b"")]


def changes(log: Log, **fields: int) -> dict[int, bytes]:
    return replay(log.stream(), superblock(**fields)).chunks


A, B, C = (bytes([byte]) * 128 for byte in b"ABC")


def test_committed_buffers_count_in_their_order() -> None:
    log = Log()
    log.add(*transaction(1, buffer(100, 0, 2), A + B))
    log.add((2, START, b""), (2, 0, b"TRANS-HEADER-16b"), (2, 0, buffer(300, 0)), (2, 0, C), *transaction(3, buffer(200, 31, 33), A + B))
    log.add(*transaction(4, buffer(100, 2), C), (9, 0, b"of no transaction"))
    assert changes(log) == {400: A, 402: C, 831: A, 833: B}
    log.add((2, COMMIT, b""))
    assert changes(log)[1200] == C


def test_regions_go_on_in_the_next_record() -> None:
    log = Log()
    log.add((1, START, b""), (1, 0, b"TRANS-HEADER-16b"), (1, 0, buffer(100, 0)), (1, CONTINUE, A[:100]))
    log.add((1, WAS_CONTINUED, A[100:]), (1, COMMIT, b""))
    assert changes(log) == {400: A}


def test_freed_buffers_and_those_of_inodes_do_not_count() -> None:
    log = Log()
    log.add(*transaction(1, buffer(100, 0), A))
    log.add(*transaction(2, buffer(200, 0, flags=1), A), *transaction(3, buffer(100, flags=2)))
    log.add(*transaction(4, buffer(100, 1), B), *transaction(5, buffer(100, 2, length=16), C))
    assert changes(log) == {401: B, 402: C}


@pytest.mark.parametrize(
    ("kind", "done", "words"), [(0x1244, 0x1245, "moves of extents"), (0x1248, 0x1249, "moves of ranges of files"), (0x1240, 0x1241, "")]
)
def test_moves_that_were_begun(kind: int, done: int, words: str) -> None:
    log = Log()
    log.add(*transaction(1, struct.pack("<HH", kind, 1)))
    found = replay(log.stream(), superblock()).uncertain
    assert found == (f"its log has unfinished {words}" if words else "")
    log.add(*transaction(2, struct.pack("<HH", done, 1)))
    assert replay(log.stream(), superblock()).uncertain == ""


@pytest.mark.parametrize(
    ("kinds", "freed"),
    [((0x1236,), 12), ((0x1236, 0x1237), 0), ((0x1236, 0x124B), 12), ((0x124A,), 0), ((0x124E,), 0), ((0x1236, 0x124F), 12)],
)  # fmt: skip
def test_blocks_that_recovery_frees(kinds: tuple[int, ...], freed: int) -> None:
    """XFS_LI_EFI without its XFS_LI_EFD; those of the realtime section (0x124A, 0x124B) free nothing that others can use."""
    log = Log()
    for kind in kinds:
        log.add(*transaction(1, struct.pack("<HHIQQIIQII", kind, 1, 2, 77, 500, 7, 0, 900, 5, 0)))
    assert replay(log.stream(), superblock()).freed == freed


def test_inodes_come_with_the_number_of_their_record() -> None:
    log = Log(cycle=7, at=5)
    logged = core(CORE, 2)[0]
    log.add(*transaction(1, buffer(1, 0), A))
    log.add(*transaction(2, head(1, 50), logged), *transaction(3, head(1 | 2, 50), logged, b"data"))
    found = replay(log.stream(), superblock()).inodes
    assert [(change.lsn, change.fork) for change in found[50]] == [(7 << 32 | log.records[1], None), (7 << 32 | log.records[1], b"data")]


def test_a_log_goes_round() -> None:
    log = Log(at=SECTORS - 2)
    log.add(*transaction(1, buffer(100, 0, 1, 2, 3, 4, 5), A * 6))
    log.add(*transaction(2, buffer(200, 0), B))
    assert log.at < log.records[0]
    assert changes(log) == {**{400 + chunk: A for chunk in range(6)}, 800: B}
    found = XfsLog.of(log.stream(), superblock())
    assert found is not None
    assert (found.head(), found.whole_head(), list(found.newest(found.head()))[:2]) == (log.at, log.at, log.records[::-1])


def test_large_records_have_more_headers() -> None:
    log, data = Log(), [bytes([number % 251 + 1]) * 128 for number in range(64)]
    for round_ in range(2):
        log.add(*(one for number in range(9) for one in transaction(number + 1, buffer(round_ * 1000 + number * 16, *range(64),
        length=16), b"".join(data))),
                size=98304)  # fmt: skip
    wanted = {(round_ * 1000 + number * 16) * 4 + chunk: data[chunk] for round_ in range(2) for number in range(9) for chunk in range(64)}
    assert changes(log) == wanted


def test_records_that_did_not_arrive() -> None:
    """Up to eight are in flight: the head lies before a gap, a wrong checksum among them ends the log, one further back is damage."""
    log = Log()
    for number in range(12):
        log.add(*transaction(number, buffer(100 + number, 0), A))
    whole = changes(log)
    assert len(whole) == 12
    gap = Log()
    gap.__dict__.update(log.__dict__ | {"data": bytearray(log.data)})
    struct.pack_into(">I", gap.data, log.records[10] * SECTOR, 2)
    assert len(changes(gap)) == 10
    late = patched(bytes(log.data), (log.records[9] * SECTOR + 34, bytes([log.data[log.records[9] * SECTOR + 34] ^ 1])))
    gap.data = bytearray(late)
    assert len(changes(gap)) == 9
    gap.data = bytearray(patched(bytes(log.data), (log.records[1] * SECTOR + 34, bytes([log.data[log.records[1] * SECTOR + 34] ^ 1]))))
    with pytest.raises(ImageError, match="a record of its log fails its checksum"):
        changes(gap)
    assert len(changes(gap, at100=4)) == 12
    gap.data = bytearray(log.data)
    for record in log.records[:9]:
        gap.data[record * SECTOR + 34] ^= 1
    short = Log()
    short.add(*transaction(1, buffer(1, 0), A), spoil=True)
    with pytest.raises(ImageError, match="the last records of its log fail"):
        changes(short)


@pytest.mark.parametrize(("at", "data"), [(12, b"\xff\xff\xff\xff"), (300, b"\0\0\0\2")])
def test_damaged_records(at: int, data: bytes) -> None:
    log = Log()
    log.add(*transaction(1, buffer(1, 0), A))
    log.data[at : at + len(data)] = data
    with pytest.raises(ImageError, match=r"damaged record|big-endian"):
        changes(log)


@pytest.mark.parametrize(
    ("operations", "words"),
    [([(1, START, b""), (1, 0, b"T"), (1, 0, b"abc"), (1, COMMIT, b"")], "damaged item"),
     (transaction(1, struct.pack("<HHHH", 0x123C, 1, 0, 0)), "damaged buffer"),
     *((transaction(1, struct.pack("<HH", kind, 1)), "unknown kind") for kind in (0, 0x1235, 0x1238, 0x123A, 0x1250, 0xFFFF))],
)  # fmt: skip
def test_damaged_items(operations: list[tuple[int, int, bytes]], words: str) -> None:
    log = Log()
    log.add(*operations)
    with pytest.raises(ImageError, match=words):
        changes(log)


def test_logs_that_are_clean_elsewhere_or_empty() -> None:
    log = Log()
    assert not is_dirty(log.stream(), superblock())
    log.add((1, 0x20, struct.pack("<HH8x", 0x556E, 1)))
    assert not is_dirty(log.stream(), superblock())
    log.add(*transaction(1, buffer(1, 0), A))
    assert is_dirty(log.stream(), superblock())
    for fields in ({"at48": 0}, {"at96": 0}, {"at4": 0}):
        assert not is_dirty(log.stream(), superblock(**fields))
    with pytest.raises(ImageError, match="another device"):
        replay(log.stream(), superblock(at48=0))


@pytest.mark.parametrize("head_", [1, 2, 3, SECTORS // 2, SECTORS - 1, SECTORS, 0])
def test_the_head_is_where_the_older_cycle_begins(head_: int) -> None:
    found = XfsLog.of(Log(at=head_).stream(), superblock())
    assert found is not None
    assert found.head() == head_ % SECTORS
    assert found.read(SECTORS - 1, 2) == found.sector(SECTORS - 1) + found.sector(0)


def test_patches_are_read_like_a_disk_with_them() -> None:
    draw = random.Random(1)
    data, chunks = bytearray(NOISE), {number: draw.randbytes(128) for number in draw.sample(range(512), 60)}
    stream = Patched(MemoryStream(bytes(data)), chunks)
    for number, chunk in chunks.items():
        data[number * 128 : number * 128 + 128] = chunk
    for _try in range(300):
        at, length = draw.randrange(len(data)), draw.choice((0, 1, 50, 128, 200, 5000))
        assert stream.read_at(at, length) == bytes(data[at : at + length])


def test_a_log_on_another_device(tmp_path: Path) -> None:
    """What is in it stays unknown."""
    need("mkfs.xfs")
    fs, log = blank(tmp_path / "fs", 320 << 20), blank(tmp_path / "log", 128 << 20)
    run("mkfs.xfs", "-q", "-l", f"logdev={log},size=64m", fs)
    stream = HostFile(str(fs))
    assert open_filesystem(probe(stream), [stream]).stale == "its log lies on another device"
