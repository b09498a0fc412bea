"""Copies of filesystems that were in use, as snapshots of running machines are: read like the kernel shows them once it has mounted them.

CI takes two random histories of each kind; ``V2VLINT_CRASHED=200 python -m pytest tests/disk/filesystems/test_crashed.py`` takes more,
``V2VLINT_CRASHED=200-300`` goes on from there.
"""

from __future__ import annotations

import os
import random
import subprocess
from itertools import islice
from pathlib import Path

import pytest

from tests.disk.filesystems.history import History
from tests.disk.images import blank, host_tree, need, read_tree, run, same
from tests.disk.test_oracle import mounted
from v2vlint.disk.filesystems.node import Counting, CountingInodes, FileSystem, Kind, as_it_lies
from v2vlint.disk.filesystems.opening import open_filesystem
from v2vlint.disk.filesystems.probe import probe
from v2vlint.disk.filesystems.xfs_log import SECTOR, XfsLog
from v2vlint.disk.stream import HostFile
from v2vlint.guest.fs import GuestFS

_FIRST, _, _LAST = os.environ.get("V2VLINT_CRASHED", "2").rpartition("-")
SEEDS = [pytest.param(seed, marks=[pytest.mark.slow] if seed else []) for seed in range(int(_FIRST or 0), int(_LAST))]
MIB = 1 << 20
KINDS: dict[str, tuple[int, str, str]] = {
    "ext4": (32, "mke2fs -q -F -t ext4 IMAGE", ""),
    "ext4 with fast commits": (64, "mke2fs -q -F -t ext4 -O fast_commit -J size=8 IMAGE", ""),
    "ext3": (32, "mke2fs -q -F -t ext3 -b 1024 IMAGE", ""),
    "xfs": (320, "mkfs.xfs -q IMAGE", ""),
    "xfs of small blocks": (320, "mkfs.xfs -q -b size=1024 -m rmapbt=1,reflink=1 IMAGE", ""),
    "btrfs": (128, "mkfs.btrfs -q IMAGE", ""),
    "btrfs with compression": (128, "mkfs.btrfs -q IMAGE", "compress-force=zstd"),
    "ext4 whose journal has checksums": (32, "mke2fs -q -F -t ext4 -O ^metadata_csum IMAGE", "journal_checksum"),
}


MAY_BE_STALE = ("ext4 with fast commits", "xfs", "xfs of small blocks")
"""Inodes that were deleted and made again, and moves of extents that had begun, are not replayed."""

