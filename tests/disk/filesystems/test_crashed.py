"""Copies of filesystems that were in use, as snapshots of running machines are: read like the kernel shows them once it has mounted them.

CI takes two random histories of each kind; ``V2VLINT_CRASHED=200 python -m pytest tests/disk/filesystems/test_crashed.py`` takes more,
``V2VLINT_CRASHED=200-300`` goes on from there.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.disk.images import blank, host_tree, need, read_tree, run, same
from tests.disk.test_oracle import mounted
from v2vlint.disk.filesystems.node import FileSystem, Kind, as_it_lies
from v2vlint.disk.filesystems.opening import open_filesystem
from v2vlint.disk.filesystems.probe import probe
from v2vlint.disk.stream import HostFile
from v2vlint.guest.fs import GuestFS

pytestmark = pytest.mark.slow

_FIRST, _, _LAST = os.environ.get("V2VLINT_CRASHED", "2").rpartition("-")
SEEDS = range(int(_FIRST or 0), int(_LAST))
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


class History:
    """Random changes in a folder, some of them forced to the disk."""

    def __init__(self, top: Path, seed: int) -> None:
        self.top, self.draw = top, random.Random(seed)

    def run(self, steps: int) -> None:
        """So many changes."""
        actions: tuple[Callable[[], None], ...] = (
            self.write, self.write, self.append, self.append, self.rename, self.remove, self.folder, self.link, self.punch, self.sync,
        )  # fmt: skip
        for _step in range(steps):
            self.draw.choice(actions)()

    def _files(self) -> list[Path]:
        return sorted(path for path in self.top.rglob("*") if path.is_file() and not path.is_symlink())

    def _folders(self) -> list[Path]:
        return [self.top, *sorted(path for path in self.top.rglob("*") if path.is_dir() and path.name != "lost+found")]

    def _new(self) -> Path:
        return self.draw.choice(self._folders()) / f"n{self.draw.randrange(10**6):06}"

    def write(self) -> None:
        """A new file, or one written over."""
        path = self.draw.choice([*self._files(), self._new()]) if self.draw.random() < 0.4 else self._new()
        path.write_bytes(self.draw.randbytes(self.draw.choice((0, 10, 100, 4096, 9000, 70_000))))
        if self.draw.random() < 0.4:
            self._fsync(path)

    def append(self) -> None:
        """More at the end of a file, or after a hole."""
        if files := self._files():
            path = self.draw.choice(files)
            with path.open("r+b") as file:
                file.seek(self.draw.choice((0, 3, 20_000)), 2)
                file.write(self.draw.randbytes(self.draw.randrange(1, 20_000)))
            if self.draw.random() < 0.5:
                self._fsync(path)

    def punch(self) -> None:
        """A file cut short."""
        if files := self._files():
            path = self.draw.choice(files)
            os.truncate(path, self.draw.randrange(0, 12_000))
            if self.draw.random() < 0.5:
                self._fsync(path)

    def rename(self) -> None:
        """A file elsewhere, perhaps over another."""
        if files := self._files():
            self.draw.choice(files).rename(self.draw.choice([*files, self._new(), self._new()]))

    def remove(self) -> None:
        """A file or a folder gone."""
        folders = self._folders()[1:]
        if folders and self.draw.random() < 0.15:
            shutil.rmtree(self.draw.choice(folders))
        elif files := self._files():
            self.draw.choice(files).unlink()

    def folder(self) -> None:
        """A new folder."""
        self._new().mkdir()

    def link(self) -> None:
        """A symbolic or hard link."""
        if self.draw.random() < 0.5:
            self._new().symlink_to("x" * self.draw.choice((5, 59, 60, 200)))
        elif files := self._files():
            os.link(self.draw.choice(files), self._new())

    def sync(self) -> None:
        """Everything to the disk."""
        if self.draw.random() < 0.3:
            run("sync", "-f", self.top)

    def _fsync(self, path: Path) -> None:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


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
