"""Whole guests made of real images: roots by content, mounts by fstab or without it, and the reasons when there is no system."""

from __future__ import annotations

import fcntl
import os
import struct
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.disk.images import blank, ext, make_tree, need, open_paths, partitioned, problems, run
from v2vlint.guest.open import GuestContents, changes, open_ref
from v2vlint.model.source import GuestRef

MIB = 1 << 20
ROOT = "11111111-2222-4333-8444-555555555555"
BOOT = "22222222-2222-4333-8444-555555555555"
HOME = "33333333-2222-4333-8444-555555555555"
LAYOUT = """label: gpt
1 : start=2048, size=32768, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B, name=ESP
2 : start=34816, size=32768, type=0FC63DAF-8483-4772-8E79-3D69D8477DE4, uuid=AAAAAAAA-0000-4000-8000-000000000002, name=boot
3 : start=67584, size=65536, type=0FC63DAF-8483-4772-8E79-3D69D8477DE4
4 : start=133120, size=32768, type=0FC63DAF-8483-4772-8E79-3D69D8477DE4
"""


def filesystem(path: Path, files: Mapping[str, str | bytes], *, uuid: str, size: int = 16, label: str = "") -> Path:
    """A small ext4 with just these files; a path ending in ``/`` is an empty folder."""
    top = path.with_name(f"{path.name}.tree")
    for name, content in files.items():
        target = top / name.strip("/")
        (target if name.endswith("/") else target.parent).mkdir(parents=True, exist_ok=True)
        if not name.endswith("/"):
            target.write_bytes(content.encode() if isinstance(content, str) else content)
    run("mke2fs", "-q", "-F", "-t", "ext4", "-U", uuid, "-L", label, "-d", top, blank(path, size * MIB))
    return path


def esp(path: Path) -> Path:
    need("mkfs.vfat", "mcopy")
    (path.with_name("EFI") / "BOOT").mkdir(parents=True)
    (path.with_name("EFI") / "BOOT/BOOTX64.EFI").write_bytes(b"MZ")
    run("mkfs.vfat", "-F", "16", "-s", "1", "-i", "ABCD1234", blank(path, 16 * MIB))
    run("mcopy", "-s", "-i", path, path.with_name("EFI"), "::")
    return path


def root_files(fstab: str, **more: str) -> dict[str, str]:
    folders = dict.fromkeys(("bin/", "dev/", "proc/", "boot/efi/", "home/", "srv/", "var/lib/", "usr/lib/"), "")
    return folders | {"etc/fstab": fstab, "etc/os-release": "ID=debian\nNAME=Debian\nVERSION_ID=12\n", **more}


def guest_with(folder: Path, fstab: str, *, disks: int = 1) -> GuestContents:
    """ESP, /boot, / and /home on one disk; a second one has a filesystem as a whole."""
    root = filesystem(folder / "root", root_files(fstab), uuid=ROOT, size=32)
    boot = filesystem(folder / "boot", {"vmlinuz-6.1": "k", "grub/grub.cfg": "set x\n"}, uuid=BOOT, label="bootfs")
    home = filesystem(folder / "homefs", {"alice/.profile": ""}, uuid=HOME)
    disk = partitioned(folder / "disk", LAYOUT, {2048: esp(folder / "esp"), 34816: boot, 67584: root, 133120: home}, 100 * MIB)
    data = filesystem(folder / "data", {"file": "data"}, uuid="44444444-2222-4333-8444-555555555555")
    return open_paths(disk, *([data] if disks > 1 else []))


def mounts(guest: GuestContents) -> dict[str, str]:
    assert len(guest.roots) == 1, guest.problems
    return {mount.point: mount.device for mount in guest.roots[0].mounts}


STATED = {
    "UUID": ("UUID=" + BOOT, "UUID=" + HOME.upper(), "UUID=ABCD-1234"),
    "kernel names": ("/dev/sda2", "/dev/vda4", "/dev/nvme0n1p1"),
    "labels": ("LABEL=bootfs", "/dev/disk/by-uuid/" + HOME, "PARTLABEL=ESP"),
    "PARTUUID": ("PARTUUID=aaaaaaaa-0000-4000-8000-000000000002", 'UUID="' + HOME + '"', "/dev/disk/by-uuid/ABCD-1234"),
}


