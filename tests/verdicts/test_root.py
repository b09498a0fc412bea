"""The verdict on the root device, where a case or an example would say it at length."""

from __future__ import annotations

import dataclasses
from dataclasses import replace

import pytest

from guestbuild.kernel import vmlinuz
from tests.facts.guests import DEBIAN
from tests.verdicts.asking import DISKS, FAILS, ROOT, WARNS, Told, disk, landing, part, store, told
from v2vlint.facts.boot.early_usr import GENERATORS
from v2vlint.facts.conversion.refusals import Refusals
from v2vlint.facts.initramfs.cpio import newc
from v2vlint.facts.registry import FactStore
from v2vlint.facts.storage.root_stack import RootStack
from v2vlint.guest.fs import GuestFS
from v2vlint.model.blocks import BlockDevice, BlockTable
from v2vlint.model.card_names import CardNames
from v2vlint.model.definition import Definition
from v2vlint.model.finding import Fate, Mover
from v2vlint.model.rule import Content, Link
from v2vlint.samples.boot import sample_boot, sample_initramfs, sample_tools
from v2vlint.samples.memory import MemoryFileSystem, memory_guest
from v2vlint.target import load
from v2vlint.verdicts.entry import EntryVerdict
from v2vlint.verdicts.root import RootVerdict

PART = "11111111-2222-4333-8444-555555555555"
_CFG = "set default=0\nmenuentry 'Debian' {{\n linux /boot/vmlinuz-{0} root={1} ro\n}}\n"


@pytest.mark.parametrize(
    ("version", "root", "fate"),
    [
        ("5.10.0-28-amd64", "PARTLABEL=root-a", Fate.FAIL),
        ("5.15.0-100-generic", "PARTLABEL=root-a", Fate.PASS),
        ("5.15.0-100-generic", "LABEL=root-fs", Fate.FAIL),
    ],
)
def test_without_initramfs_the_kernel_finds_the_root_by_some_names_only(version: str, root: str, fate: Fate) -> None:
    disk = BlockDevice("disk1", "disk", 1 << 30, 0)
    part = BlockDevice(
        "disk1p1", "partition", 1 << 29, 0, number=1, fs_type="ext4", label="root-fs", part_label="root-a", parents=("disk1",)
    )
    files: dict[str, str | bytes] = {"/boot/grub/grub.cfg": _CFG.format(version, root), f"/boot/vmlinuz-{version}": vmlinuz(version)}
    given = (memory_guest(files), BlockTable((disk, part)), DEBIAN, Definition("", ""), CardNames(), load("kvm"), Mover.RAW)
    assert FactStore(given).get(RootVerdict).fate is fate


@pytest.mark.parametrize(("twin", "fates"), [(True, (Fate.UNKNOWN, Fate.UNKNOWN)), (False, (Fate.PASS, Fate.PASS))])
def test_two_filesystems_of_one_uuid_are_told(twin: bool, fates: tuple[Fate, Fate]) -> None:
    disks = [BlockDevice(f"disk{number}", "disk", 1 << 30, number - 1) for number in (1, 2)]
    parts = [
        BlockDevice(f"disk{number}p1", "partition", 1 << 29, number - 1, 1, "ext4", uuid, parents=(f"disk{number}",))
        for number, uuid in ((1, "0a1b-01"), (2, "0a1b-01" if twin else "0a1b-02"))
    ]
    files = sample_boot(args="root=UUID=0a1b-01")
    guest = memory_guest(files, uuid="0a1b-01")
    store = FactStore((guest, BlockTable((*disks, *parts)), DEBIAN, Definition("", ""), CardNames(), load("kvm"), Mover.RAW))
    assert (store.get(EntryVerdict).fate, store.get(RootVerdict).fate) == fates
    assert ("disk1p1 and disk2p1" in store.get(EntryVerdict).decisive.reason) is twin


