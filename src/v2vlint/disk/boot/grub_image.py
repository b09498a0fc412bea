"""GRUB 2's core.img as made by ``grub-mkimage -O i386-pc``, and the objects embedded in it and in GRUB's EFI programs.

Layouts from GRUB's ``include/grub/offsets.h``, ``include/grub/kernel.h`` and ``grub-core/boot/i386/pc/startup_raw.S``.
"""

from __future__ import annotations

import lzma
import re
import struct
from collections.abc import Iterator

from v2vlint.disk.fields import Fields
from v2vlint.model.boot_chain import GrubImage
from v2vlint.model.errors import ImageError

MAX_KERNEL = 8 << 20
MAX_MODULES = 500
MAX_SECTION = 4096
_LOADED_AT = 0x8200  # GRUB_BOOT_MACHINE_KERNEL_ADDR, and the first sector
_MAGIC = b"mimg"
ELF, MEMDISK, CONFIG, PREFIX = range(4)
"""The types of embedded objects."""
# GRUB_DECOMPRESSOR_I386_PC_… of offsets.h, counted without the first sector.
CORE, _CORE_SIZE = Fields("<", compressed_size=(0x08, "I"), uncompressed_size=(0x0C, "I"), reed_solomon_redundancy=(0x10, "I")), 0x14
# struct grub_module_info32 after its magic number, and struct grub_module_header.
_MODULE_INFO = Fields("<", offset=(0, "I"), size=(4, "I"))
_MODULE = Fields("<", type=(0, "I"), size=(4, "I"))
# elf.h: Elf32_Ehdr and Elf64_Ehdr by class, then the size and fields of Elf32_Shdr and Elf64_Shdr.
_ELF_HEADERS = {
    1: Fields("<", e_shoff=(0x20, "I"), e_shnum=(0x30, "H"), e_shstrndx=(0x32, "H")),
    2: Fields("<", e_shoff=(0x28, "Q"), e_shnum=(0x3C, "H"), e_shstrndx=(0x3E, "H")),
}
_ELF_SECTIONS = {
    1: (40, Fields("<", sh_name=(0, "I"), sh_offset=(16, "I"), sh_size=(20, "I"))),
    2: (64, Fields("<", sh_name=(0, "I"), sh_offset=(24, "Q"), sh_size=(32, "Q"))),
}
# As grub-mkimage compresses (compress_kernel_lzma() of util/mkimage.c).
_LZMA = [{"id": lzma.FILTER_LZMA1, "lc": 3, "lp": 0, "pb": 2, "dict_size": 1 << 16}]


def read_core(core: bytes) -> GrubImage | None:
    """core.img without its first sector; None when its layout is unknown. ImageError when it is damaged."""
    if len(core) < 0x400:
        return None
    sizes = CORE.read(core)
    packed, plain = sizes["compressed_size"], sizes["uncompressed_size"]
    starts = [number - _LOADED_AT for number in _loads(core[:0x2000]) if 0x300 < number - _LOADED_AT < 0x2000]
    if not starts or not 0 < packed <= plain <= MAX_KERNEL:
        return None
    for start in starts:
        kernel = _unpacked(core[start : start + packed], plain)
        at = kernel.rfind(_MAGIC)
        if at >= 0:
            info = _MODULE_INFO.read(kernel, at + len(_MAGIC))
            return read_modules(kernel[at + info["offset"] : at + info["size"]])
    raise ImageError("its compressed part does not unpack")


def redundancy(core: bytes) -> int:
    """The number of bytes of Reed-Solomon code at the end, with which GRUB repairs up to half as many damaged bytes."""
    return CORE.read(core)["reed_solomon_redundancy"] if len(core) >= _CORE_SIZE else 0


def _loads(code: bytes) -> Iterator[int]:
    """The values that the code loads into %esi, one of which is the start of the compressed part."""
    for match in re.finditer(rb"\xbe(.{4})", code, re.DOTALL):
        yield struct.unpack("<I", match[1])[0]


def _unpacked(packed: bytes, size: int) -> bytes:
    try:
        data = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=_LZMA).decompress(packed, size)
    except (lzma.LZMAError, EOFError):
        # Not the start of the packed part; there may be other candidates.
        return b""
    return data if len(data) == size else b""


def read_modules(data: bytes) -> GrubImage:
    """The list of embedded objects, each preceded by its type and size. ImageError when a size is impossible."""
    names: set[str] = set()
    prefix = config = ""
    memdisk = False
    for kind, content in objects(data):
        if kind == ELF:
            names.add(module_name(content))
        elif kind == PREFIX:
            prefix = _text(content)
        elif kind == CONFIG:
            config = _text(content)
        memdisk = memdisk or kind == MEMDISK
    return GrubImage(prefix, frozenset(names - {""}), config, memdisk)


def objects(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The type and content of each embedded object. ImageError when a size is impossible."""
    at = count = 0
    while at + 8 <= len(data) and count < MAX_MODULES:
        head = _MODULE.read(data, at)
        size = head["size"]
        if not 8 <= size <= len(data) - at:
            raise ImageError("its list of modules is damaged")
        yield head["type"], data[at + 8 : at + size]
        at, count = at + size, count + 1


def _text(content: bytes) -> str:
    return content.split(b"\0", 1)[0].decode("utf-8", "replace")


def module_name(module: bytes) -> str:
    """A module's name, from the section ``.modname`` of its ELF file; empty when ``module`` is not one."""
    found = _section(module, b".modname")
    return found.split(b"\0", 1)[0].decode("ascii", "replace") if found else ""


def module_needs(module: bytes) -> tuple[str, ...]:
    """The modules that GRUB loads before this one, from its section ``.moddeps``."""
    return tuple(name.decode("ascii", "replace") for name in (_section(module, b".moddeps") or b"").split(b"\0") if name)


def _section(module: bytes, wanted: bytes) -> bytes | None:
    """The first kilobytes of a section of an ELF file; None when there is none."""
    layout = _ELF_HEADERS.get(module[4]) if module[:4] == b"\x7fELF" and len(module) > 64 else None
    if layout is None:
        return None
    size, section = _ELF_SECTIONS[module[4]]
    try:
        head = layout.read(module)
        sections = [section.read(module, head["e_shoff"] + number * size) for number in range(min(head["e_shnum"], 256))]
        start = sections[head["e_shstrndx"]]["sh_offset"]
    except (struct.error, IndexError):
        return None
    end = len(wanted) + 1
    found = next((one for one in sections if module[(at := start + one["sh_name"]) : at + end] == wanted + b"\0"), None)
    return None if found is None else module[found["sh_offset"] :][: min(found["sh_size"], MAX_SECTION)]
