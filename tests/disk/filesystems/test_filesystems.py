"""Every file of a tree is read back as it is from every filesystem that can be made without root."""

from __future__ import annotations

import os
import struct
import subprocess
from pathlib import Path

import pytest

from tests.disk.images import Tree, blank, ext, host_tree, make_tree, need, open_paths, problems, read_tree, root_tree, run, same
from v2vlint.disk.filesystems.node import FileSystem, as_it_lies
from v2vlint.disk.filesystems.ntfs import NtfsFileSystem
from v2vlint.disk.filesystems.opening import open_filesystem
from v2vlint.disk.filesystems.probe import probe
from v2vlint.disk.filesystems.probe_fat import FatLayout
from v2vlint.disk.stream import HostFile
from v2vlint.model.errors import ImageError


def opened(path: Path) -> Tree:
    stream = HostFile(str(path))
    return read_tree(open_filesystem(probe(stream), [stream]))


EXT = {
    "ext4": ("-t", "ext4"),
    "1k blocks": ("-t", "ext4", "-b", "1024"),
    "ext3": ("-t", "ext3"),
    "ext2": ("-t", "ext2", "-b", "1024"),
    "meta_bg": ("-t", "ext4", "-b", "1024", "-O", "meta_bg,^resize_inode"),
    "without 64bit": ("-t", "ext4", "-O", "^64bit,^metadata_csum"),
    "bigalloc": ("-t", "ext4", "-b", "1024", "-O", "bigalloc"),
    "128-byte inodes": ("-t", "ext2", "-O", "none", "-I", "128"),
}


@pytest.mark.parametrize("options", EXT.values(), ids=EXT)
def test_ext(tmp_path: Path, tree: Path, wanted: Tree, options: tuple[str, ...]) -> None:
    guest = open_paths(ext(tmp_path / "fs", tree, *options))
    same(root_tree(guest), wanted)
    assert not guest.problems


def test_ext_inline_data(tmp_path: Path) -> None:
    top = make_tree(tmp_path / "root", odd=False)
    (top / "small").write_bytes(b"s" * 40)
    (top / "middle").write_bytes(bytes(range(200)))
    (top / "folder").mkdir()
    for number in range(12):
        (top / f"folder/entry{number}").write_bytes(b"")
    image = ext(tmp_path / "fs", top, "-t", "ext4", "-O", "inline_data", "-I", "512")
    same(root_tree(open_paths(image)), host_tree(top))


XFS = {
    "v5": (),
    "v4": ("-m", "crc=0"),
    "v4 without ftype": ("-m", "crc=0", "-n", "ftype=0"),
    "1k blocks": ("-b", "size=1024"),
    "64k directories": ("-n", "size=65536"),
    "large inodes": ("-i", "size=2048"),
}


@pytest.mark.parametrize("options", XFS.values(), ids=XFS)
def test_xfs(tmp_path: Path, tree: Path, wanted: Tree, options: tuple[str, ...]) -> None:
    need("mkfs.xfs")
    prototype = tmp_path / "prototype"
    prototype.write_text("\n".join(["/dev/null", "0 0", "d--755 0 0", *_prototype(tree), "$", ""]))
    run("mkfs.xfs", "-q", *options, "-p", prototype, blank(tmp_path / "fs", 320 << 20))
    same(root_tree(open_paths(tmp_path / "fs")), wanted)


def _prototype(folder: Path) -> list[str]:
    lines: list[str] = []
    for path in sorted(folder.iterdir()):
        mode = path.lstat().st_mode
        bits = f"{'u' if mode & 0o4000 else '-'}-{mode & 0o777:03o} 0 0"
        if path.is_symlink():
            lines.append(f"{path.name} l--777 0 0 {path.readlink()}")
        elif path.is_dir():
            lines += [f"{path.name} d{bits}", *_prototype(path), "$"]
        else:
            lines.append(f"{path.name} -{bits} {path}")
    return lines


BTRFS = {"default": (), "mixed": ("-M",), "4k nodes": ("-n", "4096"), "without no-holes": ("-O", "^no-holes"), "64k nodes": ("-n", "65536"),
         "single": ("-m", "single", "-d", "single")}  # fmt: skip


