"""PE/COFF images: EFI programs and unified kernel images (PE format; systemd-stub(7) for the sections of a UKI).

Sections are located but not loaded: a UKI's ``.initrd`` may have hundreds of megabytes.
"""

from __future__ import annotations

import struct
from typing import BinaryIO

from v2vlint.model.dataclass import dataclass

MAX_SECTIONS = 96  # the limit of the Windows loader, according to the PE format
MAX_TEXT_SECTION = 1 << 20
MAX_NAMES = 1 << 16
_MACHINES = {0x8664: "x64", 0x14C: "ia32", 0xAA64: "aa64", 0x1C0: "arm", 0x1C2: "arm", 0x5064: "riscv64", 0x6264: "loongarch64"}


@dataclass(frozen=True, slots=True)
class PeSection:
    """A section: ``size`` bytes of content at byte ``offset`` of the file."""

    name: str
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class PeImage:
    """The header of an EFI program. ``machine`` is the firmware's suffix (``x64``, ``ia32``, ``aa64``…) or empty.

    ``subsystem`` is the program's environment: 10 is an EFI application, 11 and 12 are EFI drivers, 3 is the Windows console.
    """

    machine: str
    sections: tuple[PeSection, ...]
    subsystem: int = 0

    def section(self, name: str) -> PeSection | None:
        """The section called ``name``: in a unified kernel image with profiles, that of the first profile, or else the shared one.

        Sections before the first ``.profile`` are shared, those after one belong to it (UAPI.5, "Multi-profile UKIs").
        """
        marks = [index for index, section in enumerate(self.sections) if section.name == ".profile"]
        start, end = (marks[0], marks[1] if len(marks) > 1 else len(self.sections)) if marks else (0, 0)
        shared = self.sections[: start or len(self.sections)]
        return next((section for section in (*self.sections[start:end], *shared) if section.name == name), None)


def read_pe(stream: BinaryIO) -> PeImage | None:
    """The header of the image in ``stream``; None when it is not a PE image."""
    head = stream.read(64)
    if len(head) < 64 or head[:2] != b"MZ":
        return None
    stream.seek(struct.unpack_from("<I", head, 60)[0])
    header = stream.read(24)
    if len(header) < 24 or header[:4] != b"PE\0\0":
        return None
    # Machine, NumberOfSections, PointerToSymbolTable, NumberOfSymbols, SizeOfOptionalHeader.
    machine, count, symbols, number, optional = struct.unpack_from("<HH4xIIH", header, 4)
    more = stream.read(optional)
    table = stream.read(min(count, MAX_SECTIONS) * 40)
    # The string table follows the symbols, of 18 bytes each; it matters if a name starts with a slash.
    names = _long_names(stream, symbols + number * 18) if symbols and b"/" in table[::40] else b""
    sections = tuple(_section(table, offset, names) for offset in range(0, len(table) - 39, 40))
    # Subsystem is at 68 of the optional header, in PE32 and PE32+.
    return PeImage(_MACHINES.get(machine, ""), sections, struct.unpack_from("<H", more, 68)[0] if len(more) >= 70 else 0)


def _long_names(stream: BinaryIO, at: int) -> bytes:
    """The string table after the symbols, in which a section named ``/4`` has its name at byte 4."""
    stream.seek(at)
    size = stream.read(4)
    return size + stream.read(min(struct.unpack("<I", size)[0], MAX_NAMES)) if len(size) == 4 else b""


def pe_defect(stream: BinaryIO) -> str:
    """Why the image in ``stream`` cannot be loaded, as the continuation of its name; empty when no reason is found."""
    stream.seek(0)
    try:
        image = read_pe(stream)
    except (struct.error, ValueError):
        image = None
    if image is None:
        return "has no PE header"
    end = max((section.offset + section.size for section in image.sections), default=0)
    size = stream.seek(0, 2)
    return f"is cut short: it has {size} of {end} bytes" if end > size else ""


def _section(table: bytes, offset: int, names: bytes) -> PeSection:
    name, virtual, _address, raw, pointer = struct.unpack_from("<8sIIII", table, offset)
    # The raw size is padded to the alignment in the file, the virtual one may go beyond it.
    size, name = min(virtual, raw) if virtual else raw, name.rstrip(b"\0")
    if name[:1] == b"/" and name[1:].isdigit() and int(name[1:]) < len(names):
        name = names[int(name[1:]) :].split(b"\0", 1)[0]
    return PeSection(name.decode("latin-1"), pointer, size)


def read_section(stream: BinaryIO, section: PeSection) -> bytes:
    """The content of a text section (``.cmdline``, ``.osrel``, ``.uname``) without trailing NULs, at most 1 MiB."""
    stream.seek(section.offset)
    return stream.read(min(section.size, MAX_TEXT_SECTION)).rstrip(b"\0")
