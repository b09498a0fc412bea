"""Which of several systems comes up: the owner of the boot code, the fallback loader, the default entry."""

from __future__ import annotations

import pytest

from v2vlint.engine.examples import example_store
from v2vlint.facts.boot.who import Starter, System, Systems, boot_owner, who_starts
from v2vlint.model.blocks import BlockDevice, BlockTable
from v2vlint.model.finding import Fate
from v2vlint.model.rule import Content, Example
from v2vlint.samples.boot import sample_chain
from v2vlint.verdicts.entry import EntryVerdict

ESP = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"
CFG: dict[str, Content] = {"/boot/grub/grub.cfg": "menuentry 'Debian' {\n linux /boot/vmlinuz root=UUID=0f3c-77\n initrd /boot/i.img\n}\n"}
WINDOWS: dict[str, Content] = {"/Windows/System32/ntoskrnl.exe": b"MZ", "/esp/EFI/Microsoft/Boot/bootmgfw.efi": b"MZ bootmgfw.pdb"}
LOADER: dict[str, Content] = {"/boot/efi/EFI/debian/grubx64.efi": b"MZ GRUB"}


def disks(code: str, second: str = "none", table: str = "dos") -> BlockTable:
    """One disk with an NTFS and an ext4, from which the BIOS gets to the loader ``code``; and another disk."""
    return BlockTable(
        (
            BlockDevice("disk1", "disk", 8 << 30, 0, details=(("pt", table),)),
            BlockDevice("disk1p1", "partition", 4 << 30, 0, 1, "ntfs", "0A"),
            BlockDevice("disk1p2", "partition", 3 << 30, 0, 2, "ext4", "0f3c-77"),
            BlockDevice("disk1p3", "partition", 1 << 29, 0, 3, "vfat", "AB-CD", part_type=ESP if table == "gpt" else "0x7"),
            BlockDevice("disk2", "disk", 8 << 30, 1, details=(("pt", "dos"),)),
        ),
        chains=(sample_chain(code), sample_chain(second, 1)),
    )


def systems(blocks: BlockTable, linux: dict[str, Content], windows: dict[str, Content] | None = None) -> tuple[System, System]:
    """A Windows on the first partition and a Linux on the second."""
    stores = [example_store(Example(files, given=(blocks,))) for files in (windows or WINDOWS, linux)]
    return System("disk1p1", "windows", "Windows 10", "disk1p1", stores[0]), System("disk1p2", "linux", "Debian", "disk1p2", stores[1])


@pytest.mark.parametrize(
    ("blocks", "owner"),
    [
        (disks("windows"), "windows"),
        (disks("grub2"), "linux"),
        (disks("grub2", second="windows"), "linux"),
        (disks("none", second="grub2"), "linux"),
        (disks("none", second="windows"), "windows"),
        (disks("other"), ""),
        (disks("none"), ""),
    ],
)
def test_the_first_disk_with_code_belongs_to_somebody(blocks: BlockTable, owner: str) -> None:
    assert boot_owner(blocks) == owner


@pytest.mark.parametrize(
    ("blocks", "linux", "wanted"),
    [
        (disks("windows"), CFG, "disk1p1"),
        (disks("grub2"), CFG, "disk1p2"),
        (disks("none", table="gpt"), {**CFG, "/boot/efi/EFI/Microsoft/Boot/bootmgfw.efi": b"MZ bootmgfw.pdb"}, "disk1p1"),
        (disks("none", table="gpt"), {**CFG, **LOADER, "/boot/efi/EFI/Boot/bootx64.efi": b"MZ GRUB"}, "disk1p2"),
    ],
    ids=["a Linux without boot code", "GRUB", "Windows' ESP", "GRUB on the ESP"],
)
def test_a_loader_that_nothing_reaches_starts_nothing(blocks: BlockTable, linux: dict[str, Content], wanted: str) -> None:
    starter = who_starts(systems(blocks, linux), blocks)
    assert starter.system is not None, starter.reason
    assert starter.system.device == wanted


def test_only_firmware_that_the_target_has_counts() -> None:
    blocks = disks("grub2")
    starter = who_starts(systems(blocks, CFG), blocks, ("uefi",))
    assert starter.system is not None
    assert starter.system.device == "disk1p1"


def test_the_other_system_is_told_that_it_does_not_come_up() -> None:
    blocks = disks("windows")
    found = systems(blocks, CFG)
    for own, fate in ((0, ()), (1, (Fate.UNKNOWN,))):
        store = found[own].store.with_given(Systems(found, own))
        assert tuple(cause.fate for cause in store.get(EntryVerdict).another) == fate
    assert Starter(found[0]).other_than(Systems(found, 0)) is None
