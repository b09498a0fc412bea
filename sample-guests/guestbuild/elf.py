"""Small valid ELF files: programs and libraries that state the CPU level they need, and kernel modules that depmod understands."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

_MACHINES = {"x86_64": 62, "i386": 3, "aarch64": 183}
_EXECUTABLE, _SHARED, _RELOCATABLE = 2, 3, 1
_X86_ISA_NEEDED = 0xC0008002
_X86_FEATURE = 0xC0000002


@dataclass(frozen=True, slots=True)
class _Section:
    name: str
    kind: int
    data: bytes
    link: int = 0
    info: int = 0
    entry: int = 0


@dataclass(frozen=True, slots=True)
class Module:
    """A kernel module: its own name, the modules whose symbols it uses, the devices it answers to, and the kernel it belongs to."""

    name: str
    version: str
    depends: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    softdeps: tuple[str, ...] = field(default=())


def program(machine: str = "x86_64", level: int = 0, interpreter: str = "", shared: bool = False) -> bytes:
    """An executable (or shared object) whose GNU property note needs x86-64-v``level`` (0: no such note)."""
    if machine == "i386":
        return _elf32(_SHARED if shared else _EXECUTABLE)
    segments: list[tuple[int, bytes]] = []
    if interpreter:
        segments.append((3, interpreter.encode() + b"\0"))
    if level:
        note = _property_note(level)
        segments += [(4, note), (0x6474E553, note)]
    return _with_segments(_SHARED if shared or interpreter else _EXECUTABLE, machine, segments)


def module(spec: Module, machine: str = "x86_64") -> bytes:
    """A relocatable object with .modinfo, exported symbols and undefined ones, enough for depmod, modinfo and lsinitramfs."""
    fields = [f"name={spec.name}", f"vermagic={spec.version} SMP mod_unload modversions ", "license=GPL"]
    fields += [f"depends={','.join(spec.depends)}", *(f"alias={alias}" for alias in spec.aliases)]
    fields += [f"softdep=pre: {' '.join(spec.softdeps)}"] if spec.softdeps else []
    info = b"".join(text.encode() + b"\0" for text in fields)
    exported = _symbol(spec.name) + b"\0"
    names = b"\0" + b"".join(_symbol(name) + b"\0" for name in spec.depends)
    symbols, position = struct.pack("<IBBHQQ", 0, 0, 0, 0, 0, 0), 1
    for name in spec.depends:
        symbols += struct.pack("<IBBHQQ", position, 0x10, 0, 0, 0, 0)
        position += len(_symbol(name)) + 1
    sections = (
        _Section(".modinfo", 1, info),
        _Section("__ksymtab_strings", 1, exported),
        _Section(".symtab", 2, symbols, link=4, info=1, entry=24),
        _Section(".strtab", 3, names),
    )
    return _with_sections(machine, sections)


def _symbol(module_name: str) -> bytes:
    return module_name.replace("-", "_").encode() + b"_api"


def _property_note(level: int) -> bytes:
    values = struct.pack("<IIII", _X86_FEATURE, 4, 3, 0) + struct.pack("<IIII", _X86_ISA_NEEDED, 4, (1 << level) - 1, 0)
    return struct.pack("<III4s", 4, len(values), 5, b"GNU\0") + values


def _header(kind: int, machine: str, *, program_headers: int = 0, sections: int = 0, section_offset: int = 0) -> bytes:
    ident = b"\x7fELF" + bytes((2, 1, 1, 0)) + bytes(8)
    rest = struct.pack(
        "<HHIQQQIHHHHHH",
        kind, _MACHINES[machine], 1, 0, 64 if program_headers else 0, section_offset, 0,
        64, 56, program_headers, 64, sections, sections - 1 if sections else 0,
    )  # fmt: skip
    return ident + rest


def _elf32(kind: int) -> bytes:
    ident = b"\x7fELF" + bytes((1, 1, 1, 0)) + bytes(8)
    return ident + struct.pack("<HHIIIIIHHHHHH", kind, _MACHINES["i386"], 1, 0, 0, 0, 0, 52, 32, 0, 40, 0, 0)


def _with_segments(kind: int, machine: str, segments: list[tuple[int, bytes]]) -> bytes:
    offset = 64 + 56 * len(segments)
    offset += -offset % 16
    headers, body = b"", b""
    for number, data in segments:
        position = offset + len(body)
        headers += struct.pack("<IIQQQQQQ", number, 4, position, position, position, len(data), len(data), 8)
        body += data + bytes(-len(data) % 16)
    head = _header(kind, machine, program_headers=len(segments)) + headers
    return head.ljust(offset, b"\0") + body


def _with_sections(machine: str, sections: tuple[_Section, ...]) -> bytes:
    names, offsets = b"\0", []
    for name in [*(section.name for section in sections), ".shstrtab"]:
        offsets.append(len(names))
        names += name.encode() + b"\0"
    body, table = b"", bytes(64)
    every = (*sections, _Section(".shstrtab", 3, names))
    for name_offset, section in zip(offsets, every, strict=True):
        size, place = len(section.data), 64 + len(body)
        table += struct.pack("<IIQQQQIIQQ", name_offset, section.kind, 0, 0, place, size, section.link, section.info, 8, section.entry)
        body += section.data + bytes(-size % 8)
    return _header(_RELOCATABLE, machine, sections=len(every) + 1, section_offset=64 + len(body)) + body + table
