"""Configured network interfaces, of any network manager."""

from __future__ import annotations

from v2vlint.facts.network.interface import InterfaceConfig
from v2vlint.facts.network.network import Network
from v2vlint.facts.registry import FactStore
from v2vlint.model.machine import NetworkInterface

MAX_INTERFACES = 1000


def interfaces(store: FactStore) -> tuple[NetworkInterface, ...]:
    """Interfaces of managers that run, then those that nothing brings up, without loopback. FactUnavailable when unknown."""
    network = store.get(Network)
    found = [_interface(one, one.autostart) for one in network.interfaces if one.kind != "loopback"]
    found += [_interface(one, False) for one in network.unread if one.kind != "loopback"]
    return tuple(found[:MAX_INTERFACES])


def _interface(one: InterfaceConfig, active: bool) -> NetworkInterface:
    mac = one.mac or one.set_mac
    return NetworkInterface(
        name=", ".join(token.value for token in one.names) or (one.renamed_to.value if one.renamed_to else ""),
        kind=one.kind,
        manager=one.manager.value,
        method=one.method.value,
        mac=mac.value if mac else "",
        addresses=tuple(map(str, one.addresses)),
        gateways=tuple(token.value for token in one.gateways),
        dns=tuple(token.value for token in one.dns),
        uses=tuple(token.value for token in one.uses),
        active=active,
        where=one.where.path,
    )
