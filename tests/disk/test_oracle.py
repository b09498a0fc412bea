"""Every file as the kernel or libguestfs reads it: real Debian guests, and layers that only a kernel can make."""

from __future__ import annotations

import os
import shutil
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from guestbuild.debian import BuildError, Spec, build
from tests.disk.images import (
    Tree,
    blank,
    ext,
    host_tree,
    make_tree,
    need,
    open_paths,
    partitioned,
    problems,
    read_tree,
    root_tree,
    run,
    same,
)
from v2vlint.disk.filesystems.ext import Ext
from v2vlint.disk.stream import HostFile
from v2vlint.guest.open import GuestContents

pytestmark = pytest.mark.slow

MIB = 1 << 20
APPLIANCE = ("LIBGUESTFS_BACKEND=direct", "LIBGUESTFS_BACKEND_SETTINGS=force_tcg")


@contextmanager
def mounted(folder: Path, *images: Path, options: str = "") -> Iterator[Path]:
    """The filesystem on images, mounted by the kernel; skips where that is not allowed."""
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    point = folder / "mounted"
    point.mkdir(exist_ok=True)
    loops = [run("losetup", "-f", "--show", image).strip() for image in images]
    try:
        if len(loops) > 1:
            run("btrfs", "device", "scan", *loops)
        # Another mount namespace of this host may still hold the one before, which XFS takes for a second of the same UUID.
        unsaid = "nouuid" if run("blkid", "-p", "-o", "value", "-s", "TYPE", images[0]).strip() == "xfs" else ""
        wanted = ",".join(filter(None, (options, unsaid)))
        run("mount", *(["-o", wanted] if wanted else []), loops[0], point)
        try:
            yield point
        finally:
            run("umount", point)
    finally:
        run("losetup", "-d", *loops)


@pytest.mark.parametrize("options", [("-t", "ext4"), ("-t", "ext3", "-b", "1024"), ("-t", "ext4", "-O", "^64bit,^metadata_csum")])
def test_journal_of_a_guest_that_was_not_shut_down(tmp_path: Path, tree: Path, options: tuple[str, ...]) -> None:
    """The image is copied while it is mounted: what was done last is only in its journal."""
    image = ext(tmp_path / "fs", tree, *options)
    with mounted(tmp_path, image) as point:
        for number in range(300):
            (point / f"etc/new{number}").write_text(f"new {number}\n")
        shutil.rmtree(point / "odd/many")
        (point / "etc/fstab").unlink()
        (point / "etc/fstab.new").write_text("# rewritten\n")
        (point / "etc/fstab.new").rename(point / "etc/fstab")
        (point / "magic").write_bytes(b"\xc0\x3b\x39\x98" * 1024)
        run("sync", point / "etc/fstab", point / "magic")
        run("cp", "--sparse=always", image, tmp_path / "crashed")
    run("cp", "--sparse=always", tmp_path / "crashed", tmp_path / "recovered")
    guest = open_paths(tmp_path / "crashed")
    assert guest.blocks.disks[0].detail("needs_recovery") == "yes"
    with mounted(tmp_path, tmp_path / "recovered") as point:
        same(root_tree(guest), host_tree(point))
    assert guest.roots[0].fs.read("/etc/fstab") == b"# rewritten\n"
    bare = Ext(HostFile(str(tmp_path / "crashed")))
    bare.base = HostFile(str(tmp_path / "crashed"))
    bare._forget()
    assert read_tree(bare) != root_tree(guest)


def test_log_of_an_xfs_that_was_not_unmounted(tmp_path: Path, tree: Path) -> None:
    run("mkfs.xfs", "-q", blank(tmp_path / "fs", 400 * MIB))
    assert dirty_log(tmp_path / "fs") == ""
    for _turn in range(2):
        with mounted(tmp_path, tmp_path / "fs") as point:
            run("cp", "-a", tree, point / f"copy{len(list(point.iterdir()))}")
            (point / "file").write_text("x")
            run("sync", point / "file")
            run("cp", "--sparse=always", tmp_path / "fs", tmp_path / "crashed")
        assert dirty_log(tmp_path / "fs") == ""
        assert dirty_log(tmp_path / "crashed") == "yes"


def dirty_log(image: Path) -> str:
    return open_paths(image).blocks.disks[0].detail("dirty_log")


GUESTFISH = """run
part-init /dev/sda gpt
part-add /dev/sda p 2048 204799
part-add /dev/sda p 204800 -2048
part-disk /dev/sdb mbr
debug sh "pvcreate DISK/a1 DISK/a2 DISK/b1"
debug sh "vgcreate vg-a DISK/a1 DISK/a2 DISK/b1"
debug sh "lvcreate -y -n root -L 60M vg-a DISK/a1"
debug sh "lvcreate -y -n striped -i 2 -I 16 -L 60M vg-a DISK/a2 DISK/b1"
debug sh "lvextend -L 100M vg-a/root DISK/b1"
debug sh "lvcreate -y --type raid1 -m1 -n mirrored -L 8M vg-a"
debug sh "lvcreate -y -T -L 12M -V 40M -n thin vg-a/pool"
debug sh "lvcreate -y -s -L 8M -n snap vg-a/striped"
mkfs ext4 /dev/vg-a/root
mkfs ext4 /dev/vg-a/striped
mount /dev/vg-a/root /
tar-in ARCHIVE /
umount /
mount /dev/vg-a/striped /
tar-in ARCHIVE /
umount /
debug sh "mdadm --create /dev/md/zero --run --metadata=1.2 --level=0 --chunk=64 --raid-devices=2 DISK/c DISK/d"
debug sh "mkfs.ext4 -q /dev/md127"
mount /dev/md127 /
tar-in ARCHIVE /
umount /
debug sh "mdadm --stop /dev/md127"
debug sh "mdadm --create /dev/md/one --run --metadata=0.90 --level=1 --raid-devices=2 DISK/e DISK/f"
debug sh "mkfs.ext4 -q /dev/md127"
mount /dev/md127 /
tar-in ARCHIVE /
umount /
debug sh "mdadm --stop /dev/md127"
debug sh "mdadm --create /dev/md/five --run --metadata=1.0 --level=5 --raid-devices=3 DISK/g DISK/h DISK/i"
debug sh "mkfs.ext4 -q /dev/md127"
"""


