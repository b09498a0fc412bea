"""Every image format gives the same bytes as the raw disk it was made from; what cannot be read is named."""

from __future__ import annotations

import random
import struct
from pathlib import Path

import pytest

from tests.disk.images import blank, need, open_paths, problems, run
from v2vlint.disk.containers.formats import Image, open_image
from v2vlint.files import Refused
from v2vlint.model.errors import ImageError, Unsupported
from v2vlint.model.source import DiskFile

CONVERTED = {
    "qcow2": ("qcow2", ""),
    "qcow2 v2": ("qcow2", "compat=0.10"),
    "qcow2 small clusters": ("qcow2", "cluster_size=512"),
    "qcow2 large clusters": ("qcow2", "cluster_size=2M"),
    "qcow2 preallocated": ("qcow2", "preallocation=metadata"),
    "qcow2 extended L2": ("qcow2", "extended_l2=on"),
    "qcow2 zlib": ("qcow2", "-c"),
    "qcow2 zstd": ("qcow2", "-c,compression_type=zstd"),
    "qcow2 zlib, extended L2": ("qcow2", "-c,extended_l2=on"),
    "vmdk": ("vmdk", ""),
    "vmdk streamOptimized": ("vmdk", "subformat=streamOptimized"),
    "vmdk flat": ("vmdk", "subformat=monolithicFlat"),
    "vmdk 2 GB sparse": ("vmdk", "subformat=twoGbMaxExtentSparse"),
    "vmdk 2 GB flat": ("vmdk", "subformat=twoGbMaxExtentFlat"),
    "vhd": ("vpc", ""),
    "vhd exact": ("vpc", "force_size=on"),
    "vhd fixed": ("vpc", "subformat=fixed"),
    "vhdx": ("vhdx", ""),
    "vhdx fixed": ("vhdx", "subformat=fixed"),
    "vhdx small blocks": ("vhdx", "block_size=1M"),
    "vdi": ("vdi", ""),
    "vdi static": ("vdi", "static=on"),
}
FORMATS = {"vpc": "vhd"}


def open_one(path: Path, form: str = "") -> Image:
    return open_image(DiskFile(str(path), path.name, format=form))


def convert(source: Path, target: Path, form: str, options: str = "") -> Path:
    words = [word for word in options.split(",") if word]
    switches = ["-c"] if "-c" in words else []
    words = [word for word in words if word != "-c"]
    run("qemu-img", "convert", "-f", "raw", "-O", form, *switches, *(["-o", ",".join(words)] if words else []), source, target)
    return target


def same_bytes(image: Image, raw: bytes) -> None:
    """In one pass of uneven steps, then at random places."""
    noise, offset, stream = random.Random(3), 0, image.stream
    assert len(raw) <= stream.size < len(raw) + (1 << 20)
    while offset < len(raw):
        count = noise.choice((512, 4096, 65_536, 1 << 20, 3 << 20)) + noise.choice((0, 13))
        assert stream.read_at(offset, count)[: len(raw) - offset] == raw[offset : offset + count], offset
        offset += count
    for _try in range(200):
        offset, count = noise.randrange(len(raw)), noise.choice((1, 600, 70_000, 2_500_000))
        assert stream.read_at(offset, count)[: len(raw) - offset] == raw[offset : offset + count], offset


@pytest.mark.parametrize(("form", "options"), CONVERTED.values(), ids=CONVERTED)
def test_same_bytes(tmp_path: Path, plain: Path, form: str, options: str) -> None:
    need("qemu-img")
    image = open_one(convert(plain, tmp_path / "disk", form, options))
    assert image.format == FORMATS.get(form, form)
    assert image.remarks == []
    same_bytes(image, plain.read_bytes())


def test_the_parts_of_a_descriptor_are_all_watched(tmp_path: Path, plain: Path) -> None:
    image = open_one(convert(plain, tmp_path / "d.vmdk", "vmdk", "subformat=twoGbMaxExtentSparse"))
    assert [Path(file.path).name for file in image.files] == ["d.vmdk", "d-s001.vmdk"]


