"""Which kernel drivers bind to the target's graphics card, so that X drivers of older kinds refuse it."""

from __future__ import annotations

import re

from v2vlint.facts.boot.start import ChosenFirmware, DefaultBoot
from v2vlint.facts.environment.xorg import MODULES
from v2vlint.facts.registry import FactStore, provides
from v2vlint.guest.fs import GuestFS
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import FactUnavailable
from v2vlint.model.target import Target

# Of all display drivers, these bind to the card itself; simpledrm, efifb and vesafb use the firmware's frame buffer.
_ON_THE_CARD = frozenset({"virtio_gpu", "bochs", "bochs_drm", "cirrus", "qxl", "vmwgfx", "vboxvideo", "hyperv_drm", "hyperv_fb"})

_VIRTIO_BUS = "virtio_pci"
"""It binds to every virtio device, whatever ``nomodeset`` keeps from driving it: Xorg's vesa refused such a card (docs/x-displays.md)."""


_DRIVER = re.compile(r"vesa_drv\.s?o")
_MOST = 1 << 20
_HEEDS = b"Framebuffer or dri device present"
_FRAME_BUFFERS = ("vesafb", "simplefb", "simpledrm")
_MODES, _TEXT = range(0x300, 0x800), range(0x308, 0x30D)
"""``vga=``: VESA's mode numbers plus 0x200 (Documentation/admin-guide/svga.rst), and which of them are text modes."""


@dataclass(frozen=True, slots=True)
class KernelDisplay:
    """``drivers`` are the default kernel's native ones for the card, none with ``nomodeset``; ``uefi`` says that the firmware has no video
    BIOS. ``frame_buffer`` is the argument that gives the kernel the firmware's frame buffer although there is no UEFI, and ``heeds_it``
    whether the guest's vesa driver looks for one.
    """

    drivers: tuple[str, ...] = ()
    uefi: bool = False
    frame_buffer: str = ""
    heeds_it: bool = False

    @property
    def vesa_refuses(self) -> str:
        """Why xf86-video-vesa finds no screen; empty when it may work.

        ``vesa.c``, ``VESAPciProbe``: a card with a bound kernel driver is ignored (since 2.3). 2.5 refuses where the frame buffer
        is that of EFI, 2.6 where there is any /dev/fb* or /dev/dri/card*. Under UEFI there is no BIOS to ask for a mode, whatever it does.
        """
        if self.drivers:
            return f"a card that the kernel drives ({', '.join(self.drivers)})"
        if self.uefi:
            return "a machine with UEFI firmware"
        return f"a machine with a frame buffer ({self.frame_buffer})" if self.frame_buffer and self.heeds_it else ""


@provides
def find_kernel_display(target: Target, fs: GuestFS, store: FactStore) -> KernelDisplay:
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
    args = entry.args if entry else ()
    bare = any(argument.name == "nomodeset" for argument in args)
    names = [] if bare else [name for name in modules if name in _ON_THE_CARD]
    held = [name for name in names if path.installed(name).usable]
    if "virtio_gpu" in modules and "virtio_gpu" not in held and path.installed(_VIRTIO_BUS).usable:
        held.append(_VIRTIO_BUS)
    mode = next((str(one) for one in args if one.name == "vga" and _graphical(one.value or "")), "")
    buffer = mode if mode and any(path.installed(name).usable for name in _FRAME_BUFFERS) else ""
    return KernelDisplay(tuple(held), uefi, buffer, bool(buffer) and _heeds(fs))


def _graphical(mode: str) -> bool:
    """Whether ``vga=`` with this value asks for graphics: ``791``, ``0x317``."""
    try:
        number = int(mode, 16 if mode.lower().startswith("0x") else 10)
    except ValueError:
        return False
    return number in _MODES and number not in _TEXT


def _heeds(fs: GuestFS) -> bool:
    """Whether the vesa driver that is installed has the words with which 2.6 refuses."""
    paths = (
        f"{folder}/{name}"
        for top in MODULES
        for folder in (f"{top}/drivers", top)
        for name in fs.listdir(folder)
        if _DRIVER.fullmatch(name)
    )
    return any(_HEEDS in (fs.head(path, _MOST) or b"") for path in paths)
