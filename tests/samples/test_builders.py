"""The builder's files as other programs see them: depmod, modinfo, cpio, rpm, sfdisk, the filesystem checkers."""

from __future__ import annotations

import dataclasses
import gzip
import json
import shutil
import sqlite3
import struct
import subprocess
from pathlib import Path

import pytest
from dissect.volume.lvm import LVM2

from guestbuild import cpio, elf, filesystem, grub, initramfs, kernel, lvm, md, ntfs, packages, pe
from guestbuild.debian import Spec, image_path
from guestbuild.partition import MIB, Partition, disk_size, partition
from guestbuild.recipe import Recipe, load
from guestbuild.samples import HOME, build_guest
from guestbuild.tools import BuildError, blank, run, stable_uuid
from guestbuild.tree import unfold
from v2vlint.disk.filesystems.ntfs import NtfsFileSystem
from v2vlint.disk.filesystems.probe import probe
from v2vlint.disk.stream import HostFile
from v2vlint.guest.fs import GuestFS


def _kernel(**changes: object) -> kernel.Kernel:
    values: dict[str, object] = {"version": "6.1.0-1-amd64", "image": "/boot/vmlinuz-6.1.0-1-amd64", "modules": ("virtio_blk", "nvme")}
    return kernel.Kernel(**{**values, **changes})  # type: ignore[arg-type]


def test_a_set_expands_to_its_members_and_their_dependencies() -> None:
    assert kernel.expand(("@xen", "-xen_scsifront")) == ("xen_blkfront", "xen_netfront")
    assert kernel.expand(("virtio_blk",)) == ("virtio", "virtio_blk", "virtio_ring")


@pytest.mark.parametrize("name", ["@nothing", "no_such_module"])
def test_an_unknown_module_is_named(name: str) -> None:
    with pytest.raises(BuildError, match=name):
        kernel.expand((name,))


def test_depmod_indexes_the_module_stubs(tmp_path: Path) -> None:
    kernel.install(_kernel(builtin=("nvme_core",)), tmp_path)
    home = tmp_path / "lib/modules/6.1.0-1-amd64"
    lines = (home / "modules.dep").read_text().splitlines()
    block = next(line for line in lines if line.startswith("kernel/drivers/block/virtio_blk.ko:"))
    assert set(block.split(": ")[1].split()) == {"kernel/drivers/virtio/virtio.ko", "kernel/drivers/virtio/virtio_ring.ko"}
    assert "kernel/drivers/nvme/host/nvme-core.ko" in (home / "modules.builtin").read_text()
    assert not any("nvme-core.ko" in line for line in lines)
    assert "alias virtio:d00000002v* virtio_blk" in (home / "modules.alias").read_text()


def test_modules_that_depmod_cannot_read_are_indexed_all_the_same(tmp_path: Path) -> None:
    kernel.install(_kernel(suffix=".ko.gz"), tmp_path)
    dep = (tmp_path / "lib/modules/6.1.0-1-amd64/modules.dep").read_text()
    assert "kernel/drivers/virtio/virtio.ko.gz: kernel/drivers/virtio/virtio_ring.ko.gz\n" in dep
    assert "kernel/drivers/nvme/host/nvme-core.ko.gz:\n" in dep


@pytest.mark.parametrize("suffix", [".ko", ".ko.xz", ".ko.zst"])
def test_modinfo_reads_a_module_stub(tmp_path: Path, suffix: str) -> None:
    stub = tmp_path / f"virtio_blk{suffix}"
    stub.write_bytes(kernel.packed(_kernel(suffix=suffix), "virtio_blk"))
    assert run("modinfo", "-F", "depends", stub).strip() == "virtio,virtio_ring"
    assert run("modinfo", "-F", "vermagic", stub).startswith("6.1.0-1-amd64 ")


def test_the_kernel_image_says_its_version() -> None:
    image = kernel.vmlinuz("6.1.0-1-amd64")
    assert image[0x202:0x206] == b"HdrS"
    (pointer,) = struct.unpack_from("<H", image, 0x20E)
    assert image[0x200 + pointer :].startswith(b"6.1.0-1-amd64 ")


@pytest.mark.parametrize(("level", "bits"), [(2, 3), (3, 7)])
def test_a_program_states_its_cpu_level(level: int, bits: int) -> None:
    stub = elf.program(level=level, interpreter="/lib64/ld-linux-x86-64.so.2")
    assert stub[:4] == b"\x7fELF"
    note = struct.pack("<III", 0xC0008002, 4, bits)
    assert note in stub
    assert note not in elf.program(level=0)


