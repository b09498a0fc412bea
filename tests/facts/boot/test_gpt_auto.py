"""Roots by their partition type."""

from __future__ import annotations

import pytest

from v2vlint.facts.boot.cmdline import KernelArg
from v2vlint.facts.boot.gpt_auto import GENERATORS, ROOT_TYPES, gpt_auto
from v2vlint.facts.initramfs.content import Initramfs
from v2vlint.model.blocks import BlockDevice, BlockTable
from v2vlint.model.place import WholeFile

ESP = BlockDevice("disk2p1", "partition", 1, 1, 1, "vfat", part_type="c12a7328-f81f-11d2-ba4b-00a0c93ec93b")
ELSEWHERE = BlockDevice("disk1p1", "partition", 1, 0, 1, "ext4", part_type=ROOT_TYPES["x86_64"])
ROOT = BlockDevice("disk2p2", "partition", 1, 1, 2, "ext4", part_type=ROOT_TYPES["x86_64"])
SYSTEMD = Initramfs(WholeFile("/i"), files=frozenset(GENERATORS[:1]))


@pytest.mark.parametrize(
    ("devices", "arch", "root"),
    [
        ((ELSEWHERE, ESP, ROOT), "x86_64", "disk2p2"),
        ((ELSEWHERE, ESP), "x86_64", ""),
        ((ESP, ROOT), "aarch64", ""),
    ],
    ids=["on the disk of the ESP", "on another disk", "of another processor"],
)
def test_the_partition_that_systemd_takes(devices: tuple[BlockDevice, ...], arch: str, root: str) -> None:
    found = gpt_auto(BlockTable(devices), arch, "systemd-boot", SYSTEMD, ())
    assert (found.runs, found.root.name if found.root else "") == (True, root)


@pytest.mark.parametrize(
    ("loader", "image", "argument", "runs"),
    [
        ("uki", SYSTEMD, "quiet", True),
        ("grub2", SYSTEMD, "quiet", None),
        ("uki", Initramfs(WholeFile("/i")), "quiet", False),
        ("uki", None, "quiet", False),
        ("uki", SYSTEMD, "systemd.gpt_auto=0", False),
    ],
)
def test_whether_anybody_looks(loader: str, image: Initramfs | None, argument: str, runs: bool | None) -> None:
    name, _, value = argument.partition("=")
    args = (KernelArg(name, value or None, WholeFile("/x")),)
    assert gpt_auto(BlockTable((ESP, ROOT)), "x86_64", loader, image, args).runs is runs
