"""Filter drivers that Windows attaches to every device of a class: ``UpperFilters`` and ``LowerFilters`` of ``Control\\Class\\{GUID}``."""

from __future__ import annotations

from collections.abc import Iterator

from v2vlint.facts.registry import provides
from v2vlint.facts.windows.guest_tools import family_of_filter
from v2vlint.facts.windows.registry import Registry, RegistryValue, set_value, subkeys
from v2vlint.facts.windows.services import BOOT, DISABLED, WindowsService, WindowsServices
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import FactUnavailable
from v2vlint.model.fix import RegistrySet
from v2vlint.model.place import RegistryKey
from v2vlint.model.registry import multi_sz

DISK_CLASSES = {
    "{4d36e967-e325-11ce-bfc1-08002be10318}": "disks",
    "{4d36e97b-e325-11ce-bfc1-08002be10318}": "SCSI controllers",
    "{4d36e96a-e325-11ce-bfc1-08002be10318}": "IDE and SATA controllers",
    "{71a27cdd-812a-11d0-bec7-08002be2092f}": "volumes",
    "{4d36e97d-e325-11ce-bfc1-08002be10318}": "system devices",
}
"""The classes that Windows needs to reach its system disk."""
MACHINE_CLASSES = {
    "{36fc9e60-c465-11cf-8056-444553540000}": "USB controllers",
    "{4d36e965-e325-11ce-bfc1-08002be10318}": "CD-ROM drives",
    "{4d36e968-e325-11ce-bfc1-08002be10318}": "displays",
    "{4d36e96b-e325-11ce-bfc1-08002be10318}": "keyboards",
    "{4d36e96c-e325-11ce-bfc1-08002be10318}": "sound devices",
    "{4d36e96e-e325-11ce-bfc1-08002be10318}": "monitors",
    "{4d36e96f-e325-11ce-bfc1-08002be10318}": "mice",
    "{4d36e972-e325-11ce-bfc1-08002be10318}": "network adapters",
    "{4d36e978-e325-11ce-bfc1-08002be10318}": "ports",
    "{50127dc3-0f36-415e-a6cc-4cb3be910b65}": "processors",
    "{745a17a0-74d3-11d0-b6fe-00a0c90f57da}": "input devices",
    "{d94ee5d8-d189-4994-83d2-f68d7d41b0e6}": "security devices",
}
"""Other classes with devices in virtual machines. Filters in the remaining ones (infrared, tape, modems…) have no effect there."""


_MICROSOFT = frozenset(
    {
        "partmgr", "volsnap", "fvevol", "iorate", "rdyboost", "ehstorclass", "volmgrx", "ftdisk", "ksthunk", "kbdclass", "mouclass",
        "storqosflt", "vwififlt", "wudffilter", "pciidex", "atapi", "imapi", "redbook", "cdrom", "serenum", "swenum", "wdf01000", "wdfldr",
        "bttflt", "winhv",
    }
)  # fmt: skip
"""Filters that ship with Windows (class keys of fresh installations of XP to Server 2025)."""


@dataclass(frozen=True, slots=True)
class ClassFilter:
    """A filter: ``service`` is None when no service has its name. ``kind`` is the class as text, or its GUID when virtual machines have no
    devices of it. ``broken`` says why its file is not a driver for this Windows, checked for classes that a disk depends on."""

    name: str
    kind: str
    for_disks: bool
    service: WindowsService | None
    value: RegistryValue
    broken: str = ""

    @property
    def matters(self) -> bool:
        """Whether virtual machines have devices of its class."""
        return not self.kind.startswith("{")

    @property
    def family(self) -> str:
        """The family of hypervisor tools it belongs to (``xen``, ``vmware-tools``…), or an empty string."""
        return family_of_filter(self.name)

    @property
    def is_microsoft(self) -> bool:
        """Whether it ships with Windows, which does not work without it: if its file is missing, that is the fault and not the list."""
        return self.name.lower() in _MICROSOFT

    @property
    def where(self) -> RegistryKey:
        """The place of the list that contains it."""
        return self.value.where

    @property
    def without(self) -> RegistrySet:
        """The edit that removes it from its list."""
        left = (name for name in self.value.texts if name.lower() != self.name.lower())
        return set_value(self.where, multi_sz(left), self.value)

    @property
    def problem(self) -> str:
        """Why it cannot start, as text; empty when it can."""
        if self.service is None:
            return "is not a service"
        if self.service.effective == DISABLED:
            return "is disabled"
        return self.broken if self.service.present else f"has no file {self.service.image}"

    @property
    def late(self) -> bool:
        """Whether it starts only after the disk is needed: the devices of these classes then wait for it."""
        return self.for_disks and self.service is not None and self.service.effective != BOOT


@dataclass(frozen=True, slots=True)
class ClassFilters:
    """All class filters."""

    filters: tuple[ClassFilter, ...] = ()

    def named(self, *names: str) -> tuple[ClassFilter, ...]:
        """The filters called one of ``names`` (in lower case)."""
        return tuple(one for one in self.filters if one.name.lower() in names)


@provides
def parse_filters(registry: Registry, services: WindowsServices) -> ClassFilters:
    """Read the filters of every class."""
    return ClassFilters(tuple(_filters(registry, services)))


def _filters(registry: Registry, services: WindowsServices) -> Iterator[ClassFilter]:
    for node in subkeys(registry.control("Control\\Class")):
        disks = DISK_CLASSES.get(node.name.lower(), "")
        kind = disks or MACHINE_CLASSES.get(node.name.lower(), node.name)
        for value in node.values():
            if value.name.lower() not in ("upperfilters", "lowerfilters"):
                continue
            for name in value.texts:
                service = services.get(name)
                broken = _broken(services, service) if disks and service is not None and service.present else ""
                yield ClassFilter(name, kind, bool(disks), service, value, broken)


def _broken(services: WindowsServices, service: WindowsService) -> str:
    try:
        problem = services.unusable(service)
    # An unreadable file is no proof of a broken driver.
    except FactUnavailable:
        return ""
    return f"cannot be loaded: {problem}" if problem else ""