@pytest.fixture
def overlay(tmp_path: Path, plain: Path) -> Path:
    """top → middle → base, each with writes of its own."""
    need("qemu-img", "qemu-io")
    convert(plain, tmp_path / "base.qcow2", "qcow2")
    run("qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", "base.qcow2", "middle.qcow2", cwd=tmp_path)
    run("qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-o", "extended_l2=on", "-b", "middle.qcow2", "top.qcow2", cwd=tmp_path)
    writes = ("write -P 7 70k 5k", "write -z 200k 3k", "write -P 9 3M 100k")
    run("qemu-io", *(word for write in writes for word in ("-c", write)), tmp_path / "middle.qcow2")
    more = ("write -P 1 5k 3k", "write -P 2 71k 1k", "write -z 80k 4k", "write -P 4 200k 513", "discard 3M 64k", "write -P 5 20M 1M")
    run("qemu-io", *(word for write in more for word in ("-c", write)), tmp_path / "top.qcow2")
    return tmp_path / "top.qcow2"


def test_backing_chain(overlay: Path) -> None:
    run("qemu-img", "convert", "-O", "raw", overlay, overlay.with_name("truth"))
    image = open_one(overlay)
    assert len(image.files) == 3
    same_bytes(image, overlay.with_name("truth").read_bytes())


def test_internal_snapshot_is_not_read(tmp_path: Path, plain: Path) -> None:
    image = convert(plain, tmp_path / "disk", "qcow2")
    run("qemu-img", "snapshot", "-c", "before", image)
    run("qemu-io", "-c", "write -P 3 1M 1M", image)
    run("qemu-img", "convert", "-O", "raw", image, tmp_path / "truth")
    same_bytes(open_one(image), (tmp_path / "truth").read_bytes())


@pytest.mark.parametrize("raw", ["on", "off"])
def test_external_data_file(tmp_path: Path, plain: Path, raw: str) -> None:
    options = f"data_file=disk.data,data_file_raw={raw}"
    run("qemu-img", "convert", "-f", "raw", "-O", "qcow2", "-o", options, plain, "disk.qcow2", cwd=tmp_path)
    same_bytes(open_one(tmp_path / "disk.qcow2"), plain.read_bytes())


def test_vmdk_parent(tmp_path: Path, plain: Path) -> None:
    convert(plain, tmp_path / "base.vmdk", "vmdk")
    run("qemu-img", "create", "-q", "-f", "vmdk", "-F", "vmdk", "-b", "base.vmdk", "top.vmdk", cwd=tmp_path)
    run("qemu-io", "-f", "vmdk", "-c", "write -P 7 70k 5k", tmp_path / "top.vmdk")
    run("qemu-img", "convert", "-O", "raw", tmp_path / "top.vmdk", tmp_path / "truth")
    same_bytes(open_one(tmp_path / "top.vmdk"), (tmp_path / "truth").read_bytes())


def test_a_stated_format_wins(tmp_path: Path, plain: Path) -> None:
    image = convert(plain, tmp_path / "disk", "qcow2")
    assert open_one(image, "raw").stream.size == image.stat().st_size
    assert open_one(image, "raw").stream.read_at(0, 4) == b"QFI\xfb"


def test_encrypted_qcow2_is_named(tmp_path: Path) -> None:
    secret = ("--object", "secret,id=s,data=abc", "-o", "encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10")
    run("qemu-img", "create", "-q", "-f", "qcow2", *secret, tmp_path / "disk", "10M")
    with pytest.raises(Unsupported, match=r"encrypted qcow2 \(LUKS\)"):
        open_one(tmp_path / "disk")


@pytest.mark.parametrize(("form", "name"), [("qed", "QED"), ("qcow", r"qcow \(version 1\)")])
def test_foreign_formats_are_named(tmp_path: Path, form: str, name: str) -> None:
    run("qemu-img", "create", "-q", "-f", form, tmp_path / "disk", "10M")
    with pytest.raises(Unsupported, match=f"disk: {name} images are not supported"):
        open_one(tmp_path / "disk")


PACKED = {
    b"\xfd7zXZ\0": "xz",
    b"BZh9": "bzip2",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"PK\3\4": "zip",
    b"7z\xbc\xaf\x27\x1c": "7z",
}


