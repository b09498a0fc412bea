"""Other projects' test data, read by v2vlint and judged by what those projects expect: ``make corpora FOLDER=…``.

Nothing of them is in this repository. CONTRIBUTING.md says where they come from, docs/corpora.md what came out; a part whose folder is not
there is skipped. Numbers are exact: a disagreement that is not listed below, and one that is listed and gone, fails.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.disk.images import need, read_tree, run
from v2vlint.disk.containers.formats import open_image
from v2vlint.disk.filesystems.opening import open_filesystem
from v2vlint.disk.filesystems.probe import probe
from v2vlint.disk.stream import HostFile, MemoryStream, Stream
from v2vlint.disk.volumes import lvm, lvm_text, md
from v2vlint.guest.identity import identify
from v2vlint.model.errors import ImageError
from v2vlint.model.source import DiskFile
from v2vlint.samples.memory import memory_guest

FOLDER = Path(os.environ.get("V2VLINT_CORPORA", "/nonexistent"))
pytestmark = [pytest.mark.truth, pytest.mark.skipif(not FOLDER.is_dir(), reason="$V2VLINT_CORPORA names no folder")]
MAX_IMAGE = 1 << 31

BLKID: dict[str, str] = {
    "befs": "the UUID is an attribute of the root folder",
    "bitlocker-win7": "blkid after 2.40 has an identifier and a description from the metadata; ours are details of the volume",
    "cs_fvault2": "FileVault 2 is not recognised",
    "ddf-raid": "a GUID of raw bytes, which no tag can name",
    "drbd-v08": "the image has an odd size; DRBD itself aligns its metadata to 4 KiB, blkid does not",
    "drbd-v09": "as drbd-v08",
    "drbdmanage-control-volume": "not recognised: it holds no filesystem",
    "hfsplus": "the label is in the catalogue, which is not read",
    "udf": "a disc with UDF and ISO 9660 is read as ISO 9660",
    "udf-cd-nero-6": "as udf",
    "udf-hdd-mkudffs-1.3-7": "two UDF of different block sizes: ours takes the first",
    "udf-hdd-udfclient-0.7.5": "a UUID of eight digits, which blkid fills up with zeros",
}
"""Where blkid says something else, and why."""


def found(pattern: str) -> list[Path]:
    """The corpus at a place below the folder, whatever version its folder is called by; skips without."""
    paths = sorted(FOLDER.glob(pattern))
    if not paths:
        pytest.skip(f"no {pattern} in {FOLDER}")
    return paths


def unpacked(path: Path) -> bytes:
    data = path.read_bytes()
    return {".xz": lzma.decompress, ".gz": gzip.decompress, ".bz2": bz2.decompress}[path.suffix](data)


def decoded(text: str) -> bytes:
    """A value that udev has escaped."""
    return re.sub(rb"\\x([0-9a-f]{2})", lambda match: bytes((int(match[1], 16),)), text.encode("utf-8", "surrogateescape"))


def test_blkid() -> None:
    differ = []
    images = found("util-linux*/tests/ts/blkid/images-fs/*.img.xz")
    for image in images:
        name = image.name.removesuffix(".img.xz")
        expected = image.parents[3] / "expected" / "blkid" / f"low-probe-{name}"
        if not expected.exists():
            continue
        wanted = dict(line.split("=", 1) for line in expected.read_text("utf-8", "surrogateescape").splitlines() if "=" in line)
        content = probe(MemoryStream(unpacked(image)))
        label = decoded(wanted.get("ID_FS_LABEL_ENC", wanted.get("ID_FS_LABEL", "")))
        same = (content.type, content.uuid) == (wanted.get("ID_FS_TYPE", ""), wanted.get("ID_FS_UUID", ""))
        if not same or content.label.encode("utf-8", "surrogateescape") != label:
            differ.append(name)
    assert sorted(differ) == sorted(BLKID)
    assert len(images) == 129


def test_python_distro() -> None:
    """Every Linux tree of its tests has the ID that its release files state."""
    stated = {"linuxmint17": "ubuntu", "amazon2014": "amzn", "centos5": "centos", "cloudlinux5": "cloudlinux",
              "cloudlinux6": "cloudlinux",
              "mandriva2011": "mandriva", "rhel5": "rhel", "rhel6": "rhel", "scientific6": "scientific",
              "slackware14": "slackware"}  # fmt: skip
    for tree in found("distro-*/tests/resources/distros/*"):
        files = {f"/{path.relative_to(tree)}": path.read_bytes() for path in tree.rglob("*") if path.is_file() and "bin" not in path.parts}
        if not any(path.startswith(("/etc/", "/usr/lib/")) for path in files):
            continue
        release = files.get("/etc/os-release", b"").decode()
        wanted = stated.get(tree.name) or (match[1] if (match := re.search(r'^ID="?([\w.-]+)', release, re.MULTILINE)) else "")
        if wanted:
            assert identify(memory_guest(files)).id == wanted, tree.name


@pytest.mark.parametrize("level", ["linear", "raid0", "raid1", "raid4", "raid5", "raid6", "raid10", "90-raid1"])
def test_arrays_of_dissect(level: str) -> None:
    """Numbered blocks, written through arrays of mdadm's, read from all members and without each that may be missing."""
    blobs = [unpacked(path) for path in found(f"dissect*volume-*/tests/_data/md/md-{level}-?.bin.gz")]
    members = [(member, stream) for blob in blobs if (member := md.read_member(stream := MemoryStream(blob)))]
    spare = {"raid1": 1, "raid4": 1, "raid5": 1, "raid6": 1, "raid10": 1, "90-raid1": 1}.get(level, 0)
    for lost in (None, *range(len(members) if spare else 0)):
        content = md.assemble([one for index, one in enumerate(members) if index != lost])
        count = min(512, content.size // 4096)
        assert all(content.read_at(n * 4096, 4096) == (n + 1).to_bytes(2, "little") * 2048 for n in range(min(count, 370)))


@pytest.mark.parametrize(("name", "volumes"), [("lvm", 1), ("lvm-mirror-*", 1), ("lvm-thin", 2)])
def test_volumes_of_dissect(name: str, volumes: int) -> None:
    streams = [MemoryStream(unpacked(path)) for path in found(f"dissect*volume-*/tests/_data/lvm/{name}.bin.gz")]
    physical = [lvm.read_physical(stream) for stream in streams]
    group = lvm_text.read_group(physical[0].metadata)
    present: dict[str, Stream] = {one.uuid: stream for one, stream in zip(physical, streams, strict=True)}
    opened = [volume.stream for volume in lvm.volumes(group, present)]
    assert len(opened) == volumes
    for stream in opened:
        assert stream is not None
        if name != "lvm":
            assert all(stream.read_at(n * 4096, 4096) == (n + 1).to_bytes(2, "little") * 2048 for n in range(512))


def _tree(stream: Stream) -> object:
    return read_tree(open_filesystem(probe(stream), [stream]))


def test_images_of_e2fsprogs(tmp_path: Path) -> None:
    """Damaged filesystems: journals are replayed as by ``e2fsck -E journal_only``, everything ends in an answer or a reason."""
    need("e2fsck")
    opened, refused, replayed, differ = 0, 0, 0, []
    for path in found("e2fsprogs-*/tests/*/image.gz"):
        image = tmp_path / "image"
        image.write_bytes(unpacked(path))
        before: object = None
        stream = HostFile(str(image))
        stale = True
        try:
            system = open_filesystem(probe(stream), [stream])
            opened, stale, before = opened + 1, bool(system.stale), read_tree(system)
        except Exception:
            refused += 1
        needs = probe(stream).type.startswith("ext") and dict(probe(stream).details).get("needs_recovery") == "yes"
        done = subprocess.run(["e2fsck", "-y", "-E", "journal_only", str(image)], capture_output=True, check=False) if needs else None
        if done is not None and done.returncode in (0, 1) and not stale and before is not None:
            replayed += 1
            if _tree(HostFile(str(image))) != before:
                differ.append(path.parent.name)
    assert (opened + refused, differ) == (206, [])
    assert replayed > 0


def _images() -> Iterator[Path]:
    yield from found("qemu-*/tests/qemu-iotests/sample_images/*.bz2")


NOT_READ = {
    "afl5.img": "fuzzed; QEMU refuses it too",
    "afl9.vmdk": "fuzzed; QEMU refuses it too",
    "empty.bochs": "Bochs, named",
    "simple-dmg.dmg": "DMG, named",
    "simple-pattern.cloop": "cloop, named",
}


def test_images_of_qemu(tmp_path: Path) -> None:
    """Every format that is read has the content that qemu-img makes of it."""
    need("qemu-img")
    told = {}
    for path in _images():
        name = path.name.removesuffix(".bz2")
        image = tmp_path / name
        image.write_bytes(unpacked(path))
        try:
            opened = open_image(DiskFile(str(image), name))
        except ImageError as error:
            told[name] = str(error)
            continue
        if opened.stream.size <= MAX_IMAGE:
            run("qemu-img", "convert", "-O", "raw", image, tmp_path / "raw")
            assert _equal(opened.stream, tmp_path / "raw"), name
        image.unlink()
    assert sorted(told) == sorted(NOT_READ), told


def _equal(stream: Stream, raw: Path) -> bool:
    with raw.open("rb") as file:
        for at in range(0, stream.size, 4 << 20):
            if stream.read_at(at, 4 << 20) != file.read(min(4 << 20, stream.size - at)):
                return False
    return True
