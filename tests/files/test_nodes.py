"""QEMU and the reader open the same files and read the same bytes, whatever an image is called and whatever its headers say."""

from __future__ import annotations

import hashlib
import random
import re
import struct
from pathlib import Path

import pytest

from tests.disk.images import need, run
from v2vlint.disk.containers.formats import Image, open_image
from v2vlint.files import Refused
from v2vlint.files.nodes import Nodes, argument
from v2vlint.fixing import qemu
from v2vlint.fixing.layout import flats
from v2vlint.fixing.look import to_change
from v2vlint.model.errors import ImageError, Unsupported, UsageError
from v2vlint.model.source import DiskFile, GuestRef, ImageNode

NAMES = [
    'json:{"driver":"raw","file":{"driver":"file","filename":"elsewhere"}}', "vm-2024-01-01T10:00:00", "-x", "a,b=c", "a,,b", "line\nbreak",
    "nbd:unix", "caf\udce9", "\udcff\udcfe", "$(id) `id` %s %n", "fat:rw:dir", "snow ☃", "-f raw", "a\"b'c\\d",
]  # fmt: skip
SIZE = 8 << 20


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Bytes that are nowhere the same."""
    need("qemu-img")
    path = tmp_path_factory.mktemp("plain") / "raw"
    path.write_bytes(random.Random(3).randbytes(SIZE - (3 << 20)) + bytes(1 << 20) + b"\x55" * (2 << 20))
    return path


def opened(path: Path) -> Image:
    return open_image(DiskFile(str(path), path.name))


def by_qemu(node: ImageNode | None, folder: Path) -> str:
    """The digest of what QEMU reads."""
    assert node is not None
    out = folder / f"out-{len(list(folder.iterdir()))}"
    with Nodes() as nodes:
        qemu.run("qemu-img", "convert", "-O", "raw", argument(nodes.image(node)), out, nodes=nodes, writes=(qemu.fresh(out),))
    return hashlib.sha256(out.read_bytes()).hexdigest()


def by_reader(image: Image) -> str:
    return hashlib.sha256(image.stream.read_at(0, image.stream.size)).hexdigest()


def sized(data: bytes, image: Image) -> str:
    """The digest of ``data`` at the size that the format rounds it to."""
    return hashlib.sha256(data.ljust(image.stream.size, b"\0")).hexdigest()


FORMATS = {
    "raw": "", "qcow2": "", "vdi": "", "vhdx": "", "vpc": "subformat=fixed,force_size=on", "vmdk": "",
    "vmdk streamOptimized": "subformat=streamOptimized", "vmdk twoGbMaxExtentSparse": "subformat=twoGbMaxExtentSparse",
    "vmdk monolithicFlat": "subformat=monolithicFlat", "qcow2 data file": "data_file_raw=on",
}  # fmt: skip


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("name", ["plain", *NAMES[:6], NAMES[8]])
def test_both_read_the_same(tmp_path: Path, plain: Path, form: str, name: str) -> None:
    image = opened(_made(tmp_path, plain, form, name))
    assert by_reader(image) == sized(plain.read_bytes(), image) == by_qemu(image.node, tmp_path)


def _made(folder: Path, plain: Path, form: str, name: str) -> Path:
    """An image called ``name`` in ``form``, made under a harmless name."""
    kind, options = form.split()[0], FORMATS[form]
    made = folder / f"made.{kind}"
    if form == "qcow2 data file":
        options += f",data_file={folder}/made.data"
    run("qemu-img", "convert", "-f", "raw", "-O", kind, *(("-o", options) if options else ()), plain, made)
    return made.rename(folder / f"{name}.{kind}")


@pytest.mark.parametrize("cid", ["\u00e9\u00e91234567", 'fffffffe"\nRW', ""])
def test_no_word_of_a_descriptor_gets_through(tmp_path: Path, plain: Path, cid: str) -> None:
    image = _made(tmp_path, plain, "vmdk monolithicFlat", "plain")
    text = image.read_bytes()
    image.write_bytes(re.sub(rb"(?m)^CID=.*$", lambda _match: f"CID={cid}".encode(), text))
    found = opened(image)
    assert by_reader(found) == by_qemu(found.node, tmp_path)


@pytest.mark.parametrize("name", NAMES)
def test_every_tool_takes_every_name(tmp_path: Path, plain: Path, name: str) -> None:
    image = tmp_path / f"{name}.qcow2"
    run("qemu-img", "convert", "-f", "raw", "-O", "qcow2", plain, tmp_path / "made")
    (tmp_path / "made").rename(image)
    node = opened(image).node
    assert node == ImageNode(str(image), "qcow2")
    qemu.probe_lock(node)
    overlay, before = Path(f"{image}.overlay"), opened(image).stream.read_at(0, SIZE)
    qemu.create_overlay(qemu.fresh(overlay), qemu.virtual_size(node))
    with qemu.exported(overlay, node, tmp_path) as socket:
        run("qemu-io", "-f", "raw", "-c", "read -P 0x55 7M 1M", "-c", "write -P 7 1M 64k", f"nbd:unix:{socket}")
    changed = open_image(DiskFile(str(overlay), "overlay", below=(str(image), "qcow2"))).stream
    assert changed.read_at(0, SIZE) == before[: 1 << 20] + b"\7" * (1 << 16) + before[(1 << 20) + (1 << 16) :]
    copy, snapshot = Path(f"{image}.copy"), Path(f"{image}.snapshot")
    qemu.copy_image(node, copy)
    qemu.snapshot(copy, snapshot)
    qemu.convert(snapshot, Path(f"{image}.vmdk"), "vmdk")
    assert opened(Path(f"{image}.vmdk")).stream.read_at(0, SIZE) == before
    assert {path.name.removeprefix(image.name) for path in tmp_path.iterdir()} == {
        "", ".overlay", ".copy", ".snapshot", ".vmdk",
    }  # fmt: skip


def _qcow2_chain(folder: Path, plain: Path, to: str) -> Path:
    run("qemu-img", "convert", "-f", "raw", "-O", "qcow2", plain, folder / "base.qcow2")
    run("qemu-img", "create", "-q", "-f", "qcow2", "-u", "-F", "qcow2", "-b", to, folder / "top.qcow2", "8M")
    return folder / "top.qcow2"


def _vmdk_chain(folder: Path, plain: Path, to: str) -> Path:
    run("qemu-img", "convert", "-f", "raw", "-O", "vmdk", plain, folder / "base.vmdk")
    run("qemu-img", "create", "-q", "-f", "vmdk", "-F", "vmdk", "-b", "base.vmdk", "top.vmdk", cwd=folder)
    data = (folder / "top.vmdk").read_bytes()
    at = data.index(b"# Disk DescriptorFile")
    text = data[at : data.index(b"\0", at)]
    renamed = text.replace(b'"base.vmdk"', f'"{to}"'.encode())
    (folder / "top.vmdk").write_bytes(data[:at] + renamed + data[at + len(renamed) :])
    return folder / "top.vmdk"


CHAINS = {"qcow2": _qcow2_chain, "vmdk": _vmdk_chain}


@pytest.mark.parametrize("form", CHAINS)
@pytest.mark.parametrize("to", ["base.{form}", "./base.{form}", "{folder}/base.{form}", "link.{form}"])
def test_a_chain_inside_the_folder_is_the_same_for_both(tmp_path: Path, plain: Path, form: str, to: str) -> None:
    (tmp_path / f"link.{form}").symlink_to(f"base.{form}")
    image = opened(CHAINS[form](tmp_path, plain, to.format(form=form, folder=tmp_path)))
    assert image.node is not None
    assert image.node.paths == (str(tmp_path / f"top.{form}"), str(tmp_path / f"base.{form}"))
    assert by_reader(image) == sized(plain.read_bytes(), image) == by_qemu(image.node, tmp_path)


ELSEWHERE = ["../victim.{form}", "{outside}/victim.{form}", "leads-out.{form}", "up/victim.{form}", "/proc/self/environ", "/dev/zero"]


@pytest.fixture
def bundle(tmp_path: Path, plain: Path) -> Path:
    """A folder with links that lead out, beside another guest's disks."""
    folder = tmp_path / "bundle"
    folder.mkdir()
    for form in ("qcow2", "vmdk", "raw"):
        run("qemu-img", "convert", "-f", "raw", "-O", form, plain, tmp_path / f"victim.{form}")
        (folder / f"leads-out.{form}").symlink_to(tmp_path / f"victim.{form}")
    (folder / "up").symlink_to("..")
    return folder


