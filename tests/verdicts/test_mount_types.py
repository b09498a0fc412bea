"""Mounts whose filesystem type no module and no built-in code of the kernel has."""

from __future__ import annotations

import pytest

from tests.verdicts.asking import FAILS, store, told
from v2vlint.samples.boot import VERSION, sample_boot, sample_kernel
from v2vlint.verdicts.mounts import MountsVerdict

_FOLDER = f"/lib/modules/{VERSION}"


@pytest.mark.parametrize(
    ("kind", "builtin", "more", "known"),
    [
        ("oddfs", "", {}, False),
        ("odd_fs", "fs/odd-fs", {}, True),
        ("oddfs", "", {f"{_FOLDER}/modules.alias": "alias fs-oddfs strange\n"}, True),
        ("oddfs", "", {f"{_FOLDER}/modules.builtin.modinfo": "ext4.license=GPL\0strange.alias=fs-oddfs\0"}, True),
        ("oddfs", "", {f"{_FOLDER}/modules.builtin.modinfo": "ext4.alias=fs-ext2\0"}, False),
        ("ext2", "fs/ext4/ext4", {}, True),
        ("ext3", "fs/ext4/ext4", {}, True),
        ("ext3", "fs/ext2/ext2", {}, False),
        ("iso9660", "fs/isofs/isofs", {}, True),
        ("vxfs", "fs/freevxfs/freevxfs", {}, True),
        ("v7", "fs/sysv/sysv", {}, True),
        ("gfs2meta", "fs/gfs2/gfs2", {}, True),
        ("pvfs2", "fs/orangefs/orangefs", {}, True),
        ("binder", "drivers/android/binder_linux", {}, True),
        ("smackfs", "", {}, True),
        ("oddfs", "", {"/sbin/mount.oddfs": ""}, True),
        ("oddfs", "", {"/nix/store/x": ""}, True),
        ("oddfs", "", {"/gnu/store/x": ""}, True),
    ],
)
def test_types_that_the_kernel_knows(kind: str, builtin: str, more: dict[str, str], known: bool) -> None:
    """Types of built-in code are listed only since Linux 5.2; NixOS and Guix have mount's helpers in folders made at boot."""
    kernel = sample_kernel(modules=("drivers/net/virtio_net",), builtin=(builtin,) if builtin else ())
    files = {
        **sample_boot(kernel),
        f"{_FOLDER}/modules.alias": "alias fs-xfs xfs\n",
        "/etc/fstab": f"x /data {kind} defaults 0 0\n",
        **more,
    }
    assert told(store(files).get(MountsVerdict).types) == ([] if known else [FAILS])
