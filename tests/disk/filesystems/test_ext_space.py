"""The free space of ext filesystems: what root can write, as the kernel lets it; lists of deleted files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.disk.filesystems.spoiling import Spoiled
from tests.disk.filesystems.test_ext import inode_at
from tests.disk.images import blank, run
from tests.disk.test_oracle import mounted
from v2vlint.disk.filesystems import ext_space
from v2vlint.disk.filesystems.ext import Ext, ExtFile
from v2vlint.disk.stream import HostFile
from v2vlint.guest.space import writable_bytes
from v2vlint.model.errors import ImageError

MIB = 1 << 20


@pytest.mark.parametrize("options", ["-t ext4", "-t ext4 -m 0 -O bigalloc -C 16384", "-t ext4 -O ^extent,^64bit"])
def test_root_writes_until_it_is_full(tmp_path: Path, options: str) -> None:
    """Extents keep two percent for themselves, whoever writes (``ext4_has_free_clusters``)."""
    run("mke2fs", "-q", *options.split(), blank(tmp_path / "fs", 48 * MIB))
    before = writable_bytes(Ext(HostFile(str(tmp_path / "fs"))), None)
    written = 0
    with mounted(tmp_path, tmp_path / "fs") as point, (point / "all").open("wb", buffering=0) as file:
        try:
            while True:
                written += file.write(b"x" * 65536)
        except OSError:
            os.fsync(file.fileno())
    # The blocks that map the file.
    assert 0 <= before - written <= MIB // 4
    assert writable_bytes(Ext(HostFile(str(tmp_path / "fs"))), None) < 65536


def test_the_reserve_has_a_limit(tmp_path: Path) -> None:
    run("mke2fs", "-q", "-t", "ext4", blank(tmp_path / "fs", 1024 * MIB))
    ext = Ext(HostFile(str(tmp_path / "fs")))
    assert ext.free() - ext.available() == 16 * MIB


@pytest.fixture
def image(tmp_path: Path) -> Path:
    options = ("-t", "ext4", "-b", "4096", "-O", "orphan_file", "-E", "orphan_file_size=1M")
    run("mke2fs", "-q", *options, blank(tmp_path / "fs", 48 * MIB))
    return tmp_path / "fs"


def free(image: Path, *writes: tuple[int, int, int]) -> int:
    """The free bytes with numbers written: place, size, number."""
    return Ext(Spoiled(image, *((at, number.to_bytes(size, "little")) for at, size, number in writes))).free()


def test_deleted_files_are_counted_once(image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list that comes back to a file, or a file in two lists, leaves unknown how much is free."""
    at, head = inode_at(image, "<11>"), 1024 + 0xE8
    ext = Ext(HostFile(str(image)))
    number = int.from_bytes(ext.base.read_at(1024 + 0x280, 4), "little")
    # The kernel begins to look for a place in the file at a block that depends on the processor.
    filed = ext.block_size * ExtFile(ext, ext.inode(number))._find(200, 1)[0]
    deleted, size = (at + 0x1A, 2, 0), 512 * int.from_bytes(ext.base.read_at(at + 0x1C, 4), "little")
    assert size
    for place in (head, filed):
        assert free(image, deleted, (place, 4, 11)) == ext.free() + size
    assert free(image, (head, 4, 11)) == ext.free()
    for writes in (((head, 4, 11), (at + 0x14, 4, 11)), ((head, 4, 11), (filed, 4, 11)), ((filed, 4, 11), (filed + 4, 4, 11))):
        with pytest.raises(ImageError, match="lists of deleted files are damaged"):
            free(image, deleted, *writes)
    monkeypatch.setattr(ext_space, "MAX_ORPHANS", 1)
    with pytest.raises(ImageError, match="lists of deleted files are damaged"):
        free(image, deleted, (head, 4, 11), (at + 0x14, 4, 2))
