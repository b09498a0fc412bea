"""NTFS as ntfs-3g writes it: times, links, names, what is encrypted; logs that Windows closed or left open."""

from __future__ import annotations

import io
import os
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.disk.filesystems.nodes import child
from tests.disk.filesystems.spoiling import Spoiled
from tests.disk.images import blank, need, run
from v2vlint.disk.filesystems.node import Kind
from v2vlint.disk.filesystems.ntfs import BITMAP, LOG_FILE, NtfsFileSystem, WrittenPart
from v2vlint.disk.stream import HostFile
from v2vlint.model.errors import ImageError, Unsupported

MIB = 1 << 20
SYMLINK, JUNCTION = 0xA000000C, 0xA0000003


@pytest.fixture
def image(tmp_path: Path) -> Path:
    need("mkntfs")
    run("mkntfs", "-Q", "-F", "-q", blank(tmp_path / "fs", 24 * MIB))
    return tmp_path / "fs"


@pytest.fixture
def volume(tmp_path: Path, image: Path) -> Iterator[Path]:
    """Where it is mounted by ntfs-3g."""
    need("ntfs-3g", "mount")
    top = tmp_path / "top"
    top.mkdir()
    if subprocess.run(["mount", "-t", "ntfs-3g", "-o", "loop", str(image), str(top)], capture_output=True, check=False).returncode:
        pytest.skip("ntfs-3g cannot be mounted here")
    yield top
    subprocess.run(["umount", str(top)], capture_output=True, check=False)


def link_to(path: Path, tag: int, target: str, shown: str = "shown") -> None:
    """Make a file or folder a link of Windows (REPARSE_DATA_BUFFER)."""
    substitute, plain = target.encode("utf-16-le"), shown.encode("utf-16-le")
    data = struct.pack("<HHHH", 0, len(substitute), len(substitute), len(plain))
    data += (struct.pack("<I", 0) if tag == SYMLINK else b"") + substitute + plain
    os.setxattr(path, "system.ntfs_reparse_data", struct.pack("<IHH", tag, len(data), 0) + data)


LINKS = {
    "absolute": (SYMLINK, "\\??\\C:\\Users\\me", "/Users/me"),
    "relative": (SYMLINK, "..\\up\\file", "../up/file"),
    "junction": (JUNCTION, "\\??\\C:\\ProgramData", "/ProgramData"),
    "drive": (JUNCTION, "\\??\\D:\\", "/"),
    "bare": (JUNCTION, "\\??\\E:", "/"),
    "colon": (SYMLINK, ":odd", ":odd"),
}


def test_files_folders_and_links(image: Path, volume: Path) -> None:
    (volume / "folder/deep").mkdir(parents=True)
    for name, data in (
        ("file", b"content"),
        ("empty", b""),
        ("$Recycle.Bin", b"r"),
        (".profile", b"p"),
        ("folder/$dollar", b"x"),
        ("folder/.dot", b"y"),
        ("folder/a rather long name", b"z"),
    ):
        (volume / name).write_bytes(data)
        os.utime(volume / name, (1_700_000_000.25, 1_700_000_000.25))
    for name, (tag, target, _wanted) in LINKS.items():
        place = volume / name
        if tag == JUNCTION:
            place.mkdir()
        else:
            place.write_bytes(b"")
        link_to(place, tag, target)
    os.utime(volume / "folder", (1_600_000_000.5, 1_600_000_000.5))
    run("umount", volume)
    root = NtfsFileSystem(HostFile(str(image)), "uuid", "label").root
    assert set(root.names()) == {"file", "empty", "folder", "$Recycle.Bin", ".profile", *LINKS}
    assert child(root, "$MFT").stat().size
    assert {name: child(root, name).link() for name in LINKS} == {name: wanted for name, (_tag, _target, wanted) in LINKS.items()}
    for name in LINKS:
        found = child(root, name).stat()
        assert (found.kind, found.size, found.mode, found.mtime) == (Kind.LINK, 0, 0o777, 0.0)
    file, empty, folder = (child(root, name).stat() for name in ("file", "empty", "folder"))
    assert (file.kind, file.size, file.mode, round(file.mtime, 3)) == (Kind.FILE, 7, 0o755, 1_700_000_000.25)
    assert (empty.kind, empty.size) == (Kind.FILE, 0)
    assert (folder.kind, folder.size, folder.mode, round(folder.mtime, 3)) == (Kind.DIR, 0, 0o755, 1_600_000_000.5)
    assert sorted(child(root, "folder").names()) == ["$dollar", ".dot", "a rather long name", "deep"]
    assert child(root, "folder", "A RATHER LONG NAME").open().read() == b"z"
    assert root.child("missing") is None
    with pytest.raises(ImageError, match="a directory"):
        child(root, "folder").open()