@pytest.mark.parametrize(("twin", "fate"), [(True, Fate.UNKNOWN), (False, Fate.PASS)])
def test_one_physical_volume_on_two_disks_is_told(twin: bool, fate: Fate) -> None:
    """As LVM 2.03 says of two copies of a disk: it activates nothing of the group."""
    members = (part(1, "LVM2_member", "pv-1"), part(1, "LVM2_member", "pv-1" if twin else "pv-2", on=2))
    volume = BlockDevice("vg0/root", "lv", 1 << 29, 0, fs_type="ext4", uuid=ROOT, parents=("disk1p1",))
    blocks = BlockTable((disk(), disk(2), *members, volume))
    files = sample_boot(args="root=/dev/mapper/vg0-root ro")
    found = store(files, blocks, RootStack("ext4", volume, (volume, members[0], disk()))).get(RootVerdict)
    assert found.fate is fate
    assert ("disk1p1 and disk2p1 are the same physical volume" in str(found.decisive)) is twin


@pytest.mark.parametrize(("ids", "fate"), [(("g-1", "g-2"), Fate.UNKNOWN), (("g-1", "g-1"), Fate.PASS)])
def test_two_groups_of_one_name_are_told(ids: tuple[str, str], fate: Fate) -> None:
    """As LVM 2.03 says: "Multiple VGs found with the same name: skipping vg0"."""
    members = tuple(
        replace(part(1, "LVM2_member", f"pv-{disk}", on=disk), details=(("vg", "vg0"), ("vg_uuid", group)))
        for disk, group in zip((1, 2), ids, strict=True)
    )
    volume = BlockDevice("vg0/root", "lv", 1 << 29, 0, fs_type="ext4", uuid=ROOT, parents=("disk1p1",))
    files = sample_boot(args="root=/dev/mapper/vg0-root ro")
    stack = RootStack("ext4", volume, (volume, members[0], disk()))
    found = store(files, BlockTable((disk(), disk(2), *members, volume)), stack).get(RootVerdict)
    assert found.fate is fate
    assert ("different groups called vg0" in str(found.decisive)) is (fate is Fate.UNKNOWN)


@pytest.mark.parametrize(
    ("kinds", "subs", "tag", "twin"),
    [
        (("btrfs", "btrfs"), ("s-1", "s-1"), "UUID=u", True),
        (("btrfs", "btrfs"), ("s-1", "s-2"), "UUID=u", False),
        (("btrfs", "btrfs"), ("", ""), "UUID=u", False),
        (("ext4", "xfs"), ("", ""), "UUID=u", False),
        (("ext4", "xfs"), ("", ""), "PARTUUID=p-01", True),
        (("ext4", "swap"), ("", ""), "/dev/disk/by-partuuid/p-01", True),
        (("ext4", "ext4"), ("", ""), "LABEL=l", True),
    ],
)
def test_what_has_the_same_tag(kinds: tuple[str, str], subs: tuple[str, str], tag: str, twin: bool) -> None:
    parts = (
        BlockDevice(f"disk{n}p1", "partition", 1 << 29, n - 1, 1, kind, "u", "l", part_uuid="p-01", details=(("uuid_sub", sub),))
        for n, kind, sub in zip((1, 2), kinds, subs, strict=True)
    )
    assert bool(BlockTable(tuple(parts)).twins(tag)) is twin


ENTRIES = "".join(
    f"menuentry '{name}' {{\n linux /boot/vmlinuz-6.1.0-13-amd64 root={root}\n initrd /boot/initrd.img-6.1.0-13-amd64\n}}\n"
    for name, root in (("a", "/dev/sda1"), ("b", "/dev/sda1"), ("c", "/dev/sda5"), ("d", f"UUID={ROOT}"))
)


