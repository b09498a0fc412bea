"""Which kernel drivers bind to the target's graphics card, so that X drivers of older kinds refuse it."""

from __future__ import annotations

from v2vlint.facts.boot.start import ChosenFirmware, DefaultBoot
from v2vlint.facts.registry import FactStore, provides
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import FactUnavailable
from v2vlint.model.target import Target

# Of all display drivers, these bind to the card itself; simpledrm, efifb and vesafb use the firmware's frame buffer.
_ON_THE_CARD = frozenset({"virtio_gpu", "bochs", "bochs_drm", "cirrus", "qxl", "vmwgfx", "vboxvideo", "hyperv_drm", "hyperv_fb"})

_VIRTIO_BUS = "virtio_pci"
"""It binds to every virtio device, whatever ``nomodeset`` keeps from driving it: Xorg's vesa refused such a card (docs/x-displays.md)."""


@dataclass(frozen=True, slots=True)
class KernelDisplay:
    """``drivers`` are the default kernel's native ones for the card, none with ``nomodeset``; ``uefi`` says that the firmware has no video
    BIOS.
    """

    drivers: tuple[str, ...] = ()
    uefi: bool = False

    @property
    def vesa_refuses(self) -> str:
        """Why xf86-video-vesa finds no screen; empty when it may work.

        ``vesa.c``, ``VESAPciProbe``: a card with a bound kernel driver is ignored (since 2.3), UEFI machines are refused (2.5), and so is
        one with any frame buffer or DRM device (2.6).
        """
        if self.drivers:
            return f"a card that the kernel drives ({', '.join(self.drivers)})"
        return "a machine with UEFI firmware" if self.uefi else ""


@provides
def find_kernel_display(target: Target, store: FactStore) -> KernelDisplay:
    """The drivers that the default kernel can load once the root filesystem is mounted; none when the default is unknown."""
    try:
        boot = store.get(DefaultBoot)
        path, uefi = boot.path, store.get(ChosenFirmware).kind == "uefi"
    except FactUnavailable:
        return KernelDisplay()
    entry = boot.choice.entry
    if path is None:
        return KernelDisplay(uefi=uefi)
    modules = dict.fromkeys(name for display in target.displays for name in display.modules)
    bare = entry is not None and any(argument.name == "nomodeset" for argument in entry.args)
    names = [] if bare else [name for name in modules if name in _ON_THE_CARD]
    held = [name for name in names if path.installed(name).usable]
    if "virtio_gpu" in modules and "virtio_gpu" not in held and path.installed(_VIRTIO_BUS).usable:
        held.append(_VIRTIO_BUS)
    return KernelDisplay(tuple(held), uefi)