@pytest.mark.parametrize(("magic", "packer"), PACKED.items(), ids=PACKED.values())
def test_packed_images_are_named(tmp_path: Path, magic: bytes, packer: str) -> None:
    (tmp_path / "disk").write_bytes(magic.ljust(2000, b"\1"))
    with pytest.raises(Unsupported, match=f"disk: compressed with {packer}") as caught:
        open_one(tmp_path / "disk")
    assert "unpack it first" in caught.value.hint


def qcow2(path: Path, *, feature: int = 0, backing: bytes = b"", size: int = 1 << 20, table: int = 1) -> Path:
    """A qcow2 with nothing in it but what is asked for."""
    run("qemu-img", "create", "-q", "-f", "qcow2", path, "1M")
    data = bytearray(path.read_bytes())
    struct.pack_into(">Q", data, 24, size)
    struct.pack_into(">I", data, 36, table)
    struct.pack_into(">Q", data, 72, struct.unpack_from(">Q", data, 72)[0] | feature)
    if backing:
        struct.pack_into(">QI", data, 8, 1024, len(backing))
        data[1024 : 1024 + len(backing)] = backing
    path.write_bytes(bytes(data))
    return path


def test_unknown_features_are_named(tmp_path: Path) -> None:
    with pytest.raises(Unsupported, match=r"unknown incompatible features: bit 5, bit 63$"):
        open_one(qcow2(tmp_path / "disk", feature=1 << 63 | 1 << 5))


def test_corrupt_and_dirty_are_remarked(tmp_path: Path) -> None:
    image = open_one(qcow2(tmp_path / "disk", feature=3))
    assert [remark.split(";")[0] for remark in image.remarks] == ["disk: marked as corrupt", "disk: was not closed cleanly (dirty)"]


@pytest.mark.parametrize("size", [1 << 62, (1 << 64) - 1])
def test_a_size_beyond_reason_is_refused(tmp_path: Path, size: int) -> None:
    with pytest.raises(ImageError, match="virtual size"):
        open_one(qcow2(tmp_path / "disk", size=size))


def test_a_short_table_is_damage(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="L1 table is too small"):
        open_one(qcow2(tmp_path / "disk", size=1 << 34))
    with pytest.raises(ImageError, match="truncated"):
        open_one(qcow2(tmp_path / "disk", size=1 << 44, table=1 << 20))


@pytest.mark.parametrize("name", [b"json:{}", b"nbd://host/disk", b"https://example.org/x", b"fat:rw:/etc", b"rbd:pool/disk"])
def test_a_backing_file_is_a_plain_file_name(tmp_path: Path, name: bytes) -> None:
    with pytest.raises(Unsupported, match=r"backing file .* is not a plain file name"):
        open_one(qcow2(tmp_path / "disk", backing=name))


def test_a_backing_file_is_a_regular_file(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"refers to /dev/zero \(backing file\), outside its folder"):
        open_one(qcow2(tmp_path / "disk", backing=b"/dev/zero"))
    with pytest.raises(ImageError, match=r"its backing file .*/gone is missing"):
        open_one(qcow2(tmp_path / "disk", backing=b"gone"))


def test_an_image_that_backs_itself_ends(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="more than 16 images in a chain"):
        open_one(qcow2(tmp_path / "disk", backing=b"disk"))


TRUNCATED = (
    "qcow2",
    "qcow2 v2",
    "qcow2 zstd",
    "qcow2 extended L2",
    "vmdk",
    "vmdk streamOptimized",
    "vhd",
    "vhdx",
    "vdi",
    "vmdk 2 GB sparse",
)


