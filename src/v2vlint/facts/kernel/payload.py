"""The kernel proper, ``vmlinux``, inside the file that a loader starts, and its build configuration, if it carries one.

x86: ``arch/x86/boot.rst``, payload_offset and payload_length; arm64: ``booting.rst`` and ``drivers/firmware/efi/libstub/zboot-header.S``.
"""

from __future__ import annotations

import zlib
from typing import BinaryIO

from v2vlint.disk.fields import Fields
from v2vlint.facts.boot.pe import read_pe
from v2vlint.facts.initramfs.decompress import CompressedStream, Damaged, Source, compression_of
from v2vlint.model.dataclass import dataclass

MAX_VMLINUX = 256 << 20
_HEAD = 0x260
_SETUP = Fields("<", setup_sects=(0x1F1, "B"), version=(0x206, "H"), payload_offset=(0x248, "I"), payload_length=(0x24C, "I"))  # boot.rst
_FIRST_WITH_PAYLOAD = 0x208
_ZBOOT = Fields("<", payload_offset=(8, "I"), payload_size=(12, "I"))
_GZIP = b"\x1f\x8b\x08\x00"
_CONFIG = b"IKCFG_ST"  # kernel/configs.c
_MAX_CONFIG = 4 << 20


@dataclass(frozen=True, slots=True)
class Vmlinux:
    """The unpacked kernel. ``data`` is empty when the file has none, as in a file cut short behind its header; ``problem`` says why nobody
    knows.
    """

    data: bytes = b""
    problem: str = ""

    @property
    def config(self) -> str | None:
        """The configuration the kernel carries (``CONFIG_IKCONFIG``), or None."""
        at = self.data.find(_CONFIG)
        if at < 0:
            return None
        try:
            return zlib.decompressobj(31).decompress(memoryview(self.data)[at + len(_CONFIG) :], _MAX_CONFIG).decode("ascii", "replace")
        except zlib.error:
            return None


def read_vmlinux(stream: BinaryIO, size: int) -> Vmlinux:
    """The kernel in a file of ``size`` bytes: bzImage, Image (also packed), zboot, ELF, or a unified kernel image."""
    file = _linux(stream, size)
    found = _payload(file)
    if found is None:
        return Vmlinux(problem="is of a kind whose content is not known")
    if not found.size:
        return Vmlinux()
    packing = compression_of(found.at(0, 8))
    try:
        data = _unpacked(found, packing) if packing else found.at(0, min(found.size, MAX_VMLINUX + 1))
    except Damaged as error:
        return Vmlinux(problem=f"cannot be unpacked: it {error}")
    return Vmlinux(data) if len(data) <= MAX_VMLINUX else Vmlinux(problem=f"unpacks to more than {MAX_VMLINUX >> 20} MiB")


def _linux(stream: BinaryIO, size: int) -> Source:
    """The file, or the section of a unified kernel image with the kernel."""
    stream.seek(0)
    image = read_pe(stream)
    section = image.section(".linux") if image else None
    return Source(stream, section.offset, section.size) if section else Source(stream, 0, size)


def _payload(file: Source) -> Source | None:
    """Where the kernel proper lies, packed or not; None when that is not known."""
    head = file.at(0, _HEAD)
    if len(head) == _HEAD and head[0x202:0x206] == b"HdrS":
        setup = _SETUP.read(head)
        start = ((setup["setup_sects"] or 4) + 1) * 512
        if setup["version"] < _FIRST_WITH_PAYLOAD:
            return _searched(file, start)
        return _part(file, start + setup["payload_offset"], setup["payload_length"])
    if head[:2] == b"MZ" and head[4:8] == b"zimg":
        zboot = _ZBOOT.read(head)
        return _part(file, zboot["payload_offset"], zboot["payload_size"])
    raw = head[56:60] == b"ARM\x64" or head.startswith((b"\x7fELF", b"\x1f\x8b"))
    return file if raw else None


def _searched(file: Source, start: int) -> Source:
    """What is packed behind the code that a BIOS starts, as scripts/extract-vmlinux finds it: by gzip, before 2.6.26; else nothing."""
    at = file.at(start, MAX_VMLINUX).find(_GZIP)
    return _part(file, start + at, file.size) if at >= 0 else _part(file, start, 0)


def _part(file: Source, start: int, size: int) -> Source:
    return Source(file.stream, file.base + start, max(min(size, file.size - start), 0))


def _unpacked(source: Source, packing: str) -> bytes:
    """Up to one byte more than MAX_VMLINUX."""
    data = bytearray()
    # All but gzip have the unpacked size in four bytes behind them (size_append of scripts/Makefile.lib).
    packed = Source(source.stream, source.base, source.size - 4) if packing != "gzip" else source
    for piece in CompressedStream(packed, 0, packing):
        data += piece[: MAX_VMLINUX + 1 - len(data)]
        if len(data) > MAX_VMLINUX:
            break
    return bytes(data)
