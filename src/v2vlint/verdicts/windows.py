"""The stages of a Windows boot after the firmware: boot manager, boot entry, kernel, system disk driver, BitLocker, network."""

from __future__ import annotations

from collections.abc import Iterator

from v2vlint.facts.boot.efi import EfiImage
from v2vlint.facts.boot.firmware import Firmware
from v2vlint.facts.boot.start import ChosenFirmware
from v2vlint.facts.conversion.loader import ConvertedLoader
from v2vlint.facts.conversion.refusals import Refusals
from v2vlint.facts.conversion.run import Conversion
from v2vlint.facts.windows.access import RemoteWay, WindowsAccess
from v2vlint.facts.windows.bcd import BcdEntry, BcdMenu
from v2vlint.facts.windows.bitlocker import Bitlocker
from v2vlint.facts.windows.boot import WindowsBoot, default_entry, entry_device, needs_kernel, partition_device
from v2vlint.facts.windows.boot_ini import BootIni, counted, ini_disk
from v2vlint.facts.windows.drivers import DriverVerdict, WindowsDrivers
from v2vlint.facts.windows.filters import ClassFilter, ClassFilters
from v2vlint.facts.windows.network import TEAMS, WindowsNetwork
from v2vlint.facts.windows.services import WindowsService
from v2vlint.facts.windows.start import WindowsStart
from v2vlint.facts.windows.system import HIBERFIL, is_hibernated, windows_version
from v2vlint.guest.fs import GuestFS
from v2vlint.model.bitlocker import BitlockerVolume
from v2vlint.model.blocks import BlockDevice, BlockTable
from v2vlint.model.dataclass import dataclass
from v2vlint.model.finding import Fate, Stage
from v2vlint.model.osinfo import OsInfo
from v2vlint.model.place import WholeFile
from v2vlint.model.target import Controller, Target
from v2vlint.model.verdict import WINDOWS, Cause, Judge, Verdict, doubt, fault, repaired
from v2vlint.verdicts.entry import another

_SEVEN = (6, 1)
_IDE = Controller("QEMU's IDE", "hd", (("ata_piix",),))
"""Where virt-v2v attaches the disk of a Windows that virtio-win has no driver for; the oldest supported version is 7."""
_LINUX = frozenset({"ext2", "ext3", "ext4", "xfs", "btrfs", "LVM2_member", "crypto_LUKS"})


def _fallback(
    boot: WindowsBoot, guest: Firmware, loader: ConvertedLoader, blocks: BlockTable, target: Target
) -> Iterator[Cause[EfiImage | None]]:
    """The loader at UEFI's fallback path. virt-v2v puts the boot manager there: ``convert/convert_windows.ml``, ``fix_win_esp``."""
    if not boot.uefi or guest.bios or "uefi" not in target.firmware or target.keeps_nvram or boot.is_manager or boot.fallback is None:
        return
    place, kind = WholeFile(boot.fallback.path), boot.fallback.kind
    if boot.is_manager is None:
        yield Cause(Fate.UNKNOWN, f"{place} differs from {boot.manager}, and does not say what it is", place)
        return
    reason, shared = f"{place} is {kind}, not Windows' boot manager", any(device.fs_type in _LINUX for device in blocks)
    if loader.fallback:
        yield repaired(reason, place, boot.fallback)
    else:
        yield (doubt if shared else fault)(True, reason, place, boot.fallback)


def _manager(start: WindowsStart, firmware: ChosenFirmware) -> Iterator[Cause[None]]:
    """Windows' boot manager comes up and finds its configuration."""
    boot, chosen = start.boot, firmware.kind
    if not boot.manager:
        yield Cause(Fate.UNKNOWN, "no boot manager of Windows was found on these disks", boot.where)
    elif not boot.store and not boot.is_ntldr:
        yield Cause(Fate.FAIL, f"{boot.manager} has no boot configuration beside it", boot.where)
    elif chosen and (chosen == "uefi") != boot.uefi:
        yield Cause(Fate.UNKNOWN, f"{boot.manager} is not for {chosen.upper()}", boot.where)
    else:
        yield Cause(
            Fate.PASS, f"{boot.manager} {f'reads {boot.store}' if boot.store else 'has no boot.ini and uses its default'}", boot.where
        )


