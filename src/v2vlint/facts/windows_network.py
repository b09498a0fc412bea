"""Network adapters of Windows and the addresses bound to them: by the adapter's GUID, not by its MAC address.

``Services\\Tcpip\\Parameters\\Interfaces\\{GUID}`` has the addresses, ``Control\\Network\\{class}\\{GUID}\\Connection`` the device,
``Enum`` that device with its driver.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from v2vlint.facts.registry import provides
from v2vlint.facts.windows_registry import Registry, RegistryNode, subkeys
from v2vlint.model.place import RegistryKey
from v2vlint.model.target import Nic

CLASS = "{4D36E972-E325-11CE-BFC1-08002BE10318}"
_NETWORK = f"Control\\Network\\{CLASS}"
_INTERFACES = "Services\\Tcpip\\Parameters\\Interfaces"
_NONE = frozenset({"", "0.0.0.0"})
_BY_MODULE = {
    "virtio_net": "PCI\\VEN_1AF4", "hv_netvsc": "VMBUS\\", "xen_netfront": "XEN", "vmxnet3": "PCI\\VEN_15AD", "ena": "PCI\\VEN_1D0F",
    "gve": "PCI\\VEN_1AE0", "e1000": "PCI\\VEN_8086&DEV_10", "e1000e": "PCI\\VEN_8086&DEV_10D3", "8139cp": "PCI\\VEN_10EC&DEV_8139",
    "8139too": "PCI\\VEN_10EC&DEV_8139", "ixgbevf": "PCI\\VEN_8086",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class WindowsAdapter:
    """An adapter that Windows has seen. ``device`` is its PnP instance (``PCI\\VEN_15AD&DEV_07B0…``); ``known`` whether Windows still has
    that device in ``Enum``."""

    guid: str
    name: str
    device: str
    known: bool
    where: RegistryKey

    def fits(self, nic: Nic) -> bool:
        """Whether it is of the model ``nic``."""
        kinds = tuple(_BY_MODULE[module] for modules in nic.any_of for module in modules if module in _BY_MODULE)
        return self.device.upper().startswith(kinds)


@dataclass(frozen=True, slots=True)
class StaticAddress:
    """Addresses that were set by hand. ``adapter`` is None when the adapter itself is not known any more."""

    guid: str
    addresses: tuple[str, ...]
    gateways: tuple[str, ...]
    adapter: WindowsAdapter | None
    where: RegistryKey

    @property
    def name(self) -> str:
        """What Windows calls the connection, or its GUID."""
        return (self.adapter.name if self.adapter else "") or self.guid


@dataclass(frozen=True, slots=True)
class WindowsNetwork:
    """Adapters and static addresses, in the registry's order."""

    adapters: tuple[WindowsAdapter, ...] = ()
    static: tuple[StaticAddress, ...] = ()

    @property
    def ghosts(self) -> tuple[StaticAddress, ...]:
        """Static addresses of adapters that are gone already."""
        return tuple(one for one in self.static if one.adapter is None or not one.adapter.known)


@provides
def parse_windows_network(registry: Registry) -> WindowsNetwork:
    """Read adapters with a device, and interfaces without DHCP."""
    adapters = tuple(_adapters(registry))
    by_guid = {adapter.guid.lower(): adapter for adapter in adapters}
    interfaces = subkeys(registry.control(_INTERFACES))
    static = (_static(node, by_guid.get(node.name.lower())) for node in interfaces if node.number("EnableDHCP") == 0)
    return WindowsNetwork(adapters, tuple(one for one in static if one.addresses))


def _adapters(registry: Registry) -> Iterator[WindowsAdapter]:
    for node in subkeys(registry.control(_NETWORK)):
        connection = node.key("Connection")
        device = connection.text("PnpInstanceID") if connection else ""
        if connection is not None and device and not device.upper().startswith(("ROOT\\", "SW\\", "SWD\\")):
            known = registry.control(f"Enum\\{device}") is not None
            yield WindowsAdapter(node.name, connection.text("Name"), device, known, connection.where)


def _static(node: RegistryNode, adapter: WindowsAdapter | None) -> StaticAddress:
    values = {value.name.lower(): value for value in node.values()}
    addresses = values["ipaddress"].texts if "ipaddress" in values else ()
    gateways = values["defaultgateway"].texts if "defaultgateway" in values else ()
    where = values["ipaddress"].where if "ipaddress" in values else node.where
    kept = tuple(one for one in addresses if one not in _NONE)
    return StaticAddress(node.name, kept, tuple(one for one in gateways if one not in _NONE), adapter, where)
