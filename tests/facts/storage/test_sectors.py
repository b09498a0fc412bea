"""Disks that the target presents with other logical sectors: what the kernel and libblkid make of them, and what is said."""

from __future__ import annotations

import dataclasses
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from guestbuild.tools import copy_into
from tests.disk.boot.ovmf import ESP, shown
from tests.facts.boot.test_efi_programs import GRUB as EFI_GRUB
from tests.verdicts.asking import FAILS, ROOT, UNSURE, disk, part, store, told
from v2vlint.facts.boot.start import ChosenFirmware
from v2vlint.facts.storage.root_stack import RootStack
from v2vlint.facts.storage.sectors import Sectors
from v2vlint.guest.open import open_ref
from v2vlint.model.blocks import BlockTable
from v2vlint.model.source import GuestRef
from v2vlint.model.target import Target
from v2vlint.samples.boot import sample_chain
from v2vlint.target import load
from v2vlint.target.libvirt import from_text
from v2vlint.verdicts.firmware import FirmwareVerdict
from v2vlint.verdicts.root import RootVerdict

MADE = {
    "XFS, 512": "mkfs.xfs -q -f -s size=512", "XFS, 4096": "mkfs.xfs -q -f -s size=4096", "ext4, 1024": "mkfs.ext4 -q -F -b 1024",
    "ext2, 2048": "mkfs.ext2 -q -F -b 2048", "ext4, 4096": "mkfs.ext4 -q -F -b 4096", "btrfs": "mkfs.btrfs -q -f",
}  # fmt: skip


def blocks_of(path: Path) -> BlockTable:
    return open_ref(GuestRef(str(path), "disks", (str(path),))).blocks


@contextmanager
def looped(path: Path, sector: int) -> Iterator[str]:
    """The image as a disk with such sectors, where the kernel has loop devices."""
    made = subprocess.run(["losetup", "-f", "--show", "-b", str(sector), str(path)], capture_output=True, text=True)
    if os.geteuid() or made.returncode:
        pytest.skip("no loop devices here")
    try:
        yield made.stdout.strip()
    finally:
        subprocess.run(["losetup", "-d", made.stdout.strip()], check=True)


@pytest.mark.parametrize(("name", "sector"), [*((name, 4096) for name in MADE), ("XFS, 512", 512)])
def test_the_kernel_mounts_what_is_not_refused(name: str, sector: int, tmp_path: Path) -> None:
    image, at = tmp_path / "d.raw", tmp_path / "at"
    subprocess.run(["truncate", "-s", "310M", image], check=True)
    subprocess.run([*MADE[name].split(), image], check=True, capture_output=True)
    blocks = blocks_of(image)
    at.mkdir()
    with looped(image, sector) as device:
        kind = blocks.disks[0].fs_type
        mounted = subprocess.run(["mount", "-t", kind, device, at], capture_output=True).returncode == 0
        if mounted:
            subprocess.run(["umount", at], check=True)
    assert bool(Sectors(sector, blocks).refused(blocks.disks[0])) is not mounted


