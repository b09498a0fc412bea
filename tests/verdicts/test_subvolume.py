"""The btrfs subvolume that the command line mounts as the root: as the kernel that has to mount it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from guestbuild.kernel import vmlinuz
from tests.disk.images import blank, need, run
from tests.disk.test_oracle import mounted
from tests.facts.guests import DEBIAN
from v2vlint.disk.filesystems.opening import open_filesystem
from v2vlint.disk.filesystems.probe import probe
from v2vlint.disk.stream import HostFile
from v2vlint.facts.registry import FactStore
from v2vlint.guest.fs import GuestFS
from v2vlint.model.blocks import BlockDevice, BlockTable
from v2vlint.model.card_names import CardNames
from v2vlint.model.definition import Definition
from v2vlint.model.finding import Fate, Mover
from v2vlint.target import load
from v2vlint.verdicts.root import RootVerdict

pytestmark = pytest.mark.slow

UUID = "b7f50000-1111-4222-8333-444444444444"
_MENU = "menuentry x {{\n linux /boot/vmlinuz-6.1.0-1-amd64 {}\n initrd /boot/initrd.img-6.1.0-1-amd64\n}}\n"
FLAGS = ("subvol=@", "subvol=/@", "subvol=@/.snapshots/2/snapshot", "subvol=@/.snapshots/9/snapshot", "subvol=@/usr", "subvolid=9999", "ro")


def test_a_snapshot_that_is_gone_is_an_error(tmp_path: Path) -> None:
    need("mkfs.btrfs", "btrfs")
    image = blank(tmp_path / "fs", 128 << 20)
    run("mkfs.btrfs", "-q", "-U", UUID, image)
    with mounted(tmp_path, image) as point:
        for name in ("@", "@/.snapshots"):
            run("btrfs", "subvolume", "create", point / name)
        for folder in ("@/usr", "@/.snapshots/2", "boot/grub"):
            (point / folder).mkdir(parents=True)
        run("btrfs", "subvolume", "snapshot", "-r", point / "@", point / "@/.snapshots/2/snapshot")
        (point / "boot/vmlinuz-6.1.0-1-amd64").write_bytes(vmlinuz("6.1.0-1-amd64"))
        (point / "boot/initrd.img-6.1.0-1-amd64").write_bytes(b"")
    for flags in FLAGS:
        with mounted(tmp_path, image) as point:
            (point / "boot/grub/grub.cfg").write_text(_MENU.format(f"root=UUID={UUID} rootflags={flags}"))
        assert _judged(image) == _mounts(tmp_path, image, flags), flags


def _judged(image: Path) -> bool:
    """Whether the verdict has nothing against it."""
    stream = HostFile(str(image))
    system = open_filesystem(probe(stream), [stream])
    disk = BlockDevice("disk1", "disk", 1 << 30, 0)
    part = BlockDevice("disk1p1", "partition", 1 << 29, 0, number=1, fs_type="btrfs", uuid=UUID, parents=("disk1",))
    given = (GuestFS({"/": system}), BlockTable((disk, part)), DEBIAN, Definition("", ""), CardNames(), load("kvm"), Mover.RAW)
    return all(cause.fate is not Fate.FAIL for cause in FactStore(given).get(RootVerdict).subvolume)


def _mounts(folder: Path, image: Path, flags: str) -> bool:
    """Whether the kernel mounts it."""
    loop = run("losetup", "-f", "--show", image).strip()
    try:
        done = subprocess.run(["mount", "-o", flags, loop, folder / "mounted"], capture_output=True, check=False)
        if done.returncode == 0:
            run("umount", folder / "mounted")
        return done.returncode == 0
    finally:
        run("losetup", "-d", loop)
