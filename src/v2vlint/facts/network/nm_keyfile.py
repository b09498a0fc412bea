"""NetworkManager connection profiles (nm-settings-keyfile(5))::

[connection]
id=lan
type=ethernet
interface-name=ens192
[ipv4]
method=manual
address1=192.0.2.5/24,192.0.2.1
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from v2vlint.facts.network.choice import nm_order
from v2vlint.facts.network.interface import (
    NO_CARD,
    Address,
    InterfaceConfig,
    InterfaceEdits,
    Manager,
    Method,
    address_from,
    is_mac,
    mac_token,
)
from v2vlint.facts.network.match import Condition, Match, MatchKey, any_of, nm_term
from v2vlint.facts.network.nm_refused import exposed, invalid, keeps_modes
from v2vlint.facts.registry import provides
from v2vlint.facts.syntax.edit_lines import delete_all, replace_token, slice_token
from v2vlint.facts.syntax.ini import IniFile, IniSetting
from v2vlint.facts.syntax.keyfile import boolean, keyfile_from
from v2vlint.guest.fs import GuestFS
from v2vlint.guest.text import GuestText
from v2vlint.model.dataclass import dataclass
from v2vlint.model.fix import ReplaceText
from v2vlint.model.place import Span, Token

ETC = "/etc/NetworkManager/system-connections"
FOLDERS = ("/run/NetworkManager/system-connections", ETC, "/usr/lib/NetworkManager/system-connections")
TIMESTAMPS = "/var/lib/NetworkManager/timestamps"
MAX_FILES = 500
# nm_keyfile_utils_ignore_filename(): hidden files, backups, certificates, temporary files of mkstemp and of rpm.
_IGNORED = re.compile(r"\..*|.*(?:~|\.pem|\.der|\.[A-Za-z0-9]{6})", re.IGNORECASE)
_LIST = re.compile(r"[^;,\s]+")
_ADDRESS = re.compile(r"address(?:es)?\d*")
_STATIC = re.compile(r"address(?:es)?\d*|gateway|dns|dns-search")
# addresses1=ADDRESS;PREFIX;GATEWAY; up to version 0.9.
_OLD_ADDRESS = re.compile(r"[0-9a-fA-F.:]+;(?P<prefix>\d{1,3});[0-9a-fA-F.:]*;?")
_YES = ("1", "true", "yes")
_NO_GATEWAY = ("0.0.0.0", "::")
_ROUTE = re.compile(r"routes?\d*")
_DEFAULT_ROUTES = ("0.0.0.0/0", "::/0")
_WIRED = ("ethernet", "802-3-ethernet")
_KINDS = {
    "ethernet": "ethernet", "802-3-ethernet": "ethernet", "wifi": "wifi", "802-11-wireless": "wifi", "ip-tunnel": "tunnel",
    "wireguard": "tunnel", "tun": "tunnel", "vxlan": "tunnel", "vpn": "vpn", "loopback": "loopback",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class RefusedProfile:
    """A profile that NetworkManager does not load, as it would be, why, and the place that tells.

    ``would_connect``: it would come up at boot by itself and have an address, or take part in what has one.
    """

    interface: InterfaceConfig
    reason: str
    where: Span
    would_connect: bool


@dataclass(frozen=True, slots=True)
class NmKeyfiles:
    """All active connection profiles, and those that are refused. ``exposed`` are profiles that others may read in a tree whose modes say
    nothing, with what NetworkManager would object to."""

    interfaces: tuple[InterfaceConfig, ...] = ()
    malformed: tuple[Span, ...] = ()
    refused: tuple[RefusedProfile, ...] = ()
    exposed: tuple[RefusedProfile, ...] = ()


@provides
def parse_nm_keyfiles(fs: GuestFS) -> NmKeyfiles:
    """The profiles in the three folders. Of several with one UUID that of /run applies, then that of /etc, in one folder the newest."""
    files = [(keyfile_from(text), text) for path in _paths(fs) if (text := fs.text(path)) is not None]
    times = nm_timestamps(fs)
    found = [(ini, _ordered(ini, interface, times)) for ini, text in files if (interface := _interface(ini, text)) is not None]
    open_ones = {ini.path: reason for ini, _one in found if (stat := fs.stat(ini.path)) and (reason := exposed(stat))}
    told = open_ones if keeps_modes(fs) else {}
    refusals = {ini.path: reason for ini, _one in found if (reason := invalid(ini) or told.get(ini.path, ""))}
    loaded = list(_first_of_each(fs, [(ini, one) for ini, one in found if ini.path not in refusals]))
    return NmKeyfiles(
        tuple(_stacked(loaded)),
        tuple(place for ini, _text in files for place in ini.malformed),
        tuple(_refused(ini, one, refusals) for ini, one in found if ini.path in refusals),
        tuple(_refused(ini, one, open_ones) for ini, one in loaded if ini.path in open_ones),
    )


def _refused(ini: IniFile, interface: InterfaceConfig, reasons: Mapping[str, str]) -> RefusedProfile:
    # Behind a line that hides the group [connection] (a byte order mark), neither type nor autoconnect are known.
    connects = ini.named("connection") and interface.autostart and interface.kind not in NO_CARD
    addressed = interface.method is not Method.NONE or interface.master is not None
    where = ini.malformed[0] if ini.malformed else interface.where
    return RefusedProfile(interface, reasons[ini.path], where, bool(connects and addressed))


def _first_of_each(fs: GuestFS, found: Iterable[tuple[IniFile, InterfaceConfig]]) -> Iterator[tuple[IniFile, InterfaceConfig]]:
    """Of each UUID the first, unless a link UUID.nmmeta to /dev/null hides it. The UUID of a profile without one is derived from the name
    of its file (nms-keyfile-reader.c)."""
    known: set[str] = set()
    for ini, interface in found:
        uuid = _get(ini, "connection", "uuid")
        key = uuid.value.lower() if uuid else posixpath.basename(ini.path)
        hidden = any(fs.readlink(f"{folder}/{key}.nmmeta") == "/dev/null" for folder in _hiding(ini.path))
        if key not in known and not hidden:
            yield ini, interface
        known.add(key)


def _hiding(path: str) -> tuple[str, ...]:
    """The folders in which a link may hide the profile."""
    return FOLDERS[:1] if path.startswith(FOLDERS[0]) else FOLDERS[:2]


def nm_timestamps(fs: GuestFS) -> dict[str, str]:
    """The time each profile was last used, in seconds, by UUID."""
    text = fs.text(TIMESTAMPS)
    section = keyfile_from(text).merged("timestamps") if text is not None else None
    return {setting.key: setting.value.value for setting in section.settings} if section else {}


def _ordered(ini: IniFile, interface: InterfaceConfig, times: dict[str, str]) -> InterfaceConfig:
    priority, uuid, multiple = (_get(ini, "connection", key) for key in ("autoconnect-priority", "uuid", "multi-connect"))
    name = uuid.value if uuid else ""
    order = nm_order(priority.value if priority else "", times.get(name, ""), name)
    return replace(interface, order=order, single=multiple is None or multiple.value in ("0", "1", "2"))


def _paths(fs: GuestFS) -> list[str]:
    found: list[str] = []
    for folder in FOLDERS:
        lax = folder == ETC  # only there may the suffix be left out
        names = [name for name in fs.listdir(folder) if not _IGNORED.fullmatch(name) and (lax or name.endswith(".nmconnection"))]
        times = {name: stat.mtime for name in names if (stat := fs.stat(f"{folder}/{name}")) is not None}
        found += [f"{folder}/{name}" for name in sorted(times, key=lambda name: -times[name])]
    return found[:MAX_FILES]


def _interface(ini: IniFile, text: GuestText) -> InterfaceConfig | None:
    if not ini.sections:
        return None
    kind = _get(ini, "connection", "type")
    addresses, gateways = _addresses(ini)
    name = _get(ini, "connection", "interface-name")
    master = _get(ini, "connection", "master") or _get(ini, "connection", "controller")
    parent = _get(ini, "vlan", "parent")
    return InterfaceConfig(
        manager=Manager.NETWORK_MANAGER,
        where=(ini.named("connection") or ini.sections)[0].where,
        kind=_KINDS.get(kind.value, kind.value) if kind else _kind_of_groups(ini),
        names=(name,) if name else _list(ini, "match", "interface-name"),
        mac=_wired_mac(ini, "mac-address"),
        hardware=_list(ini, "match", "driver") + _list(ini, "match", "path"),
        set_mac=_wired_mac(ini, "cloned-mac-address"),
        method=Method.NONE if master else _method(ini),
        addresses=addresses,
        gateways=gateways,
        no_default_route=_no_default_route(ini),
        dns=_list(ini, "ipv4", "dns") + _list(ini, "ipv6", "dns"),
        autostart=boolean(_get(ini, "connection", "autoconnect")) is not False and not _get(ini, "connection", "permissions"),
        uses=(parent,) if parent else (),
        master=master,
        mtu=next((mtu for section in _WIRED if (mtu := _get(ini, section, "mtu"))), None),
        conditions=_match(ini, name),
        brings_up=_tristate(ini, "autoconnect-slaves", "autoconnect-ports"),
        ids=tuple(token.value for key in ("uuid", "id") if (token := _get(ini, "connection", key))),
        edits=_edits(ini, text),
    )


def _kind_of_groups(ini: IniFile) -> str:
    """The kind of a profile without a type, by its first group that is one."""
    return next((_KINDS[section.name] for section in ini.sections if section.name in _KINDS), "ethernet")


def _match(ini: IniFile, name: Token | None) -> Match:
    mac = _wired_mac(ini, "mac-address")
    listed = (
        (MatchKey.NAME, "interface-name"),
        (MatchKey.DRIVER, "driver"),
        (MatchKey.PATH, "path"),
        (MatchKey.OTHER, "kernel-command-line"),
    )
    terms = ((key, tuple(map(nm_term, _list(ini, "match", setting)))) for key, setting in listed)
    own = (*any_of(MatchKey.NAME, [name] if name else []), *any_of(MatchKey.MAC, [mac] if mac else []))
    return (*own, *(Condition(key, found) for key, found in terms if found))


def _tristate(ini: IniFile, *keys: str) -> bool:
    return any((token := _get(ini, "connection", key)) is not None and token.value.lower() in _YES for key in keys)


def _get(ini: IniFile, section: str, key: str) -> Token | None:
    found = ini.get(section, key)
    return found if found is not None and found.value else None


def _list(ini: IniFile, section: str, key: str) -> tuple[Token, ...]:
    value = _get(ini, section, key)
    return tuple(slice_token(value, m.start(), m.end()) for m in _LIST.finditer(value.value)) if value else ()


def _wired_mac(ini: IniFile, key: str) -> Token | None:
    token = next((found for section in _WIRED if (found := _get(ini, section, key))), None)
    if token and re.fullmatch(r"(?:\d{1,3};){5}\d{1,3};?", token.value):  # as old versions wrote it: six decimal bytes
        text = ":".join(f"{int(part):02x}" for part in token.value.strip(";").split(";"))
        return Token(text, token.where) if is_mac(text) else None
    return mac_token(token)


def _method(ini: IniFile) -> Method:
    methods = [token.value for version in ("ipv4", "ipv6") if (token := _get(ini, version, "method"))]
    if not ini.named("ipv4"):
        methods.insert(0, "auto")  # nm-connection.c, _normalize_ip_config()
    if not methods:
        return Method.DHCP
    if "manual" in methods[:1] or ("manual" in methods and "auto" not in methods):
        return Method.STATIC
    return Method.DHCP if {"auto", "dhcp"} & set(methods) else Method.NONE


def _addresses(ini: IniFile) -> tuple[tuple[Address, ...], tuple[Token, ...]]:
    addresses: list[Address] = []
    gateways: list[Token] = []
    for version in ("ipv4", "ipv6"):
        before = len(gateways)
        for setting in _settings(ini, version):
            # address1=ADDRESS/PREFIX,GATEWAY and route1=NETWORK/PREFIX,GATEWAY,METRIC.
            if _ADDRESS.fullmatch(setting.key):
                words = [slice_token(setting.value, m.start(), m.end()) for m in _LIST.finditer(setting.value.value)]
                if old := _OLD_ADDRESS.fullmatch(setting.value.value):
                    addresses.extend(found for word in words[:1] if (found := address_from(word.value, word.where, old["prefix"])))
                    words = [word for word in words[2:3] if word.value not in _NO_GATEWAY]
                addresses.extend(found for word in words if "/" in word.value and (found := address_from(word.value, word.where)))
                gateways.extend(word for word in words if "/" not in word.value and address_from(word.value, word.where))
            elif _ROUTE.fullmatch(setting.key) and setting.value.value.startswith(_DEFAULT_ROUTES):
                words = [slice_token(setting.value, m.start(), m.end()) for m in _LIST.finditer(setting.value.value)]
                gateways.extend(word for word in words[1:2] if address_from(word.value, word.where))
        if gateway := _get(ini, version, "gateway"):
            gateways.append(gateway)
        if _never_default(ini, version):
            del gateways[before:]
    return tuple(addresses), tuple(gateways)


def _never_default(ini: IniFile, version: str) -> bool:
    return boolean(_get(ini, version, "never-default")) is True


def _no_default_route(ini: IniFile) -> bool:
    """Whether it takes no default route from DHCP: that of IPv4 decides where both are asked for."""
    four = _get(ini, "ipv4", "method")
    return _never_default(ini, "ipv4" if four is None or four.value in ("auto", "dhcp") else "ipv6")


def _settings(ini: IniFile, section: str) -> Iterator[IniSetting]:
    merged = ini.merged(section)
    yield from merged.settings if merged else ()


def _edits(ini: IniFile, text: GuestText) -> InterfaceEdits:
    bound = [setting.where for setting in _settings(ini, "connection") if setting.key == "interface-name"]
    macs = [setting.where for section in _WIRED for setting in _settings(ini, section) if setting.key == "mac-address"]
    return InterfaceEdits(delete_all(text, bound), delete_all(text, macs), _to_dhcp(ini, text))


def _to_dhcp(ini: IniFile, text: GuestText) -> tuple[ReplaceText, ...]:
    edits: list[ReplaceText] = []
    for version in ("ipv4", "ipv6"):
        method = _get(ini, version, "method")
        if method and method.value == "manual":
            static = [setting.where for setting in _settings(ini, version) if _is_static(setting)]
            edits += [replace_token(method, "auto"), *delete_all(text, static)]
    return tuple(edits)


def _is_static(setting: IniSetting) -> bool:
    """Whether it belongs to a fixed address. Of the routes only the default one does; the others state their destination."""
    default = _ROUTE.fullmatch(setting.key) is not None and setting.value.value.startswith(_DEFAULT_ROUTES)
    return default or _STATIC.fullmatch(setting.key) is not None


def _stacked(found: list[tuple[IniFile, InterfaceConfig]]) -> Iterator[InterfaceConfig]:
    """The profiles, with bonds and bridges linked to the profiles that name them as master by name, id or UUID."""
    members: dict[str, list[Token]] = {}
    for _ini, interface in found:
        if interface.master:
            members.setdefault(interface.master.value, []).extend(interface.names)
    for ini, interface in found:
        keys = [token.value for key in ("interface-name", "uuid", "id") if (token := _get(ini, "connection", key))]
        below = [token for key in dict.fromkeys(keys) for token in members.get(key, ())]
        yield replace(interface, uses=(*interface.uses, *below)) if below else interface
