"""Partition tables, written by sfdisk into plain files."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from guestbuild.tools import BuildError, run

SECTOR = 512
MIB = 1 << 20

_GPT_TYPES = {
    "linux": "0FC63DAF-8483-4772-8E79-3D69D8477DE4",
    "esp": "C12A7328-F81F-11D2-BA4B-00A0C93EC93B",
    "bios": "21686148-6449-6E6F-744E-656564454649",
    "lvm": "E6D6D379-F507-44C2-A23C-238F2A3DF928",
    "swap": "0657FD6D-A4AB-43C4-84E5-0933C84B4F4F",
    "raid": "A19D880F-05FC-4D3B-A006-743F0F84911E",
    "ntfs": "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7",
}
_OTHER_TYPES = {"gpt": r"[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}", "mbr": r"[0-9a-f]{2}"}
_MBR_TYPES = {"linux": "83", "esp": "ef", "lvm": "8e", "swap": "82", "raid": "fd", "ntfs": "7", "extended": "5"}


@dataclass(frozen=True, slots=True)
class Partition:
    """One partition to make: ``size`` in bytes (a multiple of a MiB), ``kind`` one of linux, esp, bios, lvm, swap, raid, ntfs, extended or
    any other type as the table has it: a GUID, or two hexadecimal digits."""

    size: int
    kind: str = "linux"
    uuid: str = ""
    label: str = ""
    active: bool = False
    number: int = 0


def disk_size(partitions: tuple[Partition, ...]) -> int:
    """The bytes a disk needs for these partitions, with a MiB at both ends (and one before each logical partition)."""
    return sum(p.size + MIB for p in partitions if p.kind != "extended") + 2 * MIB


def partition(image: Path, table: str, partitions: tuple[Partition, ...], identity: str) -> tuple[int, ...]:
    """Write a ``gpt`` or ``mbr`` table; returns each partition's byte offset. ``identity`` is the disk UUID or MBR signature (0x…)."""
    lines = [f"label: {'gpt' if table == 'gpt' else 'dos'}", f"label-id: {identity}", "unit: sectors", ""]
    offsets, position = [], MIB
    for number, part in enumerate(partitions, 1):
        inside = table == "mbr" and (part.number or number) > 4
        position += MIB if inside else 0
        size = _remaining(partitions, number) if part.kind == "extended" else part.size
        lines.append(_line(table, part, position, size))
        offsets.append(position)
        position += 0 if part.kind == "extended" else size
    run("sfdisk", "--no-reread", "--no-tell-kernel", "--wipe=never", image, stdin="\n".join(lines) + "\n")
    return tuple(offsets)


def _remaining(partitions: tuple[Partition, ...], after: int) -> int:
    return sum(part.size + MIB for part in partitions[after:])


def _line(table: str, part: Partition, offset: int, size: int) -> str:
    types = _GPT_TYPES if table == "gpt" else _MBR_TYPES
    if part.kind not in types and not re.fullmatch(_OTHER_TYPES[table], part.kind):
        raise BuildError(f"no partition type {part.kind!r} in a {table} table")
    head = f"{part.number} : " if part.number else ""
    fields = [f"start={offset // SECTOR}", f"size={size // SECTOR}", f"type={types.get(part.kind, part.kind)}"]
    if table == "gpt":
        fields += [f"uuid={part.uuid}"] if part.uuid else []
        fields += [f'name="{part.label}"'] if part.label else []
    elif part.active:
        fields.append("bootable")
    return head + ", ".join(fields)
