"""GRUB itself says what is at a path: grub-fstest(1) runs GRUB's own drivers on the images of guests."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from guestbuild.samples import HOME, cached
from tests.cases.test_cases import GUESTS
from tests.disk.images import blank, run
from tests.disk.test_oracle import mounted
from v2vlint.disk.filesystems.opening import open_filesystem
from v2vlint.disk.filesystems.probe import probe
from v2vlint.disk.stream import HostFile
from v2vlint.facts.boot.grub.files import GrubFiles
from v2vlint.facts.boot.grub.volumes import GrubVolume, block_of
from v2vlint.guest.fs import GuestFS
from v2vlint.guest.open import GuestContents, open_ref
from v2vlint.model.source import GuestRef

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not shutil.which("grub-fstest"), reason="needs grub-common")]
LAYOUTS = (
    ("btrbk336", GUESTS),  # a root in btrfs' default subvolume
    ("mtl3-bls-prefix", GUESTS),  # /boot on a partition of its own
    ("rhel9-vsphere", HOME),  # LVM
    ("sles15-btrfs", HOME),  # subvolumes in subvolumes
    ("debian-portable", HOME),
)
TRIED = ("", "/boot", "/boot/grub", "/boot/grub2", "/loader/entries", "/grub2", "/EFI", "/@", "/rootfs/boot", "/@/.snapshots", "/etc")


@pytest.mark.parametrize(("name", "home"), LAYOUTS)
def test_grub_finds_what_we_find(name: str, home: Path, tmp_path: Path) -> None:
    image = cached(name, home)[0]
    raw = tmp_path / "disk.img"
    subprocess.run(["qemu-img", "convert", "-O", "raw", image, raw], check=True)
    guest = _opened(name, home)
    files = GrubFiles(guest.roots[0].fs, guest.blocks)
    tried = 0
    for volume in files.volumes:
        for folder in (path for path in TRIED if volume.tree.is_dir(path or "/") or not path.count("/") > 2):
            ours = {name for name in volume.tree.listdir(folder or "/") if not name.startswith(".")}  # ls leaves them out
            fold = str.lower if volume.system.type == "vfat" else str
            assert set(map(fold, ours)) == _listed(raw, guest, volume, folder), (volume.device, folder)
            for found in sorted(ours)[:40]:
                assert files.locate(f"{folder}/{found}", f"uuid:{volume.system.uuid}").exists
                tried += 1
    assert tried > 3


def _opened(name: str, home: Path) -> GuestContents:
    return open_ref(GuestRef(name, "disks", tuple(map(str, cached(name, home)))))


def _listed(raw: Path, guest: GuestContents, volume: GrubVolume, folder: str) -> set[str]:
    told = subprocess.run(
        ["grub-fstest", raw, "ls", "--", f"({_named(guest, volume)}){folder}/"], capture_output=True, text=True, check=False
    )
    return {name.rstrip("/") for name in told.stdout.split()}


def _named(guest: GuestContents, volume: GrubVolume) -> str:
    """GRUB's name of the device; it must lead us back to the same one."""
    device = guest.blocks.named(volume.device)
    assert device is not None
    if device.kind == "lv":
        name = f"lvm/{'-'.join(part.replace('-', '--') for part in device.name.split('/'))}"
        assert block_of(name, guest.blocks) is device
        return name
    table = next(one.detail("pt") for one in guest.blocks.disks if one.disk == device.disk)
    number = f",{'gpt' if table == 'gpt' else 'msdos'}{device.number}"
    assert block_of(f"hd{device.disk}{number}", guest.blocks) is device
    return f"loop0{number}"


def test_subvolumes_in_a_snapshot(tmp_path: Path) -> None:
    """The kernel shows an empty folder for one that was nested in the snapshot's source, GRUB follows the entry."""
    image = blank(tmp_path / "image", 256 << 20)
    run("mkfs.btrfs", "-q", image)
    with mounted(tmp_path, image) as top:
        run("btrfs", "subvolume", "create", top / "a")
        run("btrfs", "subvolume", "create", top / "a/nested")
        (top / "a/nested/file").write_text("inside\n")
        run("btrfs", "subvolume", "snapshot", top / "a", top / "snap")
        shown = [(top / name).exists() for name in ("a/nested/file", "snap/nested/file", "snap/nested")]
    stream = HostFile(str(image))
    fs = GuestFS({"/": open_filesystem(probe(stream), [stream])})
    names = ("/a/nested/file", "/snap/nested/file")
    assert [fs.exists(name) for name in (*names, "/snap/nested")] == shown == [True, False, True]
    told = [subprocess.run(["grub-fstest", image, "cat", f"(loop0){name}"], capture_output=True, check=False).stdout for name in names]
    assert [fs.as_it_lies().read(name) for name in names] == told == [b"inside\n"] * 2


def _ours(files: GrubFiles, paths: tuple[str, ...]) -> Iterator[bool]:
    return (files.locate(path, files.device_of("/boot/grub/grub.cfg")).exists for path in paths)


def test_what_linux_shows_below_root_is_not_at_the_top_of_btrfs() -> None:
    guest = _opened("btrbk336", GUESTS)
    fs = guest.roots[0].fs
    kernel = "/boot/vmlinuz-6.1.0-28-amd64"
    assert list(_ours(GrubFiles(fs, guest.blocks), (kernel, f"/rootfs{kernel}"))) == [False, True]
    assert GrubFiles(fs, guest.blocks).locate(kernel, "hd0,msdos1", "default").path == kernel
    assert GrubFiles(fs, guest.blocks).locate(kernel, "hd0,msdos1").path == f"(disk1p1){kernel}"
