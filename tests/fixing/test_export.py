"""Disks that QEMU cannot open as they are come out as plain copies; a failure leaves nothing behind."""

from __future__ import annotations

import gzip
import random
import tarfile
from pathlib import Path

import pytest

from tests.disk.images import run
from v2vlint import target
from v2vlint.engine.protocol import CheckAsk
from v2vlint.fixing import session
from v2vlint.fixing.export import ExportAsk, export
from v2vlint.fixing.protocol import FixAsk
from v2vlint.model.codec import encode
from v2vlint.model.errors import ImageError
from v2vlint.source.expand import expand

OVF = """<Envelope xmlns="http://schemas.dmtf.org/ovf/envelope/1" xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1">
<References><File ovf:id="a" ovf:href="a.vmdk"/><File ovf:id="b" ovf:href="b.img" ovf:chunkSize="70000"/></References>
<DiskSection><Disk ovf:diskId="1" ovf:fileRef="a"/><Disk ovf:diskId="2" ovf:fileRef="b"/></DiskSection>
<VirtualSystem ovf:id="x"/></Envelope>"""


def package(folder: Path) -> tuple[Path, list[bytes]]:
    """An OVA with a compressed VMDK and a gzip'd raw disk in pieces; the plain content of both."""
    plain = [random.Random(1).randbytes(3 << 20) + bytes(5 << 20), bytes(2 << 20) + random.Random(2).randbytes(1 << 20)]
    (folder / "a.raw").write_bytes(plain[0])
    options = ("-O", "vmdk", "-o", "subformat=streamOptimized")
    run("qemu-img", "convert", "-f", "raw", *options, folder / "a.raw", folder / "a.vmdk")
    packed = gzip.compress(plain[1])
    names = ["a.vmdk"]
    for number, start in enumerate(range(0, len(packed), 70_000)):
        names.append(f"b.img.{number:09d}")
        (folder / names[-1]).write_bytes(packed[start : start + 70_000])
    (folder / "x.ovf").write_text(OVF)
    with tarfile.open(folder / "x.ova", "w") as archive:
        for name in ("x.ovf", *names):
            archive.add(folder / name, name)
    return folder / "x.ova", plain


@pytest.mark.parametrize("name", ["x.ova", "x.ovf"])
def test_every_disk_as_it_is_read(tmp_path: Path, name: str) -> None:
    _ova, plain = package(tmp_path)
    (ref,) = expand([str(tmp_path / name)])
    for position, content in enumerate(plain):
        output = tmp_path / f"out{position}"
        output.touch()
        assert export(encode(ExportAsk(ref, position, str(output)))) == len(content)
        assert output.read_bytes() == content
        assert output.stat().st_blocks * 512 < len(content), "zeros are holes"


def test_a_folder_of_copies(tmp_path: Path) -> None:
    ova, plain = package(tmp_path)
    (ref,) = expand([str(ova)])
    outcome = session.fix_copy(FixAsk(CheckAsk(ref, (target.load("kvm"),))), tmp_path / "out")
    assert not outcome.applied
    made = sorted((tmp_path / "out").iterdir())
    assert [path.name for path in made] == ["disk1.qcow2", "disk2.qcow2"]
    for path, content in zip(made, plain, strict=True):
        run("qemu-img", "convert", "-f", "qcow2", "-O", "raw", path, tmp_path / "back")
        assert (tmp_path / "back").read_bytes() == content


def test_nothing_is_left_of_a_guest_with_a_missing_disk(tmp_path: Path) -> None:
    ova, _plain = package(tmp_path)
    for piece in tmp_path.glob("b.img.*"):
        piece.unlink()
    (ref,) = expand([str(ova.with_suffix(".ovf"))])
    (tmp_path / "a.vmdk").write_bytes(b"x")
    with pytest.raises(ImageError, match=r"b\.img is missing"):
        session.fix_copy(FixAsk(CheckAsk(ref, (target.load("kvm"),))), tmp_path / "out")
    assert not (tmp_path / "out").exists()
