"""systemd-networkd: .network and .netdev files (systemd.network(5), systemd.netdev(5))::

[Match]
Name=ens192
[Network]
Address=192.0.2.5/24
Gateway=192.0.2.1
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from v2vlint.facts.network.interface import Address, InterfaceConfig, InterfaceEdits, Manager, Method, address_from, kind_of_name, mac_token
from v2vlint.facts.network.match import MatchKey
from v2vlint.facts.network.systemd_match import live_units, match_of
from v2vlint.facts.network.udev_version import UdevVersion
from v2vlint.facts.registry import provides
from v2vlint.facts.syntax.edit_lines import delete_all, insert_line_after, replace_token
from v2vlint.facts.syntax.ini import IniSection, words_of
from v2vlint.facts.syntax.systemd_unit import Unit, boolean, in_containers_only, read_units, same_file, section_places, setting_places
from v2vlint.guest.fs import GuestFS
from v2vlint.model.dataclass import dataclass
from v2vlint.model.fix import ReplaceText
from v2vlint.model.place import Span, Token

ANY_CARD = "en* eth*"
_FAMILIES = {"ipv4": True, "ipv6": True, "v4": True, "v6": True, "both": True, "none": False}
"""The values of ``DHCP=`` besides booleans, some of them old; any other spelling is ignored (config_parse_dhcp)."""
_MEMBER = ("Bridge", "Bond", "VRF", "BatmanAdvanced")
_STACKED = ("VLAN", "MACVLAN", "IPVLAN", "MACVTAP", "Xfrm", "Tunnel", "VXLAN", *_MEMBER)
_DRIVERS = {"veth": "veth", "bridge": "bridge", "tun": "tunnel", "bonding": "bond", "dummy": "dummy"}
# "If the specified address is 0.0.0.0 (or ::), a new address range is taken from a pool": systemd.network(5).
_POOLS = ("0.0.0.0/", "::/")
_ANYWHERE = ("", "0.0.0.0/0", "::/0")
_TYPES = {"wlan": "wifi", "wwan": "wwan", "loopback": "loopback", "bond": "bond", "bridge": "bridge", "vlan": "vlan", "sit": "tunnel"}


@dataclass(frozen=True, slots=True)
class NetDev:
    """A virtual device that networkd creates."""

    name: Token
    kind: str
    where: Span


@dataclass(frozen=True, slots=True)
class Networkd:
    """systemd-networkd's configuration in the order the files are tried. ``unmanaged`` excludes matching cards from it."""

    interfaces: tuple[InterfaceConfig, ...] = ()
    unmanaged: tuple[InterfaceConfig, ...] = ()
    netdevs: tuple[NetDev, ...] = ()
    malformed: tuple[Span, ...] = ()


@provides
def parse_networkd(fs: GuestFS, version: UdevVersion) -> Networkd:
    """All .network and .netdev files that can apply in a virtual machine; whether networkd runs is a separate fact."""
    devices = [unit for unit in read_units(fs, ".netdev") if not in_containers_only(unit)]
    netdevs = tuple(netdev for unit in devices if (netdev := _netdev(unit)) is not None)
    units = live_units(fs, ".network", version)
    kinds = {netdev.name.value: netdev.kind for netdev in netdevs}
    users = _users(units)
    found = tuple(_interface(unit, kinds, users, version) for unit in units if not _unmanaged(unit))
    hands_off = tuple(_interface(unit, kinds, users, version) for unit in units if _unmanaged(unit))
    return Networkd(found, hands_off, netdevs, tuple(place for unit in (*devices, *units) for place in unit.ini.malformed))


def _netdev(unit: Unit) -> NetDev | None:
    name, kind = unit.get("NetDev", "Name"), unit.get("NetDev", "Kind")
    return NetDev(name, kind.value, unit.head) if name and kind else None


def _unmanaged(unit: Unit) -> bool:
    return unit.boolean("Link", "Unmanaged") is True


def _users(units: Iterable[Unit]) -> dict[str, list[Token]]:
    """For every stacked device, the names of the interfaces below it."""
    users: dict[str, list[Token]] = {}
    for unit in units:
        for device in unit.words("Network", *_STACKED):
            users.setdefault(device.value, []).extend(unit.words("Match", "Name"))
    return users


