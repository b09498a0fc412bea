"""PE images for tests."""

from __future__ import annotations

from v2vlint.samples.pe import sample_pe as pe_image

__all__ = ["KERNEL", "UKI", "pe_image"]

KERNEL = bytearray(pe_image({}).ljust(0x206, b"\0"))
"""A kernel with an EFI stub."""
KERNEL[0x202:0x206] = b"HdrS"
UKI = {
    ".osrel": b'ID=arch\nPRETTY_NAME="Arch Linux"\nVERSION_ID=1\n# x\n',
    ".uname": b"6.7.4-arch1-1\0\0",
    ".cmdline": b"root=/dev/sda2 rw\0",
    ".linux": b"k" * 10,
    ".initrd": b"i" * 20,
}
