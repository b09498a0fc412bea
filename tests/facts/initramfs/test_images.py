"""Whole images: segments in every order and compression, filesystem images inside, unified kernel images, limits, damage."""

from __future__ import annotations

import gzip
import io
import lzma
import random
import shutil
import struct
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
import zstandard

from tests.facts.guests import fact
from v2vlint.facts.initramfs import reader as initramfs_reader
from v2vlint.facts.initramfs.content import Initramfs
from v2vlint.facts.initramfs.cpio import newc
from v2vlint.facts.initramfs.decompress import Source
from v2vlint.facts.initramfs.images import Initramfses
from v2vlint.facts.initramfs.reader import read_initramfs
from v2vlint.model.errors import FactUnavailable
from v2vlint.model.place import WholeFile
from v2vlint.samples.boot import sample_initramfs

V = "6.1.0-13-amd64"
MICROCODE = newc({"kernel/x86/microcode/GenuineIntel.bin": bytes(5000), "early_cpio": b"1"})
MAIN = sample_initramfs(("virtio_blk: virtio", "virtio"))


def _read(data: bytes) -> Initramfs:
    return read_initramfs(Source(io.BytesIO(data), 0, len(data)), WholeFile("/boot/initrd.img"))


def test_an_image_of_many_segments() -> None:
    padded = MICROCODE + bytes(512)
    more = zstandard.compress(newc({"conf/modules": b"virtio_blk\n", f"lib/modules/{V}/kernel/nvme.ko.xz": b"x"}) + bytes(64))
    image = _read(padded + gzip.compress(MAIN, mtime=0) + bytes(3) + more + bytes(1000))
    assert [(segment.compression, segment.members) for segment in image.segments] == [("none", 2), ("gzip", 6), ("zstd", 2)]
    assert image.segments[1].offset == len(padded)
    assert (image.has("virtio-blk"), image.has("nvme"), image.has("ahci")) == (True, True, False)
    assert image.path_of("nvme") == f"lib/modules/{V}/kernel/nvme.ko.xz"
    assert image.path_of("nvme", "5.10.0") is None
    assert (image.generator, image.versions, image.compression, image.damage) == ("initramfs-tools", frozenset({V}), "zstd", "")
    assert image.text("conf/modules") == "virtio_blk\n"


def test_archives_may_follow_one_another_inside_one_stream() -> None:
    image = _read(lzma.compress(MAIN + bytes(40) + newc({"later": b""}), check=lzma.CHECK_CRC32))
    assert "later" in image.files
    assert image.segments[0].members == 7


def test_later_files_win() -> None:
    image = _read(newc({"conf/modules": b"old", "init": b"1"}) + newc({"conf/modules": b"new", "init": "bin/busybox"}))
    assert image.text("conf/modules") == "new"
    assert image.links["init"] == "bin/busybox"
    assert image.text("init") is None
    folder = struct.pack(">6s104s", b"070701", b"00000000000041ED" + b"0" * 72 + b"0000000500000000") + b"init\0\0"
    assert "init" not in _read(newc({"init": b"1"}) + folder + newc({})).files


def test_a_link_is_followed_once() -> None:
    image = _read(newc({"etc/initrd-release": b"ID=x\n", "conf/link": "../etc/initrd-release"}))
    assert image.text("conf/link") == "ID=x\n"


@pytest.mark.parametrize(
    ("data", "damage"),
    [
        (b"", "is empty"),
        (bytes(4096), "contains only zero bytes"),
        (b"garbage", "contains data at byte 0 that the kernel cannot unpack"),
        (MAIN[:-300], "ends early"),
        (gzip.compress(MAIN, mtime=0)[:-30], "ends early: its compressed data is cut off"),
        (MICROCODE + b"\x1f\x8b\x08broken", "compressed data"),
        (gzip.compress(b"no archive at all, but long enough to be looked at" * 9, mtime=0), "is not a newc archive"),
    ],
)
def test_damage(data: bytes, damage: str) -> None:
    assert damage in _read(data).damage


def test_junk_behind_a_whole_image_is_only_a_remark() -> None:
    image = _read(MAIN + b"junk")
    assert image.damage == ""
    assert image.remark == f"contains data at byte {len(MAIN)} that the kernel cannot unpack"


def test_the_kernel_s_boot_configuration_is_no_junk() -> None:
    config = b'kernel { root = "/dev/vda1" }\0'
    tail = config + struct.pack("<II", len(config), sum(config)) + b"#BOOTCONFIG\n"
    assert (_read(MAIN + tail).remark, _read(MAIN + tail).damage) == ("", "")


@pytest.mark.parametrize(
    ("magic", "offset", "what"), [(b"\x53\xef", 1080, "ext2"), (b"\x45\x3d\xcd\x28", 0, "cramfs"), (b"-rom1fs-", 0, "romfs")]
)
def test_an_initrd_of_the_old_kind_is_unknown(magic: bytes, offset: int, what: str) -> None:
    with pytest.raises(FactUnavailable, match=what):
        _read(b"\x01" * offset + magic + b"\x01" * 4000)


