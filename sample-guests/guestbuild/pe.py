"""Small valid PE/COFF files: EFI applications, and unified kernel images with their sections."""

from __future__ import annotations

import struct
from collections.abc import Mapping

_ALIGN = 512
_PAGE = 4096
_MACHINES = {"x86_64": 0x8664, "i386": 0x14C, "aarch64": 0xAA64}


def application(sections: Mapping[str, bytes] | None = None, machine: str = "x86_64") -> bytes:
    """A program with these sections (``.text`` alone when none are given)."""
    parts = dict(sections or {".text": b"\xc3"})
    narrow = machine == "i386"
    optional = 224 if narrow else 240
    head_size = -(-(0x80 + 24 + optional + 40 * len(parts)) // _ALIGN) * _ALIGN
    table, body, address = b"", b"", _PAGE
    for name, data in parts.items():
        raw = -(-len(data) // _ALIGN) * _ALIGN
        place = struct.pack("<8sIIIIIIHHI", name.encode(), len(data), address, raw, head_size + len(body), 0, 0, 0, 0, 0x40000040)
        table += place
        body += data.ljust(raw, b"\0")
        address += -(-max(len(data), 1) // _PAGE) * _PAGE
    dos = b"MZ".ljust(0x3C, b"\0") + struct.pack("<I", 0x80) + bytes(64)
    flags = 0x0102 if narrow else 0x0206
    coff = struct.pack("<4sHHIIIHH", b"PE\0\0", _MACHINES[machine], len(parts), 0, 0, 0, optional, flags)
    return (dos + coff + _optional(address, head_size, narrow) + table).ljust(head_size, b"\0") + body


def _optional(image_size: int, head_size: int, narrow: bool) -> bytes:
    """The optional header: PE32 has a base of data and 32-bit sizes where PE32+ has 64-bit ones."""
    standard = struct.pack("<HBBIIIII", 0x10B if narrow else 0x20B, 0, 0, 0, 0, 0, _PAGE, _PAGE) + (bytes(4) if narrow else b"")
    base, sizes = ("<I", "<IIII") if narrow else ("<Q", "<QQQQ")
    windows = struct.pack("<IIHHHHHHIIIIHH", _PAGE, _ALIGN, 0, 0, 0, 0, 1, 0, 0, image_size, head_size, 0, 10, 0)
    stack = struct.pack(sizes, 0, 0, 0, 0) + struct.pack("<II", 0, 16)
    return (standard + struct.pack(base, 0) + windows + stack).ljust(224 if narrow else 240, b"\0")
