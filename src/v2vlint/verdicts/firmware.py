"""Firmware: can the target's firmware load anything from these disks?"""

from __future__ import annotations

from collections.abc import Iterator

from v2vlint.facts.boot.bootloader import Bootloader
from v2vlint.facts.boot.efi import Efi
from v2vlint.facts.boot.firmware import Firmware as Startable
from v2vlint.facts.boot.start import ChosenFirmware, Startup
from v2vlint.facts.kernel.kernels import Kernels
from v2vlint.facts.registry import FactStore
from v2vlint.guest.fs import GuestFS
from v2vlint.model.errors import FactUnavailable
from v2vlint.model.finding import Fate, Stage
from v2vlint.model.osinfo import OsInfo
from v2vlint.model.place import Device
from v2vlint.model.target import Target
from v2vlint.model.verdict import LINUX, WINDOWS, Cause, Judge, Verdict


def _start(guest: Startable, chosen: ChosenFirmware, target: Target, store: FactStore) -> Iterator[Cause[None]]:
    """By boot code from a BIOS, by a loader on the ESP from UEFI; Xen reads the kernel of a paravirtual guest itself."""
    if chosen.kind == "bios":
        yield Cause(Fate.PASS, f"BIOS: {guest.bios_reason}", _disk(guest))
    elif chosen.kind == "uefi":
        efi = store.get(Efi)
        fallback = efi.fallback(store.get(OsInfo).arch)
        yield Cause(Fate.PASS, f"UEFI: {f'{fallback.path} ({fallback.kind})' if fallback else guest.uefi_reason}", efi.where)
    elif target.xen_pv and _is_paravirtual(store):
        yield Cause(Fate.PASS, "no firmware: Xen reads the kernel from the guest's disk", store.get(Bootloader).where)
    else:
        yield _not_started(guest, target, store)


def _not_started(guest: Startable, target: Target, store: FactStore) -> Cause[None]:
    able = {"bios": guest.bios, "uefi": guest.uefi}
    if any(able[kind] is None for kind in target.firmware):
        return Cause(Fate.UNKNOWN, f"{guest.bios_reason}; {guest.uefi_reason}")
    if guest.uefi and "uefi" in target.firmware:
        reason = r"UEFI finds no \EFI\BOOT fallback loader, and NVRAM entries do not travel"
        return Cause(Fate.FAIL, reason, store.get(Efi).where)
    offered = " or ".join(kind.upper() for kind in target.firmware)
    return Cause(Fate.FAIL, f"{offered} cannot start it: {guest.bios_reason}; {guest.uefi_reason}", _disk(guest))


def _is_paravirtual(store: FactStore) -> bool:
    """Whether the default kernel is for Xen PV only, so that the source started it without firmware."""
    try:
        found = store.get(Kernels).of_image(store.get(Startup).entry.kernel, store.get(GuestFS))
    except FactUnavailable:
        return False
    return found is not None and found.is_xen_pv_only


def _disk(guest: Startable) -> Device:
    return Device(f"disk{(guest.boot_disk or 0) + 1}", "boot sector")


class FirmwareVerdict(Verdict, stage=Stage.FIRMWARE, place=10, kinds=LINUX | WINDOWS):
    """Can the target's firmware load anything from these disks?"""

    start = Judge(_start)