@pytest.mark.parametrize(
    ("default", "found"),
    [
        (0, [(FAILS, "a", ("a", "b"), ("/dev/sda1", "/dev/sda5"))]),
        (2, [(FAILS, "c", ("c",), ("/dev/sda1", "/dev/sda1"))]),
        (3, [(WARNS, "a", ("a", "b"), ("/dev/sda1", "/dev/sda5"))]),
    ],
)
def test_entries_that_name_the_root_by_the_kernels_name(default: int, found: list[object]) -> None:
    """The default entry is the one that counts; the others with the same name are fixed with it."""
    files = {**sample_boot(args="x"), "/boot/grub/grub.cfg": f"set default={default}\n{ENTRIES}"}
    causes = store(files, landing("vd")).get(RootVerdict).names
    told_of = [
        (
            (cause.fate, cause.severity),
            cause.about.entry.title,
            tuple(entry.title for entry in cause.about.entries),
            tuple(other.value for other in cause.about.others),
        )
        for cause in causes
    ]
    assert told_of == found


@pytest.mark.parametrize(
    ("root", "blocks", "fate", "words"),
    [
        ("/dev/vda1", DISKS, Fate.PASS, "root=/dev/vda1"),
        ("/dev/vda9", DISKS, Fate.FAIL, "root=/dev/vda9 is not on the only disk"),
        ("/dev/vda9", dataclasses.replace(DISKS, complete=False), Fate.UNKNOWN, "could not be matched to a partition"),
        (f"PARTUUID={PART}/PARTNROFF=1", DISKS, Fate.FAIL, "is understood by the kernel, and"),
        (f"PARTUUID={PART}/PARTNROFF=3", DISKS, Fate.FAIL, "is on none of these disks"),
        (f"UUID={ROOT}", DISKS, Fate.PASS, f"root=UUID={ROOT}"),
        ("UUID=nobody", DISKS, Fate.FAIL, "is on none of these disks"),
        ("UUID=nobody", dataclasses.replace(DISKS, complete=False), Fate.UNKNOWN, "not every disk could be read"),
        ("/dev/vg/root", DISKS, Fate.UNKNOWN, "could not be matched to a device on these disks"),
        ("192.0.2.1:/root", DISKS, Fate.UNKNOWN, "is no local disk"),
        ("", DISKS, Fate.FAIL, "initramfs-tools stops without one"),
    ],
)
def test_the_device_of_the_default_entry(root: str, blocks: BlockTable, fate: Fate, words: str) -> None:
    blocks = dataclasses.replace(
        blocks, devices=tuple(dataclasses.replace(one, part_uuid=PART) if one.number == 1 else one for one in blocks.devices)
    )
    judged = store(sample_boot(args=f"root={root} ro" if root else "ro"), blocks).get(RootVerdict)
    assert judged.fate is fate
    assert words in judged.decisive.reason


@pytest.mark.parametrize(
    ("inside", "fate", "words"),
    [
        (f"root=UUID={ROOT} ro\n", Fate.PASS, f"root=UUID={ROOT} inside the initramfs"),
        (f'root="UUID={ROOT}"\n', Fate.PASS, "inside the initramfs"),
        (f"root=block:/dev/disk/by-uuid/{ROOT}\n", Fate.PASS, "inside the initramfs"),
        ("root=UUID=nobody\n", Fate.FAIL, "root=UUID=nobody inside the initramfs"),
        ("root=/dev/vg/x\n", Fate.UNKNOWN, "root=/dev/vg/x inside the initramfs"),
        ("rd.lvm.lv=vg/x\n", Fate.UNKNOWN, "the kernel command line has no root="),
    ],
)
def test_a_root_that_dracut_wrote_into_the_image(inside: str, fate: Fate, words: str) -> None:
    image = sample_initramfs(files={"usr/lib/dracut/modules.txt": "base\n", "etc/cmdline.d/95root.conf": inside})
    (cause,) = store(sample_boot(image=image, args="ro")).get(RootVerdict).device
    assert (cause.fate, words in cause.reason, str(cause.where).startswith("/boot/initrd.img")) == (fate, True, "inside" in words)


