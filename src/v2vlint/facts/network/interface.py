"""One network interface as configured by a network manager: the common result of every manager's parser."""

from __future__ import annotations

import enum
import ipaddress
import re

from v2vlint.facts.network.match import Match, MatchKey, any_of
from v2vlint.facts.network.names import IfNameKind, ifname_kind, is_glob
from v2vlint.model.dataclass import dataclass
from v2vlint.model.fix import ReplaceText
from v2vlint.model.mac import plain_mac
from v2vlint.model.place import Span, Token

_MAC = re.compile(r"[0-9a-fA-F]{1,2}(?:[:-][0-9a-fA-F]{1,2}){5}|[0-9a-fA-F]{4}(?:\.[0-9a-fA-F]{4}){2}")
NO_CARD = frozenset({"loopback", "wifi", "wwan", "modem", "vpn", "tunnel", "dummy", "veth", "other", "infiniband"})
"""Kinds of interfaces that are no way into the guest."""


class Manager(enum.StrEnum):
    """The programs that configure interfaces at boot."""

    NETWORKD = "systemd-networkd"
    NETWORK_MANAGER = "NetworkManager"
    NETPLAN = "netplan"
    IFUPDOWN = "ifupdown"
    NETWORK_SCRIPTS = "network-scripts"
    WICKED = "wicked"
    NETIFRC = "netifrc"
    DHCPCD = "dhcpcd"


class Method(enum.StrEnum):
    """How an interface gets its address; NONE means deliberately none (a bridge port, a bond member, ``manual``)."""

    DHCP = "dhcp"
    STATIC = "static"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Address:
    """A configured address; ``prefix`` is None when the file does not state it. ``where`` is the place of the address itself."""

    ip: str
    prefix: int | None
    where: Span

    def __str__(self) -> str:
        return self.ip if self.prefix is None else f"{self.ip}/{self.prefix}"

    @property
    def version(self) -> int:
        """4 or 6."""
        return 6 if ":" in self.ip else 4


@dataclass(frozen=True, slots=True)
class InterfaceEdits:
    """Ready-made edits, empty where the manager's syntax has none: apply to any card, drop the MAC address, use DHCP."""

    match_any: tuple[ReplaceText, ...] = ()
    drop_mac: tuple[ReplaceText, ...] = ()
    to_dhcp: tuple[ReplaceText, ...] = ()


@dataclass(frozen=True, slots=True)
class InterfaceConfig:
    """One interface configuration.

    ``names`` are the interface names or wildcards it is bound to, ``mac`` the MAC address, ``hardware`` the driver names or bus paths;
    without any of them it applies to every card. ``set_mac`` is a MAC address it assigns to the interface. A name that comes only from the
    *file name* has an empty span at the start of the file. ``uses`` are the interfaces below a bond, bridge or VLAN, ``master`` is the one
    that an ethernet card is a member of. ``kind`` is ``ethernet``, ``bond``, ``bridge``, ``vlan``, ``loopback``, ``wifi``, ``dummy``,
    ``tunnel`` or another type of the manager's. ``ids`` are other identifiers that refer to it (a netplan id, a profile's UUID).
    ``renamed_to`` is the name the manager assigns to the matched card. ``dns`` are servers as written, ``mtu`` is the packet size it sets.

    ``conditions`` are what a card must match, where that is more than ``names``, ``mac`` and ``hardware``. ``brings_up`` says that it
    also starts the interfaces it ``uses``; ``carries`` are the stacked interfaces it names. ``order`` sorts configurations of which a card
    gets only the first match (empty: every match applies). ``renderer`` is the program that brings up what netplan defines. ``single``: it
    applies to one card at a time. ``no_default_route``: it takes none from DHCP.
    """

    manager: Manager
    where: Span
    kind: str = "ethernet"
    names: tuple[Token, ...] = ()
    mac: Token | None = None
    hardware: tuple[Token, ...] = ()
    set_mac: Token | None = None
    renamed_to: Token | None = None
    method: Method = Method.NONE
    addresses: tuple[Address, ...] = ()
    gateways: tuple[Token, ...] = ()
    no_default_route: bool = False
    dns: tuple[Token, ...] = ()
    autostart: bool = True
    uses: tuple[Token, ...] = ()
    master: Token | None = None
    ids: tuple[str, ...] = ()
    mtu: Token | None = None
    conditions: Match | None = None
    brings_up: bool = False
    carries: tuple[Token, ...] = ()
    order: str = ""
    single: bool = False
    renderer: str = ""
    edits: InterfaceEdits = InterfaceEdits()

    @property
    def match(self) -> Match:
        """What a card must match for this configuration to apply."""
        if self.conditions is not None:
            return self.conditions
        return (
            *any_of(MatchKey.NAME, self.names),
            *any_of(MatchKey.MAC, [self.mac] if self.mac else []),
            *any_of(MatchKey.DRIVER, self.hardware),
        )

    @property
    def name(self) -> Token | None:
        """The one interface name it is bound to; None when it is bound to a wildcard, to several names, or not by name."""
        return self.names[0] if len(self.names) == 1 and not is_glob(self.names[0].value) else None

    @property
    def is_virtual(self) -> bool:
        """Whether it is not a card itself: a bond, bridge, VLAN, tunnel, loopback…"""
        return self.kind != "ethernet"

    @property
    def is_way_out(self) -> bool:
        """Whether it brings a default route."""
        return bool(self.gateways) or (self.method is Method.DHCP and not self.no_default_route)

    @property
    def label(self) -> str:
        """Its name in messages: the interface name, else the MAC address, else the manager."""
        name = self.name or (self.names[0] if self.names else None) or self.renamed_to or self.mac
        return name.value if name else f"any interface of {self.manager}"


def is_mac(text: str) -> bool:
    """Whether the text is an ethernet address."""
    return _MAC.fullmatch(text) is not None


def same_mac(one: str, other: str) -> bool:
    """Whether two ethernet addresses are equal, ignoring case and separators."""
    return plain_mac(one) == plain_mac(other)


def mac_token(token: Token | None) -> Token | None:
    """The token if it is an ethernet address (not ``random``, ``permanent``, ``stable``…)."""
    return token if token is not None and is_mac(token.value) else None


def address_from(text: str, where: Span, mask: str = "") -> Address | None:
    """An address from ``192.0.2.5``, ``192.0.2.5/24``, or an address and a mask (``255.255.255.0`` or ``24``); None when invalid."""
    ip, _, prefix = text.partition("/")
    try:
        ipaddress.ip_address(ip)
    except ValueError:
        return None
    return Address(ip, _prefix(prefix or mask, ip), where)


def _prefix(mask: str, ip: str) -> int | None:
    if mask.isdecimal() and len(mask) <= 3:
        return int(mask)
    try:
        return ipaddress.ip_network(f"0.0.0.0/{mask}").prefixlen if mask and ":" not in ip else None
    except ValueError:
        return None


def kind_of_name(name: str) -> str:
    """The kind of an interface of which only the name is known."""
    if name == "lo":
        return "loopback"
    if "." in name or name.startswith("vlan"):
        return "vlan"
    for prefix, kind in (("bond", "bond"), ("team", "team"), ("br", "bridge"), ("vmbr", "bridge"), ("wl", "wifi"), ("dummy", "dummy")):
        if name.startswith(prefix):
            return kind
    return "tunnel" if ifname_kind(name) is IfNameKind.VIRTUAL else "ethernet"
