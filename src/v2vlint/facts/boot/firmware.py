"""With which firmware a guest can start from its own disks: BIOS boot code, the BIOS boot partition, the ESP's programs."""

from __future__ import annotations

from dataclasses import dataclass

from v2vlint.facts.boot.efi import Efi, esp_devices
from v2vlint.facts.registry import provides
from v2vlint.guest.fs import GuestFS
from v2vlint.model.blocks import BlockDevice, BlockTable
from v2vlint.model.osinfo import OsInfo

BIOS_BOOT_TYPE = "21686148-6449-6e6f-744e-656564454649"
_LOADERS = frozenset({"shim", "grub", "systemd-boot", "uki", "linux", "refind", "fallback", "windows", "elilo", "unknown"})


@dataclass(frozen=True, slots=True)
class Firmware:
    """``bios`` and ``uefi`` say whether the disks can be started that way; None when the bytes do not decide. The reasons are words.

    ``boot_disk`` is the 0-based disk the BIOS must start from (that with the guest's boot code), ``esp_disk`` that of the ESP; None when
    there is none. ``boot_code`` is whose code it is.
    """

    bios: bool | None
    uefi: bool | None
    bios_reason: str
    uefi_reason: str
    boot_disk: int | None = None
    esp_disk: int | None = None
    boot_code: str = ""

    @property
    def only(self) -> str:
        """``bios`` or ``uefi`` when the guest certainly starts no other way, else an empty string."""
        if self.bios and self.uefi is False:
            return "bios"
        return "uefi" if self.uefi and self.bios is False else ""


@provides
def find_firmware(fs: GuestFS, blocks: BlockTable, efi: Efi, os: OsInfo) -> Firmware:
    """What the block table and the ESP show."""
    bios, bios_reason, disk = _bios(fs, blocks)
    uefi, uefi_reason = _uefi(blocks, efi, os)
    esp = next(iter(esp_devices(blocks)), None)
    code = next((device.detail("boot_code") for device in blocks.disks if device.disk == disk), "")
    return Firmware(bios, uefi, bios_reason, uefi_reason, disk, esp.disk if esp else None, code)


def _bios(fs: GuestFS, blocks: BlockTable) -> tuple[bool | None, str, int | None]:
    disks = [disk for disk in blocks.disks if disk.detail("boot_code")]
    if not disks:
        return None, "no boot sector is known", None
    startable = [disk for disk in disks if _starts(blocks, disk)]
    if not startable:
        if any(disk.detail("boot_code") == "other" for disk in disks):
            return None, "a disk has boot code of unknown origin", None
        return False, "no disk has BIOS boot code", None
    home = _home(fs, blocks)
    best = min(startable, key=lambda disk: (disk.detail("boot_code") != "grub", disk.disk != home, disk.disk))
    return True, f"{best.name} has boot code ({best.detail('boot_code')})", best.disk


def _starts(blocks: BlockTable, disk: BlockDevice) -> bool:
    """Whether the boot code finds what it goes on with. Generic code needs an active partition with code of its own."""
    parts = [part for part in blocks if part.disk == disk.disk and part.kind == "partition"]
    code, gpt = disk.detail("boot_code"), disk.detail("pt") == "gpt"
    if code == "none" or not code:
        return False
    if code == "grub" and gpt:
        # Sector 1 is the GPT's: GRUB's code that goes on there is left over from an MBR disk.
        return disk.detail("grub_core") != "1"
    if code in ("grub", "lilo") or (code == "other" and not gpt):
        return True
    if gpt:
        return any(part.part_type == BIOS_BOOT_TYPE or part.bootable for part in parts)
    return not parts or any(part.bootable and part.detail("boot_code") not in ("none", "") for part in parts)


def _home(fs: GuestFS, blocks: BlockTable) -> int | None:
    """The disk holding /boot."""
    mount = fs.mounts.get("/boot") or fs.mounts["/"]
    found = blocks.tagged("UUID", mount.uuid)
    return found[0].disk if found else None


def _uefi(blocks: BlockTable, efi: Efi, os: OsInfo) -> tuple[bool | None, str]:
    loaders = [image for image in efi.images if image.kind in _LOADERS]
    if efi.fallback(os.arch) or loaders:
        return True, f"the ESP at {efi.mount} has {(efi.fallback(os.arch) or loaders[0]).path}"
    if efi.device and not efi.mount:
        return None, f"the ESP {efi.device} is not mounted anywhere and was not read"
    if efi.device or efi.mount:
        return False, "the ESP holds no loader"
    if blocks.devices and blocks.complete:
        return False, "there is no ESP"
    return None, "no ESP is known"
