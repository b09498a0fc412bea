"""Firmware: can the target's firmware load anything from these disks?"""

from __future__ import annotations

from collections.abc import Iterator

from v2vlint.facts.boot.bootloader import Bootloader
from v2vlint.facts.boot.efi import Efi, esp_devices, firmware_arch
from v2vlint.facts.boot.firmware import Firmware as Startable
from v2vlint.facts.boot.secure_boot import SecureBoot
from v2vlint.facts.boot.start import ChosenFirmware, Startup
from v2vlint.facts.conversion.landing import Landing
from v2vlint.facts.conversion.loader import ConvertedLoader
from v2vlint.facts.conversion.run import Conversion
from v2vlint.facts.kernel.kernels import Kernels
from v2vlint.facts.registry import FactStore
from v2vlint.facts.storage.sectors import USUAL, Sectors
from v2vlint.guest.fs import GuestFS
from v2vlint.model.blocks import BlockTable
from v2vlint.model.definition import Definition
from v2vlint.model.errors import FactUnavailable
from v2vlint.model.finding import Fate, Stage
from v2vlint.model.osinfo import OsInfo
from v2vlint.model.place import Device, WholeFile
from v2vlint.model.target import Target
from v2vlint.model.verdict import LINUX, WINDOWS, Cause, Judge, Verdict, doubt, fault, repaired


def _nothing(guest: Startable, target: Target) -> Iterator[Cause[None]]:
    """Disks with neither boot code nor an EFI loader. Xen may read the kernel from such disks itself."""
    if guest.bios is False and guest.uefi is False and not target.xen_pv:
        reason = f"the disks cannot be started: {guest.bios_reason}, and {guest.uefi_reason}"
        yield fault(True, reason, Device("disk1", "boot sector"), None)


def _architecture(os: OsInfo, target: Target) -> Iterator[Cause[None]]:
    """Processors that cannot run the guest's programs."""
    if not target.runs(os.arch):
        reason = f"the guest is built for {os.arch} processors, and {target.title} has {target.arch}"
        yield fault(True, reason, Device("disk1", "operating system"), None)


def _unsupported(guest: Startable, target: Target) -> Iterator[Cause[None]]:
    """Disks that boot only from firmware the target does not have."""
    if guest.only and guest.only not in target.firmware:
        disk = guest.boot_disk if guest.only == "bios" else guest.esp_disk
        where = Device(f"disk{(disk or 0) + 1}", "boot sector" if guest.only == "bios" else "partition table")
        has = " or ".join(name.upper() for name in target.firmware)
        yield fault(True, f"the disks start from {guest.only.upper()} only, and {target.title} has {has}", where, None)


def _fallback(guest: Startable, target: Target, landing: Landing, os: OsInfo, store: FactStore) -> Iterator[Cause[None]]:
    r"""The loader in \EFI\BOOT, which is what new firmware starts: NVRAM entries do not travel."""
    by_bios = "bios" in landing.firmware and guest.bios is not False
    if target.keeps_nvram or "uefi" not in landing.firmware or by_bios:
        return
    efi = store.get(Efi)
    if guest.uefi is None and efi.device:
        yield Cause(Fate.UNKNOWN, guest.uefi_reason, efi.where)
    elif guest.uefi and efi.fallback(arch := firmware_arch(os.arch, target)) is None:
        broken = efi.broken_fallback(arch)
        missing = r"UEFI finds no \EFI\BOOT fallback loader"
        if arch != os.arch and (small := efi.fallback(os.arch)):
            missing += f" for its 64 bits, only {small.name.upper()}"
        found = f"UEFI cannot load {broken.path}, which {broken.problem}" if broken else missing
        reason, place = f"{found}, and NVRAM entries do not travel", WholeFile(broken.path) if broken else efi.where
        copied = store.get(ConvertedLoader).fallback
        yield repaired(reason, place, None) if copied else fault(True, reason, place, None)


def _defined(definition: Definition, guest: Startable, conversion: Conversion, landing: Landing, target: Target) -> Iterator[Cause[None]]:
    """The firmware stated by the definition. virt-v2v keeps it whatever the disks need (``get_target_firmware``); other movers let the user
    choose again.

    Without a definition virt-v2v decides by the partition table: ``detect_firmware``.
    """
    if not definition.firmware and guest.only in target.firmware and guest.only not in landing.firmware:
        made = " or ".join(name.upper() for name in landing.firmware)
        reason = f"the disks start from {guest.only.upper()} only, and virt-v2v takes their partitions for those of a {made} machine"
        yield fault(True, reason, Device("disk1", "partition table"), None)
    if definition.firmware and guest.only and guest.only != definition.firmware:
        only, stated = guest.only.upper(), definition.firmware.upper()
        reason = f"the disks start from {only} only, and the machine is defined with {stated}"
        yield fault(conversion.fits, reason, definition.at("firmware"), None)