@pytest.mark.parametrize("names", STATED.values(), ids=STATED)
def test_mounts_by_fstab(tmp_path: Path, names: tuple[str, str, str]) -> None:
    boot, home, efi = names
    fstab = f"UUID={ROOT} / ext4 defaults 0 1\n{efi} /boot/efi vfat umask=0077 0 1\n{boot} /boot ext4 defaults\n{home} /home auto\n"
    guest = guest_with(tmp_path, fstab + "proc /proc proc\n/dev/sda9 none swap sw\n/srv /mnt none bind\n# x\nbroken\n")
    assert mounts(guest) == {"/": "disk1p3", "/boot": "disk1p2", "/boot/efi": "disk1p1", "/home": "disk1p4"}
    fs = guest.roots[0].fs
    assert fs.is_file("/boot/vmlinuz-6.1")
    assert fs.is_file("/boot/efi/EFI/BOOT/BOOTX64.EFI")
    assert fs.is_file("/home/alice/.profile")
    assert not guest.problems


BROKEN = {
    "by-path": "/dev/disk/by-path/pci-0000:00:10.0-scsi-0:0:0:0-part3 / ext4\n/dev/disk/by-path/pci-0-part2 /boot ext4\n",
    "wrong UUIDs": "UUID=99999999-0000-4000-8000-000000000000 / ext4\nUUID=99999999-0000-4000-8000-000000000001 /boot ext4\n",
    "garbage": "\udcff\0\n/dev\n",
    "empty": "",
}


@pytest.mark.parametrize("fstab", BROKEN.values(), ids=BROKEN)
def test_boot_and_esp_are_found_by_content(tmp_path: Path, fstab: str) -> None:
    guest = guest_with(tmp_path, fstab.encode("utf-8", "surrogateescape").decode("latin-1"))
    assert mounts(guest) == {"/": "disk1p3", "/boot": "disk1p2", "/boot/efi": "disk1p1"}


def test_two_disks(tmp_path: Path) -> None:
    guest = guest_with(tmp_path, f"UUID={ROOT} / ext4\n/dev/sdb /srv/data ext4 defaults 0 2\n", disks=2)
    assert mounts(guest)["/srv/data"] == "disk2"
    assert guest.roots[0].fs.exists("/srv/data/file")
    assert [device.disk for device in guest.blocks.disks] == [0, 1]
    assert guest.size == 100 * MIB + 16 * MIB


def test_a_name_that_would_be_the_root_itself_is_not_mounted(tmp_path: Path) -> None:
    guest = guest_with(tmp_path, f"UUID={ROOT} / ext4\n/dev/hda3 /srv/data ext4 defaults 0 2\n")
    assert "/srv/data" not in mounts(guest)


def test_two_systems_are_told_apart(tmp_path: Path) -> None:
    first = filesystem(tmp_path / "one", root_files(f"UUID={ROOT} / ext4\n", **{"etc/hostname": "one\n"}), uuid=ROOT)
    second = root_files(f"UUID={BOOT} / ext4\n", **{"etc/hostname": "two\n", "etc/os-release": "ID=fedora\nNAME=Fedora\n"})
    other = filesystem(tmp_path / "two", second, uuid=BOOT)
    script = "label: dos\n1 : start=2048, size=32768, type=83\n2 : start=34816, size=32768, type=83\n"
    guest = open_paths(partitioned(tmp_path / "disk", script, {2048: first, 34816: other}, 40 * MIB))
    assert [(root.device, root.os.hostname, root.os.family) for root in guest.roots] == [
        ("disk1p1", "one", "debian"),
        ("disk1p2", "two", "rhel"),
    ]


def test_separate_usr(tmp_path: Path) -> None:
    root = {"etc/fstab": f"UUID={ROOT} / ext4\nUUID={BOOT} /usr ext4\n", "usr/": "", "dev/": "", "proc/": "", "var/": ""}
    first = filesystem(tmp_path / "one", root, uuid=ROOT)
    second = filesystem(tmp_path / "two", {"bin/": "", "share/": "", "lib/os-release": "ID=arch\nNAME=Arch\n"}, uuid=BOOT)
    script = "label: dos\n1 : start=2048, size=32768, type=83\n2 : start=34816, size=32768, type=83\n"
    guest = open_paths(partitioned(tmp_path / "disk", script, {2048: first, 34816: second}, 40 * MIB))
    assert (guest.roots[0].device, guest.roots[0].os.distro) == ("disk1p1", "arch")


def test_ostree(tmp_path: Path) -> None:
    deploy = "ostree/deploy/fedora/deploy/abc.0"
    files = {
        f"{deploy}/etc/os-release": "ID=fedora\nNAME=Fedora\nVERSION_ID=40\n",
        f"{deploy}/usr/bin/": "",
        "ostree/deploy/fedora/deploy/old.0/usr/bin/": "",
        "ostree/deploy/fedora/var/log/messages": "",
        "ostree/boot.1/fedora/x/": "",
        "boot/loader/entries/ostree-2.conf": "title old\noptions ostree=/ostree/deploy/fedora/deploy/old.0\n",
        "boot/loader/entries/ostree-10.conf": f"title new\noptions root=UUID={ROOT} ostree=/{deploy}\n",
    }
    guest = open_paths(filesystem(tmp_path / "disk", files, uuid=ROOT))
    assert [(root.deployment, root.os.version) for root in guest.roots] == [(f"/{deploy}", "40")]
    fs = guest.roots[0].fs
    assert fs.exists("/var/log/messages")
    assert fs.exists("/boot/loader/entries/ostree-10.conf")
    assert fs.exists("/sysroot/ostree/deploy")