@pytest.mark.parametrize("options", BTRFS.values(), ids=BTRFS)
def test_btrfs(tmp_path: Path, tree: Path, wanted: Tree, options: tuple[str, ...]) -> None:
    need("mkfs.btrfs")
    run("mkfs.btrfs", "-q", *options, "--rootdir", tree, blank(tmp_path / "fs", 256 << 20))
    guest = open_paths(tmp_path / "fs")
    same(root_tree(guest), wanted)
    assert guest.blocks.disks[0].detail("default_subvolume") == ""


@pytest.mark.parametrize(("bits", "size"), [("12", 1 << 20), ("16", 20 << 20), ("32", 80 << 20), ("32", 34 << 20)])
def test_fat(tmp_path: Path, bits: str, size: int) -> None:
    need("mkfs.vfat", "mcopy")
    top = tmp_path / "root"
    (top / "EFI/BOOT").mkdir(parents=True)
    (top / "EFI/BOOT/BOOTX64.EFI").write_bytes(os.urandom(100_000))
    (top / "a long name with spaces.txt").write_text("long")
    (top / "lower.txt").write_text("lower")
    (top / "grün.cfg").write_text("umlaut")
    for number in range(90):
        (top / f"EFI/file number {number}").write_bytes(b"%d" % number)
    run("mkfs.vfat", "-F", bits, "-s", "1", "-n", "ESP", blank(tmp_path / "fs", size))
    run("mcopy", "-s", "-i", tmp_path / "fs", *sorted(top.iterdir()), "::")
    same(opened(tmp_path / "fs"), host_tree(top), modes=False)


def test_fat_fragmented_backwards(tmp_path: Path) -> None:
    need("mkfs.vfat", "mcopy", "mdel")
    image = blank(tmp_path / "fs", 8 << 20)
    run("mkfs.vfat", "-F", "16", "-s", "1", image)
    for number in range(40):
        (tmp_path / f"f{number}").write_bytes(os.urandom(5000 + number))
        run("mcopy", "-i", image, tmp_path / f"f{number}", "::")
    run("mdel", "-i", image, *(f"::f{number}" for number in range(0, 40, 2)))
    (tmp_path / "big").write_bytes(os.urandom(200_000))
    run("mcopy", "-i", image, tmp_path / "big", "::")
    found = opened(image)
    assert found["big"] == (*host_tree(tmp_path)["big"][:2], 0o755)


def test_fat_names_have_no_case(tmp_path: Path) -> None:
    need("mkfs.vfat", "mcopy")
    (tmp_path / "MixedCase.efi").write_text("x")
    run("mkfs.vfat", "-F", "16", "-s", "1", blank(tmp_path / "fs", 8 << 20))
    run("mcopy", "-i", tmp_path / "fs", tmp_path / "MixedCase.efi", "::")
    stream = HostFile(str(tmp_path / "fs"))
    root = open_filesystem(probe(stream), [stream]).root
    assert root.child("mixedcase.EFI") is not None
    assert root.child("MIXEDC~1.EFI") is not None
    assert root.child("missing") is None


def half_written(folder: Path) -> FileSystem:
    """A FAT16 that was copied in the middle of a change: chains that lead nowhere, entries without their other half."""
    need("mkfs.vfat", "mcopy")
    top, image = folder / "root", blank(folder / "fs", 8 << 20)
    (top / "lost").mkdir(parents=True)
    (top / "lost/inside").write_text("x")
    (top / "cut").write_bytes(b"c" * 5000)
    (top / "a long name").write_text("long")
    (top / "empty.").mkdir()
    run("mkfs.vfat", "-F", "16", "-s", "1", image)
    run("mcopy", "-s", "-i", image, *sorted(top.iterdir()), "::")
    data = bytearray(image.read_bytes())
    layout = FatLayout.read(bytes(data[:512]))
    assert layout is not None
    entries = {bytes(data[at : at + 11]): at for at in range(layout.root_at, layout.root_at + 512, 32)}
    data[37] |= 1
    for name, cluster in ((b"LOST       ", 0), (b"CUT        ", 2)):
        first = int.from_bytes(data[entries[name] + 26 :][:2], "little") + cluster
        data[layout.fat_at + first * 2 : layout.fat_at + first * 2 + 2] = b"\0\0"
    data[entries[b"EMPTY      "] + 26 : entries[b"EMPTY      "] + 28] = b"\0\0"
    data[entries[b"ALONGN~1   "] + 8] = ord("X")
    data[layout.root_at + 1024 : layout.root_at + 1056] = b"BEHIND     " + b"\x20" + bytes(20)
    image.write_bytes(data)
    stream = HostFile(str(image))
    return open_filesystem(probe(stream), [stream])


