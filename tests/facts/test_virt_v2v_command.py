"""The command line that fits the guest."""

from __future__ import annotations

import pytest

from tests.facts.guests import DEBIAN
from v2vlint.facts.conversion.command import virt_v2v_command
from v2vlint.facts.registry import FactStore
from v2vlint.model.blocks import BlockDevice, BlockTable
from v2vlint.model.definition import Definition
from v2vlint.model.finding import Mover
from v2vlint.model.source import GuestRef
from v2vlint.samples.memory import memory_guest
from v2vlint.target import load

BLOCKS = BlockTable((BlockDevice("disk2p3", "partition", 1, 1, 3, "ext4"), BlockDevice("vg/root", "lv", 1, 0)))


def command(ref: GuestRef, source: str = "", root: str = "disk2p3", several: bool = False, subvolume: str = "", target: str = "kvm") -> str:
    store = FactStore((memory_guest({}), BLOCKS, DEBIAN, Definition(source, "x", "web"), load(target), Mover.VIRT_V2V))
    return virt_v2v_command(ref, store, root, subvolume, several)


@pytest.mark.parametrize(
    ("ref", "source", "words"),
    [
        (GuestRef("w", "disks", ("my disk.qcow2",)), "", "-i disk 'my disk.qcow2'"),
        (GuestRef("w", "definition", ("web.vmx",)), "vmx", "-i vmx web.vmx"),
        (GuestRef("w", "definition", ("d/web.ova",)), "ovf", "-i ova d/web.ova"),
        (GuestRef("w", "definition", ("d/web.ovf",)), "ovf", "-i ova d"),
        (GuestRef("w", "definition", ("web.xml",)), "libvirt", "-i libvirtxml web.xml"),
        (GuestRef("domain:web", "libvirt", (), text="<domain/>"), "libvirt", "-i libvirt web"),
    ],
)
def test_the_input(ref: GuestRef, source: str, words: str) -> None:
    assert command(ref, source) == f"virt-v2v {words} -o libvirt -os POOL"


def test_what_virt_v2v_cannot_read_has_no_command() -> None:
    assert command(GuestRef("w", "disks", ("a", "b"))) == ""


@pytest.mark.parametrize(
    ("root", "subvolume", "device"),
    [("disk2p3", "", "/dev/sdb3"), ("vg/root", "", "/dev/vg/root"), ("disk2p3", "@/x", "btrfsvol:/dev/sdb3/@/x")],
)
def test_one_of_several_systems_is_named(root: str, subvolume: str, device: str) -> None:
    made = command(GuestRef("w", "disks", ("a",)), root=root, several=True, subvolume=subvolume, target="azure")
    assert made == f"virt-v2v -i disk a --root {device} -o local -os FOLDER"
