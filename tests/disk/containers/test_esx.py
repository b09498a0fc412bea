"""The sparse extents of ESX, which no free tool writes: made here by the format's description, and read by QEMU as a second opinion."""

from __future__ import annotations

import random
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.disk.images import need, run
from v2vlint.disk.containers.formats import open_image
from v2vlint.model.errors import ImageError, Unsupported
from v2vlint.model.source import DiskFile

SECTOR = 512
DESCRIPTOR = '# Disk DescriptorFile\nversion=1\nCID=12345678\nparentCID=ffffffff\ncreateType="{kind}"\nRW {sectors} {type} "extent.vmdk"\n'


def write(folder: Path, kind: str, extent_type: str, sectors: int, data: bytes) -> Path:
    (folder / "extent.vmdk").write_bytes(data)
    (folder / "disk.vmdk").write_text(DESCRIPTOR.format(kind=kind, type=extent_type, sectors=sectors))
    return folder / "disk.vmdk"


def cowd(folder: Path) -> tuple[Path, bytes]:
    """An ESX 3 sparse disk of 3 MiB with grains of 512 bytes, two of them in use."""
    sectors = 6144
    header = struct.pack("<4sIIIIIII", b"COWD", 1, 3, sectors, 1, 4, 2, 64)
    directory, table = bytearray(SECTOR), bytearray(4096 * 4)
    struct.pack_into("<II", directory, 0, 8, 0)
    grains = {5: b"five" * 128, 4000: b"late" * 128}
    for place, number in enumerate(grains, 48):
        struct.pack_into("<I", table, number * 4, place)
    data = header.ljust(4 * SECTOR, b"\0") + directory + bytes(3 * SECTOR) + table
    data = data.ljust(48 * SECTOR, b"\0") + b"".join(grains.values())
    truth = bytearray(sectors * SECTOR)
    for number, grain in grains.items():
        truth[number * SECTOR : (number + 1) * SECTOR] = grain
    return write(folder, "vmfsSparse", "VMFSSPARSE", sectors, data), bytes(truth)


def sesparse(folder: Path) -> tuple[Path, bytes]:
    """An ESX 6.5 snapshot disk of 32 MiB with grains of 4 KiB: written, zeroed, unmapped and absent ones."""
    sectors, noise = 65536, random.Random(5)
    header = bytearray(SECTOR)
    struct.pack_into("<QQQQQ", header, 0, 0xCAFEBABE, 0x0000_0002_0000_0001, sectors, 8, 64)
    struct.pack_into("<12Q", header, 80, 1, 1, 2, 1, 3, 1, 8, 8, 16, 128, 144, 8)
    struct.pack_into("<QQQQ", header, 176, 152, 8, 160, 256)
    volatile = struct.pack("<QQQ", 0xCAFECAFE, 0, 0).ljust(SECTOR, b"\0")
    directory, tables = bytearray(8 * SECTOR), bytearray(128 * SECTOR)
    struct.pack_into("<QQ", directory, 0, 0x1000000000000000, 0x1000000000000001)
    grains = {0: noise.randbytes(4096), 3: noise.randbytes(4096), 5000: noise.randbytes(4096)}
    truth = bytearray(sectors * SECTOR)
    for place, (number, grain) in enumerate(grains.items()):
        entry = 0x3000000000000000 | (place & 0xFFF) << 48 | place >> 12
        struct.pack_into("<Q", tables, number * 8, entry)
        truth[number * 4096 : (number + 1) * 4096] = grain
    struct.pack_into("<Q", tables, 10 * 8, 0x2000000000000000)
    struct.pack_into("<Q", tables, 11 * 8, 0x1000000000000000)
    data = bytes(header) + volatile + bytes(6 * SECTOR) + directory + tables
    data = data.ljust(160 * SECTOR, b"\0") + b"".join(grains.values())
    return write(folder, "seSparse", "SESPARSE", sectors, data), bytes(truth)


@pytest.mark.parametrize("make", [cowd, sesparse])
def test_extents_of_esx(tmp_path: Path, make: Callable[[Path], tuple[Path, bytes]]) -> None:
    disk, truth = make(tmp_path)
    assert open_image(DiskFile(str(disk), "disk")).stream.read_at(0, len(truth)) == truth
    need("qemu-img")
    run("qemu-img", "convert", "-O", "raw", disk, tmp_path / "raw")
    assert (tmp_path / "raw").read_bytes() == truth


def test_damaged_extents(tmp_path: Path) -> None:
    disk, _truth = sesparse(tmp_path)
    data = bytearray((tmp_path / "extent.vmdk").read_bytes())
    struct.pack_into("<Q", data, 8, 9)
    (tmp_path / "extent.vmdk").write_bytes(data)
    with pytest.raises(Unsupported, match="SESparse"):
        open_image(DiskFile(str(disk), "disk"))
    (tmp_path / "extent.vmdk").write_bytes(b"something else".ljust(600))
    with pytest.raises(ImageError, match="not a sparse VMDK extent"):
        open_image(DiskFile(str(disk), "disk"))


def test_a_journal_that_waits_is_not_passed_over(tmp_path: Path) -> None:
    """Nor does QEMU."""
    disk, _truth = sesparse(tmp_path)
    with (tmp_path / "extent.vmdk").open("r+b") as extent:
        extent.seek(SECTOR + 24)
        extent.write(b"\1")
    with pytest.raises(Unsupported, match="wait in its journal"):
        open_image(DiskFile(str(disk), "disk"))
    need("qemu-img")
    assert subprocess.run(("qemu-img", "info", str(disk)), capture_output=True, check=False).returncode


@pytest.mark.parametrize("line", ["RW 100 VMFSRDM", 'RW 100 ZERO "x"', "nothing at all"])
def test_odd_descriptors(tmp_path: Path, line: str) -> None:
    (tmp_path / "disk.vmdk").write_text(f"# Disk DescriptorFile\nversion=1\nparentCID=ffffffff\n{line}\n")
    file = DiskFile(str(tmp_path / "disk.vmdk"), "disk")
    if "ZERO" in line:
        assert open_image(file).stream.read_at(0, 60_000) == bytes(51_200)
    else:
        with pytest.raises(ImageError, match=r"type VMFSRDM is not supported|damaged VMDK descriptor"):
            open_image(file)
