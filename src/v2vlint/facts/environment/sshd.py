"""Where OpenSSH's server listens (sshd_config(5)), and its systemd socket units."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from v2vlint.facts.environment.services import Services, starts_if_there
from v2vlint.facts.environment.sshd_config import SshdConfig
from v2vlint.facts.registry import provides
from v2vlint.facts.syntax.edit_lines import slice_token
from v2vlint.facts.syntax.ini import units_from, words_of
from v2vlint.facts.syntax.layers import drop_ins, winner
from v2vlint.facts.systemd.unit_files import FOLDERS
from v2vlint.guest.fs import GuestFS
from v2vlint.guest.text import GuestText
from v2vlint.model.dataclass import dataclass
from v2vlint.model.digits import decimal
from v2vlint.model.place import Token, WholeFile

_SSHD = re.compile(r"\bsshd\b", re.IGNORECASE)
_ALL = re.compile(r"ALL\b", re.IGNORECASE)
_HOSTS = re.compile(r"\s*(?P<hosts>[^#:]{1,500})")
MAX_PORT = 65535
MAX_PORTS = 256
_LAST = re.compile(r"(?:^[^:]*|\]):(\d{1,5})$")
_SERVICES = ("sshd.service", "ssh.service")


@dataclass(frozen=True, slots=True)
class Sshd:
    """``listen`` are the addresses that sshd binds to, without ports; empty means all. ``devices`` are interfaces that its socket is bound
    to. ``starts`` is None when unclear. ``clients`` are the patterns of AllowUsers, and of hosts.allow if hosts.deny refuses
    the rest, when each of them states where the user comes from. ``unit`` is the service's file. ``ports`` are all that may be meant."""

    listen: tuple[Token, ...] = ()
    devices: tuple[Token, ...] = ()
    starts: bool | None = None
    clients: tuple[Token, ...] = ()
    unit: WholeFile | None = None
    ports: frozenset[int] = frozenset({22})


@provides
def parse_sshd(fs: GuestFS, services: Services, config: SshdConfig) -> Sshd:
    """The settings outside of ``Match`` blocks, includes followed; a socket unit's take their place where it is enabled."""
    by_socket = bool(services.starts("ssh.socket", "sshd.socket"))
    own = tuple(_address(one.values[0]) for one in config.all("listenaddress"))
    streams = tuple(_sockets(fs, "ListenStream")) if by_socket else ()
    listen = tuple(map(_address, streams)) if by_socket else own
    starts = starts_if_there(fs, services, "sshd", "ssh", "ssh.socket", "sshd.socket")
    allowed = [word for one in config.all("allowusers") for word in one.values]
    clients = tuple(_host(word) for word in allowed) if allowed and all("@" in word.value for word in allowed) else tuple(_wrapped(fs))
    unit = next((WholeFile(path) for name in _SERVICES if (path := winner(fs, FOLDERS, name)) is not None), None)
    ports = _ports([word for one in config.all("port") for word in one.values], [one.text for one in config.all("listenaddress")])
    ports |= _ports(streams, [word.value for word in streams])
    devices = tuple(_sockets(fs, "BindToDevice")) if by_socket else ()
    return Sshd(listen, devices, starts, clients, unit, ports or frozenset({22}))


def _ports(words: Iterable[Token], addresses: Iterable[str]) -> frozenset[int]:
    """The ports among ``words``, and those of ``addresses`` (``192.0.2.5:2222``); no more than :data:`MAX_PORTS`."""
    plain = (decimal(word.value) for word in words if word.value.isdecimal())
    found = (*plain, *(decimal(match[1]) for text in addresses if (match := _LAST.search(text))))
    return frozenset(list(dict.fromkeys(port for port in found if port <= MAX_PORT))[:MAX_PORTS])


def _host(word: Token) -> Token:
    return slice_token(word, word.value.rindex("@") + 1, len(word.value))


def _wrapped(fs: GuestFS) -> Iterator[Token]:
    """Clients that hosts.allow admits to sshd, if hosts.deny refuses all others: hosts_access(5)."""
    deny, allow = fs.text("/etc/hosts.deny"), fs.text("/etc/hosts.allow")
    if deny is None or allow is None or not any(_ALL.match(hosts.value) for hosts in _for_sshd(deny)):
        return
    for hosts in _for_sshd(allow):
        yield from (slice_token(hosts, word.start(), word.end()) for word in re.finditer(r"[^\s,]+", hosts.value))


def _for_sshd(text: GuestText) -> Iterator[Token]:
    """The clients of the lines for sshd or all services."""
    for line in text.lines():
        daemons, colon, _rest = line.text.partition(":")
        meant = "#" not in daemons and (daemons.strip().upper() == "ALL" or _SSHD.search(daemons))
        if colon and meant and (match := _HOSTS.match(line.text, len(daemons) + 1)):
            yield line.group(match, "hosts")


def _address(word: Token) -> Token:
    """The address in ``192.0.2.5``, ``192.0.2.5:22``, ``[2001:db8::5]:22``."""
    value = word.value
    if value.startswith("["):
        return slice_token(word, 1, value.find("]") if "]" in value else len(value))
    return slice_token(word, 0, value.index(":")) if value.count(":") == 1 else word


def _sockets(fs: GuestFS, key: str) -> Iterator[Token]:
    """The values of ``key`` in the socket unit and its drop-ins, including bare ports; an empty value resets the list."""
    for name in ("ssh.socket", "sshd.socket"):
        own = winner(fs, FOLDERS, name)
        texts = (fs.text(path) for path in (*((own,) if own else ()), *drop_ins(fs, FOLDERS, name)))
        merged = units_from(text for text in texts if text is not None)
        for value in merged.all("Socket", key):
            # The rest are sockets of UNIX and of the hypervisor (vsock), which no network reaches.
            yield from (word for word in words_of(value) if not word.value.startswith(("/", "@", "vsock:")))
