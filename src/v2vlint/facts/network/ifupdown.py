"""ifupdown's interfaces(5) with all files it sources::

auto ens192
iface ens192 inet static
    address 192.0.2.5/24
    gateway 192.0.2.1
"""

from __future__ import annotations

import glob
import re
from collections.abc import Iterator
from dataclasses import replace

from v2vlint.facts.network.ifupdown_lines import logical_lines
from v2vlint.facts.network.ifupdown_refused import lists_interfaces, refusal, refuses
from v2vlint.facts.network.interface import (
    Address,
    InterfaceConfig,
    InterfaceEdits,
    Manager,
    Method,
    address_from,
    is_mac,
    kind_of_name,
)
from v2vlint.facts.network.match import Condition, Match, MatchKey, Term, any_of
from v2vlint.facts.network.names import matches, parent_name
from v2vlint.facts.network.refusal import ManagerRefusal
from v2vlint.facts.registry import provides
from v2vlint.facts.syntax.edit_lines import delete_all, replace_token, slice_token, whole_lines
from v2vlint.guest.fs import GuestFS
from v2vlint.guest.text import GuestText
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import FactUnavailable
from v2vlint.model.fix import ReplaceText
from v2vlint.model.place import Span, Token, WholeFile

PATH = "/etc/network/interfaces"
ANY_CARD = "e*"
MAX_DEPTH = 8
MAX_FILES = 200
MAX_STANZAS = 5000
MAX_INHERITED = 100_000
_STANZA = re.compile(r"^[ \t]*iface\b(?!.*\bloopback\b)", re.MULTILINE)
_SOURCED_NAME = re.compile(r"[a-zA-Z0-9_-]+(?:\.ifcfg|\.intf)?|[a-zA-Z0-9_.-]+\.ifquery")
# [VARIABLE]/VALUE[/[OPTIONS]][=LOGICAL] on auto and allow- lines (interfaces(5), "INTERFACE PATTERN MATCHING").
_PATTERN = re.compile(r"(?P<variable>[\w.]*)/(?P<value>[^/=]+)(?:/(?P<number>\d*))?(?:=(?P<logical>\S+))?")
_STATIC = frozenset({"address", "netmask", "gateway", "network", "broadcast", "metric", "pointopoint", "dns-nameservers", "dns-nameserver",
                     "dns-search", "dns-domain"})  # fmt: skip
_PORTS = frozenset({"bridge_ports", "bridge-ports", "bond-slaves", "slaves", "bond_slaves", "ovs_ports", "ovs_bonds", "bond-ports"})
_PARENT = frozenset({"vlan-raw-device", "vlan_raw_device"})
# A slave may name its bond (ifenslave's README.Debian), and a port its Open vSwitch bridge (openvswitch-switch.README.Debian).
_MASTER = frozenset({"bond-master", "bond_master", "ovs_bridge"})
_OVS_KINDS = {"OVSBridge": "bridge", "OVSBond": "bond", "OVSIntPort": "vlan", "OVSTunnel": "tunnel", "OVSPatchPort": "tunnel"}


@dataclass(frozen=True, slots=True)
class _Option:
    key: str
    words: tuple[Token, ...]
    where: Span


@dataclass(frozen=True, slots=True)
class _Stanza:
    """One ``iface`` stanza; ``family`` and ``method`` are None where ifupdown2 and ifupdown-ng allow omitting. ``options`` begin with
    those of ``base``, the stanza that it inherits from; ``own`` are written in it."""

    name: Token
    family: Token | None
    method: Token | None
    options: tuple[_Option, ...]
    where: Span
    text: GuestText
    own: tuple[_Option, ...] = ()
    base: _Stanza | None = None

    def words(self, *keys: str) -> tuple[Token, ...]:
        """The words of all options called any of ``keys``."""
        return tuple(word for option in self.options if option.key in keys for word in option.words)


@dataclass(frozen=True, slots=True)
class Interfaces:
    """ifupdown's complete configuration. ``auto`` are the names and patterns brought up at boot or on hotplug, ``refused``
    the first line of each file that ifupdown refuses."""

    interfaces: tuple[InterfaceConfig, ...] = ()
    auto: tuple[Token, ...] = ()
    files: tuple[str, ...] = ()
    refused: tuple[ManagerRefusal, ...] = ()


