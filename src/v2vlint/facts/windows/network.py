"""Windows network adapters and their addresses, which are bound to the adapter's GUID rather than its MAC address.

``Services\\Tcpip\\Parameters\\Interfaces\\{GUID}`` contains the addresses, ``Control\\Network\\{class}\\{GUID}\\Connection`` the device,
``Enum`` that device and its driver.
"""

from __future__ import annotations

from collections.abc import Iterator

from v2vlint.facts.registry import provides
from v2vlint.facts.windows.registry import Registry, RegistryNode, RegistryValue, subkeys
from v2vlint.model.dataclass import dataclass
from v2vlint.model.place import RegistryKey
from v2vlint.model.target import Nic

CLASS = "{4D36E972-E325-11CE-BFC1-08002BE10318}"
_NETWORK = f"Control\\Network\\{CLASS}"
_INTERFACES = "Services\\Tcpip\\Parameters\\Interfaces"
MAX_ADDRESSES = 64
_SOFTWARE = ("ROOT\\", "SW\\", "SWD\\", "COMPOSITEBUS\\", "{")
_STACKED = {
    "ROOT\\VMS_MP": "a virtual switch of Hyper-V", "ROOT\\VMS_VSMP": "a virtual switch of Hyper-V", "ROOT\\NETFT": "the failover cluster",
    "COMPOSITEBUS\\MS_IMPLAT_MP": "a team of network adapters", "ROOT\\MS_NDISIMPLATFORMMP": "a team of network adapters",
    "COMPOSITEBUS\\MS_NDISIMPLATFORM": "a team of network adapters",
}  # fmt: skip
TEAMS = frozenset({"a virtual switch of Hyper-V", "a team of network adapters"})
"""Connections that need physical adapters as members."""
_NONE = frozenset({"", "0.0.0.0"})
_BY_MODULE = {
    "virtio_net": "PCI\\VEN_1AF4", "hv_netvsc": "VMBUS\\", "xen_netfront": "XEN", "vmxnet3": "PCI\\VEN_15AD", "ena": "PCI\\VEN_1D0F",
    "gve": "PCI\\VEN_1AE0", "e1000": "PCI\\VEN_8086&DEV_100E", "e1000e": "PCI\\VEN_8086&DEV_10D3", "8139cp": "PCI\\VEN_10EC&DEV_8139",
    "8139too": "PCI\\VEN_10EC&DEV_8139", "ixgbevf": "PCI\\VEN_8086",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class WindowsAdapter:
    """An adapter that Windows has seen. ``device`` is its PnP instance (``PCI\\VEN_15AD&DEV_07B0…``); ``known`` says whether that device is
    still in ``Enum``."""

    guid: str
    name: str
    device: str
    known: bool
    where: RegistryKey

    def fits(self, nic: Nic) -> bool:
        """Whether it is of the model ``nic``: by PCI IDs if the model has them, else by the Windows drivers for its modules."""
        named = (id.upper().partition(":") for id in nic.ids)
        kinds = tuple(f"PCI\\VEN_{vendor}&DEV_{device}" for vendor, _colon, device in named)
        known = tuple(_BY_MODULE[module] for modules in nic.any_of for module in modules if module in _BY_MODULE)
        return self.device.upper().startswith(kinds or known)


@dataclass(frozen=True, slots=True)
class WindowsInterface:
    """The settings in ``Interfaces\\{GUID}``: ``dhcp`` is None when not stated; ``masks`` correspond to ``addresses``."""

    guid: str
    name: str
    dhcp: bool | None
    addresses: tuple[str, ...]
    masks: tuple[str, ...]
    gateways: tuple[str, ...]
    dns: tuple[str, ...]
    where: RegistryKey
    address_at: RegistryKey


@dataclass(frozen=True, slots=True)
class ManualAddress:
    """Addresses set by hand. ``adapter`` is None when the adapter itself is no longer known."""

    guid: str
    addresses: tuple[str, ...]
    gateways: tuple[str, ...]
    adapter: WindowsAdapter | None
    where: RegistryKey
    device: str = ""

    @property
    def is_software(self) -> bool:
        """Whether its adapter is not hardware: a loopback adapter, a team, a virtual switch, a VPN."""
        return self.device.upper().startswith(_SOFTWARE)

    @property
    def stacked_on(self) -> str:
        """What kind of connection sits on physical adapters, as text; empty for hardware and for software that needs none."""
        return _stacked(self.device)

    @property
    def name(self) -> str:
        """The connection's name in Windows, or its GUID."""
        return (self.adapter.name if self.adapter else "") or self.guid


@dataclass(frozen=True, slots=True)
class StackedAdapter:
    """A team or a virtual switch; ``kind`` says which, as text."""

    name: str
    kind: str
    where: RegistryKey


@dataclass(frozen=True, slots=True)
class WindowsNetwork:
    """Adapters, static addresses and stacked connections, in registry order."""

    adapters: tuple[WindowsAdapter, ...] = ()
    static: tuple[ManualAddress, ...] = ()
    stacks: tuple[StackedAdapter, ...] = ()

    @property
    def ghosts(self) -> tuple[ManualAddress, ...]:
        """Static addresses of adapters that no longer exist. Software recreates its own adapters, if it is still installed."""
        return tuple(one for one in self.static if not one.is_software and (one.adapter is None or not one.adapter.known))


@provides
def parse_windows_network(registry: Registry) -> WindowsNetwork:
    """Read adapters that have a device, and interfaces without DHCP."""
    adapters = tuple(_adapters(registry))
    by_guid = {adapter.guid.lower(): adapter for adapter in adapters}
    found = interfaces(registry.system, registry.control_set)
    devices = {node.name.lower(): _device(node) for node in subkeys(registry.control(_NETWORK))}
    static = (_static(one, by_guid.get(one.guid.lower()), devices.get(one.guid.lower(), "")) for one in found if one.dhcp is False)
    return WindowsNetwork(adapters, tuple(one for one in static if one.addresses), tuple(_stacks(registry)))


def _stacked(device: str) -> str:
    return next((words for start, words in _STACKED.items() if device.upper().startswith(start)), "")


def _stacks(registry: Registry) -> Iterator[StackedAdapter]:
    for node in subkeys(registry.control(_NETWORK)):
        connection, kind = node.key("Connection"), _stacked(_device(node))
        if connection is not None and kind in TEAMS:
            yield StackedAdapter(connection.text("Name") or node.name, kind, connection.where)


def interfaces(system: RegistryNode, control_set: str) -> Iterator[WindowsInterface]:
    """The TCP/IP settings of every interface, with the connection's name where one is known."""
    for node in subkeys(system.key(f"{control_set}\\{_INTERFACES}")):
        values = {value.name.lower(): value for value in node.values()}
        connection = system.key(f"{control_set}\\{_NETWORK}\\{node.name}\\Connection")
        dhcp = values["enabledhcp"].number if "enabledhcp" in values else None
        servers = ",".join(_texts(values.get("nameserver"))).replace(" ", ",").split(",")  # separated by commas or blanks
        yield WindowsInterface(
            node.name,
            connection.text("Name") if connection else "",
            None if dhcp is None else dhcp != 0,
            _texts(values.get("ipaddress")),
            _texts(values.get("subnetmask")),
            _texts(values.get("defaultgateway")),
            tuple(server for server in servers if server),
            node.where,
            values["ipaddress"].where if "ipaddress" in values else node.where,
        )


def _texts(value: RegistryValue | None) -> tuple[str, ...]:
    return tuple(text.strip() for text in value.texts[:MAX_ADDRESSES]) if value else ()


def _device(node: RegistryNode) -> str:
    connection = node.key("Connection")
    return connection.text("PnpInstanceID") if connection else ""


def _adapters(registry: Registry) -> Iterator[WindowsAdapter]:
    for node in subkeys(registry.control(_NETWORK)):
        connection = node.key("Connection")
        device = _device(node)
        if connection is not None and device and not device.upper().startswith(_SOFTWARE):
            known = registry.control(f"Enum\\{device}") is not None
            yield WindowsAdapter(node.name, connection.text("Name"), device, known, connection.where)


def _static(one: WindowsInterface, adapter: WindowsAdapter | None, device: str) -> ManualAddress:
    kept = tuple(text for text in one.addresses if text not in _NONE)
    return ManualAddress(one.guid, kept, tuple(text for text in one.gateways if text not in _NONE), adapter, one.address_at, device)
