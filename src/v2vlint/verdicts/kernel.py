"""Kernel: does the loader find the default entry's kernel and initramfs intact, and does the kernel run on the target?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from v2vlint.facts.boot.bootloader import Bootloader
from v2vlint.facts.boot.choices import BootChoice, BootChoices
from v2vlint.facts.boot.efi import Efi
from v2vlint.facts.boot.secure_boot import SecureBoot
from v2vlint.facts.boot.start import DefaultBoot, Startup
from v2vlint.facts.initramfs.images import Initramfses
from v2vlint.facts.kernel.kernels import Kernel, Kernels
from v2vlint.guest.fs import GuestFS
from v2vlint.model.dataclass import dataclass
from v2vlint.model.finding import Fate, Stage
from v2vlint.model.place import Where, WholeFile
from v2vlint.model.target import Target
from v2vlint.model.verdict import Cause, Judge, Verdict, doubt, fault, repaired


def _none_installed(kernels: Kernels, choices: BootChoices, loader: Bootloader, efi: Efi) -> Iterator[Cause[None]]:
    """A guest without a kernel was booted with one from the host. A loader that is not understood may keep it anywhere."""
    if any(choice.kernel is not None for choice in (*choices.defaults, *choices.others)):
        return
    if kernels.unreadable:
        yield Cause(Fate.UNKNOWN, kernels.unreadable, kernels.where)
    elif not loader.entries and (loader.other or efi.images) and not any(kernel.image for kernel in kernels):
        what = loader.other or efi.images[0].path
        yield Cause(Fate.UNKNOWN, f"no kernel image is in the usual places, and it is not known where {what} looks for one", kernels.where)
    elif not any(kernel.image for kernel in kernels):
        left = next((f"; only the modules of {kernel.version} are there" for kernel in kernels), "")
        yield fault(True, f"no kernel image is installed{left}", kernels.where, None)


def _missing(boot: DefaultBoot) -> Iterator[Cause[BootChoice]]:
    """The kernel that the entry names does not exist."""
    choice = boot.choice
    if choice.kernel is None and choice.unreadable:
        yield Cause(Fate.UNKNOWN, choice.unreadable, choice.where, None, choice)
    elif choice.kernel is None:
        yield boot.fault(f"{choice.kernel_path} does not exist", choice.where, choice)


def _devicetree(boot: DefaultBoot, fs: GuestFS) -> Iterator[Cause[BootChoice]]:
    """systemd-boot starts nothing without the device tree that the entry names (``call_image_start`` of boot.c; seen in OVMF)."""
    entry = boot.choice.entry
    if entry is not None and entry.devicetree and not boot.choice.unreadable and not fs.as_it_lies().is_file(entry.devicetree):
        yield boot.fault(f"{entry.devicetree} does not exist", entry.where, boot.choice)


def _damaged(boot: DefaultBoot, startup: Startup) -> Iterator[Cause[BootChoice]]:
    """The kernel is truncated, or is not a kernel; or the loader, which starts EFI programs only, does not unpack it as GRUB does."""
    kernel = boot.choice.kernel
    problem = "" if kernel is None else kernel.content.problem
    if kernel is not None and kernel.content.kind == "gzip" and startup.menu and startup.menu.loader == "systemd-boot":
        problem = "is compressed with gzip, which systemd-boot does not unpack"
    if kernel is not None and problem:
        yield boot.fault(f"{boot.choice.kernel_path} {problem}", kernel.where, boot.choice)


def _xen(boot: DefaultBoot, target: Target) -> Iterator[Cause[BootChoice]]:
    """Separate Xen kernels of the Linux 2.6 era; virt-v2v makes another kernel the default."""
    kernel = boot.source.kernel
    if kernel is None or target.xen_pv or not kernel.is_xen_pv_only:
        return
    reason, where = f"{kernel.version} runs as a Xen paravirtual guest only", _xen_symbol(kernel)
    if boot.choice.kernel is not None and not boot.choice.kernel.is_xen_pv_only:
        yield repaired(reason, where, boot.source)
    else:
        yield boot.fault(reason, where, boot.source)


def _pages(boot: DefaultBoot, target: Target) -> Iterator[Cause[Kernel]]:
    """A page size that not every 64-bit ARM processor supports; the kernel's EFI stub checks it (``check_platform_features``)."""
    kernel = boot.choice.kernel
    if kernel is not None and target.arch == "aarch64" and kernel.pages and kernel.pages not in target.page_sizes:
        there = " or ".join(map(str, target.page_sizes))
        reason = f"kernel {kernel.version or kernel.image} has pages of {kernel.pages} KiB, and the target guarantees {there}"
        yield doubt(True, reason, kernel.where, kernel)