def _interface(unit: Unit, kinds: dict[str, str], users: dict[str, list[Token]], version: UdevVersion) -> InterfaceConfig:
    names = unit.words("Match", "Name")
    macs = [word for word in unit.words("Match", "MACAddress", "PermanentMACAddress") if mac_token(word)]
    addresses = _addresses(unit)
    members = unit.words("Network", *_MEMBER)
    return InterfaceConfig(
        manager=Manager.NETWORKD,
        where=unit.head,
        kind=_kind(unit, names, kinds),
        names=names,
        mac=macs[0] if macs else None,
        hardware=unit.words("Match", "Driver", "Path"),
        set_mac=mac_token(unit.get("Link", "MACAddress")),
        method=_method(unit, addresses),
        addresses=addresses,
        no_default_route=_no_default_route(unit),
        gateways=unit.words("Network", "Gateway") + tuple(_default_gateways(unit)),
        dns=unit.words("Network", "DNS"),
        autostart=not _manual(unit),
        uses=tuple(token for name in names for token in users.get(name.value, ())),
        master=members[0] if members else None,
        mtu=unit.get("Link", "MTUBytes"),
        conditions=match_of(unit, MatchKey.ANY_NAME, version),
        carries=unit.words("Network", *_STACKED),
        order=unit.name,
        edits=InterfaceEdits(_match_any(names), _drop_mac(unit, names, macs), _to_dhcp(unit, addresses)),
    )


def _kind(unit: Unit, names: tuple[Token, ...], kinds: dict[str, str]) -> str:
    driver = unit.get("Match", "Driver")
    if driver and driver.value in _DRIVERS:
        return _DRIVERS[driver.value]
    kind = unit.get("Match", "Kind")
    if kind and not kind.value.startswith("!"):
        return kind.value
    type_ = unit.get("Match", "Type")
    if type_ and type_.value in _TYPES:
        return _TYPES[type_.value]
    return (kinds.get(names[0].value) or kind_of_name(names[0].value)) if len(names) == 1 else "ethernet"


def _method(unit: Unit, addresses: tuple[Address, ...]) -> Method:
    asked = (_FAMILIES.get(token.value, boolean(token.value)) for token in reversed(unit.ini.all("Network", "DHCP")))
    if next((value for value in asked if value is not None), False):
        return Method.DHCP
    return Method.STATIC if addresses else Method.NONE


def _no_default_route(unit: Unit) -> bool:
    """``UseGateway=``, which is that of ``UseRoutes=`` where it is not said or empty; the sections had other names once."""
    places = ((section, key) for key in ("UseGateway", "UseRoutes") for section in ("DHCPv4", "DHCP"))
    asked = (unit.boolean(section, key) for section, key in places if key == "UseRoutes" or unit.get(section, key))
    return next((value for value in asked if value is not None), True) is False


def _manual(unit: Unit) -> bool:
    policy = unit.get("Link", "ActivationPolicy")
    return policy is not None and policy.value in {"manual", "always-down", "down"}


def _addresses(unit: Unit) -> tuple[Address, ...]:
    words = (word for word in (*unit.words("Network", "Address"), *unit.words("Address", "Address")) if not word.value.startswith(_POOLS))
    return tuple(address for word in words if (address := address_from(word.value, word.where)) is not None)


def _match_any(names: tuple[Token, ...]) -> tuple[ReplaceText, ...]:
    return tuple(replace_token(name, ANY_CARD) for name in names) if len(names) == 1 else ()


def _drop_mac(unit: Unit, names: tuple[Token, ...], macs: list[Token]) -> tuple[ReplaceText, ...]:
    keys = ("MACAddress", "PermanentMACAddress")
    places = setting_places(unit, "Match", keys)
    if not macs or len(places) != 1:
        return ()
    text = unit.text_of(places[0])
    if names:
        return delete_all(text, places)
    return (ReplaceText(places[0], text.content[places[0].start : places[0].end], f"Name={ANY_CARD}"),)


def _default_sections(unit: Unit) -> list[IniSection]:
    """Route sections without a destination; those with one are not default routes."""
    return [section for section in unit.ini.named("Route") if (to := section.get("Destination")) is None or to.value in _ANYWHERE]


def _default_gateways(unit: Unit) -> Iterator[Token]:
    for section in _default_sections(unit):
        yield from words_of(gateway) if (gateway := section.get("Gateway")) else ()


def _default_routes(unit: Unit) -> tuple[Span, ...]:
    """The places of the sections of default routes."""
    sections = _default_sections(unit)
    return tuple(place for section in sections for place in (section.where, *(setting.where for setting in section.settings)))


def _to_dhcp(unit: Unit, addresses: tuple[Address, ...]) -> tuple[ReplaceText, ...]:
    header = next(iter(unit.ini.named("Network")), None)
    if not addresses or header is None:
        return ()
    places = setting_places(unit, "Network", ("Address", "Gateway", "DNS")) + section_places(unit, ("Address",)) + _default_routes(unit)
    edits = [edit for text in unit.texts for edit in delete_all(text, (place for place in places if place.path == text.path))]
    dhcp = unit.ini.get("Network", "DHCP")
    if dhcp is None:
        edits.append(insert_line_after(unit.text_of(header.where), header.where, "DHCP=yes"))
    else:
        edits.append(replace_token(dhcp, "yes"))
    return same_file(edits)