def test_without_a_root_and_without_the_image_the_entry_is_pointed_at() -> None:
    files = sample_boot(args="ro")
    del files["/boot/initrd.img-6.1.0-13-amd64"]
    (cause,) = store(files).get(RootVerdict).device
    assert (cause.fate, str(cause.where).startswith("/boot/grub/grub.cfg")) == (Fate.UNKNOWN, True)


@pytest.mark.parametrize("device", [1, 2])
def test_a_root_that_disks_of_other_sectors_do_not_show(device: int) -> None:
    """The partition is not there, or holds a filesystem of smaller blocks."""
    counted = disk(details=(("sector_size", "512" if device == 1 else "4096"),))
    small = part(1, "ext4", ROOT, details=(("block_size", "1024"),))
    blocks = BlockTable((counted, small))
    target = dataclasses.replace(load("kvm"), sector_size=4096)
    (cause,) = store(sample_boot(), blocks, target, RootStack("ext4", small)).get(RootVerdict).sectors
    assert (told([cause]), cause.reason.startswith("the root is on disk1p1: ")) == ([FAILS], True)
    same = dataclasses.replace(target, sector_size=512 if device == 1 else 1024)
    assert store(sample_boot(), BlockTable((disk(), small)), same, RootStack("ext4", small)).get(RootVerdict).sectors == ()


def test_an_image_that_ends_too_early_does_not_say_whether_it_needs_a_root() -> None:
    files = sample_boot(image=sample_initramfs(files={"z": bytes(5000)})[:-3000], args="ro")
    assert store(files).get(RootVerdict).device[0].fate is Fate.UNKNOWN
    assert "stops without one" not in store(files).get(RootVerdict).device[0].reason


def test_an_image_that_virt_v2v_makes_may_need_no_root() -> None:
    files = sample_boot(args="ro") | sample_tools()
    judged = store(files, Refusals(converts=True), mover=Mover.VIRT_V2V).get(RootVerdict)
    assert [cause.fate for cause in judged.device] == [Fate.UNKNOWN]


@pytest.mark.parametrize(
    ("named", "prepares", "found"),
    [("abc/0", True, []), ("gone/0", True, [FAILS]), ("gone/0", False, []), ("old/0", True, [FAILS])],
)
def test_the_deployment_that_ostree_goes_to(named: str, prepares: bool, found: Told) -> None:
    """Only the program in the initramfs follows the link; ``old`` is one whose folder was removed."""
    sysroot: dict[str, Content] = {
        "/ostree/deploy/fcos/deploy/abc.0/usr/bin/x": b"",
        "/ostree/boot.1/fcos/abc/0": Link("../../../deploy/fcos/deploy/abc.0"),
        "/ostree/boot.1/fcos/old/0": Link("../../../deploy/fcos/deploy/old.0"),
    }
    image = sample_initramfs(files={"usr/lib/dracut/x": "", **({"usr/lib/ostree/ostree-prepare-root": b"\x7fELF"} if prepares else {})})
    files = sample_boot(image=image, args=f"root=UUID={ROOT} ostree=/ostree/boot.1/fcos/{named}")
    guest = GuestFS({"/": MemoryFileSystem(files, "ext4", ROOT), "/sysroot": MemoryFileSystem(sysroot, "ext4", ROOT)})
    assert told(store({}, guest, DISKS).get(RootVerdict).deployment) == found


@pytest.mark.parametrize(
    ("told_type", "initrd", "fate"),
    [
        ("ext4", b"", Fate.PASS),
        ("xfs,ext4", b"", Fate.PASS),
        ("auto", None, Fate.PASS),
        ("", None, Fate.PASS),
        ("xfs", b"", Fate.FAIL),
        ("xfs", None, Fate.FAIL),
        ("xfs", sample_initramfs(files={"usr/lib/dracut/modules.txt": "rootfs-block\n"}), Fate.UNKNOWN),
        ("xfs", sample_initramfs(files={"usr/lib/dracut/modules.txt": "systemd\n", GENERATORS[0]: b"\x7fELF"}), Fate.FAIL),
    ],
)
def test_the_type_that_the_root_is_mounted_as(told_type: str, initrd: bytes | None, fate: Fate) -> None:
    files = sample_boot(image=initrd, args=f"root=/dev/vda1 rootfstype={told_type} ro")
    found = store(files, DISKS).get(RootVerdict)
    assert [cause.fate for cause in found.filesystem_type] == ([] if fate is Fate.PASS else [fate])