@pytest.mark.parametrize("default", ["aaaa.0", "bbbb.0"])
def test_the_deployment_that_entries_on_another_filesystem_name(tmp_path: Path, default: str) -> None:
    """Fedora CoreOS has /boot apart; after a rollback the newest deployment is not the one that boots."""
    home = "ostree/deploy/fedora-coreos/deploy"
    trees = {f"{home}/{name}/{path}": "" for name in ("aaaa.0", "bbbb.0") for path in ("usr/bin/", "etc/")}
    first = filesystem(tmp_path / "one", trees, uuid=ROOT)
    other = {"aaaa.0": "bbbb.0", "bbbb.0": "aaaa.0"}[default]
    names = (("ostree-2", default), ("ostree-1", other), ("ostree-0", "gone.0"))
    entries = {f"loader/entries/{entry}.conf": f"options ostree=/{home}/{name}\n" for entry, name in names}
    second = filesystem(tmp_path / "two", {**entries, "vmlinuz": ""}, uuid=BOOT)
    script = "label: dos\n1 : start=2048, size=32768, type=83\n2 : start=34816, size=32768, type=83\n"
    guest = open_paths(partitioned(tmp_path / "disk", script, {2048: first, 34816: second}, 40 * MIB))
    assert [root.deployment for root in guest.roots] == [f"/{home}/{default}"]


@pytest.mark.parametrize(("other", "names"), [("notes", ["Alpine Linux (diskless)"]), ("usr/bin/sh", ["Arch"])])
def test_alpine_that_runs_from_memory_or_is_a_medium_beside_another_system(tmp_path: Path, other: str, names: list[str]) -> None:
    media = {".alpine-release": "alpine-lts 3.19.1\n", "apks/x86_64/": "", "boot/modloop-lts": "", "efi/": ""}
    first = filesystem(tmp_path / "one", media, uuid=BOOT)
    tree = {"etc/os-release": "ID=arch\nNAME=Arch\n", other: "", "dev/": "", "proc/": "", "var/": ""}
    second = filesystem(tmp_path / "two", tree if other != "notes" else {other: ""}, uuid=ROOT)
    script = "label: dos\n1 : start=2048, size=32768, type=83\n2 : start=34816, size=32768, type=83\n"
    guest = open_paths(partitioned(tmp_path / "disk", script, {2048: first, 34816: second}, 40 * MIB))
    assert [root.os.name for root in guest.roots] == names


def test_windows(tmp_path: Path) -> None:
    """FAT stands in for NTFS, in which no tool makes folders without mounting it."""
    need("mkfs.vfat", "mcopy")
    (tmp_path / "Windows/System32/config").mkdir(parents=True)
    (tmp_path / "Windows/System32/config/SOFTWARE").write_bytes(b"regf damaged")
    kernel = bytes(60) + (64).to_bytes(4, "little") + b"PE\0\0" + (0x8664).to_bytes(2, "little")
    (tmp_path / "Windows/System32/ntoskrnl.exe").write_bytes(kernel)
    run("mkfs.vfat", "-F", "16", blank(tmp_path / "disk", 20 * MIB))
    run("mcopy", "-s", "-i", tmp_path / "disk", tmp_path / "Windows", "::")
    (root,) = open_paths(tmp_path / "disk").roots
    assert (root.os.kind, root.os.name, root.os.arch) == ("windows", "Windows", "x86_64")


def test_ova_end_to_end(tmp_path: Path) -> None:
    tree = make_tree(tmp_path / "tree", odd=False)
    run(
        "qemu-img",
        "convert",
        "-f",
        "raw",
        "-O",
        "vmdk",
        "-o",
        "subformat=streamOptimized",
        ext(tmp_path / "raw", tree),
        tmp_path / "disk.vmdk",
    )
    with tarfile.open(tmp_path / "guest.ova", "w") as archive:
        archive.add(tmp_path / "disk.vmdk", "disk.vmdk")
    guest = open_ref(GuestRef("guest.ova", "ova", (str(tmp_path / "guest.ova"),)))
    assert (guest.format, guest.roots[0].os.hostname) == ("vmdk", "probe")
    assert problems(guest) == ["guest.ova: no OVF descriptor in it"]