@pytest.mark.parametrize("form", CHAINS)
@pytest.mark.parametrize("to", ELSEWHERE)
def test_a_chain_that_leads_out_is_refused(bundle: Path, plain: Path, form: str, to: str) -> None:
    top = CHAINS[form](bundle, plain, to.format(form=form, outside=bundle.parent))
    with pytest.raises(Refused, match="outside its folder") as caught:
        opened(top)
    assert "--allow-folder" in caught.value.hint


@pytest.mark.parametrize("to", ['json:{"file.filename":"/etc/passwd"}', "nbd://host/x", "nbd:unix:/run/x", "fat:/etc", "https://h/x"])
def test_protocols_are_refused(bundle: Path, plain: Path, to: str) -> None:
    with pytest.raises(Unsupported, match="not a plain file name"):
        opened(_qcow2_chain(bundle, plain, to))


@pytest.mark.parametrize("prefix", ["", "file:"])
@pytest.mark.parametrize("to", ["../victim.raw", "{outside}/victim.raw", "leads-out.raw", "/etc/passwd", "/dev/zero", "/proc/self/environ"])
def test_a_data_file_elsewhere_is_refused(bundle: Path, plain: Path, prefix: str, to: str) -> None:
    run("qemu-img", "create", "-q", "-f", "qcow2", "-o", f"data_file={bundle}/data,data_file_raw=on", bundle / "top.qcow2", "8M")
    _rename_data_file(bundle / "top.qcow2", f"{prefix}{to.format(outside=bundle.parent)}")
    with pytest.raises(Refused, match=r"\(data file\), outside its folder"):
        opened(bundle / "top.qcow2")


