"""The scope of an address or host name: private, loopback, link-local."""

from __future__ import annotations

import ipaddress
import re

_LOCAL_SUFFIXES = (".local", ".lan", ".internal", ".intranet", ".corp", ".home", ".localdomain", ".private", ".home.arpa")
_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?\.?")


def is_private_address(text: str) -> bool:
    """Whether ``text`` is an address of a private network (RFC 1918, RFC 6598, unique local IPv6); loopback and link-local are not."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    if address.is_loopback or address.is_link_local or address.is_unspecified or address.is_multicast:
        return False
    return address.is_private or (address.version == 4 and address in ipaddress.ip_network("100.64.0.0/10"))


def is_loopback_address(text: str) -> bool:
    """Whether ``text`` is a loopback address."""
    try:
        return ipaddress.ip_address(text.partition("%")[0]).is_loopback
    except ValueError:
        return False


def is_link_local(text: str) -> bool:
    """Whether ``text`` is a link-local address, like those of cloud metadata services."""
    try:
        return ipaddress.ip_address(text.partition("%")[0]).is_link_local
    except ValueError:
        return False


def is_local_host(text: str) -> bool:
    """Whether ``text`` is a host that only a private network knows: a private address, a name without dots, or one under a local suffix."""
    name = text.rstrip(".").lower()
    if is_private_address(name):
        return True
    if not _HOST.fullmatch(name) or re.fullmatch(r"[\d.]+", name):
        return False
    return name not in ("localhost",) and ("." not in name or name.endswith(_LOCAL_SUFFIXES))


def is_one_machines(text: str) -> bool:
    """Whether ``text`` is an address that only the machine owning it can bind to: neither a wildcard nor loopback."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    return not address.is_unspecified and not address.is_loopback
