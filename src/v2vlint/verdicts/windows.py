"""The stages of a Windows boot behind the firmware: boot manager, boot entry, kernel, the driver of the system disk, BitLocker, network."""

from __future__ import annotations

from collections.abc import Iterator

from v2vlint.facts.boot.start import ChosenFirmware
from v2vlint.facts.windows.bitlocker import Bitlocker
from v2vlint.facts.windows.boot import WindowsBoot, default_entry, entry_device, needs_kernel
from v2vlint.facts.windows.drivers import WindowsDrivers
from v2vlint.facts.windows.network import WindowsNetwork
from v2vlint.facts.windows.system import WindowsSystem
from v2vlint.guest.fs import GuestFS
from v2vlint.model.bitlocker import BitlockerVolume
from v2vlint.model.blocks import BlockTable
from v2vlint.model.finding import Fate, Mover, Stage
from v2vlint.model.osinfo import OsInfo
from v2vlint.model.target import Target
from v2vlint.model.verdict import WINDOWS, Cause, Judge, Verdict


def _manager(boot: WindowsBoot, firmware: ChosenFirmware, target: Target, mover: Mover) -> Iterator[Cause[None]]:
    """Windows' boot manager comes up and finds its configuration."""
    chosen = firmware.kind
    repaired = mover is Mover.VIRT_V2V
    if not boot.manager:
        yield Cause(Fate.UNKNOWN, "no boot manager of Windows was found on these disks", boot.where)
    elif not boot.store:
        yield Cause(Fate.FAIL, f"{boot.manager} has no boot configuration beside it", boot.where)
    elif chosen and (chosen == "uefi") != boot.uefi:
        yield Cause(Fate.UNKNOWN, f"{boot.manager} is not for {chosen.upper()}", boot.where)
    elif chosen == "uefi" and not target.keeps_nvram and boot.is_manager is not True and not repaired:
        yield Cause(Fate.UNKNOWN, "what the firmware starts by itself could not be told to be Windows' boot manager", boot.where)
    else:
        yield Cause(Fate.PASS, f"{boot.manager} reads {boot.store}", boot.where)


class WindowsLoaderVerdict(Verdict, stage=Stage.LOADER, place=20, kinds=WINDOWS):
    """Does Windows' boot manager come up and find its configuration?"""

    manager = Judge(_manager)


def _default(boot: WindowsBoot, blocks: BlockTable, fs: GuestFS) -> Iterator[Cause[None]]:
    """It starts this Windows."""
    if boot.store.lower().endswith("boot.ini"):
        yield Cause(Fate.PASS, f"{boot.store} of NTLDR", boot.where)
        return
    found, root = default_entry(boot), fs.mounts["/"].uuid
    name = found.name or found.loader
    device = entry_device(found, blocks) if found.loader and found.partition else None
    if not found.loader:
        yield Cause(Fate.UNKNOWN, "the default entry names no loader", found.where)
    elif device is not None and device.uuid and device.uuid.lower() != root.lower():
        yield Cause(Fate.UNKNOWN, f"{name} starts from {device.name}, which is another system", found.where)
    elif found.partition and device is None and blocks.devices and blocks.complete:
        yield Cause(Fate.UNKNOWN, f"{name} names a partition that is none of these", found.where)
    else:
        yield Cause(Fate.PASS, f"{found.name or 'Windows'}: {found.loader}", found.where)


class WindowsEntryVerdict(Verdict, stage=Stage.ENTRY, place=30, kinds=WINDOWS):
    """Does the default entry start this Windows?"""

    default = Judge(_default)


def _files(boot: WindowsBoot, fs: GuestFS, os: OsInfo) -> Iterator[Cause[None]]:
    """The loader, the kernel and the HAL."""
    loader = boot.default.loader.replace("\\", "/") if boot.default else ""
    missing = needs_kernel(fs, os)
    if loader and not fs.is_file(loader):
        yield Cause(Fate.UNKNOWN, f"{loader} is not on this filesystem", boot.where)
    elif missing is not None:
        yield Cause(Fate.FAIL, f"{missing} does not exist", missing)
    else:
        yield Cause(Fate.PASS, "ntoskrnl.exe and hal.dll")


def _resumed(system: WindowsSystem) -> Iterator[Cause[None]]:
    """A hibernated system is not started but resumed."""
    if system.hibernated:
        reason = "Windows tries to resume the system in hiberfil.sys, whose drivers are for other hardware"
        yield Cause(Fate.UNKNOWN, reason, system.hiberfil)


