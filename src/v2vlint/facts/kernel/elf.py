"""The x86-64 level required by ELF files (the x86-64 psABI's ``.note.gnu.property``; ld.so(8)).

The linker records the level a program needs in a note; ld.so refuses to load a program or library whose level the CPU lacks.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO

from v2vlint.model.dataclass import dataclass

MAX_SEGMENTS, MAX_NOTES, MAX_NOTE, MAX_OFFSET = 512, 4096, 1 << 20, 1 << 40
MACHINES = {3: "i386", 62: "x86_64", 183: "aarch64"}
_PT_NOTE, _PROPERTY_0 = 4, 5
# GNU_PROPERTY_X86_ISA_1_NEEDED; NT_GNU_PROPERTY_TYPE_0 is 5.
_ISA_NEEDED = 0xC0008002


@dataclass(frozen=True, slots=True)
class ElfNeeds:
    """The architecture of an ELF file, and the x86-64 level in its note: 1 to 4, or 0 when not stated."""

    machine: str
    level: int


def read_elf_needs(stream: BinaryIO) -> ElfNeeds | None:
    """The needs of the ELF file in ``stream``; None when it is not ELF. Damaged notes are ignored."""
    head = stream.read(64)
    # EI_CLASS (32 or 64 bits) and EI_DATA (byte order).
    if len(head) < 52 or head[:4] != b"\x7fELF" or head[4] not in (1, 2) or head[5] not in (1, 2):
        return None
    order, wide = "<" if head[5] == 1 else ">", head[4] == 2
    if wide and len(head) < 64:
        return None
    machine = MACHINES.get(struct.unpack_from(f"{order}H", head, 18)[0], "")
    level = 0
    for note in _note_segments(stream, head, order, wide):
        for kind, data in _properties(note, order, 8 if wide else 4):
            if kind == _ISA_NEEDED and len(data) >= 4:
                level = max(level, _level(struct.unpack_from(f"{order}I", data)[0]))
    return ElfNeeds(machine, level)


def _level(bits: int) -> int:
    """Bit 0 is the baseline, bits 1 to 3 are levels 2 to 4."""
    return min((bits & 0xF).bit_length(), 4)


def _note_segments(stream: BinaryIO, head: bytes, order: str, wide: bool) -> Iterator[bytes]:
    table, size, count = _program_headers(head, order, wide)
    if size < (56 if wide else 32):
        return
    data = _read(stream, table, size * min(count, MAX_SEGMENTS))
    for offset in range(0, len(data) - size + 1, size):
        if struct.unpack_from(f"{order}I", data, offset)[0] != _PT_NOTE:
            continue
        # p_offset and p_filesz.
        start, length = (
            struct.unpack_from(f"{order}Q16xQ", data, offset + 8) if wide else struct.unpack_from(f"{order}I8xI", data, offset + 4)
        )
        if 0 < length <= MAX_NOTE:
            yield _read(stream, start, length)


def _read(stream: BinaryIO, start: int, length: int) -> bytes:
    if start > MAX_OFFSET:
        return b""
    stream.seek(start)
    return stream.read(length)


def _program_headers(head: bytes, order: str, wide: bool) -> tuple[int, int, int]:
    # e_phoff, e_phentsize and e_phnum.
    table = struct.unpack_from(f"{order}Q", head, 32)[0] if wide else struct.unpack_from(f"{order}I", head, 28)[0]
    size, count = struct.unpack_from(f"{order}HH", head, 54 if wide else 42)
    return table, size, count


def _properties(note: bytes, order: str, align: int) -> Iterator[tuple[int, bytes]]:
    offset = 0
    for _ in range(MAX_NOTES):
        if offset + 12 > len(note):
            return
        name_size, size, kind = struct.unpack_from(f"{order}III", note, offset)
        name_end = offset + 12 + name_size + -name_size % 4
        name = note[offset + 12 : offset + 12 + min(name_size, 4)]
        offset = name_end + size + -size % align
        if kind == _PROPERTY_0 and name == b"GNU\0":
            yield from _items(note[name_end : name_end + size], order, align)


def _items(data: bytes, order: str, align: int) -> Iterator[tuple[int, bytes]]:
    offset = 0
    while offset + 8 <= len(data):
        kind, size = struct.unpack_from(f"{order}II", data, offset)
        yield kind, data[offset + 8 : offset + 8 + size]
        offset += 8 + size + -size % align
