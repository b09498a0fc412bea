"""What lies inside the initramfs decides until the root is mounted: its mdadm.conf, lvm.conf and settings, not those on the root."""

from __future__ import annotations

import pytest

from tests.verdicts.asking import DATA, FAILS, ROOT, UNSURE, WARNS, Told, disk, landing, part, store, told
from v2vlint.facts.registry import FactStore
from v2vlint.model.blocks import BlockDevice, BlockTable
from v2vlint.model.finding import Fate
from v2vlint.samples.boot import FILES, VERSION, sample_boot, sample_initramfs
from v2vlint.samples.memory import memory_guest
from v2vlint.verdicts.mounts import MountsVerdict
from v2vlint.verdicts.root import RootVerdict

MD = BlockTable(
    (
        disk(),
        *(part(number, "linux_raid_member", f"m{number}") for number in (5, 6, 7)),
        BlockDevice("md/0", "md", 1 << 30, 0, fs_type="ext4", uuid=ROOT, parents=("disk1p5", "disk1p6")),
        BlockDevice("md/1", "md", 1 << 30, 0, fs_type="xfs", uuid=DATA, parents=("disk1p7",)),
    )
)
LVM = BlockTable(
    (
        disk(),
        part(2, "LVM2_member", "pv-2"),
        part(3, "LVM2_member", "pv-3"),
        BlockDevice("vg/root", "lv", 1 << 30, 0, fs_type="ext4", uuid=ROOT, parents=("disk1p2",)),
        BlockDevice("data/home", "lv", 1 << 30, 0, fs_type="xfs", uuid=DATA, parents=("disk1p3",)),
    )
)
IMAGE = f"/boot/initrd.img-{VERSION}"
DRACUT = {"usr/lib/dracut/modules.txt": "lvm\n"}
TIED = "DEVICE /dev/sda* /dev/sdb*\n"
MEMBERS = "ARRAY /dev/md/0 devices=/dev/sda5,/dev/sda6\n"
BY_PATH = "DEVICE /dev/disk/by-path/pci-0000:00:10.0-*\n"
FILTER = 'devices {\n filter = [ "a|^/dev/sda2$|", "r|.*|" ]\n}\n'


def asked(
    own: FILES, inside: FILES, blocks: BlockTable, prefix: str = "vd", args: str = f"root=UUID={ROOT} ro", fstab: str = ""
) -> FactStore:
    """A guest with ``own`` files, and an initramfs with those ``inside``."""
    files = sample_boot(args=args, image=sample_initramfs(files=inside)) | dict(own) | {"/etc/fstab": fstab}
    return store(files, memory_guest(files, uuid=ROOT), blocks, landing(prefix))


@pytest.mark.parametrize(
    ("own", "inside", "prefix", "root", "mounts"),
    [
        pytest.param(TIED, TIED, "vd", [FAILS], [WARNS], id="copied"),
        pytest.param(TIED, TIED, "sd", [], [], id="kept names"),
        pytest.param(TIED, "ARRAY /dev/md/0 UUID=1\n", "vd", [], [WARNS], id="initramfs-tools wrote another"),
        pytest.param("DEVICE partitions\n", TIED, "vd", [FAILS], [], id="changed since"),
        pytest.param("", MEMBERS, "vd", [FAILS], [], id="the root's members"),
        pytest.param("", "ARRAY /dev/md/1 devices=/dev/sda7\n", "vd", [], [], id="another array's members"),
        pytest.param("", f"ARRAY /dev/md/1 devices=/dev/sda7\n{MEMBERS}", "vd", [FAILS], [], id="and then the root's"),
        pytest.param(TIED.replace("DEVICE", "DEVICE partitions"), TIED, "vd", [FAILS], [], id="looks everywhere"),
        pytest.param(BY_PATH, BY_PATH, "sd", [FAILS], [WARNS], id="a path of hardware"),
        pytest.param("", "DEVICE /dev/md* /dev/vd*\n", "vd", [], [], id="names that stay"),
        pytest.param("", "DEVICE /dev/sda5 /dev/vda6\n", "vd", [FAILS], [], id="whole names"),
        pytest.param("", "ARRAY /dev/md/boot devices=/dev/sda7\n", "vd", [UNSURE], [], id="an array by an unknown name"),
    ],
)
@pytest.mark.parametrize(("path", "marks"), [("etc/mdadm/mdadm.conf", {}), ("etc/mdadm.conf", DRACUT), ("etc/mdadm.conf.d/a.conf", DRACUT)])
def test_arrays(own: str, inside: str, prefix: str, root: Told, mounts: Told, path: str, marks: FILES) -> None:
    facts = asked({"/etc/mdadm/mdadm.conf": own}, {path: inside, **marks}, MD, prefix)
    assert told(facts.get(RootVerdict).arrays) == root
    assert told(facts.get(MountsVerdict).md_names) == mounts
    if own == inside and root:
        assert str(facts.get(RootVerdict).arrays[0].where) == "/etc/mdadm/mdadm.conf:1:8"


