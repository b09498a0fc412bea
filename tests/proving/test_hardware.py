"""QEMU options of target hardware."""

from __future__ import annotations

import subprocess
from dataclasses import replace

import pytest

from v2vlint import target
from v2vlint.model.errors import UsageError
from v2vlint.model.target import Hardware
from v2vlint.proving.hardware import PROGRAMS, ProofMachine, basics, differences, disk_devices, network

KVM = target.load("kvm")


def board(disk: str = "virtio-blk-pci", machine: str = "q35", **changes: object) -> ProofMachine:
    """A board of the kvm target with other hardware."""
    hardware = Hardware(machine=machine, disk=disk, nic="virtio-net-pci", vga="std")
    return ProofMachine(replace(KVM, hardware=hardware, **changes), "bios", False, "52:54:00:00:00:01", 512)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("machine", "disk", "devices"),
    [
        ("q35", "virtio-blk-pci", ["virtio-blk-pci,drive=disk0,bootindex=1", "virtio-blk-pci,drive=disk1,bootindex=2"]),
        ("q35", "ide-hd", ["ide-hd,bus=ide.0,unit=0,drive=disk0,bootindex=1", "ide-hd,bus=ide.1,unit=0,drive=disk1,bootindex=2"]),
        ("pc", "ide-hd", ["ide-hd,bus=ide.0,unit=0,drive=disk0,bootindex=1", "ide-hd,bus=ide.0,unit=1,drive=disk1,bootindex=2"]),
        (
            "pc",
            "virtio-scsi-pci",
            [
                "virtio-scsi-pci,id=hba0",
                "scsi-hd,bus=hba0.0,scsi-id=0,drive=disk0,bootindex=1",
                "scsi-hd,bus=hba0.0,scsi-id=1,drive=disk1,bootindex=2",
            ],
        ),
        ("pc", "ahci", ["ahci,id=hba0", "ide-hd,bus=hba0.0,drive=disk0,bootindex=1", "ide-hd,bus=hba0.1,drive=disk1,bootindex=2"]),
        ("q35", "nvme", ["nvme,serial=disk0,drive=disk0,bootindex=1", "nvme,serial=disk1,drive=disk1,bootindex=2"]),
        (
            "q35",
            "virtio-blk-pci,disable-legacy=on",
            ["virtio-blk-pci,disable-legacy=on,drive=disk0,bootindex=1", "virtio-blk-pci,disable-legacy=on,drive=disk1,bootindex=2"],
        ),
    ],
)
def test_disks(machine: str, disk: str, devices: list[str]) -> None:
    assert list(disk_devices(board(disk, machine), ["disk0", "disk1"])) == [word for device in devices for word in ("-device", device)]


@pytest.mark.parametrize(
    ("disk", "sees"), [("pvscsi", False), ("mptsas1068", False), ("virtio-scsi-pci", True), ("nvme", True), ("ahci", True)]
)
def test_disks_that_the_firmware_of_qemu_sees(disk: str, sees: bool) -> None:
    """As Debian 12's OVMF lists them in its shell; SeaBIOS has drivers for all of them."""
    assert replace(board(disk), firmware="uefi").firmware_sees_disks is sees
    assert board(disk).firmware_sees_disks


def test_the_firmware_starts_from_the_disk_with_the_loader() -> None:
    devices = [word for word in disk_devices(board(), ["disk0", "disk1", "disk2"], 1) if word != "-device"]
    assert [device.partition(",")[2] for device in devices] == [
        "drive=disk0,bootindex=2",
        "drive=disk1,bootindex=1",
        "drive=disk2,bootindex=3",
    ]


def test_more_disks_than_ports() -> None:
    with pytest.raises(UsageError, match="5 disks do not fit"):
        list(disk_devices(board("ide-hd", "pc"), [f"disk{index}" for index in range(5)]))


