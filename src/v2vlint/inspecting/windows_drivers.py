"""The drivers a Windows has and is configured to use, from services and their bindings: the counterpart of a Linux kernel's modules."""

from __future__ import annotations

from collections.abc import Iterator

from v2vlint.facts.registry import FactStore
from v2vlint.facts.windows.agents import WindowsAgents, starts
from v2vlint.facts.windows.drivers import WindowsDrivers
from v2vlint.facts.windows.hardware import OTHERS, storage_drivers
from v2vlint.facts.windows.network import WindowsNetwork
from v2vlint.facts.windows.programs import WindowsPrograms, WindowsTools
from v2vlint.facts.windows.registry import Registry
from v2vlint.facts.windows.services import BOOT, WindowsService, WindowsServices
from v2vlint.inspecting.kernels import CAPABILITIES, is_network, is_storage
from v2vlint.model.machine import Agent, Driver, DriverInUse, InstalledKernel
from v2vlint.model.osinfo import OsInfo
from v2vlint.model.target import Controller, Nic

# Hardware: adapters of software are below ROOT and SWD.
_BUSES = ("PCI\\", "VMBUS\\", "XEN", "USB\\")
_ADAPTERS = (
    "iaStorA", "iaStorAC", "iaStorAV", "iaStorAVC", "iaStorV", "iaStorVD", "vmd", "LSI_SAS2", "LSI_SAS2i", "LSI_SAS3", "LSI_SAS3i",
    "megasas2i", "megasas35i", "percsas2i", "percsas3i", "SmartSAMD", "HpSAMD", "HpCISSs2", "arcsas", "aacraid", "adpahci", "amdsata",
    "amdsbs", "amd_sata", "nvraid", "nvstor", "storufs", "prl_strg",
)  # fmt: skip
"""Drivers of disk controllers that no target has."""


def windows_kernel(store: FactStore) -> tuple[InstalledKernel, ...]:
    """The one kernel. A storage driver counts as a module when the system disk can be behind it, i.e. it starts at boot."""
    os = store.get(OsInfo)
    image = f"{os.system_root}/System32/ntoskrnl.exe"
    drivers = tuple(Driver(name, _state(store, name, module)) for name, module in CAPABILITIES.items())
    return (InstalledKernel(os.version, image, default=True, drivers=drivers),)


def _state(store: FactStore, name: str, module: str) -> str:
    drivers = store.get(WindowsDrivers)
    usable: bool | None = None
    if is_storage(module):
        usable = drivers.controller(Controller(name, "", ((module,),))).usable
    elif is_network(module):
        usable = drivers.nic(Nic(name, ((module,),))).usable
    elif module in OTHERS:
        usable = drivers.other(module)
    return {True: "module", False: "absent", None: "unknown"}[usable]


def windows_in_use(store: FactStore) -> tuple[DriverInUse, ...]:
    """The disk drivers that start at boot, and the drivers of the network adapters that Windows knows."""
    services = store.get(WindowsServices)
    named = services.named(*(name for name in (*storage_drivers(), *_ADAPTERS) if name != "vmbus"))
    disks = (DriverInUse(one.name, "storage", str(one.where)) for one in named if _boots(one))
    return tuple(dict.fromkeys((*disks, *_cards(store))))


def _boots(service: WindowsService) -> bool:
    return service.effective == BOOT and service.present


def _cards(store: FactStore) -> Iterator[DriverInUse]:
    registry = store.get(Registry)
    for adapter in store.get(WindowsNetwork).adapters:
        device = registry.control(f"Enum\\{adapter.device}") if adapter.device.upper().startswith(_BUSES) else None
        if device is not None and (name := device.text("Service")):
            yield DriverInUse(name, "network", str(device.where))


def windows_agents(store: FactStore) -> tuple[Agent, ...]:
    """Tools of hypervisors and clouds, installed or left over."""
    found = (_tools(kind, tools) for kind, tools in store.get(WindowsPrograms).tools if tools.where is not None)
    own = (Agent(family, one.name, starts(one)) for family, one in store.get(WindowsAgents).services)
    return (*found, *own)


def _tools(kind: str, tools: WindowsTools) -> Agent:
    name = tools.programs[0].title if tools.programs else tools.services[0].name
    return Agent(kind, name, any(map(starts, tools.services)))