@provides
def parse_interfaces(fs: GuestFS) -> Interfaces:
    """ifupdown's files in reading order; whether ifupdown is installed and enabled is a separate fact."""
    reader = _Reader(fs)
    reader.read(PATH, 0)
    found: dict[str, list[_Stanza]] = {}
    for stanza in reader.stanzas:
        found.setdefault(stanza.name.value, []).append(stanza)
    auto = tuple(reader.auto)
    cards = [name for name, stanzas in found.items() if _kind(stanzas) == "ethernet"]
    bases = {stanza.base.where for stanza in reader.stanzas if stanza.base}
    interfaces = tuple(_interface(stanzas, auto, cards == [name], bases) for name, stanzas in found.items())
    loses = any(_kind([stanza]) != "loopback" for stanza in reader.stanzas)
    refused = tuple(replace(one, loses=loses) if one.whole else one for one in reader.refused)
    return Interfaces(interfaces, auto, tuple(reader.files), refused)


class _Reader:
    """Follows ``source`` lines and groups logical lines into stanzas. Debian's ifupdown passes over the rest of a sourced file."""

    def __init__(self, fs: GuestFS) -> None:
        self.fs = fs
        self.refuses = refuses(fs)
        self.stanzas: list[_Stanza] = []
        self.auto: list[Token] = []
        self.files: list[str] = []
        self.refused: list[ManagerRefusal] = []
        self.known: dict[tuple[str, str], _Stanza] = {}
        self.inherited = 0
        self.is_cut = False  # not everything was read, so that what seems to be missing may be there

    def read(self, path: str, depth: int) -> None:
        """Read one file and all it sources, depth first; none of them twice."""
        too_many = depth > MAX_DEPTH or len(self.files) >= MAX_FILES
        self.is_cut |= too_many
        text = None if too_many or path in self.files else self.fs.text(path)
        if text is None:
            return
        self.files.append(path)
        block = _OpenStanza(text)
        for words in logical_lines(text):
            if self._is_refused(block, words) and depth and self.refuses:
                break
            keyword = words[0].value
            if block.is_iface and lists_interfaces(keyword) and len(words) == 1:
                self._list(keyword, block.head[1:2])
            elif _starts_stanza(keyword) and not (self.refuses and block.is_iface and keyword == "template"):
                self._close(block)
                block = _OpenStanza(text, words if keyword in ("iface", "mapping") else ())
                self._other(path, words, depth)
            elif block.head:
                block.options.append(_Option(keyword, words[1:], _join(text, words)))
                block.has_script |= keyword == "script"
        self._close(block)

    def _is_refused(self, block: _OpenStanza, words: tuple[Token, ...]) -> bool:
        """Whether ifupdown refuses the file at this line; only the first such line of it counts, and none after the whole is."""
        path = block.text.path
        if self.refuses is False or any(one.whole or one.where.path == path for one in self.refused):
            return False
        if words[0].value == "iface":
            self._close(block)
            block.head = ()
        keyword = block.head[0].value if block.head else ""
        reason = refusal([word.value for word in words], keyword, self.known.keys(), block.has_script)
        if reason:
            certain = bool(self.refuses) and not self.is_cut
            where, whole = _join(block.text, words), path == PATH
            loses = _STANZA.search(block.text.content, where.start) is not None
            self.refused.append(ManagerRefusal(Manager.IFUPDOWN, where, reason, certain, whole, loses))
        return bool(reason)

    def _close(self, block: _OpenStanza) -> None:
        head = block.head
        self.is_cut |= len(self.stanzas) >= MAX_STANZAS
        if len(head) < 2 or head[0].value == "mapping" or len(self.stanzas) >= MAX_STANZAS:
            return
        family, method = (*head[2:4], None, None)[:2]
        at = next((number for number in (2, 3, 4) if head[number : number + 1] and head[number].value == "inherits"), 0)
        base = self._inherited(head[at + 1].value, family if at > 2 else None) if at and len(head) > at + 1 else None
        if 0 < at < 4:
            family, method = (family if at > 2 else None), None
        if base is not None:
            family, method = family or base.family, method or base.method
        own = tuple(block.options)
        options = (*base.options, *own) if base else own
        stanza = _Stanza(head[1], family, method, options, _join(block.text, head), block.text, own, base)
        self.stanzas.append(stanza)
        for stated in ("", family.value if family else ""):
            self.known.setdefault((head[1].value, stated), stanza)

    def _inherited(self, name: str, family: Token | None) -> _Stanza | None:
        """The first stanza before it that has the name, and the family if that is stated."""
        first = self.known.get((name, ""))
        base = first if family is None or first is None or first.family is None else self.known.get((name, family.value))
        self.inherited += len(base.options) if base else 0
        if self.inherited > MAX_INHERITED:
            raise FactUnavailable(WholeFile(PATH), f"more than {MAX_INHERITED} options are inherited")
        return base

    def _list(self, keyword: str, names: tuple[Token, ...]) -> None:
        if keyword == "auto" or keyword.startswith("allow-"):
            self.auto.extend(names)

    def _other(self, path: str, words: tuple[Token, ...], depth: int) -> None:
        keyword, rest = words[0].value, words[1:]
        self._list(keyword, rest)
        folder = path.rpartition("/")[0]
        for word in rest if keyword.startswith("source") else ():
            target = word.value if word.value.startswith("/") else f"{folder}/{word.value}"
            for found in self.fs.glob(target):
                self._source(found, keyword != "source", depth)

    def _source(self, path: str, directory: bool, depth: int) -> None:
        if not directory:
            if self.fs.is_file(path):
                self.read(path, depth + 1)
            return
        for name in self.fs.listdir(path):
            if _SOURCED_NAME.fullmatch(name) and self.fs.is_file(f"{path}/{name}"):
                self.read(f"{path}/{name}", depth + 1)