@pytest.fixture(scope="module")
def layers(tmp_path_factory: pytest.TempPathFactory, tree: Path) -> list[Path]:
    """Nine disks with LVM over several of them, and MD arrays, made by the kernel of libguestfs' appliance."""
    need("guestfish")
    folder = tmp_path_factory.mktemp("layers")
    sizes = dict(zip("abcdefghi", (180, 180, 48, 48, 72, 72, 24, 24, 24), strict=True))
    disks = {name: blank(folder / name, size * MIB) for name, size in sizes.items()}
    with tarfile.open(folder / "tree.tar", "w") as archive:
        archive.add(tree, ".")
    added = "".join(f"add {disk} format:raw label:{name}\n" for name, disk in disks.items())
    script = added + GUESTFISH.replace("ARCHIVE", str(folder / "tree.tar")).replace("DISK", "/dev/disk/guestfs")
    run("env", *APPLIANCE, "guestfish", input=script)
    return list(disks.values())


def test_lvm_and_raid(layers: list[Path], wanted: Tree) -> None:
    guest = open_paths(*layers)
    assert {root.device for root in guest.roots} == {"vg-a/root", "vg-a/striped", "md/zero", "md/127"}
    for index in range(len(guest.roots)):
        same(root_tree(guest, index), wanted)
    five = guest.blocks.named("md/five")
    assert five is not None
    assert five.fs_type == "ext4"
    assert problems(guest) == ["vg-a/snap: LVM snapshot volume is not supported"]


def test_an_array_with_partitions(tmp_path: Path, layers: list[Path]) -> None:
    """With the superblock at the end, both members look like partitioned disks of their own."""
    inner = ext(tmp_path / "fs", make_tree(tmp_path / "tree", odd=False), size=20 * MIB)
    disk = partitioned(tmp_path / "inner", "label: dos\n1 : start=2048, size=40960, type=83\n", {2048: inner}, 24 * MIB)
    members = [tmp_path / "one", tmp_path / "two"]
    for layer, member in zip(layers[4:6], members, strict=True):
        member.write_bytes(disk.read_bytes() + layer.read_bytes()[disk.stat().st_size :])
    guest = open_paths(*members)
    assert [root.device for root in guest.roots] == ["md/127p1"]
    assert [device.fs_type for device in guest.blocks.disks] == ["linux_raid_member", "linux_raid_member"]


def test_missing_members(layers: list[Path], wanted: Tree) -> None:
    without_second = open_paths(layers[0])
    assert [root.device for root in without_second.roots] == []
    assert not without_second.blocks.complete
    assert any("vg-a/root: physical volume" in problem and "is missing" in problem for problem in problems(without_second))
    same(root_tree(open_paths(layers[5])), wanted)
    assert "md/zero: 1 of 2 members are missing" in problems(open_paths(layers[2]))


def guestfish_sums(image: Path, device: str) -> dict[str, str]:
    """SHA-256 of every regular file, by libguestfs."""
    need("guestfish")
    sums = image.with_suffix(".sums")
    run("env", *APPLIANCE, "guestfish", "--ro", "--format=qcow2", "-a", image, "-m", device, "checksums-out", "sha256", "/", sums)
    rows = (line.split("  ", 1) for line in sums.read_text(errors="surrogateescape").splitlines())
    return dict(_unescaped(name.removeprefix("./"), digest) for digest, name in rows)


def _unescaped(name: str, digest: str) -> tuple[str, str]:
    """sha256sum(1) starts a line with a backslash when it had to escape the name."""
    return (name.replace("\\\\", "\\"), digest[1:]) if digest.startswith("\\") else (name, digest)


REAL = [
    pytest.param(Spec(), "/dev/sda1", id="ext4", marks=pytest.mark.truth),
    pytest.param(Spec(lvm=True), "/dev/vg0/root", id="lvm"),
    pytest.param(Spec(fs="xfs"), "/dev/sda1", id="xfs", marks=pytest.mark.truth),
    pytest.param(Spec(fs="btrfs"), "/dev/sda1", id="btrfs", marks=pytest.mark.truth),
]


@pytest.mark.parametrize(("spec", "device"), REAL)
def test_every_file_of_a_real_debian(tmp_path: Path, spec: Spec, device: str) -> None:
    try:
        image = build(spec)
    except BuildError as error:
        pytest.skip(str(error))
    (tmp_path / "disk.qcow2").symlink_to(image)
    guest: GuestContents = open_paths(image)
    assert not guest.problems
    found = {name: entry[1] for name, entry in read_tree(guest.roots[0].fs.mounts["/"]).items() if entry[0] == "file"}
    wanted = guestfish_sums(tmp_path / "disk.qcow2", device)
    assert len(found) > 5000
    assert {name for name in found.keys() | wanted.keys() if found.get(name) != wanted.get(name)} == set()
