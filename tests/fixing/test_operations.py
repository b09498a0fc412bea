"""From fixes to operations: each kind of edit, and fixes that cannot be carried out whole."""

from __future__ import annotations

import base64
import hashlib
import random

import lz4.block
import pytest

from v2vlint.facts.initramfs.images import Initramfses
from v2vlint.fixing.operations import build, selinux_specification
from v2vlint.model.blocks import BlockDevice, BlockTable
from v2vlint.model.fix import AppendInitramfs, Applicability, CopyFile, Delete, Edit, Fix, Rebuild, ReplaceText, WriteData, WriteFile
from v2vlint.model.place import Span
from v2vlint.model.rule import Link
from v2vlint.samples.boot import VERSION, sample_initramfs, sample_kernel
from v2vlint.samples.memory import memory_guest

FILES: dict[str, str | bytes | Link] = {
    "/etc/fstab": "/dev/sda1 / ext4\r\n",
    "/etc/link": Link("/etc/fstab"),
    "/boot/efi/EFI/debian/grubx64.efi": b"MZ",
    "/usr/sbin/update-initramfs": "#!/bin/sh\n",
}
REPLACE = ReplaceText(Span("/etc/link", 0, 9, 1), "/dev/sda1", "UUID=1")


def fix(*edits: Edit) -> Fix:
    """A safe fix with these edits."""
    return Fix("repair it", Applicability.SAFE, edits)


def work(*fixes: Fix, rebuild: bool = False) -> list[dict[str, object]]:
    """The operations, with texts readable again."""
    done = build(memory_guest(FILES), BlockTable(), fixes, rebuild=rebuild)
    assert not done.refused
    found: list[dict[str, object]] = [dict(op) for op in done.operations]
    return [{**op, "data": base64.b64decode(str(op["data"])).decode()} if "data" in op else op for op in found]


def test_overwrite_follows_links_and_keeps_line_ends() -> None:
    expect = hashlib.sha256(b"/dev/sda1 / ext4\r\n").hexdigest()
    assert work(fix(REPLACE)) == [{"op": "overwrite", "path": "/etc/fstab", "data": "UUID=1 / ext4\r\n", "expect": expect}]


def test_a_file_is_changed_under_one_name() -> None:
    other = ReplaceText(Span("/etc/fstab", 10, 11, 1), "/", "/x")
    done = build(memory_guest(FILES), BlockTable(), (fix(REPLACE), fix(other)))
    assert [one["op"] for one in done.operations] == ["overwrite"]
    assert [reason for _fix, reason in done.refused] == ["/etc/fstab: is a second name of a file that is changed already"]
    assert build(memory_guest(FILES), BlockTable(), (fix(REPLACE, other),)).operations == ()


@pytest.mark.parametrize(
    ("edit", "operation"),
    [
        (WriteFile("/etc/new", "x\n", 0o600), {"op": "create", "path": "/etc/new", "data": "x\n", "mode": 0o600}),
        (Delete("/etc/link"), {"op": "delete", "path": "/etc/link"}),
        (
            CopyFile("/boot/efi/EFI/debian/grubx64.efi", "/boot/efi/EFI/BOOT/BOOTX64.EFI"),
            {"op": "copy", "source": "/boot/efi/EFI/debian/grubx64.efi", "path": "/boot/efi/EFI/BOOT/BOOTX64.EFI"},
        ),
    ],
)
def test_other_edits(edit: Edit, operation: dict[str, object]) -> None:
    assert work(fix(edit)) == [operation]


def test_rebuild_runs_the_guests_generator_instead_of_appending() -> None:
    edits = fix(AppendInitramfs("/boot/initrd.img", "6.1", ("virtio_blk",)))
    assert [op["command"] for op in work(edits, rebuild=True)] == ["update-initramfs -u -k 6.1"]


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (Rebuild("initramfs:6.1"), "needs --rebuild-initramfs"),
        (ReplaceText(Span("/etc/fstab", 0, 4, 1), "LABE", "x"), "no longer reads"),
        (WriteFile("/etc/fstab", "x"), "already exists"),
        (CopyFile("/absent", "/new"), "is absent"),
        (CopyFile("/etc/fstab", "/etc/link"), "exists already"),
        (AppendInitramfs("/boot/initrd.img", "6.1", ("virtio_blk",)), "is absent"),
    ],
)
def test_what_cannot_be_done_whole_is_refused_and_the_rest_goes_on(edit: Edit, reason: str) -> None:
    good, bad = fix(Delete("/etc/link")), fix(WriteFile("/etc/other", "x"), edit)
    done = build(memory_guest(FILES), BlockTable(), [bad, good])
    assert done.taken == (good,)
    assert [(one, reason in words) for one, words in done.refused] == [(bad, True)]
    assert [op["op"] for op in done.operations] == ["delete"]


