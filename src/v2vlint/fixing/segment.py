"""The initramfs repair: a cpio segment that, appended to an image, adds the modules that it lacks.

The kernel unpacks concatenated archives in order and later files win, so nothing in the old image needs to be rewritten and no guest
program runs. A segment has the modules with their dependencies, indexes that list them, and the configuration that makes the image's own
init load them.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

from v2vlint.fixing.cpio import archive
from v2vlint.fixing.kmod_index import index
from v2vlint.guest.fs import GuestFS
from v2vlint.guest.text import split_lines
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import FactUnavailable
from v2vlint.model.place import WholeFile

_SUFFIX = re.compile(r"\.ko(\.gz|\.xz|\.zst)?$")
MAX_MODULE = 64 << 20


@dataclass(frozen=True, slots=True)
class KnownImage:
    """What is known about an image: its path, its kernel version, all member names, the contents of its small files, its generator
    (``initramfs-tools``, ``dracut``, ``mkinitcpio``…) and the compression of its last segment (``gzip``, ``xz``, ``zstd``, …).
    """

    path: str
    version: str
    members: frozenset[str]
    contents: Mapping[str, bytes]
    generator: str
    compression: str


@dataclass(frozen=True, slots=True)
class GuestModules:
    """``modules.dep`` of the guest: module name → (path under the version's folder, paths of its dependencies)."""

    folder: str
    modules: Mapping[str, tuple[str, tuple[str, ...]]]

    def closure(self, names: Iterable[str], extra: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
        """``names`` with everything they depend on, hard or soft, that exists as a module."""
        found: dict[str, None] = {}
        pending = list(names)
        while pending:
            name = pending.pop()
            if name in found or name not in self.modules:
                continue
            found[name] = None
            pending.extend(module_name(path) for path in self.modules[name][1])
            pending.extend(extra.get(name, ()))
        return tuple(sorted(found))


def module_name(path: str) -> str:
    """``kernel/drivers/block/virtio-blk.ko.xz`` → ``virtio_blk``."""
    return _SUFFIX.sub("", posixpath.basename(path)).replace("-", "_")


def segment(fs: GuestFS, image: KnownImage, wanted: Iterable[str], renewed: Mapping[str, bytes] = MappingProxyType({})) -> bytes:
    """The bytes to append to ``image`` so that it has and loads ``wanted``, and so that the files ``renewed`` replace its own.

    FactUnavailable when the guest does not have the modules.
    """
    names = tuple(wanted)
    if not names:
        return pad4(compress(archive(renewed), image.compression))
    tree = read_tree(fs, image.version)
    absent = [name for name in names if name not in tree.modules]
    if absent:
        raise FactUnavailable(WholeFile(tree.folder), f"the guest has no module {', '.join(absent)} for kernel {image.version}")
    files = dict(_module_files(fs, image, tree, names))
    files.update(renewed)
    files.update(_loaders(image, names))
    return pad4(compress(archive(files), image.compression))


def read_tree(fs: GuestFS, version: str) -> GuestModules:
    """The guest's module tree for a kernel version. FactUnavailable when it has no ``modules.dep``."""
    for folder in (f"/lib/modules/{version}", f"/usr/lib/modules/{version}"):
        text = fs.text(f"{folder}/modules.dep")
        if text is not None:
            lines = (line.partition(":") for line in split_lines(text.content))
            modules = {module_name(path): (path, tuple(deps.split())) for path, colon, deps in lines if colon}
            return GuestModules(folder, modules)
    raise FactUnavailable(WholeFile(f"/lib/modules/{version}/modules.dep"), "is absent")


def _module_files(fs: GuestFS, image: KnownImage, tree: GuestModules, names: tuple[str, ...]) -> Iterator[tuple[str, bytes]]:
    present = {module_name(member): member for member in image.members if _SUFFIX.search(member)}
    home = _home(image, present.values())
    suffix = _image_suffix(present.values())
    for name in tree.closure(names, _softdeps(fs, tree)):
        if name in present:
            continue
        path = tree.modules[name][0]
        spelled = path if suffix is None else _SUFFIX.sub(suffix, path)
        data = fs.read(f"{tree.folder}/{path}", MAX_MODULE)
        if data is None:
            raise FactUnavailable(WholeFile(f"{tree.folder}/{path}"), "is absent")
        yield f"{home}/{spelled}", data if spelled == path else recompress(data, path, spelled)
    yield from _indexes(fs, image, tree, home, present)


def _home(image: KnownImage, members: Iterable[str]) -> str:
    """The folder of the image's modules. If ``lib`` is a link, writing to ``lib/…`` would make the kernel remove the link."""
    marker = f"/modules/{image.version}/"
    for member in [*members, *image.members]:
        head, found, _ = member.partition(marker)
        if found:
            return f"{head}{marker}".rstrip("/")
    merged = any(member.startswith("usr/lib/") for member in image.members)
    return f"{'usr/lib' if merged else 'lib'}{marker}".rstrip("/")


def _image_suffix(members: Iterable[str]) -> str | None:
    suffixes = [match[0] for member in members if (match := _SUFFIX.search(member))]
    return max(set(suffixes), key=suffixes.count) if suffixes else None


def _softdeps(fs: GuestFS, tree: GuestModules) -> dict[str, tuple[str, ...]]:
    text = fs.text(f"{tree.folder}/modules.softdep")
    found: dict[str, tuple[str, ...]] = {}
    for line in split_lines(text.content) if text else ():
        words = line.split()
        if len(words) > 2 and words[0] == "softdep":
            # "pre:" and "post:" only say in which order.
            found[words[1].replace("-", "_")] = tuple(w.replace("-", "_") for w in words[2:] if not w.endswith(":"))
    return found


def _indexes(fs: GuestFS, image: KnownImage, tree: GuestModules, home: str, present: Mapping[str, str]) -> Iterator[tuple[str, bytes]]:
    suffix = _image_suffix(present.values())

    def spelled(path: str) -> str:
        held = present.get(module_name(path))
        wanted = _SUFFIX.search(held)[0] if held else suffix  # type: ignore[index]
        return path if wanted is None else _SUFFIX.sub(wanted, path)

    lines = {name: f"{spelled(path)}: {' '.join(map(spelled, deps))}".rstrip() for name, (path, deps) in tree.modules.items()}
    yield f"{home}/modules.dep", "".join(f"{line}\n" for line in lines.values()).encode("utf-8", "surrogateescape")
    yield f"{home}/modules.dep.bin", index((name, line) for name, line in lines.items() if name.isascii() and line.isascii())
    for name in fs.listdir(tree.folder):
        if name.startswith("modules.") and name.endswith((".bin", ".softdep")) and name != "modules.dep.bin":
            data = fs.read(f"{tree.folder}/{name}", MAX_MODULE)
            if data is not None:
                yield f"{home}/{name}", data


def _loaders(image: KnownImage, names: tuple[str, ...]) -> Iterator[tuple[str, bytes]]:
    listing = "".join(f"{name}\n" for name in names).encode()
    if image.generator == "initramfs-tools":
        # Read by load_modules in /scripts/functions; the last file of a name wins, so what was in it comes along.
        before = image.contents.get("conf/modules", b"")
        yield "conf/modules", before + (b"" if before.endswith(b"\n") or not before else b"\n") + listing
    elif image.generator == "dracut":
        # Read with the kernel's command line (dracut-lib.sh, getcmdline).
        arguments = " ".join(f"rd.driver.pre={name}" for name in names)
        yield "etc/cmdline.d/99-v2vlint.conf", f"{arguments}\n".encode()
    elif "config" in image.contents and image.generator == "mkinitcpio":
        yield "config", image.contents["config"] + f'\nMODULES="$MODULES {" ".join(names)}"\n'.encode()
    if image.generator in ("dracut", "mkinitcpio"):
        # For systemd-modules-load, if this initramfs runs systemd.
        yield "etc/modules-load.d/v2vlint.conf", listing


def recompress(data: bytes, old: str, new: str) -> bytes:
    """The bytes of a module stored as ``old``, with the compression that the name ``new`` calls for."""
    plain = _decompress_module(data, _SUFFIX.search(old)[0])  # type: ignore[index]
    return compress(plain, {".ko.gz": "gzip", ".ko.xz": "xz", ".ko.zst": "zstd"}.get(_SUFFIX.search(new)[0], "none"))  # type: ignore[index]


def _decompress_module(data: bytes, suffix: str) -> bytes:
    if suffix == ".ko.gz":
        return gzip.decompress(data)
    if suffix == ".ko.xz":
        return lzma.decompress(data)
    if suffix == ".ko.zst":
        import zstandard

        return zstandard.ZstdDecompressor().decompressobj().decompress(data)
    return data


def compress(data: bytes, method: str) -> bytes:
    """``data`` compressed for the kernel's decompressor ``method``; for an unknown method, not compressed."""
    if method == "gzip":
        # No time in it: the same segment has the same bytes.
        return gzip.compress(data, 6, mtime=0)
    if method == "xz":
        # The kernel's decoder knows no check but CRC32 (Documentation/staging/xz.rst); Python's default is CRC64.
        return lzma.compress(data, check=lzma.CHECK_CRC32, preset=6)
    if method == "bzip2":
        return bz2.compress(data)
    if method == "zstd":
        import zstandard

        return zstandard.ZstdCompressor(level=10).compress(data)
    return data


def frames(data: bytes) -> bytes:
    """``data`` as a legacy frame of lz4, the only kind that the kernel reads: blocks of 8 MiB before compression."""
    import lz4.block

    found = [b"\x02\x21\x4c\x18"]
    for at in range(0, len(data), 8 << 20):
        block: bytes = lz4.block.compress(data[at : at + (8 << 20)], mode="high_compression", store_size=False)
        found += [len(block).to_bytes(4, "little"), block]
    return b"".join(found)


def pad4(data: bytes) -> bytes:
    """Zero padding to four bytes, which the kernel skips between archives."""
    return data + bytes(-len(data) % 4)
