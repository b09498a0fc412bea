"""Guests whose boot code or ESP is not on the first disk: by firmware, target and what else is on the first. SeaBIOS and OVMF are asked."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.disk.boot.disks import MBR, Raw, grub2
from tests.disk.boot.ovmf import esp_image, shown
from tests.disk.boot.test_chain import screen
from tests.verdicts.asking import FAILS, REPAIRED, ROOT, UNSURE, Told, disk, part, store, told
from v2vlint.facts.boot.efi import ESP_TYPE
from v2vlint.facts.boot.start import ChosenFirmware
from v2vlint.facts.conversion.refusals import Refusals
from v2vlint.guest.fs import GuestFS
from v2vlint.model.blocks import BlockTable
from v2vlint.model.definition import Definition
from v2vlint.model.finding import Mover
from v2vlint.model.osinfo import OsInfo
from v2vlint.model.target import Target
from v2vlint.samples.boot import sample_chain
from v2vlint.samples.memory import MemoryFileSystem, memory_guest
from v2vlint.source.kinds.vmx import vmx
from v2vlint.target.libvirt import from_text
from v2vlint.verdicts.firmware import FirmwareVerdict

GRUB = Path("/usr/lib/grub/x86_64-efi/monolithic/grubx64.efi")
GPT = (("pt", "gpt"),)
ESP = part(1, "vfat", "AB-CD", on=2, part_type=ESP_TYPE)
DATA = (disk(), part(1, "ext4", ROOT))
UEFI = BlockTable((*DATA, disk(2, details=GPT), ESP), chains=(sample_chain("none"), sample_chain("none", 1)))
OTHER = BlockTable((disk(details=GPT), part(1, "vfat", "EF-01", part_type=ESP_TYPE), *UEFI.devices[2:]), chains=UEFI.chains)
BIOS = BlockTable((*DATA, disk(2), part(1, "ext4", ROOT, on=2)), chains=(sample_chain("none"), sample_chain(disk=1)))
ODD = BlockTable(BIOS.devices, chains=(sample_chain("other"), sample_chain(disk=1)))
FIRST = BlockTable((disk(), part(1, "ext4", ROOT), disk(2)), chains=(sample_chain(), sample_chain("none", 1)))
BOTH = BlockTable(BIOS.devices, chains=(sample_chain(), sample_chain(disk=1)))
WINDOWS = OsInfo("windows", "windows", "windows", "Windows 10", "10.0", "x86_64")


@pytest.mark.parametrize(("blocks", "kind", "target", "mover", "wanted"), [
    (UEFI, "uefi", "kvm", Mover.RAW, [FAILS]), (UEFI, "uefi", "proxmox", Mover.RAW, [FAILS]),
    (UEFI, "uefi", "kubevirt", Mover.RAW, [UNSURE]),
    (UEFI, "uefi", "vmware", Mover.RAW, [UNSURE]), (UEFI, "uefi", "hyperv-gen2", Mover.RAW, [UNSURE]),
    (UEFI, "uefi", "openstack", Mover.RAW, [UNSURE]), (UEFI, "uefi", "kvm", Mover.VIRT_V2V, [REPAIRED]),
    (BIOS, "bios", "kvm", Mover.RAW, [FAILS]), (BIOS, "bios", "vmware", Mover.RAW, [FAILS]),
    (BIOS, "bios", "ec2-nitro", Mover.RAW, [UNSURE]),
    (ODD, "bios", "kvm", Mover.RAW, [UNSURE]), (BOTH, "bios", "kvm", Mover.RAW, []),
])  # fmt: skip
@pytest.mark.parametrize("system", ["linux", "windows"])
def test_the_first_disk(blocks: BlockTable, kind: str, target: str, mover: Mover, wanted: Told, system: str) -> None:
    root = {"/boot/efi/EFI/BOOT/BOOTX64.EFI": b"MZ grub_"} if system == "linux" else {"/Windows/System32/x": b""}
    given = (memory_guest(root, ROOT), blocks, ChosenFirmware(kind), Refusals(converts=True), *([WINDOWS] if system == "windows" else []))
    facts = store({}, *given, target=target, mover=mover)
    assert told(facts.get(FirmwareVerdict).order) == wanted


def test_another_esp_on_the_first_disk() -> None:
    top = MemoryFileSystem({"/boot/efi/x": b""}, "ext4", ROOT)
    mounts = {"/": top, "/boot/efi": MemoryFileSystem({"/EFI/BOOT/BOOTX64.EFI": b"MZ grub_"}, "vfat", "AB-CD")}
    assert told(store({}, GuestFS(mounts), OTHER, ChosenFirmware("uefi")).get(FirmwareVerdict).order) == [UNSURE]


def domain(*orders: int, names: str = "abc") -> Target:
    """A domain whose disks have these boot orders, 0 for none."""
    boots = (f"<boot order='{order}'/>" if order else "" for order in orders)
    disks = "".join(f"<disk device='disk'><target dev='vd{name}'/>{boot}</disk>" for name, boot in zip(names, boots, strict=False))
    return from_text("a", f"<domain type='kvm'><devices>{disks}</devices></domain>")


@pytest.mark.parametrize(("blocks", "kind", "orders", "wanted"), [
    (UEFI, "uefi", (0, 0), [FAILS]), (UEFI, "uefi", (0, 1), []), (UEFI, "uefi", (1, 2), []), (UEFI, "uefi", (1, 0), [FAILS]),
    (OTHER, "uefi", (1, 2), [UNSURE]), (OTHER, "uefi", (2, 1), []), (OTHER, "uefi", (0, 1), []),
    (BIOS, "bios", (0, 0), [FAILS]), (BIOS, "bios", (0, 1), []), (BIOS, "bios", (1, 2), [FAILS]), (BIOS, "bios", (2, 1), []),
    (ODD, "bios", (2, 1), []), (BOTH, "bios", (1, 2), []), (FIRST, "bios", (0, 1), [FAILS]), (FIRST, "bios", (1, 2), []),
    (FIRST, "bios", (2, 1), [FAILS]),
])  # fmt: skip
@pytest.mark.parametrize("system", ["linux", "windows"])
def test_a_domain_that_orders_its_disks(blocks: BlockTable, kind: str, orders: tuple[int, ...], wanted: Told, system: str) -> None:
    mounts = {"/": MemoryFileSystem({"/boot/efi/x": b""}, "ext4", ROOT)}
    mounts["/boot/efi"] = MemoryFileSystem({"/EFI/BOOT/BOOTX64.EFI": b"MZ grub_"}, "vfat", "AB-CD")
    given = (GuestFS(mounts), blocks, ChosenFirmware(kind), domain(*orders), *([WINDOWS] if system == "windows" else []))
    assert told(store({}, *given).get(FirmwareVerdict).order) == wanted


def machine(order: str, second: str = "scsi0:1") -> Definition:
    slots = "".join(f'{slot}.present = "TRUE"\n{slot}.fileName = "{slot[-1]}.vmdk"\n' for slot in ("scsi0:0", second))
    return vmx("a.vmx", f'scsi0.present = "TRUE"\n{slots}bios.hddOrder = "{order}"\n'.encode())


@pytest.mark.parametrize(("order", "blocks", "target", "wanted"), [
    ("scsi0:1", BOTH, "kvm", [UNSURE]), ("scsi0:1,scsi0:0", BOTH, "kvm", [UNSURE]), ("ide1:0, scsi0:1", BOTH, "kvm", [UNSURE]),
    ("scsi0:0", BOTH, "kvm", []), ("scsi0:0,scsi0:1", BOTH, "kvm", []), ("", BOTH, "kvm", []), ("scsi0:1", BIOS, "kvm", []),
    ("scsi0:1", FIRST, "kvm", []), ("scsi0:1", UEFI, "kvm", []), ("scsi0:1", BOTH, "vmware", [UNSURE]),
])  # fmt: skip
def test_the_source_starts_a_later_disk(order: str, blocks: BlockTable, target: str, wanted: Told) -> None:
    for mover in (Mover.RAW, Mover.VIRT_V2V):
        facts = store({}, blocks, ChosenFirmware("bios"), machine(order), Refusals(converts=True), target=target, mover=mover)
        assert told(facts.get(FirmwareVerdict).other_start) == wanted, mover
    facts = store({}, blocks, ChosenFirmware("bios"), machine(order), domain(0, 1))
    assert told(facts.get(FirmwareVerdict).other_start) == []
    assert told(store({}, blocks, ChosenFirmware("uefi"), machine(order)).get(FirmwareVerdict).other_start) == []


def test_a_disk_that_was_not_looked_at_may_start() -> None:
    alone = BlockTable((disk(), part(1, "vfat", "AB-CD", part_type=ESP_TYPE), part(2, "ext4", ROOT)), complete=True)
    mounts = {"/": MemoryFileSystem({"/boot/efi/x": b""}, "ext4", ROOT)}
    mounts["/boot/efi"] = MemoryFileSystem({"/EFI/BOOT/BOOTX64.EFI": b"MZ grub_"}, "vfat", "AB-CD")
    facts = store({}, GuestFS(mounts), alone, ChosenFirmware("uefi"), domain(0, 1))
    assert told(facts.get(FirmwareVerdict).order) == [UNSURE]


def test_a_number_of_many_digits_is_one() -> None:
    assert domain(int("1" * 4000), 1).boot_order == (2, 1)
    text = f"<domain type='kvm'><devices><disk device='disk'><target dev='vda'/><boot order='{'1' * 5000}'/></disk></devices></domain>"
    assert from_text("a", text).boot_order == (1,)


def test_the_disks_of_a_domain_are_numbered_by_their_names() -> None:
    assert domain(1, 2, names="ba").boot_order == (2, 1)
    assert domain(0, 0).boot_order == ()


@pytest.mark.truth
@pytest.mark.parametrize(("first", "listed", "starts"), [("blank", 1, False), ("blank", 2, True), ("empty ESP", 1, False)])
def test_ovmf_starts_what_is_in_the_order(first: str, listed: int, starts: bool, tmp_path: Path) -> None:
    second = esp_image(tmp_path / "second.raw", {"EFI/BOOT/BOOTX64.EFI": GRUB.read_bytes()})
    other = esp_image(tmp_path / "first.raw", {"x": b""})
    if first == "blank":
        other = tmp_path / "blank.raw"
        subprocess.run(["truncate", "-s", "64M", other], check=True)
    assert ("grub>" in shown(other, second, awaited="grub>|Shell>", listed=listed)) is starts


@pytest.mark.slow
@pytest.mark.parametrize("first", [Raw, lambda path: Raw(path, *MBR)])
def test_seabios_starts_the_first_disk_only(first: type[Raw], tmp_path: Path) -> None:
    second = grub2(tmp_path / "second.raw").path
    assert "grub>" not in screen(first(tmp_path / "first.raw").path, "grub>|No bootable", second)
    assert "grub>" in screen(second, "grub>", first(tmp_path / "first.raw").path)