class WindowsLoaderVerdict(Verdict, stage=Stage.LOADER, place=20, kinds=WINDOWS):
    """Does Windows' boot manager come up and find its configuration?"""

    fallback = Judge(_fallback)
    manager = Judge(_manager)


def _default(start: WindowsStart, ini: BootIni, blocks: BlockTable, fs: GuestFS, os: OsInfo) -> Iterator[Cause[BcdEntry | None]]:
    """The default entry starts this Windows."""
    boot = start.boot
    yield _ini(ini, blocks, fs, os) if boot.is_ntldr else _entry(default_entry(boot), boot, blocks, fs)


def _ini(ini: BootIni, blocks: BlockTable, fs: GuestFS, os: OsInfo) -> Cause[BcdEntry | None]:
    """The ARC path in boot.ini leads to this Windows: the folder, on the partition as NTLDR numbers them."""
    home, reason = next(iter(blocks.tagged("UUID", fs.mounts["/"].uuid)), None) if fs.mounts["/"].uuid else None, f"NTLDR starts {ini.path}"
    if ini.bus not in ("multi", "signature"):
        why = "through ntbootdd.sys, a driver for one controller" if ini.bus else "which is not understood"
        return Cause(Fate.UNKNOWN, f"{reason}, {why}", ini.where)
    if home is None or home.kind != "partition" or not blocks.complete:
        return Cause(Fate.PASS, reason, ini.where)
    disk = ini_disk(ini, blocks)
    found = counted(disk, blocks)[ini.partition - 1 : ini.partition] if disk is not None and ini.partition else ()
    if not found:
        return fault(True, f"{reason}, a partition that is on none of these disks", ini.where, None)
    if found[0].name != home.name:
        return Cause(Fate.UNKNOWN, f"{reason}, which is {found[0].name}, another system", ini.where)
    if not fs.as_it_lies().is_dir(f"/{ini.folder}/System32"):
        return fault(True, f"{reason}, a folder without Windows", ini.where, None)
    other = f"/{ini.folder}".lower() != os.system_root.lower()
    return Cause(Fate.UNKNOWN if other else Fate.PASS, f"{reason}{', another Windows on this partition' if other else ''}", ini.where)


def _menu(start: WindowsStart) -> Iterator[Cause[BcdMenu]]:
    """A menu that waits for input: without a timeout the boot manager starts no entry (BcdBootMgrInteger_Timeout)."""
    menu = start.boot.menu
    if menu.shown and menu.timeout is None:
        yield doubt(True, f"the boot manager's menu ({', '.join(menu.names)}) has no timeout and waits for a choice", menu.where, menu)