def _rename_data_file(image: Path, name: str) -> None:
    """Give the header extension that names the data file another name, in room that is made by dropping what follows it."""
    head = bytearray(image.read_bytes())
    at = head.index(b"DATA", 72)
    head[at : at + 8 + len(name) + 16] = struct.pack(">4sI", b"DATA", len(name)) + name.encode() + bytes(16)
    image.write_bytes(bytes(head))


def test_a_data_file_that_is_mapped_out_of_order_is_refused_by_both(tmp_path: Path, plain: Path) -> None:
    image = _made(tmp_path, plain, "qcow2 data file", "x")
    data = bytearray(image.read_bytes())
    l1 = struct.unpack_from(">Q", data, 40)[0]
    l2 = struct.unpack_from(">Q", data, l1)[0] & 0x00FFFFFFFFFFFE00
    first, second = struct.unpack_from(">QQ", data, l2)
    struct.pack_into(">QQ", data, l2, second, first)
    image.write_bytes(bytes(data))
    found = opened(image)
    with pytest.raises(ImageError, match="mapped out of order"):
        found.stream.read_at(0, 512)
    assert found.node is not None
    with pytest.raises(ImageError, match=r"qemu-img convert"):
        by_qemu(found.node, tmp_path)


HIDDEN = [
    'RW +2 FLAT "{victim}" 0',
    'RW 2 FLAT\x0b"{victim}" 0',
    'RW\x0c2 FLAT "{victim}" 0',
    'RW 0x2 FLAT "{victim}" 0',
    'rw 2 FLAT "{victim}" 0',
]


