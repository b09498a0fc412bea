"""Small PE images: drivers and programs of Windows, EFI programs."""

from __future__ import annotations

import struct
from collections.abc import Mapping

MACHINES = {"x86_64": 0x8664, "i386": 0x14C, "aarch64": 0xAA64}


def sample_driver(arch: str = "x86_64") -> bytes:
    """A driver with one empty function, as far as loaders look."""
    return sample_pe({".text": b"\xc3"}, MACHINES[arch])


def sample_pe(sections: Mapping[str, bytes], machine: int = 0x8664) -> bytes:
    """A PE image holding just these sections."""
    table, body, at = b"", b"", 0x400
    for name, content in sections.items():
        table += struct.pack("<8sIIII16x", name.encode(), len(content), at, len(content), at)
        body += content
        at += len(content)
    head = b"MZ".ljust(60, b"\0") + struct.pack("<I", 64) + b"PE\0\0" + struct.pack("<HH12xHH", machine, len(sections), 0, 0)
    return (head + table).ljust(0x400, b"\0") + body