class WindowsKernelVerdict(Verdict, stage=Stage.KERNEL, place=40, kinds=WINDOWS):
    """Are the loader and the kernel there?"""

    files = Judge(_files)
    resumed = Judge(_resumed)


def _driver(drivers: WindowsDrivers, target: Target, mover: Mover) -> Iterator[Cause[None]]:
    """A driver that starts at boot reaches the system disk."""
    verdicts = [(controller.name, drivers.controller(controller)) for controller in target.controllers]
    for name, verdict in verdicts:
        if verdict.usable is not True and _helped(mover, target):
            yield Cause(Fate.PASS, f"virt-v2v installs {verdict.names}, or attaches the disk as IDE", verdict.where)
        elif verdict.usable is not True:
            yield Cause(Fate.UNKNOWN if verdict.usable is None else Fate.FAIL, f"{name}: {verdict.reason}", verdict.where)
    yield Cause(Fate.PASS, "; ".join(dict.fromkeys(verdict.reason for _name, verdict in verdicts)), verdicts[0][1].where)


def _helped(mover: Mover, target: Target) -> bool:
    """Whether virt-v2v installs the virtio drivers on the way."""
    return mover is Mover.VIRT_V2V and target.hypervisor == "kvm"


class WindowsRootVerdict(Verdict, stage=Stage.ROOT, place=60, kinds=WINDOWS):
    """Does a driver that starts at boot reach the system disk?"""

    driver = Judge(_driver)


def _bitlocker(bitlocker: Bitlocker, target: Target) -> Iterator[Cause[None]]:
    """By what it asks for."""
    volume = next(iter(bitlocker.system), None)
    if volume is None or volume.state == "off":
        yield Cause(Fate.SKIPPED, "the system volume is not encrypted")
    elif volume.lies_open:
        yield Cause(Fate.PASS, "BitLocker asks for nothing: its key lies open on the volume")
    elif volume.sealed:
        yield _without_tpm(volume, target)
    elif "password" in volume.protectors:
        yield Cause(Fate.PASS, f"{volume.device} asks for its password on the console")
    elif "startup key" in volume.protectors:
        yield Cause(Fate.UNKNOWN, "BitLocker needs its startup key on a USB drive at the start")
    elif volume.recovery:
        yield Cause(Fate.PASS, f"{volume.device} asks for {volume.recovery} on the console")
    else:
        yield Cause(Fate.UNKNOWN, "BitLocker asks for the recovery key when the TPM it trusted is gone")


def _without_tpm(volume: BitlockerVolume, target: Target) -> Cause[None]:
    """What becomes of a key that a TPM sealed."""
    wanted = volume.asked or "the recovery key"
    if not target.keeps_tpm:
        return Cause(Fate.UNKNOWN, f"the TPM that BitLocker trusted is gone: Windows stops and asks for {wanted}")
    if target.keeps_nvram:
        return Cause(Fate.PASS, "the TPM travels with the guest")
    reason = f"the TPM travels, but not the firmware's variables that it measures: BitLocker may ask for {wanted}"
    return Cause(Fate.UNKNOWN, reason)


class WindowsUnlockVerdict(Verdict, stage=Stage.UNLOCK, place=70, kinds=WINDOWS):
    """Can BitLocker be opened there?"""

    bitlocker = Judge(_bitlocker)


def _card(drivers: WindowsDrivers, target: Target, mover: Mover) -> Iterator[Cause[None]]:
    """The network card has a driver."""
    for nic in target.nics:
        verdict = drivers.nic(nic)
        if verdict.usable is False and not _helped(mover, target):
            yield Cause(Fate.FAIL, f"{nic.name}: {verdict.reason}", verdict.where)
        elif verdict.usable is None:
            yield Cause(Fate.UNKNOWN, f"{nic.name}: {verdict.reason}")
    yield Cause(Fate.PASS, f"a driver {'will be' if _helped(mover, target) else 'is'} installed, and addresses come by DHCP")


def _addresses(network: WindowsNetwork, target: Target) -> Iterator[Cause[None]]:
    """Its address will be the one that was set."""
    for one in network.static:
        if one.adapter is None or not any(one.adapter.fits(nic) for nic in target.nics):
            yield Cause(Fate.UNKNOWN, f"the address {one.addresses[0]} belongs to an adapter that is not there", one.where)


class WindowsNetworkVerdict(Verdict, stage=Stage.NETWORK, place=100, kinds=WINDOWS, stops=False):
    """Has the network card a driver, and will its address be the one that was set?"""

    addresses = Judge(_addresses)
    card = Judge(_card)