def test_a_fat_copied_in_use_is_read_as_linux_does(tmp_path: Path) -> None:
    """The kernel's words to the same damage: "invalid cluster chain", EIO; it does not stop at the end of a folder."""
    root = half_written(tmp_path).root
    assert sorted(root.names()) == ["ALONGN~1.X", "BEHIND", "cut", "empty", "lost"]
    lost, cut, empty = (root.child(name) for name in ("lost", "cut", "empty"))
    assert lost is not None
    assert cut is not None
    assert empty is not None
    assert cut.stat().size == 5000
    with pytest.raises(ImageError, match="without entries for itself"):
        list(empty.names())
    with pytest.raises(ImageError, match="ends too early"):
        list(lost.names())
    with pytest.raises(ImageError, match="ends too early"):
        cut.open()


def test_a_fat_copied_in_use_is_read_as_boot_loaders_do(tmp_path: Path) -> None:
    system = half_written(tmp_path)
    lying = as_it_lies(system)
    root = lying.root
    assert as_it_lies(lying) is lying
    assert lying is not system
    assert sorted(root.names()) == ["ALONGN~1.X", "cut", "empty", "lost"]
    lost, cut = root.child("lost"), root.child("cut")
    assert lost is not None
    assert cut is not None
    assert list(lost.names()) == ["inside"]
    assert cut.open().read(1536) == b"c" * 1536


def test_squashfs(tmp_path: Path, tree: Path, wanted: Tree) -> None:
    need("mksquashfs")
    for packer in ("gzip", "xz", "zstd", "lz4", "lzo", "lzma"):
        image = tmp_path / f"{packer}.squashfs"
        run("mksquashfs", tree, image, "-noappend", "-quiet", "-no-progress", "-comp", packer)
        guest = open_paths(image)
        same(root_tree(guest), wanted)


@pytest.mark.parametrize("options", [("-R",), ("-J", "-joliet-long"), ()], ids=["rock ridge", "joliet", "plain"])
def test_iso(tmp_path: Path, options: tuple[str, ...]) -> None:
    need("genisoimage")
    top = tmp_path / "root"
    (top / "sub").mkdir(parents=True)
    (top / "user-data").write_text("#cloud-config\n")
    (top / "sub/meta-data").write_bytes(os.urandom(10_000))
    if options == ("-R",):
        (top / "link").symlink_to("sub/meta-data")
    run("genisoimage", "-quiet", *options, "-V", "cidata", "-o", tmp_path / "fs", top)
    found = opened(tmp_path / "fs")
    if options:
        same(found, host_tree(top), modes=False)
    else:
        assert set(found) == {"user_dat", "sub", "sub/meta_dat"}


def test_ntfs(tmp_path: Path) -> None:
    need("mkntfs", "ntfscp")
    image = blank(tmp_path / "fs", 20 << 20)
    run("mkntfs", "-Q", "-F", "-q", "-L", "Windows", image)
    for number, size in enumerate((0, 1, 500, 5000, 3_000_000)):
        (tmp_path / f"File{number}.dat").write_bytes(os.urandom(size))
        run("ntfscp", "-f", image, tmp_path / f"File{number}.dat", f"/File{number}.dat")
    found = opened(image)
    wanted = {name: entry[:2] for name, entry in host_tree(tmp_path).items() if name.startswith("File")}
    assert {name: entry[:2] for name, entry in found.items()} == wanted
    stream = HostFile(str(image))
    assert open_filesystem(probe(stream), [stream]).root.child("fILE3.DAT") is not None
    assert problems(open_paths(image)) == ["guest: no operating system found on disk1 (ntfs)"]