@pytest.mark.parametrize(("level", "kvm"), [(1, "qemu64"), (2, "Nehalem"), (3, "Haswell-noTSX"), (4, "Skylake-Server-noTSX-IBRS")])
def test_processors(level: int, kvm: str) -> None:
    fast = list(basics(replace(board(cpu_level=level), kvm=True)))
    assert fast[fast.index("-cpu") + 1] == kvm
    slow = list(basics(board(cpu_level=level)))
    assert slow[slow.index("-cpu") + 1].startswith(("qemu64", "EPYC"))


def test_a_machine_for_64_bit_arm() -> None:
    there = ProofMachine(target.load("kvm-aarch64"), "uefi", False, "52:54:00:00:00:01", 512)
    words = list(basics(there))
    assert (words[words.index("-machine") + 1], words[words.index("-cpu") + 1]) == ("virt", "cortex-a72")
    assert "-vga" not in words
    assert there.cpu_level == "ARMv8.0-A"
    assert "host" in list(basics(replace(there, kvm=True)))
    assert differences(there) == ()


def test_no_machine_for_processors_that_qemu_is_not_asked_for() -> None:
    there = ProofMachine(replace(KVM, arch="s390x"), "bios", False, "52:54:00:00:00:01", 512)
    with pytest.raises(UsageError, match="cannot present"):
        list(basics(there))


def test_what_differs_from_the_target_is_said() -> None:
    assert differences(board()) == ()
    assert "AVX-512" in differences(board(cpu_level=4))[0]
    assert "hyperv" in differences(board(hypervisor="hyperv"))[0]
    assert differences(replace(board(cpu_level=4), kvm=True)) == ()


def test_a_target_without_hardware_cannot_be_proven() -> None:
    with pytest.raises(UsageError, match="cannot present the hardware of target hyperv-gen2"):
        list(basics(ProofMachine(target.load("hyperv-gen2"), "uefi", False, "", 512)))


PROVABLE = [name for name in target.names() if target.load(name).hardware]


@pytest.mark.parametrize(
    ("machine", "card", "device"),
    [
        ("q35", "virtio-net-pci", "virtio-net-pci,bus=port0,disable-legacy=off,netdev=net0"),
        ("q35", "virtio-net-pci,disable-legacy=on", "virtio-net-pci,disable-legacy=on,bus=port0,netdev=net0"),
        ("q35", "e1000e", "e1000e,bus=port0,netdev=net0"),
        ("q35", "e1000", "e1000,netdev=net0"),
        ("pc", "virtio-net-pci", "virtio-net-pci,netdev=net0"),
    ],
)
def test_the_card_is_where_libvirt_puts_it(machine: str, card: str, device: str) -> None:
    """Names of cards are made of their places: enp1s0 behind a port, ens3 in the first free slot of a PC."""
    there = board(machine=machine)
    hardware = replace(there.hardware, nic=card)
    words = list(network(replace(there, target=replace(there.target, hardware=hardware))))
    assert words[-1].startswith(f"{device},mac=")
    assert ("pcie-root-port,id=port0,chassis=1,slot=1" in words) is ("port0" in device)


@pytest.mark.slow
@pytest.mark.parametrize("name", PROVABLE)
def test_qemu_builds_the_hardware_of_every_shipped_target(name: str) -> None:
    """QEMU itself accepts the options, with two disks, and stops before the first instruction."""
    there = ProofMachine(target.load(name), target.load(name).firmware[0], False, "52:54:00:00:00:01", 256)
    disks = [word for index in (0, 1) for word in ("-blockdev", f"null-co,node-name=disk{index},size=1048576,read-zeroes=on")]
    command = [
        PROGRAMS[there.target.arch][0],
        *basics(there),
        *network(there),
        *disks,
        *disk_devices(there, ["disk0", "disk1"]),
        "-S",
        "-qmp",
        "stdio",
    ]
    quit_at_once = b'{"execute":"qmp_capabilities"}{"execute":"quit"}'
    done = subprocess.run(command, input=quit_at_once, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr.decode()
