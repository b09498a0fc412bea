"""Whether Windows can drive a disk controller from the start of the boot, and a network card at all.

A storage driver works at boot if its service starts at boot (``Start`` 0 and no ``StartOverride``), its file exists, and the controller
is bound to it: up to Windows 7 in ``CriticalDeviceDatabase`` (:mod:`v2vlint.facts.windows.critical`), from Windows 8 on in
``DriverDatabase``, which always contains Windows' own drivers; or by a device that Windows has seen (``Enum``). A driver package that is
only staged has no service.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import field

from v2vlint.facts.registry import provides
from v2vlint.facts.windows.critical import DATABASE, CriticalDevices
from v2vlint.facts.windows.hardware import ADDED, HARDWARE_IDS, OTHERS, StorageWay, network_services, storage_ways
from v2vlint.facts.windows.registry import Registry, subkeys
from v2vlint.facts.windows.services import BOOT, DEMAND, DISABLED, WindowsService, WindowsServices
from v2vlint.facts.windows.system import windows_version
from v2vlint.guest.fs import GuestFS
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import FactUnavailable
from v2vlint.model.fix import RegistrySet
from v2vlint.model.osinfo import OsInfo
from v2vlint.model.place import Where
from v2vlint.model.target import Controller, Nic

BINDINGS_NEW = "DriverDatabase\\DeviceIds\\PCI"
VIRTIO_ONE = "VEN_1AF4&DEV_104"
_EIGHT = (6, 2)  # Windows 8 and Server 2012
_MAX_FOLDERS = 64
_CHAIN = ("acpi", "pci", "disk", "partmgr", "volmgr", "volume")
_CHAIN_OLD = ("pci", "disk", "partmgr", "ftdisk")
"""Windows XP and 2003 also run without ACPI."""


@dataclass(frozen=True, slots=True)
class DriverVerdict:
    """``usable`` is None when undecided. ``services`` are the names that decide it, ``reason`` explains it, ``where`` is the place.

    ``repair`` are the edits that make it usable if only start types and bindings are wrong; ``bound`` says that the bindings are right.
    """

    usable: bool | None
    services: tuple[str, ...]
    reason: str
    where: Where
    repair: tuple[RegistrySet, ...] = ()
    bound: bool = True

    @property
    def names(self) -> str:
        """The services as text."""
        return " and ".join(self.services)


@dataclass(frozen=True, slots=True)
class WindowsDrivers:
    """Which driver each device gets."""

    _registry: Registry = field(repr=False, compare=False)
    _services: WindowsServices = field(repr=False, compare=False)
    _fs: GuestFS = field(repr=False, compare=False)
    _version: tuple[int, int] = (0, 0)
    _critical: CriticalDevices | None = field(default=None, repr=False, compare=False)

    def controller(self, controller: Controller) -> DriverVerdict:
        """Whether a disk behind ``controller`` can be the system disk."""
        ways = storage_ways(controller)
        found = [self._way(way) for way in ways]
        return self._best([*self._of_others(ways), *found], controller.name)

    def _way(self, way: StorageWay) -> DriverVerdict:
        verdict = self._set(way.services, self._boots)
        return self._critically(verdict, way) if self._critical and way.devices else verdict

    def _critically(self, verdict: DriverVerdict, way: StorageWay) -> DriverVerdict:
        """``verdict`` for a Windows that uses CriticalDeviceDatabase to choose the driver of a new controller."""
        critical, service = self._critical or CriticalDevices(self._registry), way.services[-1]
        entry, device = critical.of(way.devices), way.devices[0]
        shown = device.partition("&CC_")[0].replace("#", "\\")
        if entry is not None and entry.service.lower() == service.lower():
            return verdict
        own, bus = service not in HARDWARE_IDS, device.partition("#")[0]
        if critical.seen(way.devices, service) or (verdict.usable is False and not verdict.repair) or (own and not critical.exists):
            return verdict
        if entry is not None:
            reason = f"{shown} is bound to {entry.service}, not to {service}"
            return DriverVerdict(False, way.services, reason, entry.where, bound=False)
        told = not own or bus == "PCI" or self._version < (6, 0)
        reason = f"no driver is bound to {shown} in {DATABASE.rpartition(chr(92))[2]}"
        binding = critical.binding(device, service) if own and bus == "PCI" else ()
        repair = (*verdict.repair, *binding) if binding else ()
        return DriverVerdict(False if told else None, way.services, reason, critical.place(device), repair, bound=False)

    def _of_others(self, ways: tuple[StorageWay, ...]) -> Iterator[DriverVerdict]:
        """Drivers missing from our tables that this Windows assigns to the controller."""
        known = {way.services[-1].lower() for way in ways}
        for devices in dict.fromkeys(way.devices for way in ways if self._critical):
            entry = self._critical.of(devices) if self._critical else None
            if entry is not None and entry.service.lower() not in known:
                yield self._boots(entry.service)

    def chain(self, through_hyperv: bool) -> tuple[DriverVerdict, ...]:
        """The drivers between the bus and the volumes that would, or might, keep Windows from its disk, whichever driver the controller
        has.

        Drivers that this Windows does not have do not count: older versions have other names for some. ``through_hyperv``: disks are
        PCI devices passed through by Hyper-V, whose bus is driven by ``vpci``.
        """
        own = _CHAIN_OLD if (0, 0) < self._version < (6, 0) else _CHAIN
        names = (*own, "vpci") if through_hyperv else own
        return tuple(verdict for one in self._services.named(*names) if (verdict := self._boots(one.name)).usable is not True)

    def nic(self, nic: Nic) -> DriverVerdict:
        """Whether there is a driver for ``nic``. Without a service, only drivers that Windows never ships are certainly missing."""
        return self._best([self._set(names, self._drives) for names in network_services(nic.any_of)], nic.name)

    def _best(self, verdicts: Sequence[DriverVerdict], name: str) -> DriverVerdict:
        if not verdicts:
            return DriverVerdict(None, (), f"no Windows driver is known for {name}", self._services.where)
        for wanted in (True, None):
            found = next((verdict for verdict in verdicts if verdict.usable is wanted), None)
            if found:
                return found
        curable = (one for one in verdicts if one.repair and not one.bound)
        present = (one for one in verdicts if any(self._services.get(name) for name in one.services))
        return next(curable, None) or next(present, verdicts[0])

    def _set(self, names: tuple[str, ...], judge: Callable[[str], DriverVerdict]) -> DriverVerdict:
        parts = [judge(name) for name in names]
        worst = next((part for part in parts if part.usable is False), None) or next((part for part in parts if part.usable is None), None)
        if worst:
            wrong = [part for part in parts if not part.usable]
            repair = tuple(edit for part in wrong for edit in part.repair) if all(part.repair for part in wrong) else ()
            return DriverVerdict(worst.usable, names, worst.reason, worst.where, repair)
        return DriverVerdict(True, names, parts[-1].reason, parts[-1].where)

    def _boots(self, name: str) -> DriverVerdict:
        service = self._services.get(name)
        if service is None:
            return DriverVerdict(False, (name,), f"there is no service {name}", self._services.place(name))
        try:
            problem = self._services.unusable(service)
        except FactUnavailable as reason:
            return DriverVerdict(None, (name,), f"the file of {service.name} {reason.reason}", reason.where)
        if problem:
            words = f"the service {service.name} exists, but {problem}"
            return DriverVerdict(False, (name,), words, service.place("ImagePath"))
        if service.effective != BOOT:
            return self._starts_late(service)
        if name in HARDWARE_IDS and self._critical is None and not self.bound(name):
            return DriverVerdict(False, (name,), f"{service.name} starts at boot, but no device ID is bound to it", service.where)
        return DriverVerdict(True, (name,), f"{service.name} starts at boot", service.where)

    def _starts_late(self, service: WindowsService) -> DriverVerdict:
        override = service.override is not None
        where = self._registry.place(f"Services\\{service.name}\\StartOverride", "0") if override else service.place("Start")
        how = "is disabled" if service.effective == DISABLED else f"starts only as {service.start_words!r}, not at boot"
        words = f"{service.name} {how}{' (StartOverride)' if override else ''}"
        seen = service.override is None and service.effective == DEMAND and self._seen(service.name, HARDWARE_IDS.get(service.name, ()))
        bound = service.name.lower() not in HARDWARE_IDS or self.bound(service.name.lower())
        return DriverVerdict(None if seen else False, (service.name,), words, where, service.at_boot if bound else ())

    def _drives(self, name: str) -> DriverVerdict:
        service = self._services.get(name)
        if service is None and (package := self._stored(name)):
            words = f"{package} is in the driver store: Windows installs it when it finds the card"
            return DriverVerdict(True, (name,), words, self._services.place(name))
        if service is None and (folder := self._staged(name)):
            words = f"{name}.inf is in {folder}: Windows installs it at first boot if it trusts its signature"
            return DriverVerdict(None, (name,), words, self._services.place(name))
        if service is None:
            words = f"there is no service {name}"
            return DriverVerdict(False if name in ADDED else None, (name,), words, self._services.place(name))
        if not service.present or service.effective == DISABLED:
            words = f"{service.name} is disabled" if service.present else f"{service.image} does not exist"
            return DriverVerdict(False, (name,), words, service.where)
        return DriverVerdict(True, (name,), f"{service.name} is installed", service.where)

    def other(self, module: str) -> bool:
        """Whether a driver other than for disks and networks is installed: one for the hardware that Linux drives with ``module``."""
        return any(one.present and one.effective != DISABLED for one in self._services.named(*OTHERS.get(module, ())))

    def _stored(self, name: str) -> str:
        """The folder in the driver store that contains the driver ``name``, or an empty string."""
        store = self._services.path_of("System32\\DriverStore\\FileRepository")
        names = self._fs.listdir(store) if self._fs.is_dir(store) else ()
        return next((one for one in sorted(names) if one.lower().startswith(f"{name.lower()}.inf_")), "")

    def _staged(self, name: str) -> str:
        """The folder of ``DevicePath``, where Windows looks for drivers of new devices, with the driver ``name``, or an empty string."""
        setup = self._registry.soft("Microsoft\\Windows\\CurrentVersion")
        listed = setup.text("DevicePath").split(";")[:_MAX_FOLDERS] if setup else []
        folders = (self._services.path_of(one) for one in listed if one.strip())
        return next((folder for folder in folders if self._fs.is_file(f"{folder}/{name}.inf")), "")

    def is_added(self, verdict: DriverVerdict) -> bool:
        """Whether one of the verdict's drivers is not shipped with any Windows."""
        return any(name.lower() in HARDWARE_IDS for name in verdict.services)

    def bound(self, service: str) -> bool:
        """Whether one of the hardware IDs of ``service`` is bound to a driver."""
        return self._bound(service, HARDWARE_IDS[service])

    def modern(self, service: str) -> bool:
        """Whether the virtio driver ``service`` is also bound to virtio 1.0 devices, the only ones that exist on PCI Express."""
        return self._bound(service, tuple(one for one in HARDWARE_IDS[service] if one.startswith(VIRTIO_ONE)))

    def _bound(self, service: str, ids: tuple[str, ...]) -> bool:
        old = (key.name for key in subkeys(self._registry.control(DATABASE)))
        new = (key.name for key in subkeys(self._registry.system.key(BINDINGS_NEW)))
        return _any_id(old, ids, "PCI#") or _any_id(new, ids, "") or self._seen(service, ids)

    def _seen(self, service: str, ids: tuple[str, ...]) -> bool:
        devices = subkeys(self._registry.control("Enum\\PCI"))
        mine = (device for device in devices if _any_id((device.name,), ids, ""))
        return any(one.text("Service").lower() == service.lower() for device in mine for one in subkeys(device))


def _any_id(names: Iterable[str], ids: tuple[str, ...], prefix: str) -> bool:
    wanted = tuple(f"{prefix}{one}".upper() for one in ids)
    return bool(wanted) and any(name.upper().startswith(wanted) for name in names)


@provides
def parse_drivers(registry: Registry, services: WindowsServices, fs: GuestFS, os: OsInfo) -> WindowsDrivers:
    """Evaluated on demand."""
    version = windows_version(os)
    critical = CriticalDevices(registry) if (0, 0) < version < _EIGHT else None
    return WindowsDrivers(registry, services, fs, version, critical)