@pytest.mark.parametrize("options", [(), ("-C",)])
@pytest.mark.parametrize("valid", [0, 300, 4096, 5000, 69_999])
def test_what_was_never_written_to_ntfs_is_zeros(tmp_path: Path, options: tuple[str, ...], valid: int) -> None:
    """A file may be longer than what was written of it (ValidDataLength): the clusters behind hold what others left there."""
    need("mkntfs", "ntfscp", "ntfscat")
    image, content = blank(tmp_path / "fs", 16 << 20), os.urandom(70_000)
    (tmp_path / "content").write_bytes(content)
    run("mkntfs", "-Q", "-F", "-q", *options, image)
    run("ntfscp", "-f", "-q", image, tmp_path / "content", "/long.dat")
    sizes = struct.pack("<QQ", 70_000, 70_000)  # FileSize and ValidDataLength
    assert image.read_bytes().count(sizes) == 1
    image.write_bytes(image.read_bytes().replace(sizes, struct.pack("<QQ", 70_000, valid)))
    wanted = subprocess.run(["ntfscat", "-f", image, "/long.dat"], capture_output=True, check=True).stdout
    assert wanted == content[:valid] + bytes(70_000 - valid)
    node = NtfsFileSystem(HostFile(str(image))).root.child("long.dat")
    assert node is not None
    with node.open() as file:
        assert file.read() == wanted
        file.seek(max(0, valid - 10))
        assert file.read(100) == wanted[max(0, valid - 10) :][:100]


@pytest.mark.parametrize(("offset", "value"), [(22, 0), (16, 77)], ids=["not in use", "used again"])
def test_an_entry_of_ntfs_whose_file_was_deleted_is_not_followed(tmp_path: Path, offset: int, value: int) -> None:
    """In a copy made while a file was deleted, its name may still be there (FILE_RECORD_SEGMENT_HEADER: Flags, SequenceNumber)."""
    need("mkntfs", "ntfscp", "ntfscat")
    image = blank(tmp_path / "fs", 16 << 20)
    (tmp_path / "content").write_bytes(b"content")
    run("mkntfs", "-Q", "-F", "-q", image)
    run("ntfscp", "-f", "-q", image, tmp_path / "content", "/gone.dat")
    data = bytearray(image.read_bytes())
    record = int.from_bytes(data[48:56], "little") * data[13] * 512 + 64 * 1024
    assert data[record : record + 4] == b"FILE"
    struct.pack_into("<H", data, record + offset, value)
    image.write_bytes(data)
    if not value:  # ntfs-3g does not compare the number of uses; Linux's ntfs3 (ntfs_read_mft) and Windows do
        assert subprocess.run(["ntfscat", "-f", image, "/gone.dat"], capture_output=True, check=False).returncode
    with pytest.raises(ImageError, match="deleted"):
        NtfsFileSystem(HostFile(str(image))).root.child("gone.dat")


def folder_with_nodes(tmp_path: Path) -> tuple[Path, bytearray, int]:
    """An NTFS whose root folder needs a tree: the image, its bytes, and where its first index node lies."""
    need("mkntfs", "ntfscp")
    image = blank(tmp_path / "fs", 20 << 20)
    run("mkntfs", "-Q", "-F", "-q", image)
    (tmp_path / "empty").write_bytes(b"")
    for number in range(60):
        run("ntfscp", "-f", image, tmp_path / "empty", f"/a rather long name of a file {number:03}.dat")
    data = bytearray(image.read_bytes())
    return (
        image,
        data,
        next(at for at in range(0, len(data), 4096) if data[at : at + 4] == b"INDX" and b"r\0a\0t\0h\0e\0r" in data[at : at + 4096]),
    )


@pytest.mark.parametrize("damage", ["no length", "back to itself"])
def test_a_damaged_index_of_ntfs_comes_to_an_end(tmp_path: Path, damage: str) -> None:
    """Damaged image 8132 was read until the limit on processor time."""
    image, data, node = folder_with_nodes(tmp_path)
    first = node + 24 + int.from_bytes(data[node + 24 : node + 28], "little")
    if damage == "no length":
        data[first + 8 : first + 10] = bytes(2)
    else:
        vcn, length = data[node + 16 : node + 24], int.from_bytes(data[first + 8 : first + 10], "little")
        data[first + 12] |= 1 | 2  # the last entry, and one with a node below it
        data[first + length - 8 : first + length] = vcn
    image.write_bytes(data)
    stream = HostFile(str(image))
    with pytest.raises(ImageError, match="an index entry of 0 bytes" if damage == "no length" else "leads back to itself"):
        open_filesystem(probe(stream), [stream]).root.child("a rather long name of a file 030.dat")


def test_no_reader(tmp_path: Path) -> None:
    need("mkfs.f2fs")
    run("mkfs.f2fs", "-q", blank(tmp_path / "fs", 64 << 20))
    assert "disk1: F2FS is not supported" in problems(open_paths(tmp_path / "fs"))