def _sectors(guest: Startable, chosen: ChosenFirmware, blocks: BlockTable, sectors: Sectors, target: Target) -> Iterator[Cause[str]]:
    """Boot code knows sectors of 512 bytes only; UEFI looks for a partition table where the disk's own sector size puts it.

    SeaBIOS says "block size 4096 is unsupported" and leaves the disk out (``src/hw/virtio-blk.c``, ``src/hw/blockcmd.c``).
    """
    kind = chosen.kind or guest.only
    if kind == "bios" and (size := sectors.of_disk(guest.boot_disk)) != USUAL:
        reason = f"the boot code of disk{(guest.boot_disk or 0) + 1} reads sectors of {USUAL} bytes, and there they have {size}"
        yield (fault if target.bios == "seabios" else doubt)(True, reason, _disk(guest), "bios")
    esp = next((one for one in esp_devices(blocks) if one.disk == guest.esp_disk), None)
    if kind == "uefi" and esp is not None and (reason := sectors.lost(esp)):
        yield fault(True, f"{reason}: UEFI finds no EFI system partition", Device(f"disk{esp.disk + 1}", "partition table"), "uefi")


def _spare_table(guest: Startable, chosen: ChosenFirmware, blocks: BlockTable) -> Iterator[Cause[None]]:
    """A GPT of which only the backup is good. OVMF writes the primary anew, and boots (observed)."""
    for disk in blocks.disks if (chosen.kind or guest.only) == "bios" else ():
        if disk.detail("pt_spare"):
            reason = f"the primary GPT of {disk.name} is damaged: GRUB finds no partition there, nor does Linux unless it is told to"
            yield Cause(Fate.UNKNOWN, reason, Device(disk.name, "partition table"))


def _signed(secure: SecureBoot) -> Iterator[Cause[str]]:
    """Secure Boot: the first program, checked against the keys in the firmware."""
    if secure.first is None:
        return
    program = secure.of(secure.first.path)
    refusal, where = secure.by_firmware(program), WholeFile(program.path)
    if refusal is not None:
        yield secure.refused(refusal, f"Secure Boot: {program.path} {refusal.reason}", where)
    elif secure.first.kind == "shim" and (old := secure.outdated(program)):
        yield doubt(False, f"Secure Boot: {program.path} is refused where the newest revocations were applied: {old}", where, "")


def _order(guest: Startable, chosen: ChosenFirmware, blocks: BlockTable, target: Target, conversion: Conversion) -> Iterator[Cause[None]]:
    """Firmware boots from the first disk by default. A cloud import designates the disk with the system.

    OVMF drops entries that are not in QEMU's boot order, and SeaBIOS starts the first disk in it alone; libvirt's ``<boot dev='hd'/>`` puts
    only the first disk there (observed).
    """
    disk = guest.boot_disk if chosen.kind == "bios" else guest.esp_disk if chosen.kind == "uefi" else None
    if disk is None or disk < 0 or not blocks.disks:
        return
    before = _before(disk + 1, chosen.kind, target)
    others = [_starts(chosen.kind, number - 1, blocks) for number in before]
    falls_through = chosen.kind == "uefi" and disk + 1 in (target.boot_order or (1,)) and None not in others
    if not others or True in others or falls_through:
        return
    place = Device(f"disk{disk + 1}", "boot sector" if chosen.kind == "bios" else "partition table")
    what, unsure = "the boot code is" if chosen.kind == "bios" else "the EFI system partition is", None in others
    has = "may have something else to start" if unsure else "has none" if len(before) == 1 else "have none"
    reason = f"{what} on disk{disk + 1}, and {target.title} starts {' and '.join(f'disk{one}' for one in before)}, which {has}"
    if conversion.fits:
        yield repaired(reason, place, None)
    elif unsure or target.names_system_disk or chosen.kind not in target.first_disk_only:
        yield doubt(True, reason, place, None)
    else:
        yield fault(True, reason, place, None)


