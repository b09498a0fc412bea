"""Which system starts, from loaders given as facts; kernels, drivers and device names beside it."""

from __future__ import annotations

import pytest

from v2vlint.facts.boot.bootloader import Bootloader
from v2vlint.facts.boot.cmdline import KernelArg
from v2vlint.facts.boot.entry import BootEntry, BootMenu
from v2vlint.facts.boot.firmware import Firmware
from v2vlint.facts.registry import FactStore
from v2vlint.inspecting.booted import mark_booted
from v2vlint.inspecting.kernels import CAPABILITIES, in_use, installed
from v2vlint.inspecting.storage import device_path, firmware
from v2vlint.model.blocks import BlockDevice, BlockTable
from v2vlint.model.definition import Definition
from v2vlint.model.machine import MountPoint, OperatingSystem, Release, WindowsFacts
from v2vlint.model.osinfo import OsInfo
from v2vlint.model.place import Span, Token, WholeFile
from v2vlint.samples.memory import memory_guest

PLACE = WholeFile("/boot/grub/grub.cfg")
LINUX, WINDOWS = Release("linux", "debian", "Debian"), Release("windows", "windows", "Windows")


def system(device: str, release: Release = LINUX) -> OperatingSystem:
    mounts = (MountPoint("/", device),)
    return OperatingSystem(device, release, loader="GRUB 2", mounts=mounts, windows=WindowsFacts() if release is WINDOWS else None)


def entry(title: str, *, foreign: bool = False, chainload: str = "", root: str = "") -> BootEntry:
    span = Span("/boot/grub/grub.cfg", 0, 1, 1)
    args = (KernelArg("root", root, span, Token(root, span)),) if root else ()
    return BootEntry(title, title, "" if chainload else "/boot/vmlinuz", (), args, PLACE, "grub2", foreign=foreign, chainload=chainload)


def blocks(active: str = "") -> BlockTable:
    parts = [BlockDevice(f"disk1p{n}", "partition", 1 << 20, 0, n, bootable=f"disk1p{n}" == active, uuid=f"u{n}") for n in (1, 2)]
    return BlockTable((BlockDevice("disk1", "disk", 1 << 30, 0), *parts))


def store(default: BootEntry | None, table: BlockTable, *, loader: bool = True) -> FactStore:
    menus = (BootMenu("grub2", "bios", PLACE, (default,) if default else (), default, ""),) if loader else ()
    return FactStore((Bootloader(menus), Firmware(True, False, "", "", 0), table))


def booted(systems: list[OperatingSystem], stores: list[FactStore], table: BlockTable) -> str:
    marked, reason = mark_booted(systems, stores, table)
    assert bool(reason) == (len(systems) > 1)
    return next((one.device for one in marked if one.boots), "")


def test_one_system_is_the_one() -> None:
    assert booted([system("disk1p1")], [store(None, blocks(), loader=False)], blocks()) == "disk1p1"


@pytest.mark.parametrize(
    ("default", "wanted"),
    [
        (entry("own"), "disk1p1"),
        (entry("other", foreign=True, root="UUID=u2"), "disk1p2"),
        (entry("other", foreign=True, root="UUID=nowhere"), ""),
        (entry("other", foreign=True), ""),
        (None, ""),
    ],
)
def test_the_default_entry_decides(default: BootEntry | None, wanted: str) -> None:
    table = blocks()
    stores = [store(default, table), store(None, table, loader=False)]
    assert booted([system("disk1p1"), system("disk1p2")], stores, table) == wanted


def test_a_chain_loader_starts_windows() -> None:
    table = blocks()
    stores = [store(entry("Windows", chainload="+1"), table), store(None, table, loader=False)]
    assert booted([system("disk1p1"), system("disk1p2", WINDOWS)], stores, table) == "disk1p2"


def test_windows_beside_a_linux_without_loader() -> None:
    table = blocks()
    stores = [store(None, table, loader=False)] * 2
    assert booted([system("disk1p1"), system("disk1p2", WINDOWS)], stores, table) == "disk1p2"


