"""Layers on top of one another: LVM in LUKS in a partition, volumes by mapper name, mappings that crypttab names."""

from __future__ import annotations

from pathlib import Path

import pytest

from guestbuild.lvm import Volume, group_size, write_group
from tests.disk.images import open_paths, partitioned, problems, run
from tests.guest.test_open import BOOT, HOME, MIB, ROOT, filesystem, root_files
from v2vlint.model.blocks import mapper_names

KEY = b"correct horse"


def luks(plain: Path) -> Path:
    """LUKS1, by QEMU."""
    plain.with_name("key").write_bytes(KEY)
    target = plain.with_name(f"{plain.name}.luks")
    secret = ("--object", f"secret,id=s,file={plain.with_name('key')}", "-o", "key-secret=s,iter-time=10")
    run("qemu-img", "convert", "-f", "raw", "-O", "luks", *secret, plain, target)
    return target


@pytest.fixture(scope="module")
def stacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A /boot partition, and one with LUKS, in it LVM with root and home."""
    folder = tmp_path_factory.mktemp("stacked")
    fstab = f"/dev/mapper/my--vg-root / ext4\nUUID={BOOT} /boot ext4\n/dev/my-vg/home /home ext4\n"
    root = filesystem(folder / "root", root_files(fstab), uuid=ROOT)
    home = filesystem(folder / "homes", {"alice/file": ""}, uuid=HOME)
    boot = filesystem(folder / "boot", {"vmlinuz": ""}, uuid=BOOT)
    volumes = (Volume("root", root), Volume("home", home))
    group = write_group(folder / "pv", "my-vg", volumes, group_size((16 * MIB, 16 * MIB)))
    inner = luks(group)
    sectors = inner.stat().st_size // 512
    script = f"label: dos\n1 : start=2048, size=32768, type=83\n2 : start=34816, size={sectors}, type=83\n"
    size = (34816 + sectors + 2048) * 512
    return partitioned(folder / "disk", script, {2048: boot, 34816: inner}, size // MIB * MIB + MIB)


def test_lvm_in_luks_in_a_partition(stacked: Path) -> None:
    guest = open_paths(stacked, keys=(KEY,))
    assert not guest.problems
    (root,) = guest.roots
    assert {(mount.point, mount.device) for mount in root.mounts} == {("/", "my-vg/root"), ("/boot", "disk1p1"), ("/home", "my-vg/home")}
    mapping = f"luks-{guest.blocks.named('disk1p2').uuid}"  # type: ignore[union-attr]
    parents = {device.name: device.parents for device in guest.blocks}
    assert parents["my-vg/root"] == (mapping,)
    assert parents[mapping] == ("disk1p2",)
    assert guest.blocks.complete


def test_without_the_key_only_what_is_open_is_seen(stacked: Path) -> None:
    guest = open_paths(stacked)
    assert [device.name for device in guest.blocks] == ["disk1", "disk1p1", "disk1p2"]
    assert problems(guest) == ["disk1p2: encrypted (crypto_LUKS), and no key was given"]
    assert [(root.device, root.os.name, [mount.point for mount in root.mounts]) for root in guest.roots] == [
        ("disk1p2", "Linux (closed)", ["/", "/boot"])
    ]
    assert not guest.blocks.complete


def test_names_of_mappings(stacked: Path) -> None:
    guest = open_paths(stacked, keys=(KEY,))
    volume = guest.blocks.named("my-vg/root")
    assert volume is not None
    names = mapper_names(volume)
    assert {"/dev/my-vg/root", "/dev/mapper/my--vg-root", "/dev/disk/by-id/dm-name-my--vg-root"} <= names
    flat = (volume.detail("vg_uuid") + volume.detail("lv_uuid")).replace("-", "")
    assert f"/dev/disk/by-id/dm-uuid-LVM-{flat}" in names
    for name in names:
        assert guest.blocks.resolve(name) is volume
    mapping = next(device for device in guest.blocks if device.kind == "luks")
    plain = mapping.name.removeprefix("luks-").replace("-", "")
    assert guest.blocks.resolve(f"/dev/disk/by-id/dm-uuid-CRYPT-LUKS1-{plain}-{mapping.name}") is mapping
    assert guest.blocks.resolve(f"/dev/disk/by-id/lvm-pv-uuid-{mapping.uuid}") is mapping


def test_a_mapping_that_crypttab_names(tmp_path: Path) -> None:
    home = luks(filesystem(tmp_path / "home", {"alice/file": ""}, uuid=HOME))
    uuid = run("cryptsetup", "luksUUID", home).strip()
    more = {"etc/crypttab": f"# name source\nsecret UUID={uuid} none luks\nother /dev/sdz9 none\n"}
    root = filesystem(tmp_path / "root", root_files(f"UUID={ROOT} / ext4\n/dev/mapper/secret /home ext4\n", **more), uuid=ROOT)
    guest = open_paths(root, home, keys=(KEY,))
    assert {mount.point: mount.device for mount in guest.roots[0].mounts}["/home"] == f"luks-{uuid}"
    assert guest.roots[0].fs.exists("/home/alice/file")
    assert "/home" not in {mount.point for mount in open_paths(root, home).roots[0].mounts}
