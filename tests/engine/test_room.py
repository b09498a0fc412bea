"""A fix that finds no room is not promised: what ``check`` says of it is what ``fix`` does."""

from __future__ import annotations

import pytest

from v2vlint.engine.room import with_room
from v2vlint.model.blocks import BlockDevice, BlockTable
from v2vlint.model.finding import Finding, Severity
from v2vlint.model.fix import AppendInitramfs, Applicability, CopyFile, Edit, Fix, ReplaceText, WriteData
from v2vlint.model.place import Span, WholeFile
from v2vlint.samples.memory import memory_guest

DEP = "kernel/virtio_blk.ko.xz: kernel/virtio-ring.ko.xz\nkernel/virtio-ring.ko.xz:\n"
FS = memory_guest({
    "/boot/initrd.img": "x", "/lib/modules/6.1/modules.dep": DEP, "/lib/modules/6.1/kernel/virtio_blk.ko.xz": "b" * 3000,
    "/lib/modules/6.1/kernel/virtio-ring.ko.xz": "r" * 5000, "/boot/BOOTX64.EFI": "e" * 9000, "/etc/fstab": "a\n",
}, "fs")  # fmt: skip


def finding(*edits: Edit) -> Finding:
    return Finding("rule", Severity.ERROR, WholeFile("/etc/fstab"), "message", "effect", Fix("repair it", Applicability.SAFE, edits))


@pytest.mark.parametrize(
    ("edit", "size"),
    [
        (AppendInitramfs("/boot/initrd.img", "6.1", ("virtio-blk",)), 8000),
        (WriteData("/boot/new", b"n" * 5000, ""), 5000),
        (CopyFile("/boot/BOOTX64.EFI", "/boot/copy"), 9000),
    ],
)
def test_what_does_not_fit_is_only_printed(edit: Edit, size: int) -> None:
    for free, wanted in (((1 << 20) + size, Applicability.SAFE), ((1 << 20) + size - 1, Applicability.MANUAL)):
        device = BlockDevice("disk1p1", "partition", 1 << 30, 0, uuid="fs", details=(("free", str(free)),))
        told = with_room(finding(edit), FS, BlockTable((device,))).fix
        assert told is not None
        assert told.applicability is wanted
        assert ("free on disk1p1" in told.title) is (wanted is Applicability.MANUAL)


def test_the_edits_of_a_fix_need_room_together() -> None:
    edits = (WriteData("/boot/a", b"n" * 5000, ""), WriteData("/boot/b", b"n" * 5000, ""))
    for free, wanted in (((1 << 20) + 10_000, Applicability.SAFE), ((1 << 20) + 9999, Applicability.MANUAL)):
        device = BlockDevice("disk1p1", "partition", 1 << 30, 0, uuid="fs", details=(("free", str(free)),))
        told = with_room(finding(*edits), FS, BlockTable((device,))).fix
        assert told is not None
        assert told.applicability is wanted


def test_a_changed_line_needs_none() -> None:
    edit = ReplaceText(Span("/etc/fstab", 0, 1, 1, 1), "a", "b")
    full = BlockTable((BlockDevice("disk1p1", "partition", 1 << 30, 0, uuid="fs", details=(("free", "0"),)),))
    assert with_room(finding(edit), FS, full) == finding(edit)