class _OpenStanza:
    """The stanza that is being read: the words of its first line (none outside of any), and its options."""

    def __init__(self, text: GuestText, head: tuple[Token, ...] = ()) -> None:
        self.text = text
        self.head = head
        self.options: list[_Option] = []
        self.has_script = False

    @property
    def is_iface(self) -> bool:
        """Whether it is an ``iface`` stanza with a name."""
        return len(self.head) > 1 and self.head[0].value == "iface"


def _starts_stanza(keyword: str) -> bool:
    fixed = {"iface", "mapping", "source", "rename", "template"}
    return keyword in fixed or keyword.startswith("source-dir") or lists_interfaces(keyword)


def _join(text: GuestText, words: tuple[Token, ...]) -> Span:
    return text.span(words[0].where.start, words[-1].where.end)


def _interface(stanzas: list[_Stanza], auto: tuple[Token, ...], only: bool, bases: set[Span]) -> InterfaceConfig:
    """Merge all stanzas of one logical name into one interface; ``only`` says that no other one is a card, ``bases`` which have heirs."""
    first = stanzas[0]
    started = [token for token in auto if _starts(token.value, first.name.value)]
    patterns = [pattern for token in started if (pattern := _pattern(token)) is not None]
    addresses = tuple(address for stanza in stanzas for address in _addresses(stanza))
    macs = [token for variable, token in patterns if variable == "mac"]
    names = tuple(token for variable, token in patterns if not variable) or (() if macs else (first.name,))
    set_macs = [word for stanza in stanzas for word in stanza.words("hwaddress") if is_mac(word.value)]
    return InterfaceConfig(
        manager=Manager.IFUPDOWN,
        where=first.where,
        kind=_kind(stanzas),
        names=names,
        mac=macs[0] if macs else None,
        set_mac=set_macs[0] if set_macs else None,
        method=_method(stanzas, addresses),
        addresses=addresses,
        gateways=tuple(word for stanza in stanzas for word in stanza.words("gateway")),
        dns=tuple(word for stanza in stanzas for word in stanza.words("dns-nameservers", "dns-nameserver")),
        autostart=bool(started),
        uses=tuple(_uses(stanzas)),
        master=_master(stanzas),
        mtu=next((word for stanza in stanzas for word in stanza.words("mtu")), None),
        conditions=_conditions(names, macs, started),
        brings_up=True,
        ids=(first.name.value,),
        edits=InterfaceEdits(match_any=_match_any(stanzas, started) if only else (), to_dhcp=_to_dhcp(stanzas, bases)),
    )


def _conditions(names: tuple[Token, ...], macs: list[Token], started: list[Token]) -> Match:
    """A stanza's own name is not a pattern, whatever it looks like. ``/e*/2=lan`` selects the second matching card, whichever that is, and
    a name and an address are alternatives: both are treated as undecided."""
    if (names and macs) or any((match := _PATTERN.fullmatch(token.value)) and match["number"] not in (None, "1") for token in started):
        return (Condition(MatchKey.OTHER, ()),)
    terms = tuple(Term(Token(glob.escape(name.value), name.where) if name.where not in _values(started) else name) for name in names)
    return (*((Condition(MatchKey.NAME, terms),) if terms else ()), *any_of(MatchKey.MAC, macs))


def _values(started: list[Token]) -> list[Span]:
    """The places of the patterns in the words that start a stanza."""
    return [found[1].where for token in started if (found := _pattern(token)) is not None]


def _starts(word: str, name: str) -> bool:
    match = _PATTERN.fullmatch(word)
    logical = match["logical"] if match else word.partition("=")[2]
    if logical:
        return logical == name
    if match is None:
        return word == name
    return not match["variable"] and matches(match["value"], name)