def test_of_two_loaders_the_active_partition_has_the_live_one() -> None:
    for table, wanted in ((blocks("disk1p2"), "disk1p2"), (blocks(), "")):
        stores = [store(entry("first"), table), store(entry("second"), table)]
        assert booted([system("disk1p1"), system("disk1p2")], stores, table) == wanted


@pytest.mark.parametrize(
    ("device", "wanted"),
    [
        (BlockDevice("disk1", "disk", 1, 0), "/dev/sda"),
        (BlockDevice("disk27p3", "partition", 1, 26, 3), "/dev/sdaa3"),
        (BlockDevice("vg/root", "lv", 1, 0), "/dev/vg/root"),
        (BlockDevice("luks-1", "luks", 1, 0), "/dev/mapper/luks-1"),
        (BlockDevice("md/0", "md", 1, 0), "/dev/md/0"),
    ],
)
def test_device_names(device: BlockDevice, wanted: str) -> None:
    assert device_path(device) == wanted


def test_the_firmware_of_a_layout() -> None:
    esp = BlockDevice("disk1p1", "partition", 1, 0, 1, part_type="c12a7328-f81f-11d2-ba4b-00a0c93ec93b")
    bios = BlockDevice("disk1p2", "partition", 1, 0, 2, part_type="21686148-6449-6e6f-744e-656564454649")
    assert [firmware(BlockTable(one)) for one in ((), (bios,), (esp,), (esp, bios))] == ["", "bios", "uefi", "bios+uefi"]


def facts(files: dict[str, str]) -> FactStore:
    os = OsInfo("linux", "debian", "debian", "Debian", "12", "x86_64")
    return FactStore((memory_guest(files), BlockTable(), os, Definition("", "")))


def test_what_a_kernel_can_drive() -> None:
    tree = "/lib/modules/6.1.0-1"
    files = {
        "/boot/vmlinuz-6.1.0-1": "x",
        f"{tree}/modules.dep": "kernel/drivers/block/virtio_blk.ko:\n",
        f"{tree}/modules.builtin": "kernel/drivers/nvme/host/nvme.ko\n",
        f"{tree}/kernel/drivers/block/virtio_blk.ko": "",
    }
    (kernel,) = installed(facts(files))
    assert (kernel.version, kernel.image, kernel.modules) == ("6.1.0-1", "/boot/vmlinuz-6.1.0-1", tree)
    assert [driver.name for driver in kernel.drivers] == list(CAPABILITIES)
    states = {driver.name: driver.state for driver in kernel.drivers}
    assert (states["virtio-blk"], states["nvme"], states["ena"]) == ("module", "built in", "absent")
    assert (kernel.has("virtio-blk"), kernel.has("ena"), kernel.has("floppy")) == (True, False, None)


def test_drivers_in_use_know_their_place() -> None:
    files = {
        "/etc/modprobe.conf": "alias eth0 vmxnet3\nalias scsi_hostadapter1 mptspi\nalias x y\n",
        "/etc/modules-load.d/kvm.conf": "# none\nnvme\n",
        "/etc/X11/xorg.conf": 'Section "Device"\n Identifier "a"\n Driver "vmware"\nEndSection\n',
    }
    found = {(one.name, one.role): one.where for one in in_use(facts(files))}
    assert set(found) == {("vmxnet3", "network"), ("mptspi", "storage"), ("nvme", "storage"), ("vmware", "display")}
    assert found["nvme", "storage"] == "/etc/modules-load.d/kvm.conf:2"
    assert found["vmware", "display"].startswith("/etc/X11/xorg.conf:3")


def test_a_form_feed_ends_no_line_of_a_list_of_modules() -> None:
    (found,) = in_use(facts({"/etc/modules": "# old:\x0cvmxnet3\nnvme\n"}))
    assert (found.name, found.where) == ("nvme", "/etc/modules:2")
