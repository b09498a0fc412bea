"""LVM2 physical volumes with linear logical volumes, written without device-mapper (format: lvm2's lib/format_text)."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

from guestbuild.tools import BuildError, blank, copy_into, stable_uuid, write_at

EXTENT = 4 << 20
DATA_START = 1 << 20

_MDA_START = 4096
_MDA_SIZE = DATA_START - _MDA_START
_SEED = 0xF597A6CF


@dataclass(frozen=True, slots=True)
class Volume:
    """One logical volume: its name and the file that holds its content.

    It lies in ``segments`` parts, with a free extent between them.
    """

    name: str
    content: Path
    segments: int = 1

    @property
    def extents(self) -> int:
        """How many extents its content takes."""
        return _extents(self.content.stat().st_size)

    def layout(self, start: int) -> list[tuple[int, int, int]]:
        """Its segments when it begins at extent ``start`` of the physical volume: first extent in it, on the physical volume, and count."""
        each = -(-self.extents // self.segments)
        return [
            (number * each, start + number * (each + 1), min(each, self.extents - number * each))
            for number in range(self.segments)
        ]  # fmt: skip


def _laid_out(volumes: tuple[Volume, ...]) -> list[tuple[Volume, list[tuple[int, int, int]]]]:
    found, start = [], 0
    for volume in volumes:
        found.append((volume, volume.layout(start)))
        _first, last, count = found[-1][1][-1]
        start = last + count
    return found


def group_size(volumes: tuple[int, ...]) -> int:
    """Bytes of a physical volume that holds logical volumes of these sizes."""
    return DATA_START + sum(_extents(size) for size in volumes) * EXTENT + EXTENT


def write_group(path: Path, name: str, volumes: tuple[Volume, ...], size: int) -> Path:
    """Make the file ``path`` of ``size`` bytes: a volume group ``name`` on one physical volume with these volumes one after another."""
    needed = group_size(tuple(volume.content.stat().st_size for volume in volumes)) - EXTENT
    if size < needed:
        raise BuildError(f"volume group {name} needs {needed} bytes, {size} given")
    blank(path, size)
    pv_uuid = lvm_uuid(name, "pv")
    write_at(path, 512, _label(pv_uuid, size))
    text = _metadata(name, pv_uuid, size, volumes).encode() + b"\0"
    write_at(path, _MDA_START, _mda_header(text))
    write_at(path, _MDA_START + 512, text)
    for volume, segments in _laid_out(volumes):
        if volume.segments == 1:
            copy_into(path, DATA_START + segments[0][1] * EXTENT, volume.content)
            continue
        content = volume.content.read_bytes()
        for first, start, count in segments:
            write_at(path, DATA_START + start * EXTENT, content[first * EXTENT : (first + count) * EXTENT])
    return path


def lvm_uuid(*name: str) -> str:
    """A stable identifier in LVM's form, 6-4-4-4-4-4-6 characters."""
    raw = stable_uuid("lvm", *name).replace("-", "")
    parts, start = [], 0
    for length in (6, 4, 4, 4, 4, 4, 6):
        parts.append(raw[start : start + length])
        start += length
    return "-".join(parts)


def _extents(size: int) -> int:
    return -(-size // EXTENT)


def _crc(data: bytes) -> int:
    return zlib.crc32(data, _SEED ^ 0xFFFFFFFF) ^ 0xFFFFFFFF


def _label(pv_uuid: str, size: int) -> bytes:
    areas = struct.pack("<QQQQ", DATA_START, 0, 0, 0) + struct.pack("<QQQQ", _MDA_START, _MDA_SIZE, 0, 0)
    header = pv_uuid.replace("-", "").encode() + struct.pack("<Q", size) + areas + struct.pack("<IIQQ", 2, 1, 0, 0)
    checked = struct.pack("<I8s", 32, b"LVM2 001") + header
    checked = checked.ljust(512 - 20, b"\0")
    return struct.pack("<8sQI", b"LABELONE", 1, _crc(checked)) + checked


def _mda_header(text: bytes) -> bytes:
    location = struct.pack("<QQII", 512, len(text), _crc(text), 0)
    body = struct.pack("<16sIQQ", b" LVM2 x[5A%r0N*>", 1, _MDA_START, _MDA_SIZE) + location
    body = body.ljust(512 - 4, b"\0")
    return struct.pack("<I", _crc(body)) + body


def _metadata(name: str, pv_uuid: str, size: int, volumes: tuple[Volume, ...]) -> str:
    blocks = [_volume(name, volume.name, segments) for volume, segments in _laid_out(volumes)]
    return f"""{name} {{
id = "{lvm_uuid(name, "vg")}"
seqno = {len(volumes) + 1}
format = "lvm2"
status = ["RESIZEABLE", "READ", "WRITE"]
flags = []
extent_size = {EXTENT // 512}
max_lv = 0
max_pv = 0
metadata_copies = 0

physical_volumes {{
pv0 {{
id = "{pv_uuid}"
device = "/dev/sda2"
status = ["ALLOCATABLE"]
flags = []
dev_size = {size // 512}
pe_start = {DATA_START // 512}
pe_count = {(size - DATA_START) // EXTENT}
}}
}}

logical_volumes {{
{"".join(blocks)}}}
}}
contents = "Text Format Volume Group"
version = 1
description = ""
creation_host = "guestbuild"
creation_time = 1700000000
"""


def _volume(group: str, name: str, segments: list[tuple[int, int, int]]) -> str:
    listed = "".join(_segment(number, *segment) for number, segment in enumerate(segments, 1))
    return f"""{name} {{
id = "{lvm_uuid(group, "lv", name)}"
status = ["READ", "WRITE", "VISIBLE"]
flags = []
creation_time = 1700000000
creation_host = "guestbuild"
segment_count = {len(segments)}
{listed}}}
"""


def _segment(number: int, first: int, start: int, count: int) -> str:
    return f"""segment{number} {{
start_extent = {first}
extent_count = {count}
type = "striped"
stripe_count = 1
stripes = [
"pv0", {start}
]
}}
"""