def test_files_that_windows_encrypted(tmp_path: Path, image: Path) -> None:
    need("ntfscp")
    (tmp_path / "content").write_bytes(b"content")
    run("ntfscp", "-f", "-q", image, tmp_path / "content", "/secret.dat")
    data = image.read_bytes()
    record = int.from_bytes(data[48:56], "little") * data[13] * 512 + 64 * 1024
    at = record + int.from_bytes(data[record + 20 : record + 22], "little")
    assert data[at : at + 4] == b"\x10\0\0\0"
    flags = at + int.from_bytes(data[at + 20 : at + 22], "little") + 32
    assert child(NtfsFileSystem(HostFile(str(image))).root, "secret.dat").open().read() == b"content"
    with pytest.raises(Unsupported, match="EFS"):
        child(NtfsFileSystem(Spoiled(image, (flags + 1, b"\x40"))).root, "secret.dat").open()


def test_names_that_lead_to_deleted_files(tmp_path: Path, image: Path) -> None:
    """The entry's sequence number is that of the record, or 0 for any (``MFT_REF``); the record is in use."""
    need("ntfscp")
    (tmp_path / "content").write_bytes(b"content")
    run("ntfscp", "-f", "-q", image, tmp_path / "content", "/file.dat")
    data, plain = image.read_bytes(), NtfsFileSystem(HostFile(str(image)))
    table = int.from_bytes(data[48:56], "little") * data[13] * 512
    number = child(plain.root, "file.dat")._number  # type: ignore[attr-defined]
    record = table + number * 1024
    sequence = int.from_bytes(data[record + 16 : record + 18], "little")
    entry = data.index(number.to_bytes(6, "little") + sequence.to_bytes(2, "little"), table + 5 * 1024)
    for found in (sequence, 0):
        system = NtfsFileSystem(Spoiled(image, (entry + 6, found.to_bytes(2, "little"))))
        assert child(system.root, "file.dat").open().read() == b"content"
    for place, value in ((entry + 6, sequence + 1), (record + 16, sequence + 1), (record + 22, 0)):
        with pytest.raises(ImageError, match=r"'file\.dat' leads to a file that was deleted"):
            NtfsFileSystem(Spoiled(image, (place, value.to_bytes(2, "little")))).root.child("file.dat")


def restart(lsn: int, in_use: int, flags: int) -> bytes:
    """A restart page of the log: where its area begins is in the header."""
    page = b"RSTR".ljust(24, b"\0") + struct.pack("<H", 48)
    return page.ljust(48, b"\0") + struct.pack("<QHHHH", lsn, 1, 0xFFFF, in_use, flags) + bytes(4096 - 64)


LOGS: list[tuple[tuple[bytes, bytes], bool]] = [
    ((restart(5, 0xFFFF, 0), restart(4, 0xFFFF, 0)), True),
    ((restart(5, 0, 2), restart(4, 0, 0)), True),
    ((restart(5, 0, 0), restart(4, 0, 2)), False),
    ((restart(4, 0, 2), restart(5, 0, 0)), False),
    ((restart(4, 0, 0), restart(5, 0xFFFF, 0)), True),
    ((bytes(4096), restart(5, 0, 0)), False),
    ((bytes(4096), bytes(4096)), True),
    ((restart(5, 0, 1), bytes(4096)), False),
]


@pytest.mark.parametrize(("pages", "clean"), LOGS)
def test_the_log_of_a_volume(image: Path, pages: tuple[bytes, bytes], clean: bool) -> None:
    """The newer of two pages counts: no client uses the log any more, or it was closed."""
    plain = NtfsFileSystem(HostFile(str(image)))
    place = plain.record(LOG_FILE).open().runlist[0][0] * plain._cluster
    system = NtfsFileSystem(Spoiled(image, (place, pages[0]), (place + 4096, pages[1])))
    assert system.stale == ("" if clean else "its $LogFile, which is not replayed, holds changes")
    lying = system.as_it_lies()
    assert (lying is system) is clean
    assert not lying.stale
    assert set(lying.root.names()) == set()


def test_free_clusters_are_those_of_the_bitmap(image: Path) -> None:
    system = NtfsFileSystem(HostFile(str(image)))
    clusters = system._size // system._cluster
    bitmap = system.record(BITMAP).open().read()[: -(-clusters // 8)]
    used = sum(bitmap[number // 8] >> number % 8 & 1 for number in range(clusters))
    assert system.free() == (clusters - used) * system._cluster


def test_what_was_written_of_a_file() -> None:
    data = bytes(range(1, 101))
    for valid in (0, 1, 50, 100):
        file = WrittenPart(io.BytesIO(data), 100, valid)
        wanted = data[:valid] + bytes(100 - valid)
        assert file.read() == wanted
        for at in (0, 49, 50, 51, 99, 100):
            assert file.read_at(at, 30) == wanted[at : at + 30]
