"""What lies inside the initramfs decides until the root is mounted: its mdadm.conf, lvm.conf and settings, not those on the root."""

from __future__ import annotations

import pytest

from tests.verdicts.asking import DATA, FAILS, ROOT, UNSURE, WARNS, Told, disk, landing, part, store, told
from v2vlint.facts.registry import FactStore
from v2vlint.model.blocks import BlockDevice, BlockTable
from v2vlint.model.finding import Fate
from v2vlint.samples.boot import FILES, sample_boot, sample_initramfs
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
DRACUT = {"usr/lib/dracut/modules.txt": "lvm\n"}
TIED = "DEVICE /dev/sda* /dev/sdb*\n"
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
        pytest.param("", "ARRAY /dev/md/0 devices=/dev/sda5,/dev/sda6\n", "vd", [FAILS], [], id="the root's members"),
        pytest.param("", "ARRAY /dev/md/1 devices=/dev/sda7\n", "vd", [], [], id="another array's members"),
        pytest.param("", "ARRAY /dev/md/boot devices=/dev/sda7\n", "vd", [UNSURE], [], id="an array by an unknown name"),
    ],
)
@pytest.mark.parametrize(("path", "marks"), [("etc/mdadm/mdadm.conf", {}), ("etc/mdadm.conf", DRACUT), ("etc/mdadm.conf.d/a.conf", DRACUT)])
def test_arrays(own: str, inside: str, prefix: str, root: Told, mounts: Told, path: str, marks: FILES) -> None:
    facts = asked({"/etc/mdadm/mdadm.conf": own}, {path: inside, **marks}, MD, prefix)
    assert told(facts.get(RootVerdict).arrays) == root
    assert told(facts.get(MountsVerdict).md_names) == mounts
    if own == inside and root:
        assert str(facts.get(RootVerdict).arrays[0].where).startswith("/etc/mdadm/mdadm.conf:1")


def test_an_array_that_only_a_mount_needs_fails_the_mounts() -> None:
    facts = asked({"/etc/mdadm/mdadm.conf": TIED}, {}, MD, fstab=f"UUID={DATA} /data xfs defaults 0 2\n")
    assert told(facts.get(RootVerdict).arrays) == []
    assert told(facts.get(MountsVerdict).md_names) == [FAILS]


def test_without_the_image_the_guests_own_file_stands_for_it() -> None:
    files = sample_boot(args=f"root=UUID={ROOT}") | {"/etc/mdadm/mdadm.conf": TIED, "/etc/fstab": ""}
    del files["/boot/initrd.img-6.1.0-13-amd64"]
    facts = store(files, memory_guest(files, uuid=ROOT), MD, landing("vd"))
    assert told(facts.get(MountsVerdict).md_names) == [FAILS]


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
