"""Partition tables that programs disagree about, by a Linux kernel: it finds them on the disks of a guest that is an initramfs only."""

from __future__ import annotations

import re
import struct
import zlib
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.tiny_guest import TinyGuest, console, lacks, programs
from v2vlint.disk.stream import HostFile
from v2vlint.disk.volumes.table import read_table

SECTORS = 8 << 11
LAST = SECTORS - 1
TOOLS = ("bash", "mount", "cat", "sleep", "tr", "modprobe")
INIT = """#!/bin/bash
mount -t proc proc /proc; mount -t sysfs sysfs /sys; mount -t devtmpfs dev /dev
modprobe -a virtio_pci virtio_blk
for disk in /sys/block/vd*; do
  echo "disk $(cat $disk/serial) $(cat $disk/vd*/{partition,start,size} 2>/dev/null | tr '\\n' ' ')"
done
echo o > /proc/sysrq-trigger; sleep 9
"""


@dataclass(frozen=True)
class Gpt:
    """A disk with a GPT of three partitions, of which only the first two are surely good."""

    entry: int = 128
    count: int = 128
    header: int = 92
    place: int = 1
    first: int = 34
    usable: int = LAST - 34
    third: tuple[int, int] = (9000, 9999)
    protective: tuple[tuple[int, int, int, int], ...] = ((0, 0xEE, 1, LAST),)
    damaged: tuple[str, ...] = ()

    def write(self, path: Path) -> None:
        """Sectors 0 to 33, and the backup in the last 33."""
        disk = bytearray(SECTORS * 512)
        for at, (boot, kind, start, size) in zip(range(446, 510, 16), self.protective, strict=False):
            struct.pack_into("<B3xB3xII", disk, at, boot, kind, start, size)
        disk[510:512] = b"\x55\xaa"
        entries = bytearray(self.entry * self.count)
        for number, (start, end) in enumerate(((2048, 4095), (5000, 5000), self.third)):
            one = bytes.fromhex("a2a0d0ebe5b9334487c068b6b72699c7") + bytes([number]) * 16 + struct.pack("<QQ", start, end)
            entries[number * self.entry : number * self.entry + min(len(one), self.entry)] = one[: self.entry]
        blocks = -(-len(entries) // 512)
        for name, place, alternate, at in (("primary", self.place, LAST, 2), ("backup", LAST, 1, LAST - blocks)):
            header = bytearray(b"EFI PART".ljust(512, b"\0"))
            struct.pack_into("<IIIIQQQQ", header, 8, 0x10000, self.header, 0, 0, place, alternate, self.first, self.usable)
            struct.pack_into("<QIII", header, 72, at, self.count, self.entry, zlib.crc32(entries))
            struct.pack_into("<I", header, 16, zlib.crc32(header[: self.header]) ^ (name in self.damaged))
            sector = 1 if name == "primary" else LAST
            disk[sector * 512 : sector * 512 + 512] = header
            disk[at * 512 : at * 512 + len(entries)] = entries
        path.write_bytes(disk)


def _mbr(*entries: tuple[int, int, int, int]) -> Gpt:
    return Gpt(protective=entries, damaged=("primary", "backup"))


GOOD = Gpt()
DISKS = {
    "good": GOOD,
    "entries of 256": replace(GOOD, entry=256),
    "entries of 64": replace(GOOD, entry=64),
    "four entries": replace(GOOD, count=4),
    "header of 512": replace(GOOD, header=512),
    "header of 88": replace(GOOD, header=88),
    "header that says it is elsewhere": replace(GOOD, place=2),
    "usable beyond the end": replace(GOOD, usable=LAST + 1),
    "usable backwards": replace(GOOD, first=3000, usable=2999),
    "a partition beyond the end": replace(GOOD, third=(9000, LAST + 1)),
    "a partition to the very end": replace(GOOD, third=(9000, LAST)),
    "a partition outside of what is usable": replace(GOOD, usable=8000),
    "a partition that overlaps": replace(GOOD, third=(3000, 6000)),
    "primary damaged": replace(GOOD, damaged=("primary",)),
    "backup damaged": replace(GOOD, damaged=("backup",)),
    "both damaged": replace(GOOD, damaged=("primary", "backup")),
    "protective from 2": replace(GOOD, protective=((0, 0xEE, 2, LAST),)),
    "protective active": replace(GOOD, protective=((0x80, 0xEE, 1, LAST),)),
    "protective with an odd flag": replace(GOOD, protective=((7, 0xEE, 1, LAST),)),
    "protective last": replace(GOOD, protective=((0x80, 0x83, 2048, 2048), (0, 0, 0, 0), (0, 0, 0, 0), (0, 0xEE, 1, 33))),
    "none protective": replace(GOOD, protective=((0x80, 0x83, 2048, 2048),)),
    "MBR": _mbr((0x80, 0x83, 2048, 2048), (0, 0, 4096, 10), (0, 0x82, 5000, 0), (0, 0x07, 6000, 99999)),
    "MBR beyond the end": _mbr((0, 0x83, 2048, 2048), (0, 0x83, SECTORS, 10)),
    "MBR with an odd flag": _mbr((1, 0x83, 2048, 2048)),
    "MBR from sector 0": _mbr((0, 0x83, 0, 2048), (0, 0x83, 4096, 5)),
}


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[tuple[int, ...], ...]]:
    """Number, start and size of the partitions of each disk; about ten seconds without KVM."""
    if lacks(*TOOLS):
        pytest.skip("needs QEMU and a Debian kernel")
    folder = tmp_path_factory.mktemp("tables")
    TinyGuest(programs(*TOOLS), ("virtio_pci", "virtio_blk")).fill(folder / "tree", INIT)
    devices: list[str] = []
    for number, gpt in enumerate(DISKS.values()):
        gpt.write(folder / f"d{number}")
        devices += ["-drive", f"if=none,id=d{number},file={folder}/d{number},format=raw"]
        devices += ["-device", f"virtio-blk-pci,drive=d{number},serial=d{number},addr={2 + number // 8:#x}.{number % 8},multifunction=on"]
    said = console(folder, *devices)
    found = {match[1]: [int(word) for word in match[2].split()] for match in re.finditer(r"^disk d(\d+) ([\d ]*)", said, re.MULTILINE)}
    assert len(found) == len(DISKS), said
    return {name: _partitions(found[str(number)]) for number, name in enumerate(DISKS)}


def _partitions(numbers: list[int]) -> tuple[tuple[int, ...], ...]:
    count = len(numbers) // 3
    return tuple(sorted(zip(numbers[:count], numbers[count : 2 * count], numbers[2 * count :], strict=True)))


TOLD = {"usable beyond the end": "the image is truncated", "primary damaged": "Linux and GRUB find no partitions"}
"""Linux sees none of these partitions. They are read for what they may tell, as a problem of the disk says."""


@pytest.mark.slow
def test_partitions_are_those_of_linux(shown: dict[str, tuple[tuple[int, ...], ...]], tmp_path: Path) -> None:
    ours = {}
    for name, gpt in DISKS.items():
        gpt.write(tmp_path / "disk")
        table = read_table(HostFile(str(tmp_path / "disk")))
        assert TOLD.get(name, "") in table.problem
        ours[name] = () if name in TOLD else tuple((part.number, part.start // 512, part.size // 512) for part in table.partitions)
    assert ours == shown