def _entry(found: BcdEntry, boot: WindowsBoot, blocks: BlockTable, fs: GuestFS) -> Cause[BcdEntry | None]:
    root, name = fs.mounts["/"].uuid, found.name or found.loader
    device = entry_device(found, blocks) if found.loader and found.partition else None
    home = next(iter(blocks.tagged("UUID", root)), None) if root else None
    if found.file:
        return Cause(Fate.UNKNOWN, f"{name} starts from the virtual disk {found.file}, a file on another volume", found.where)
    if not found.loader:
        return Cause(Fate.UNKNOWN, "the default entry names no loader", found.where)
    if device is not None and device.uuid and device.uuid.lower() != root.lower() and not _holds(device, home):
        return Cause(Fate.UNKNOWN, f"{name} starts from {device.name}, which is another system", found.where)
    if found.partition and device is None and blocks.devices and blocks.complete:
        certain = home is not None and home.kind in ("partition", "bitlocker")
        reason = f"{name} starts from a partition that is on none of these disks ({found.partition})"
        return fault(True, reason, found.device_at, found) if certain else Cause(Fate.UNKNOWN, reason, found.where)
    if found.windows_at and found.windows and blocks.devices and blocks.complete and partition_device(found.windows, blocks) is None:
        reason = f"{name} loads Windows from a partition that is on none of these disks ({found.windows})"
        certain = home is not None and home.kind in ("partition", "bitlocker")
        return fault(True, reason, found.windows_at, found) if certain else Cause(Fate.UNKNOWN, reason, found.where)
    if _of_other_firmware(found.loader, uefi=boot.uefi):
        return fault(True, f"{name} starts {found.loader}, which is not for {'UEFI' if boot.uefi else 'a BIOS'}", found.loader_at, found)
    if not fs.as_it_lies().is_file(found.loader.replace("\\", "/")):
        reason, certain = f"{name} starts {found.loader}, which does not exist", device is not None and _holds(device, home)
        return fault(True, reason, found.loader_at, found) if certain else Cause(Fate.UNKNOWN, reason, found.where)
    once = ", for the next start only" if found.once else ""
    return Cause(Fate.PASS, f"{found.name or 'Windows'}: {found.loader}{once}", found.where)


def _holds(device: BlockDevice, home: BlockDevice | None) -> bool:
    """Whether the system volume is the partition, or is inside it under BitLocker."""
    return home is not None and (home.name == device.name or device.name in home.parents)


def _of_other_firmware(loader: str, *, uefi: bool) -> bool:
    """Whether the loader is for the other firmware: UEFI's boot manager starts ``winload.efi``, the BIOS one ``winload.exe``."""
    return loader.lower().endswith(("winload.exe", "winresume.exe") if uefi else ("winload.efi", "winresume.efi"))


class WindowsEntryVerdict(Verdict, stage=Stage.ENTRY, place=30, kinds=WINDOWS):
    """Does the default entry start this Windows?"""

    another = Judge(another)
    menu = Judge(_menu)
    default = Judge(_default)


def _files(fs: GuestFS, os: OsInfo) -> Iterator[Cause[None]]:
    """The kernel and the HAL."""
    missing = needs_kernel(fs, os)
    if missing is not None:
        yield Cause(Fate.FAIL, f"{missing} does not exist", missing)
    else:
        yield Cause(Fate.PASS, "ntoskrnl.exe and hal.dll")


def _resumed(fs: GuestFS) -> Iterator[Cause[None]]:
    """A hibernated system is not started but resumed."""
    if is_hibernated(fs):
        reason = "Windows tries to resume the system in hiberfil.sys, whose drivers are for other hardware"
        yield doubt(True, reason, WholeFile(HIBERFIL), None)


class WindowsKernelVerdict(Verdict, stage=Stage.KERNEL, place=40, kinds=WINDOWS):
    """Does the kernel exist?"""

    files = Judge(_files)
    resumed = Judge(_resumed)


@dataclass(frozen=True, slots=True)
class Driven:
    """The driver of a device called ``name``; ``helped``: the mover installs a driver if it has one."""

    name: str
    driver: DriverVerdict
    helped: bool


def _driver(
    drivers: WindowsDrivers, os: OsInfo, target: Target, conversion: Conversion, refusals: Refusals
) -> Iterator[Cause[Driven | None]]:
    """A boot-start driver reaches the system disk. virt-v2v installs viostor, or else attaches the disk to IDE."""
    helped = conversion.fits and refusals.converts
    ide = drivers.controller(_IDE) if helped and (0, 0) < windows_version(os) < _SEVEN else None
    for controller in target.controllers:
        found = drivers.controller(controller)
        about, reason = Driven(controller.name, found, helped), f"{controller.name}: {found.reason}"
        if found.usable is not True and ide is not None and ide.usable is False:
            why = f"current virtio-win has no {found.names} for this Windows, so virt-v2v attaches the disk to IDE, and {ide.reason}"
            yield doubt(True, why, ide.where, Driven(_IDE.name, ide, False))
        elif found.usable is not True and helped:
            yield repaired(f"virt-v2v installs {found.names}, or attaches the disk to IDE", found.where, about)
        elif found.usable is None:
            yield Cause(Fate.UNKNOWN, reason, found.where, None, about)
        elif not found.usable:
            yield fault(True, reason, found.where, about)
        else:
            yield Cause(Fate.PASS, found.reason, found.where)


