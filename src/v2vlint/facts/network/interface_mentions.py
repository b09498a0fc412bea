"""Interface names in the configuration of firewalls, routers and kernel settings, which nothing updates when a card is renamed."""

from __future__ import annotations

import re
from collections.abc import Iterator

from v2vlint.facts.network.names import IfNameKind, ifname_kind
from v2vlint.facts.registry import provides
from v2vlint.guest.fs import GuestFS
from v2vlint.guest.text import GuestText
from v2vlint.model.dataclass import dataclass
from v2vlint.model.place import Token

MAX_FILES = 300
MAX_MENTIONS = 1000
_FILES = (
    ("firewalld", "/etc/firewalld/zones/*.xml"),
    ("iptables", "/etc/sysconfig/iptables"),
    ("iptables", "/etc/sysconfig/ip6tables"),
    ("iptables", "/etc/iptables/rules.v[46]"),
    ("nftables", "/etc/nftables.conf"),
    ("nftables", "/etc/sysconfig/nftables.conf"),
    ("nftables", "/etc/nftables/*.nft"),
    ("ufw", "/etc/ufw/user*.rules"),
    ("shorewall", "/etc/shorewall/interfaces"),
    ("keepalived", "/etc/keepalived/*.conf"),
    ("sysctl", "/etc/sysctl.conf"),
    ("sysctl", "/etc/sysctl.d/*.conf"),
    ("the DHCP server", "/etc/default/isc-dhcp-server"),
    ("the DHCP server", "/etc/sysconfig/dhcpd"),
    ("dnsmasq", "/etc/dnsmasq.conf"),
    ("dnsmasq", "/etc/dnsmasq.d/*"),
    ("heartbeat", "/etc/ha.d/ha.cf"),
    ("radvd", "/etc/radvd.conf"),
    ("FRRouting", "/etc/frr/frr.conf"),
)
_NAME = re.compile(r"(?<![\w.-])(?:eth\d+|en[a-zA-Z]{1,2}\d[a-z0-9]*|en[opsx][0-9a-f]\w*|em\d+|p\d+p\d+)(?![\w-])")


@dataclass(frozen=True, slots=True)
class InterfaceMention:
    """An interface name in the files of ``program``."""

    program: str
    name: Token


@dataclass(frozen=True, slots=True)
class InterfaceMentions:
    """Every mention outside comments, each name once per file."""

    mentions: tuple[InterfaceMention, ...] = ()


@provides
def find_interface_mentions(fs: GuestFS) -> InterfaceMentions:
    """Search the known files. Missing files count as empty."""
    found: list[InterfaceMention] = []
    for program, pattern in _FILES:
        for path in fs.glob(pattern)[:MAX_FILES]:
            text = fs.text(path)
            found.extend(InterfaceMention(program, name) for name in (_names(text) if text is not None else ()))
    return InterfaceMentions(tuple(found[:MAX_MENTIONS]))


def _names(text: GuestText) -> Iterator[Token]:
    seen: set[str] = set()
    for line in text.lines():
        if line.is_blank("#;!"):
            continue
        for match in _NAME.finditer(line.text.replace("/", " ").replace(".", " ") if "sysctl" in text.path else line.text):
            known = ifname_kind(match[0]) not in (IfNameKind.CUSTOM, IfNameKind.VIRTUAL)
            if known and match[0] not in seen:
                seen.add(match[0])
                yield line.token(match.start(), match.end())
