"""How a Windows guest boots: boot manager and boot configuration (:mod:`v2vlint.facts.windows.bcd`).

Windows XP and 2003 have ``ntldr`` and ``boot.ini`` instead.
"""

from __future__ import annotations

from dataclasses import replace

from v2vlint.facts.boot.efi import Efi, EfiImage
from v2vlint.facts.registry import provides
from v2vlint.facts.syntax.caseless import find_case
from v2vlint.facts.windows.bcd import Bcd, BcdEntry, BcdMenu
from v2vlint.facts.windows.registry import open_hive
from v2vlint.guest.fs import GuestFS
from v2vlint.model.blocks import BlockDevice, BlockTable
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import FactUnavailable
from v2vlint.model.osinfo import OsInfo
from v2vlint.model.place import Where, WholeFile

MAX_PROGRAM = 16 << 20
_BIOS = (("/system-reserved", "Boot/BCD", "bootmgr"), ("", "Boot/BCD", "bootmgr"))
_OLD = (("/system-reserved", "boot.ini", "ntldr"), ("", "boot.ini", "ntldr"))


@dataclass(frozen=True, slots=True)
class WindowsBoot:
    """``manager`` is the path of bootmgfw.efi, bootmgr or ntldr, ``store`` that of the BCD or boot.ini; empty when there is none.

    ``default`` is the entry that the next boot uses, ``menu`` the boot manager's menu. ``fallback`` is the program at UEFI's fallback
    path; ``is_manager`` whether that is Windows' boot manager too, None when there is none or its content does not show it. ``bios`` is the
    boot manager for a BIOS, if there is one beside that on the ESP.
    """

    manager: str = ""
    store: str = ""
    default: BcdEntry | None = None
    fallback: EfiImage | None = None
    is_manager: bool | None = None
    menu: BcdMenu = BcdMenu()
    bios: WindowsBoot | None = None

    @property
    def uefi(self) -> bool:
        """Whether the boot manager is the one for UEFI."""
        return self.manager.lower().endswith(".efi")

    @property
    def is_ntldr(self) -> bool:
        """Whether it is NTLDR, the loader of Windows before Vista."""
        return self.manager.lower().rpartition("/")[2] == "ntldr"

    @property
    def where(self) -> Where:
        """The place of findings about the boot configuration as a whole."""
        return WholeFile(self.store or self.manager or "/Boot/BCD")


@provides
def parse_windows_boot(fs: GuestFS, efi: Efi, os: OsInfo) -> WindowsBoot:
    """What is on the ESP, else on the active partition, else on C:. Read as boot programs do, which replay no ``$LogFile``."""
    fs = fs.as_it_lies()
    bios = _of_bios(fs)
    manager = next((image for image in efi.images if image.name == "bootmgfw.efi"), None)
    if manager is not None:
        store = find_case(fs, manager.folder, "BCD") or ""
        fallback = efi.fallback(os.arch)
        same = _is_manager(fs, fallback, manager.path) if fallback else None
        return replace(_configured(fs, manager.path, store, fallback, same), bios=bios)
    return bios or WindowsBoot()


def _of_bios(fs: GuestFS) -> WindowsBoot | None:
    for top, store, program in (*_BIOS, *_OLD):
        found = find_case(fs, top, program)
        if found:
            return _configured(fs, found, find_case(fs, top, store) or "")
    return None


def _is_manager(fs: GuestFS, fallback: EfiImage, manager: str) -> bool | None:
    theirs, ours = fs.read(fallback.path, MAX_PROGRAM), fs.read(manager, MAX_PROGRAM)
    # A boot manager of another version is recognised by the debug file that it names.
    if theirs == ours or b"bootmgfw.pdb" in (theirs or b""):
        return True
    return None if fallback.kind == "unknown" else False


def _configured(fs: GuestFS, manager: str, store: str, fallback: EfiImage | None = None, same: bool | None = None) -> WindowsBoot:
    top = open_hive(fs, store)[0] if store.lower().endswith("bcd") else None
    if top is None:
        return WindowsBoot(manager, store, None, fallback, same)
    bcd = Bcd(top)
    return WindowsBoot(manager, store, bcd.first(), fallback, same, bcd.menu())


def entry_device(entry: BcdEntry, blocks: BlockTable) -> BlockDevice | None:
    """The partition that the default entry names, or None when it does not exist."""
    return partition_device(entry.partition, blocks)


def partition_device(name: str, blocks: BlockTable) -> BlockDevice | None:
    """The partition that a device element names (see :func:`~v2vlint.facts.windows.bcd.partition_of`), or None."""
    signature, at, offset = name.partition("@")
    if not at:
        return next(iter(blocks.tagged("PARTUUID", name)), None)
    parts = (device for device in blocks if device.kind == "partition" and device.part_uuid.lower().startswith(signature))
    return next((part for part in parts if part.detail("start") in (offset, str(int(offset) // 512))), None)


def needs_kernel(fs: GuestFS, os: OsInfo) -> WholeFile | None:
    """The first missing file of the Windows kernel, if any. FactUnavailable where that cannot be determined."""
    paths = (f"{os.system_root}/System32/{name}" for name in ("ntoskrnl.exe", "hal.dll"))
    return next((WholeFile(path) for path in paths if not fs.as_it_lies().is_file(path)), None)


def default_entry(boot: WindowsBoot) -> BcdEntry:
    """The default entry; FactUnavailable when there is none."""
    if boot.default is None:
        raise FactUnavailable(boot.where, "has no default entry" if boot.store else "no boot configuration was found")
    return boot.default
