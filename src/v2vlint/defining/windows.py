"""Devices for Windows: the disks and cards it has drivers for, and what its version requires of a machine."""

from __future__ import annotations

from collections.abc import Iterable

from v2vlint.facts.registry import FactStore
from v2vlint.facts.windows.drivers import WindowsDrivers
from v2vlint.facts.windows.system import WindowsSystem, windows_version
from v2vlint.model.errors import FactUnavailable
from v2vlint.model.osinfo import OsInfo
from v2vlint.model.target import Controller, Nic

VISTA, EIGHT = (6, 0), (6, 2)
_MODERN_ONLY = "the virtio drivers are older than virtio 1.0, which PCI Express slots need"

Offers = Iterable[tuple[str, Controller]]
Cards = Iterable[tuple[str, Nic]]


class Windows:
    """The Windows in one root. ``version`` is (0, 0) when not known, which counts as a recent one."""

    def __init__(self, store: FactStore, notes: list[str]) -> None:
        self.notes = notes
        os = store.get(OsInfo)
        self.version = windows_version(os)
        self.eleven = os.name.startswith("Windows 11")
        self.drivers: WindowsDrivers | None = None
        self._system: WindowsSystem | None = None
        try:
            self.drivers, self._system = store.get(WindowsDrivers), store.get(WindowsSystem)
        except FactUnavailable as reason:
            self.notes.append(f"it is not known which drivers the guest has: {reason.where}: {reason.reason}")

    def before(self, version: tuple[int, int]) -> bool:
        """Whether it is older than ``version``."""
        return (0, 0) < self.version < version

    @property
    def local_clock(self) -> bool:
        """Whether it keeps the hardware clock in local time."""
        return self._system is None or not self._system.utc_clock

    @property
    def zone(self) -> str:
        """Its time zone as a TZ variable of POSIX; empty when not known."""
        return self._system.zone if self._system else ""

    def disk(self, offers: Offers) -> str:
        """The first bus whose driver certainly starts at boot; else the usual one for its age."""
        for bus, controller in offers if self.drivers else ():
            verdict = self.drivers.controller(controller) if self.drivers else None
            if verdict is not None and verdict.usable:
                return bus
            self.notes += [f"no {controller.name} disks: {verdict.reason}"] if verdict else []
        bus, name = ("ide", "IDE") if self.before(EIGHT) else ("sata", "SATA")
        self.notes.append(f"{name} disks, which Windows of this age usually boots from; no driver is certain to start at boot")
        return bus

    def card(self, virtio: Nic, others: Cards) -> str:
        """virtio-net if its driver is installed or staged, else a card that this Windows has, or usually ships, a driver for."""
        drivers, known = self.drivers, dict(others)
        verdict = drivers.nic(virtio) if drivers else None
        if verdict is not None and verdict.usable is not False:
            self.notes += [f"{virtio.name} card: {verdict.reason}"] if verdict.usable is None else []
            return "virtio"
        usual = ("rtl8139", "e1000") if self.before(VISTA) else ("e1000", "e1000e") if self.before(EIGHT) else ("e1000e", "e1000")
        offers = [(model, known[model]) for model in usual]
        certain = [model for model, nic in offers if drivers and drivers.nic(nic).usable]
        model = (certain or list(usual))[0]
        why = f"no {virtio.name} card: {verdict.reason}" if verdict else f"no {virtio.name} card"
        brings = "it has a driver for that" if certain else "Windows of this age usually ships a driver for that"
        self.notes.append(f"{why}; {model}, because {brings}")
        return model

    def is_modern(self, bus: str) -> bool:
        """Whether it runs on PCI Express: Vista or later, with virtio drivers that support virtio 1.0 devices."""
        if self.before(VISTA):
            self.notes.append("machine type pc: Windows of this age was not made for PCI Express and AHCI")
            return False
        driver = {"virtio": "viostor", "scsi": "vioscsi"}.get(bus)
        if driver and self.drivers and not self.drivers.modern(driver):
            self.notes.append(f"machine type pc: {_MODERN_ONLY}")
            return False
        return True

    def has(self, module: str) -> bool:
        """Whether the Windows driver for the hardware that Linux drives with ``module`` is installed."""
        return self.drivers is not None and self.drivers.other(module)
