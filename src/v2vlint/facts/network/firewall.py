"""Who can reach the guest's SSH server: saved iptables and ufw rules, nftables' and firewalld's files, read for that question only.

Only firewalls that reject by default count. What matters then is on which interfaces they admit port 22.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator

from v2vlint.facts.environment.services import Services, starts_if_there
from v2vlint.facts.registry import provides
from v2vlint.guest.fs import GuestFS
from v2vlint.guest.text import GuestText, Line
from v2vlint.model.dataclass import dataclass
from v2vlint.model.digits import decimal
from v2vlint.model.place import Token

MAX_RULES = 5000
_IPTABLES = (
    ("/etc/iptables/rules.v4", ("netfilter-persistent", "iptables-persistent")),
    ("/etc/sysconfig/iptables", ("iptables",)),
    ("/etc/iptables/iptables.rules", ("iptables",)),
    ("/etc/iptables.up.rules", ()),
)
_NFTABLES = ("/etc/nftables.conf", "/etc/sysconfig/nftables.conf")
_ZONES = ("/etc/firewalld/zones", "/usr/lib/firewalld/zones")
_SSH_PORT = 22
_RULE = re.compile(r"-A\s+(?P<chain>\S+)\s+(?P<rest>.*)")
_POLICY = re.compile(r":INPUT\s+(?P<policy>\w+)")
_NFT_CHAIN = re.compile(r"chain\s+[\w-]+\s*\{(?P<body>[^{}]*(?:\{[^{}]*\}[^{}]*)*)\}")
_NFT_NAME = re.compile(r"\biif(?:name)?\s+(?P<op>!=\s*)?(?P<set>\{[^}]*\}|\"[^\"]+\"|[\w.*-]+)")
_NFT_PORT = re.compile(r"\bdport\s+(?:==\s*)?(?P<set>\{[^}]*\}|[\w-]+)")
_INTERFACE = re.compile(r'<interface\s+name="(?P<name>[^"]{1,64})"')
_SSH_SERVICE = re.compile(r'<service\s+name="ssh"|<port\s+[^>]*port="22"|target="ACCEPT"')


@dataclass(frozen=True, slots=True)
class SshGate:
    """A firewall that admits SSH only on ``interfaces``, named as written (a trailing ``+`` or ``*`` is a wildcard).

    ``runs`` says whether it is loaded at boot, None when unclear.
    """

    program: str
    interfaces: tuple[Token, ...]
    runs: bool | None


@dataclass(frozen=True, slots=True)
class Firewalls:
    """The firewalls that admit SSH only on named interfaces."""

    gates: tuple[SshGate, ...] = ()


@provides
def find_firewalls(fs: GuestFS, services: Services) -> Firewalls:
    """Find them. Firewalls that admit SSH on every interface, or on none, are left out."""
    found = (*_iptables(fs, services), *_ufw(fs, services), *_nftables(fs, services), *_firewalld(fs, services))
    return Firewalls(tuple(found))


def _iptables(fs: GuestFS, services: Services) -> Iterator[SshGate]:
    for path, names in _IPTABLES:
        text = fs.text(path)
        if text is not None and (match := _POLICY.search(text.content)):
            lines = list(text.lines())
            closed = match["policy"] == "DROP" or _ends_closed(lines)
            yield from _gate(
                "iptables", _admitted(lines, "INPUT") if closed else None, starts_if_there(fs, services, *names) if names else None
            )


def _ufw(fs: GuestFS, services: Services) -> Iterator[SshGate]:
    switch, defaults, text = fs.text("/etc/ufw/ufw.conf"), fs.text("/etc/default/ufw"), fs.text("/etc/ufw/user.rules")
    on = switch is not None and re.search(r"^ENABLED=yes", switch.content, re.MULTILINE | re.IGNORECASE)
    open_ = defaults is not None and re.search(r'^DEFAULT_INPUT_POLICY="?ACCEPT', defaults.content, re.MULTILINE)
    if on and not open_ and text is not None:
        yield from _gate("ufw", _admitted(list(text.lines()), "ufw-user-input"), starts_if_there(fs, services, "ufw"))


def _gate(program: str, admitted: list[Token] | None, runs: bool | None) -> Iterator[SshGate]:
    if admitted:
        yield SshGate(program, tuple(admitted), runs)


def _ends_closed(lines: Iterable[Line]) -> bool:
    """Whether the last rule of the chain rejects everything."""
    rules = [match["rest"].split() for line in lines if (match := _RULE.match(line.text)) and match["chain"] == "INPUT"]
    return bool(rules) and rules[-1][:2] in (["-j", "DROP"], ["-j", "REJECT"])


def _admitted(lines: list[Line], chain: str) -> list[Token] | None:
    """The interfaces on which the chain, including those it jumps to, accepts SSH; None when it does on any."""
    pending, seen, found = [chain], {chain}, list[Token]()
    while pending:
        current = pending.pop()
        for line in lines[:MAX_RULES]:
            match = _RULE.match(line.text)
            words = match["rest"].split() if match and match["chain"] == current else []
            target = words[words.index("-j") + 1] if "-j" in words[:-1] else ""
            if not target or not _may_be_ssh(words):
                continue
            name = words[words.index("-i") + 1] if "-i" in words[:-1] else ""
            if target == "ACCEPT" and not name:
                return None
            if target == "ACCEPT" and name != "lo":
                start = line.text.index(name, line.text.index("-i"))
                found.append(line.token(start, start + len(name)))
            # Built-in targets are in capitals (DROP, LOG); anything else is a chain.
            elif target not in seen and target.upper() != target:
                seen.add(target)
                pending.append(target)
    return found


def _may_be_ssh(words: list[str]) -> bool:
    """Whether a rule may apply to the first packet of a connection to port 22."""
    options = dict(itertools.pairwise(words))
    # A negation is not evaluated: the rule then counts as one that does not admit SSH.
    if options.get("-p", "tcp") not in ("tcp", "all", "6") or "!" in words:
        return False
    states = options.get("--ctstate") or options.get("--state")
    if states is not None and "NEW" not in states.split(","):
        return False
    ports = options.get("--dport") or options.get("--dports")
    return ports is None or any(_has_port(port) for port in ports.split(","))


def _has_port(text: str) -> bool:
    low, _colon, high = text.replace("-", ":").partition(":")
    if text == "ssh":
        return True
    return low.isdecimal() and (high or low).isdecimal() and decimal(low) <= _SSH_PORT <= decimal(high or low)


def _nftables(fs: GuestFS, services: Services) -> Iterator[SshGate]:
    for path in _NFTABLES:
        text = fs.text(path)
        # The limit bounds the backtracking of the expression on a hostile file.
        for chain in _NFT_CHAIN.finditer(text.content[:100_000]) if text is not None else ():
            if text is not None and re.search(r"hook\s+input\b", chain["body"]) and re.search(r"policy\s+drop", chain["body"]):
                yield from _gate(
                    "nftables", _nft_admitted(text, chain.start("body"), chain.end("body")), starts_if_there(fs, services, "nftables")
                )


def _nft_admitted(text: GuestText, start: int, end: int) -> list[Token] | None:
    found: list[Token] = []
    for line in text.lines():
        rule = line.text.split("#")[0]
        if not start <= line.start < end or not re.search(r"\baccept\b", rule) or not _nft_may_be_ssh(rule):
            continue
        match = _NFT_NAME.search(rule)
        if match is None or match["op"]:
            return None
        for name in re.finditer(r"[\w.*-]+", match["set"]):
            if name[0] != "lo":
                begin = match.start("set") + name.start()
                found.append(line.token(begin, begin + len(name[0])))
    return found


def _nft_may_be_ssh(rule: str) -> bool:
    if re.search(r"\b(?:icmp|icmpv6|udp|saddr)\b|ct state (?!.*\bnew\b)", rule):
        return False
    ports = _NFT_PORT.search(rule)
    return ports is None or any(_has_port(port) for port in re.findall(r"[\w-]+", ports["set"]))


def _firewalld(fs: GuestFS, services: Services) -> Iterator[SshGate]:
    conf = fs.text("/etc/firewalld/firewalld.conf")
    match = re.search(r"^DefaultZone=(\S+)", conf.content, re.MULTILINE) if conf is not None else None
    default = _zone(fs, match[1] if match else "public")
    # An interface that no zone names falls into the default zone.
    if default is None or _SSH_SERVICE.search(default.content):
        return
    for path in fs.glob(f"{_ZONES[0]}/*.xml"):
        text = fs.text(path)
        if text is not None and _SSH_SERVICE.search(text.content):
            names = [text.group(found, "name") for found in _INTERFACE.finditer(text.content)]
            yield from _gate("firewalld", names, starts_if_there(fs, services, "firewalld"))


def _zone(fs: GuestFS, name: str) -> GuestText | None:
    return next((text for folder in _ZONES if (text := fs.text(f"{folder}/{name}.xml")) is not None), None)
