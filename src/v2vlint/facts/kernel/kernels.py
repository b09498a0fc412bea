"""Installed kernels: image, modules, configuration, and whether each has a given driver at all."""

from __future__ import annotations

import enum
import functools
import re
from collections.abc import Iterator
from dataclasses import field

from v2vlint.facts.kernel.config import KernelConfig, config_from
from v2vlint.facts.kernel.image import KernelImage, read_kernel_image
from v2vlint.facts.kernel.module_names import SYMBOLS, normal
from v2vlint.facts.kernel.modules import ModuleTree
from v2vlint.facts.registry import provides
from v2vlint.facts.storage.fstab import parse_fstab
from v2vlint.guest.fs import GuestFS
from v2vlint.guest.small import is_file
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import FactUnavailable
from v2vlint.model.place import WholeFile

MAX_KERNELS = 200
MODULE_FOLDERS = ("/lib/modules", "/usr/lib/modules")
# NixOS: each generation of the system links to the modules of its kernel in /nix/store.
_GENERATIONS = "/nix/var/nix/profiles/system*/kernel-modules/lib/modules"
# kernel-install(8) writes MACHINE-ID/VERSION/linux, and unified kernel images to EFI/Linux; NixOS writes …-bzImage.
_IMAGES = (
    "/boot/vmlinuz*", "/boot/vmlinux*", "/boot/kernel-*", "/boot/bzImage*", "/boot/Image*", "/boot/linux-*", "/boot/kernel*", "/vmlinuz*",
    "/lib/modules/*/vmlinuz", "/usr/lib/modules/*/vmlinuz", "/boot/*/*/linux", "/efi/*/*/linux", "/boot/efi/*/*/linux",
    "/boot/efi/*/*/linux-*", "/efi/*/*/linux-*", "/boot/*/*/linux-*", "/boot/kernels/*-bzImage", "/boot/EFI/nixos/*-bzImage.efi",
    "/boot/EFI/Linux/*.efi", "/efi/EFI/Linux/*.efi", "/boot/efi/EFI/Linux/*.efi",
)  # fmt: skip
# Backups, and the checksums and signatures that lie beside kernels.
_NOT_LIVE = re.compile(r"\.(?:dpkg-\w+|rpm(?:save|new|orig)|old|bak|orig|hmac|sig|sha512hmac|fallback|pre-v2v)$|~$|\.sys$")
_NAMED = re.compile(r"^(?:vmlinu[xz]|bzImage|Image|linux|kernel(?:-genkernel-\w+)?)-(.+?)(?:\.(?:gz|img|efi))?$")
_FLAVOURS = (
    ("cloud", r"-cloud"), ("kvm", r"-kvm$"), ("rt", r"[-+.](?:rt|realtime)\d*\b"), ("pae", r"(?i:[-.]?pae\b)"), ("bigsmp", r"bigsmp"),
    ("hugemem", r"hugemem"), ("largesmp", r"largesmp"), ("xen", r"xen[0U]?$"), ("i686", r"-686$"), ("azure", r"-azure"), ("aws", r"-aws"),
    ("gcp", r"-(?:gcp|gke)"), ("oracle", r"-oracle|\.el\d+uek"), ("virt", r"-virt(?:ual)?$"), ("lowlatency", r"-lowlatency"),
    ("cachyos", r"-cachyos"), ("zen", r"-zen\d*$"), ("xanmod", r"-xanmod"), ("default-base", r"-default-base$"),
)  # fmt: skip

Folders = tuple[tuple[str, str], ...]
"""Folders of modules, each with the version of its kernel."""


