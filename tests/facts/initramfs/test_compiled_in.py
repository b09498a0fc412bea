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
from v2vlint.facts.initramfs import compiled_in
from v2vlint.facts.initramfs.cpio import S_IFDIR, _member, newc
from v2vlint.facts.initramfs.decompress import Source
from v2vlint.facts.initramfs.images import Initramfses
from v2vlint.facts.initramfs.reader import read_initramfs
from v2vlint.facts.kernel.kernels import Kernel
from v2vlint.facts.kernel.modules import ModuleTree
from v2vlint.model.errors import FactUnavailable, ImageError
from v2vlint.model.finding import Fate
from v2vlint.model.place import WholeFile
from v2vlint.model.rule import Content
from v2vlint.samples.boot import EXT4, SCSI, VERSION, VIRTIO, sample_bzimage, sample_initramfs, sample_kernel
from v2vlint.samples.memory import memory_guest

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
        (b"an older kind of kernel" * 100, "of a kind whose content is not known"),
    ],
)
def test_one_that_is_named_and_cannot_be_read_is_unknown(image: bytes, reason: str) -> None:
    files = guest(b"", kernel=kernel(image, 'CONFIG_INITRAMFS_SOURCE="a.cpio"\n'))
    with pytest.raises(FactUnavailable, match=reason):
        list(store(files).get(BootPaths).defaults)


@pytest.mark.parametrize(
    ("image", "found"), [(bzimage(vmlinux(FULL)), []), (bzimage(vmlinux(EMPTY)), [FAILS]), (sample_bzimage(), [FAILS])]
)
def test_an_older_boot_protocol_does_not_say_where_the_kernel_lies(image: bytes, found: list[object]) -> None:
    """It is looked for; in Linux before 2.6.26 it is packed by gzip."""
    for version in (b"\x05\x02", b"\x07\x02"):
        old = image[:0x206] + version + image[0x208:]
        assert told(initramfs(guest(b"", kernel=kernel(old))).none_loaded) == found


def _found(data: bytes) -> tuple[int, int]:
    """How many archives are found, and what it costs."""
    spent = compiled_in._Spent(WholeFile("/k"))
    return len(list(compiled_in._pieces(data, spent))), spent.steps


def test_no_archive_is_walked_through_twice() -> None:
    """Each member looks like the start of another archive."""
    many = newc({f"{number:05}": b"" for number in range(5000)})
    # The kernel steps over a folder with content.
    skipped = b"".join(_member(f"{number:05}", S_IFDIR, b"data") for number in range(5000))
    for data, count in ((many[:-124], 0), (skipped, 0), (vmlinux(many), 1), (vmlinux(many, many[:-124]), 1), (vmlinux(many, many), 1)):
        found, steps = _found(bytes(64) + data)
        assert (found, steps < 60_000) == (count, True)


def test_a_search_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = gzip.compress(b"070701" + bytes(1 << 20), mtime=0)
    data = (bomb + bytes(-len(bomb) % 4)) * 9
    assert _found(data)[0] == 0
    monkeypatch.setattr(compiled_in, "MAX_UNPACKED", 4 << 20)
    with pytest.raises(FactUnavailable, match="too much that looks like an initramfs"):
        _found(data)


def test_a_kernel_that_cannot_be_read_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_given: object) -> None:
        raise ImageError("block 5 lies outside of the disk")

    monkeypatch.setattr(compiled_in, "read_vmlinux", fails)
    with pytest.raises(FactUnavailable, match="block 5"):
        list(store(guest(b"", kernel=kernel(bzimage(vmlinux(FULL))))).get(BootPaths).defaults)


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


LACKS_ZSTD = "CONFIG_RD_GZIP=y\n# CONFIG_RD_ZSTD is not set\n"


def test_what_precedes_the_compression_that_the_kernel_lacks_is_unpacked() -> None:
    data, lost = gzip.compress(WHOLE, mtime=0), newc({f"lib/modules/{VERSION}/kernel/lost.ko": b"x"})
    data += bytes(-len(data) % 4) + PACKINGS["zstd"](lost) + lost
    files = guest(data, kernel=kernel(sample_bzimage(), LACKS_ZSTD))
    judged, path = initramfs(files), next(iter(store(files).get(BootPaths).defaults))
    assert [(cause.fate, cause.severity) for cause in judged.drives] == [PASSES]
    assert [(cause.fate, "CONFIG_RD_ZSTD" in cause.reason) for cause in judged.image] == [(Fate.PASS, True)]
    assert path.image is not None
    assert not path.image.has("lost")


