"""The content of an initramfs image: what it can drive, and how it was built. Images are read in :mod:`v2vlint.facts.initramfs.reader`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from types import MappingProxyType

from v2vlint.facts.kernel.module_names import module_name, normal, tree_version
from v2vlint.model.dataclass import dataclass
from v2vlint.model.place import WholeFile

NESTED = ("squashfs", "erofs")
_MAX_LINKS = 40  # MAXSYMLINKS (include/linux/namei.h)


def _no_bytes() -> Mapping[str, bytes]:
    return MappingProxyType({})


def _no_text() -> Mapping[str, str]:
    return MappingProxyType({})


def _no_paths() -> Mapping[str, tuple[str, ...]]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Segment:
    """One archive, or one compressed stream of archives: ``size`` bytes at ``offset``, with ``members`` members.

    ``compression`` is ``none``, ``gzip``, ``bzip2``, ``xz``, ``lzma``, ``lzo``, ``lz4`` or ``zstd``; a filesystem image found inside
    adds a segment named after it (``squashfs``, ``erofs``). ``unpacked`` is the size of what a stream holds, 0 when it is damaged.
    """

    compression: str
    offset: int
    size: int
    members: int
    unpacked: int = 0


@dataclass(frozen=True, slots=True)
class Initramfs:
    """One image file, or several concatenated by the boot loader.

    ``files`` are the names of everything except directories, without a leading slash; ``contents`` the small files of interest
    (configuration, module lists, the head of ``init``); ``links`` the symbolic links. ``damage`` says why the kernel cannot unpack the
    image to its end; only what precedes the damage is then listed. ``remark`` describes data after a complete image that the kernel cannot
    unpack; it complains and continues. ``generator`` is ``initramfs-tools``, ``dracut``, ``mkinitcpio``, ``booster``, ``suse-mkinitrd``,
    ``mkinitrd``, ``mkinitfs``, ``genkernel``, ``make-initrd``, ``systemd`` or empty when it is not recognised.
    """

    where: WholeFile
    size: int = 0
    segments: tuple[Segment, ...] = ()
    files: frozenset[str] = frozenset()
    contents: Mapping[str, bytes] = field(default_factory=_no_bytes)
    links: Mapping[str, str] = field(default_factory=_no_text)
    damage: str = ""
    remark: str = ""
    generator: str = ""
    modules: Mapping[str, tuple[str, ...]] = field(default_factory=_no_paths)
    """Module name → its paths in the image."""
    versions: frozenset[str] = frozenset()
    """Kernel versions with a module folder in the image."""

    def has(self, module: str, version: str = "") -> bool:
        """Whether the image contains the module's file (for kernel ``version``, if given); ``-`` and ``_`` are equivalent."""
        return self.path_of(module, version) is not None

    def path_of(self, module: str, version: str = "") -> str | None:
        """The path of a module that kernel ``version`` would load; folders without a version apply to every kernel."""
        paths = self.modules.get(normal(module), ())
        return next((path for path in paths if not version or tree_version(path) in ("", version)), None)

    def text(self, path: str) -> str | None:
        """The content of a small file kept from the image, following one link; None when it does not exist or was not kept."""
        data = self.contents.get(path)
        if data is None and path in self.links:
            data = self.contents.get(_beside(path, self.links[path]))
        return None if data is None else data.decode("utf-8", "surrogateescape")

    def find(self, path: str) -> str | None:
        """The member that ``path`` leads to, through the links of every folder on the way; None when it is not in the image."""
        parts, done, left = [part for part in path.split("/") if part not in ("", ".")], "", _MAX_LINKS
        while parts:
            at = _beside(f"{done}/-" if done else "-", parts.pop(0))
            target = self.links.get(at)
            if target is None:
                done = at
            elif left:
                done, left = "" if target.startswith("/") else done, left - 1
                parts[:0] = [part for part in target.split("/") if part not in ("", ".")]
            else:
                return None
        return done if done in self.files else None

    def under(self, *folders: str) -> Mapping[str, str]:
        """The kept files anywhere below ``folders`` (``etc/modprobe.d``), by path."""
        heads = tuple(f"{folder.rstrip('/')}/" for folder in folders)
        return {path: self.text(path) or "" for path in sorted(self.contents) if path.startswith(heads)}

    def has_program(self, *names: str) -> bool:
        """Whether an executable with any of these names is in a ``bin`` or ``sbin`` folder or among systemd's."""
        folders = ("bin", "sbin", "usr/bin", "usr/sbin", "usr/lib/systemd", "lib/systemd", "usr/local/bin", "usr/local/sbin")
        return any(f"{folder}/{name}" in self.files for folder in folders for name in names)

    def tree_file(self, name: str, version: str) -> str | None:
        """One of the image's own module lists (``modules.dep``, ``modules.builtin``…) for kernel ``version``."""
        for head in ("lib/modules", "usr/lib/modules"):
            text = self.text(f"{head}/{version}/{name}")
            if text is not None:
                return text
        return None

    @property
    def compression(self) -> str:
        """The compression of the last segment (``none`` when there is none)."""
        # Not the first one: microcode may precede the rest, and is not compressed.
        outer = [s for s in self.segments if s.compression not in NESTED]
        return outer[-1].compression if outer else "none"


def merged(images: tuple[Initramfs, ...]) -> Initramfs:
    """What the kernel sees when the loader concatenates several images; the last one provides the place."""
    if len(images) == 1:
        return images[0]
    modules: dict[str, tuple[str, ...]] = {}
    contents: dict[str, bytes] = {}
    links: dict[str, str] = {}
    for image in images:
        for name, paths in image.modules.items():
            modules[name] = tuple(dict.fromkeys((*modules.get(name, ()), *paths)))
        # Whatever was at a path before, a later member replaces it (clean_path() of init/initramfs.c).
        for path in image.files:
            contents.pop(path, None)
            links.pop(path, None)
        contents.update(image.contents)
        links.update(image.links)
    return Initramfs(
        where=images[-1].where,
        size=sum(image.size for image in images),
        segments=tuple(segment for image in images for segment in image.segments),
        files=frozenset().union(*(image.files for image in images)),
        contents=MappingProxyType(contents),
        links=MappingProxyType(links),
        damage=next((f"{image.where}: {image.damage}" for image in images if image.damage), ""),
        remark=next((f"{image.where}: {image.remark}" for image in images if image.remark), ""),
        # The first one may have nothing but microcode.
        generator=next((image.generator for image in reversed(images) if image.generator), ""),
        modules=MappingProxyType(modules),
        versions=frozenset().union(*(image.versions for image in images)),
    )


def modules_in(files: frozenset[str]) -> tuple[Mapping[str, tuple[str, ...]], frozenset[str]]:
    """The modules among ``files`` by name, and the kernel versions they belong to."""
    found: dict[str, list[str]] = {}
    versions: set[str] = set()
    for path in files:
        # Modules of Linux 2.4 end in .o.
        if path.endswith((".ko", ".ko.gz", ".ko.xz", ".ko.zst", ".o", ".ko.lzma", ".ko.bz2")):
            found.setdefault(module_name(path), []).append(path)
            versions.add(tree_version(path))
    return MappingProxyType({name: tuple(sorted(paths)) for name, paths in found.items()}), frozenset(versions - {""})


def _beside(path: str, target: str) -> str:
    parts = [] if target.startswith("/") else path.split("/")[:-1]
    for part in target.split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)
