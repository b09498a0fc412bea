"""The machine at a glance: a few label/value pairs for the top of every report."""

from __future__ import annotations

from collections.abc import Iterator

from v2vlint.facts.boot.bootloader import Bootloader
from v2vlint.facts.boot.choices import BootChoices
from v2vlint.facts.registry import FactStore
from v2vlint.facts.windows.boot import WindowsBoot
from v2vlint.isolate import size
from v2vlint.model.blocks import BlockDevice, BlockTable
from v2vlint.model.osinfo import OsInfo

_ESP = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"
_BIOS_BOOT = "21686148-6449-6e6f-744e-656564454649"
_LOADERS = {"grub2": "GRUB 2", "grub-legacy": "GRUB legacy", "extlinux": "SYSLINUX", "limine": "Limine",
    "refind": "rEFInd", "uki": "unified kernel image",
            "efi-stub": "the kernel itself"}  # fmt: skip
_MANAGERS = {"bootmgfw.efi": "Windows Boot Manager", "bootmgr": "Windows Boot Manager", "ntldr": "NTLDR"}
_LAYERS = {"lv": "LVM", "luks": "LUKS", "md": "RAID", "bitlocker": "BitLocker", "ldm": "a dynamic disk"}


def glance(store: FactStore, device: str, subvolume: str = "") -> tuple[tuple[str, str], ...]:
    """The summary of the root on ``device``. What cannot be known is left out; the rules report why."""
    os, blocks = store.get(OsInfo), store.get(BlockTable)
    pairs = [
        ("system", " ".join(part for part in (os.name, os.version) if part)),
        ("architecture", os.arch),
        ("hostname", os.hostname),
        ("firmware", firmware(blocks)),
        *_boot(store),
        ("root", root_stack(device, blocks)),
        ("subvolume", subvolume),
        ("disks", ", ".join(f"{disk.name} {size(disk.size)}" for disk in blocks.disks)),
    ]
    return tuple((label, value) for label, value in pairs if value)


def _boot(store: FactStore) -> tuple[tuple[str, str], ...]:
    """The boot loader in use and its default kernel."""
    kind = store.get(OsInfo).kind
    if kind not in ("linux", "windows"):
        return ()
    try:
        if kind == "windows":
            return (("loader", _MANAGERS.get(store.get(WindowsBoot).manager.rsplit("/", 1)[-1].lower(), "")),)
        menus, default = store.get(Bootloader).menus, store.get(BootChoices).default
    except MemoryError:
        raise
    except Exception:
        return ()
    loader = menus[0].loader if menus else ""
    return (("loader", _LOADERS.get(loader, loader)), ("kernel", default.version if default else ""))


def firmware(blocks: BlockTable) -> str:
    """The firmware that the partition tables suit; empty where there are none to look at."""
    if not blocks.devices:
        return ""
    types = {device.part_type for device in blocks}
    if _ESP not in types and "0xef" not in types:
        return "BIOS"
    return "BIOS and UEFI" if _BIOS_BOOT in types else "UEFI"


def root_stack(name: str, blocks: BlockTable) -> str:
    """The layers under a root filesystem, as text: ``ext4 on LVM on LUKS``."""
    device = blocks.named(name)
    if device is None:
        return ""
    return " on ".join([device.fs_type or "unknown filesystem", *_layers(device, blocks)])


def _layers(device: BlockDevice, blocks: BlockTable) -> Iterator[str]:
    # No more: the parents of damaged volumes may form a circle.
    for _depth in range(8):
        if device.kind in _LAYERS:
            yield _LAYERS[device.kind]
        parent = blocks.named(device.parents[0]) if device.parents else None
        if parent is None:
            return
        device = parent
