"""FAT by hand: entries with short, long and odd names, dates, folders, chains in the three widths of the table."""

from __future__ import annotations

import calendar
import random
import struct
from itertools import pairwise
from pathlib import Path

import pytest

from tests.disk.filesystems.spoiling import Spoiled
from tests.disk.filesystems.test_probe import blkid
from tests.disk.images import blank, need, run
from v2vlint.disk.filesystems import fat
from v2vlint.disk.filesystems.fat import Fat, FatEntry, _entries, _folders, _runs, _seconds
from v2vlint.disk.filesystems.node import Kind, Stat
from v2vlint.disk.filesystems.probe import probe
from v2vlint.disk.filesystems.probe_fat import FatLayout, _fixed_up
from v2vlint.disk.stream import HostFile
from v2vlint.model.errors import ImageError

MIB = 1 << 20


def short(
    name: bytes, attributes: int = 0x20, *, case: int = 0, cluster: int = 3, size: int = 5, date: int = 0x5A21, time: int = 0x6000
) -> bytes:
    """A directory entry (fatgen103, "FAT Directory Structure")."""
    head = name.ljust(11) + bytes([attributes, case])
    return head + bytes(7) + struct.pack("<HHHHI", cluster >> 16, time, date, cluster & 0xFFFF, size)


def checksum(name: bytes) -> int:
    total = 0
    for byte in name.ljust(11):
        total = ((total >> 1) | (total << 7)) + byte & 0xFF
    return total


def long(name: str, of: bytes, *, wrong: int = 0) -> bytes:
    """The entries of a long name, last part first."""
    raw = name.encode("utf-16-le") + (b"\0\0" if len(name) % 13 else b"")
    parts = [raw[at : at + 26].ljust(26, b"\xff") for at in range(0, len(raw), 26)]
    found = b""
    for number in range(len(parts), 0, -1):
        part, order = parts[number - 1], number | (0x40 if number == len(parts) else 0)
        found += bytes([order]) + part[:10] + bytes([0x0F, 0, checksum(of) + wrong & 0xFF]) + part[10:22] + bytes(2) + part[22:]
    return found


def names(data: bytes, *, to_the_end: bool = False) -> list[str]:
    return [entry.name for entry in _entries(data, to_the_end=to_the_end)]


@pytest.mark.parametrize(
    ("entry", "name", "plain"),
    [(short(b"FILE    TXT"), "FILE.TXT", "FILE.TXT"), (short(b"FILE"), "FILE", "FILE"),
    (short(b"FILE    TXT", case=8), "file.TXT", "FILE.TXT"),
     (short(b"FILE    TXT", case=16), "FILE.txt", "FILE.TXT"), (short(b"FILE    TXT", case=24), "file.txt", "FILE.TXT"),
     (short(b"FILE    TXT", 0x28 & ~8, case=0), "FILE.TXT", "FILE.TXT"), (short(b"\x05BC"), "σBC", "σBC"),
     (short(b"GR\x9aN"), "GRÜN", "GRÜN")],
)  # fmt: skip
def test_short_names(entry: bytes, name: str, plain: str) -> None:
    (found,) = _entries(entry + bytes(32), to_the_end=False)
    assert found == FatEntry(name, plain, 0x20, 3, 5, float(calendar.timegm((2025, 1, 1, 12, 0, 0))))


def test_long_names() -> None:
    of = b"LONGNA~1TXT"
    for name in ("a name.txt", "exactly 13 ch", "x" * 26, "ümläut €", "n" * 255):
        assert names(long(name, of) + short(of)) == [name], name
    assert names(long("wrong sum", of, wrong=1) + short(of)) == ["LONGNA~1.TXT"]
    two = long("of two parts, this", of)
    assert names(two[32:] + short(of)) == ["LONGNA~1.TXT"]
    assert names(two[:32] + short(of)) == ["LONGNA~1.TXT"]
    assert names(two[:32] + two[:32] + two[32:] + short(of)) == ["of two parts, this"]
    assert names(two[:32] + b"\xe5" + bytes(31) + two[32:] + short(of)) == ["LONGNA~1.TXT"]
    assert names(two + short(b"OTHER") + short(of)) == ["OTHER", "LONGNA~1.TXT"]
    assert names(long("x" * 260, of) + short(of)) == ["x" * 260]
    assert names(long("x" * 261, of) + short(of)) == ["LONGNA~1.TXT"]