@pytest.mark.parametrize(
    ("limit", "value", "reason"),
    [
        ("MAX_UNPACKED", 1000, "unpacks to more than"),
        ("MAX_MEMBERS", 3, "more than 3 members"),
        ("MAX_NAMES", 20, "names of more than"),
        ("MAX_SEGMENTS", 1, "more than 1 segments"),
        ("RATIO_FREE", 0, "times its size"),
    ],
)
def test_limits(monkeypatch: pytest.MonkeyPatch, limit: str, value: int, reason: str) -> None:
    monkeypatch.setattr(initramfs_reader, limit, value)
    with pytest.raises(FactUnavailable, match=reason):
        _read(gzip.compress(newc({"big": bytes(4 << 20)})) + gzip.compress(MAIN, mtime=0))


def test_a_bomb_is_stopped_at_the_ratio() -> None:
    bomb = zstandard.ZstdCompressor(level=3).compress(newc({"zeros": bytes(100 << 20)}))
    with pytest.raises(FactUnavailable, match="times its size"):
        _read(bomb)


def test_large_and_uninteresting_files_are_listed_but_not_kept() -> None:
    image = _read(newc({"conf/huge": bytes(5 << 20), "usr/bin/true": b"x", "etc/crypttab": b"luks UUID=1 none\n"}))
    assert image.files == {"conf/huge", "usr/bin/true", "etc/crypttab"}
    assert dict(image.contents) == {"etc/crypttab": b"luks UUID=1 none\n"}
    assert image.has_program("true")
    assert image.under("etc") == {"etc/crypttab": "luks UUID=1 none\n"}


LAYOUTS: dict[str, Mapping[str, bytes | str]] = {
    "initramfs-tools": {"conf/initramfs.conf": b"", "scripts/functions": b""},
    "dracut": {"usr/lib/dracut/modules.txt": b"base\n"},
    "mkinitcpio": {"init_functions": b"", "config": b"MODULES=\n", "hooks/udev": b""},
    "booster": {"etc/booster.init.yaml": b"kernel: 6.7\n"},
    "suse-mkinitrd": {"run_all.sh": b"", "boot/01-start.sh": b""},
    "mkinitrd": {"bin/nash": b"", "init": b"#!/bin/nash\n"},
    "genkernel": {"etc/initrd.defaults": b"", "init": b""},
    "mkinitfs": {"init": b"#!/bin/sh\nnlplug-findfs -p /sbin/mdev\n"},
    "systemd": {"etc/initrd-release": "../usr/lib/initrd-release"},
    "": {"init": b"#!/bin/sh\nexec switch_root\n"},
}


@pytest.mark.parametrize("generator", LAYOUTS)
def test_the_generator_is_told_by_its_traces(generator: str) -> None:
    assert _read(newc(LAYOUTS[generator])).generator == generator


def _inner(tmp_path: Path) -> Path:
    tree = tmp_path / "root"
    for name in ("usr/lib/dracut/modules.txt", f"usr/lib/modules/{V}/kernel/drivers/nvme.ko.xz", "usr/bin/mdadm"):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text("base\n")
    (tree / "lib").symlink_to("usr/lib")
    (tree / "etc").mkdir()
    for number in range(300):
        (tree / "etc" / f"file-with-a-rather-long-name-{number}").write_text("")
    return tree


@pytest.mark.parametrize(
    ("tool", "kind", "options"),
    [
        ("mksquashfs", "squashfs", ["-noappend", "-quiet", "-no-progress", "-comp", "zstd"]),
        ("mksquashfs", "squashfs", ["-noappend", "-quiet", "-no-progress", "-comp", "xz"]),
        ("mkfs.erofs", "erofs", []),
        ("mkfs.erofs", "erofs", ["-zlz4hc"]),
        ("mkfs.erofs", "erofs", ["-E", "force-inode-extended"]),
    ],
)
def test_what_dracut_wraps_in_a_filesystem_image(tmp_path: Path, tool: str, kind: str, options: list[str]) -> None:
    if not shutil.which(tool):
        pytest.skip(f"{tool} is not installed")
    tree, image = _inner(tmp_path), tmp_path / "image"
    paths = [*options, str(image), str(tree)] if kind == "erofs" else [str(tree), str(image), *options]
    subprocess.run([tool, *paths], check=True, capture_output=True)
    found = _read(gzip.compress(newc({"init": b"", f"{kind}-root.img": image.read_bytes()})))
    assert {"usr/bin/mdadm", f"{kind}-root.img", "init", "etc/file-with-a-rather-long-name-299"} <= found.files
    assert (found.generator, found.links["lib"], found.has("nvme", V)) == ("dracut", "usr/lib", True)
    assert found.text("usr/lib/dracut/modules.txt") == "base\n"
    assert [segment.compression for segment in found.segments] == ["gzip", kind]
    assert found.compression == "gzip"


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("tool", ["mksquashfs", "mkfs.erofs"])
def test_a_damaged_filesystem_image_is_an_outcome(tmp_path: Path, tool: str, seed: int) -> None:
    if not shutil.which(tool):
        pytest.skip(f"{tool} is not installed")
    tree, image = _inner(tmp_path), tmp_path / "image"
    paths = [str(tree), str(image), "-noappend", "-quiet"] if tool == "mksquashfs" else [str(image), str(tree)]
    subprocess.run([tool, *paths], check=True, capture_output=True)
    chance, data = random.Random(seed), bytearray(image.read_bytes())
    for _ in range(1 + seed * 3):
        data[chance.randrange(4, min(len(data), 40_000))] = chance.randrange(256)
    try:
        assert "init" in _read(newc({"init": b"", "squashfs-root.img": bytes(data)})).files
    except FactUnavailable as unknown:
        assert "squashfs-root.img inside cannot be read" in unknown.reason  # noqa: PT017


