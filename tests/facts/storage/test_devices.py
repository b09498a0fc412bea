"""What a device name means: how lasting it is, what it resolves to, whether that is here, and who needs it."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.facts.boot.grub.grub_samples import CFG
from v2vlint import target
from v2vlint.facts.boot.needs import BootNeeds, volume_of
from v2vlint.facts.registry import FactStore
from v2vlint.facts.storage.devices import Devices, NameFate, NameKind, kernel_fate, kernel_prefix, name_kind
from v2vlint.facts.storage.fstab import Fstab
from v2vlint.facts.storage.mount_policy import MountPolicy
from v2vlint.guest.fs import GuestFS
from v2vlint.model.blocks import BlockDevice, BlockTable
from v2vlint.model.osinfo import OsInfo
from v2vlint.samples.memory import MemoryFileSystem, memory_guest

DISK = BlockDevice("disk1", "disk", 1 << 30, 0)
ROOT = BlockDevice("disk1p1", "partition", 1 << 28, 0, 1, "ext4", "aaaa-1111", "root", part_uuid="5e-01", parents=("disk1",))
LUKS = BlockDevice("disk1p2", "partition", 1 << 28, 0, 2, "crypto_LUKS", "bbbb-2222", parents=("disk1",))
INNER = BlockDevice("luks-bbbb-2222", "luks", 1 << 28, 0, 0, "LVM2_member", "pv-1", parents=("disk1p2",))
HOME = BlockDevice("vg/home", "lv", 1 << 28, 0, 0, "xfs", "cccc-3333", parents=("luks-bbbb-2222",))
SWAP = BlockDevice("disk1p3", "partition", 1 << 28, 0, 3, "swap", "dddd-4444", parents=("disk1",))
SECOND = BlockDevice("disk2", "disk", 1 << 30, 1)
DATA = BlockDevice("disk2p1", "partition", 1 << 28, 1, 1, "ext4", "eeee-5555", parents=("disk2",))
ONE = BlockTable((DISK, ROOT, LUKS, INNER, HOME, SWAP))
TWO = BlockTable((*ONE.devices, SECOND, DATA))
OS = OsInfo("linux", "debian", "debian", "Debian", "12", "x86_64")


def _store(files: Mapping[str, str], blocks: BlockTable, uuid: str = "") -> FactStore:
    return FactStore((GuestFS({"/": MemoryFileSystem(files, "ext4", uuid)}), blocks, OS))


def _devices(blocks: BlockTable = ONE, files: Mapping[str, str] | None = None, uuid: str = "") -> Devices:
    return _store(files or {"/etc/crypttab": "crypt UUID=bbbb-2222 none luks\n"}, blocks, uuid).get(Devices)


@pytest.mark.parametrize(
    ("spec", "kind", "prefix"),
    [
        ("/dev/sda1", NameKind.KERNEL, "sd"), ("/dev/hda", NameKind.KERNEL, "hd"), ("/dev/nvme0n1p2", NameKind.KERNEL, "nvme"),
        ("/dev/cciss/c0d0p1", NameKind.KERNEL, "cciss"), ("/dev/mmcblk0p1", NameKind.KERNEL, "mmcblk"),
        ("/dev/dasda1", NameKind.KERNEL, "dasd"),
        ("/dev/i2o/hda1", NameKind.KERNEL, "i2o"), ("/dev/xvda", NameKind.KERNEL, "xvd"),
        ("UUID=1", NameKind.TAG, ""), ("PARTLABEL=x", NameKind.TAG, ""), ("/dev/disk/by-label/x", NameKind.TAG, ""),
        ("/dev/mapper/vg-lv", NameKind.MAPPER, ""), ("/dev/disk/by-id/dm-uuid-LVM-x", NameKind.MAPPER, ""),
        ("/dev/disk/by-id/md-uuid-x", NameKind.MAPPER, ""), ("/dev/disk/by-id/ata-X", NameKind.HARDWARE, ""),
        ("/dev/disk/by-path/pci-0", NameKind.HARDWARE, ""), ("/dev/disk/azure/root", NameKind.HARDWARE, ""),
        ("/dev/vg/lv", NameKind.OTHER, ""), ("/dev/sr0", NameKind.OTHER, ""), ("tmpfs", NameKind.OTHER, ""),
        ("/dev/md0", NameKind.OTHER, ""),
    ],
)  # fmt: skip
def test_kinds_of_names(spec: str, kind: NameKind, prefix: str) -> None:
    assert (name_kind(spec), kernel_prefix(spec)) == (kind, prefix)


@pytest.mark.parametrize(
    ("spec", "profile", "blocks", "fate"),
    [
        ("/dev/sda1", "kvm", ONE, NameFate.GONE),
        ("/dev/sda1", "kvm-scsi", ONE, NameFate.KEPT),
        ("/dev/sda1", "kvm-scsi", TWO, NameFate.ORDER),
        ("/dev/cciss/c0d0p1", "kvm-scsi", ONE, NameFate.GONE),
        ("UUID=1", "kvm", TWO, NameFate.KEPT),
    ],
)
def test_fates(spec: str, profile: str, blocks: BlockTable, fate: NameFate) -> None:
    assert kernel_fate(spec, target.load(profile), blocks) is fate


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        ("/dev/sda1", "disk1p1"), ("/dev/hda1", "disk1p1"), ("UUID=AAAA-1111", "disk1p1"), ("LABEL=root", "disk1p1"),
        ("/dev/mapper/crypt", "luks-bbbb-2222"), ("/dev/mapper/vg-home", "vg/home"), ("/dev/vg/home", "vg/home"),
        ("/dev/disk/by-path/pci-0-part1", "disk1p1"), ("/dev/disk/by-id/ata-X", "disk1"), ("/dev/mapper/mpatha3", "disk1p3"),
        ("/dev/sdb1", None), ("/dev/disk/by-id/ata-X-part9", None), ("/dev/mapper/gone", None),
    ],
)  # fmt: skip
def test_resolving(spec: str, name: str | None) -> None:
    found = _devices().resolve(spec)
    assert (found.name if found else None) == name


def test_hardware_names_of_two_disks_are_not_resolved() -> None:
    assert _devices(TWO).resolve("/dev/disk/by-path/pci-0-part1") is None


@pytest.mark.parametrize(
    ("spec", "present"),
    [
        ("UUID=aaaa-1111", True), ("UUID=gone", False), ("LABEL=root", True), ("PARTUUID=5e-01", True), ("/dev/disk/by-uuid/gone", False),
        ("/dev/mapper/vg-home", True), ("/dev/vg/home", True), ("/dev/vg/gone", False), ("/dev/other/gone", None),
        ("/dev/mapper/crypt", True),
        ("/dev/mapper/luks-bbbb-2222", True), ("/dev/mapper/vg-gone", None), ("/dev/sda1", None), ("/dev/disk/by-path/x", None),
        ("/dev/md0", False), ("/dev/sr0", None),
    ],
)  # fmt: skip
def test_presence(spec: str, present: bool | None) -> None:
    assert _devices().present(spec) is present


@pytest.mark.parametrize(
    ("blocks", "spec", "present"),
    [
        (BlockTable(), "UUID=x", None),
        (BlockTable(ONE.devices, complete=False), "UUID=x", None),
        (BlockTable((DISK, ROOT)), "/dev/mapper/vg-gone", False),
        (BlockTable((DISK, ROOT, BlockDevice("disk1p4", "partition", 1, 0, 4))), "UUID=x", None),
        (BlockTable((DISK, ROOT, BlockDevice("disk1p4", "partition", 1, 0, 4, part_type="0x05"))), "UUID=x", False),
        (BlockTable((DISK, ROOT, SECOND)), "UUID=x", None),
        (BlockTable((DISK, ROOT, BlockDevice("md/0", "md", 1, 0, 0, "ext4", "z"))), "/dev/md1", None),
    ],
)
def test_absence_needs_certainty(blocks: BlockTable, spec: str, present: bool | None) -> None:
    assert _devices(blocks).present(spec) is present


@pytest.mark.parametrize(
    ("spec", "fs_type", "text"),
    [
        ("/dev/sda1", "ext4", "UUID=aaaa-1111"), ("/dev/sda1", "ext3", "UUID=aaaa-1111"), ("/dev/sda1", "auto", "UUID=aaaa-1111"),
        ("/dev/sda1", "xfs", None), ("/dev/sda3", "swap", "UUID=dddd-4444"), ("/dev/sda2", "crypto_LUKS", "UUID=bbbb-2222"),
        ("/dev/sda2", "ext4", None), ("/dev/mapper/crypt", "", None), ("/dev/sda9", "", None),
    ],
)  # fmt: skip
def test_lasting_names(spec: str, fs_type: str, text: str | None) -> None:
    found = _devices().lasting(spec, fs_type)
    assert (found.text if found else None) == text
    assert found is None or found.certain


def test_twins_have_no_lasting_name() -> None:
    twin = BlockDevice("disk2p1", "partition", 1, 1, 1, "ext4", "aaaa-1111")
    assert _devices(BlockTable((DISK, ROOT, SECOND, twin))).lasting("/dev/sda1") is None
    parts = tuple(BlockDevice(f"disk1p{number}", "partition", 1, 0, number, "btrfs", "ffff") for number in (1, 2))
    found = _devices(BlockTable((DISK, *parts))).lasting("/dev/sda1")
    assert found is not None
    assert found.text == "UUID=ffff"


@pytest.mark.parametrize(
    ("fstab", "uuid", "certain"),
    [
        ("/dev/sda1 / ext4\n", "aaaa-1111", True),
        ("/dev/sda1 / ext4\n", "eeee-5555", False),
        ("UUID=aaaa-1111 / ext4\n", "aaaa-1111", False),
    ],
)
def test_the_root_filesystem_proves_the_order(fstab: str, uuid: str, certain: bool) -> None:
    found = _devices(TWO, {"/etc/fstab": fstab}, uuid).lasting("/dev/sdb1")
    assert found is not None
    assert found.certain is certain


@pytest.mark.parametrize(
    ("spec", "volume"),
    [
        ("/dev/vg/lv", "vg/lv"), ("/dev/mapper/vg-lv", "vg/lv"), ("/dev/mapper/my--vg-a--b", "my-vg/a-b"), ("/dev/mapper/crypt", ""),
        ("/dev/mapper/a-b-c", ""), ("/dev/disk/by-id", ""), ("/dev/sda1", ""), ("UUID=1", ""), ("/dev/cciss/c0d0", ""),
    ],
)  # fmt: skip
def test_volume_names(spec: str, volume: str) -> None:
    assert volume_of(spec) == volume


def test_what_boot_needs() -> None:
    files = {
        "/etc/fstab": "/dev/mapper/vg-home /home xfs defaults 0 2\n/dev/vg/x /x xfs\nUUID=dddd-4444 none swap sw\nUUID=9 /n ext4 nofail\n",
        CFG: "menuentry a {\n linux /k root=UUID=aaaa-1111\n}\n",
    }
    needs = _store(files, ONE).get(BootNeeds)
    assert needs.root == {"disk1p1", "disk1"}
    assert [(mount.entry.mount_point, mount.volume) for mount in needs.mounts] == [("/home", "vg/home"), ("/x", "vg/x")]
    assert needs.mounts[0].devices == {"vg/home", "luks-bbbb-2222", "disk1p2", "disk1"}
    assert (needs.needs("disk1p2"), needs.needs("disk1p3")) == (True, False)
    assert needs.mount_on("/dev/vg/x") is needs.mounts[1]
    assert needs.mount_on("/dev/vg/y") is None
    assert _store({CFG: "menuentry a {\n linux /k ro\n}\n"}, ONE, "aaaa-1111").get(BootNeeds).root == {"disk1p1", "disk1"}


@pytest.mark.parametrize(
    ("files", "family", "line", "stops", "effect"),
    [
        ({}, "debian", "UUID=1 /a ext4 defaults 0 0", True, "systemd waits 90 s for the device, then stops in emergency mode"),
        ({}, "debian", "UUID=1 /a ext4 nofail 0 0", False, "it stays unmounted"),
        (
            {},
            "debian",
            "/dev/sda1 / ext4 defaults 0 1",
            False,
            "boot continues with the root from the kernel command line; programs that look it up in fstab do not find it",
        ),
        ({"/etc/inittab": ""}, "rhel", "/dev/sda1 / ext3 defaults 1 1", True, "fsck fails, and boot stops in a maintenance shell"),
        ({}, "debian", "UUID=1 none swap sw 0 0", False, "boot waits 90 s for it and continues without it"),
        ({"/etc/inittab": ""}, "rhel", "UUID=1 /a ext3 defaults 1 2", True, "fsck fails, and boot stops in a maintenance shell"),
        ({"/etc/inittab": ""}, "rhel", "UUID=1 /a ext3 defaults 0 0", False, "it stays unmounted"),
        ({"/etc/init/rc.conf": ""}, "rhel", "UUID=1 /a ext4 defaults 0 0", False, "it stays unmounted"),
        ({"/etc/init/rc.conf": ""}, "debian", "UUID=1 /a ext4 defaults 0 0", True, "boot stops and waits for a key to be pressed"),
        ({"/sbin/openrc": ""}, "alpine", "UUID=1 /a ext4 defaults 0 0", False, "it stays unmounted"),
        ({"/sbin/openrc": ""}, "alpine", "UUID=1 /usr ext4 defaults 0 0", True, "boot fails without it"),
        ({"/sbin/openrc": ""}, "alpine", "UUID=1 none swap sw 0 0", False, "boot continues without it"),
    ],
)
def test_what_a_missing_mount_does(files: dict[str, str], family: str, line: str, stops: bool, effect: str) -> None:
    facts = FactStore((memory_guest({**files, "/etc/fstab": line}), BlockTable(), OsInfo("linux", family, family, "Linux")))
    policy, entry = facts.get(MountPolicy), facts.get(Fstab).entries[0]
    assert (policy.stops(entry), policy.effect(entry)) == (stops, effect)


@pytest.mark.parametrize(
    ("crypttab", "found"),
    [
        ("a /dev/mapper/b\nb /dev/mapper/a\n", None),
        ("a /dev/mapper/a\n", None),
        ("a /dev/mapper/b\nb UUID=aaaa-1111\n", True),
        ("a /dev/mapper/b\nb UUID=nobody\n", False),
    ],
)
def test_mappings_made_from_mappings(crypttab: str, found: bool | None) -> None:
    assert _devices(files={"/etc/crypttab": crypttab}).present("/dev/mapper/a") is found
