"""Initramfs images inside kernels: unpacked before the loader's, and started like it."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import random
import struct
from collections.abc import Callable

import lz4.block
import pytest
import zstandard

from tests.verdicts.asking import FAILS, store, told
from tests.verdicts.booting import IMAGE, PASSES, WHOLE, guest, initramfs
from v2vlint.facts.boot.path import BootPaths
from v2vlint.facts.initramfs.cpio import newc
from v2vlint.facts.initramfs.decompress import Source
from v2vlint.facts.initramfs.reader import read_initramfs
from v2vlint.model.errors import FactUnavailable
from v2vlint.model.place import WholeFile
from v2vlint.model.rule import Content
from v2vlint.samples.boot import EXT4, SCSI, VERSION, VIRTIO, sample_bzimage, sample_initramfs, sample_kernel

EMPTY = newc({"dev/console": b""})
FULL = sample_initramfs((*VIRTIO, *SCSI, *EXT4))
CONFIG = f"/boot/config-{VERSION}"
NONE = f"/boot/vmlinuz-{VERSION}"


def _lz4(data: bytes) -> bytes:
    block: bytes = lz4.block.compress(data, store_size=False)
    return b"\x02\x21\x4c\x18" + struct.pack("<I", len(block)) + block


PACKINGS: dict[str, Callable[[bytes], bytes]] = {
    "none": bytes,
    "gzip": lambda data: gzip.compress(data, mtime=0),
    "bzip2": bz2.compress,
    "xz": lambda data: lzma.compress(data, check=lzma.CHECK_CRC32),
    "lzma": lambda data: lzma.compress(data, lzma.FORMAT_ALONE),
    "lz4": _lz4,
    "zstd": zstandard.ZstdCompressor().compress,
}


def vmlinux(inside: bytes, before: bytes = b"", config: str = "") -> bytes:
    """A kernel with ``inside`` as .init.ramfs, and its size behind it (usr/initramfs_data.S)."""
    start = b"\x7fELF" + bytes(60) + b"070701\0\0" + before + bytes(-len(before) % 8)
    carried = b"IKCFG_ST" + gzip.compress(config.encode(), mtime=0) + b"IKCFG_ED" if config else b""
    return start + inside + bytes(-len(inside) % 8) + struct.pack("<Q", len(inside)) + b"code" * 9 + carried


def bzimage(payload: bytes, packing: str = "gzip") -> bytes:
    """A kernel's file with a packed payload; all but gzip have the unpacked size behind it."""
    packed = PACKINGS[packing](payload) + (b"" if packing == "gzip" else struct.pack("<I", len(payload)))
    head = bytearray(sample_bzimage(payload=-(-len(packed) // 16)))
    struct.pack_into("<II", head, 0x248, 0, len(packed))
    head[1024 : 1024 + len(packed)] = packed
    return bytes(head)


def kernel(image: bytes, config: str = "") -> dict[str, Content]:
    modules = sample_kernel((*VIRTIO, *SCSI, *EXT4))
    return {**modules, NONE: image, **({CONFIG: config} if config else {})}


@pytest.mark.parametrize("packing", [name for name in PACKINGS if name != "none"])
@pytest.mark.parametrize("inner", PACKINGS)
def test_it_is_found_and_drives_the_disk(packing: str, inner: str) -> None:
    files = guest(b"", kernel=kernel(bzimage(vmlinux(PACKINGS[inner](FULL)), packing)))
    assert [(cause.fate, cause.severity) for cause in initramfs(files).drives] == [PASSES]
    assert told(initramfs(files).none_loaded) == []


@pytest.mark.parametrize(
    ("inside", "config", "found"),
    [
        (EMPTY, "", [FAILS]),
        (gzip.compress(EMPTY, mtime=0), "", [FAILS]),
        (newc({"lib/firmware/x.bin": b"x"}), "", [FAILS]),
        (sample_initramfs(()), "", [FAILS]),
        (FULL, 'CONFIG_INITRAMFS_SOURCE=""\n', [FAILS]),
        (FULL, 'CONFIG_INITRAMFS_SOURCE="/usr/src/initramfs"\n', []),
        (FULL, "CONFIG_SMP=y\n", []),
        (EMPTY, "# CONFIG_BLK_DEV_INITRD is not set\n", [FAILS]),
    ],
)
def test_what_it_holds_decides(inside: bytes, config: str, found: list[object]) -> None:
    judged = initramfs(guest(b"", kernel=kernel(bzimage(vmlinux(inside)), config)))
    assert told([*judged.none_loaded, *judged.drivers]) == found


@pytest.mark.parametrize("padding", range(8))
def test_lz4_is_followed_by_its_size_at_once(padding: int) -> None:
    """Whatever its length is: the stream has no end of its own."""
    inner = _lz4(newc({"init": b"#!/bin/sh\n", "x": random.Random(padding).randbytes(padding)}))
    assert initramfs(guest(b"", kernel=kernel(bzimage(vmlinux(inner))))).drivers != ()


def test_the_kernel_s_own_configuration_is_read_before_it_is_searched() -> None:
    data = vmlinux(FULL, config='CONFIG_INITRAMFS_SOURCE=""\n')
    assert told(initramfs(guest(b"", kernel=kernel(bzimage(data)))).none_loaded) == [FAILS]


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (sample_bzimage(), "it is not whole"),
        (bzimage(b"\x7fELF" + bytes(100)), "was not found in it"),
        (bzimage(vmlinux(FULL))[:0x206] + b"\x05\x02" + bzimage(vmlinux(FULL))[0x208:], "of a kind whose content is not known"),
    ],
)
def test_one_that_is_named_and_cannot_be_read_is_unknown(image: bytes, reason: str) -> None:
    files = guest(b"", kernel=kernel(image, 'CONFIG_INITRAMFS_SOURCE="a.cpio"\n'))
    with pytest.raises(FactUnavailable, match=reason):
        list(store(files).get(BootPaths).defaults)


def test_a_payload_that_cannot_be_unpacked_says_nothing() -> None:
    image = bytearray(bzimage(vmlinux(FULL)))
    image[1100:1200] = bytes(100)
    with pytest.raises(FactUnavailable, match="cannot be unpacked"):
        list(store(guest(b"", kernel=kernel(bytes(image)))).get(BootPaths).defaults)


@pytest.mark.parametrize(
    ("own", "given", "config", "module"),
    [
        (("virtio_blk",), ("ext4",), "", True),
        ((), ("virtio_blk",), "", True),
        ((), ("virtio_blk",), "CONFIG_INITRAMFS_FORCE=y\n", False),
        (("virtio_blk",), (), "CONFIG_INITRAMFS_FORCE=y\n", True),
    ],
)
def test_the_loader_s_comes_on_top(own: tuple[str, ...], given: tuple[str, ...], config: str, module: bool) -> None:
    image = bzimage(vmlinux(sample_initramfs(own)))
    files = guest(sample_initramfs(given), kernel=kernel(image, f'CONFIG_INITRAMFS_SOURCE="a.cpio"\n{config}'))
    path = next(iter(store(files).get(BootPaths).defaults))
    assert path.image is not None
    assert path.image.has("virtio_blk") is module


@pytest.mark.parametrize(
    ("data", "config", "found"),
    [
        (newc({"kernel/x86/microcode/GenuineIntel.bin": b"x"}), "", [FAILS]),
        (newc({"init": "usr/lib/systemd/systemd"}), "", []),
        (newc({"init": "usr/lib/systemd/systemd", "usr/lib/systemd/systemd": b"x"}) + WHOLE, "", []),
        (WHOLE, "# CONFIG_BLK_DEV_INITRD is not set\n", [FAILS]),
        (WHOLE, 'CONFIG_INITRAMFS_SOURCE=""\nCONFIG_INITRAMFS_FORCE=y\n', [FAILS]),
    ],
)
def test_an_initramfs_that_the_kernel_does_not_start(data: bytes, config: str, found: list[object]) -> None:
    """``kernel_init_freeable()`` of init/main.c: without /init the kernel mounts the root itself."""
    files = guest(data, kernel=kernel(sample_bzimage(), config))
    assert told(initramfs(files).none_loaded) == found


def test_rdinit_names_another_program() -> None:
    files = guest(WHOLE, args="root=/dev/vda1 rdinit=/bin/sh", kernel=kernel(sample_bzimage()))
    assert [cause.reason.partition(",")[0] for cause in initramfs(files).none_loaded] == ["the initramfs has no /bin/sh"]


@pytest.mark.parametrize(("packing", "found"), [("zstd", [FAILS]), ("gzip", [])])
def test_a_compression_that_the_kernel_lacks(packing: str, found: list[object]) -> None:
    files = guest(PACKINGS[packing](WHOLE), kernel=kernel(sample_bzimage(), "CONFIG_RD_GZIP=y\n# CONFIG_RD_ZSTD is not set\n"))
    judged = initramfs(files)
    assert told(judged.image) == found
    assert all(cause.about and cause.about.path == IMAGE and "CONFIG_RD_ZSTD" in cause.reason for cause in judged.image)


def _packed(data: bytes, left: int) -> bytes:
    """``data`` as gzip(1) packs it, ``left`` bytes over a multiple of four: the name of the file makes up for it."""
    for length in range(8):
        buffer = io.BytesIO()
        with gzip.GzipFile("a" * length, "wb", fileobj=buffer, mtime=0) as file:
            file.write(data)
        if len(buffer.getvalue()) % 4 == left:
            return buffer.getvalue()
    raise AssertionError


FIRST, SECOND = newc({"init": b"#!/bin/sh\n"}), newc({"marker": b"x"})


@pytest.mark.parametrize(
    ("data", "init", "marker"),
    [
        (_packed(FIRST, 1) + SECOND, True, False),  # "invalid magic at start of compressed archive"
        (_packed(FIRST, 0) + SECOND, True, True),
        (_packed(FIRST, 1) + bytes(3) + SECOND, True, True),
        (_packed(FIRST, 1) + bytes(4) + SECOND, True, False),
        (_packed(FIRST, 1) + gzip.compress(SECOND, mtime=0), True, True),
        (_packed(FIRST, 2) + bytes(514) + SECOND, True, True),
        (SECOND + bytes(1) + FIRST, False, True),  # "broken padding"
        (gzip.compress(SECOND + bytes(2) + FIRST, mtime=0), False, True),
        (gzip.compress(SECOND + bytes(4) + FIRST, mtime=0), True, True),
        (FIRST + bytes(3) + gzip.compress(SECOND, mtime=0), True, False),
        # A stream of lz4 goes on until there is no more, four zero bytes, or the magic number of another: "Decoding failed".
        (_lz4(FIRST) + gzip.compress(SECOND, mtime=0), True, False),
        (_lz4(FIRST) + bytes(-len(_lz4(FIRST)) % 4) + SECOND, True, False),
        (_lz4(FIRST) + _lz4(SECOND), True, True),
        *((_lz4(FIRST) + bytes(count) + _lz4(SECOND), True, False) for count in (1, 2, 3)),
        *((_lz4(FIRST) + bytes(count) + _lz4(SECOND), True, True) for count in (4, 5, 6, 7)),
        (lzma.compress(FIRST, check=lzma.CHECK_CRC64), False, False),  # "settings that are not supported by this XZ decoder"
        (FIRST + lzma.compress(SECOND), True, False),
        (lzma.compress(FIRST, check=lzma.CHECK_CRC32) + lzma.compress(SECOND, check=lzma.CHECK_NONE), True, True),
    ],
)
def test_what_the_kernel_finds_behind_the_first_archive(data: bytes, init: bool, marker: bool) -> None:
    """Archives begin at multiples of four. All were booted with Linux 6.1 in this or a like form, with a program as /init that looked for
    the marker.
    """
    image = read_initramfs(Source(io.BytesIO(data), 0, len(data)), WholeFile("/i"))
    assert ("init" in image.files, "marker" in image.files) == (init, marker)
    assert bool(image.damage) is not init
    assert bool(image.damage or image.remark) is not (init and marker)