def test_what_is_no_file_is_left_out() -> None:
    data = (
        short(b".", 0x10)
        + short(b"..", 0x10)
        + short(b"LABEL", 8)
        + b"\xe5"
        + short(b"DELETED")[1:]
        + short(b"A")
        + bytes(32)
        + short(b"B")
    )
    assert names(data) == ["A"]
    assert names(data, to_the_end=True) == ["A", "B"]
    assert names(short(b"A")[:31]) == []
    assert _folders(data) == 2
    assert (
        _folders(short(b"A", 0x10) + b"\0" + short(b"B", 0x10)[1:] + b"\xe5" + short(b"C", 0x10)[1:] + short(b"D", 0x18) + short(b"E")) == 1
    )


@pytest.mark.parametrize(
    ("date", "time", "wanted"),
    [(0, 0, None), (0x21, 0, (1980, 1, 1, 0, 0, 0)), (0xFF9F, 0xBF7D, (2107, 12, 31, 23, 59, 58)),
    (0x5B6E, 0x4D2F, (2025, 11, 14, 9, 41, 30)),
     (0x5A01, 0, None), (0x5BA1, 0, None), (0x5A20, 0, None)],
)  # fmt: skip
def test_dates(date: int, time: int, wanted: tuple[int, ...] | None) -> None:
    """The first and the last that there are; no month, a thirteenth one, no day."""
    assert _seconds(date, time) == (float(calendar.timegm(wanted)) if wanted else 0.0)


def test_runs_of_clusters() -> None:
    assert list(_runs([])) == []
    assert list(_runs([5])) == [(0, 5, 1)]
    assert list(_runs([5, 6, 7, 20, 3, 4])) == [(0, 5, 3), (3, 20, 1), (4, 3, 2)]


