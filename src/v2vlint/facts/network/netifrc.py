"""Gentoo's netifrc (``/etc/conf.d/net``, ``net.example``)::

    vlans_enp3s0="10"
    config_enp3s0="null"
    config_enp3s0_10="192.0.2.5/24"
    routes_enp3s0_10="default via 192.0.2.1"

An interface is started by its service ``net.NAME``, and is asked for an address by DHCP if nothing is said of it. In the names of variables
every character of an interface name that a shell does not allow there is an underscore.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property

from v2vlint.facts.environment.services import Services
from v2vlint.facts.network.interface import InterfaceConfig, Manager, Method, address_from, kind_of_name
from v2vlint.facts.registry import provides
from v2vlint.facts.syntax.edit_lines import slice_token
from v2vlint.facts.syntax.ini import words_of
from v2vlint.facts.syntax.shell_vars import ShellVars, shell_vars_from
from v2vlint.guest.fs import GuestFS
from v2vlint.guest.text import GuestText
from v2vlint.model.dataclass import dataclass
from v2vlint.model.place import Span, Token, WholeFile

PATH = "/etc/conf.d/net"
MAX_NAMES = 200
_CONFIG = re.compile(r"(?:config|bridge|slaves)_(\w+)")
_VLANS = re.compile(r"vlans_(\w+)")
# Options of a bridge or a port, whose name comes last.
_BRIDGED = re.compile(r"bridge_(?:add|forward_delay|hello_time|stp_state|max_age|ageing_time|priority|path_cost)_\w+")
_ROUTE = re.compile(r"default\s+(?:via|gw)\s+([\w.:]+)")
_DHCP = frozenset({"dhcp", "dhcpcd", "dhclient", "udhcpc", "pump", "dhcpv6", "dhclientv6"})
_NOT_DHCP = frozenset({"null", "noop", "apipa", "adsl", "ppp"})


@dataclass(frozen=True, slots=True)
class Netifrc:
    """The interfaces that ``/etc/conf.d/net`` configures or a service starts."""

    interfaces: tuple[InterfaceConfig, ...] = ()
    malformed: tuple[Span, ...] = ()


@provides
def parse_netifrc(fs: GuestFS, services: Services) -> Netifrc:
    """The guest's ``/etc/conf.d/net``. A missing file counts as empty."""
    text = fs.text(PATH)
    vars_ = shell_vars_from(text if text is not None else GuestText(PATH, ""))
    return Netifrc(tuple(_Reader(vars_, services).interfaces()), vars_.malformed)


class _Reader:
    def __init__(self, vars_: ShellVars, services: Services) -> None:
        self.vars, self.services = vars_, services

    @cached_property
    def started(self) -> dict[str, str]:
        """The interfaces that services start, by their names in variables."""
        names = sorted(name.removeprefix("net.") for name in self.services.enabled if name.startswith("net."))
        return {re.sub(r"\W", "_", name): name for name in names[:MAX_NAMES] if name != "lo"}

    @cached_property
    def vlans(self) -> dict[str, tuple[str, Token]]:
        """The name and the card of every VLAN, by its name in variables."""
        found: dict[str, tuple[str, Token]] = {}
        for var in self.vars.matching(_VLANS):
            key = var.key.removeprefix("vlans_")
            parent = Token(self.started.get(key, key), _part(var.where, "vlans_", key))
            for word in words_of(var.value):
                own = self.vars.text(f"{key}_vlan{word.value}_name") or self.vars.text(f"vlan{word.value}_name")
                name = own or f"{parent.value}.{word.value}"
                found[re.sub(r"\W", "_", name)] = (name, parent)
        return dict(list(found.items())[:MAX_NAMES])

    def interfaces(self) -> Iterator[InterfaceConfig]:
        """Every interface once: those with settings in their order, then those that a service starts without any."""
        places: dict[str, Span] = {}
        for var in self.vars.matching(_CONFIG):
            kind, _underscore, key = var.key.partition("_")
            if not _BRIDGED.fullmatch(var.key):
                places.setdefault(key, _part(var.where, f"{kind}_", key))
        for key in list(places)[:MAX_NAMES]:
            yield self.interface(key, places[key])
        for key, name in self.started.items():
            if key not in places:
                for place in self.services.link_files(f"net.{name}")[:1]:
                    yield self.interface(key, _start(place))

    def interface(self, key: str, place: Span) -> InterfaceConfig:
        """The interface whose name in variables is ``key``."""
        name, parent = self.vlans.get(key, (self.started.get(key, key), None))
        config = self.vars.get(f"config_{key}")
        words = words_of(config) if config else ()
        addresses = tuple(address for word in words if (address := address_from(word.value, word.where)) is not None)
        dhcp = not words or any(word.value in _DHCP for word in words)
        lower = self.vars.get(f"bridge_{key}") or self.vars.get(f"slaves_{key}")
        bridge = self.vars.get(f"bridge_add_{key}")
        starter = parent.value if parent else name
        return InterfaceConfig(
            manager=Manager.NETIFRC,
            where=place,
            kind=self.kind(key, name),
            names=(Token(name, place),),
            method=Method.STATIC if addresses and not dhcp else Method.DHCP if dhcp else Method.NONE,
            addresses=addresses,
            gateways=tuple(self.gateways(key)),
            autostart=self.services.starts(f"net.{starter}") is not False,
            uses=(*(words_of(lower) if lower else ()), *((parent,) if parent else ())),
            master=bridge,
            brings_up=True,
        )

    def kind(self, key: str, name: str) -> str:
        """What the settings make of it."""
        if key in self.vlans:
            return "vlan"
        made = next((kind for prefix, kind in (("bridge", "bridge"), ("slaves", "bond")) if self.vars.get(f"{prefix}_{key}")), "")
        return made or kind_of_name(name)

    def gateways(self, key: str) -> Iterator[Token]:
        """The default routes."""
        routes = self.vars.get(f"routes_{key}")
        for match in _ROUTE.finditer(routes.value) if routes else ():
            if routes:
                yield slice_token(routes, match.start(1), match.end(1))


def _part(where: Span, prefix: str, key: str) -> Span:
    """The place of ``key`` in the name of a variable that starts at ``where``."""
    start, column = where.start + len(prefix), where.column + len(prefix)
    return Span(where.path, start, start + len(key), where.line, column)


def _start(place: WholeFile) -> Span:
    return Span(place.path, 0, 0, 1)