class Presence(enum.Enum):
    """How a kernel provides a module."""

    BUILTIN = "built in"
    MODULE = "module"
    ABSENT = "absent"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Kernel:
    """One installed kernel.

    ``image`` is its file, empty when only the modules exist; ``content`` describes that file's header. ``config_path`` is empty without a
    configuration. ``flavour`` is ``cloud``, ``kvm``, ``rt``, ``pae``, ``xen``… or empty for the distribution's standard kernel.
    """

    version: str
    image: str
    tree: ModuleTree
    content: KernelImage = KernelImage("")
    config_path: str = ""
    flavour: str = ""
    fs: GuestFS | None = field(default=None, repr=False, compare=False)

    @property
    def where(self) -> WholeFile:
        """The kernel's file, or else the folder of its modules."""
        return WholeFile(self.image or self.tree.folder or "/boot")

    @property
    def config(self) -> KernelConfig | None:
        """The build configuration; None when the guest has none. FactUnavailable when nobody knows, as of the folders it may lie in."""
        if self.known_config is None:
            self.tree.raise_unknown()
        return self.known_config

    @functools.cached_property
    def known_config(self) -> KernelConfig | None:
        """The build configuration, read on first use; None when the guest has none, or nobody knows."""
        text = self.fs.text(self.config_path) if self.fs and self.config_path else None
        return None if text is None else config_from(text)

    @property
    def pages(self) -> int:
        """The size of its pages in KiB on 64-bit ARM, by its header or configuration; 0 when neither tells."""
        sizes = (size for size in (4, 16, 64) if self.config is not None and self.config.is_set(f"ARM64_{size}K_PAGES"))
        return self.content.pages or next(sizes, 0)

    @property
    def is_rescue(self) -> bool:
        """Whether it is dracut's rescue copy."""
        return "-rescue-" in self.image

    @property
    def is_xen_pv_only(self) -> bool:
        """Whether it runs only as a Xen paravirtual guest, according to its configuration or, for old kernels, its name."""
        if self.known_config is not None:
            # The options of kernels patched for Xen, before paravirtualisation was merged into Linux.
            return self.known_config.is_set("X86_XEN") or self.known_config.is_set("X86_64_XEN")
        named = self.flavour == "xen" and re.match(r"2\.6|[34]\.", self.version) is not None
        # A name decides only where there is no configuration, and whether there is one must be known then.
        return named and self.config is None

    def has(self, module: str) -> Presence:
        """Whether ``module`` is built in, a module, absent, or unknown because this kernel ships no list."""
        name, tree = normal(module), self.tree
        if tree.unknown is not None:
            return self._by_config(name, installed=False)
        if self._of_another_build:
            return self._by_config(name, installed=False)
        if (tree.builtin is not None and name in tree.builtin) or self._configured(name) == "y":
            return Presence.BUILTIN
        if tree.folder and tree.path(name) is not None:
            return Presence.MODULE
        if tree.builtin is not None and tree.dep is not None:
            return Presence.ABSENT
        return self._by_config(name, installed=bool(tree.folder))

    @property
    def _of_another_build(self) -> bool:
        """Whether its modules, and so their lists, were built with another configuration: Slackware's huge kernel has those of the generic
        one (kernel-modules), of the same version.
        """
        return self.image.rpartition("/")[2].startswith("vmlinuz-huge-")

    def _configured(self, name: str) -> str:
        symbol = SYMBOLS.get(name.lower())
        return self.known_config.get(symbol) if self.known_config is not None and symbol is not None else ""

    @property
    def silent(self) -> str:
        """Why a module of this kernel that no list contains is neither present nor absent."""
        if self._of_another_build:
            return "its modules are those of another build, and its configuration does not tell"
        return self.tree.unknown.reason if self.tree.unknown else "it has no modules.builtin and no configuration"

    def _by_config(self, name: str, *, installed: bool) -> Presence:
        value = self._configured(name)
        if not value:
            return Presence.UNKNOWN
        if value == "y":
            return Presence.BUILTIN
        # With a folder of modules, what was built as one but is not there was not installed.
        return Presence.MODULE if value == "m" and not installed else Presence.ABSENT

    def initrd_names(self) -> tuple[str, ...]:
        """Where distributions put this kernel's initramfs, most likely path first."""
        folder, _, name = self.image.rpartition("/")
        version, suffix = self.version, name.removeprefix("vmlinuz")
        names = (f"initrd.img-{version}", f"initramfs-{version}.img", f"initrd-{version}", f"initrd-{version}.img", f"initramfs-{version}")
        by_version = tuple(f"/boot/{name}" for name in names)
        return (*by_version, f"{folder}/initramfs{suffix}.img", f"{folder}/initramfs{suffix}", f"{folder}/initrd.img", f"{folder}/initrd")


@dataclass(frozen=True, slots=True)
class Kernels:
    """All kernels, newest first; those without an image come last. ``where`` is the folder for findings about no kernel at all.

    ``unreadable`` explains why finding none proves nothing: /boot is a separate filesystem that could not be opened.
    """

    kernels: tuple[Kernel, ...] = ()
    where: WholeFile = WholeFile("/boot")
    unreadable: str = ""

    def __iter__(self) -> Iterator[Kernel]:
        return iter(self.kernels)

    @property
    def bootable(self) -> tuple[Kernel, ...]:
        """Kernels with an image, except rescue copies."""
        return tuple(kernel for kernel in self.kernels if kernel.image and not kernel.is_rescue)

    def of_version(self, version: str) -> Kernel | None:
        """The kernel called ``version``."""
        return next((kernel for kernel in self.kernels if kernel.version == version), None)

    def of_image(self, path: str, fs: GuestFS) -> Kernel | None:
        """The kernel whose file is at ``path``, following links."""
        lying = fs.as_it_lies()
        real = lying.resolve(path)
        if real is None:
            return None
        found = next((kernel for kernel in self.kernels if kernel.image and lying.resolve(kernel.image) == real), None)
        return found or next(iter(_kernel(fs, real, *_known_folders(fs))), None)


