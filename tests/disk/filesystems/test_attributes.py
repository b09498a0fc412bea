"""Extended attributes as the kernel's getxattr(2) has them, of filesystems that were unmounted and of copies made in use.

CI takes one random history of each kind; ``V2VLINT_CRASHED=200 python -m pytest tests/disk/filesystems/test_attributes.py`` takes more.
"""

from __future__ import annotations

import os
import random
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.disk.filesystems.test_crashed import opened
from tests.disk.images import blank, need, run
from tests.disk.test_oracle import mounted
from v2vlint.disk.filesystems.node import Attributed, FileSystem, Kind, Node
from v2vlint.disk.filesystems.xfs import Xfs
from v2vlint.guest.fs import GuestFS
from v2vlint.model.errors import FactUnavailable

MIB = 1 << 20
KINDS: dict[str, tuple[int, str]] = {
    "ext4": (32, "mke2fs -q -F -t ext4 IMAGE"),
    "ext4 with inodes for attributes": (32, "mke2fs -q -F -t ext4 -O ea_inode IMAGE"),
    "ext4 with inline data": (32, "mke2fs -q -F -t ext4 -O inline_data -I 512 IMAGE"),
    "ext3 of small inodes": (32, "mke2fs -q -F -t ext3 -b 1024 -I 128 IMAGE"),
    "xfs": (320, "mkfs.xfs -q IMAGE"),
    "xfs of small blocks": (320, "mkfs.xfs -q -b size=1024 IMAGE"),
    "btrfs": (128, "mkfs.btrfs -q IMAGE"),
}
CAPABILITY = struct.pack("<5I", 0x02000001, 1 << 13, 0, 0, 0)
"""CAP_NET_RAW; the kernel reads this one itself."""
SEEDS = [pytest.param(seed, marks=[pytest.mark.slow] if seed else []) for seed in range(int(os.environ.get("V2VLINT_CRASHED", "1")))]
NAMES = (
    "security.selinux",
    "security.capability",
    "user.a",
    "user.b",
    "trusted.overlay.opaque",
    *(f"user.number{one:03}" for one in range(40)),
)
Attributes = dict[str, dict[str, bytes]]


def change(top: Path, draw: random.Random, steps: int) -> None:
    """Random files, folders and links, and attributes of them; some forced to the disk."""
    for step in range(steps):
        paths = [top, *sorted(top.rglob("*"))]
        path = draw.choice(paths) if draw.random() < 0.7 else top / f"new{step}-{draw.randrange(1000)}"
        if not os.path.lexists(path):
            draw.choice(
                (path.touch, path.mkdir, lambda path=path: path.symlink_to("y" * 70), lambda path=path: path.write_bytes(b"x" * 5000))
            )()
        with suppress(OSError):
            if draw.random() < 0.15:
                os.removexattr(path, draw.choice(NAMES), follow_symlinks=False)
            for _more in range(draw.choice((1, 1, 2, 40))):
                name, size = draw.choice(NAMES), draw.choice((0, 1, 30, 30, 200, 900, 2500))
                value = CAPABILITY if name == "security.capability" else draw.randbytes(size)
                os.setxattr(path, name, value, follow_symlinks=False)
        if draw.random() < 0.3 and not path.is_symlink():
            handle = os.open(path, os.O_RDONLY)
            os.fsync(handle)
            os.close(handle)


def by_kernel(top: Path) -> Attributes:
    """What getxattr(2) says of everything below ``top``."""
    found = {}
    for path in (top, *sorted(top.rglob("*"))):
        names = os.listxattr(path, follow_symlinks=False)
        found[str(path.relative_to(top))] = {name: os.getxattr(path, name, follow_symlinks=False) for name in names}
    return found


def by_reader(system: FileSystem) -> Attributes:
    return dict(_walk(system.root, "."))


def _walk(node: Node, path: str) -> Iterator[tuple[str, dict[str, bytes]]]:
    assert isinstance(node, Attributed)
    yield path, dict(node.attributes())
    for name in node.names() if node.stat().kind is Kind.DIR else ():
        child = node.child(name)
        assert child is not None
        yield from _walk(child, name if path == "." else f"{path}/{name}")


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", KINDS)
def test_attributes_are_those_of_the_kernel(tmp_path: Path, kind: str, seed: int) -> None:
    size, command = KINDS[kind]
    image, draw = tmp_path / "fs", random.Random(f"{kind}{seed}")
    need(command.split()[0])
    run(*command.replace("IMAGE", str(blank(image, size * MIB))).split())
    with mounted(tmp_path, image) as point:
        change(point, draw, 60)
        run("sync", "-f", point)
        change(point, draw, 30)
        run("cp", "--sparse=always", image, tmp_path / "crashed")
        wanted = by_kernel(point)
    assert any(len(found) > 3 for found in wanted.values())
    assert by_reader(opened(image)) == wanted
    system = opened(tmp_path / "crashed")
    assert not system.stale
    run("cp", "--sparse=always", tmp_path / "crashed", tmp_path / "recovered")
    with mounted(tmp_path, tmp_path / "recovered") as point:
        assert by_reader(system) == by_kernel(point)


def test_a_filesystem_without_them_is_unknown(tmp_path: Path) -> None:
    need("mkfs.vfat")
    image = blank(tmp_path / "fs", 8 * MIB)
    run("mkfs.vfat", image)
    with pytest.raises(FactUnavailable, match="extended attributes"):
        GuestFS({"/": opened(image)}).attributes("/")
    assert GuestFS({"/": opened(image)}).attributes("/missing") is None


def test_xfs_4_has_other_headers(tmp_path: Path) -> None:
    """By xfs_db, as kernels no longer mount it: attributes in the inode, and more than it has room for."""
    need("mkfs.xfs", "xfs_db")
    image = blank(tmp_path / "fs", 320 * MIB)
    run("mkfs.xfs", "-q", "-m", "crc=0", "-i", "size=256", image)
    system = opened(image)
    assert isinstance(system, Xfs)
    root = f"inode {system.root._number}"
    for count in (1, 12):
        names = [f"name{number}" for number in range(count)]
        run("xfs_db", "-x", *(word for name in names for word in ("-c", root, "-c", f"attr_set -s -v 25 {name}")), image)
        assert by_reader(opened(image))["."] == {f"security.{name}": b"v" * 25 for name in names}