@pytest.mark.parametrize("label", ["dos", "gpt"])
@pytest.mark.parametrize("sector", [512, 4096])
def test_a_table_counts_in_the_sectors_of_its_disk(label: str, sector: int, tmp_path: Path) -> None:
    image, first = tmp_path / "d.raw", (1 << 20) // sector
    subprocess.run(["truncate", "-s", "100M", image], check=True)
    lines = [
        f"label: {label}",
        f"start={first},size={first * 20}",
        f"start={first * 32},size={first * 40},type={'5' if label == 'dos' else 'L'}",
    ]
    lines += [f"start={first * 33},size={first * 20},type=83"] if label == "dos" else []
    with looped(image, sector) as device:
        subprocess.run(["sfdisk", "-q", "--no-reread", device], input="\n".join(lines), text=True, check=True, capture_output=True)
        shown = subprocess.run(["partx", "-g", "-o", "NR,START", "--show", device], check=True, capture_output=True, text=True).stdout
    subprocess.run(["mkfs.ext4", "-q", "-F", "-E", f"offset={1 << 20}", image, "16M"], check=True, capture_output=True)
    blocks = blocks_of(image)
    assert blocks.disks[0].detail("sector_size") == str(sector)
    parts = {device.number: int(device.detail("start")) // 512 for device in blocks if device.kind == "partition"}
    assert parts == {int(number): int(start) for number, start in map(str.split, shown.splitlines())}
    first_part = next(device for device in blocks if device.kind == "partition")
    assert [bool(Sectors(size, blocks).lost(first_part)) for size in (512, 4096)] == [sector != 512, sector != 4096]


@pytest.mark.truth
@pytest.mark.parametrize("clusters", [512, 4096])
@pytest.mark.parametrize("presented", [512, 4096])
@pytest.mark.parametrize("sector", [512, 4096])
def test_ovmf_finds_the_esp_by_the_sectors_of_the_table_alone(sector: int, presented: int, clusters: int, tmp_path: Path) -> None:
    """Whatever the sectors of the FAT are (``clusters``): EDK II reads it through bytes."""
    fat, image = tmp_path / "fat.img", tmp_path / "d.raw"
    subprocess.run(["truncate", "-s", "128M", image], check=True)
    with looped(image, sector) as device:
        text = f"label: gpt\nstart={(1 << 20) // sector},size={(100 << 20) // sector},type={ESP}\n"
        subprocess.run(["sfdisk", "-q", "--no-reread", device], input=text, text=True, check=True, capture_output=True)
    subprocess.run(["mkfs.vfat", "-S", str(clusters), "-C", fat, str(100 << 10)], check=True, capture_output=True)
    subprocess.run(["mmd", "-i", fat, "::EFI", "::EFI/BOOT"], check=True)
    subprocess.run(["mcopy", "-i", fat, EFI_GRUB, "::EFI/BOOT/BOOTX64.EFI"], check=True)
    copy_into(image, 1 << 20, fat)
    blocks = blocks_of(image)
    esp = next(device for device in blocks if device.kind == "partition")
    console = shown(image, awaited="grub>|Shell>", more=f",logical_block_size={presented},physical_block_size={presented}")
    assert bool(Sectors(presented, blocks).lost(esp)) is ("grub>" not in console)


def presenting(sector: int, name: str = "kvm") -> Target:
    return dataclasses.replace(load(name), sector_size=sector)


GRUB = BlockTable((disk(details=(("pt", "dos"), ("sector_size", "512"))), part(1, "ext4", ROOT)), chains=(sample_chain(),))


def test_boot_code_reads_small_sectors_only() -> None:
    bios = ChosenFirmware("bios")
    assert told(store({}, GRUB, bios, presenting(512)).get(FirmwareVerdict).sectors) == []
    assert told(store({}, GRUB, bios, presenting(4096)).get(FirmwareVerdict).sectors) == [FAILS]
    assert told(store({}, GRUB, bios, presenting(4096, "vmware")).get(FirmwareVerdict).sectors) == [UNSURE]


def test_a_root_under_lvm_on_a_lost_partition() -> None:
    volume = dataclasses.replace(part(3, "ext4", ROOT), name="vg/root", kind="lv", parents=("disk1p1",))
    blocks = BlockTable((disk(details=(("sector_size", "4096"),)), part(1, "LVM2_member"), volume))
    assert "disk1 counts in sectors of 4096 bytes" in store({}, blocks).get(Sectors).lost(volume)
    assert not store({}, blocks, presenting(4096)).get(Sectors).lost(volume)


def test_a_small_filesystem_under_layers_of_a_large_disk() -> None:
    volume = dataclasses.replace(part(3, "xfs", ROOT, details=(("sector_size", "512"),)), name="vg/root", kind="lv", parents=("disk1",))
    blocks = BlockTable((disk(fs_type="LVM2_member"), volume))
    assert store({}, blocks, presenting(4096)).get(Sectors).refused(volume)
    assert not store({}, blocks).get(Sectors).refused(volume)


def test_hyperv_presents_what_the_image_states() -> None:
    large = disk(details=(("sector_size", "4096"), ("stated_sector", "4096")))
    blocks = BlockTable((large, part(1, "xfs", ROOT)))
    assert [store({}, blocks, load(name)).get(Sectors).of(large) for name in ("hyperv-gen2", "kvm")] == [4096, 512]
    assert [bool(store({}, blocks, load(name)).get(Sectors).lost(blocks.devices[1])) for name in ("hyperv-gen2", "kvm")] == [False, True]


def test_the_root_fails_where_its_partition_is_lost() -> None:
    root = part(1, "ext4", ROOT)
    blocks = BlockTable((disk(details=(("sector_size", "4096"),)), root))
    assert told(store({}, blocks, RootStack("ext4", root)).get(RootVerdict).sectors) == [FAILS]


def domain_of(*disks: tuple[str, str]) -> Target:
    """A domain with disks of these names and requested sector sizes."""
    text = (f"<disk device='disk'><blockio logical_block_size='{size}'/><target dev='{name}'/></disk>" for name, size in disks)
    return from_text("a", f"<domain type='kvm'><devices>{''.join(text)}</devices></domain>")


def test_each_disk_of_a_domain_has_its_own() -> None:
    mixed = domain_of(("vdb", "4096"), ("vda", "512"))
    assert (mixed.sector_size, mixed.disk_sectors) == (512, (512, 4096))
    assert domain_of(("vda", "4096"), ("vdb", "4096")).disk_sectors == domain_of(("hda", "4096")).disk_sectors == ()
    assert domain_of(("hda", "4096")).sector_size == 512
    data = disk(2, details=(("sector_size", "512"),))
    blocks = BlockTable((*GRUB.devices, data, part(1, "ext4", "bb-22", on=2)))
    found = store({}, blocks, mixed).get(Sectors)
    assert [found.of(one) for one in blocks.disks] == [512, 4096]
    assert not found.lost(blocks.devices[1])
    assert "disk2 counts in sectors of 512 bytes, and there they have 4096" in found.lost(blocks.devices[3])
    assert [bool(store({}, blocks, one).get(Sectors).lost(blocks.devices[3])) for one in (domain_of(("vda", "512")), load("kvm"))] == [
        False,
        False,
    ]


def test_images_and_cards_with_smaller_sectors(tmp_path: Path) -> None:
    """exFAT and ISO 9660, which not every host's kernel can mount."""
    image, tree = tmp_path / "d.raw", tmp_path / "tree"
    tree.mkdir()
    for command in (f"mkfs.exfat {image}", f"genisoimage -quiet -o {image} {tree}"):
        image.unlink(missing_ok=True)
        subprocess.run(["truncate", "-s", "16M", image], check=True)
        subprocess.run(command.split(), check=True, capture_output=True)
        found = blocks_of(image)
        assert [bool(Sectors(size, found).refused(found.disks[0])) for size in (512, 4096)] == [False, True], command


def test_libvirt_says_the_size() -> None:
    text = "<domain type='kvm'><devices><disk device='disk'>{}<target dev='vda' bus='virtio'/></disk></devices></domain>"
    assert from_text("a", text.format("")).sector_size == 512
    assert from_text("a", text.format("<blockio logical_block_size='4096'/>")).sector_size == 4096
