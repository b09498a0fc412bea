"""Definitions that were made to cost: what they name again and again is looked for once, or not beyond a limit, and the rest is told."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from v2vlint.disk.containers import xva
from v2vlint.disk.containers.formats import open_image
from v2vlint.disk.containers.layer import disks_in
from v2vlint.disk.filesystems.archive import ArchiveFileSystem
from v2vlint.disk.stream import HostFile, Stream
from v2vlint.files import FileOpener, urls
from v2vlint.model.errors import ImageError
from v2vlint.model.source import DiskFile, GuestSource
from v2vlint.source import manifest, nearby
from v2vlint.source.expand import expand
from v2vlint.source.kinds import pvs
from v2vlint.source.locate import locate

OVF = '<Envelope xmlns="{0}" xmlns:o="{0}" xmlns:r="{1}">{2}</Envelope>'
_SPACES = ("http://schemas.dmtf.org/ovf/envelope/1", "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData")
MANY = 3000


def _located(path: Path) -> GuestSource:
    (ref,) = expand([str(path)])
    return locate(ref)


def header(name: bytes, size: int = 0, kind: bytes = b"0") -> bytes:
    """The header of a member of a tar archive."""
    block = bytearray(512)
    block[: len(name)], block[124:136], block[156:157], block[257:265] = name, b"%011o\0" % size, kind, b"ustar\x0000"
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


@pytest.mark.parametrize(("kind", "body"), [(b"L", b"name"), (b"x", b"20 path=aaaaaaaaaaa\n"), (b"K", b"link")])
def test_an_archive_of_nothing_but_headers_for_headers(tmp_path: Path, kind: bytes, body: bytes) -> None:
    one = header(b"h", len(body), kind) + body.ljust(512, b"\0")
    (tmp_path / "a.ova").write_bytes(one * 5000 + header(b"a.ovf") + bytes(1024))
    with pytest.raises(ImageError, match="not a tar archive"):
        _located(tmp_path / "a.ova")
    tree = ArchiveFileSystem()
    with pytest.raises(ImageError, match="not a tar archive"):
        tree.add("a.ova", HostFile(str(tmp_path / "a.ova")))
    with pytest.raises(ImageError, match="no layer"):
        list(disks_in([DiskFile(str(tmp_path / "a.ova"), "a layer")]))


@pytest.mark.parametrize(
    ("folder", "url", "inside"),
    [
        ("https://h/a", "https://h/a/b/c.qcow2", True),
        ("https://h/a", "https://h/ab/c.qcow2", False),
        ("https://h", "https://h/c.qcow2", True),
        ("https://h", "https://h/admin/c.qcow2", False),
        ("https://h/", "https://h/admin/c.qcow2", True),  # the operator named the top itself
        ("https://h/", "https://h/.git/c.qcow2", False),
        ("s3://bucket", "s3://bucket/secret/c.qcow2", False),
        ("https://h", "https://h.evil/c.qcow2", False),
    ],
)
def test_the_top_of_a_server_is_no_folder_for_what_is_below(folder: str, url: str, inside: bool) -> None:
    assert urls.is_in(folder, url) is inside


@pytest.mark.parametrize("kind", [b"5", b"2", b"3", b"0"])
def test_an_archive_of_many_members_of_any_kind(tmp_path: Path, kind: bytes) -> None:
    (tmp_path / "a.ova").write_bytes(header(b"d", 0, kind) * 5000 + bytes(1024))
    with pytest.raises(ImageError, match="more than 4096 files"):
        _located(tmp_path / "a.ova")


def _ovf(files: str, disks: str, items: str) -> str:
    hardware = f'<VirtualSystem o:id="x"><VirtualHardwareSection>{items}</VirtualHardwareSection></VirtualSystem>'
    return OVF.format(*_SPACES, f"<References>{files}</References><DiskSection>{disks}</DiskSection>{hardware}")


def _chunked(number: int) -> tuple[str, str, str]:
    return (
        f'<File o:id="f{number}" o:href="d.vmdk" o:chunkSize="512"/>',
        f'<Disk o:diskId="d{number}" o:fileRef="f{number}" o:capacity="1"/>',
        f"<Item><r:InstanceID>{number}</r:InstanceID><r:ResourceType>17</r:ResourceType><r:HostResource>ovf:/disk/d{number}"
        "</r:HostResource></Item>",
    )


@pytest.mark.parametrize("packed", [False, True])
def test_one_file_in_pieces_for_many_disks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packed: bool) -> None:
    monkeypatch.setattr(nearby, "MAX_CHUNKS", 500)
    text = _ovf(*map("".join, zip(*map(_chunked, range(40)), strict=True)))
    if packed:
        pieces = b"".join(header(b"d.vmdk.%09d" % number) for number in range(100))
        body = text.encode().ljust(-(-len(text) // 512) * 512)
        (tmp_path / "a.ova").write_bytes(header(b"a.ovf", len(text)) + body + pieces + bytes(1024))
    else:
        (tmp_path / "a.ovf").write_text(text, "utf-8")
        for number in range(100):
            (tmp_path / f"d.vmdk.{number:09d}").write_bytes(b"")
    found = _located(tmp_path / ("a.ova" if packed else "a.ovf"))
    assert [len(disk.chunks) for disk in found.disks] == [100] * 4
    assert found.remarks == ("its disks are in more than 500 pieces",)


def _libvirt(folder: Path) -> Path:
    disk = "<disk type='file' device='disk'><source file='d.raw'/><target dev='vd{0}' bus='virtio'/></disk>"
    disks = "".join(disk.format(number) for number in range(MANY))
    (folder / "m.xml").write_text(f"<domain type='kvm'><name>x</name><devices>{disks}</devices></domain>", "utf-8")
    return folder / "m.xml"


def _parallels(folder: Path) -> Path:
    disks = "<Hdd><SystemName>d.hdd</SystemName></Hdd>" * MANY
    (folder / "config.pvs").write_text(f"<ParallelsVirtualMachine><Hardware>{disks}</Hardware></ParallelsVirtualMachine>", "utf-8")
    return folder / "config.pvs"


@pytest.mark.parametrize("make", [_libvirt, _parallels])
def test_more_disks_than_any_machine_has_are_told_and_not_looked_for(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    found = _located(make(tmp_path))
    assert found.remarks[-1] == "more than 1024 disks: the others are not looked for"
    assert found.definition is not None
    assert len(found.definition.disks) == MANY


@pytest.mark.parametrize("text", ["<x>", "<P>" + "<a/>" * 40_000 + "</P>"])
def test_a_bundle_whose_description_is_bad_costs_one_disk(tmp_path: Path, text: str) -> None:
    (tmp_path / "bad.hdd").mkdir()
    (tmp_path / "good.hdd").mkdir()
    (tmp_path / "bad.hdd/DiskDescriptor.xml").write_text(text, "utf-8")
    (tmp_path / "good.hdd/DiskDescriptor.xml").write_text("<P><Image><File>good.hds</File></Image></P>", "utf-8")
    (tmp_path / "good.hdd/good.hds").write_bytes(bytes(600))
    disks = "".join(f"<Hdd><SystemName>{name}.hdd</SystemName></Hdd>" for name in ("bad", "good"))
    (tmp_path / "config.pvs").write_text(f"<ParallelsVirtualMachine><Hardware>{disks}</Hardware></ParallelsVirtualMachine>", "utf-8")
    found = _located(tmp_path / "config.pvs")
    assert [Path(disk.path).name for disk in found.disks] == ["good.hds"]
    assert len(found.remarks) == 1
    assert pvs.MAX_DESCRIPTOR < 40_000 * 4


def test_a_manifest_that_repeats_a_name_has_it_hashed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[str] = []
    digest = manifest.digest

    def counted(kind: str, file: DiskFile, files: FileOpener) -> str:
        hashed.append(kind)
        return digest(kind, file, files)

    monkeypatch.setattr(manifest, "digest", counted)
    text = _ovf("", "", "")
    (tmp_path / "a.ovf").write_text(text, "utf-8")
    right = hashlib.sha256(text.encode()).hexdigest()
    (tmp_path / "a.mf").write_text(f"SHA256(a.ovf)= {right}\nSHA256(a.ovf)= 00\n" * 100 + "SHA1(a.ovf)= 00\n", "utf-8")
    found = _located(tmp_path / "a.ovf")
    assert hashed == ["sha256", "sha1"]
    assert found.definition is not None
    assert [one.kind for one in found.definition.features].count("manifest-mismatch") == 101


def test_an_archive_of_xenservers_is_looked_through_once_for_all_its_disks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    chunks = xva._chunks

    def counted(name: str, base: Stream) -> Iterator[tuple[bytes, int, tuple[int, int]]]:
        seen.append(name)
        return chunks(name, base)

    monkeypatch.setattr(xva, "_chunks", counted)
    path = tmp_path / "a.xva"
    for byte in (b"a", b"b"):
        disks = (header(b"Ref:%d/00000000" % disk, 512) + byte * 512 for disk in (4, 5, 6))
        path.write_bytes(header(b"ova.xml") + b"".join(disks) + bytes(1024))
        for disk in ("Ref:4", "Ref:6"):
            opened = open_image(DiskFile(str(path), "a.xva", format="xva", member=disk))
            assert opened.stream.read_at(0, 1) == byte
        time.sleep(0.02)
    assert len(seen) == 2
