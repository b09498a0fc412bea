"""The command line that fits the guest."""

from __future__ import annotations

import pytest

from tests.facts.guests import DEBIAN
from v2vlint.facts.conversion.command import virt_v2v_command
from v2vlint.facts.registry import FactStore
from v2vlint.facts.windows.network import ManualAddress, WindowsNetwork
from v2vlint.model.blocks import BlockDevice, BlockTable
from v2vlint.model.definition import Definition, NicDevice
from v2vlint.model.finding import Mover
from v2vlint.model.osinfo import OsInfo
from v2vlint.model.place import RegistryKey
from v2vlint.model.source import GuestRef
from v2vlint.samples.memory import memory_guest
from v2vlint.target import load

BLOCKS = BlockTable(
    (
        BlockDevice("disk2p3", "partition", 1, 1, 3, "ext4"),
        BlockDevice("disk3", "disk", 1, 2, fs_type="ext4"),
        BlockDevice("disk28p1", "partition", 1, 27, 1, "ext4"),
        BlockDevice("vg/root", "lv", 1, 0),
    )
)


DISK = GuestRef("w", "disks", ("a",))


def command(ref: GuestRef, source: str = "", root: str = "disk2p3", subvolume: str = "", target: str = "kvm", **more: object) -> str:
    """The command; ``several`` systems on the disks, another ``mover``, further facts as ``given``."""
    given: tuple[object, ...] = more.get("given", ())  # type: ignore[assignment]
    usual = (memory_guest({}), BLOCKS, DEBIAN, Definition(source, "x", "web"), load(target), more.get("mover", Mover.VIRT_V2V))
    known = {type(fact) for fact in given}
    store = FactStore((*(fact for fact in usual if type(fact) not in known), *given))
    return virt_v2v_command(ref, store, root, subvolume, bool(more.get("several")))


@pytest.mark.parametrize(
    ("ref", "source", "words"),
    [
        (GuestRef("w", "disks", ("my disk.qcow2",)), "", "-i disk 'my disk.qcow2'"),
        (GuestRef("w", "definition", ("web.vmx",)), "vmx", "-i vmx web.vmx"),
        (GuestRef("w", "definition", ("d/web.ova",)), "ovf", "-i ova d/web.ova"),
        (GuestRef("w", "definition", ("d/web.ovf",)), "ovf", "-i ova d"),
        (GuestRef("w", "definition", ("d/e/web.ovf",)), "ovf", "-i ova d/e"),
        (GuestRef("w", "definition", ("web.ovf",)), "ovf", "-i ova ."),
        (GuestRef("w", "definition", ("web.xml",)), "libvirt", "-i libvirtxml web.xml"),
        (GuestRef("domain:web", "libvirt", (), text="<domain/>"), "libvirt", "-i libvirt web"),
    ],
)
def test_the_input(ref: GuestRef, source: str, words: str) -> None:
    assert command(ref, source) == f"virt-v2v {words} -o libvirt -os POOL"


LOCKED = BlockTable(
    (
        BlockDevice("disk1p2", "partition", 1, 0, 2, "crypto_LUKS", "aa-1"),
        BlockDevice("luks-aa-1", "luks", 1, 0, fs_type="btrfs", parents=("disk1p2",), details=(("default_subvolume", "@"),)),
        BlockDevice("vg/a-b", "lv", 1, 0, fs_type="crypto_LUKS", uuid="bb-2"),
        BlockDevice("luks-bb-2", "luks", 1, 0, fs_type="ext4", parents=("vg/a-b",)),
        BlockDevice("disk1p3", "partition", 1, 0, 3, "crypto_LUKS", "cc-3"),
    )
)


@pytest.mark.parametrize(
    ("root", "subvolume", "device"),
    [
        ("luks-aa-1", "@", "/dev/mapper/cryptsda2"),
        ("luks-aa-1", "@home", "btrfsvol:/dev/mapper/cryptsda2/@home"),
        ("luks-bb-2", "", "/dev/mapper/luks-bb-2"),
    ],
)
def test_what_is_opened_needs_its_keys_and_has_libguestfs_s_name(root: str, subvolume: str, device: str) -> None:
    keys = "--key aa-1:file:KEY_FILE --key bb-2:file:KEY_FILE"
    made = command(DISK, root=root, subvolume=subvolume, several=True, given=(LOCKED,))
    assert made == f"virt-v2v -i disk a {keys} --root {device} -o libvirt -os POOL"


def test_what_virt_v2v_cannot_read_has_no_command() -> None:
    assert command(GuestRef("w", "disks", ("a", "b"))) == ""
    assert command(GuestRef("w", "definition", ("web.vbox",)), "virtualbox") == ""
    assert command(GuestRef("w", "disks", ("https://x/a",), unwritable="a URL")) == ""


def test_another_mover_has_no_command() -> None:
    assert command(DISK, mover=Mover.RAW) == ""


@pytest.mark.parametrize(
    ("root", "subvolume", "device"),
    [
        ("disk2p3", "", "/dev/sdb3"),
        ("vg/root", "", "/dev/vg/root"),
        ("disk2p3", "@/x", "btrfsvol:/dev/sdb3/@/x"),
        ("disk28p1", "", "/dev/sdab1"),
        ("disk3", "", "/dev/sdc"),
    ],
)
def test_one_of_several_systems_is_named(root: str, subvolume: str, device: str) -> None:
    made = command(GuestRef("w", "disks", ("a",)), root=root, subvolume=subvolume, several=True, target="azure")
    assert made == f"virt-v2v -i disk a --root {device} -o local -os FOLDER"


WINDOWS = OsInfo("windows", "windows", "windows", "Windows 10", "10.0", "x86_64")
CARD = Definition("", "x", "web", nics=(NicDevice("52:54:00:12:34:56"),))


def address(*gateways: str, length: str = "/24") -> ManualAddress:
    return ManualAddress("{1}", (f"192.0.2.7{length}",), gateways, None, RegistryKey("SYSTEM", "Interfaces"))


@pytest.mark.parametrize(
    ("given", "mac"),
    [
        ((WindowsNetwork(static=(address("192.0.2.1"),)),), ":ip:192.0.2.7,192.0.2.1,24"),
        ((WindowsNetwork(static=(address("192.0.2.1", length=""),)),), ":ip:192.0.2.7,192.0.2.1"),
        ((WindowsNetwork(static=(address(),)),), ":ip:192.0.2.7"),
        ((WindowsNetwork(static=(address(), address())),), ""),
        ((WindowsNetwork(),), ""),
        ((), ""),
    ],
)
def test_the_only_static_address_of_windows_goes_along(given: tuple[object, ...], mac: str) -> None:
    words = f" --mac 52:54:00:12:34:56{mac}" if mac else ""
    assert command(DISK, given=(WINDOWS, CARD, *given)) == f"virt-v2v -i disk a{words} -o libvirt -os POOL"
    assert "--mac" not in command(DISK, given=(CARD, *given))


def test_which_of_two_cards_has_the_address_is_not_known() -> None:
    two = Definition("", "x", "web", nics=(*CARD.nics, *CARD.nics))
    assert "--mac" not in command(DISK, given=(WINDOWS, two, WindowsNetwork(static=(address("192.0.2.1"),))))
