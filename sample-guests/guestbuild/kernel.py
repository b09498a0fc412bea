"""Installed kernels: a vmlinuz with a real header, module stubs at their real paths, depmod's indexes, a config."""

from __future__ import annotations

import functools
import struct
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from guestbuild import elf, pe
from guestbuild.tools import BuildError, run

_DATABASE = Path(__file__).with_name("modules.toml")


@dataclass(frozen=True, slots=True)
class Kernel:
    """One kernel to install.

    ``modules`` and ``builtin`` name modules of ``modules.toml``, or sets of it (``@virtio``), ``-name`` takes one out again. ``config`` are
    lines of the config file. ``image`` is the path of vmlinuz, ``folder`` where the modules go (``/lib/modules``), ``suffix`` theirs.
    """

    version: str
    image: str
    modules: tuple[str, ...] = ()
    builtin: tuple[str, ...] = ()
    config: tuple[str, ...] = ()
    folder: str = "/lib/modules"
    suffix: str = ".ko"
    machine: str = "x86_64"

    @property
    def home(self) -> str:
        """The directory of this kernel's modules."""
        return f"{self.folder}/{self.version}"


@dataclass(frozen=True, slots=True)
class Entry:
    """A module of the database: its path below ``kernel/`` without suffix, its dependencies and aliases."""

    path: str
    depends: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    softdeps: tuple[str, ...] = ()


@functools.cache
def database() -> dict[str, Entry]:
    """All known modules by name (spelled with underscores)."""
    raw = tomllib.loads(_DATABASE.read_text(encoding="utf-8"))["modules"]
    return {name: _entry(value) for name, value in raw.items()}


@functools.cache
def sets() -> dict[str, tuple[str, ...]]:
    """Named groups of modules."""
    raw = tomllib.loads(_DATABASE.read_text(encoding="utf-8"))["sets"]
    return {name: tuple(value) for name, value in raw.items()}


def expand(names: Iterable[str]) -> tuple[str, ...]:
    """The modules that a list with sets and exclusions means, with everything they depend on, sorted."""
    wanted: set[str] = set()
    excluded: set[str] = set()
    for name in names:
        (excluded if name.startswith("-") else wanted).update(_members(name.removeprefix("-")))
    return tuple(sorted(_closure(wanted - excluded) - excluded))


def install(kernel: Kernel, tree: Path) -> None:
    """Put the kernel into ``tree``, which becomes a guest's root."""
    home = tree / kernel.home.lstrip("/")
    home.mkdir(parents=True, exist_ok=True)
    builtin = expand(kernel.builtin)
    modules = [name for name in expand(kernel.modules) if name not in builtin]
    for name in modules:
        path = home / "kernel" / f"{database()[name].path}{kernel.suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(packed(kernel, name))
    _write_lines(home / "modules.builtin", (f"kernel/{database()[name].path}.ko" for name in builtin))
    _write_lines(home / "modules.order", (f"kernel/{database()[name].path}.ko" for name in modules))
    _index(kernel, tree, modules)
    image = tree / kernel.image.lstrip("/")
    image.parent.mkdir(parents=True, exist_ok=True)
    image.write_bytes(vmlinuz(kernel.version, kernel.machine))
    if kernel.config:
        _write_lines(tree / f"boot/config-{kernel.version}", ("# Linux kernel configuration", *kernel.config))


def packed(kernel: Kernel, name: str) -> bytes:
    """One module's file content as this kernel ships it."""
    entry = database()[name]
    present = set(expand(kernel.modules)) - set(expand(kernel.builtin))
    depends = tuple(other for other in entry.depends if other in present)
    data = elf.module(elf.Module(name, kernel.version, depends, entry.aliases, entry.softdeps), kernel.machine)
    return _compress(data, kernel.suffix)


def vmlinuz(version: str, machine: str = "x86_64") -> bytes:
    """A bzImage's first sectors (EFI header, setup header with the version) without code behind them; for aarch64, an Image."""
    if machine == "aarch64":
        return _arm64_image()
    image = bytearray(4096)
    image[:2] = b"MZ"
    struct.pack_into("<I4sH", image, 0x3C, 0x40, b"PE\0\0", 0x8664)
    image[0x1F1] = 4
    struct.pack_into("<H", image, 0x1FE, 0xAA55)
    struct.pack_into("<H4sH", image, 0x200, 0x66EB, b"HdrS", 0x020F)
    struct.pack_into("<H", image, 0x20E, 0x400)
    image[0x211] = 1
    text = f"{version} (guestbuild) #1 SMP\0".encode()
    image[0x600 : 0x600 + len(text)] = text
    return bytes(image)


def _arm64_image() -> bytes:
    """An Image with its EFI stub (Documentation/arch/arm64/booting.rst), which says that its pages have 4 KiB."""
    image = bytearray(pe.application(machine="aarch64"))
    struct.pack_into("<Q", image, 24, 1 << 1)
    image[56:60] = b"ARMd"
    return bytes(image)


def _index(kernel: Kernel, tree: Path, modules: list[str]) -> None:
    base = tree / kernel.folder.removesuffix("/lib/modules").lstrip("/")
    run("depmod", "-b", base, kernel.version)
    if kernel.suffix == ".ko.gz":
        # Debian's depmod cannot read gzip; the text index is what can be said without it.
        present = set(modules)
        _write_lines(tree / kernel.home.lstrip("/") / "modules.dep", (dependency_line(name, present, kernel.suffix) for name in modules))


def dependency_line(name: str, present: set[str], suffix: str) -> str:
    """A line of modules.dep, with those dependencies that are ``present``."""
    needed = [other for other in expand((name,)) if other != name and other in present]
    return f"kernel/{database()[name].path}{suffix}: {' '.join(f'kernel/{database()[other].path}{suffix}' for other in needed)}".rstrip()


def _compress(data: bytes, suffix: str) -> bytes:
    if suffix == ".ko.xz":
        import lzma

        return lzma.compress(data, check=lzma.CHECK_CRC32)
    if suffix == ".ko.zst":
        import zstandard

        return zstandard.compress(data)
    if suffix == ".ko.gz":
        import gzip

        return gzip.compress(data, mtime=0)
    return data


def _entry(value: list[object]) -> Entry:
    path, *lists = value
    groups = [tuple(str(item) for item in group) if isinstance(group, list) else () for group in lists]
    return Entry(str(path), *groups)


def _members(name: str) -> Iterator[str]:
    if name.startswith("@"):
        if name[1:] not in sets():
            raise BuildError(f"no module set {name!r} in modules.toml")
        for member in sets()[name[1:]]:
            yield from _members(member)
    elif name in database():
        yield name
    else:
        raise BuildError(f"no module {name!r} in modules.toml")


def _closure(names: set[str]) -> set[str]:
    found: set[str] = set()
    pending = list(names)
    while pending:
        name = pending.pop()
        if name not in found:
            found.add(name)
            pending.extend(database()[name].depends)
    return found


def _write_lines(path: Path, lines: Iterable[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