FIRST_LZ4 = _lz4(FULL)


@pytest.mark.parametrize(
    ("data", "version", "known"),
    [
        (FIRST_LZ4 + bytes(4) + FULL, "5.14.0", True),
        (FIRST_LZ4 + bytes(4) + FULL, "5.13.9", False),
        (FIRST_LZ4 + bytes(4) + FULL, "5.4.0-91-generic", False),
        (FIRST_LZ4 + bytes(512), "5.4.0", True),
        (FIRST_LZ4 + FIRST_LZ4, "3.11.0", True),
        (FULL + FIRST_LZ4, "3.11.0", True),
    ],
)
def test_four_zero_bytes_end_lz4_for_newer_kernels(data: bytes, version: str, known: bool) -> None:
    images, kernels = Initramfses(memory_guest({"/i": data})), Kernel(version, "", ModuleTree(memory_guest({}), "", ""))
    if known:
        found = images.of("/i", kernels)
        assert found is not None
        assert (found.damage, found.remark) == ("", "")
        return
    with pytest.raises(FactUnavailable, match=r"only Linux 5\.14 and later"):
        images.of("/i", kernels)


@pytest.mark.parametrize(
    ("first", "second", "version", "known"),
    [
        (FULL, FIRST_LZ4, "5.4.0", True),
        (FIRST_LZ4 + bytes(-len(FIRST_LZ4) % 4), FULL, "6.1.0", False),
        (FIRST_LZ4 + bytes(8), FULL, "6.1.0", True),
        (FIRST_LZ4 + bytes(8), FULL, "5.4.0", False),
        (gzip.compress(FULL), FULL, "5.4.0", True),
    ],
)
def test_a_file_behind_one_of_lz4(first: bytes, second: bytes, version: str, known: bool) -> None:
    images = Initramfses(memory_guest({"/1": first, "/2": second}))
    if known:
        assert images.joined(("/1", "/2"), Kernel(version, "", ModuleTree(memory_guest({}), "", ""))) is not None
        return
    with pytest.raises(FactUnavailable, match="lz4"):
        images.joined(("/1", "/2"), Kernel(version, "", ModuleTree(memory_guest({}), "", "")))


def test_the_kernel_stops_at_the_file_with_an_error() -> None:
    images = Initramfses(memory_guest({"/1": FIRST + b"junk", "/2": SECOND}))
    joined = images.joined(("/1", "/2"), Kernel("6.1.0", "", ModuleTree(memory_guest({}), "", "")))
    assert joined is not None
    assert "marker" not in joined.files


def test_the_size_of_a_block_of_lz4_is_no_magic_number() -> None:
    """A second block of 0x8b1f bytes: its size begins like gzip."""
    whole = newc({"init": b"#!/bin/sh\n", "a": bytes(8 << 20)})[: 8 << 20]
    noise = random.Random(1).randbytes(0x9000)
    for size in range(0x8B1F - 900, 0x8B1F):
        rest = newc({"init": b"#!/bin/sh\n", "a": bytes(8 << 20), "b": noise[:size] + bytes(1000)})[8 << 20 :]
        if len(_lz4(rest)) == 8 + 0x8B1F:
            break
    data = _lz4(whole) + _lz4(rest)[4:]
    assert b"\x1f\x8b\0\0" in data
    image = read_initramfs(Source(io.BytesIO(data), 0, len(data)), WholeFile("/i"))
    assert (image.damage, image.remark, "b" in image.files) == ("", "", True)


@pytest.mark.parametrize("cut", [1, 5, 200])
def test_lz4_that_is_cut_off_is_damaged_even_behind_init(cut: int) -> None:
    data = _lz4(FIRST[:-124]) + _lz4(SECOND)[4:][:-cut]
    assert read_initramfs(Source(io.BytesIO(data), 0, len(data)), WholeFile("/i")).damage


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