def _other_start(
    definition: Definition, chosen: ChosenFirmware, blocks: BlockTable, target: Target, conversion: Conversion
) -> Iterator[Cause[None]]:
    """A BIOS that the definition tells to start a later disk, and a first disk with boot code too: of an older system, or a copy.

    virt-v2v does not read this order.
    """
    slots = [disk.target for disk in definition.disks]
    stated = next((one for one in definition.features if one.kind == "boot-disk" and one.value in slots), None)
    if stated is None or chosen.kind != "bios" or len(slots) != len(blocks.disks):
        return
    disk, started = slots.index(stated.value), (() if conversion.fits else target.boot_order)[:1] or (1,)
    if disk + 1 not in started and _starts("bios", disk, blocks) and _starts("bios", started[0] - 1, blocks):
        reason = f"the machine starts disk{disk + 1} by its definition, and {target.title} starts disk{started[0]}, which has boot code too"
        yield doubt(True, reason, stated.where, None)


def _before(number: int, kind: str, target: Target) -> tuple[int, ...]:
    """The disks that the firmware tries before this one, or instead of it; a BIOS tries one alone."""
    order = target.boot_order or (1,)
    tried = order[:1] if kind == "bios" else order
    return tried[: tried.index(number)] if number in tried else tried


def _starts(kind: str, disk: int, blocks: BlockTable) -> bool | None:
    """Whether the 0-based disk starts something; None where that is not known. Another ESP there may be empty, or of another system."""
    if not any(one.disk == disk for one in blocks.disks):
        return None
    if kind == "uefi":
        return None if any(one.disk == disk for one in esp_devices(blocks)) else False
    chain = blocks.chain(disk)
    return chain.starts if chain is not None else None


def _start(guest: Startable, chosen: ChosenFirmware, landing: Landing, target: Target, store: FactStore) -> Iterator[Cause[None]]:
    """A BIOS starts boot code, UEFI a loader on the ESP; for a paravirtual guest Xen reads the kernel itself."""
    if chosen.kind == "bios":
        yield Cause(Fate.PASS, f"BIOS: {guest.bios_reason}", _disk(guest))
    elif chosen.kind == "uefi":
        efi = store.get(Efi)
        fallback = efi.fallback(firmware_arch(store.get(OsInfo).arch, target))
        yield Cause(Fate.PASS, f"UEFI: {f'{fallback.path} ({fallback.kind})' if fallback else guest.uefi_reason}", efi.where)
    elif target.xen_pv and (paravirtual := _is_paravirtual(store)) is None:
        yield Cause(Fate.UNKNOWN, "whether the default kernel is one that Xen starts without firmware cannot be told", _disk(guest))
    elif target.xen_pv and paravirtual:
        yield Cause(Fate.PASS, "no firmware: Xen reads the kernel from the guest's disk", store.get(Bootloader).where)
    elif target.xen_pv and guest.bios is not True and guest.uefi is not True:
        yield Cause(Fate.UNKNOWN, "no firmware can boot these disks; Xen may read the kernel from them itself", _disk(guest))
    else:
        yield _not_started(guest, landing)


def _not_started(guest: Startable, landing: Landing) -> Cause[None]:
    able = {"bios": guest.bios, "uefi": guest.uefi}
    if any(able[kind] is None for kind in landing.firmware):
        return Cause(Fate.UNKNOWN, f"{guest.bios_reason}; {guest.uefi_reason}")
    offered = " or ".join(kind.upper() for kind in landing.firmware)
    return fault(True, f"{offered} cannot start it: {guest.bios_reason}; {guest.uefi_reason}", _disk(guest), None)


def _is_paravirtual(store: FactStore) -> bool | None:
    """Whether the default kernel is for Xen PV only, so that the source started it without firmware; None when it cannot be known."""
    try:
        found = store.get(Kernels).of_image(store.get(Startup).entry.kernel, store.get(GuestFS))
    except FactUnavailable:
        return None
    return found is not None and found.is_xen_pv_only


def _disk(guest: Startable) -> Device:
    return Device(f"disk{(guest.boot_disk or 0) + 1}", "boot sector")


class FirmwareVerdict(Verdict, stage=Stage.FIRMWARE, place=10, kinds=LINUX | WINDOWS):
    """Can the target's firmware load anything from these disks?"""

    architecture = Judge(_architecture)
    nothing = Judge(_nothing)
    unsupported = Judge(_unsupported)
    fallback = Judge(_fallback)
    defined = Judge(_defined)
    sectors = Judge(_sectors)
    spare_table = Judge(_spare_table)
    signed = Judge(_signed)
    order = Judge(_order)
    other_start = Judge(_other_start)
    start = Judge(_start)