MEMBERS = "ARRAY /dev/md0 devices=/dev/sda5,/dev/sda6\n"
RULES = ("usr/lib/udev/rules.d/64-md-raid-assembly.rules", "lib/udev/rules.d/65-md-incremental-imsm.rules")


@pytest.mark.parametrize(
    ("beside", "root", "found"),
    [
        ((), f"UUID={ROOT}", [FAILS]),
        (("lib/udev/rules.d/63-md-raid-arrays.rules",), f"UUID={ROOT}", [FAILS]),
        (RULES[:1], f"UUID={ROOT}", [WARNS]),
        (RULES[1:], f"UUID={ROOT}", [WARNS]),
        (RULES[:1], "/dev/md0", [UNSURE]),
        ((*RULES, "sbin/mdadm_auto"), f"UUID={ROOT}", [FAILS]),
    ],
)
def test_udev_assembles_what_fits_no_line_under_another_name(beside: tuple[str, ...], root: str, found: Told) -> None:
    """mdadm 4.2 in Linux 6.1: ``-I`` starts md127, ``-A --scan`` nothing; a DEVICE line stops both."""
    image = {"etc/mdadm.conf": MEMBERS, **DRACUT, **dict.fromkeys(beside, "")}
    files = sample_boot(image=sample_initramfs(files=image), args=f"root={root}") | {"/etc/fstab": ""}
    facts = store(files, memory_guest(files, uuid=ROOT), MD, landing("vd"))
    assert told(facts.get(RootVerdict).arrays) == found
    files = sample_boot(args=f"root=UUID={ROOT}") | {"/etc/mdadm.conf": MEMBERS, **{f"/{path}": "" for path in beside if "rules" in path}}
    files |= {"/etc/fstab": f"{'/dev/md0' if root == '/dev/md0' else f'UUID={DATA}'} /data xfs defaults 0 2\n"}
    mounts = store(files, memory_guest(files, uuid=ROOT), MD, landing("vd")).get(MountsVerdict).md_names
    assert told(mounts) == ([WARNS] if "sbin/mdadm_auto" in beside else found)


@pytest.mark.parametrize(
    ("words", "found"),
    [
        *(
            (words, [])
            for words in ("/dev/sd* /dev/vd*", "/dev/?d*", "/dev/[sv]d*", "/dev/sda5 /dev/vda[567]", "'/dev/vd*'", '"partitions"')
        ),
        ("/dev/sda5\n partitions", []),
        *((words, [FAILS]) for words in ("/dev/s*", "/dev/[hs]d[a-z]*", "/dev/[!v]d*", "/dev/sd* /dev/vda5", "/dev/sd* /dev/vdb*")),
        *(
            (words, [FAILS])
            for words in ('"/dev/sda5" "/dev/sda6"', "/dev/sd* containers", "containers\n\t/dev/sda[0-9]", "/dev/nvme0n1p*")
        ),
        *((words, [FAILS]) for words in ("\nDEVICE /dev/sda*", "/dev/xvd*", "/dev/disk/by-id/ata-*")),
    ],
)
def test_patterns_are_matched_against_the_members(words: str, found: Told) -> None:
    facts = asked({"/etc/mdadm/mdadm.conf": f"DEVICE {words}\n"}, {}, MD, fstab=f"UUID={DATA} /data xfs defaults 0 2\n")
    assert told(facts.get(MountsVerdict).md_names) == found


def test_an_array_that_only_a_mount_needs_fails_the_mounts() -> None:
    facts = asked({"/etc/mdadm/mdadm.conf": TIED}, {}, MD, fstab=f"UUID={DATA} /data xfs defaults 0 2\n")
    assert told(facts.get(RootVerdict).arrays) == []
    assert told(facts.get(MountsVerdict).md_names) == [FAILS]


def test_without_the_image_the_guests_own_file_stands_for_it() -> None:
    files = sample_boot(args=f"root=UUID={ROOT}") | {"/etc/mdadm/mdadm.conf": TIED, "/etc/fstab": ""}
    del files["/boot/initrd.img-6.1.0-13-amd64"]
    facts = store(files, memory_guest(files, uuid=ROOT), MD, landing("vd"))
    assert told(facts.get(MountsVerdict).md_names) == [FAILS]
    assert told(facts.get(RootVerdict).arrays) == []