def _pattern(token: Token) -> tuple[str, Token] | None:
    """What an ``auto`` word selects by when it is not a plain name: the variable (empty, or ``mac``) and the value."""
    match = _PATTERN.fullmatch(token.value)
    if match and match["logical"]:
        return match["variable"], slice_token(token, match.start("value"), match.end("value"))
    name, equals, _logical_name = token.value.partition("=")
    return ("", slice_token(token, 0, len(name))) if equals and match is None else None


def _kind(stanzas: list[_Stanza]) -> str:
    if any(stanza.method and stanza.method.value == "loopback" for stanza in stanzas):
        return "loopback"
    for word in (word for stanza in stanzas for word in stanza.words("ovs_type")):
        if word.value in _OVS_KINDS:
            return _OVS_KINDS[word.value]
    keys = {option.key for stanza in stanzas for option in stanza.options}
    if keys & {"bridge_ports", "bridge-ports"}:
        return "bridge"
    # With bond-master it is a slave, which may repeat the options of its bond.
    if keys & {"bond-slaves", "slaves", "bond_slaves", "bond-mode", "bond_mode"} and not keys & {"bond-master", "bond_master"}:
        return "bond"
    if keys & _PARENT:
        return "vlan"
    name = stanzas[0].name.value
    return "alias" if ":" in name else kind_of_name(name)


def _addresses(stanza: _Stanza) -> Iterator[Address]:
    masks = stanza.words("netmask")
    for word in stanza.words("address"):
        address = address_from(word.value, word.where, masks[0].value if masks else "")
        if address is not None:
            yield address


def _method(stanzas: list[_Stanza], addresses: tuple[Address, ...]) -> Method:
    methods = {stanza.method.value for stanza in stanzas if stanza.method}
    if methods & {"dhcp", "bootp"} or (methods == {"auto"} and not addresses):  # inet6 auto alone: SLAAC
        return Method.DHCP
    return Method.STATIC if addresses else Method.NONE


def _master(stanzas: list[_Stanza]) -> Token | None:
    """The bond or bridge that it is a member of. An internal port of Open vSwitch lies on its bridge, not below it."""
    if _is_internal(stanzas):
        return None
    return next((word for stanza in stanzas for word in stanza.words(*_MASTER)), None)


def _is_internal(stanzas: list[_Stanza]) -> bool:
    return any(word.value == "OVSIntPort" for stanza in stanzas for word in stanza.words("ovs_type"))


def _uses(stanzas: list[_Stanza]) -> Iterator[Token]:
    for stanza in stanzas:
        yield from (word for word in stanza.words(*_PORTS) if word.value not in ("none", "all", "regex"))
        yield from stanza.words(*_PARENT, *(("ovs_bridge",) if _is_internal(stanzas) else ()))
    name = stanzas[0].name
    if re.search("[.:]", name.value) and not any(stanza.words(*_PARENT) for stanza in stanzas):
        yield slice_token(name, 0, len(parent_name(name.value)))


def _match_any(stanzas: list[_Stanza], started: list[Token]) -> tuple[ReplaceText, ...]:
    """``auto /e*=NAME``. Patterns exist since ifupdown 0.8.20; only ``auto`` lines may map them to a logical name."""
    if len(started) != 1 or started[0].value != stanzas[0].name.value:
        return ()
    text, name = stanzas[0].text, started[0]
    if name.where.path != text.path:
        return ()
    line = whole_lines(text, name.where)
    words = text.content[line.start : line.end].split()
    if len(words) != 2:
        return ()
    where = text.span(line.start + text.content[line.start : line.end].index(words[0]), name.where.end)
    return (ReplaceText(where, text.content[where.start : where.end], f"auto /{ANY_CARD}={name.value}"),)


def _to_dhcp(stanzas: list[_Stanza], bases: set[Span]) -> tuple[ReplaceText, ...]:
    """None where an address comes from another stanza, or another stanza inherits these."""
    edits: list[ReplaceText] = []
    for stanza in stanzas:
        if stanza.method and stanza.family and stanza.method.value == "static":
            if stanza.where in bases or _inherits_address(stanza):
                return ()
            places = [option.where for option in stanza.own if option.key in _STATIC]
            edits += [replace_token(stanza.method, "dhcp" if stanza.family.value == "inet" else "auto"), *delete_all(stanza.text, places)]
    return tuple(edits)


def _inherits_address(stanza: _Stanza) -> bool:
    base = stanza.base
    return base is not None and (stanza.method is base.method or bool(base.words("address", "gateway")))
