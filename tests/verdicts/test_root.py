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
from v2vlint.samples.memory import memory_guest
from v2vlint.target import load
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