def _chain(drivers: WindowsDrivers, target: Target) -> Iterator[Cause[DriverVerdict]]:
    """The drivers of the bus, the disks and the volumes start at boot."""
    modules = {module for controller in target.controllers for modules in controller.any_of for module in modules}
    for one in drivers.chain("pci_hyperv" in modules):
        yield fault(True, one.reason, one.where, one) if one.usable is False else Cause(Fate.UNKNOWN, one.reason, one.where, None, one)


def _filters(filters: ClassFilters, refusals: Refusals) -> Iterator[Cause[ClassFilter]]:
    """Parallels' class filter for all disks. virt-v2v removes it: ``convert/convert_windows.ml``, ``unconfigure_prltools``."""
    for one in filters.named("prl_strg"):
        if one.for_disks:
            reason = f"{one.name} is a class filter for all {one.kind}"
            yield repaired(reason, one.where, one) if refusals.converts else fault(True, reason, one.where, one)


def _class_filters(filters: ClassFilters) -> Iterator[Cause[ClassFilter]]:
    """A device does not start if its class filter does not. ``partmgr`` is judged with the disk drivers."""
    for one in filters.filters:
        if not one.for_disks or one.name.lower() in ("prl_strg", "partmgr"):
            continue
        reason = f"the class filter {one.name} for all {one.kind} "
        if one.problem:
            yield fault(True, f"{reason}{one.problem}", one.where, one)
        elif one.late:
            yield doubt(True, f"{reason}does not start at boot", one.where, one)


class WindowsRootVerdict(Verdict, stage=Stage.ROOT, place=60, kinds=WINDOWS):
    """Does a boot-start driver reach the system disk?"""

    filters = Judge(_filters)
    class_filters = Judge(_class_filters)
    chain = Judge(_chain)
    driver = Judge(_driver)


def _bitlocker(bitlocker: Bitlocker, target: Target) -> Iterator[Cause[None]]:
    """Judged by what BitLocker will ask for."""
    volume = next(iter(bitlocker.system), None)
    if volume is None or volume.state == "off":
        yield Cause(Fate.SKIPPED, "the system volume is not encrypted")
    elif volume.lies_open:
        yield Cause(Fate.PASS, "BitLocker asks for nothing: the volume stores its key in the clear")
    elif volume.sealed:
        yield _without_tpm(volume, target)
    elif "password" in volume.protectors:
        yield Cause(Fate.PASS, f"{volume.device} asks for its password on the console")
    elif "startup key" in volume.protectors:
        yield Cause(Fate.UNKNOWN, "BitLocker needs its startup key on a USB drive at boot")
    elif volume.recovery:
        yield Cause(Fate.PASS, f"{volume.device} asks for {volume.recovery} on the console")
    else:
        yield Cause(Fate.UNKNOWN, "BitLocker asks for the recovery key when the TPM it trusted is gone")


def _without_tpm(volume: BitlockerVolume, target: Target) -> Cause[None]:
    """What happens to a key sealed by a TPM."""
    wanted = volume.asked or "the recovery key"
    if not target.keeps_tpm:
        return Cause(Fate.UNKNOWN, f"the TPM that BitLocker trusted is gone: Windows stops and asks for {wanted}")
    if target.keeps_nvram:
        return Cause(Fate.PASS, "the TPM travels with the guest")
    reason = f"the TPM travels, but not the firmware variables it measures: BitLocker may ask for {wanted}"
    return Cause(Fate.UNKNOWN, reason)


class WindowsUnlockVerdict(Verdict, stage=Stage.UNLOCK, place=70, kinds=WINDOWS):
    """Can BitLocker be opened on the target?"""

    bitlocker = Judge(_bitlocker)


