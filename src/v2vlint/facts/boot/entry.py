"""The common form of every boot loader's menu."""

from __future__ import annotations

import re
from collections.abc import Iterable

from v2vlint.facts.boot.cmdline import KernelArg, all_args, kernel_args, last_arg
from v2vlint.facts.boot.pe import PeSection
from v2vlint.model.dataclass import dataclass
from v2vlint.model.place import Span, Token, Where, WholeFile

_VERSION = re.compile(r"(?:vmlinu[xz]|bzImage|linux|kernel(?:-genkernel-\w+)?)[-_.](\d+\.\d[^/]*?)(?:\.(?:gz|efi|EFI|img))?")
_MODULES = re.compile(r"(?:/usr)?/lib/modules/([^/]+)/")
_INSTALLED = re.compile(r"/(\d+\.\d[^/]*)/(?:linux|vmlinuz)")
_RESCUE = re.compile(r"\b(?:rescue|recovery mode|recovery|failsafe|fallback|single[- ]user)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class BootEntry:
    """One menu entry.

    ``kernel`` and ``initrds`` are guest paths (``/boot/vmlinuz-…``), translated from the loader's own view; the files may not exist.
    ``kernel`` is empty for entries that start something else (``chainload``, firmware setup). ``id`` is the loader's identifier,
    ``position`` GRUB's number (``0``, ``1>2``). A ``foreign`` entry boots another operating system's filesystem. A ``conditional`` entry
    exists only under a condition that cannot be determined from the disks. ``uki`` are the sections of a unified kernel image; then
    ``kernel`` is that image and its initrd is the section ``.initrd``. ``unknown_command`` is a command of the entry that the loader does
    not have, at ``unknown_at``. ``real_mode``: the kernel begins with its code for a BIOS (GRUB's ``linux16``).
    ``goes_on`` says that the loader starts the kernel without any initramfs when one of them is missing. ``devicetree`` is a file without
    which it starts nothing.
    """

    title: str
    id: str
    kernel: str
    initrds: tuple[str, ...]
    args: tuple[KernelArg, ...]
    where: Where
    source: str
    kernel_at: Token | None = None
    initrd_at: tuple[Token, ...] = ()
    version: str = ""
    position: str = ""
    foreign: bool = False
    conditional: bool = False
    xen: bool = False
    chainload: str = ""
    uki: tuple[PeSection, ...] = ()
    unknown_command: str = ""
    unknown_at: Span | None = None
    goes_on: bool = False
    real_mode: bool = False
    devicetree: str = ""

    def arg(self, name: str) -> KernelArg | None:
        """The effective (last) kernel argument ``name``."""
        return last_arg(self.args, name)

    @property
    def early_args(self) -> tuple[KernelArg, ...]:
        """The arguments that count where the root is mounted: all for an initramfs, without one those that the kernel reads."""
        return self.args if self.has_initrd else self.kernel_args

    @property
    def kernel_args(self) -> tuple[KernelArg, ...]:
        """The arguments that the kernel itself reads: those in front of ``--``."""
        return kernel_args(self.args, self.version)

    def all(self, *names: str) -> tuple[KernelArg, ...]:
        """Every kernel argument called any of ``names``."""
        return all_args(self.args, *names)

    @property
    def root(self) -> KernelArg | None:
        """The ``root=`` argument (Gentoo's ``real_root=`` takes precedence)."""
        return last_arg(self.early_args, "real_root") or last_arg(self.early_args, "root")

    @property
    def resume(self) -> KernelArg | None:
        """The ``resume=`` argument in effect; ``noresume`` cancels it."""
        return None if last_arg(self.early_args, "noresume") else last_arg(self.early_args, "resume")

    @property
    def is_rescue(self) -> bool:
        """Whether it is meant for emergencies: recovery mode, dracut's rescue image, a fallback."""
        single = any(arg.value is None and arg.name in ("single", "recovery", "rescue") for arg in self.args)
        return single or bool(_RESCUE.search(f"{self.title} {self.id}".replace("_", " ")) or "-rescue-" in self.kernel)

    @property
    def has_initrd(self) -> bool:
        """Whether it loads an initramfs, from a file or from the unified kernel image."""
        return bool(self.initrds) or any(section.name == ".initrd" for section in self.uki)

    def __str__(self) -> str:
        return self.title or self.id or self.kernel


@dataclass(frozen=True, slots=True)
class BootMenu:
    """The menu of one loader when started by ``firmware`` (``bios``, ``uefi``, or empty when either may start it).

    ``loader`` is ``grub2``, ``grub-legacy``, ``systemd-boot``, ``extlinux``, ``uki`` or ``efi-stub``. ``default`` is None when it cannot be
    determined or does not exist; ``default_reason`` says how it was found or why not. ``files`` are all configuration files read, the main
    one first. ``stops`` says why the loader certainly shows no menu and waits at its prompt instead, ``unsure`` why this may not be the one
    that it reads.
    """

    loader: str
    firmware: str
    config: WholeFile
    entries: tuple[BootEntry, ...]
    default: BootEntry | None
    default_reason: str
    files: tuple[str, ...] = ()
    malformed: tuple[Span, ...] = ()
    stops: str = ""
    unsure: str = ""


def stub_initrds(args: Iterable[KernelArg]) -> tuple[str, ...]:
    """The files of ``initrd=`` that a kernel started by firmware reads itself, from the top of the volume it is on
    (``handle_cmdline_files()`` of its EFI stub).
    """
    return tuple("/" + arg.value.replace("\\", "/").lstrip("/") for arg in args if arg.name == "initrd" and arg.value)


def kernel_version(*paths: str) -> str:
    """The kernel release in the first path that contains one (``/boot/vmlinuz-6.1.0-13-amd64`` → ``6.1.0-13-amd64``), or an empty
    string.
    """
    for path in paths:
        name = path.rsplit("/", 1)[-1]
        for match in (_MODULES.match(path), _VERSION.fullmatch(name), _INSTALLED.search(path)):
            if match:
                return match[1]
    return ""
