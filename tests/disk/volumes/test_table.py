"""Partition tables as sfdisk makes and damages them."""

from __future__ import annotations

import json
import struct
import zlib
from pathlib import Path

import pytest

from tests.disk.images import ext, open_paths, partitioned, problems, root_tree, run, same
from v2vlint.disk.stream import HostFile
from v2vlint.disk.volumes.table import Table, read_table

MIB = 1 << 20
MBR = """label: dos
label-id: 0x12345678
1 : start=2048, size=20480, type=83, bootable
2 : start=22528, size=8192, type=82
3 : start=30720, size=61440, type=5
5 : start=32768, size=8192, type=83
6 : start=43008, size=8192, type=8e
7 : start=53248, size=10240, type=fd
"""
GPT = """label: gpt
label-id: 0AC5E44A-57B8-4B37-9D1B-5B4A2D2DDC91
1 : start=2048, size=8192, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B, uuid=11111111-1111-4111-8111-111111111111, name="EFI System"
3 : start=20480, size=16384, type=0FC63DAF-8483-4772-8E79-3D69D8477DE4, uuid=33333333-1111-4111-8111-111111111111, name="Größe", \
attrs=LegacyBIOSBootable
"""


def table_of(path: Path) -> Table:
    return read_table(HostFile(str(path)))


def test_mbr_with_logical_partitions(tmp_path: Path) -> None:
    disk = partitioned(tmp_path / "disk", MBR, {}, 60 * MIB)
    table = table_of(disk)
    wanted = json.loads(run("sfdisk", "--json", disk))["partitiontable"]["partitions"]
    assert [(part.start // 512, part.size // 512) for part in table.partitions] == [(one["start"], one["size"]) for one in wanted]
    assert [part.number for part in table.partitions] == [1, 2, 3, 5, 6, 7]
    assert [part.type for part in table.partitions] == ["0x83", "0x82", "0x05", "0x83", "0x8e", "0xfd"]
    assert [part.uuid for part in table.partitions][::3] == ["12345678-01", "12345678-05"]
    assert [part.number for part in table.partitions if part.bootable] == [1]
    assert [part.number for part in table.partitions if part.is_extended] == [3]


def test_gpt(tmp_path: Path) -> None:
    table = table_of(partitioned(tmp_path / "disk", GPT, {}, 40 * MIB))
    assert (table.kind, table.id, table.sector, table.problem) == ("gpt", "0ac5e44a-57b8-4b37-9d1b-5b4a2d2ddc91", 512, "")
    efi, root = table.partitions
    assert (efi.number, efi.start, efi.size, efi.name) == (1, 2048 * 512, 8192 * 512, "EFI System")
    assert (efi.type, efi.uuid) == ("c12a7328-f81f-11d2-ba4b-00a0c93ec93b", "11111111-1111-4111-8111-111111111111")
    assert (root.number, root.name, root.bootable) == (3, "Größe", True)


def test_boot_priorities(tmp_path: Path) -> None:
    """Bits 48 to 51 are the priority, 52 to 55 the tries that are left, 56 says that a boot was successful."""
    attributes = ("48,49,52", "50,56", "51", "55")
    rows = (f'{at} : start={2048 * at}, size=2048, attrs="GUID:{bits}"\n' for at, bits in enumerate(attributes, 1))
    table = table_of(partitioned(tmp_path / "disk", "label: gpt\n" + "".join(rows), {}, 10 * MIB))
    assert [part.boot_priority for part in table.partitions] == [3, 4, 0, 0]


def test_gpt_with_4k_sectors(tmp_path: Path) -> None:
    """Made from a table with 512-byte sectors by moving header and entries: neither sfdisk nor sgdisk can do it on a file."""
    disk = partitioned(tmp_path / "disk", "label: gpt\nfirst-lba: 34\nstart=256, size=1024\n", {}, 40 * MIB)
    data = bytearray(disk.read_bytes())
    header, entries = data[512:604], data[1024 : 1024 + 16384]
    struct.pack_into("<Q", header, 32, len(data) // 4096 - 1)
    struct.pack_into("<Q", header, 48, len(data) // 4096 - 6)
    header[16:20] = bytes(4)
    struct.pack_into("<I", header, 16, zlib.crc32(header))
    data[512:MIB] = bytes(MIB - 512)
    data[4096:4188], data[8192 : 8192 + 16384] = header, entries
    disk.write_bytes(data)
    table = table_of(disk)
    assert (table.kind, table.sector, table.problem) == ("gpt", 4096, "")
    assert (table.partitions[0].start, table.partitions[0].size) == (MIB, 4 * MIB)


def test_backup_gpt_is_used(tmp_path: Path) -> None:
    disk = partitioned(tmp_path / "disk", GPT, {}, 40 * MIB)
    with disk.open("r+b") as file:
        file.seek(512 + 40)
        file.write(b"\xff\xff")
    table = table_of(disk)
    assert table.problem == (
        "the primary GPT is damaged: Linux and GRUB find no partitions unless UEFI firmware repairs it; the backup was read"
    )
    assert (len(table.partitions), table.spare) == (2, True)
    assert open_paths(disk).blocks.disks[0].detail("pt_spare") == "yes"
    with disk.open("r+b") as file:
        file.seek(-512 + 40, 2)
        file.write(b"\xff\xff")
    assert table_of(disk) == Table("gpt", problem="the GPT is damaged: neither header has a valid checksum")


def test_partition_loop_ends(tmp_path: Path) -> None:
    disk = partitioned(tmp_path / "disk", MBR, {}, 60 * MIB)
    with disk.open("r+b") as file:
        file.seek(30720 * 512 + 446 + 16 + 8)
        file.write((0).to_bytes(4, "little"))
    assert [part.number for part in table_of(disk).partitions] == [1, 2, 3, 5]


def test_partition_beyond_the_end(tmp_path: Path, tree: Path) -> None:
    disk = partitioned(tmp_path / "disk", MBR, {}, 60 * MIB)
    with disk.open("r+b") as file:
        file.truncate(12 * MIB)
    table = table_of(disk)
    assert table.problem == "partition 3 starts beyond the end of the disk: the image is truncated"
    assert table.partitions[1].size == 12 * MIB - 22528 * 512
    assert "disk1: partition 3 starts beyond the end of the disk: the image is truncated" in problems(open_paths(disk))


@pytest.mark.parametrize("data", [b"", b"\0" * 512, b"\xff" * 510 + b"\x55\xaa", b"\0" * 510 + b"\x55\xaa"])
def test_no_table(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "disk").write_bytes(data)
    assert table_of(tmp_path / "disk") == Table()


def test_root_in_a_logical_partition(tmp_path: Path, tree: Path, wanted: dict[str, tuple[object, ...]]) -> None:
    inner = ext(tmp_path / "fs", tree)
    script = "label: dos\n1 : start=2048, size=2048, type=83\n2 : start=4096, type=f\n5 : start=6144, type=83\n"
    guest = open_paths(partitioned(tmp_path / "disk", script, {6144: inner}, 60 * MIB))
    assert guest.roots[0].device == "disk1p5"
    same(root_tree(guest), wanted)
    device = guest.blocks.named("disk1p5")
    assert device is not None
    assert (device.kind, device.number, device.part_type, device.parents) == ("partition", 5, "0x83", ("disk1",))
    assert guest.blocks.disks[0].detail("pt") == "dos"