def test_cpio_reads_an_archive(tmp_path: Path) -> None:
    archive = cpio.newc({"usr/lib/a": b"12345", "bin": "usr/bin", "init": b"#!/bin/sh\n"})
    done = subprocess.run(["cpio", "-itv"], input=archive, capture_output=True, check=True)
    listing = done.stdout.decode()
    assert "usr/lib/a" in listing
    assert "bin -> usr/bin" in listing
    assert next(line for line in listing.splitlines() if line.endswith(" init")).startswith("-rwxr-xr-x")


def test_an_initramfs_holds_only_what_the_kernel_has_as_modules() -> None:
    spec = initramfs.Initramfs("/boot/initrd", "6.1.0-1-amd64", "initramfs-tools", ("virtio_blk", "xfs"), "gzip")
    content = gzip.decompress(initramfs.make(spec, _kernel(builtin=("virtio",))))
    assert b"usr/lib/modules/6.1.0-1-amd64/kernel/drivers/block/virtio_blk.ko\0" in content
    assert b"xfs.ko" not in content
    assert b"drivers/virtio/virtio.ko\0" not in content


@pytest.mark.parametrize("field", ["style", "compress"])
def test_unknown_words_in_an_initramfs_are_named(field: str) -> None:
    words = {"style": "dracut", "compress": "gzip", field: "nonsense"}
    with pytest.raises(BuildError, match="nonsense"):
        initramfs.make(initramfs.Initramfs("/i", "6.1.0-1-amd64", words["style"], (), words["compress"]), _kernel())


def test_rpm_reads_the_sqlite_database(tmp_path: Path) -> None:
    packages.install("rpm", ["grub2-1:2.06-70.el9.x86_64", "bash-5.1.8-6.el9.x86_64"], tmp_path, "/db")
    before = _schema(tmp_path / "db/rpmdb.sqlite")
    found = run("rpm", "--dbpath", tmp_path / "db", "-qa", "--qf", "%{NAME} %{EPOCHNUM} %{VERSION}-%{RELEASE} %{ARCH}\n")
    assert sorted(found.splitlines()) == ["bash 0 5.1.8-6.el9 x86_64", "grub2 1 2.06-70.el9 x86_64"]
    assert _schema(tmp_path / "db/rpmdb.sqlite") == before, "rpm must not want to write, or it cannot read a read-only mount"


def _schema(path: Path) -> set[str]:
    database = sqlite3.connect(path)
    names = {str(row[0]) for row in database.execute("SELECT name FROM sqlite_master")}
    database.close()
    return names


def test_rpm_reads_the_berkeley_database(tmp_path: Path) -> None:
    packages.install("rpm-bdb", ["glibc-2.5-123.x86_64"], tmp_path, "/db")
    assert run("rpm", "--dbpath", tmp_path / "db", "--define", "_db_backend bdb_ro", "-qa").split() == ["glibc-2.5-123.x86_64"]


def test_a_package_that_is_no_nevra_is_named(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="glibc"):
        packages.install("rpm", ["glibc"], tmp_path)


def test_sfdisk_agrees_on_logical_partitions(tmp_path: Path) -> None:
    parts = (Partition(8 * MIB, active=True), Partition(0, "extended", number=2), Partition(4 * MIB, "swap", number=5))
    disk = blank(tmp_path / "disk", disk_size(parts))
    offsets = partition(disk, "mbr", parts, "0x12345678")
    table = json.loads(run("sfdisk", "--json", disk))["partitiontable"]
    assert table["id"] == "0x12345678"
    found = [(entry["start"] * 512, entry["size"] * 512, entry["type"]) for entry in table["partitions"]]
    assert found[0] == (offsets[0], 8 * MIB, "83")
    assert found[1][2] == "5"
    assert found[2] == (offsets[2], 4 * MIB, "82")


def test_the_volume_group_is_lvm2(tmp_path: Path) -> None:
    volumes = []
    for name, byte in (("root", b"r"), ("swap", b"s")):
        path = tmp_path / name
        path.write_bytes(byte * (5 * MIB))
        volumes.append(lvm.Volume(name, path))
    group = lvm.write_group(tmp_path / "pv", "vg0", tuple(volumes), lvm.group_size((5 * MIB, 5 * MIB)))
    with group.open("rb") as stream:
        found = LVM2([stream]).volume_group
        content = {name: volume.open().read(5 * MIB) for name, volume in found.logical_volumes.items()}
    assert content == {"root": b"r" * (5 * MIB), "swap": b"s" * (5 * MIB)}


