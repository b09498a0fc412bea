"""The kernel that virt-v2v makes the default, and what it rebuilds for it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from v2vlint.facts.boot.bootloader import Bootloader
from v2vlint.facts.boot.choices import BootChoice, BootChoices
from v2vlint.facts.boot.path import BootPath
from v2vlint.facts.conversion.refusals import Refusals
from v2vlint.facts.kernel.kernels import Kernel, Kernels, Presence, version_key
from v2vlint.facts.registry import FactStore, provides
from v2vlint.guest.fs import GuestFS
from v2vlint.model.dataclass import dataclass

PUT_IN = ("virtio", "virtio_ring", "virtio_blk", "virtio_scsi", "virtio_net", "virtio_pci", "xts", "bochs_drm", "bochs")
"""``convert/convert_linux.ml``, ``rebuild_initrd``: what it adds to the image besides the generator's own choice. nvme is not included."""


@dataclass(frozen=True, slots=True)
class ConvertedKernel:
    """``best`` is the kernel that virt-v2v prepares, None if it converts nothing or finds none. ``is_default``: it also boots by default.

    ``convert/convert_linux.ml``, ``configure_kernel``: the newest bootable kernel, preferring those with virtio_net. The loader is
    configured with grubby or SUSE's perl module, which the Debian family lacks (``bootloader_grub2``, ``set_default_kernel``).
    """

    best: BootChoice | None = None
    is_default: bool = False

    def supports(self, module: str) -> bool:
        """Whether the kernel has ``module``; ``mldrivers/linux_kernels.ml`` checks its file and the configuration."""
        return self.best is not None and self.best.kernel is not None and has(self.best.kernel, module)

    def path(self, path: BootPath) -> BootPath:
        """``path`` with the image that virt-v2v rebuilds; unchanged for any other kernel."""
        if self.best is None or self.best.kernel is None or path.image is None or path.kernel.image != self.best.kernel.image:
            return path
        return dataclasses.replace(path, rebuilt=frozenset(PUT_IN))


def has(kernel: Kernel, module: str) -> bool:
    """Whether ``module`` is built in or exists as a file."""
    return kernel.has(module) in (Presence.BUILTIN, Presence.MODULE)


@provides
def find_converted_kernel(refusals: Refusals, store: FactStore) -> ConvertedKernel:
    """Of the kernels that the loader offers; with GRUB 2 also of those that merely lie in /boot. A raw copy asks for neither."""
    return store.call(_chosen) if refusals.converts else ConvertedKernel()


def _chosen(choices: BootChoices, kernels: Kernels, loader: Bootloader, fs: GuestFS) -> ConvertedKernel:
    lying = [_lying(fs, kernel) for kernel in kernels.bootable if loader.loader == "grub2" and not kernel.is_xen_pv_only]
    offered: Mapping[str, BootChoice] = {choice.kernel.image: choice for choice in (*lying, *_candidates(choices)) if choice.kernel}
    if not offered:
        return ConvertedKernel()
    best = max(offered.values(), key=_rank)
    settable = loader.loader == "grub-legacy" or fs.is_file("/sbin/grubby") or fs.is_file("/usr/sbin/grubby") or _bootloader_tools(fs)
    return ConvertedKernel(best, settable or best in choices.defaults)


def _lying(fs: GuestFS, kernel: Kernel) -> BootChoice:
    initrds = tuple(path for path in kernel.initrd_names() if fs.is_file(path))[:1]
    return BootChoice(kernel.version, kernel.image, kernel, initrds, kernel.where)


def _candidates(choices: BootChoices) -> list[BootChoice]:
    """The defaults last, so that the default entry is the one that represents a kernel."""
    found = [choice for choice in (*choices.others, *reversed(choices.defaults)) if choice.kernel and not choice.kernel.is_xen_pv_only]
    return [choice for choice in found if not choice.rescue] or found


def _rank(choice: BootChoice) -> tuple[bool, object]:
    assert choice.kernel
    return has(choice.kernel, "virtio_net"), version_key(choice.kernel.version)


def _bootloader_tools(fs: GuestFS) -> bool:
    return bool(fs.glob("/usr/lib/perl5/vendor_perl/*/Bootloader/Tools.pm"))