@pytest.mark.parametrize(
    ("marks", "fate"),
    [
        ({"etc/booster.init.yaml": ""}, Fate.UNKNOWN),
        ({"usr/lib/dracut/modules.txt": "rootfs-block\n"}, Fate.FAIL),
        ({"unknown": ""}, Fate.UNKNOWN),
    ],
)
def test_only_some_initramfs_images_count_from_another_partition(marks: dict[str, str], fate: Fate) -> None:
    """booster resolves PARTNROFF itself."""
    files = sample_boot(
        image=newc({"init": b"x", **{name: text.encode() for name, text in marks.items()}}), args=f"root=PARTUUID={PART}/PARTNROFF=1"
    )
    devices = tuple(dataclasses.replace(one, part_uuid=PART) if one.number == 1 else one for one in DISKS.devices)
    found = store(files, dataclasses.replace(DISKS, devices=devices)).get(RootVerdict)
    assert [cause.fate for cause in found.device] == [fate]


@pytest.mark.parametrize(
    ("offset", "found"), [("1", ["disk1p2"]), ("-1", []), ("+2", ["disk1p3"]), ("0", ["disk1p1"]), ("x", []), ("1/2", []), ("9", [])]
)
def test_a_partition_counted_from_another(offset: str, found: list[str]) -> None:
    blocks = BlockTable((*(part(number, part_uuid=PART if number == 1 else "") for number in (1, 2, 3)), disk(), disk(2), part(2, on=2)))
    assert [device.name for device in blocks.candidates(f"PARTUUID={PART.upper()}/PARTNROFF={offset}")] == found


@pytest.mark.parametrize(
    ("name", "text", "fate", "words"),
    [
        ("fsinfo", f"/\n/dev/disk/by-uuid/{ROOT}\next4\ndefaults\n/boot\n/dev/sda9\nvfat\ndefaults", Fate.PASS, ROOT),
        ("fsinfo", "/\n/dev/sda1\next4\ndefaults", Fate.FAIL, "a name that is not there"),
        ("fsinfo", "/nix\n/dev/vda3\next4\ndefaults\n/\n/dev/disk/by-label/nixos\next4\ndefaults", Fate.FAIL, "by-label/nixos"),
        ("fsinfo", "/\nrpool/root\nzfs\ndefaults", Fate.UNKNOWN, "has no root="),
        ("fsinfo", "/\ntmpfs\ntmpfs\nsize=1G\n/nix\n/dev/vda1\next4\n", Fate.UNKNOWN, "has no root="),
        ("fstab", f"# made\nUUID={ROOT} /sysroot/ ext4 x-initrd.mount 0 1\n", Fate.PASS, ROOT),
        ("fstab", "UUID=nobody / ext4 x-initrd.mount 0 1\n", Fate.FAIL, "UUID=nobody"),
        ("other", "/\n/dev/sda1\next4\ndefaults", Fate.UNKNOWN, "has no root="),
    ],
)
def test_the_root_that_nixos_lists_in_its_first_stage(name: str, text: str, fate: Fate, words: str) -> None:
    """``exec 3< @fsInfo@`` of stage-1-init.sh, and the fstab that systemd gets there."""
    members: dict[str, bytes | str] = {"init": "/nix/store/a-stage-1-init.sh", "nix/store/a-stage-1-init.sh": b"#!/bin/ash\n"}
    image = newc({**members, f"nix/store/b-initrd-{name}": text.encode()})
    (cause,) = store(sample_boot(image=image, args="init=/nix/store/c/init"), DISKS).get(RootVerdict).device
    assert (cause.fate, words in cause.reason) == (fate, True)