def test_pvck_finds_no_fault(tmp_path: Path) -> None:
    content = blank(tmp_path / "lv", 5 * MIB)
    group = lvm.write_group(tmp_path / "pv", "vg0", (lvm.Volume("root", content),), lvm.group_size((5 * MIB,)))
    shown = run("pvck", "--dump", "headers", group)
    assert "metadata text at" in shown
    assert "crc" in shown
    assert "FAIL" not in shown.upper()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    tree = tmp_path / "tree"
    (tree / "etc").mkdir(parents=True)
    (tree / "etc/fstab").write_text("UUID=1 / ext4 defaults 0 1\n")
    (tree / "empty").mkdir()
    (tree / "etc/link").symlink_to("../etc/fstab")
    (tree / "bin").mkdir()
    (tree / "bin/su").write_bytes(b"x" * 70_000)
    (tree / "bin/su").chmod(0o4755)
    return tree


@pytest.mark.parametrize(
    ("kind", "checker"),
    [("ext4", ["e2fsck", "-fn"]), ("ext3", ["e2fsck", "-fn"]), ("xfs", ["xfs_repair", "-n", "-f"]), ("btrfs", ["btrfs", "check"])],
)
def test_a_filesystem_passes_its_own_checker(tmp_path: Path, tree: Path, kind: str, checker: list[str]) -> None:
    uuid = stable_uuid("test", kind)
    path = filesystem.make(kind, tmp_path / "fs", 64 * MIB, tree, uuid=uuid, label="here")
    run(*checker, path)
    assert path.stat().st_size % MIB == 0
    assert run("blkid", "-p", "-o", "value", "-s", "UUID", path).strip() == uuid


def test_xfs_keeps_modes_links_and_content(tmp_path: Path, tree: Path) -> None:
    path = filesystem.make("xfs", tmp_path / "fs", 64 * MIB, tree)
    shown = run("xfs_db", "-r", "-c", "path /bin/su", "-c", "print core.mode core.size", path)
    assert "core.mode = 0104755" in shown
    assert "core.size = 70000" in shown


def test_vfat_holds_the_tree(tmp_path: Path, tree: Path) -> None:
    shutil.rmtree(tree / "etc")
    path = filesystem.make("vfat", tmp_path / "esp", 34 * MIB, tree, uuid="AB12CD34")
    assert "su" in run("mdir", "-b", "-i", path, "::/bin")


def test_ntfs_holds_the_tree_and_its_marks(tmp_path: Path, tree: Path) -> None:
    (tree / "etc/link").unlink()
    for number in range(80):
        (tree / f"empty/file{number}.sys").write_bytes(bytes([number]) * 900)
    geometry = ntfs.Geometry(heads=16, code="NTLDR", dirty=True)
    path = filesystem.make("ntfs", tmp_path / "fs", 16 * MIB, tree, uuid="0510000000000051", label="C", geometry=geometry)
    run("ntfsfix", "-n", path)
    disk = HostFile(str(path))
    assert disk.read_at(0x160, 32).startswith(b"\r\nNTLDR is missing")
    content, system = probe(disk), NtfsFileSystem(disk)
    assert (content.type, content.uuid, content.label) == ("ntfs", "0510000000000051", "C")
    assert {("dirty", "yes"), ("heads", "16")} <= set(content.details)
    guest = GuestFS({"/": system})
    assert guest.listdir("/") == ("bin", "empty", "etc")
    assert len(guest.listdir("/EMPTY")) == 80
    assert guest.read("/empty/FILE79.sys") == bytes([79]) * 900
    assert guest.read("/bin/su") == b"x" * 70_000


def test_the_text_of_a_hive_is_added_to_that_of_its_base(tmp_path: Path) -> None:
    recipe = _recipe(tmp_path, 'title = "t"\nstory = "s"\ndisks = []\nbase = "windows-10-uefi"\n[hives]\n"/a" = "[k]"\n')
    hives = recipe.trees["root"].hives
    assert hives["/a"].strip() == "[k]"
    assert "[ControlSet001\\Services\\storahci]" in hives["/Windows/System32/config/SYSTEM"]
    assert "winload.efi" in hives["/esp/EFI/Microsoft/Boot/BCD"]


def test_a_unified_kernel_image_has_its_sections() -> None:
    image = pe.application({".linux": b"K" * 700, ".cmdline": b"root=UUID=1"})
    (offset,) = struct.unpack_from("<I", image, 0x3C)
    assert image[offset : offset + 4] == b"PE\0\0"
    table = offset + 24 + 240
    names = [image[table + 40 * index : table + 40 * index + 8].rstrip(b"\0") for index in range(2)]
    assert names == [b".linux", b".cmdline"]
    size, raw_size, raw = struct.unpack_from("<I4xII", image, table + 40 + 8)
    assert image[raw : raw + size] == b"root=UUID=1"
    assert raw_size % 512 == 0


def _recipe(tmp_path: Path, text: str) -> Recipe:
    folder = tmp_path / "guest"
    folder.mkdir()
    (folder / "guest.toml").write_text(text)
    return load(folder)