@pytest.mark.parametrize(
    ("files", "path"),
    [
        ({}, ""),
        ({"/etc/selinux/config": "SELINUX=enforcing\n"}, ""),
        ({"/etc/selinux/config": "SELINUX=disabled\n", "/usr/sbin/load_policy": b""}, ""),
        (
            {"/etc/selinux/config": "# SELINUX=disabled\nSELINUX=permissive\nSELINUXTYPE=mls\n", "/usr/sbin/load_policy": b""},
            "/etc/selinux/mls/contexts/files/file_contexts",
        ),
    ],
)
def test_selinux_specification(files: dict[str, str | bytes | Link], path: str) -> None:
    assert selinux_specification(memory_guest(files)) == path


def test_fixes_need_room_together() -> None:
    """Each of them fits alone. Those for which no room is left are refused, and the others are made."""
    fixes = [fix(WriteData(f"/boot/{name}", bytes(5000), "")) for name in "abc"]
    for free, count in ((15_000, 3), (14_999, 2), (5000, 1), (4999, 0)):
        device = BlockDevice("disk1p1", "partition", 1 << 30, 0, uuid="fs", details=(("free", str((1 << 20) + free)),))
        done = build(memory_guest(FILES, "fs"), BlockTable((device,)), fixes)
        assert done.taken == tuple(fixes[:count])
        assert [(one, "free on disk1p1" in words) for one, words in done.refused] == [(one, True) for one in fixes[count:]]
        assert len(done.operations) == count


def test_what_two_fixes_write_once_needs_room_once() -> None:
    shared = WriteData("/boot/shared", bytes(5000), "")
    fixes = [fix(shared, WriteFile(f"/etc/{name}", "x")) for name in "ab"]
    device = BlockDevice("disk1p1", "partition", 1 << 30, 0, uuid="fs", details=(("free", str((1 << 20) + 5000)),))
    done = build(memory_guest(FILES, "fs"), BlockTable((device,)), fixes)
    assert (done.taken, done.refused) == (tuple(fixes), ())


@pytest.mark.parametrize("size", range(8))
def test_what_is_appended_to_lz4_is_found_by_the_kernel(size: int) -> None:
    """As another frame, at once: anything else is taken for a block, and lost (booted with Linux 6.1, whatever the padding)."""
    path = f"/boot/initrd.img-{VERSION}"
    block = lz4.block.compress(sample_initramfs(("ext4",), {"pad": random.Random(size).randbytes(size)}), store_size=False)
    image = b"\x02\x21\x4c\x18" + len(block).to_bytes(4, "little") + block
    for module in ("virtio_blk", "virtio_pci"):
        files = {**sample_kernel(), path: image}
        done = build(memory_guest(files), BlockTable(), (fix(AppendInitramfs(path, VERSION, (module,))),))
        (append,) = done.operations
        assert append["op"] == "append"
        data = base64.b64decode(append["data"])
        assert data.startswith(b"\x02\x21\x4c\x18")
        image += data
        found = Initramfses(memory_guest({path: image})).of(path)
        assert found is not None
        assert (found.damage, found.remark, found.has(module), found.has("ext4")) == ("", "", True, True)
        assert [(one.compression, one.size) for one in found.segments] == [("lz4", len(image))]


@pytest.mark.parametrize("packed_length", range(4))
def test_the_padding_behind_lz4_is_inside(packed_length: int) -> None:
    """An archive whose end is no multiple of four (cpio -C1)."""
    path, inside = f"/boot/initrd.img-{VERSION}", sample_initramfs(("ext4",)) + bytes(packed_length)
    block = lz4.block.compress(inside, store_size=False)
    image = b"\x02\x21\x4c\x18" + len(block).to_bytes(4, "little") + block
    edits = fix(AppendInitramfs(path, VERSION, ("virtio_blk",)))
    (append,) = build(memory_guest({**sample_kernel(), path: image}), BlockTable(), (edits,)).operations
    assert append["op"] == "append"
    found = Initramfses(memory_guest({path: image + base64.b64decode(append["data"])})).of(path)
    assert found is not None
    assert (found.damage, found.remark, found.has("virtio_blk")) == ("", "", True)
    padded = build(memory_guest({**sample_kernel(), path: image + bytes(512)}), BlockTable(), (edits,))
    assert [words for _fix, words in padded.refused] == [
        f"{path}: has bytes behind its lz4, where older kernels take what is appended for more of it"
    ]


@pytest.mark.parametrize("packed", [False, True])
def test_nothing_is_appended_behind_what_ends_the_kernels_reading(packed: bool) -> None:
    """A second archive that is misaligned: an image that boots, but what follows is lost."""
    path, inside = f"/boot/initrd.img-{VERSION}", sample_initramfs(("ext4",)) + b"\0" + sample_initramfs(("xfs",))
    block = lz4.block.compress(inside, store_size=False)
    image = b"\x02\x21\x4c\x18" + len(block).to_bytes(4, "little") + block if packed else inside
    done = build(memory_guest({**sample_kernel(), path: image}), BlockTable(), (fix(AppendInitramfs(path, VERSION, ("virtio_blk",))),))
    assert not done.operations
    ((_fix, words),) = done.refused
    assert "at byte" in words
