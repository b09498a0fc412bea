"""A machine as text and as data: what is left out when there is too much, and nothing hostile in any of it."""

from __future__ import annotations

import json

import pytest
import yaml

from v2vlint.model.blocks import BlockDevice
from v2vlint.model.definition import ControllerDevice, Definition, DiskDevice, Feature, Medium, NicDevice, Topology
from v2vlint.model.machine import (
    Agent,
    Application,
    DriveLetter,
    Driver,
    DriverInUse,
    Encryption,
    InstalledKernel,
    Machine,
    MountPoint,
    NetworkInterface,
    OperatingSystem,
    Release,
    Volume,
    WindowsFacts,
)
from v2vlint.model.report import Problem
from v2vlint.report import machine_data, machine_text, machine_xml
from v2vlint.report.formats.text import ASCII, Look
from v2vlint.report.layout import plain

EVIL = "a\x1b[2J\x00\u202e\udcff<&\"'\n::error::\u2028b"
DRIVERS = (Driver("virtio-blk", "module"), Driver("nvme", "built in"), Driver("vsock", "absent"), Driver("ena", "unknown"))
SYSTEM = OperatingSystem(
    device="vg/root",
    release=Release(
        "linux", "rhel", "Red Hat Enterprise Linux 9.3", version="9.3", codename="Plow", package_format="rpm", package_manager="dnf"
    ),
    arch="x86_64",
    hostname="db",
    boots=True,
    firmware="uefi",
    loader="GRUB 2",
    loader_config="/boot/grub2/grub.cfg",
    mounts=(MountPoint("/", "vg/root"), MountPoint("/boot", "disk1p1")),
    applications=(Application("bash", "5.1", "6"),),
    kernels=tuple(InstalledKernel(f"5.14.0-{n}", "/boot/x", drivers=DRIVERS, default=n == 4) for n in range(5, 0, -1)),
    drivers=(DriverInUse("vmw_pvscsi", "storage", "/boot/i"), DriverInUse("vmw_pvscsi", "other", "/etc/modules:1")),
    interfaces=tuple(NetworkInterface(f"eth{n}", "ethernet", "NetworkManager", "dhcp", active=n != 1) for n in range(8)),
    consoles=("tty1", "ttyS0"),
    agents=(Agent("qemu", "qemu-guest-agent", True), Agent("xen", "xe-daemon")),
    unread=(Problem("/var/lib/rpm/rpmdb.sqlite", "ends early"),),
)
MACHINE = Machine(
    name="db.qcow2",
    format="qcow2",
    size=10 << 30,
    firmware="uefi",
    devices=(
        BlockDevice("disk1", "disk", 10 << 30, 0),
        BlockDevice("disk1p1", "partition", 1 << 30, 0, 1, fs_type="xfs", parents=("disk1",)),
        BlockDevice("disk1p2", "partition", 9 << 30, 0, 2, fs_type="crypto_LUKS", parents=("disk1",)),
        BlockDevice("luks-1", "luks", 9 << 30, 0, fs_type="LVM2_member", parents=("disk1p2",)),
        BlockDevice("vg/root", "lv", 8 << 30, 0, fs_type="xfs", parents=("luks-1",)),
    ),
    volumes=(
        Volume("disk1p1", "/dev/sda1", "xfs", "11111111-2222-4333-8444-555555555555", "boot", 1 << 30, 1 << 29, 1 << 29),
        Volume("luks-1", "/dev/mapper/luks-1", "LVM2_member"),
        Volume("vg/root", "/dev/vg/root", "xfs", "21111111-2222-4333-8444-555555555555", "", 8 << 30),
        Volume("vg/swap", "/dev/vg/swap", "swap", size=1 << 30),
    ),
    encryption=(Encryption("disk1p2", "LUKS2", "aes-xts-plain64", "argon2id", 1, ("clevis",), True),),
    systems=(SYSTEM,),
    problems=(Problem("disk1p3", "damaged btrfs", "look at it"),),
)
WINDOWS = OperatingSystem(
    device="disk1p2",
    release=Release("windows", "windows", "Windows 11 Pro", "Client", "10.0.22631", 10, codename="23H2", osinfo="win11"),
    drives=(DriveLetter("C", "disk1p2"), DriveLetter("D", "disk2p1")),
    windows=WindowsFacts("/Windows", "ControlSet001", "Professional", "22631"),
)


def lines(machine: Machine, look: Look = Look(100)) -> list[str]:
    return plain(machine_text.rows([machine], look)).splitlines()


def test_the_whole_screen() -> None:
    assert (
        lines(MACHINE)
        == """\
── db.qcow2 ────────────────────────────────────────────────────────────────────────────────────────
   qcow2 10.0 GiB · 1 disk · laid out for UEFI
     encrypted  disk1p2: LUKS2, opened, aes-xts-plain64, argon2id, unlocked by clevis

   Red Hat Enterprise Linux 9.3 · x86_64 · db
     version    Plow
     root       vg/root, xfs on LVM on LUKS
     loader     GRUB 2, reads /boot/grub2/grub.cfg, UEFI
     installed  1 package, rpm with dnf
     drivers    vmw_pvscsi
     agents     qemu-guest-agent, xe-daemon (does not start)
     log in on  tty1, ttyS0
     kernel     5.14.0-4 (default); drives virtio-blk nvme; lacks vsock
     kernel     5.14.0-5; drives virtio-blk nvme; lacks vsock
     kernel     5.14.0-3; drives virtio-blk nvme; lacks vsock
                and 2 more
     network    eth0: dhcp (NetworkManager)
     network    eth1: dhcp (NetworkManager, not brought up)
     network    eth2: dhcp (NetworkManager)
     network    eth3: dhcp (NetworkManager)
     network    eth4: dhcp (NetworkManager)
     network    eth5: dhcp (NetworkManager)
                and 2 more
            device   type     size  used  label  UUID
     /      vg/root  xfs   8.0 GiB               21111111-2222-4333-8444-555555555555
     /boot  disk1p1  xfs   1.0 GiB   50%  boot   11111111-2222-4333-8444-555555555555
     unread     /var/lib/rpm/rpmdb.sqlite: ends early

     not mounted  device   type     size  used
     swap         vg/swap  swap  1.0 GiB

  unread   disk1p3
           damaged btrfs
           → look at it

""".splitlines()
    )