def test_a_recipe_adds_to_its_userland(tmp_path: Path) -> None:
    recipe = _recipe(tmp_path, 'title = "t"\nstory = "s"\ndisks = []\nbase = "rhel5"\n[files]\n"/etc/fstab" = "x"\n')
    files = recipe.trees["root"].files
    assert files["/etc/fstab"] == "x"
    assert "CentOS release 5" in files["/etc/redhat-release"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('titel = "t"\nstory = "s"\ndisks = []\n', "titel"),
        ('title = 1\nstory = "s"\ndisks = []\n', "expected str"),
        ('title = "t"\nstory = "s"\ndisks = []\nbase = "plan9"\n', "plan9"),
        ("title = \n", "Invalid value"),
    ],
)
def test_a_wrong_recipe_says_what_is_wrong(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(BuildError, match=message):
        _recipe(tmp_path, text)


def test_a_recipe_that_is_like_another_says_what_differs(tmp_path: Path) -> None:
    model = tmp_path / "_model"
    model.mkdir()
    (model / "guest.toml").write_text(
        'services = ["ssh", "cron"]\nwithout = ["/a", "/b"]\ndisks = []\ntitle = "m"\n[files]\n"/etc/fstab" = "x"\n"/etc/hosts" = "y"\n'
    )
    recipe = _recipe(tmp_path, 'like = "_model"\nservices = ["-cron"]\n[files]\n"/etc/fstab" = "z"\n"/b" = "back"\n')
    tree = recipe.trees["root"]
    assert (tree.files["/etc/fstab"], tree.files["/etc/hosts"], tree.without, recipe.title) == ("z", "y", ("/a",), "")
    made = unfold(dataclasses.replace(tree, without=("/etc/hosts",)), tmp_path / "nothing", tmp_path / "tree")
    assert (made / "usr/lib/systemd/system/ssh.service").exists()
    assert not (made / "usr/lib/systemd/system/cron.service").exists()
    assert not (made / "etc/hosts").exists()


def test_a_recipe_may_be_like_a_sample_guest(tmp_path: Path) -> None:
    recipe = _recipe(tmp_path, 'like = "debian-portable"\n')
    assert recipe.disks[0].boot == "grub"
    assert recipe.expect == ()


def test_mdadm_knows_the_member_of_a_raid(tmp_path: Path) -> None:
    part = filesystem.make("ext3", tmp_path / "fs", 8 * MIB, uuid=stable_uuid("md"))
    md.append(part, "boot", stable_uuid("array"))
    shown = " ".join(run("mdadm", "--examine", part).split())
    for line in ("Version : 1.0", "Name : (none):boot", "Raid Level : raid1", "Raid Devices : 1", "State : clean", "- correct"):
        assert line in shown
    assert run("blkid", "-p", "-o", "value", "-s", "TYPE", part).strip() == "linux_raid_member"


def test_grub_is_told_where_its_files_are(tmp_path: Path) -> None:
    disk = blank(tmp_path / "disk", 4 * MIB)
    grub.write(disk, 1 * MIB, "(,gpt1)/boot/grub")
    data = disk.read_bytes()
    assert struct.unpack_from("<Q", data, 0x5C)[0] == MIB // 512
    assert struct.unpack_from("<Q", data, MIB + 0x1F4)[0] == MIB // 512 + 1
    assert any(data[MIB + 512 :])
    grub.write(blank(disk, MIB), 512, "")
    assert not any(disk.read_bytes()[512:])


def test_a_spec_is_named_after_its_deviations() -> None:
    assert Spec().name == "bookworm-bios-ext4"
    assert (
        Spec("trixie", "uefi", "btrfs", fallback=False, missing_disk="nofail").name == "trixie-uefi-btrfs-fallback=false-missingdisk=nofail"
    )
    assert Spec(resume=True, blacklist=("virtio_blk",)).name == "bookworm-bios-ext4-resume-blacklist=virtio_blk"


def test_the_image_path_follows_spec_and_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("V2VLINT_CACHE", str(tmp_path))
    assert image_path(Spec()).parent == tmp_path / "guests"
    assert image_path(Spec()) == image_path(Spec())
    assert image_path(Spec()) != image_path(Spec(resume=True))


def test_a_tool_that_fails_is_quoted(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"e2fsck -fn .* failed \(8\)"):
        run("e2fsck", "-fn", blank(tmp_path / "nothing", MIB))
    with pytest.raises(BuildError, match="is not installed"):
        run("no-such-tool-at-all")


def test_a_recipe_outside_the_repository_builds_as_one_inside(tmp_path: Path) -> None:
    shutil.copytree(HOME / "two-disks", tmp_path / "mine")
    built = build_guest(str(tmp_path / "mine"), tmp_path / "out")
    assert [path.name for path in built] == ["mine-1.qcow2", "mine-2.qcow2"]
