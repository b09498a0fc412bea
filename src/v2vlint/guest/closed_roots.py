"""A root that cannot be opened, with a /boot that can.

Its boot loader, kernels and initramfs images are judged all the same; what lies on the root itself is unknown, with the reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from v2vlint.disk.filesystems.formats import holds_roots_of
from v2vlint.disk.volumes.stack import Stack
from v2vlint.guest.closed import Closed
from v2vlint.guest.fs import GuestFS
from v2vlint.guest.mounts import Mount, Mounter
from v2vlint.guest.osprobe import family_of, pe_architecture
from v2vlint.model.blocks import BlockDevice
from v2vlint.model.errors import FactUnavailable
from v2vlint.model.osinfo import OsInfo

_MENUS = ("/boot/grub/grub.cfg", "/boot/grub2/grub.cfg", "/boot/grub2/grubenv", "/boot/extlinux/extlinux.conf", "/boot/refind_linux.conf")
_ENTRIES = tuple(f"{top}/loader/entries/*.conf" for top in ("/boot", "/efi", "/boot/efi"))
_KERNELS = (
    "/boot/vmlinu[xz]*", "/boot/*/*/linux", "/boot/kernel*", "/boot/*Image*", "/boot/EFI/Linux/*.efi", "/efi/EFI/Linux/*.efi",
    "/boot/efi/EFI/Linux/*.efi", "/boot/efi/vmlinu[xz]*", "/boot/efi/*/*/linux",
)  # fmt: skip
_CLASS = re.compile(r"--class\s+([\w.-]+)|^[ \t]*grub_class\s+([\w.-]+)", re.MULTILINE)
_PROTOCOL, _XLOADFLAGS = slice(0x206, 0x208), 0x236  # arch/x86/boot.rst: version, xloadflags. The data may end before either.
_KERNEL_64 = 1  # XLF_KERNEL_64
_NO_SYSTEM = frozenset({"gnu", "gnu-linux", "os", "linux", "kernel"})
MAX_MENU = 1 << 20
MAX_MENUS = 50


def closed_root(stack: Stack) -> tuple[BlockDevice, Mounter, OsInfo] | None:
    """The root's device, what is mounted beside it, and its name in menus; None when no kernel is readable, or no device is locked."""
    candidates = sorted(_candidates(stack), key=lambda device: device.size, reverse=True)  # the largest is the likeliest root
    if not candidates:
        return None
    mounter = Mounter(stack, candidates[0].name, Closed(candidates[0]))
    mounter.mount_all()
    seen = mounter.known()
    kernels = [path for pattern in _KERNELS for path in _glob(seen, pattern)]
    if not kernels:
        return None
    menus = "\n".join(_menus(seen))
    device, certain = _mentioned(candidates, menus.lower())
    mounter.systems["/"] = Closed(device if certain else replace(device, fs_type=""))
    mounter.mounts[0] = Mount("/", device.name)
    return device, mounter, _named(menus, next(filter(None, (_machine(seen, path) for path in kernels)), ""))


def _candidates(stack: Stack) -> Iterator[BlockDevice]:
    """Devices that may contain a root and cannot be read."""
    blocks = stack.blocks
    for device in blocks:
        if not device.problem or blocks.children(device.name):
            continue
        if device.fs_type == "crypto_LUKS" or device.kind in ("lv", "md") or holds_roots_of(device.fs_type, "linux"):
            yield device


def _mentioned(candidates: list[BlockDevice], menus: str) -> tuple[BlockDevice, bool]:
    """The device whose UUID is in the menus, or else the first; and whether its kind matches the root's."""
    found = next((device for device in candidates if device.uuid and device.uuid.lower() in menus), None)
    return found or candidates[0], found is not None or len({device.fs_type for device in candidates}) == 1


def _menus(fs: GuestFS) -> Iterator[str]:
    paths = (*_MENUS, *(path for pattern in _ENTRIES for path in _glob(fs, pattern)))
    for path in paths[:MAX_MENUS]:
        try:
            yield (fs.read(path, MAX_MENU) or b"").decode("utf-8", "replace")
        except FactUnavailable:
            continue


def _named(menus: str, arch: str) -> OsInfo:
    """By the class that grub-mkconfig and kernel-install assign to entries: the distribution's ID."""
    words = (match[1] or match[2] for match in _CLASS.finditer(menus))
    distro = next((word for word in words if word not in _NO_SYSTEM), "")
    return OsInfo("linux", distro, family_of(distro, ""), f"{distro.capitalize() or 'Linux'} (closed)", "", arch)


def _machine(fs: GuestFS, path: str) -> str:
    """The architecture that a kernel's file is for (``arch/x86/boot.rst``: ``xloadflags``; ``arch/arm64/booting.rst``)."""
    try:
        head = fs.head(path, 4096) or b""
    except FactUnavailable:
        return ""
    if head[0x202:0x206] == b"HdrS" and len(head) > _XLOADFLAGS:
        told = int.from_bytes(head[_PROTOCOL], "little") >= 0x20C  # xloadflags exists since protocol 2.12
        return ("x86_64" if head[_XLOADFLAGS] & _KERNEL_64 else "i386") if told else ""
    if head[56:60] == b"ARM\x64":
        return "aarch64"
    if head[:2] != b"MZ":
        return ""
    return pe_architecture(head) or ""


def _glob(fs: GuestFS, pattern: str) -> tuple[str, ...]:
    try:
        return fs.glob(pattern)
    except FactUnavailable:
        return ()
