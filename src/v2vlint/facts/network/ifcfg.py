"""Interface files of Red Hat's network-scripts and NetworkManager's ifcfg-rh plugin, and of SUSE's wicked (ifcfg(5), sysconfig.txt)::

    # /etc/sysconfig/network-scripts/ifcfg-ens192
    DEVICE=ens192
    ONBOOT=yes
    BOOTPROTO=none
    IPADDR=192.0.2.5
    PREFIX=24

Backup copies are recognised as their readers do it: initscripts and wicked skip certain suffixes and read everything else.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import replace

from v2vlint.facts.network.interface import (
    Address,
    InterfaceConfig,
    InterfaceEdits,
    Manager,
    Method,
    address_from,
    is_mac,
    kind_of_name,
    mac_token,
)
from v2vlint.facts.network.names import parent_name
from v2vlint.facts.registry import provides
from v2vlint.facts.syntax.edit_lines import delete_all, replace_token, slice_token
from v2vlint.facts.syntax.ini import words_of
from v2vlint.facts.syntax.shell_vars import ShellVars, is_no, shell_vars_from
from v2vlint.guest.fs import GuestFS
from v2vlint.guest.text import GuestText
from v2vlint.model.dataclass import dataclass
from v2vlint.model.fix import ReplaceText
from v2vlint.model.place import Span, Token

RED_HAT = "/etc/sysconfig/network-scripts"
SUSE = "/etc/sysconfig/network"
MAX_FILES = 500
_IGNORED = (
    "~", ".bak", ".old", ".orig", ".rpmnew", ".rpmorig", ".rpmsave", ".scpmbackup", ".rej", ".augnew", ".augtmp",
)  # fmt: skip
_RANGE = re.compile(r".*-range\d*")  # more addresses for an interface that has a file of its own
_IPADDR = re.compile(r"IPADDR(?:_?\w+)?|IPV6ADDR|IPV6ADDR_SECONDARIES")
_STATIC_KEYS = re.compile(r"(?:IPADDR|NETMASK|PREFIX|PREFIXLEN|NETWORK|BROADCAST|GATEWAY|DNS|DOMAIN|IPV6ADDR|IPV6_DEFAULTGW)(?:_?\w+)?")
_BELOW = re.compile(r"(?:BONDING_SLAVE|BONDING_PORT|TEAM_PORT_DEVICE|OVS_BRIDGE_PORT_DEVICE)_?\w*|ETHERDEVICE|PHYSDEV")
_DHCP = frozenset({"dhcp", "bootp", "dhcp4", "dhcp6", "auto", "autoip"})
_KINDS = {
    "bridge": "bridge", "ovsbridge": "bridge", "bond": "bond", "vlan": "vlan", "team": "team", "loopback": "loopback", "wireless": "wifi",
    "ovsbond": "bond", "ovsintport": "vlan", "ovstunnel": "tunnel", "ovspatchport": "tunnel", "infiniband": "infiniband", "sit": "tunnel",
    "gre": "tunnel", "ipip": "tunnel", "tap": "tunnel", "tun": "tunnel", "dummy": "dummy",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class IfcfgFile:
    """One active ifcfg file. ``reader`` is the manager of its folder; ``nm_controlled`` is its setting for NetworkManager."""

    interface: InterfaceConfig
    vars: ShellVars
    nm_controlled: bool = True


@dataclass(frozen=True, slots=True)
class Ifcfg:
    """All active ifcfg files of both families, loopback included. ``unread`` are copies that no program reads."""

    files: tuple[IfcfgFile, ...] = ()
    unread: tuple[str, ...] = ()
    malformed: tuple[Span, ...] = ()


@provides
def parse_ifcfg(fs: GuestFS) -> Ifcfg:
    """The ifcfg files of both folders; which program reads them is a separate fact."""
    files: list[IfcfgFile] = []
    unread: list[str] = []
    for folder, manager in ((RED_HAT, Manager.NETWORK_SCRIPTS), (SUSE, Manager.WICKED)):
        for path in fs.glob(f"{folder}/ifcfg-*")[:MAX_FILES]:
            text = fs.text(path)
            if path.endswith(_IGNORED):
                unread.append(path)
            elif text is not None:
                files.append(_file(text, manager))
    files = [_with_globals(fs, file) for file in _with_members(files)]
    return Ifcfg(tuple(files), tuple(unread), tuple(place for file in files for place in file.vars.malformed))


def _file(text: GuestText, manager: Manager) -> IfcfgFile:
    vars_ = shell_vars_from(text)
    suffix = text.path.rpartition("/ifcfg-")[2]
    by_file = Token(suffix, text.span(0, 0))
    name, mac = _bound(vars_, by_file, manager)
    kind = _kind(vars_, name.value if name else "")
    addresses = tuple(_addresses(vars_))
    masters: tuple[str, ...] = ("MASTER",) if manager is Manager.WICKED else ("MASTER", "BRIDGE", "TEAM_MASTER")
    # An internal port of Open vSwitch lies on its bridge, not below it.
    masters += ("OVS_BRIDGE",) if manager is not Manager.WICKED and not _is_internal(vars_) else ()
    master = next((token for key in masters if (token := vars_.get(key))), None)
    interface = InterfaceConfig(
        manager=manager,
        where=_head(text, vars_),
        kind=kind,
        names=(name,) if name else (),
        mac=mac if kind == "ethernet" else None,
        hardware=(Token(suffix.partition("-bus-")[2], by_file.where),) if not name and not mac else (),
        set_mac=mac_token(vars_.get("MACADDR") or vars_.get("LLADDR")),
        method=Method.NONE if master else _method(vars_, addresses),
        addresses=addresses,
        gateways=tuple(_gateways(vars_)),
        no_default_route=any(is_no(vars_.text(key)) for key in ("DEFROUTE", "DHCLIENT_SET_DEFAULT_ROUTE")),
        dns=tuple(var.value for var in vars_.matching(re.compile(r"DNS\d+"))),
        autostart=_autostart(vars_, manager) and not _RANGE.fullmatch(suffix),
        uses=tuple(_uses(vars_, name)),
        master=master,
        mtu=vars_.get("MTU"),
        brings_up=manager is Manager.WICKED or kind in ("bond", "team"),
        edits=InterfaceEdits(_match_any(text, vars_, manager), _drop_mac(text, vars_), _to_dhcp(text, vars_, addresses)),
    )
    return IfcfgFile(interface, vars_, not is_no(vars_.text("NM_CONTROLLED")))


def _head(text: GuestText, vars_: ShellVars) -> Span:
    first = next((var.where for var in vars_.vars if var.key in ("DEVICE", "NAME", "HWADDR")), None)
    return first or (vars_.vars[0].where if vars_.vars else text.span(0, 0))


def _bound(vars_: ShellVars, by_file: Token, manager: Manager) -> tuple[Token | None, Token | None]:
    """The name and the MAC address the file is bound to. Old SUSE file names are ``eth-id-MAC`` or ``bus-pci-…``."""
    mac = mac_token(vars_.get("HWADDR"))
    name = vars_.get("DEVICE")
    if manager is Manager.WICKED:
        suffix = by_file.value
        if (old := suffix.rpartition("-id-")[2]) != suffix and is_mac(old):
            return None, Token(old, by_file.where)
        return (None if "-bus-" in suffix else by_file), None
    return (name or (None if mac else by_file)), mac


def _kind(vars_: ShellVars, name: str) -> str:
    if re.fullmatch(r"[\w.]+:\w+", name):
        return "alias"
    kind = vars_.text("TYPE").lower() or vars_.text("DEVICETYPE").lower()
    if kind in _KINDS:
        return _KINDS[kind]
    for key, found in (
        ("BONDING_MASTER", "bond"),
        ("BONDING_OPTS", "bond"),
        ("TEAM_RUNNER", "team"),
        ("ETHERDEVICE", "vlan"),
        ("PHYSDEV", "vlan"),
        ("VLAN", "vlan"),
    ):
        if vars_.text(key) and not is_no(vars_.text(key)):
            return found
    # SUSE: BRIDGE=yes makes a bridge. Red Hat: BRIDGE= names the one that the interface is a port of.
    makes = (vars_.text(key).lower() for key in ("BRIDGE", "OVS_BRIDGE"))
    return "bridge" if "yes" in makes else kind_of_name(name)


def _addresses(vars_: ShellVars) -> Iterator[Address]:
    for var in vars_.matching(_IPADDR):
        suffix = var.key.removeprefix("IPADDR") if var.key.startswith("IPADDR") else None
        mask = "" if suffix is None else vars_.text(f"PREFIX{suffix}") or vars_.text(f"PREFIXLEN{suffix}") or vars_.text(f"NETMASK{suffix}")
        address = address_from(var.value.value, var.value.where, mask)
        if address is not None:
            yield address


def _method(vars_: ShellVars, addresses: tuple[Address, ...]) -> Method:
    proto = (vars_.text("OVSBOOTPROTO") or vars_.text("BOOTPROTO")).lower()  # Open vSwitch's README.RHEL
    if proto.split("+")[0] in _DHCP:
        return Method.DHCP
    return Method.STATIC if addresses else Method.NONE


def _gateways(vars_: ShellVars) -> Iterator[Token]:
    for keys, switch in ((r"GATEWAY\d*", "DEFROUTE"), ("IPV6_DEFAULTGW", "IPV6_DEFROUTE")):
        if not is_no(vars_.text(switch)):
            yield from (var.value for var in vars_.matching(re.compile(keys)))


def _autostart(vars_: ShellVars, manager: Manager) -> bool:
    if manager is Manager.WICKED:
        # Without STARTMODE it is manual.
        return vars_.text("STARTMODE").lower() not in {"", "off", "manual"}
    return not is_no(vars_.text("ONBOOT"))


def _is_internal(vars_: ShellVars) -> bool:
    return vars_.text("TYPE").lower() == "ovsintport"


def _uses(vars_: ShellVars, name: Token | None) -> Iterator[Token]:
    """Interfaces that the file itself lists below a bond, bridge or VLAN."""
    for key in ("BRIDGE_PORTS", "BOND_IFACES"):
        yield from words_of(ports) if (ports := vars_.get(key)) else ()
    if _is_internal(vars_) and (bridge := vars_.get("OVS_BRIDGE")):
        yield bridge
    for var in vars_.matching(_BELOW):
        yield var.value
    if name and re.search("[.:]", name.value) and not vars_.text("PHYSDEV") and not vars_.text("ETHERDEVICE"):
        yield _parent(name)


def _parent(name: Token) -> Token:
    size = len(parent_name(name.value))
    return slice_token(name, 0, size) if name.where.end > name.where.start else Token(name.value[:size], name.where)


def _with_members(files: list[IfcfgFile]) -> list[IfcfgFile]:
    """Tell bonds, bridges and teams which files name them as their master."""
    members: dict[str, list[Token]] = {}
    for file in files:
        if file.interface.master and file.interface.names:
            members.setdefault(file.interface.master.value, []).extend(file.interface.names)
    return [
        replace(file, interface=replace(file.interface, uses=(*file.interface.uses, *members.get(file.interface.label, ()))))
        for file in files
    ]


def _with_globals(fs: GuestFS, file: IfcfgFile) -> IfcfgFile:
    """Complete a fixed address with the gateway and name servers from other files in the folder."""
    interface = file.interface
    if interface.method is not Method.STATIC or interface.kind == "loopback":
        return file
    if interface.manager is Manager.WICKED:
        gateways, dns = tuple(_suse_routes(fs, interface.label)), _setting(fs, f"{SUSE}/config", "NETCONFIG_DNS_STATIC_SERVERS")
    elif is_no(file.vars.text("DEFROUTE")):
        return file
    else:
        gateways, dns = tuple(_red_hat_routes(fs, interface)), ()
    return replace(file, interface=replace(interface, gateways=interface.gateways or gateways, dns=interface.dns or dns))


def _setting(fs: GuestFS, path: str, key: str) -> tuple[Token, ...]:
    text = fs.text(path)
    value = shell_vars_from(text).get(key) if text is not None else None
    return words_of(value) if value else ()


def _red_hat_routes(fs: GuestFS, interface: InterfaceConfig) -> Iterator[Token]:
    """Default gateways of ``route-NAME``, and the one for all interfaces, which applies to the network that it is in (ifup-eth)."""
    text = fs.text(f"{RED_HAT}/route-{interface.label}")
    for line in text.lines() if text is not None else ():
        words = line.words()
        if len(words) > 2 and words[0].value in ("default", "0.0.0.0/0") and words[1].value == "via":
            yield words[2]
    device = _setting(fs, "/etc/sysconfig/network", "GATEWAYDEV")
    if device and device[0].value != interface.label:
        return
    for gateway in _setting(fs, "/etc/sysconfig/network", "GATEWAY"):
        if device or any(address.prefix is None or _within(gateway.value, address) for address in interface.addresses):
            yield gateway


def _within(gateway: str, address: Address) -> bool:
    try:
        return ipaddress.ip_address(gateway) in ipaddress.ip_network(str(address), strict=False)
    except ValueError:
        return True


def _suse_routes(fs: GuestFS, name: str) -> Iterator[Token]:
    """Default gateways of ``ifroute-NAME`` and ``routes``: ``default 192.0.2.1 - -``."""
    for path in (f"{SUSE}/ifroute-{name}", f"{SUSE}/routes"):
        text = fs.text(path)
        for line in text.lines() if text is not None else ():
            words = line.words()
            if len(words) > 1 and words[0].value in ("default", "0.0.0.0/0", "::/0") and words[1].value != "-":
                yield words[1]


def _match_any(text: GuestText, vars_: ShellVars, manager: Manager) -> tuple[ReplaceText, ...]:
    """With ``TYPE=`` but no ``DEVICE=``, NetworkManager applies the file to any card; the network scripts use the file name."""
    if manager is not Manager.NETWORK_SCRIPTS or not vars_.get("TYPE") or not vars_.editable:
        return ()
    return delete_all(text, (var.where for var in vars_.vars if var.key == "DEVICE"))


def _drop_mac(text: GuestText, vars_: ShellVars) -> tuple[ReplaceText, ...]:
    if not vars_.get("DEVICE") or not vars_.editable:
        return ()
    return delete_all(text, (var.where for var in vars_.vars if var.key == "HWADDR"))


def _to_dhcp(text: GuestText, vars_: ShellVars, addresses: tuple[Address, ...]) -> tuple[ReplaceText, ...]:
    proto = next((var for var in reversed(vars_.vars) if var.key == "BOOTPROTO"), None)
    if not addresses or proto is None or not vars_.editable:
        return ()
    deleted = delete_all(text, (var.where for var in vars_.vars if _STATIC_KEYS.fullmatch(var.key)))
    return (replace_token(proto.value, "dhcp"), *deleted)