@pytest.mark.parametrize("seed", range(60))
def test_any_bytes_end_in_an_image_or_a_reason(seed: int) -> None:
    chance = random.Random(seed)
    data = bytearray(MICROCODE + chance.choice((gzip.compress, lzma.compress, zstandard.compress, bytes))(MAIN) + newc({"x": b"y"}))
    for _ in range(chance.randint(1, 40)):
        data[chance.randrange(len(data))] = chance.randrange(256)
    try:
        assert _read(bytes(data)).where.path == "/boot/initrd.img"
    except FactUnavailable as unknown:
        assert unknown.reason  # noqa: PT017


def _uki(initrd: bytes) -> bytes:
    head = b"MZ" + bytes(58) + struct.pack("<I", 64) + b"PE\0\0" + struct.pack("<HHIIIHH", 0x8664, 2, 0, 0, 0, 0, 0)
    sections = [(b".linux", b"kernel"), (b".initrd", initrd)]
    offset, table, body = 4096, b"", b""
    for name, data in sections:
        table += struct.pack("<8sIIIIIIHHI", name, len(data), 0, len(data), offset + len(body), 0, 0, 0, 0, 0)
        body += data
    return (head + table).ljust(offset, b"\0") + body


def test_images_are_read_once_and_joined_in_order() -> None:
    files = {"/boot/ucode.img": MICROCODE, "/boot/main.img": MAIN, "/boot/uki.efi": _uki(MAIN), "/boot/none.efi": b"MZ" + bytes(200)}
    images = fact(Initramfses, files)
    assert images.of("/boot/main.img") is images.of("/boot/main.img")
    assert images.of("/boot/none") is None
    assert images.joined(()) is None
    assert images.joined(("/boot/main.img", "/boot/none")) is None
    joined = images.joined(("/boot/ucode.img", "/boot/main.img"))
    assert joined is not None
    assert (joined.where.path, joined.generator, joined.has("virtio_blk", V)) == ("/boot/main.img", "initramfs-tools", True)
    assert joined.size == len(MICROCODE) + len(MAIN)
    unified = images.of("/boot/uki.efi")
    assert unified is not None
    assert unified.has("virtio_blk")
    assert images.of("/boot/none.efi") is None


def test_of_several_images_the_later_wins() -> None:
    """As in one image: whatever the kernel unpacks at a path replaces what was there (``clean_path()``)."""
    first = newc({"conf/modules": b"old", "conf/a": "b", "init": b"1", "conf/b": b"stays"})
    images = fact(Initramfses, {"/1": first, "/2": newc({"conf/modules": "other", "conf/a": b"new", "init": "bin/busybox"})})
    joined, reverse = images.joined(("/1", "/2")), images.joined(("/2", "/1"))
    assert joined is not None
    assert reverse is not None
    assert (dict(joined.contents), dict(joined.links)) == (
        {"conf/a": b"new", "conf/b": b"stays"},
        {"conf/modules": "other", "init": "bin/busybox"},
    )
    assert (dict(reverse.contents), dict(reverse.links)) == ({"conf/modules": b"old", "init": b"1", "conf/b": b"stays"}, {"conf/a": "b"})
    assert joined.text("conf/modules") is None
    assert joined.files == reverse.files == {"conf/modules", "conf/a", "conf/b", "init"}


def test_an_unknowable_image_is_so_every_time() -> None:
    images = fact(Initramfses, {"/boot/old.img": b"\x45\x3d\xcd\x28" + b"\x01" * 2000})
    for _ in range(2):
        with pytest.raises(FactUnavailable, match="cramfs"):
            images.of("/boot/old.img")
