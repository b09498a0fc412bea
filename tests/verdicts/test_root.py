"""The verdict on the root device, where a case or an example would say it at length."""

from __future__ import annotations

import pytest

from guestbuild.kernel import vmlinuz
from tests.facts.guests import DEBIAN
from v2vlint.facts.registry import FactStore
from v2vlint.model.blocks import BlockDevice, BlockTable
from v2vlint.model.card_names import CardNames
from v2vlint.model.definition import Definition
from v2vlint.model.finding import Fate, Mover
from v2vlint.samples.boot import sample_boot
from v2vlint.samples.memory import memory_guest
from v2vlint.target import load
from v2vlint.verdicts.entry import EntryVerdict
from v2vlint.verdicts.root import RootVerdict

_CFG = "set default=0\nmenuentry 'Debian' {{\n linux /boot/vmlinuz-{0} root={1} ro\n}}\n"


@pytest.mark.parametrize(
    ("version", "root", "fate"),
    [
        ("5.10.0-28-amd64", "PARTLABEL=root-a", Fate.FAIL),
        ("5.15.0-100-generic", "PARTLABEL=root-a", Fate.PASS),
        ("5.15.0-100-generic", "LABEL=root-fs", Fate.FAIL),
    ],
)
def test_without_initramfs_the_kernel_finds_the_root_by_some_names_only(version: str, root: str, fate: Fate) -> None:
    disk = BlockDevice("disk1", "disk", 1 << 30, 0)
    part = BlockDevice(
        "disk1p1", "partition", 1 << 29, 0, number=1, fs_type="ext4", label="root-fs", part_label="root-a", parents=("disk1",)
    )
    files: dict[str, str | bytes] = {"/boot/grub/grub.cfg": _CFG.format(version, root), f"/boot/vmlinuz-{version}": vmlinuz(version)}
    given = (memory_guest(files), BlockTable((disk, part)), DEBIAN, Definition("", ""), CardNames(), load("kvm"), Mover.RAW)
    assert FactStore(given).get(RootVerdict).fate is fate


@pytest.mark.parametrize(("twin", "fates"), [(True, (Fate.UNKNOWN, Fate.UNKNOWN)), (False, (Fate.PASS, Fate.PASS))])
def test_two_filesystems_of_one_uuid_are_told(twin: bool, fates: tuple[Fate, Fate]) -> None:
    disks = [BlockDevice(f"disk{number}", "disk", 1 << 30, number - 1) for number in (1, 2)]
    parts = [
        BlockDevice(f"disk{number}p1", "partition", 1 << 29, number - 1, 1, "ext4", uuid, parents=(f"disk{number}",))
        for number, uuid in ((1, "0a1b-01"), (2, "0a1b-01" if twin else "0a1b-02"))
    ]
    files = sample_boot(args="root=UUID=0a1b-01")
    guest = memory_guest(files, uuid="0a1b-01")
    store = FactStore((guest, BlockTable((*disks, *parts)), DEBIAN, Definition("", ""), CardNames(), load("kvm"), Mover.RAW))
    assert (store.get(EntryVerdict).fate, store.get(RootVerdict).fate) == fates
    assert ("disk1p1 and disk2p1" in store.get(EntryVerdict).decisive.reason) is twin
