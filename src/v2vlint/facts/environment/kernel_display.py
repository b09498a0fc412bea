"""Which kernel drivers bind to the target's graphics card: X drivers of older kinds refuse it then, and Wayland has nothing without one."""

from __future__ import annotations

import re
from collections.abc import Sequence

from v2vlint.facts.boot.cmdline import KernelArg, last_arg
from v2vlint.facts.boot.path import BootPath, Means
from v2vlint.facts.boot.start import ChosenFirmware, DefaultBoot
from v2vlint.facts.environment.xorg import MODULES
from v2vlint.facts.kernel.module_names import normal
from v2vlint.facts.registry import FactStore, provides
from v2vlint.guest.fs import GuestFS
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import FactUnavailable
from v2vlint.model.place import Where
from v2vlint.model.target import Display, Target

# Of all display drivers, these bind to the card itself; simpledrm, efifb and vesafb use the firmware's frame buffer.
_ON_THE_CARD = frozenset({"virtio_gpu", "bochs", "bochs_drm", "cirrus", "qxl", "vmwgfx", "vboxvideo", "hyperv_drm", "hyperv_fb"})
_FBDEV = frozenset({"hyperv_fb"})
"""Of those, what makes a frame buffer and no DRM device."""
_OF_THE_FIRMWARE = ("simpledrm", "efidrm", "vesadrm")
"""They make a DRM device of the firmware's frame buffer, where there is one, and do not heed ``nomodeset``."""
_MODESET = frozenset({"bochs", "bochs_drm", "qxl", "virtio_gpu", "vboxvideo"})
"""They have a parameter ``modeset``, whose 0 and 1 go before ``nomodeset`` (drm_module.h); cirrus lost it when it became tiny/cirrus.c."""

_VIRTIO_BUS = "virtio_pci"
"""It binds to every virtio device, whatever ``nomodeset`` keeps from driving it: Xorg's vesa refused such a card (docs/x-displays.md)."""


_NUMBER, _ZERO = re.compile(r"[+-]?(?:0[xX][0-9a-fA-F]+|[0-9]+)"), re.compile(r"[+-]?(?:0[xX])?0+")
"""What ``kstrtoint()`` reads of a parameter."""
_DRIVER = re.compile(r"vesa_drv\.s?o")
_MOST = 1 << 20
_HEEDS = b"Framebuffer or dri device present"
_FRAME_BUFFERS = ("vesafb", "simplefb", "simpledrm")
_MODES, _TEXT = range(0x300, 0x800), range(0x308, 0x30D)
"""``vga=``: VESA's mode numbers plus 0x200 (Documentation/admin-guide/svga.rst), and which of them are text modes."""


@dataclass(frozen=True, slots=True)
class NoDrmDevice:
    """A display of the target that certainly becomes no DRM device, why, and the place that decides."""

    display: str
    reason: str
    where: Where


@dataclass(frozen=True, slots=True)
class KernelDisplay:
    """``drivers`` are the default kernel's native ones for the card, none with ``nomodeset``; ``uefi`` says that the firmware has no video
    BIOS. ``frame_buffer`` is the argument that gives the kernel the firmware's frame buffer although there is no UEFI, and ``heeds_it``
    whether the guest's vesa driver looks for one. ``without_drm`` are the displays of which the kernel makes no /dev/dri/card0.
    """

    drivers: tuple[str, ...] = ()
    uefi: bool = False
    frame_buffer: str = ""
    heeds_it: bool = False
    without_drm: tuple[NoDrmDevice, ...] = ()

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
    names = [name for name in modules if name in _ON_THE_CARD]
    held = [name for name in names if path.installed(name).usable and _kept_out(path, args, name) is None]
    if "virtio_gpu" in modules and "virtio_gpu" not in held and path.installed(_VIRTIO_BUS).usable:
        held.append(_VIRTIO_BUS)
    mode = next((str(one) for one in args if one.name == "vga" and _graphical(one.value or "")), "")
    buffer = mode if mode and any(path.installed(name).usable for name in _FRAME_BUFFERS) else ""
    without = tuple(found for display in target.displays if (found := _without_drm(display, path, args)))
    return KernelDisplay(tuple(held), uefi, buffer, bool(buffer) and _heeds(fs), without)


def _kept_out(path: BootPath, args: Sequence[KernelArg], name: str) -> tuple[str, Where] | None:
    """With what setting the driver ``name`` leaves its card alone; modprobe passes those of the command line last, and the last counts."""
    told: list[tuple[str | None, str, Where]] = []
    modular = path.module(name).means is not Means.BUILTIN
    if name in _MODESET and modular:
        words = [word for command in path.modprobe.get().options(name) for word in command.words[1:]]
        told += [
            (word.value.removeprefix("modeset="), str(word).rstrip(), word.where) for word in words if word.value.startswith("modeset=")
        ]
    if name in _MODESET:
        # modprobe takes them from all of /proc/cmdline.
        given = args if modular else path.choice.kernel_args
        told += [(arg.value, str(arg), arg.where) for arg in given if normal(arg.name) == f"{name}.modeset"]
    if modular and (wrong := next((one for one in told if not _NUMBER.fullmatch(one[0] or "")), None)):
        # The kernel refuses the module, even for a CR at the end of the line.
        return wrong[1:]
    if told and told[-1][0] != "-1":
        return told[-1][1:] if _ZERO.fullmatch(told[-1][0] or "") else None
    bare = last_arg(path.choice.kernel_args, "nomodeset")
    return (str(bare), bare.where) if bare else None


def _without_drm(display: Display, path: BootPath, args: Sequence[KernelArg]) -> NoDrmDevice | None:
    """Why there is no DRM device; None when there may be one, or the display is nothing but the firmware's frame buffer."""
    names = [name for name in display.modules if name in _ON_THE_CARD and name not in _FBDEV]
    fates = [path.installed(name) for name in names]
    kept = {fate.module: found for fate in fates if (found := _kept_out(path, args, fate.module))}
    if not names or any(fate.usable is not False and fate.module not in kept for fate in fates):
        return None
    if any(path.installed(name).means is not Means.ABSENT for name in _OF_THE_FIRMWARE):
        return None
    there = [fate for fate in fates if fate.means is not Means.ABSENT]
    fate = next((fate for fate in there if fate.module in kept), (there or fates)[0])
    reason, where = kept.get(fate.module, ("", fate.where)) if there else ("", fate.where)
    return NoDrmDevice(display.name, f"{reason} keeps {fate.module} from driving it" if reason else str(fate), where)


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
