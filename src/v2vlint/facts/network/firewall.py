"""Who can reach the guest's SSH server: saved iptables and ufw rules, nftables' and firewalld's files, read for that question only.

Only firewalls that reject by default count. What matters then is on which interfaces they admit port 22.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from v2vlint.facts.environment.services import Services, starts_if_there
from v2vlint.facts.environment.sshd import Sshd
from v2vlint.facts.network.filter_chains import admitted
from v2vlint.facts.network.iptables_rules import has_port, saved_chains
from v2vlint.facts.network.nft_rules import nft_tables
from v2vlint.facts.registry import provides
from v2vlint.facts.syntax.shell_source import sh_is_bash, sourced_values
from v2vlint.guest.fs import GuestFS
from v2vlint.guest.text import GuestText
from v2vlint.model.dataclass import dataclass
from v2vlint.model.place import Token

MAX_FILES = 100
_IPTABLES = (
    ("/etc/iptables/rules.v4", ("netfilter-persistent", "iptables-persistent")),
    ("/etc/sysconfig/iptables", ("iptables",)),
    ("/etc/iptables/iptables.rules", ("iptables",)),
    ("/etc/iptables.up.rules", ()),
)
_UFW_POLICY = "DEFAULT_INPUT_POLICY"
_NFTABLES = ("/etc/nftables.conf", "/etc/sysconfig/nftables.conf")
_ZONES = ("/etc/firewalld/zones", "/usr/lib/firewalld/zones")
_SSH_PORT = 22
_INCLUDE = re.compile(r'^\s*include\s+"(?P<path>[^"\n]{1,300})"', re.MULTILINE)
_INTERFACE = re.compile(r'<interface\s+name="(?P<name>[^"]{1,64})"')
_SOURCE = re.compile(r"<source\s")
_ADMITS_SSH = re.compile(r'<service\s+name="ssh"|target="ACCEPT"')
_PORT = re.compile(r'<port\s+[^>]{0,100}?port="(?P<port>[\d-]{1,20})"')
_ZONED = (
    ("/etc/NetworkManager/system-connections/*", re.compile(r"^zone=\S", re.MULTILINE)),
    ("/etc/sysconfig/network-scripts/ifcfg-*", re.compile(r"^ZONE=\S", re.MULTILINE)),
)
"""Where a connection says itself which zone its interface is in."""


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
def find_firewalls(fs: GuestFS, services: Services, sshd: Sshd) -> Firewalls:
    """Find them. Firewalls that admit SSH on every interface, or on none, are left out."""
    found = (*_iptables(fs, services, sshd), *_ufw(fs, services, sshd), *_nftables(fs, services, sshd), *_firewalld(fs, services, sshd))
    return Firewalls(tuple(found))


def _iptables(fs: GuestFS, services: Services, sshd: Sshd) -> Iterator[SshGate]:
    for path, names in _IPTABLES:
        text = fs.text(path)
        if text is not None:
            saved = saved_chains(text, sshd.ports)
            runs = starts_if_there(fs, services, *names) if names else None
            yield from _gate("iptables", admitted(saved.rules, "INPUT", closed="INPUT" in saved.closed), runs)


def _ufw(fs: GuestFS, services: Services, sshd: Sshd) -> Iterator[SshGate]:
    """ufw-init-functions, a script for /bin/sh, sources both files."""
    text = fs.text("/etc/ufw/user.rules")
    settings = sourced_values((fs.text("/etc/ufw/ufw.conf"), fs.text("/etc/default/ufw")), bash=sh_is_bash(fs), fs=fs)
    if text is not None and settings.known("ENABLED").text.text in ("yes", "YES") and settings.known(_UFW_POLICY).text.text != "ACCEPT":
        rules = saved_chains(text, sshd.ports).rules
        yield from _gate("ufw", admitted(rules, "ufw-user-input", closed=True), starts_if_there(fs, services, "ufw"))


def _gate(program: str, names: tuple[Token, ...] | None, runs: bool | None) -> Iterator[SshGate]:
    if names:
        yield SshGate(program, names, runs)


def _nftables(fs: GuestFS, services: Services, sshd: Sshd) -> Iterator[SshGate]:
    for path in _NFTABLES:
        for text in _included(fs, path):
            for table in nft_tables(text, sshd.ports):
                for chain, closed in table.inputs:
                    yield from _gate("nftables", admitted(table.rules, chain, closed=closed), starts_if_there(fs, services, "nftables"))


def _included(fs: GuestFS, path: str) -> Iterator[GuestText]:
    """A file and those that it includes; relative paths are those below /etc."""
    pending, seen = [path], {path}
    while pending and len(seen) <= MAX_FILES:
        text = fs.text(pending.pop())
        if text is None:
            continue
        yield text
        for match in _INCLUDE.finditer(text.content):
            pattern = match["path"] if match["path"].startswith("/") else f"/etc/{match['path']}"
            found = [one for one in fs.glob(pattern)[:MAX_FILES] if one not in seen]
            seen.update(found)
            pending += found


def _firewalld(fs: GuestFS, services: Services, sshd: Sshd) -> Iterator[SshGate]:
    conf = fs.text("/etc/firewalld/firewalld.conf")
    match = re.search(r"^DefaultZone=(\S+)", conf.content, re.MULTILINE) if conf is not None else None
    default = _zone(fs, match[1] if match else "public")
    # An interface that no zone names falls into the default zone.
    if default is None or _admits(default, sshd.ports):
        return
    zones = [text for path in fs.glob(f"{_ZONES[0]}/*.xml")[:MAX_FILES] if (text := fs.text(path)) is not None]
    zones = [text for text in zones if _admits(text, sshd.ports)]
    # A zone may also be for certain addresses, whatever the interface.
    if any(_SOURCE.search(text.content) for text in zones):
        return
    runs = None if _zoned_elsewhere(fs) else starts_if_there(fs, services, "firewalld")
    for text in zones:
        yield from _gate("firewalld", tuple(text.group(found, "name") for found in _INTERFACE.finditer(text.content)), runs)


def _admits(zone: GuestText, ports: frozenset[int]) -> bool:
    service = _ADMITS_SSH.search(zone.content)
    if service and (_SSH_PORT in ports or service[0].startswith("target")):
        return True
    return any(has_port(match["port"], port) for match in _PORT.finditer(zone.content) for port in ports)


def _zoned_elsewhere(fs: GuestFS) -> bool:
    texts = ((fs.text(path), pattern) for places, pattern in _ZONED for path in fs.glob(places)[:MAX_FILES])
    return any(text is not None and pattern.search(text.content) for text, pattern in texts)


def _zone(fs: GuestFS, name: str) -> GuestText | None:
    return next((text for folder in _ZONES if (text := fs.text(f"{folder}/{name}.xml")) is not None), None)