@pytest.mark.parametrize("case", TRUNCATED)
def test_truncated_images_say_so(tmp_path: Path, plain: Path, case: str) -> None:
    form, options = CONVERTED[case]
    image = convert(plain, tmp_path / "disk.img", form, options)
    assert not problems(open_paths(image))
    part = next(tmp_path.glob("*-s001*"), image)
    with part.open("r+b") as file:
        file.truncate(part.stat().st_size * 2 // 3)
    assert any("truncated" in problem for problem in problems(open_paths(image))), problems(open_paths(image))


def test_truncated_raw_disk_says_so(tmp_path: Path, plain: Path) -> None:
    (tmp_path / "disk").write_bytes(plain.read_bytes()[: 30 << 20])
    reason = f"ext4 of {48 << 20} bytes on a device of {30 << 20}: the image is truncated"
    assert problems(open_paths(tmp_path / "disk")) == [f"disk1: {reason}"]


def test_missing_extent(tmp_path: Path, plain: Path) -> None:
    convert(plain, tmp_path / "disk.vmdk", "vmdk", "subformat=monolithicFlat")
    (tmp_path / "disk-flat.vmdk").unlink()
    with pytest.raises(ImageError, match=r"its extent .*disk-flat\.vmdk is missing"):
        open_one(tmp_path / "disk.vmdk")


@pytest.mark.parametrize("name", ["/etc/passwd", "../disk.vmdk", "../bundle/../disk.vmdk", "link/passwd", "here"])
def test_extents_stay_in_the_folder(tmp_path: Path, name: str) -> None:
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    (bundle / "link").symlink_to("/etc")
    (bundle / "here").symlink_to("/etc/passwd")
    (tmp_path / "disk.vmdk").write_bytes(bytes(512))
    (bundle / "disk.vmdk").write_text(f'# Disk DescriptorFile\nversion=1\nparentCID=ffffffff\nRW 1 FLAT "{name}" 0\n')
    with pytest.raises(Refused, match=r"refers to .* \(extent\), outside its folder") as caught:
        open_one(bundle / "disk.vmdk")
    assert caught.value.hint.startswith("if it belongs to it: --allow-folder /")


@pytest.mark.parametrize("name", ["sub/disk-flat.vmdk", "{folder}/sub/disk-flat.vmdk"])
def test_extents_may_lie_below_the_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/disk-flat.vmdk").write_bytes(b"7" * 512)
    text = f'# Disk DescriptorFile\nversion=1\nparentCID=ffffffff\nRW 1 FLAT "{name.format(folder=tmp_path)}" 0\n'
    (tmp_path / "disk.vmdk").write_text(text)
    assert open_one(tmp_path / "disk.vmdk").stream.read_at(0, 512) == b"7" * 512


def test_nothing_to_open(tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "note").write_bytes(b"hello\n")
    assert problems(open_paths(tmp_path / "empty")) == ["empty: empty"]
    assert problems(open_paths(tmp_path / "note")) == ["note: too small to be a disk (6 bytes)"]
    assert problems(open_paths(blank(tmp_path / "blank", 1 << 20))) == ["disk1: blank: no partition table and no filesystem"]
    assert problems(open_paths(tmp_path / "gone")) == [f"gone: {tmp_path}/gone: no such file or directory"]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (bytes(8192) + b"koly" + bytes(508), "DMG images are not supported"),
        (b"encrcdsa" + bytes(4096), "encrypted DMG images are not supported"),
        (b"EVF\x09\x0d\x0a\xff\x00" + bytes(4096), r"EnCase \(E01\) images are not supported"),
        (bytes(257) + b"ustar" + bytes(4096), "tar images are not supported"),
    ],
)
def test_what_is_no_disk_image_is_named_with_what_to_do(tmp_path: Path, data: bytes, words: str) -> None:
    (tmp_path / "disk").write_bytes(data)
    with pytest.raises(Unsupported, match=words) as caught:
        open_image(DiskFile(str(tmp_path / "disk"), "disk"))
    assert caught.value.hint


@pytest.mark.parametrize(("count", "reads"), [(0x1FFFFF80, True), (0x1FFFFF81, False)])
def test_the_largest_block_map_of_a_vdi_is_that_of_qemu(tmp_path: Path, count: int, reads: bool) -> None:
    need("qemu-img")
    image = tmp_path / "image.vdi"
    run("qemu-img", "create", "-q", "-f", "vdi", image, "1M")
    data = bytearray(image.read_bytes())
    struct.pack_into("<I", data, 384, count)
    image.write_bytes(data)
    if reads:
        assert open_one(image).stream.read_at(0, 512) == bytes(512)
        return
    with pytest.raises(ImageError, match="block map of"):
        open_one(image)
    with pytest.raises(pytest.fail.Exception, match="too many blocks"):
        run("qemu-img", "info", image)
