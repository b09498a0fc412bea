"""Free and available bytes of a btrfs, as the kernel tells them (statfs(2))."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.disk.images import blank, need, run
from tests.disk.test_oracle import mounted
from v2vlint.disk.filesystems import btrfs_space
from v2vlint.disk.filesystems.btrfs import BtrfsFileSystem
from v2vlint.disk.filesystems.btrfs_space import available_bytes, free_bytes
from v2vlint.disk.stream import HostFile
from v2vlint.model.errors import ImageError

MIB = 1 << 20
LAYOUTS: dict[str, tuple[list[int], str]] = {
    "default": ([220], ""),
    "mixed": ([120], "-M"),
    "trees of small blocks, data twice": ([320], "-n 4096 -d dup"),
    "two different mirrors": ([320, 220], "-m raid1 -d raid1"),
    "two stripes": ([220, 220], "-m raid1 -d raid0"),
    "four mirrored stripes": ([200, 200, 200, 200], "-m raid10 -d raid10"),
    "three copies": ([300, 300, 300], "-m raid1c3 -d raid1c3"),
    "parity": ([200, 200, 200], "-m raid1 -d raid5"),
    "large blocks, without a tree of free space": ([300], "-n 65536 -R ^free-space-tree"),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_as_the_kernel(tmp_path: Path, layout: str) -> None:
    need("mkfs.btrfs", "btrfs")
    sizes, options = LAYOUTS[layout]
    images = [blank(tmp_path / f"fs{number}", size * MIB) for number, size in enumerate(sizes)]
    run("mkfs.btrfs", "-q", *options.split(), *images)
    with mounted(tmp_path, *images) as point:
        (point / "content").write_bytes(b"\xa5" * (20 * MIB))
    volume = BtrfsFileSystem([HostFile(str(image)) for image in images]).volume
    mine = free_bytes(volume), available_bytes(volume)
    with mounted(tmp_path, *images) as point:
        told = os.statvfs(point)
    assert mine == (told.f_bfree * told.f_frsize, told.f_bavail * told.f_frsize)


def test_full_of_metadata(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing can be written when its trees have no room and all space is in block groups; the kernel knows once it needs another."""
    need("mkfs.btrfs")
    run("mkfs.btrfs", "-q", blank(tmp_path / "fs", 114 * MIB))
    with mounted(tmp_path, tmp_path / "fs") as point:
        last = _fill(point)
        (point / last).write_bytes(b"")
    volume = BtrfsFileSystem([HostFile(str(tmp_path / "fs"))]).volume
    assert 0 < available_bytes(volume) < 10 * MIB
    monkeypatch.setattr(btrfs_space, "_LEAST", 1 << 30)
    assert available_bytes(volume) == 0


def test_more_chunks_than_are_counted_are_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A part of them would be too little space in use."""
    need("mkfs.btrfs")
    run("mkfs.btrfs", "-q", blank(tmp_path / "fs", 114 * MIB))
    volume = BtrfsFileSystem([HostFile(str(tmp_path / "fs"))]).volume
    monkeypatch.setattr(btrfs_space, "MAX_GROUPS", 3)
    assert free_bytes(volume) > 0
    monkeypatch.setattr(btrfs_space, "MAX_GROUPS", 2)
    for count in (free_bytes, available_bytes):
        with pytest.raises(ImageError, match="more than 2 chunks"):
            count(volume)


def _fill(point: Path) -> str:
    """Files of 4 MiB until there is no more space; the last one's name."""
    for number in range(40):
        with (point / f"{number}").open("wb") as file:
            try:
                os.posix_fallocate(file.fileno(), 0, 4 * MIB)
            except OSError:
                return f"{number - 1}"
    pytest.fail("it is never full")
