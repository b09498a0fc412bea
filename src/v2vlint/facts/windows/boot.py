"""How a Windows guest starts: boot manager, boot configuration data (BCD, itself a hive), the default entry.

Elements of BCD objects as Windows numbers them: 23000003 the default entry, 12000002 its loader, 11000001 the device of the loader,
16000046 graphicsmodedisabled. Windows XP and 2003 have ``ntldr`` and ``boot.ini`` instead.
"""

from __future__ import annotations

import struct
import uuid
from dataclasses import dataclass

from v2vlint.facts.boot.efi import Efi, EfiImage
from v2vlint.facts.registry import provides
from v2vlint.facts.syntax.caseless import find_case
from v2vlint.facts.windows.registry import RegistryNode, RegistryValue, open_hive
from v2vlint.guest.fs import GuestFS
from v2vlint.model.blocks import BlockDevice, BlockTable
from v2vlint.model.errors import FactUnavailable
from v2vlint.model.osinfo import OsInfo
from v2vlint.model.place import RegistryKey, Where, WholeFile

MANAGER = "{9dea862c-5cdd-4e70-acc1-f32b344d4795}"
MAX_PROGRAM = 16 << 20
_DEFAULT, _PATH, _NAME, _DEVICE, _NO_GRAPHICS = "23000003", "12000002", "12000004", "11000001", "16000046"
_QUALIFIED = 6
_BIOS = (("/system-reserved", "Boot/BCD", "bootmgr"), ("", "Boot/BCD", "bootmgr"))
_OLD = (("/system-reserved", "boot.ini", "ntldr"), ("", "boot.ini", "ntldr"))


@dataclass(frozen=True, slots=True)
class BcdEntry:
    """The default entry: its name, the loader's path as written, and the partition it names (a PARTUUID as blkid writes it, or empty).
    ``device_at`` and ``loader_at`` are the places of partition and path, ``loader_value`` is the path as it is stored.

    ``graphics_off`` is the place of graphicsmodedisabled when it is set.
    """

    name: str
    loader: str
    partition: str
    where: RegistryKey
    device_at: RegistryKey
    loader_at: RegistryKey
    loader_value: RegistryValue | None = None
    graphics_off: RegistryKey | None = None


@dataclass(frozen=True, slots=True)
class WindowsBoot:
    """``manager`` is the path of bootmgfw.efi, bootmgr or ntldr, ``store`` that of BCD or boot.ini; empty when there is none.

    ``fallback`` is the program at the path that every UEFI firmware tries; ``is_manager`` whether that is Windows' boot manager too: None
    when there is none, or its content does not say.
    """

    manager: str = ""
    store: str = ""
    default: BcdEntry | None = None
    fallback: EfiImage | None = None
    is_manager: bool | None = None

    @property
    def uefi(self) -> bool:
        """Whether the boot manager is that for UEFI."""
        return self.manager.lower().endswith(".efi")

    @property
    def where(self) -> Where:
        """The place of findings about the boot configuration as such."""
        return WholeFile(self.store or self.manager or "/Boot/BCD")


@provides
def parse_windows_boot(fs: GuestFS, efi: Efi, os: OsInfo) -> WindowsBoot:
    """What is on the ESP, else on the active partition, else on C:."""
    manager = next((image for image in efi.images if image.name == "bootmgfw.efi"), None)
    if manager is not None:
        store = find_case(fs, manager.folder, "BCD") or ""
        fallback = efi.fallback(os.arch)
        same = _is_manager(fs, fallback, manager.path) if fallback else None
        return WindowsBoot(manager.path, store, _default(fs, store), fallback, same)
    for top, store, program in (*_BIOS, *_OLD):
        found = find_case(fs, top, program)
        if found:
            path = find_case(fs, top, store) or ""
            return WindowsBoot(found, path, _default(fs, path) if path.endswith("BCD") else None)
    return WindowsBoot()


def _is_manager(fs: GuestFS, fallback: EfiImage, manager: str) -> bool | None:
    theirs, ours = fs.read(fallback.path, MAX_PROGRAM), fs.read(manager, MAX_PROGRAM)
    if theirs == ours or b"bootmgfw.pdb" in (theirs or b""):
        return True
    return None if fallback.kind == "unknown" else False


def _default(fs: GuestFS, store: str) -> BcdEntry | None:
    top = open_hive(fs, store)[0] if store else None
    if top is None:
        return None
    chosen = _element(top, MANAGER, _DEFAULT)
    name = chosen.text("Element") if chosen else ""
    entry = top.key(f"Objects\\{name}\\Elements") if name else None
    if entry is None:
        return None
    device, no_graphics = _element(top, name, _DEVICE), _element(top, name, _NO_GRAPHICS)
    loader = _element(top, name, _PATH)
    data = device.value("Element") if device else None
    off = no_graphics.value("Element") if no_graphics else None
    return BcdEntry(
        name=_text(top, name, _NAME),
        loader=_text(top, name, _PATH),
        partition=partition_of(data.data) if data else "",
        where=entry.where,
        device_at=RegistryKey(device.path, device.key_path, "Element") if device else entry.where,
        loader_at=RegistryKey(loader.path, loader.key_path, "Element") if loader else entry.where,
        loader_value=loader.value("Element") if loader else None,
        graphics_off=no_graphics.where if no_graphics and off and any(off.data) else None,
    )


def _element(top: RegistryNode, name: str, element: str) -> RegistryNode | None:
    return top.key(f"Objects\\{name}\\Elements\\{element}")


def _text(top: RegistryNode, name: str, element: str) -> str:
    found = _element(top, name, element)
    return found.text("Element") if found else ""


def partition_of(data: bytes) -> str:
    """The PARTUUID in a device element, as blkid writes it, without the number for MBR: ``UUID`` or ``SIGNATURE@OFFSET``; else empty."""
    if len(data) < 0x48 or struct.unpack_from("<I", data, 16)[0] != _QUALIFIED:
        return ""
    if struct.unpack_from("<I", data, 0x34)[0] == 0:
        return str(uuid.UUID(bytes_le=data[0x20:0x30]))
    offset, signature = struct.unpack_from("<Q", data, 0x20)[0], struct.unpack_from("<I", data, 0x38)[0]
    return f"{signature:08x}@{offset}"


def entry_device(entry: BcdEntry, blocks: BlockTable) -> BlockDevice | None:
    """The partition that the default entry names, or None when none of these is it."""
    signature, at, offset = entry.partition.partition("@")
    if not at:
        return next(iter(blocks.tagged("PARTUUID", entry.partition)), None)
    parts = (device for device in blocks if device.kind == "partition" and device.part_uuid.lower().startswith(signature))
    return next((part for part in parts if part.detail("start") in (offset, str(int(offset) // 512))), None)


def needs_kernel(fs: GuestFS, os: OsInfo) -> WholeFile | None:
    """The first file of the Windows kernel that is missing, if one is. FactUnavailable where that cannot be told."""
    paths = (f"{os.system_root}/System32/{name}" for name in ("ntoskrnl.exe", "hal.dll"))
    return next((WholeFile(path) for path in paths if not fs.is_file(path)), None)


def default_entry(boot: WindowsBoot) -> BcdEntry:
    """The default entry; FactUnavailable when there is none."""
    if boot.default is None:
        raise FactUnavailable(boot.where, "has no default entry" if boot.store else "no boot configuration was found")
    return boot.default