def _card(drivers: WindowsDrivers, target: Target, conversion: Conversion, refusals: Refusals) -> Iterator[Cause[Driven | None]]:
    """The network card has a driver. virt-v2v installs one at first boot, or else presents an rtl8139."""
    helped = conversion.fits and refusals.converts
    for nic in target.nics:
        found = drivers.nic(nic)
        about, reason = Driven(nic.name, found, helped), f"{nic.name}: {found.reason}"
        if found.usable is None:
            yield Cause(Fate.UNKNOWN, reason, found.where, None, about)
        elif not found.usable:
            yield repaired(reason, found.where, about) if helped else fault(True, reason, found.where, about)
    yield Cause(Fate.PASS, f"a driver {'will be' if helped else 'is'} installed, and addresses come by DHCP")


def _addresses(network: WindowsNetwork, target: Target) -> Iterator[Cause[None]]:
    """Its address stays the one that was configured."""
    for one in network.static:
        if one.is_software:
            if one.stacked_on in TEAMS:
                yield Cause(
                    Fate.UNKNOWN, f"the address {one.addresses[0]} belongs to {one.stacked_on} over adapters that change", one.where
                )
        elif one.adapter is None or not any(one.adapter.fits(nic) for nic in target.nics):
            yield Cause(Fate.UNKNOWN, f"the address {one.addresses[0]} belongs to an adapter that does not exist", one.where)


def _dhcp(access: WindowsAccess, network: WindowsNetwork, target: Target) -> Iterator[Cause[WindowsService]]:
    """A new adapter gets its address from DHCP, which is a service."""
    if access.no_dhcp is None:
        return
    reason, where = "the DHCP client is disabled: a new adapter gets no address", access.no_dhcp.place("Start")
    kept = any(
        one.adapter is not None and one.adapter.known and any(one.adapter.fits(nic) for nic in target.nics) for one in network.static
    )
    yield (doubt if kept else fault)(True, reason, where, access.no_dhcp)


def _access(access: WindowsAccess, target: Target) -> Iterator[Cause[RemoteWay]]:
    """Somebody can log in: by Remote Desktop, or another way that the firewall admits on a new network."""
    way, other = access.desktop, any(one.is_open for one in access.others)
    if way is None or other:
        return
    if access.one_adapter is not None and way.on:
        yield doubt(True, "Remote Desktop listens on one network adapter only", access.one_adapter, way)
    elif way.on and not way.opening.wide:
        lets = f"lets only {way.opening.only} in" if way.opening.only else "lets nobody in"
        reason = f"Remote Desktop is on, but the firewall {lets} on a new network, which counts as public"
        yield doubt(not target.keeps_network, reason, way.opening.where, way)
    elif not way.on:
        reason = f"Remote Desktop is off: {way.off_because}"
        # A serial console offers no desktop to switch it on.
        yield doubt(True, reason, way.where, way) if target.consoles[:1] == ("ttyS0",) else repaired(reason, way.where, way)


def _safe_mode(start: WindowsStart) -> Iterator[Cause[BcdEntry]]:
    """Safe mode starts no network, or only a few services."""
    entry = start.boot.default
    if entry is None or entry.safe_mode is None:
        return
    reason = f"{entry.name or entry.loader} starts in safe mode ({entry.safe})"
    if entry.safe == "minimal":
        yield fault(True, f"{reason}, without network", entry.safe_mode.where, entry)
    else:
        yield doubt(entry.safe == "network", reason, entry.safe_mode.where, entry)


class WindowsNetworkVerdict(Verdict, stage=Stage.NETWORK, place=100, kinds=WINDOWS, stops=False):
    """Does the network card have a driver, and will its address be the one that was configured?"""

    safe_mode = Judge(_safe_mode)
    dhcp = Judge(_dhcp)
    access = Judge(_access)
    addresses = Judge(_addresses)
    card = Judge(_card)