def test_several_systems() -> None:
    both = Machine("dual", systems=(WINDOWS, SYSTEM), boot_reason="the default entry 'Linux' of GRUB 2 on vg/root")
    shown = lines(both)
    assert "   Windows 11 Pro · win11" in shown
    assert "     version    10.0.22631, 23H2, Professional, Client" in shown
    assert "     drives     C: disk1p2, D: disk2p1" in shown
    assert "   Red Hat Enterprise Linux 9.3 · x86_64 · db · the disk boots this one" in shown
    assert "     starts     the default entry 'Linux' of GRUB 2 on vg/root" in shown


def test_a_terminal_that_knows_ascii_only() -> None:
    assert plain(machine_text.rows([MACHINE], ASCII)).isascii()


HOSTILE = Machine(
    EVIL,
    (EVIL,),
    EVIL,
    systems=(
        OperatingSystem(
            EVIL,
            Release("linux", EVIL, EVIL, EVIL, EVIL, codename=EVIL, build_id=EVIL, osinfo=EVIL, package_format=EVIL, image=EVIL),
            EVIL,
            EVIL,
            loader=EVIL,
            loader_config=EVIL,
            mounts=(MountPoint(EVIL, EVIL, EVIL),),
            applications=(Application(EVIL, EVIL, EVIL, url=EVIL, description=EVIL),),
            kernels=(InstalledKernel(EVIL, EVIL),),
            drivers=(DriverInUse(EVIL, "other", EVIL),),
            interfaces=(NetworkInterface(EVIL, EVIL, EVIL, "static", EVIL, (EVIL,), (EVIL,), (EVIL,), (EVIL,), where=EVIL),),
            consoles=(EVIL,),
            agents=(Agent(EVIL, EVIL),),
            unread=(Problem(EVIL, EVIL),),
        ),
    ),
    volumes=(Volume(EVIL, EVIL, EVIL, EVIL, EVIL),),
    encryption=(Encryption(EVIL, EVIL, EVIL, EVIL, 1, (EVIL,)),),
    boot_reason=EVIL,
    problems=(Problem(EVIL, EVIL, EVIL),),
)


@pytest.mark.parametrize("width", [40, 80, 120])
def test_nothing_hostile_reaches_a_terminal(width: int) -> None:
    text = plain(machine_text.rows([HOSTILE], Look(width)))
    assert not [char for char in text if not char.isprintable() and char != "\n"]
    assert not [line for line in text.splitlines() if line.startswith("::")]


def test_nothing_hostile_in_the_documents() -> None:
    as_json, as_yaml = machine_data.render_json([HOSTILE], "1"), machine_data.render_yaml([HOSTILE], "1")
    for text in (as_json, as_yaml, machine_xml.render([HOSTILE])):
        assert not [char for char in text if not char.isprintable() and char != "\n"]
    name = json.loads(as_json)["machines"][0]["name"]
    assert name == yaml.safe_load(as_yaml)["machines"][0]["name"] == EVIL.replace("\udcff", "\\xff")


def test_the_definition_is_shown_with_its_devices() -> None:
    definition = Definition(
        "vmx", "/x/web.vmx", name="web", firmware="uefi", memory_mib=4096, cpus=4, secure_boot=True, product="vmware",
        topology=Topology(2, 2, 1), uuid="564d9bef-acd9-b4e0-c8f0-aea8b9103515", controllers=(ControllerDevice("scsi", "pvscsi", "scsi0"),),
        disks=(DiskDevice("a.vmdk", "scsi", "pvscsi", target="scsi0:0", missing=True), DiskDevice("", blank=True, capacity=1 << 30)),
        nics=(NicDevice("00:50:56:00:00:01", "vmxnet3", "VM Network", fixed=True), *(NicDevice(),) * 12),
        media=(Medium("cdrom", "a.iso", "ide"),), snapshots=(Feature("snapshot", "before\x1b[31m"),),
        passthrough=(Feature("vgpu", "grid_p40"),), features=(Feature("sound", "TRUE"), Feature("cpu-affinity", "0")),
    )  # fmt: skip
    shown = lines(Machine("web", definition=definition))
    wanted = """\
     defined    web (VMX of vmware)
     machine    4 CPUs (2 sockets × 2 cores), 4.0 GiB, UEFI, Secure Boot
     identity   UUID 564d9bef-acd9-b4e0-c8f0-aea8b9103515
     attached   scsi0: scsi pvscsi
     disk       scsi0:0: a.vmdk, scsi pvscsi, missing
     disk       no file, 1.0 GiB, empty
     card       00:50:56:00:00:01, vmxnet3, on VM Network, set by hand
     card       any address
""".splitlines()
    assert shown[2 : 2 + len(wanted)] == wanted
    assert shown[2 + len(wanted) + 10 :][:6] == [
        "                and 1 more",
        "     drive      cdrom, ide, holds a.iso",
        "     snapshot   before\\x1b[31m",
        "     passed     vgpu grid_p40",
        "     settings   sound, cpu-affinity (0)",
        "",
    ]