APPROXIMATE = {"ext4 with fast commits": MIB, "xfs": MIB // 4, "xfs of small blocks": MIB // 4, "btrfs": MIB, "btrfs with compression": MIB}
"""How far our free bytes may be off: what a fast commit or a log tree takes, and blocks of inodes that recovery empties."""


def opened(image: Path) -> FileSystem:
    stream = HostFile(str(image))
    return open_filesystem(probe(stream), [stream])


def crashed(folder: Path, kind: str, seed: int) -> Path:
    """A copy of a filesystem of this kind, taken while it was mounted and changed."""
    size, command, options = KINDS[kind]
    words = command.replace("IMAGE", str(folder / "fs")).split()
    need(words[0])
    blank(folder / "fs", size * MIB)
    run(*words)
    history = random.Random(f"{kind}{seed}")
    with mounted(folder, folder / "fs", options=options) as point:
        changes = History(point, history.randrange(1 << 30))
        changes.run(history.randrange(5, 120))
        run("sync", "-f", point)
        changes.run(history.randrange(5, 120))
        run("cp", "--sparse=always", folder / "fs", folder / "crashed")
    return folder / "crashed"


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_copy_made_in_use_is_read_as_the_kernel_mounts_it(tmp_path: Path, kind: str, seed: int) -> None:
    image = crashed(tmp_path, kind, seed)
    run("cp", "--sparse=always", image, tmp_path / "recovered")
    system = opened(image)
    with mounted(tmp_path, tmp_path / "recovered", options=KINDS[kind][2]) as point:
        if not system.stale:
            assert isinstance(system, Counting)
            same(read_tree(system), host_tree(point))
            told = os.statvfs(point)
            assert abs(system.free() - told.f_bfree * told.f_frsize) <= APPROXIMATE.get(kind, 0)
    assert not system.stale or kind in MAY_BE_STALE, system.stale


@pytest.mark.parametrize("named", [False, True])
def test_a_file_without_a_name_that_was_forced_to_the_disk(tmp_path: Path, named: bool) -> None:
    """Linux 6.18 does not mount fast commits with one ("journal recovery failed"); e2fsck repairs them."""
    need("mke2fs")
    run(*KINDS["ext4 with fast commits"][1].replace("IMAGE", str(blank(tmp_path / "fs", 64 * MIB))).split())
    with mounted(tmp_path, tmp_path / "fs") as point:
        handle = os.open(point / "file", os.O_RDWR | os.O_CREAT) if named else os.open(point, os.O_TMPFILE | os.O_RDWR)
        run("sync", "-f", point)
        os.write(handle, b"x" * 5000)
        os.fsync(handle)
        run("cp", "--sparse=always", tmp_path / "fs", tmp_path / "crashed")
        os.close(handle)
    assert bool(opened(tmp_path / "crashed").stale) is not named
    if named:
        with mounted(tmp_path, tmp_path / "crashed") as point:
            assert (point / "file").stat().st_size == 5000
    else:
        with pytest.raises(pytest.fail.Exception), mounted(tmp_path, tmp_path / "crashed"):
            pass


@pytest.mark.slow
@pytest.mark.parametrize("lost", ["the end", "the header", "a sector inside", "the one before"])
@pytest.mark.parametrize("seed", SEEDS)
def test_a_record_of_the_log_did_not_arrive(tmp_path: Path, seed: int, lost: str) -> None:
    """The disk takes up to eight records of an XFS at once, in any order: what lies behind a gap was never there."""
    image = crashed(tmp_path, "xfs", seed)
    stream = HostFile(str(image))
    log = XfsLog.of(stream, stream.read_at(0, 512))
    assert log is not None
    head = log.whole_head()
    last, before = islice(log.newest(head), 2)
    sector = {"the end": head - 1, "the header": last, "a sector inside": last + 1, "the one before": before}[lost] % log.sectors
    with image.open("r+b") as file:
        file.seek(log.offset + sector * SECTOR)
        file.write(bytes(SECTOR) if lost == "a sector inside" else (log.cycle(sector) - 1).to_bytes(4, "big") + bytes(SECTOR - 4))
    run("cp", "--sparse=always", image, tmp_path / "recovered")
    system = opened(image)
    assert not system.stale
    with mounted(tmp_path, tmp_path / "recovered") as point:
        same(read_tree(system), host_tree(point))


def grub(image: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["grub-fstest", str(image), *words], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("kind", ["ext4", "ext3", "xfs", "btrfs"])
def test_the_boot_loader_reads_it_as_it_lies(tmp_path: Path, kind: str) -> None:
    """GRUB knows no journal, no log and no log tree: the same files, with the same content, as :func:`as_it_lies` finds."""
    need("grub-fstest")
    image = crashed(tmp_path, kind, 1)
    system = opened(image)
    lying = as_it_lies(system)
    listed = grub(image, "ls", "(loop0)/")
    if listed.returncode:
        pytest.skip(f"this GRUB cannot read it: {listed.stderr}")
    names = sorted(name.rstrip("/") for name in listed.stdout.split() if name.rstrip("/") not in (".", ".."))
    assert names == sorted(lying.root.names())
    files = [name for name in names if (node := lying.root.child(name)) and node.stat().kind is Kind.FILE][:12]
    for name in files:
        done = grub(image, "cp", f"(loop0)/{name}", str(tmp_path / "copy"))
        node = lying.root.child(name)
        assert node is not None
        if done.returncode == 0:
            assert (tmp_path / "copy").read_bytes() == node.open().read(), name
    assert read_tree(as_it_lies(lying)) == read_tree(lying)


def test_what_only_the_journal_holds_is_not_there_for_the_loader(tmp_path: Path) -> None:
    """A kernel that was installed just before the copy: the kernel's view has it, GRUB's has not."""
    need("grub-fstest")
    image = tmp_path / "fs"
    blank(image, 32 * MIB)
    run("mke2fs", "-q", "-F", "-t", "ext4", image)
    with mounted(tmp_path, image) as point:
        (point / "boot").mkdir()
        (point / "boot/vmlinuz-1").write_bytes(b"old")
        run("sync", "-f", point)
        (point / "boot/vmlinuz-1").write_bytes(b"x")
    with mounted(tmp_path, image) as point:
        (point / "boot/vmlinuz-2").write_bytes(b"new")
        for path in (point / "boot/vmlinuz-2", point / "boot"):
            handle = os.open(path, os.O_RDONLY)
            os.fsync(handle)
            os.close(handle)
        run("cp", image, tmp_path / "crashed")
    fs = GuestFS({"/": opened(tmp_path / "crashed")})
    assert (fs.listdir("/boot"), fs.as_it_lies().listdir("/boot")) == (("vmlinuz-1", "vmlinuz-2"), ("vmlinuz-1",))
    assert grub(tmp_path / "crashed", "ls", "(loop0)/boot/").stdout.split() == ["vmlinuz-1"]
    assert fs.as_it_lies() is fs.as_it_lies()
    assert GuestFS({"/": opened(image)}).as_it_lies().exists("/boot/vmlinuz-2")


def test_grub_takes_the_newest_copy_of_the_superblock(tmp_path: Path) -> None:
    """A disk that is copied from its start to its end has the first one of before a commit, the second one of after it."""
    need("mkfs.btrfs", "grub-fstest")
    run("mkfs.btrfs", "-q", blank(tmp_path / "fs", 128 * MIB))
    with mounted(tmp_path, tmp_path / "fs") as point:
        (point / "before").write_text("x")
    first = (tmp_path / "fs").read_bytes()[65536 : 65536 + 4096]
    with mounted(tmp_path, tmp_path / "fs") as point:
        (point / "after").write_text("x")
    with (tmp_path / "fs").open("r+b") as file:
        file.seek(65536)
        file.write(first)
    system = opened(tmp_path / "fs")
    listed = grub(tmp_path / "fs", "ls", "(loop0)/").stdout.split()
    assert sorted(as_it_lies(system).root.names()) == sorted(name for name in listed if name not in ("./", "../")) == ["after", "before"]
    assert system.volume.generation < as_it_lies(system).volume.generation  # type: ignore[attr-defined]


@pytest.mark.parametrize("command", ["mke2fs -q -F -t ext4 IMAGE", "mke2fs -q -F -t ext4 -O orphan_file IMAGE", "mkfs.xfs -q IMAGE"])
def test_a_file_that_is_open_and_has_no_name_is_free_space(tmp_path: Path, command: str) -> None:
    """Recovery deletes it: a log that was rotated away is often the largest of a machine."""
    words = command.replace("IMAGE", str(tmp_path / "fs")).split()
    need(words[0])
    blank(tmp_path / "fs", 320 * MIB)
    run(*words)
    with mounted(tmp_path, tmp_path / "fs") as point, (point / "open").open("wb") as file:
        file.write(os.urandom(20 * MIB))
        (point / "open").unlink()
        run("sync", "-f", point)
        run("cp", "--sparse=always", tmp_path / "fs", tmp_path / "crashed")
    system = opened(tmp_path / "crashed")
    assert isinstance(system, Counting)
    mine = system.free()
    with mounted(tmp_path, tmp_path / "crashed") as point:
        told = os.statvfs(point)
    assert abs(mine - told.f_bfree * told.f_frsize) <= MIB // 4
    assert not isinstance(system, CountingInodes) or system.free_inodes() == told.f_ffree
