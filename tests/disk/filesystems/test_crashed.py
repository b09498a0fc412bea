"""Copies of filesystems that were in use, as snapshots of running machines are: read like the kernel shows them once it has mounted them.

CI takes :data:`CASES` random histories of each kind; ``V2VLINT_CRASHED=200 python -m pytest tests/disk/filesystems/test_crashed.py``
takes more.
"""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.disk.images import blank, host_tree, need, read_tree, run, same
from tests.disk.test_oracle import mounted
from v2vlint.disk.filesystems.node import FileSystem
from v2vlint.disk.filesystems.opening import open_filesystem
from v2vlint.disk.filesystems.probe import probe
from v2vlint.disk.stream import HostFile

pytestmark = pytest.mark.slow

CASES = int(os.environ.get("V2VLINT_CRASHED", "2"))
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


@pytest.mark.parametrize("seed", range(CASES))
@pytest.mark.parametrize("kind", KINDS)
def test_a_copy_made_in_use_is_read_as_the_kernel_mounts_it(tmp_path: Path, kind: str, seed: int) -> None:
    size, command, options = KINDS[kind]
    words = command.replace("IMAGE", str(tmp_path / "fs")).split()
    need(words[0])
    image = tmp_path / "fs"
    blank(image, size * MIB)
    run(*words)
    history = random.Random(f"{kind}{seed}")
    with mounted(tmp_path, image, options=options) as point:
        changes = History(point, history.randrange(1 << 30))
        changes.run(history.randrange(5, 120))
        run("sync", "-f", point)
        changes.run(history.randrange(5, 120))
        run("cp", "--sparse=always", image, tmp_path / "crashed")
    run("cp", "--sparse=always", tmp_path / "crashed", tmp_path / "recovered")
    system = opened(tmp_path / "crashed")
    with mounted(tmp_path, tmp_path / "recovered", options=options) as point:
        if not system.stale:
            same(read_tree(system), host_tree(point))
