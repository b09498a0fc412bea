"""PE images for tests."""

from __future__ import annotations

import struct
from collections.abc import Mapping


def pe_image(sections: Mapping[str, bytes], machine: int = 0x8664) -> bytes:
    """A PE image holding just these sections."""
    table, body, at = b"", b"", 0x400
    for name, content in sections.items():
        table += struct.pack("<8sIIII16x", name.encode(), len(content), at, len(content), at)
        body += content
        at += len(content)
    head = b"MZ".ljust(60, b"\0") + struct.pack("<I", 64) + b"PE\0\0" + struct.pack("<HH12xHH", machine, len(sections), 0, 0)
    return (head + table).ljust(0x400, b"\0") + body


UKI = {
    ".osrel": b'ID=arch\nPRETTY_NAME="Arch Linux"\nVERSION_ID=1\n# x\n',
    ".uname": b"6.7.4-arch1-1\0\0",
    ".cmdline": b"root=/dev/sda2 rw\0",
    ".linux": b"k" * 10,
    ".initrd": b"i" * 20,
}