@pytest.mark.parametrize(
    ("own", "inside", "root", "mounts"),
    [
        (FILTER, FILTER, [FAILS], [WARNS]),
        (FILTER, None, [], [WARNS]),
        ("", FILTER, [FAILS], []),
        (FILTER, FILTER.replace("sda2", "vda2"), [], [WARNS]),
        ("", FILTER.replace('"r|.*|"', '"r|^/dev/vda3$|"'), [], []),
        ("", FILTER.replace('"r|.*|"', '"r|(|"'), [(Fate.UNKNOWN, None)], []),
    ],
)
def test_volumes(own: str, inside: str | None, root: Told, mounts: Told) -> None:
    facts = asked({"/etc/lvm/lvm.conf": own}, {} if inside is None else {"etc/lvm/lvm.conf": inside}, LVM)
    assert told(facts.get(RootVerdict).volumes) == root
    assert told(facts.get(MountsVerdict).lvm_filters) == mounts


@pytest.mark.parametrize(("switch", "found"), [("use_devicesfile = 1", [FAILS]), ("use_devicesfile = 0", []), ("", [])])
def test_identities_of_disks(switch: str, found: Told) -> None:
    line = "IDTYPE=sys_wwid IDNAME=naa.6 DEVNAME=/dev/sda2 PVID=x\n"
    inside = {"etc/lvm/lvm.conf": f"devices {{\n {switch}\n}}\n", "etc/lvm/devices/system.devices": line}
    assert told(asked({}, inside, LVM).get(RootVerdict).identities) == found


PLAIN = BlockTable((disk(), part(1, "ext4", ROOT)))
BESIDE = BlockTable((*LVM.devices[:3], part(1, "ext4", ROOT), *MD.devices[1:4], *MD.devices[5:]))
IDENTITY = "IDTYPE=sys_wwid IDNAME=naa.6 DEVNAME=/dev/sda2 PVID=x\n"


def test_settings_for_layers_that_the_root_does_not_lie_on() -> None:
    """The root is a partition; arrays and volumes are there for other filesystems."""
    inside = {
        "etc/mdadm/mdadm.conf": TIED,
        "etc/lvm/lvm.conf": FILTER.replace('"r|.*|"', '"r|(|"').replace("devices {", "devices {\n use_devicesfile = 1"),
        "etc/lvm/devices/system.devices": IDENTITY,
    }
    root = asked({}, inside, BESIDE).get(RootVerdict)
    assert (root.arrays, root.volumes, root.identities) == ((), (), ())


@pytest.mark.parametrize(
    ("own", "inside", "where"),
    [
        pytest.param(FILTER, FILTER, "/etc/lvm/lvm.conf:2:13", id="copied"),
        pytest.param("", FILTER, IMAGE, id="only in the image"),
        pytest.param(FILTER.replace("sda2", "vda2"), FILTER, IMAGE, id="another pattern"),
        pytest.param(FILTER.replace('"a|', '"r|'), FILTER, IMAGE, id="the same patterns, rejected"),
        pytest.param(FILTER.replace("filter", "global_filter"), FILTER, IMAGE, id="the other filter"),
        pytest.param(FILTER, FILTER.replace('"r|.*|"', '"r|(|"'), IMAGE, id="a pattern that is none"),
    ],
)
def test_where_the_filter_of_the_image_was_copied_from(own: str, inside: str, where: str) -> None:
    (cause,) = asked({"/etc/lvm/lvm.conf": own}, {"etc/lvm/lvm.conf": inside}, LVM).get(RootVerdict).volumes
    assert str(cause.where) == where


SECOND = BlockTable(
    (
        *(disk(number) for number in (1, 2)),
        part(3, "LVM2_member", "pv-2", on=2, part_uuid="aa-bb"),
        BlockDevice("vg/root", "lv", 1 << 30, 1, fs_type="ext4", uuid=ROOT, parents=("disk2p3",)),
    )
)
WHOLE = BlockTable(
    (
        BlockDevice("disk1", "disk", 8 << 30, 0, fs_type="LVM2_member", uuid="pv-2"),
        BlockDevice("vg/root", "lv", 1 << 30, 0, fs_type="ext4", uuid=ROOT, parents=("disk1",)),
    )
)


@pytest.mark.parametrize(
    ("blocks", "prefix", "accepted"),
    [
        (SECOND, "vd", "/dev/vdb3"),
        (SECOND, "nvme", "/dev/nvme1n1p3"),
        (SECOND, "vd", "/dev/disk/by-partuuid/aa-bb"),
        (SECOND, "vd", "/dev/disk/by-id/lvm-pv-uuid-pv-2"),
        (WHOLE, "vd", "/dev/vda"),
        (WHOLE, "nvme", "/dev/nvme0n1"),
        (WHOLE, "vd", "/dev/disk/by-id/lvm-pv-uuid-pv-2"),
    ],
)
def test_the_names_under_which_lvm_sees_a_volume(blocks: BlockTable, prefix: str, accepted: str) -> None:
    conf = {"etc/lvm/lvm.conf": FILTER.replace("/dev/sda2", accepted)}
    assert told(asked({}, conf, blocks, prefix).get(RootVerdict).volumes) == []
    (cause,) = (
        asked({}, {"etc/lvm/lvm.conf": conf["etc/lvm/lvm.conf"].replace(accepted, f"{accepted}0")}, blocks, prefix).get(RootVerdict).volumes
    )
    name = (
        ("/dev/nvme1n1p3" if blocks is SECOND else "/dev/nvme0n1") if prefix == "nvme" else "/dev/vdb3" if blocks is SECOND else "/dev/vda"
    )
    volume = "disk2p3" if blocks is SECOND else "disk1"
    assert cause.reason == f"in the initramfs, filter rejects {name}, the name of the physical volume {volume} on the target"
    assert cause.about is not None
    assert [(found.name, paths[0]) for found, paths in cause.about.volumes] == [(volume, name)]