@provides
def parse_kernels(fs: GuestFS) -> Kernels:
    """Kernels found by their files in the usual places and by their module folders. Only file headers are read.

    Boot loaders read the files, and replay no journal; the modules are what the kernel sees, and may be unknown.
    """
    folders, unknown = _known_folders(fs)
    found: dict[tuple[str, str], Kernel] = {}
    for path in _image_paths(fs.as_it_lies()):
        for kernel in _kernel(fs, path, folders, unknown):
            # Images without a known version are told apart by their paths.
            found.setdefault((kernel.version, kernel.version or path), kernel)
    held = {kernel.version for kernel in found.values()}
    for folder, version in folders:
        if version not in held:
            held.add(version)
            found[version, ""] = Kernel(
                version, "", ModuleTree(fs, version, folder), KernelImage(""), config_path(fs, version), _flavour(version), fs
            )
    ordered = sorted(
        found.values(), key=lambda kernel: (bool(kernel.image), not kernel.is_rescue, version_key(kernel.version)), reverse=True
    )
    return Kernels(tuple(ordered[:MAX_KERNELS]), unreadable=_unread_boot(fs))


def _unread_boot(fs: GuestFS) -> str:
    if "/boot" in fs.mounts:
        return ""
    try:
        return "/boot is another filesystem, which could not be opened" if parse_fstab(fs).entry("/boot") is not None else ""
    except FactUnavailable as reason:
        return reason.reason


def _image_paths(fs: GuestFS) -> Iterator[str]:
    seen: set[str] = set()
    for pattern in _IMAGES:
        for path in fs.glob(pattern):
            real = fs.resolve(path)
            if real is None or real in seen or _NOT_LIVE.search(path) or not fs.is_file(real) or len(seen) >= MAX_KERNELS:
                continue
            seen.add(real)
            yield real


def _kernel(fs: GuestFS, path: str, folders: Folders, unknown: FactUnavailable | None) -> Iterator[Kernel]:
    """The kernel whose image is at ``path``; nothing when the file is something else."""
    content = read_kernel_image(fs.as_it_lies(), path)
    if content is None:
        return
    version = _version(folders, path, content)
    tree = ModuleTree(fs, version, next((folder for folder, name in folders if version and name == version), ""), unknown)
    yield Kernel(version, path, tree, content, config_path(fs, version, path), _flavour(version), fs)


def _version(folders: Folders, path: str, content: KernelImage) -> str:
    named = _NAMED.match(path.rsplit("/", 1)[1])
    parent = path.rsplit("/", 2)[1]
    known = {version for _, version in folders}
    candidates = (content.version, named[1] if named else "", parent)
    for candidate in candidates:
        # A file may have any name; a version that has modules is the most likely one.
        if candidate in known:
            return candidate
    if content.version:
        return content.version
    if named and named[1][:1].isdigit():
        return named[1]
    return next(iter(known)) if len(known) == 1 else ""


def _known_folders(fs: GuestFS) -> tuple[Folders, FactUnavailable | None]:
    """The folders of modules, or why they are unknown."""
    try:
        return _module_folders(fs), None
    except FactUnavailable as reason:
        return (), reason


def _module_folders(fs: GuestFS) -> Folders:
    found: dict[str, str] = {}
    for top in (*MODULE_FOLDERS, *fs.glob(_GENERATIONS)[:MAX_KERNELS]):
        for name in fs.listdir(top):
            if name not in found and fs.is_dir(f"{top}/{name}") and (_is_tree(fs, f"{top}/{name}")):
                found[name] = f"{top}/{name}"
    return tuple((folder, version) for version, folder in found.items())


def _is_tree(fs: GuestFS, folder: str) -> bool:
    names = fs.listdir(folder)
    # A kernel that was removed may leave a folder with modules of DKMS only.
    return any(name in names for name in ("kernel", "modules.dep", "modules.builtin", "modules.order", "vmlinuz"))


def config_path(fs: GuestFS, version: str, image: str = "") -> str:
    """Where the build configuration of a kernel is; empty when the guest has none. One named like its file is its own."""
    if not version:
        return ""
    named = _NAMED.match(image.rpartition("/")[2])
    places = (
        *(f"/boot/config-{named[1]}{ending}" for ending in ("", ".x64") if named),  # Slackware's, for 64 bits
        f"/boot/config-{version}",
        *(f"{top}/{version}/{name}" for top in MODULE_FOLDERS for name in ("config", "kernel/.config", "build/.config")),
    )
    return next((path for path in places if is_file(fs, path)), "")


def _flavour(version: str) -> str:
    return next((name for name, pattern in _FLAVOURS if re.search(pattern, version)), "")


def version_key(version: str) -> tuple[tuple[int, int, str], ...]:
    """A sort key: numbers compare as numbers, and sort before letters end (``6.1.9`` < ``6.1.10``)."""
    parts = re.findall(r"\d{1,18}|[A-Za-z]+", version)
    return tuple((1, int(part), "") if part.isdigit() else (0, 0, part) for part in parts)
