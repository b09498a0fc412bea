"""The initramfs repair's segments, unpacked by the real cpio over what the image held before."""

from __future__ import annotations

import lzma
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from v2vlint.fixing.cpio import archive
from v2vlint.fixing.segment import KnownImage, compress, read_tree, segment
from v2vlint.model.errors import FactUnavailable
from v2vlint.samples.memory import memory_guest

V = "6.1.0-18-amd64"
BLK, RING, VIRTIO, PCI = (
    f"kernel/drivers/{name}" for name in ("block/virtio_blk", "virtio/virtio_ring", "virtio/virtio", "virtio/virtio_pci")
)
EXT4, CRC = "kernel/fs/ext4/ext4", "kernel/lib/crc32c"


def guest(suffix: str = ".ko") -> dict[str, str | bytes]:
    """A guest with a few modules; their content is their name, compressed as the suffix says."""
    deps = {BLK: (RING, VIRTIO), RING: (VIRTIO,), VIRTIO: (), PCI: (RING, VIRTIO), EXT4: (), CRC: ()}
    text = "".join(f"{path}{suffix}: {' '.join(f'{dep}{suffix}' for dep in found)}\n" for path, found in deps.items())
    files: dict[str, str | bytes] = {f"/lib/modules/{V}/modules.dep": text}
    files[f"/lib/modules/{V}/modules.softdep"] = "# comment\nsoftdep ext4 pre: crc32c\n"
    files[f"/lib/modules/{V}/modules.alias.bin"] = b"alias index"
    for path in deps:
        plain = path.encode()
        files[f"/lib/modules/{V}/{path}{suffix}"] = lzma.compress(plain, check=lzma.CHECK_CRC32) if suffix == ".ko.xz" else plain
    return files


def unpack(parts: list[bytes], folder: Path) -> dict[str, bytes]:
    """What the kernel's initramfs unpacker would leave: archives in order, later files win."""
    for part in parts:
        subprocess.run(["cpio", "-i", "-d", "-u", "--quiet"], input=part, cwd=folder, check=True)
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def image(members: Mapping[str, bytes], generator: str = "initramfs-tools") -> KnownImage:
    """The image that holds ``members``."""
    return KnownImage("/boot/initrd.img", V, frozenset(members), members, generator, "none")


def test_modules_dependencies_and_loader_for_initramfs_tools(tmp_path: Path) -> None:
    old = {"conf/modules": b"loop", f"usr/lib/modules/{V}/{VIRTIO}.ko": b"old virtio", "init": b"#!/bin/sh"}
    added = segment(memory_guest(guest()), image(old), ["virtio_blk", "virtio_pci"])
    found = unpack([archive(old), added], tmp_path)
    home = f"usr/lib/modules/{V}"
    assert found["conf/modules"] == b"loop\nvirtio_blk\nvirtio_pci\n"
    assert found[f"{home}/{BLK}.ko"] == BLK.encode()
    assert found[f"{home}/{RING}.ko"] == RING.encode()
    assert found[f"{home}/{VIRTIO}.ko"] == b"old virtio", "what is there already is left alone"
    assert found[f"{home}/modules.alias.bin"] == b"alias index"
    assert f"{home}/{EXT4}.ko" not in found
    assert "init" in found


def test_soft_dependencies_come_along(tmp_path: Path) -> None:
    found = unpack([segment(memory_guest(guest()), image({"init": b""}), ["ext4"])], tmp_path)
    assert {path for path in found if path.endswith(".ko")} == {f"lib/modules/{V}/{EXT4}.ko", f"lib/modules/{V}/{CRC}.ko"}


def test_names_follow_the_image_when_it_decompressed_its_modules(tmp_path: Path) -> None:
    old = {f"lib/modules/{V}/{VIRTIO}.ko": b"\x7fELF"}
    found = unpack([archive(old), segment(memory_guest(guest(".ko.xz")), image(old), ["virtio_blk"])], tmp_path)
    assert found[f"lib/modules/{V}/{BLK}.ko"] == BLK.encode()
    listed = found[f"lib/modules/{V}/modules.dep"].decode()
    assert ".xz" not in listed
    assert f"{BLK}.ko: {RING}.ko {VIRTIO}.ko\n" in listed


def test_modprobe_follows_the_new_index(tmp_path: Path) -> None:
    old = {f"lib/modules/{V}/{VIRTIO}.ko.xz": b"xz"}
    files = guest(".ko.xz")
    del files[f"/lib/modules/{V}/modules.alias.bin"]
    unpack([archive(old), segment(memory_guest(files), image(old), ["virtio_blk"])], tmp_path)
    command = ["modprobe", "-C", "/dev/null", "-d", str(tmp_path), "-S", V, "--show-depends", "virtio_blk"]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert [Path(line.split()[1]).name for line in lines] == ["virtio.ko.xz", "virtio_ring.ko.xz", "virtio_blk.ko.xz"]
    assert all(Path(line.split()[1]).exists() for line in lines)


@pytest.mark.parametrize(
    ("generator", "old", "path", "text"),
    [
        ("dracut", {"init": b""}, "etc/cmdline.d/99-v2vlint.conf", "rd.driver.pre=virtio_blk\n"),
        ("dracut", {"init": b""}, "etc/modules-load.d/v2vlint.conf", "virtio_blk\n"),
        ("mkinitcpio", {"config": b'MODULES="x"'}, "config", 'MODULES="x"\nMODULES="$MODULES virtio_blk"\n'),
    ],
)
def test_every_generator_loads_it_its_own_way(tmp_path: Path, generator: str, old: dict[str, bytes], path: str, text: str) -> None:
    found = unpack([segment(memory_guest(guest()), image(old, generator), ["virtio_blk"])], tmp_path)
    assert found[path].decode() == text


def test_absent_module_is_named() -> None:
    with pytest.raises(FactUnavailable, match="no module hv_storvsc"):
        segment(memory_guest(guest()), image({}), ["virtio_blk", "hv_storvsc"])


def test_absent_tree_is_named() -> None:
    with pytest.raises(FactUnavailable, match=r"modules\.dep"):
        read_tree(memory_guest({}), V)


@pytest.mark.parametrize(("method", "tool"), [("gzip", "gzip"), ("xz", "xz"), ("zstd", "zstd"), ("bzip2", "bzip2")])
def test_compression_is_what_the_tools_read(method: str, tool: str) -> None:
    done = subprocess.run([tool, "-dc"], input=compress(b"x" * 9999, method), capture_output=True, check=True)
    assert done.stdout == b"x" * 9999