@pytest.mark.parametrize("line", HIDDEN)
def test_extents_that_only_qemu_sees_are_not_opened(bundle: Path, line: str) -> None:
    (bundle / "own").write_bytes(b"7" * 1024)
    text = '# Disk DescriptorFile\nversion=1\nCID=12345678\nparentCID=ffffffff\ncreateType="monolithicFlat"\nRW 2 FLAT "own" 0\n'
    (bundle / "d.vmdk").write_text(text + line.format(victim=bundle.parent / "victim.raw") + "\n")
    try:
        image = opened(bundle / "d.vmdk")
    except ImageError:
        return
    assert image.node is not None
    assert image.node.paths == (str(bundle / "d.vmdk"), str(bundle / "own"))
    assert by_qemu(image.node, bundle) == hashlib.sha256(b"7" * 1024).hexdigest()


def test_a_sparse_vmdk_whose_header_makes_qemu_read_its_descriptor_is_refused(tmp_path: Path, plain: Path) -> None:
    image = _made(tmp_path, plain, "vmdk streamOptimized", "x")
    data = bytearray(image.read_bytes())
    data[12:20] = bytes(8)
    image.write_bytes(bytes(data))
    with pytest.raises(ImageError, match="damaged VMDK header"):
        opened(image)


def test_the_parent_of_another_host_is_looked_for_beside_the_child(tmp_path: Path, plain: Path) -> None:
    image = opened(_vmdk_chain(tmp_path, plain, "/vmfs/volumes/4f1e/web/base.vmdk"))
    assert image.node is not None
    assert image.node.paths[1] == str(tmp_path / "base.vmdk")
    assert by_qemu(image.node, tmp_path) == by_reader(image)


def test_a_file_that_is_swapped_for_a_link_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "disk").write_bytes(bytes(4096))
    (tmp_path / "disk").rename(tmp_path / "was")
    (tmp_path / "disk").symlink_to("/etc/passwd")
    with Nodes() as nodes, pytest.raises(Refused):
        nodes.image(ImageNode(str(tmp_path / "disk"), "raw"))


def _files_open() -> list[str]:
    """What this process has open by a path; the sockets of a server of readers come and go."""
    links = (str(link.readlink()) for link in Path("/proc/self/fd").iterdir() if link.is_symlink())
    return sorted(link for link in links if link.startswith("/") and not link.startswith("/proc/"))


def test_nodes_leave_no_descriptors_behind(tmp_path: Path, plain: Path) -> None:
    node = opened(_made(tmp_path, plain, "vmdk monolithicFlat", "x")).node
    assert node is not None
    before = _files_open()
    with Nodes() as nodes:
        nodes.image(node)
        scratch = nodes.grant.read[-1]
        assert Path(scratch).is_dir()
    assert _files_open() == before
    assert not Path(scratch).exists()


@pytest.mark.parametrize("form", ["vmdk monolithicFlat", "vmdk twoGbMaxExtentSparse", "qcow2 data file"])
def test_files_that_an_image_names_are_not_written(tmp_path: Path, plain: Path, form: str) -> None:
    image = _made(tmp_path, plain, form, "x")
    (node,) = to_change(GuestRef("x", "disks", (str(image),)))
    assert node == opened(image).node
    with pytest.raises(UsageError, match="cannot be changed in place") as caught:
        flats(node)
    assert caught.value.hint == "give -o NEW.qcow2"


def test_an_image_with_a_backing_file_is_changed_by_itself(tmp_path: Path, plain: Path) -> None:
    image = _qcow2_chain(tmp_path, plain, "base.qcow2")
    (node,) = to_change(GuestRef("x", "disks", (str(image),)))
    assert node == opened(image).node
