"""Under which names RAID arrays appear: their superblock's, those of mdadm.conf, and those of the mdadm.conf in the initramfs."""

from __future__ import annotations

import pytest

from v2vlint.facts.initramfs.cpio import newc
from v2vlint.facts.registry import FactStore
from v2vlint.facts.storage.devices import Devices
from v2vlint.guest.mdadm_conf import array_names, mdadm_conf_from
from v2vlint.guest.text import GuestText
from v2vlint.model.blocks import BlockDevice, BlockTable
from v2vlint.model.osinfo import OsInfo
from v2vlint.samples.memory import memory_guest

UUID = "00112233:44556677:8899aabb:ccddeeff"


def array(name: str, uuid: str = UUID, **details: str) -> BlockDevice:
    return BlockDevice(f"md/{name}", "md", 1 << 30, 0, fs_type="ext4", uuid=f"fs-{name}", parents=("disk1p1",),
                       details=(("array_uuid", uuid), *details.items()))  # fmt: skip


def table(*arrays: BlockDevice) -> BlockTable:
    parts = (BlockDevice("disk1", "disk", 1 << 32, 0), BlockDevice("disk1p1", "partition", 1 << 30, 0, 1, parents=("disk1",)))
    inner = BlockDevice("md/5p1", "partition", 1 << 29, 0, 1, parents=("md/5",))
    return BlockTable((*parts, *arrays, *((inner,) if any(one.name == "md/5" for one in arrays) else ())))


def name_of(blocks: BlockTable, spec: str) -> str:
    found = blocks.resolve(spec)
    return found.name if found else ""


@pytest.mark.parametrize(
    ("line", "specs"),
    [
        (f"ARRAY /dev/md7 UUID={UUID}", ("/dev/md7",)),
        (f"ARRAY /dev/md/data UUID={UUID.upper()}", ("/dev/md/data",)),
        (f"ARRAY md7 metadata=1.2 UUID={UUID}", ("/dev/md7",)),
        (f"ARRAY 7 UUID={UUID}", ("/dev/md7",)),
        (f"ARRAY home UUID={UUID}", ("/dev/md/home",)),
        ("ARRAY /dev/md7 name=box:root", ("/dev/md7",)),
        ("ARRAY /dev/md7 super-minor=root", ("/dev/md7",)),
    ],
)
def test_lines_of_mdadm_conf(line: str, specs: tuple[str, ...]) -> None:
    names = array_names(mdadm_conf_from([GuestText("/etc/mdadm.conf", f"{line}\nARRAY <ignore> UUID={UUID}\n")]))
    blocks = table(array("root", md_name="box:root"), array("5", "ff" * 4 + ":0:0:0", md_name="box:5")).with_arrays(names)
    assert [name_of(blocks, spec) for spec in specs] == ["md/root"] * len(specs)
    assert name_of(blocks, "/dev/md5") == "md/5"


def test_arrays_without_a_number_count_down_from_127() -> None:
    one = table(array("root", md_name="box:root"))
    assert (name_of(one, "/dev/md127"), name_of(one, "/dev/md126")) == ("md/root", "")
    two = table(array("root", md_name="box:root"), array("data", "ff" * 4 + ":0:0:0", md_name="box:data"))
    assert (name_of(two, "/dev/md127"), len(list(two.candidates("/dev/md127")))) == ("", 2)


def test_partitions_of_arrays_are_not_those_of_disks() -> None:
    blocks = table(array("5", md_name="box:5"))
    assert [name_of(blocks, spec) for spec in ("/dev/sda1", "/dev/md5p1", "/dev/md/5p1")] == ["disk1p1", "md/5p1", "md/5p1"]


def test_the_initramfs_knows_names_too() -> None:
    archive = newc({"init": b"#!/bin/sh\n", "etc/mdadm.conf": f"ARRAY /dev/md7 UUID={UUID}\n".encode()})
    fs = memory_guest({"/boot/initramfs-6.1.0.img": archive, "/etc/fstab": "/dev/md7 / ext4 defaults 0 1\n"})
    devices = FactStore((fs, table(array("root", md_name="box:root")), OsInfo("linux", "", "", ""))).get(Devices)
    found = devices.resolve("/dev/md7")
    assert found is not None
    assert (found.name, devices.present("/dev/md7")) == ("md/root", True)
    assert devices.resolve("/dev/md8") is None
