"""Small PE images: Windows drivers and programs, EFI programs."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping

MACHINES = {"x86_64": 0x8664, "i386": 0x14C, "aarch64": 0xAA64}


def sample_driver(arch: str = "x86_64") -> bytes:
    """A driver with one empty function, valid as far as loaders check."""
    return sample_pe({".text": b"\xc3"}, MACHINES[arch])


def sample_unsigned_driver(*, signed: bool = False, catalog: bool = False) -> bytes:
    """A driver with a header that has room for certificates; ``catalog``: a file that contains its hash instead."""
    optional = struct.pack("<H", 0x20B).ljust(108, b"\0") + struct.pack("<I", 16)
    head = b"MZ".ljust(60, b"\0") + struct.pack("<I", 64) + b"PE\0\0" + struct.pack("<HH12xHH", MACHINES["x86_64"], 1, 112 + 128, 0)
    certificates = struct.pack("<II", 0x600, 0x10) if signed else bytes(8)
    table = struct.pack("<8sIIII16x", b".text", 0x200, 0x1000, 0x200, 0x400)
    data = (head + optional + bytes(32) + certificates + bytes(88) + table).ljust(0x400, b"\0") + bytes(0x200) + bytes(16 if signed else 0)
    if not catalog:
        return data
    # Authenticode leaves out the checksum and the entry of the certificates.
    return b"catalog" + hashlib.sha256(data[: 88 + 64] + data[88 + 68 : 88 + 144] + data[88 + 152 :]).digest()


def sample_pe(sections: Mapping[str, bytes], machine: int = 0x8664) -> bytes:
    """A PE image with only these sections."""
    table, body, at = b"", b"", 0x400
    for name, content in sections.items():
        table += struct.pack("<8sIIII16x", name.encode(), len(content), at, len(content), at)
        body += content
        at += len(content)
    head = b"MZ".ljust(60, b"\0") + struct.pack("<I", 64) + b"PE\0\0" + struct.pack("<HH12xHH", machine, len(sections), 0, 0)
    return (head + table).ljust(0x400, b"\0") + body
