"""The stages of a Windows boot: firmware, boot manager, boot entry, kernel, the driver of the system disk, BitLocker, network."""

from __future__ import annotations

from v2vlint.facts.registry import FactStore
from v2vlint.facts.windows.bitlocker import Bitlocker
from v2vlint.facts.windows.boot import WindowsBoot, default_entry, entry_device, needs_kernel
from v2vlint.facts.windows.drivers import WindowsDrivers
from v2vlint.facts.windows.network import WindowsNetwork
from v2vlint.facts.windows.system import WindowsSystem
from v2vlint.guest.fs import GuestFS
from v2vlint.model.bitlocker import BitlockerVolume
from v2vlint.model.blocks import BlockTable
from v2vlint.model.finding import Mover, Stage
from v2vlint.model.osinfo import OsInfo
from v2vlint.model.report import StageForecast
from v2vlint.model.target import Target
from v2vlint.verdicts.early import chosen_firmware
from v2vlint.verdicts.stage import failed, passed, skipped, unknown


def loader(store: FactStore) -> StageForecast:
    """Does Windows' boot manager come up and find its configuration?"""
    boot, chosen = store.get(WindowsBoot), chosen_firmware(store)
    if not boot.manager:
        return unknown(Stage.LOADER, "no boot manager of Windows was found on these disks", boot.where)
    if not boot.store:
        return failed(Stage.LOADER, f"{boot.manager} has no boot configuration beside it", boot.where)
    if chosen and (chosen == "uefi") != boot.uefi:
        return unknown(Stage.LOADER, f"{boot.manager} is not for {chosen.upper()}", boot.where)
    repaired = store.get(Mover) is Mover.VIRT_V2V
    if chosen == "uefi" and not store.get(Target).keeps_nvram and boot.is_manager is not True and not repaired:
        return unknown(Stage.LOADER, "what the firmware starts by itself could not be told to be Windows' boot manager", boot.where)
    return passed(Stage.LOADER, f"{boot.manager} reads {boot.store}", boot.where)


def entry(store: FactStore) -> StageForecast:
    """Does the default entry start this Windows?"""
    boot = store.get(WindowsBoot)
    if boot.store.lower().endswith("boot.ini"):
        return passed(Stage.ENTRY, f"{boot.store} of NTLDR", boot.where)
    found = default_entry(boot)
    if not found.loader:
        return unknown(Stage.ENTRY, "the default entry names no loader", found.where)
    blocks, root = store.get(BlockTable), store.get(GuestFS).mounts["/"].uuid
    device = entry_device(found, blocks) if found.partition else None
    if device is not None and device.uuid and device.uuid.lower() != root.lower():
        return unknown(Stage.ENTRY, f"{found.name or found.loader} starts from {device.name}, which is another system", found.where)
    if found.partition and device is None and blocks.devices and blocks.complete:
        return unknown(Stage.ENTRY, f"{found.name or found.loader} names a partition that is none of these", found.where)
    return passed(Stage.ENTRY, f"{found.name or 'Windows'}: {found.loader}", found.where)


def kernel(store: FactStore) -> StageForecast:
    """Are the loader and the kernel there?"""
    boot, fs = store.get(WindowsBoot), store.get(GuestFS)
    loader_path = boot.default.loader.replace("\\", "/") if boot.default else ""
    if loader_path and not fs.is_file(loader_path):
        return unknown(Stage.KERNEL, f"{loader_path} is not on this filesystem", boot.where)
    missing = needs_kernel(fs, store.get(OsInfo))
    if missing is not None:
        return failed(Stage.KERNEL, f"{missing} does not exist", missing)
    system = store.get(WindowsSystem)
    if system.hibernated:
        return unknown(
            Stage.KERNEL, "Windows tries to resume the system in hiberfil.sys, whose drivers are for other hardware", system.hiberfil
        )
    return passed(Stage.KERNEL, "ntoskrnl.exe and hal.dll")


def root(store: FactStore) -> StageForecast:
    """Does a driver that starts at boot reach the system disk?"""
    drivers, target = store.get(WindowsDrivers), store.get(Target)
    verdicts = [(controller.name, drivers.controller(controller)) for controller in target.controllers]
    for wanted, judge in ((False, failed), (None, unknown)):
        for name, verdict in verdicts:
            if verdict.usable is wanted and _helped(store):
                return passed(Stage.ROOT, f"virt-v2v installs {verdict.names}, or attaches the disk as IDE", verdict.where)
            if verdict.usable is wanted:
                return judge(Stage.ROOT, f"{name}: {verdict.reason}", verdict.where)
    return passed(Stage.ROOT, "; ".join(dict.fromkeys(verdict.reason for _name, verdict in verdicts)), verdicts[0][1].where)


def _helped(store: FactStore) -> bool:
    """Whether virt-v2v installs the virtio drivers on the way."""
    return store.get(Mover) is Mover.VIRT_V2V and store.get(Target).hypervisor == "kvm"


def unlock(store: FactStore) -> StageForecast:
    """Can BitLocker be opened there?"""
    volume, target = next(iter(store.get(Bitlocker).system), None), store.get(Target)
    if volume is None or volume.state == "off":
        return skipped(Stage.UNLOCK, "the system volume is not encrypted")
    if volume.lies_open:
        return passed(Stage.UNLOCK, "BitLocker asks for nothing: its key lies open on the volume")
    if volume.sealed:
        return _without_tpm(volume, target)
    if "password" in volume.protectors:
        return passed(Stage.UNLOCK, f"{volume.device} asks for its password on the console")
    if "startup key" in volume.protectors:
        return unknown(Stage.UNLOCK, "BitLocker needs its startup key on a USB drive at the start")
    if volume.recovery:
        return passed(Stage.UNLOCK, f"{volume.device} asks for {volume.recovery} on the console")
    return unknown(Stage.UNLOCK, "BitLocker asks for the recovery key when the TPM it trusted is gone")


def _without_tpm(volume: BitlockerVolume, target: Target) -> StageForecast:
    """What becomes of a key that a TPM sealed."""
    wanted = volume.asked or "the recovery key"
    if not target.keeps_tpm:
        return unknown(Stage.UNLOCK, f"the TPM that BitLocker trusted is gone: Windows stops and asks for {wanted}")
    if target.keeps_nvram:
        return passed(Stage.UNLOCK, "the TPM travels with the guest")
    return unknown(Stage.UNLOCK, f"the TPM travels, but not the firmware's variables that it measures: BitLocker may ask for {wanted}")


def network(store: FactStore) -> StageForecast:
    """Has the network card a driver, and will its address be the one that was set?"""
    drivers, target = store.get(WindowsDrivers), store.get(Target)
    doubt = None
    for nic in target.nics:
        verdict = drivers.nic(nic)
        if verdict.usable is False and not _helped(store):
            return failed(Stage.NETWORK, f"{nic.name}: {verdict.reason}", verdict.where)
        doubt = doubt or (f"{nic.name}: {verdict.reason}" if verdict.usable is None else None)
    addresses = store.get(WindowsNetwork).static
    lost = [one for one in addresses if one.adapter is None or not any(one.adapter.fits(nic, target.hypervisor) for nic in target.nics)]
    if lost:
        return unknown(Stage.NETWORK, f"the address {lost[0].addresses[0]} belongs to an adapter that is not there", lost[0].where)
    if doubt:
        return unknown(Stage.NETWORK, doubt)
    return passed(Stage.NETWORK, f"a driver {'will be' if _helped(store) else 'is'} installed, and addresses come by DHCP")
