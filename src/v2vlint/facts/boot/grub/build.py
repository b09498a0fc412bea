"""The contents of a GRUB 2 EFI program: its modules, embedded configuration, prefix and memory disk (include/grub/kernel.h, ``mods``).

They are fixed when the program is built, whatever is on the disks: Debian's signed program has ``linuxefi`` and not ``linux16``.
"""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import TYPE_CHECKING, BinaryIO

from v2vlint.disk.boot.grub_image import CONFIG, ELF, MEMDISK, PREFIX, module_name, objects
from v2vlint.disk.fields import Fields
from v2vlint.disk.filesystems.fat import Fat
from v2vlint.disk.stream import MemoryStream
from v2vlint.facts.boot.pe import PeImage, read_pe
from v2vlint.guest.fs import GuestFS
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import FactUnavailable, ImageError

if TYPE_CHECKING:
    import tarfile

MAX_MODULES = 64 << 20
MAX_FILES = 4_000
MAX_FILE = 1 << 20
MODULES = {
    "linux": "linux", "initrd": "linux", "linux16": "linux16", "initrd16": "linux16", "linuxefi": "linuxefi", "initrdefi": "linuxefi",
    "blscfg": "blscfg", "multiboot": "multiboot", "multiboot2": "multiboot2", "chainloader": "chain",
}  # fmt: skip
"""The commands that decide what is booted, and the modules that usually have them."""
_MAGIC = 0x676D696D  # GRUB_MODULE_MAGIC
# include/grub/kernel.h: struct grub_module_info32, and struct grub_module_info64, which has padding after the magic.
_INFO32 = Fields("<", magic=(0, "I"), offset=(4, "I"), size=(8, "I"))
_INFO64 = Fields("<", offset=(8, "Q"), size=(16, "Q"))
_INFO64_SIZE = 24


@dataclass(frozen=True, slots=True)
class GrubBuild:
    """``modules`` are built in, ``commands`` are those of :data:`MODULES` that they provide.

    ``prefix`` is empty when the program uses the folder that it was started from. ``config`` runs before anything is read from the disks.
    ``memory`` are the paths on the memory disk, with the content of small files.
    """

    modules: frozenset[str]
    commands: frozenset[str]
    prefix: str = ""
    config: str = ""
    memory: Mapping[str, bytes] = field(default_factory=dict, repr=False)


def build_of(fs: GuestFS, path: str) -> GrubBuild | None:
    """The contents of the EFI program at ``path``; None when they cannot be determined."""
    try:
        stream = fs.open(path)
        image = read_pe(stream) if stream else None
        return read_build(stream, image) if stream and image else None
    except (FactUnavailable, OSError, ValueError):
        return None


def read_build(stream: BinaryIO, image: PeImage) -> GrubBuild | None:
    """The contents of the program's section ``mods``; None when there is no such section, or it cannot be read."""
    section = image.section("mods")
    if section is None or section.size > MAX_MODULES:
        return None
    stream.seek(section.offset)
    try:
        found = list(_objects(stream.read(section.size)))
    except (struct.error, ImageError):
        return None
    bodies = {name: body for kind, body in found if kind == ELF and (name := module_name(body))}
    texts = {kind: body.split(b"\0", 1)[0].decode("utf-8", "replace") for kind, body in found if kind in (CONFIG, PREFIX)}
    memory = next((memory_files(body) for kind, body in found if kind == MEMDISK), {})
    commands = frozenset(name for name in MODULES if any(_has(body, name) for body in bodies.values()))
    return GrubBuild(frozenset(bodies), commands, texts.get(PREFIX, ""), texts.get(CONFIG, ""), memory) if bodies else None


def _has(body: bytes, name: str) -> bool:
    """Whether a module contains the string, as the code that registers the command does."""
    return re.search(rb"(?<![\w-])" + name.encode() + rb"\0", body) is not None


def memory_files(data: bytes) -> dict[str, bytes]:
    """The files of a memory disk: a FAT as made by Debian, or the archive of grub-mkstandalone(1). Empty when it is neither."""
    try:
        if data[257:262] == b"ustar":
            import tarfile

            with tarfile.open(fileobj=io.BytesIO(data)) as archive:
                members = [member for _number, member in zip(range(MAX_FILES), archive, strict=False) if member.isfile()]
                return {f"/{one.name.removeprefix('./').lstrip('/')}": _content(archive, one) for one in members}
        fs = GuestFS({"/": Fat(MemoryStream(data))})
        return {path: fs.head(path, MAX_FILE) or b"" for _number, path in zip(range(MAX_FILES), fs.walk("/"), strict=False)}
    except Exception:
        # The memory disk is as hostile as the program: what cannot be read counts as missing.
        return {}


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    stream = archive.extractfile(member) if member.size <= MAX_FILE else None
    return stream.read(MAX_FILE) if stream else b""


def _objects(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The type and content of each object. 32-bit firmware has a header with narrower fields."""
    info = _INFO32.read(data)
    if info["magic"] != _MAGIC:
        return
    # The wider one has the padding where the other has the offset; its own offset, the size of the structure, begins at the other's size.
    if info["offset"] == 0 and info["size"] == _INFO64_SIZE:
        info = _INFO64.read(data)
    yield from objects(data[info["offset"] : info["size"]])