def test_the_volume_that_the_root_needs_is_named_first() -> None:
    (cause,) = asked({}, {"etc/lvm/lvm.conf": 'devices {\n filter = [ "r|.*|" ]\n}\n'}, LVM).get(RootVerdict).volumes
    assert cause.about is not None
    assert [found.name for found, _paths in cause.about.volumes] == ["disk1p2", "disk1p3"]
    swapped = BlockTable((*LVM.devices[:3], BlockDevice("vg/root", "lv", 1 << 30, 0, fs_type="ext4", uuid=ROOT, parents=("disk1p3",))))
    (cause,) = asked({}, {"etc/lvm/lvm.conf": 'devices {\n filter = [ "r|.*|" ]\n}\n'}, swapped).get(RootVerdict).volumes
    assert "the physical volume disk1p3 on the target" in cause.reason


@pytest.mark.parametrize(
    ("listed", "volumes", "identities"), [({}, [UNSURE], []), ({"etc/lvm/devices/system.devices": IDENTITY * 2}, [], [UNSURE])]
)
def test_without_a_boot_menu_nothing_is_certain(listed: dict[str, str], volumes: Told, identities: Told) -> None:
    """Beside a devices file, LVM ignores filters."""
    lvm = {"etc/lvm/lvm.conf": FILTER.replace("devices {", "devices {\n use_devicesfile = 1"), **listed}
    files = {path: content for path, content in sample_boot(image=sample_initramfs(files=lvm)).items() if not path.endswith("grub.cfg")}
    root = store(files, memory_guest(files, uuid=ROOT), LVM, landing("vd")).get(RootVerdict)
    assert (told(root.volumes), told(root.identities)) == (volumes, identities)
    assert all(cause.reason.endswith("the source's identities (naa.6)") for cause in root.identities)


def test_without_a_boot_menu_no_array_is_certain() -> None:
    arrays = sample_boot(image=sample_initramfs(files={"etc/mdadm/mdadm.conf": TIED}))
    del arrays["/boot/grub/grub.cfg"]
    assert told(store(arrays, memory_guest(arrays, uuid=ROOT), MD, landing("vd")).get(RootVerdict).arrays) == [UNSURE]


@pytest.mark.parametrize(
    ("inside", "prefix", "fate"),
    [
        ({"etc/cmdline.d/95root-dev.conf": f"root=UUID={ROOT}\n", **DRACUT}, "vd", Fate.PASS),
        ({"etc/cmdline.d/95root-dev.conf": f"root=UUID={DATA}\n", **DRACUT}, "vd", Fate.FAIL),
        ({"etc/cmdline.d/95root-dev.conf": "root=/dev/sda1\n", **DRACUT}, "vd", Fate.FAIL),
        ({"etc/cmdline": f"quiet root=block:UUID={ROOT}\n", **DRACUT}, "vd", Fate.PASS),
        ({"conf/conf.d/root": f'ROOT="UUID={ROOT}"\n'}, "vd", Fate.PASS),
        ({"conf/conf.d/root": "export ROOT=/dev/sda1\n"}, "vd", Fate.FAIL),
        ({"conf/param.conf": f"ROOT=UUID={DATA}\n"}, "vd", Fate.FAIL),
        ({"conf/conf.d/root": "ROOTDELAY=3\n"}, "vd", Fate.FAIL),
    ],
)
def test_the_root_that_the_image_names(inside: FILES, prefix: str, fate: Fate) -> None:
    assert asked({}, inside, PLAIN, prefix, args="ro quiet").get(RootVerdict).fate is fate


def test_what_dracut_waits_for_inside_its_image() -> None:
    facts = asked({}, {"etc/cmdline.d/90lvm.conf": "rd.lvm.lv=gone/root\n", **DRACUT}, PLAIN)
    (cause,) = facts.get(RootVerdict).parts
    assert "rd.lvm.lv=gone/root names a device that is on none of the disks" in cause.reason
    assert str(cause.where).startswith("/boot/initrd.img")
