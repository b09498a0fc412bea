"""Kernel image files: whether one is present and complete, and its version (``arch/x86/boot.rst``, ``arch/arm64/booting.rst``)."""

from __future__ import annotations

import re
import struct

from v2vlint.disk.fields import Fields
from v2vlint.facts.boot.pe import pe_defect, read_pe, read_section
from v2vlint.guest.fs import GuestFS
from v2vlint.model.dataclass import dataclass

_HEAD = 4096
_SETUP = Fields("<", setup_sects=(0x1F1, "B"), syssize=(0x1F4, "I"), version=(0x206, "H"), kernel_version=(0x20E, "H"))  # boot.rst
_SETUP_END = 0x210
_LAST_START = 0x8000
_MAX_RELEASE = 128
_ARM64 = Fields("<", flags=(24, "Q"))  # booting.rst
_PAGES = (0, 4, 16, 64)
"""The page size in bits 1 and 2 of an arm64 header's flags; 0 when it is not stated."""
_VERSION = re.compile(rb"[0-9]+\.[0-9]+[\w.+~-]*")


@dataclass(frozen=True, slots=True)
class KernelImage:
    """The header of a kernel file.

    ``kind`` is ``bzimage``, ``arm64`` (an Image), ``zboot`` (an EFI program that unpacks one), ``pe`` (any other EFI program, including
    unified kernel images), ``elf``, ``gzip`` or empty for anything else. ``version`` is the release in the header, possibly empty.
    ``problem`` says why it cannot start; empty when it can. ``pages`` is the size of its pages in KiB where an arm64 header states it.
    """

    kind: str
    version: str = ""
    problem: str = ""
    pages: int = 0


def read_kernel_image(fs: GuestFS, path: str) -> KernelImage | None:
    """The image at ``path``; None when it does not exist. FactUnavailable when it cannot be read."""
    found = fs.stat(path)
    head = fs.head(path, _HEAD)
    if found is None or head is None:
        return None
    if not head:
        return KernelImage("", problem="is empty")
    if not head.strip(b"\0"):
        return KernelImage("", problem="starts with nothing but zero bytes")
    if head[0x202:0x206] == b"HdrS":
        if len(head) < _SETUP_END:
            return KernelImage("bzimage", problem=f"is truncated: {found.size} bytes, within its header")
        return _bzimage(fs, path, head, found.size)
    kind = _other(head)
    problem = _arm_problem(fs, path, head) if kind in ("arm64", "zboot") else ""
    version = _unified_version(fs, path) if kind == "pe" else ""
    return KernelImage(kind, version, problem=problem, pages=_PAGES[_ARM64.read(head)["flags"] >> 1 & 3] if kind == "arm64" else 0)


def _other(head: bytes) -> str:
    if head[56:60] == b"ARM\x64":
        return "arm64"
    # drivers/firmware/efi/libstub/zboot-header.S.
    if head[:2] == b"MZ" and head[4:8] == b"zimg":
        return "zboot"
    kinds = ((b"MZ", "pe"), (b"\x7fELF", "elf"), (b"\x1f\x8b", "gzip"))
    return next((kind for magic, kind in kinds if head.startswith(magic)), "")


def _arm_problem(fs: GuestFS, path: str, head: bytes) -> str:
    """UEFI and its loaders start an Image as an EFI program only: one without the stub, or cut short, is refused."""
    if head[:2] != b"MZ":
        return "was built without an EFI stub, which loaders for UEFI need"
    stream = fs.open(path)
    return pe_defect(stream) if stream is not None else ""


def _bzimage(fs: GuestFS, path: str, head: bytes, size: int) -> KernelImage:
    header = _SETUP.read(head)
    # For old kernels, zero means four.
    setup = header["setup_sects"] or 4
    # syssize has 32 bits from protocol 2.04 on.
    paragraphs = header["syssize"] & (0xFFFFFFFF if header["version"] >= 0x204 else 0xFFFF)
    wanted = (setup + 1) * 512 + paragraphs * 16
    problem = f"is truncated: {size} bytes of {wanted}" if size < wanted else ""
    pointer = header["kernel_version"]
    enough = head if pointer + 0x200 + _MAX_RELEASE <= len(head) else fs.head(path, _LAST_START + _MAX_RELEASE) or b""
    return KernelImage("bzimage", _version(enough, pointer), problem)


def _version(data: bytes, pointer: int) -> str:
    # kernel_version counts from 0x200, and may lie anywhere in the setup code.
    start = pointer + 0x200
    if not pointer or start > _LAST_START:
        return ""
    match = _VERSION.match(data[start : start + _MAX_RELEASE])
    return match[0].decode("ascii", "replace") if match else ""


def _unified_version(fs: GuestFS, path: str) -> str:
    """The release of the kernel inside a unified image: what its own header says, or else ``.uname``; empty for another program."""
    stream = fs.open(path)
    try:
        image = read_pe(stream) if stream is not None else None
    except (struct.error, ValueError):
        return ""
    linux = image.section(".linux") if image else None
    if stream is None or image is None or linux is None:
        return ""
    stream.seek(linux.offset)
    head = stream.read(min(linux.size, _LAST_START + _MAX_RELEASE))
    found = _version(head, _SETUP.read(head)["kernel_version"]) if head[0x202:0x206] == b"HdrS" and len(head) >= _SETUP_END else ""
    uname = image.section(".uname")
    match = _VERSION.match(read_section(stream, uname)) if uname else None
    return found or (match[0].decode() if match else "")
