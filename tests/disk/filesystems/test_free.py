"""Free space of filesystems whose superblock does not state it, as their own tools count it; inodes as mke2fs and mkfs.xfs made them."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.disk.images import blank, need, open_paths, run
from v2vlint.disk.filesystems.fat import Fat
from v2vlint.disk.filesystems.ntfs import NtfsFileSystem
from v2vlint.disk.stream import HostFile

MIB = 1 << 20


@pytest.mark.parametrize(("bits", "size", "extra"), [("12", 3, ()), ("16", 40, ()), ("32", 60, ("-s", "1"))])
def test_fat(tmp_path: Path, bits: str, size: int, extra: tuple[str, ...]) -> None:
    need("mkfs.vfat", "mcopy", "mdir")
    image, content = blank(tmp_path / "fs", size * MIB), tmp_path / "content"
    content.write_bytes(b"x" * 700_001)
    run("mkfs.vfat", "-F", bits, *extra, image)
    run("mcopy", "-i", image, content, "::")
    listed = run("mdir", "-i", image, "::")
    free = int("".join(re.findall(r"\d+", listed.splitlines()[-2] if "free" in listed.splitlines()[-2] else listed.splitlines()[-1])))
    assert Fat(HostFile(str(image))).free() == free


def test_ntfs(tmp_path: Path) -> None:
    need("mkntfs", "ntfsinfo", "ntfscp")
    image, content = blank(tmp_path / "fs", 40 * MIB), tmp_path / "content"
    content.write_bytes(b"x" * 3_000_001)
    run("mkntfs", "-F", "-Q", "-q", image)
    run("ntfscp", "-q", image, content, "content")
    told = subprocess.run(["ntfsinfo", "-m", str(image)], capture_output=True, text=True, check=True).stdout
    clusters, size = (int(re.findall(rf"{name}: (\d+)", told)[0]) for name in ("Free Clusters", "Cluster Size"))
    assert NtfsFileSystem(HostFile(str(image))).free() == clusters * size


def test_inodes(tmp_path: Path) -> None:
    run("mke2fs", "-q", "-t", "ext4", "-N", "2048", blank(tmp_path / "ext", 16 * MIB))
    ext = open_paths(tmp_path / "ext").blocks.disks[0]
    assert (ext.detail("inodes"), ext.detail("free_inodes")) == ("2048", "2037")
    run("mkfs.xfs", "-q", blank(tmp_path / "xfs", 320 * MIB))
    xfs = open_paths(tmp_path / "xfs").blocks.disks[0]
    assert int(xfs.detail("inodes")) - int(xfs.detail("free_inodes")) == 3
