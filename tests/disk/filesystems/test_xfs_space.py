"""The free blocks of an XFS, as Linux 6.18 told them of filesystems made by mkfs.xfs 6.1."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.disk.filesystems.spoiling import Spoiled
from tests.disk.images import blank, run
from v2vlint.disk.filesystems import xfs_space
from v2vlint.disk.filesystems.xfs import Xfs
from v2vlint.disk.filesystems.xfs_space import FINOBT, REFLINK, RMAPBT, free_bytes, usable_blocks
from v2vlint.disk.stream import HostFile
from v2vlint.model.errors import ImageError


@pytest.mark.parametrize(
    ("size", "dblocks", "log", "features", "counted", "told"),
    [
        (4096, 76800, 16384, FINOBT | REFLINK, 60384, 56087),
        (4096, 76800, 16384, FINOBT, 60388, 56453),
        (4096, 262144, 16384, FINOBT | REFLINK, 245728, 235783),
        (4096, 262144, 16384, FINOBT, 245732, 237261),
        (4096, 1310720, 16384, FINOBT | REFLINK, 1294304, 1277047),
        (4096, 1310720, 16384, FINOBT, 1294308, 1284789),
        (4096, 76800, 16384, FINOBT | REFLINK | RMAPBT, 60380, 55340),
        (4096, 262144, 16384, FINOBT | REFLINK | RMAPBT, 245724, 232778),
        (1024, 307200, 65536, FINOBT, 241608, 233126),
    ],
)
def test_free_blocks(size: int, dblocks: int, log: int, features: int, counted: int, told: int) -> None:
    group = dblocks // 4
    bits = (group - 1).bit_length()
    superblock = {
        "sb_blocksize": size, "sb_dblocks": dblocks, "sb_agblocks": group, "sb_logblocks": log, "sb_logstart": 2 << bits,
        "sb_agblklog": bits, "sb_versionnum": 5, "sb_inopblog": (size // 512).bit_length() - 1, "sb_features_ro_compat": features,
        "sb_fdblocks": counted,
    }  # fmt: skip
    assert usable_blocks(superblock) == told


@pytest.mark.parametrize("value", [0, 1, 1 << 31])
def test_any_superblock(value: int) -> None:
    names = ("sb_blocksize", "sb_dblocks", "sb_agblocks", "sb_logblocks", "sb_logstart", "sb_agblklog", "sb_inopblog", "sb_fdblocks")
    for name in names:
        superblock = dict.fromkeys(names, 1) | {
            "sb_versionnum": 5,
            "sb_features_ro_compat": 7,
            name: min(value, 255) if name[-3:] == "log" else value,
        }
        assert usable_blocks(superblock) >= 0


def test_deleted_files_in_a_circle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is counted once: a list that comes back to a file, or a file in two lists, leaves unknown how much is free."""
    run("mkfs.xfs", "-q", "-s", "size=512", blank(tmp_path / "fs", 320 << 20))
    xfs = Xfs(HostFile(str(tmp_path / "fs")))
    base, root = HostFile(str(tmp_path / "fs")), xfs._root
    block, index = divmod(root, 1 << xfs._inode_log)
    following = xfs._place(block) * xfs.block_size + index * xfs._inode_size + 96

    def free(*writes: tuple[int, int]) -> int:
        spoiled = Spoiled(tmp_path / "fs", *((at, number.to_bytes(4, "big")) for at, number in writes))
        return free_bytes(spoiled, recovered=True, gained=0, inode=Xfs(spoiled).inode_data)

    assert free((1024 + 40, root)) == free_bytes(base, recovered=True, gained=0, inode=xfs.inode_data)
    for writes in (((1024 + 40, root), (following, root)), ((1024 + 40, root), (1024 + 44, root))):
        with pytest.raises(ImageError, match="lists of deleted files are damaged"):
            free(*writes)
    monkeypatch.setattr(xfs_space, "MAX_DELETED", 1)
    with pytest.raises(ImageError, match="lists of deleted files are damaged"):
        free((1024 + 40, root), (following, root + 1))
