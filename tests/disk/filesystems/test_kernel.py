"""Filesystems that a kernel filled, on ground that was something else before: every file, owner and time as that kernel shows them.

Extents that were allocated but never written lie on that ground, so that reading them as data shows.
"""

from __future__ import annotations

import os
import random
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.disk.filesystems.test_crashed import opened
from tests.disk.images import host_tree, make_tree, need, open_paths, problems, read_tree, run, same
from tests.disk.test_oracle import mounted
from v2vlint.disk.filesystems.node import FileSystem, Kind, Node

MIB = 1 << 20
GROUND = random.Random(8).randbytes(MIB)
SMALL_XFS = "env TEST_DIR=x TEST_DEV=x QA_CHECK_FS=x mkfs.xfs -q -K"
"""Told so, it makes small ones, as old ones are."""
XFS = {
    "v5": f"{SMALL_XFS} IMAGE",
    "small blocks": f"{SMALL_XFS} -b size=1024 IMAGE",
    "reflinks and fewer counts": f"{SMALL_XFS} -m rmapbt=1,reflink=1 -i nrext64=0 IMAGE",
    "times of 32 bits": f"{SMALL_XFS} -m bigtime=0,inobtcount=0 IMAGE",
}


def ground(path: Path, size: int) -> Path:
    """A disk full of what somebody left there."""
    with path.open("wb") as file:
        for _each in range(size // MIB):
            file.write(GROUND)
    return path


def fill(tree: Path, target: Path) -> None:
    """Copy a tree and add what only a kernel makes: unwritten and many extents, owners, times, devices."""
    run("cp", "-a", "--sparse=always", f"{tree}/.", target)
    run("fallocate", "-l", "2M", target / "unwritten")
    with (target / "unwritten").open("r+b") as file:
        file.seek(1_000_000)
        file.write(b"written")
    with (target / "broken-up").open("wb") as file:
        for number in range(1500):
            file.seek(number * 12288)
            file.write(bytes([number % 251]) * 4096)
    os.mkfifo(target / "pipe")
    for place in target.rglob("*"):
        # Whole milliseconds: half of one would be rounded either way below.
        when = place.lstat().st_mtime_ns // 10**6 * 10**6
        os.utime(place, ns=(when, when), follow_symlinks=False)
    for name, owner, group, time in (("pipe", 70_000, 5, 1e9), ("empty", 1000, 90_000, 1.25), ("unwritten", 1, 2, 2_000_000_000.5)):
        place = target / name if name != "empty" else target / "odd/empty"
        os.chown(place, owner, group)
        os.utime(place, (time, time))
    os.utime(target / "odd/tiny", (-1000.0, -1000.0))


def inodes_of_host(top: Path) -> dict[str, tuple[object, ...]]:
    found: dict[str, tuple[object, ...]] = {}
    for path in top.rglob("*"):
        one = path.lstat()
        kind = "dir" if stat.S_ISDIR(one.st_mode) else "other" if stat.S_ISFIFO(one.st_mode) else "file"
        found[str(path.relative_to(top))] = (kind, one.st_mode & 0o7777, one.st_uid, one.st_gid, round(one.st_mtime, 3))
    return found


def inodes_of(system: FileSystem) -> dict[str, tuple[object, ...]]:
    return dict(_walk(system.root, ""))


def _walk(node: Node, folder: str) -> Iterator[tuple[str, tuple[object, ...]]]:
    for name in node.names():
        child = node.child(name)
        assert child is not None
        one = child.stat()
        kind = {Kind.DIR: "dir", Kind.OTHER: "other"}.get(one.kind, "file")
        yield f"{folder}{name}", (kind, one.mode, one.uid, one.gid, round(one.mtime, 3))
        if one.kind is Kind.DIR:
            yield from _walk(child, f"{folder}{name}/")


def compare(folder: Path, *images: Path) -> None:
    guest = open_paths(*images)
    system = guest.roots[0].fs.mounts["/"]
    with mounted(folder, *images, options="ro") as point:
        same(read_tree(system), host_tree(point))
        assert inodes_of(system) == inodes_of_host(point)


@pytest.mark.parametrize("command", XFS.values(), ids=XFS)
def test_xfs(tmp_path: Path, tree: Path, command: str) -> None:
    image = ground(tmp_path / "fs", 128 * MIB)
    run(*command.replace("IMAGE", str(image)).split())
    with mounted(tmp_path, image) as point:
        fill(tree, point)
    compare(tmp_path, image)


@pytest.mark.parametrize("options", [("-t", "ext4"), ("-t", "ext3", "-b", "1024", "-I", "128"), ("-t", "ext4", "-O", "^extent,^64bit")])
def test_ext(tmp_path: Path, tree: Path, options: tuple[str, ...]) -> None:
    image = ground(tmp_path / "fs", 64 * MIB)
    run("mke2fs", "-q", "-F", "-E", "nodiscard", *options, image)
    with mounted(tmp_path, image, options="" if "^extent,^64bit" not in options else "nodelalloc") as point:
        if "ext3" in options or "^extent,^64bit" in options:
            run("cp", "-a", "--sparse=always", f"{tree}/.", point)
            os.chown(point / "odd/tiny", 70_000, 90_000)
        else:
            fill(tree, point)
    compare(tmp_path, image)


BTRFS = {
    "zlib": (1, (), "compress-force=zlib"),
    "lzo": (1, (), "compress-force=lzo"),
    "zstd": (1, (), "compress-force=zstd"),
    "single on two": (2, ("-d", "single", "-m", "dup"), ""),
    "raid0": (2, ("-d", "raid0", "-m", "raid1"), ""),
    "raid1": (2, ("-d", "raid1", "-m", "raid1"), ""),
    "raid10": (4, ("-d", "raid10", "-m", "raid10"), ""),
    "raid5": (3, ("-d", "raid5", "-m", "raid1"), ""),
}


@pytest.mark.parametrize(("count", "profile", "options"), BTRFS.values(), ids=BTRFS)
def test_btrfs(tmp_path: Path, tree: Path, count: int, profile: tuple[str, ...], options: str) -> None:
    need("mkfs.btrfs")
    disks = [ground(tmp_path / f"disk{number}", 128 * MIB) for number in range(count)]
    run("mkfs.btrfs", "-q", "-K", *profile, *disks)
    with mounted(tmp_path, *disks, options=options) as point:
        fill(tree, point)
    compare(tmp_path, *disks)
    if profile[:2] == ("-d", "raid1"):
        same(read_tree(opened(disks[1])), read_tree(opened(disks[0])))
    elif count > 1:
        assert f"disk1: {count - 1} of {count} btrfs devices are missing" in problems(open_paths(disks[0]))


def test_btrfs_subvolumes(tmp_path: Path) -> None:
    """As distributions lay them out: @ and @home, snapshots of the root that are no systems of their own, a nested one."""
    small = make_tree(tmp_path / "tree", odd=False)
    run("mkfs.btrfs", "-q", "-K", "-U", "11111111-2222-4333-8444-555555555555", ground(tmp_path / "fs", 128 * MIB))
    with mounted(tmp_path, tmp_path / "fs") as point:
        for name in ("@", "@home", "@snapshots"):
            run("btrfs", "subvolume", "create", point / name)
        run("cp", "-a", f"{small}/.", point / "@")
        uuid = "UUID=11111111-2222-4333-8444-555555555555"
        (point / "@/etc/fstab").write_text(f"{uuid} / btrfs subvol=@ 0 0\n{uuid} /home btrfs defaults,subvol=/@home 0 0\n")
        (point / "@home/alice").write_text("hello")
        run("btrfs", "subvolume", "create", point / "@/var/lib/portables")
        (point / "@/var/lib/portables/file").write_text("nested")
        run("btrfs", "subvolume", "snapshot", point / "@", point / "@snapshots/1")
        run("btrfs", "subvolume", "snapshot", "-r", point / "@", point / "@snapshots/2")
        snapshot = host_tree(point / "@snapshots/1")
    (root,) = (guest := open_paths(tmp_path / "fs")).roots
    assert (root.subvolume, root.fs.read("/home/alice"), root.fs.read("/var/lib/portables/file")) == ("@", b"hello", b"nested")
    assert {(mount.point, mount.subvolume) for mount in root.mounts} == {("/", "@"), ("/home", "@home")}
    device = guest.blocks.disks[0]
    assert device.detail("subvolumes") == "@,@home,@snapshots,@/var/lib/portables"
    assert (device.detail("snapshots"), device.detail("default_subvolume")) == ("2", "")
    found = {
        path.removeprefix("@snapshots/1/"): entry
        for path, entry in read_tree(opened(tmp_path / "fs")).items()
        if path.startswith("@snapshots/1/")
    }
    assert found == snapshot
    nested = opened(tmp_path / "fs").root
    for name in ("@snapshots", "1", "var", "lib", "portables"):
        nested = nested.child(name) or nested
    assert (nested.stat().kind, nested.stat().size, nested.stat().mode, list(nested.names())) == (Kind.DIR, 0, 0o755, [])
    with mounted(tmp_path, tmp_path / "fs") as point:
        number = run("btrfs", "inspect-internal", "rootid", point / "@snapshots/2").strip()
        run("btrfs", "subvolume", "set-default", number, point)
    roots = open_paths(tmp_path / "fs").roots
    assert [root.subvolume for root in roots] == ["@", "@snapshots/2"]
