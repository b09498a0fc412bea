"""The free blocks of an XFS, as Linux 6.18 told them of filesystems made by mkfs.xfs 6.1."""

from __future__ import annotations

import pytest

from v2vlint.disk.filesystems.xfs_space import FINOBT, REFLINK, RMAPBT, usable_blocks


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
