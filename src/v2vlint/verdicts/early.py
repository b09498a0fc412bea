"""From power-on to a kernel in memory: firmware, boot loader, default entry, kernel file."""

from __future__ import annotations

from v2vlint.facts.boot.bootloader import Bootloader
from v2vlint.facts.boot.efi import Efi
from v2vlint.facts.boot.entry import BootEntry, BootMenu
from v2vlint.facts.boot.firmware import Firmware
from v2vlint.facts.kernel.kernels import Kernels
from v2vlint.facts.registry import FactStore
from v2vlint.guest.fs import GuestFS
from v2vlint.model.errors import FactUnavailable
from v2vlint.model.finding import Stage
from v2vlint.model.osinfo import OsInfo
from v2vlint.model.place import Device, WholeFile
from v2vlint.model.report import StageForecast
from v2vlint.model.target import Target
from v2vlint.verdicts.stage import failed, passed, unknown


def chosen_firmware(store: FactStore) -> str:
    """``bios`` or ``uefi``, whichever of the target's firmware starts this guest; empty when none surely does."""
    guest, target = store.get(Firmware), store.get(Target)
    able = {"bios": guest.bios, "uefi": _starts_by_uefi(store)}
    return next((kind for kind in ("bios", "uefi") if kind in target.firmware and able[kind]), "")


def _starts_by_uefi(store: FactStore) -> bool | None:
    guest = store.get(Firmware)
    if not guest.uefi or store.get(Target).keeps_nvram:
        return guest.uefi
    return store.get(Efi).fallback(store.get(OsInfo).arch) is not None


def firmware(store: FactStore) -> StageForecast:
    """Can the target's firmware load anything from these disks?"""
    guest, target = store.get(Firmware), store.get(Target)
    chosen = chosen_firmware(store)
    if chosen == "bios":
        return passed(Stage.FIRMWARE, f"BIOS: {guest.bios_reason}", _disk(guest))
    if chosen == "uefi":
        return passed(Stage.FIRMWARE, f"UEFI: {_uefi_reason(store)}", store.get(Efi).where)
    if target.xen_pv and _is_paravirtual(store):
        return passed(Stage.FIRMWARE, "no firmware: Xen reads the kernel from the guest's disk", store.get(Bootloader).where)
    able = {"bios": guest.bios, "uefi": guest.uefi}
    if any(able[kind] is None for kind in target.firmware):
        return unknown(Stage.FIRMWARE, f"{guest.bios_reason}; {guest.uefi_reason}")
    if guest.uefi and "uefi" in target.firmware:
        return failed(Stage.FIRMWARE, r"UEFI finds no \EFI\BOOT fallback loader, and NVRAM entries do not travel", store.get(Efi).where)
    offered = " or ".join(kind.upper() for kind in target.firmware)
    return failed(Stage.FIRMWARE, f"{offered} cannot start it: {guest.bios_reason}; {guest.uefi_reason}", _disk(guest))


def _is_paravirtual(store: FactStore) -> bool:
    """Whether the default kernel is for Xen PV only, so that the source started it without firmware."""
    try:
        found = store.get(Kernels).of_image(default_entry(store).kernel, store.get(GuestFS))
    except FactUnavailable:
        return False
    return found is not None and found.is_xen_pv_only


def _uefi_reason(store: FactStore) -> str:
    fallback = store.get(Efi).fallback(store.get(OsInfo).arch)
    return f"{fallback.path} ({fallback.kind})" if fallback else store.get(Firmware).uefi_reason


def _disk(guest: Firmware) -> Device:
    return Device(f"disk{(guest.boot_disk or 0) + 1}", "boot sector")


def menu_of(store: FactStore) -> BootMenu | None:
    """The menu that comes up with the firmware chosen; the likeliest one when that is undecided."""
    menus = store.get(Bootloader).menus
    chosen = chosen_firmware(store)
    return next((menu for menu in menus if menu.firmware in (chosen, "")), menus[0] if menus else None)


def default_entry(store: FactStore) -> BootEntry:
    """What boots by itself. FactUnavailable with the reason when it cannot be told."""
    menu = menu_of(store)
    if menu is None or menu.default is None:
        found = store.get(Bootloader)
        raise FactUnavailable(found.where, menu.default_reason if menu else found.reason)
    return menu.default


def loader(store: FactStore) -> StageForecast:
    """Which loader comes up, with which configuration?"""
    found, menu = store.get(Bootloader), menu_of(store)
    if menu is None:
        words = f"{found.other} is not understood" if found.other else found.reason
        return unknown(Stage.LOADER, words, found.where)
    if not menu.entries:
        return unknown(Stage.LOADER, f"{menu.config.path} has no entry that could be read", menu.config)
    return passed(Stage.LOADER, f"{menu.loader} reads {menu.config.path}", menu.config)


def entry(store: FactStore) -> StageForecast:
    """Which entry boots by default?"""
    default, menu = default_entry(store), menu_of(store)
    reason = menu.default_reason if menu else ""
    if default.chainload and not default.kernel:
        return unknown(Stage.ENTRY, f"the default entry {default} starts another loader ({default.chainload})", default.where)
    if default.foreign:
        return unknown(Stage.ENTRY, f"the default entry {default} boots another operating system", default.where)
    return passed(Stage.ENTRY, f"{default}" + (f" ({reason})" if reason else ""), default.where)


def kernel(store: FactStore) -> StageForecast:
    """Does the default entry's kernel exist, whole?"""
    default, fs = default_entry(store), store.get(GuestFS)
    found = store.get(Kernels).of_image(default.kernel, fs)
    if found is None:
        return failed(Stage.KERNEL, f"{default.kernel} does not exist", default.where)
    if found.content.problem:
        return failed(Stage.KERNEL, f"{default.kernel} {found.content.problem}", WholeFile(default.kernel))
    if found.is_xen_pv_only and not store.get(Target).xen_pv:
        return failed(Stage.KERNEL, f"{found.version} runs as a Xen paravirtual guest only", found.where)
    return passed(Stage.KERNEL, found.version or default.kernel, WholeFile(default.kernel))