def test_no_system(tmp_path: Path) -> None:
    data = filesystem(tmp_path / "data", {"file": "x"}, uuid=ROOT)
    assert problems(open_paths(data)) == ["guest: no operating system found on disk1 (ext4)"]
    (tmp_path / "noise").write_bytes(os.urandom(100_000))
    assert problems(open_paths(tmp_path / "noise")) == [
        "disk1: not a disk image, or an unknown layout: no partition table and no known filesystem"
    ]
    run("mkswap", "-q", blank(tmp_path / "swap", 4 * MIB))
    assert problems(open_paths(tmp_path / "swap")) == ["guest: no operating system found: no filesystem to look at"]


def test_damage_in_the_top_directory_is_a_problem(tmp_path: Path) -> None:
    image = filesystem(tmp_path / "disk", root_files(""), uuid=ROOT)
    data = bytearray(image.read_bytes())
    at = data.find(b"lost+found") // 1024 * 1024
    block = int(run("debugfs", "-R", "blocks /", image).split()[0])
    assert at == block * 1024
    data[at : at + 1024] = b"\xff" * 1024
    image.write_bytes(data)
    guest = open_paths(image)
    assert not guest.roots
    assert guest.problems


def test_an_image_in_use_is_noticed(tmp_path: Path) -> None:
    """The lock is the one that QEMU takes on an image that a guest may write."""
    image = filesystem(tmp_path / "disk", root_files(""), uuid=ROOT)
    with image.open("rb") as other:
        lock = struct.pack("hhqqi4x", fcntl.F_RDLCK, os.SEEK_SET, 101, 1, 0)
        fcntl.fcntl(other.fileno(), fcntl.F_OFD_SETLK, lock)
        assert problems(open_paths(image)) == [f"{image}: in use: QEMU has it open for writing"]
    assert problems(open_paths(image)) == []


def test_a_change_is_noticed(tmp_path: Path) -> None:
    image = filesystem(tmp_path / "disk", root_files(""), uuid=ROOT)
    guest = open_paths(image)
    assert changes(guest) == ()
    os.utime(image, ns=(0, 1))
    assert [(problem.where, problem.reason) for problem in changes(guest)] == [(str(image), "changed while it was read")]


@pytest.mark.parametrize("path", ["etc/mdadm", "etc/mdadm/mdadm.conf", "etc/hostname", "etc/fstab", "etc/crypttab", "etc/os-release"])
def test_what_cannot_be_read_costs_no_guest(tmp_path: Path, path: str) -> None:
    """Found by damaged images: whatever is read while a guest is opened may be unreadable, a folder's inode too."""
    more = {"etc/mdadm/mdadm.conf": "ARRAY /dev/md0\n", "etc/hostname": "x\n", "etc/crypttab": "x /dev/sda1 none\n"}
    image = filesystem(tmp_path / "root", root_files(f"UUID={ROOT} / ext4 defaults 0 1\n", **more), uuid=ROOT)
    for field in ("flags 0x80000", "block[0] 0", "block[1] 0", "size 99999999"):  # extents, whose head has no magic number
        run("debugfs", "-w", "-R", f"sif /{path} {field}", image)
    assert [root.os.kind for root in open_paths(image).roots] == ["linux"]


@pytest.mark.parametrize(("active", "home", "reserved"), [
    ((True, True), 0, ""), ((True, True), 1, "disk1p1"), ((False, True), 0, "disk2p1"), ((False, True), 1, ""),
])  # fmt: skip
def test_the_boot_manager_that_a_bios_starts(active: tuple[bool, bool], home: int, reserved: str, tmp_path: Path) -> None:
    """C: has one of its own; that of another disk counts where its partition is started first."""
    files = {"Windows/System32/config/SOFTWARE": b"regf", "Windows/System32/ntoskrnl.exe": b"MZ", "bootmgr": b"", "Boot/BCD": b"regf"}
    for name, data in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    images = [tmp_path / "a", tmp_path / "b"]
    for number, image in enumerate(images):
        run("truncate", "-s", "10M", image)
        table = f"2048,,c{',*' if active[number] else ''}\n"
        subprocess.run(["sfdisk", "-q", image], input=table, text=True, check=True, capture_output=True)
        run("mkfs.vfat", "-i", f"{number + 1:08x}", "--offset=2048", image, "9000")
        taken = ("bootmgr", "Boot", *(["Windows"] if number == home else []))
        run("mcopy", "-s", "-i", f"{image}@@1048576", *(tmp_path / name for name in taken), "::")
    root = open_ref(GuestRef("w", "disks", tuple(map(str, images)))).roots[0]
    assert {mount.point: mount.device for mount in root.mounts} == {"/": f"disk{home + 1}p1"} | (
        {"/system-reserved": reserved} if reserved else {}
    )
