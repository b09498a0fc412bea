"""Block nodes: every format stated, overlays on top, the image itself never writable; opened by QEMU for real."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from v2vlint.files.nodes import Nodes, argument
from v2vlint.model.errors import ImageError, Unsupported
from v2vlint.model.source import DiskFile, ImageNode
from v2vlint.proving.images import ProofDisk, block_options
from v2vlint.proving.prepare import proof_disk
from v2vlint.proving.pristine import file_states


def qemu_img(*arguments: str | Path) -> None:
    """Run qemu-img."""
    subprocess.run(["qemu-img", *map(str, arguments)], check=True, capture_output=True)


def raw(folder: Path, name: str = "disk.raw", pattern: bytes = b"\x55") -> Path:
    """A raw image of 2 MiB with something in it."""
    path = folder / name
    path.write_bytes(pattern * (1 << 20) + bytes(1 << 20))
    return path


def converted(folder: Path, kind: str) -> Path:
    """The same in another format."""
    path = folder / f"disk.{kind}"
    qemu_img("convert", "-f", "raw", "-O", kind, raw(folder), path)
    return path


def through_the_overlay(disk: ProofDisk, path: Path, *, write: str = "") -> bytes:
    """What a guest would read, after it wrote: the first node's content, copied out by QEMU."""
    with Nodes() as nodes:
        node = json.loads(list(block_options([disk], path.parent, nodes))[1])
        del node["node-name"]
        if write:
            qemu("qemu-io", "-c", write, argument(node), inherit=nodes)
        qemu("qemu-img", "convert", "-O", "raw", argument(node), path, inherit=nodes)
    return path.read_bytes()


def qemu(*command: str | Path, inherit: Nodes) -> None:
    """Run a QEMU tool on nodes."""
    subprocess.run(list(map(str, command)), check=True, capture_output=True, pass_fds=inherit.descriptors)


@pytest.mark.parametrize("kind", ["raw", "qcow2", "vmdk", "vdi", "vhdx"])
def test_every_format(tmp_path: Path, kind: str) -> None:
    image = converted(tmp_path, kind) if kind != "raw" else raw(tmp_path)
    disk = proof_disk(DiskFile(str(image), image.name))
    before = file_states(disk.files)
    assert through_the_overlay(disk, tmp_path / "out").startswith(b"\x55" * (1 << 20))
    assert through_the_overlay(disk, tmp_path / "out", write="write -P 7 0 64k").startswith(b"\x07" * (1 << 16) + b"\x55")
    assert file_states(disk.files) == before
    assert disk.files == (str(image),)


def test_a_chain_is_opened_by_its_stated_formats(tmp_path: Path) -> None:
    base = raw(tmp_path)
    top = tmp_path / "top.qcow2"
    qemu_img("create", "-f", "qcow2", "-F", "raw", "-b", base.name, top)
    disk = proof_disk(DiskFile(str(top), top.name))
    assert disk.node == ImageNode(str(top), "qcow2", backing=ImageNode(str(base), "raw"))
    assert set(disk.files) == {str(top), str(base)}
    assert through_the_overlay(disk, tmp_path / "out").startswith(b"\x55" * 512)


def test_a_backing_format_is_never_guessed(tmp_path: Path) -> None:
    base, top = raw(tmp_path), tmp_path / "top.qcow2"
    qemu_img("create", "-f", "qcow2", "-F", "raw", "-b", base.name, top)
    top.write_bytes(top.read_bytes().replace(b"\xe2\x79\x2a\xca", b"\0unk", 1))
    with pytest.raises(Unsupported, match="does not state the format of its backing file"):
        proof_disk(DiskFile(str(top), top.name))


def test_a_raw_guest_cannot_pretend_to_be_a_backing_chain(tmp_path: Path) -> None:
    """A guest that wrote a qcow2 header into its raw disk names a host file; stated as raw, it stays what it is."""
    secret, evil = tmp_path / "secret", tmp_path / "evil.raw"
    secret.write_bytes(b"secret" * 1000)
    qemu_img("create", "-f", "qcow2", "-F", "raw", "-b", secret, tmp_path / "header.qcow2", "2M")
    evil.write_bytes((tmp_path / "header.qcow2").read_bytes().ljust(2 << 20, b"\0"))
    top = tmp_path / "top.qcow2"
    qemu_img("create", "-f", "qcow2", "-F", "raw", "-b", evil.name, top, "2M")
    disk = proof_disk(DiskFile(str(top), top.name))
    assert disk.node == ImageNode(str(top), "qcow2", backing=ImageNode(str(evil), "raw"))
    assert through_the_overlay(disk, tmp_path / "out").startswith(b"QFI\xfb")


def test_a_member_of_an_archive(tmp_path: Path) -> None:
    image = converted(tmp_path, "qcow2")
    archive = tmp_path / "guest.ova"
    archive.write_bytes(b"\xee" * 1024 + image.read_bytes() + b"\xee" * 1024)
    disk = proof_disk(DiskFile(str(archive), "disk.qcow2", 1024, image.stat().st_size))
    assert through_the_overlay(disk, tmp_path / "out").startswith(b"\x55" * 512)


@pytest.mark.parametrize("content", [b"", b"QFI\xfb" + b"\xff" * 200])
def test_what_the_reader_refuses_is_not_shown_to_qemu(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken"
    path.write_bytes(content)
    with pytest.raises(ImageError):
        proof_disk(DiskFile(str(path), "broken"))
