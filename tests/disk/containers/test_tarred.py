"""A disk.raw in an archive, as tar makes it, with and without holes."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.disk.images import run
from v2vlint.disk.containers.formats import open_image
from v2vlint.model.errors import ImageError
from v2vlint.model.source import DiskFile

MIB = 1 << 20
WAYS = {
    "oldgnu with holes": ("--format=oldgnu", "-S"),
    "gnu with holes": ("--format=gnu", "-S"),
    "oldgnu": ("--format=oldgnu",),
    "ustar": ("--format=ustar",),
    "pax": ("--format=pax",),
}


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A disk of many holes, more than the map in the header has room for."""
    path, draw = tmp_path_factory.mktemp("disk") / "disk.raw", random.Random(2)
    with path.open("wb") as file:
        for number in range(60):
            file.seek(number * 300_000 // 4096 * 4096)
            file.write(draw.randbytes(5000))
        file.truncate(20 * MIB)
    return path


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("options", WAYS.values(), ids=WAYS)
def test_disk_raw_is_read_in_place(tmp_path: Path, disk: Path, options: tuple[str, ...], packed: bool) -> None:
    archive = tmp_path / "image.tar.gz"
    run("tar", *options, "-czf" if packed else "-cf", archive, "-C", disk.parent, "./disk.raw" if packed else "disk.raw")
    image = open_image(DiskFile(str(archive), str(archive)))
    assert image.format == ("tar.gz" if packed else "tar")
    assert image.node is None
    assert image.stream.size == 20 * MIB
    assert image.stream.read_at(0, 20 * MIB) == disk.read_bytes()
    assert image.stream.read_at(299_000, 5000) == disk.read_bytes()[299_000:304_000]


@pytest.mark.parametrize("options", [WAYS["oldgnu with holes"], WAYS["oldgnu"]], ids=["holes", "plain"])
def test_a_truncated_archive_is_named(tmp_path: Path, disk: Path, options: tuple[str, ...]) -> None:
    archive = tmp_path / "image.tar"
    run("tar", *options, "-cf", archive, "-C", disk.parent, "disk.raw")
    archive.write_bytes(archive.read_bytes()[: 200 * 1024])
    with pytest.raises(ImageError, match="truncated"):
        open_image(DiskFile(str(archive), str(archive)))


def test_other_archives_are_no_disks(tmp_path: Path, disk: Path) -> None:
    run("tar", "-cf", tmp_path / "x.tar", "-C", disk.parent, "--transform", "s/disk.raw/other/", "disk.raw")
    with pytest.raises(ImageError, match="tar images"):
        open_image(DiskFile(str(tmp_path / "x.tar"), str(tmp_path / "x.tar")))


@pytest.mark.parametrize(
    ("kind", "options", "variant"),
    [
        ("vpc", "subformat=fixed,force_size=on", "fixed"),
        ("vpc", "subformat=dynamic", "dynamic"),
        ("vmdk", "subformat=streamOptimized", "stream"),
        ("vmdk", "subformat=monolithicSparse", "plain"),
        ("vmdk", "subformat=monolithicFlat", "plain"),
        ("qcow2", "compat=1.1", ""),
    ],
)
def test_variants_that_importers_tell_apart(tmp_path: Path, kind: str, options: str, variant: str) -> None:
    image = tmp_path / "disk"
    run("qemu-img", "create", "-f", "raw", tmp_path / "raw", "8M")
    run("qemu-img", "convert", "-f", "raw", "-O", kind, "-o", options, tmp_path / "raw", image)
    assert open_image(DiskFile(str(image), str(image))).variant == variant
