"""Which firmware can start a guest from its own disks: BIOS boot code, the BIOS boot partition, the ESP's programs."""

from __future__ import annotations

from v2vlint.facts.boot.efi import Efi, esp_devices, mounts_of
from v2vlint.facts.registry import provides
from v2vlint.guest.fs import GuestFS
from v2vlint.model.blocks import BlockDevice, BlockTable
from v2vlint.model.boot_chain import BootChain
from v2vlint.model.dataclass import dataclass
from v2vlint.model.osinfo import OsInfo

_FAT_TYPES = frozenset({"0x01", "0x04", "0x06", "0x0b", "0x0c", "0x0e", "ebd0a0a2-b9e5-4433-87c0-68b6b72699c7", ""})
"""Types of partitions with FAT, those of hidden ones left out; none is that of a disk without partitions."""
BIOS_BOOT_TYPE = "21686148-6449-6e6f-744e-656564454649"
# A program of an unknown kind may well be a loader.
_LOADERS = frozenset({"shim", "grub", "systemd-boot", "uki", "linux", "refind", "fallback", "windows", "elilo", "unknown"})


@dataclass(frozen=True, slots=True)
class Firmware:
    """``bios`` and ``uefi`` say whether the disks can be started that way; None when that cannot be determined. The reasons are text.

    ``boot_disk`` is the 0-based disk that the BIOS must start from (the one with the guest's boot code), ``esp_disk`` the one with the ESP;
    None when there is none. ``chain`` is the boot chain that starts in that disk's boot sector, which may lead nowhere.
    """

    bios: bool | None
    uefi: bool | None
    bios_reason: str
    uefi_reason: str
    boot_disk: int | None = None
    esp_disk: int | None = None
    chain: BootChain | None = None

    @property
    def loader(self) -> str:
        """The boot loader that a BIOS reaches (``grub2``, ``grub-legacy``, ``syslinux``…), or an empty string."""
        return self.chain.loader if self.chain else ""

    @property
    def only(self) -> str:
        """``bios`` or ``uefi`` when the guest certainly starts no other way, else an empty string."""
        if self.bios and self.uefi is False:
            return "bios"
        return "uefi" if self.uefi and self.bios is False else ""


@provides
def find_firmware(fs: GuestFS, blocks: BlockTable, efi: Efi, os: OsInfo) -> Firmware:
    """Determine it from the block table and the ESP."""
    bios, bios_reason, chain = _bios(fs, blocks)
    uefi, uefi_reason = _uefi(blocks, efi, os)
    if uefi is False and (unread := _other_fat(fs, blocks, efi)) is not None:
        uefi, uefi_reason = None, f"{unread.name} is a FAT that is not mounted anywhere and was not read: UEFI looks for a loader there too"
    esp = blocks.named(efi.device) or next(iter(esp_devices(blocks)), None)
    disk = chain.disk if chain and bios else None
    return Firmware(bios, uefi, bios_reason, uefi_reason, disk, esp.disk if esp else None, chain)


def _bios(fs: GuestFS, blocks: BlockTable) -> tuple[bool | None, str, BootChain | None]:
    """The disk that starts, if possible the one with /boot; if none does, the one that gets furthest."""
    if not blocks.chains:
        return None, "no boot sector is known", None
    home, order = _home(fs, blocks), (True, None, False)
    best = min(blocks.chains, key=lambda chain: (order.index(chain.starts), chain.code == "none", chain.disk != home, chain.disk))
    if best.code == "none":
        return False, "no disk has BIOS boot code", None
    return best.starts, best.reason, best


def _home(fs: GuestFS, blocks: BlockTable) -> int | None:
    """The disk holding /boot."""
    mount = fs.mounts.get("/boot") or fs.mounts["/"]
    found = blocks.tagged("UUID", mount.uuid)
    return found[0].disk if found else None


def _other_fat(fs: GuestFS, blocks: BlockTable, efi: Efi) -> BlockDevice | None:
    """A FAT that may be an ESP although its type does not say so: UEFI ignores the type."""
    if efi.device or efi.mount:
        return None
    return next((one for one in blocks if one.fs_type == "vfat" and one.part_type in _FAT_TYPES and not mounts_of(fs, one)), None)


def _uefi(blocks: BlockTable, efi: Efi, os: OsInfo) -> tuple[bool | None, str]:
    if efi.hidden:
        return False, efi.hidden
    loaders = [image for image in efi.images if image.kind in _LOADERS and not image.problem]
    if efi.fallback(os.arch) or loaders:
        return True, f"the ESP at {efi.mount} has {(efi.fallback(os.arch) or loaders[0]).path}"
    if efi.device and not efi.mount:
        return None, f"the ESP {efi.device} is not mounted anywhere and was not read"
    if efi.device or efi.mount:
        broken = efi.broken_fallback(os.arch) or next((image for image in efi.images if image.problem), None)
        return False, f"the ESP holds no loader: {broken.path} {broken.problem}" if broken else "the ESP holds no loader"
    if blocks.devices and blocks.complete:
        return False, "there is no ESP"
    return None, "no ESP is known"