def _xen_symbol(kernel: Kernel) -> Where:
    config = kernel.config
    if config is None:
        return kernel.where
    return config.where("X86_XEN" if config.is_set("X86_XEN") else "X86_64_XEN") or kernel.where


@dataclass(frozen=True, slots=True)
class ImageFault:
    """A fault of an initramfs that the entry loads: ``kind`` is ``missing``, ``damaged`` or ``followed by junk``; ``ignored`` says that the
    loader starts the kernel all the same.
    """

    choice: BootChoice
    path: str
    kind: str
    ignored: bool = True


def absent(choice: BootChoice, images: Initramfses) -> Iterator[tuple[str, Where]]:
    """The initramfs files that the entry names and that do not exist, each with the place where it is named."""
    for number, path in enumerate(choice.initrds if choice.kernel else ()):
        if images.of(path) is None:
            tokens = choice.entry.initrd_at if choice.entry else ()
            yield path, tokens[number].where if number < len(tokens) else choice.where


def _initramfs(boot: DefaultBoot, images: Initramfses) -> Iterator[Cause[ImageFault | None]]:
    """An initramfs file that does not exist, to a loader that insists on it."""
    choice = boot.choice
    for path, where in absent(choice, images):
        if choice.unreadable:
            yield Cause(Fate.UNKNOWN, choice.unreadable, choice.where)
        elif not choice.goes_on:
            yield boot.fault(f"{path} does not exist", where, ImageFault(choice, path, "missing", ignored=False))


def _signed(boot: DefaultBoot, secure: SecureBoot, startup: Startup) -> Iterator[Cause[str]]:
    """The kernel's signature: GRUB and systemd-boot ask shim, or systemd-boot the firmware. GRUB without shim may check nothing."""
    kernel, first = boot.choice.kernel, secure.first
    if kernel is None or not kernel.image or first is None or kernel.image == first.path:
        return
    program, loader = secure.of_kernel(kernel.image), startup.menu.loader if startup.menu else ""
    if first.kind == "shim":
        refusal = secure.by_shim(program, secure.of(first.path), kernel=True)
    else:
        refusal = secure.by_firmware(program) if loader == "systemd-boot" else None
    if refusal is not None:
        if boot.assumed:
            refusal = replace(refusal, certain=False)
        yield secure.refused(refusal, f"Secure Boot: the kernel {kernel.image} {refusal.reason}", kernel.where)


def _starts(boot: DefaultBoot) -> Iterator[Cause[None]]:
    """The kernel that starts when nothing is wrong."""
    choice = boot.choice
    yield boot.passes(choice.version or choice.kernel_path, WholeFile(choice.kernel_path))


class KernelVerdict(Verdict, stage=Stage.KERNEL, place=40):
    """Does the loader find the default entry's kernel and initramfs intact, and does the kernel run on the target?"""

    none_installed = Judge(_none_installed)
    missing = Judge(_missing)
    devicetree = Judge(_devicetree)
    damaged = Judge(_damaged)
    xen = Judge(_xen)
    pages = Judge(_pages)
    initramfs = Judge(_initramfs)
    signed = Judge(_signed)
    starts = Judge(_starts)
