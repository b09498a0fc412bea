"""Who can reach the guest's SSH server: saved iptables and ufw rules, nftables' and firewalld's files, read for that question only.

Only firewalls that reject by default count. What matters then is on which interfaces they admit port 22.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from v2vlint.facts.environment.services import Services, starts_if_there
from v2vlint.facts.environment.sshd import Sshd
from v2vlint.facts.network.filter_chains import admitted
from v2vlint.facts.network.iptables_rules import ports_in, saved_chains
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
_SERVICES = ("/etc/firewalld/services", "/usr/lib/firewalld/services")
_SSH_PORT = 22
_INTERFACE = re.compile(r"""<interface\s+name=["'](?P<name>[^"']{1,64})["']""")
_SOURCE = re.compile(r"<source\s")
_TARGET = re.compile(r"""\btarget=["']ACCEPT["']""")
_SERVICE = re.compile(r"""<service\s+name=["'](?P<name>[\w.-]{1,64})["']""")
_PORT = re.compile(r"<port\s(?P<attributes>[^<>]{0,200})>")
_ATTRIBUTE = re.compile(r"""\b(?P<name>port|protocol)=["'](?P<value>[\w-]{1,20})["']""")
_DIRECT_ACCEPT = re.compile(r"\bACCEPT\b")
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
        for table in nft_tables(path, lambda pattern: _nft_files(fs, pattern), sshd.ports):
            for chain, closed in table.inputs:
                yield from _gate("nftables", admitted(table.rules, chain, closed=closed), starts_if_there(fs, services, "nftables"))


def _nft_files(fs: GuestFS, pattern: str) -> tuple[GuestText, ...] | None:
    """The files that nft includes; relative paths are those below /etc. None when one is not readable, or the pattern is in the
    wrong quotes."""
    if pattern.startswith("'"):
        return None
    paths = [path for path in fs.glob(pattern if pattern.startswith("/") else f"/etc/{pattern}") if fs.is_file(path)]
    texts = tuple(text for path in paths[: MAX_FILES + 1] if (text := fs.text(path)) is not None)
    return texts if len(texts) == len(paths) else None


def _firewalld(fs: GuestFS, services: Services, sshd: Sshd) -> Iterator[SshGate]:
    conf = fs.text("/etc/firewalld/firewalld.conf")
    match = re.search(r"^DefaultZone=(\S+)", conf.content, re.MULTILINE) if conf is not None else None
    default = _zone(fs, match[1] if match else "public")
    # An interface that no zone names falls into the default zone.
    if default is None or _admits(fs, default, sshd.ports) or _admits_past_zones(fs, sshd.ports):
        return
    zones = [text for text in _texts(fs, f"{_ZONES[0]}/*.xml") if _admits(fs, text, sshd.ports)]
    # A zone may also be for certain addresses, whatever the interface.
    if any(_SOURCE.search(text.content) for text in zones):
        return
    runs = None if _zoned_elsewhere(fs) else starts_if_there(fs, services, "firewalld")
    names = tuple(text.group(found, "name") for text in zones for found in _INTERFACE.finditer(text.content))
    yield from _gate("firewalld", names, runs)


def _texts(fs: GuestFS, pattern: str) -> Iterator[GuestText]:
    return (text for path in fs.glob(pattern)[:MAX_FILES] if (text := fs.text(path)) is not None)


def _admits_past_zones(fs: GuestFS, ports: frozenset[int]) -> bool:
    """Rules that are tried before those of the zones: direct ones, and policies."""
    direct = fs.text("/etc/firewalld/direct.xml")
    if direct is not None and _DIRECT_ACCEPT.search(direct.content):
        return True
    return any(_admits(fs, policy, ports) for policy in _texts(fs, "/etc/firewalld/policies/*.xml"))


def _admits(fs: GuestFS, zone: GuestText, ports: frozenset[int]) -> bool:
    content = _without_refusals(zone.content)
    services = {match["name"] for match in _SERVICE.finditer(content)}
    return bool(_TARGET.search(content)) or _has_port(content, ports) or any(_serves(fs, name, ports) for name in sorted(services))


def _without_refusals(content: str) -> str:
    """A zone without its rich rules that do not accept: ``<rule><service name="ssh"/><reject/></rule>``."""
    first, *rules = content.split("<rule")
    parted = [rule.partition("</rule>") for rule in rules]
    return first + "".join(f"{inside if '<accept' in inside else ''}{after}" for inside, _end, after in parted)


def _has_port(content: str, ports: frozenset[int]) -> bool:
    for match in _PORT.finditer(content):
        said = {one["name"]: one["value"] for one in _ATTRIBUTE.finditer(match["attributes"])}
        if said.get("protocol", "tcp") == "tcp" and (meant := ports_in(said.get("port", ""), ports)) != frozenset():
            return meant is None or bool(meant)
    return False


def _serves(fs: GuestFS, service: str, ports: frozenset[int]) -> bool:
    """Whether a service of firewalld is on one of the ports, as its file says; SSH's may be overridden in /etc."""
    text = next((text for folder in _SERVICES if (text := fs.text(f"{folder}/{service}.xml")) is not None), None)
    return _has_port(text.content, ports) if text is not None else service == "ssh" and _SSH_PORT in ports


def _zoned_elsewhere(fs: GuestFS) -> bool:
    texts = ((fs.text(path), pattern) for places, pattern in _ZONED for path in fs.glob(places)[:MAX_FILES])
    return any(text is not None and pattern.search(text.content) for text, pattern in texts)


def _zone(fs: GuestFS, name: str) -> GuestText | None:
    return next((text for folder in _ZONES if (text := fs.text(f"{folder}/{name}.xml")) is not None), None)
