"""PE/COFF images: EFI programs and unified kernel images (PE format; systemd-stub(7) for the sections of a UKI).

Sections are located but not loaded: a UKI's ``.initrd`` may have hundreds of megabytes.
"""

from __future__ import annotations

import struct
from typing import BinaryIO

from v2vlint.disk.fields import Fields
from v2vlint.model.dataclass import dataclass

MAX_SECTIONS = 96  # the limit of the Windows loader, according to the PE format
MAX_TEXT_SECTION = 1 << 20
MAX_NAMES = 1 << 16
_MACHINES = {0x8664: "x64", 0x14C: "ia32", 0xAA64: "aa64", 0x1C0: "arm", 0x1C2: "arm", 0x5064: "riscv64", 0x6264: "loongarch64"}

# winnt.h and the PE format; the optional header of PE32 and of PE32+ has the checksum and the subsystem at the same offsets.
_DOS_HEADER = Fields("<", e_lfanew=(60, "I"))
_NT_HEADERS = Fields("<", optional_size=(20, "H"), magic=(24, "H"))
_OPTIONAL_HEADER = 24  # its offset in the NT headers
_CHECKSUM = 64  # its offset in the optional header
_DIRECTORIES = {0x10B: 96, 0x20B: 112}
"""The offset of the data directories in the optional header, by its magic: PE32 and PE32+."""
_DIRECTORY = Fields("<", address=(0, "I"), size=(4, "I"))
_DIRECTORY_SIZE = 8
_COUNT, _COUNT_SIZE = Fields("<", directories=(0, "I")), 4  # NumberOfRvaAndSizes, the last field before the directories
_SECURITY = 4  # IMAGE_DIRECTORY_ENTRY_SECURITY, the only directory with a file offset instead of an address
_FILE_HEADER = Fields("<", machine=(4, "H"), sections=(6, "H"), symbols_at=(12, "I"), symbols=(16, "I"), optional_size=(20, "H"))
_OPTIONAL = Fields("<", subsystem=(68, "H"))
_SECTION = Fields("<", virtual_size=(8, "I"), raw_size=(16, "I"), raw_at=(20, "I"))
_SYMBOL_SIZE, _SECTION_SIZE, _NAME_SIZE = 18, 40, 8


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
    stream.seek(_DOS_HEADER.read(head)["e_lfanew"])
    header = stream.read(24)
    if len(header) < 24 or header[:4] != b"PE\0\0":
        return None
    file = _FILE_HEADER.read(header)
    more = stream.read(file["optional_size"])
    table = stream.read(min(file["sections"], MAX_SECTIONS) * _SECTION_SIZE)
    # The string table follows the symbols; it matters if a name starts with a slash.
    is_long = file["symbols_at"] and b"/" in table[::_SECTION_SIZE]
    names = _long_names(stream, file["symbols_at"] + file["symbols"] * _SYMBOL_SIZE) if is_long else b""
    sections = tuple(_section(table, offset, names) for offset in range(0, len(table) - _SECTION_SIZE + 1, _SECTION_SIZE))
    subsystem = _OPTIONAL.read(more)["subsystem"] if len(more) >= 70 else 0
    return PeImage(_MACHINES.get(file["machine"], ""), sections, subsystem)


def _long_names(stream: BinaryIO, at: int) -> bytes:
    """The string table after the symbols, in which a section named ``/4`` has its name at byte 4."""
    stream.seek(at)
    size = stream.read(4)
    return size + stream.read(min(struct.unpack("<I", size)[0], MAX_NAMES)) if len(size) == 4 else b""


@dataclass(frozen=True, slots=True)
class CertificatePlace:
    """The positions, in a PE image, of the checksum and of the certificate table's entry; and the position and size of that table."""

    checksum: int
    entry: int
    start: int
    size: int

    def signed(self, end: int) -> tuple[tuple[int, int], ...]:
        """The ranges of bytes up to ``end`` that a signature covers: all but the checksum and the entry."""
        return (0, self.checksum), (self.checksum + 4, self.entry), (self.entry + _DIRECTORY_SIZE, end)


def certificate_place(head: bytes) -> CertificatePlace | None:
    """Where the image that begins with ``head`` has its certificates; None when it is no PE image, or has no entry for them."""
    if head[:2] != b"MZ":
        return None
    try:
        at = _DOS_HEADER.read(head)["e_lfanew"]
        headers = _NT_HEADERS.read(head, at)
        directories = _DIRECTORIES.get(headers["magic"])
        if head[at : at + 4] != b"PE\0\0" or directories is None:
            return None
        first = at + _OPTIONAL_HEADER + directories
        entry = first + _SECURITY * _DIRECTORY_SIZE
        fits = headers["optional_size"] >= directories + (_SECURITY + 1) * _DIRECTORY_SIZE
        if not fits or _COUNT.read(head, first - _COUNT_SIZE)["directories"] <= _SECURITY:
            return None
        table = _DIRECTORY.read(head, entry)
    except struct.error:
        return None
    return CertificatePlace(at + _OPTIONAL_HEADER + _CHECKSUM, entry, table["address"], table["size"])


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
    fields = _SECTION.read(table, offset)
    virtual, raw = fields["virtual_size"], fields["raw_size"]
    # The raw size is padded to the alignment in the file, the virtual one may go beyond it.
    size, name = min(virtual, raw) if virtual else raw, table[offset : offset + _NAME_SIZE].rstrip(b"\0")
    if name[:1] == b"/" and name[1:].isdigit() and int(name[1:]) < len(names):
        name = names[int(name[1:]) :].split(b"\0", 1)[0]
    return PeSection(name.decode("latin-1"), fields["raw_at"], size)


def read_section(stream: BinaryIO, section: PeSection) -> bytes:
    """The content of a text section (``.cmdline``, ``.osrel``, ``.uname``) without trailing NULs, at most 1 MiB."""
    stream.seek(section.offset)
    return stream.read(min(section.size, MAX_TEXT_SECTION)).rstrip(b"\0")