@pytest.mark.parametrize(("bits", "size"), [("12", 2), ("16", 10), ("32", 34)])
def test_chains(tmp_path: Path, bits: str, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file in clusters in no order, one that ends too early, one that loops, one that leads outside."""
    need("mkfs.vfat", "mcopy")
    image, content = blank(tmp_path / "fs", size * MIB), random.Random(bits).randbytes(8 * 512)
    run("mkfs.vfat", "-F", bits, "-s", "1", image)
    (tmp_path / "file").write_bytes(content)
    run("mcopy", "-i", image, tmp_path / "file", "::FILE")
    layout = FatLayout.read(image.read_bytes()[:512])
    assert layout is not None
    file = Fat(HostFile(str(image))).root.child("file")
    assert file is not None
    assert (file.open().read(), file.stat().mode, file.stat().kind) == (content, 0o755, Kind.FILE)
    first, width = file.entry.cluster, int(bits)
    table = bytearray(image.read_bytes()[layout.fat_at : layout.fat_at + layout.fat_size])

    def linked(*chain: int) -> Fat:
        data = bytearray(table)
        for cluster, following in pairwise(chain):
            at, shift = cluster * width // 8, 4 * (cluster & 1) if width == 12 else 0
            mask = (1 << width) - 1
            word = int.from_bytes(data[at : at + 4], "little")
            data[at : at + 4] = (word & ~(mask << shift) | (following & mask) << shift).to_bytes(5, "little")[:4]
        return Fat(Spoiled(image, (layout.fat_at, bytes(data))))

    end = (1 << width) - 1
    order = [first, first + 5, first + 2, first + 7, first + 3, first + 4, first + 1, first + 6]
    wanted = b"".join(content[(cluster - first) * 512 :][:512] for cluster in order)
    assert linked(*order, end).content(first, 4096).read_at(0, 9999) == wanted
    assert linked(*order, end).content(first, -1).read_at(0, 9999) == wanted
    assert linked(*order, end - 8).content(first, -1).read_at(0, 9999) == wanted
    assert linked(first, first + 1, first + 2).content(first, 600).read_at(0, 9999) == content[:600]
    for chain in ((first, first + 1, end), (first, 0), (first, 1), (first, layout.clusters + 2)):
        with pytest.raises(ImageError, match="ends too early"):
            linked(*chain).content(first, 4096)
    assert linked(first, layout.clusters + 1, end).content(first, -1).size == 1024
    with pytest.raises(ImageError, match="loops"):
        linked(first, first + 1, first).content(first, -1)
    assert Fat(HostFile(str(image))).content(0, 0).size == 0
    for cluster in (1, layout.clusters + 2):
        with pytest.raises(ImageError, match="ends too early"):
            Fat(HostFile(str(image))).content(cluster, 4096)
        with pytest.raises(ImageError, match="ends too early"):
            Fat(HostFile(str(image))).content(cluster, 1)
    assert linked(first + 5, 2, end).content(first + 5, -1).size == 1024
    with pytest.raises(ImageError, match="is outside the FAT"):
        Fat(HostFile(str(image)))._next(layout.fat_size * 8 // width + 1)
    monkeypatch.setattr(fat, "MAX_CLUSTERS", 7)
    with pytest.raises(ImageError, match=r"loops|too early"):
        Fat(HostFile(str(image))).content(first, 4096)


def test_folders_and_files_have_no_owner(tmp_path: Path) -> None:
    need("mkfs.vfat", "mmd")
    image = blank(tmp_path / "fs", 2 * MIB)
    run("mkfs.vfat", image)
    run("mmd", "-i", image, "::DIR")
    root = Fat(HostFile(str(image)), "uuid", "label").root
    assert root.stat() == Stat(Kind.DIR, 0, 0o755, 0, 0, 0.0)
    made = root.child("dir")
    assert made is not None
    assert (made.stat().kind, made.stat().size, made.stat().mode, made.stat().mtime > 1e9) == (Kind.DIR, 0, 0o755, True)
    with pytest.raises(ImageError, match="no link"):
        made.link()
    with pytest.raises(ImageError, match="damaged FAT boot sector"):
        Fat(Spoiled(image, (11, b"\0\0")))


def test_a_label_behind_the_first_cluster_of_the_root_folder(tmp_path: Path) -> None:
    need("mkfs.vfat", "mcopy", "mlabel")
    image = blank(tmp_path / "fs", 34 * MIB)
    run("mkfs.vfat", "-F", "32", "-s", "1", image)
    (tmp_path / "f").write_text("x")
    for number in range(20):
        run("mcopy", "-i", image, tmp_path / "f", f"::F{number}")
    run("mlabel", "-i", image, "::LATE")
    found = probe(HostFile(str(image)))
    assert (found.label, blkid(image).label) == ("LATE", "LATE")


LAYOUT: list[tuple[int, bytes, bool]] = [
    (11, b"\0\2", True), (11, b"\0\x10", True), (11, b"\0\1", False), (11, b"\0\x20", False), (13, b"\0", False), (13, b"\3", False),
    (13, b"\x08", True), (14, b"\0\0", False), (16, b"\0", False), (21, b"\xf0", True), (21, b"\xef", False), (22, b"\0\0", False),
    (19, b"\1\0", False),
]  # fmt: skip


@pytest.mark.parametrize(("at", "data", "fits"), LAYOUT)
def test_what_a_boot_sector_may_say(tmp_path: Path, at: int, data: bytes, fits: bool) -> None:
    image = blank(tmp_path / "fs", 20 * MIB)
    run("mkfs.vfat", "-F", "16", image)
    boot = bytearray(image.read_bytes()[:512])
    assert FatLayout.read(bytes(boot[:511])) is None
    boot[at : at + len(data)] = data
    assert (FatLayout.read(bytes(boot)) is not None) is fits


def test_sectors_of_a_record_of_ntfs_end_with_what_its_array_holds() -> None:
    record = bytearray(b"FILE" + struct.pack("<HH", 48, 3) + bytes(40) + b"SS" + b"11" + b"22" + bytes(970))
    record[510:512] = record[1022:1024] = b"SS"
    assert bytes(_fixed_up(bytes(record), 512)) == bytes(record[:510]) + b"11" + bytes(record[512:1022]) + b"22"
    assert bytes(_fixed_up(bytes(record), 4096)) == bytes(_fixed_up(bytes(record), 512))
    assert bytes(_fixed_up(bytes(record[:800]), 512)) == bytes(record[:510]) + b"11" + bytes(record[512:800])
    struct.pack_into("<HH", record, 4, 1022, 3)
    assert bytes(_fixed_up(bytes(record), 512)) == bytes(record)
