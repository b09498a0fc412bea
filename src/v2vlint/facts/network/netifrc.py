"""Gentoo's netifrc (``/etc/conf.d/net``)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from v2vlint.facts.environment.services import Services
from v2vlint.facts.network.interface import InterfaceConfig, Manager, Method, address_from, kind_of_name
from v2vlint.facts.registry import provides
from v2vlint.facts.syntax.edit_lines import slice_token
from v2vlint.facts.syntax.ini import words_of
from v2vlint.facts.syntax.shell_vars import ShellVars, shell_vars_from
from v2vlint.guest.fs import GuestFS
from v2vlint.model.dataclass import dataclass
from v2vlint.model.place import Span, Token

PATH = "/etc/conf.d/net"
_CONFIG = re.compile(r"config_(\w+)")


@dataclass(frozen=True, slots=True)
class Netifrc:
    """The interfaces in ``/etc/conf.d/net``."""

    interfaces: tuple[InterfaceConfig, ...] = ()
    malformed: tuple[Span, ...] = ()


@provides
def parse_netifrc(fs: GuestFS, services: Services) -> Netifrc:
    """The guest's ``/etc/conf.d/net``. A missing file counts as empty."""
    text = fs.text(PATH)
    if text is None:
        return Netifrc()
    vars_ = shell_vars_from(text)
    return Netifrc(tuple(_interfaces(vars_, services)), vars_.malformed)


def _interfaces(vars_: ShellVars, services: Services) -> Iterator[InterfaceConfig]:
    for var in vars_.matching(_CONFIG):
        name = var.key.removeprefix("config_")
        start = var.where.start + len("config_")
        column = var.where.column + len("config_")
        token = Token(name, Span(var.where.path, start, start + len(name), var.where.line, column))
        words = words_of(var.value)
        addresses = tuple(address for word in words if (address := address_from(word.value, word.where)) is not None)
        dhcp = any(word.value in ("dhcp", "dhcpcd", "dhclient", "udhcpc") for word in words)
        yield InterfaceConfig(
            manager=Manager.NETIFRC,
            where=var.where,
            kind=kind_of_name(name),
            names=(token,),
            method=Method.DHCP if dhcp else Method.STATIC if addresses else Method.NONE,
            addresses=addresses,
            gateways=tuple(_gateways(vars_, name)),
            autostart=services.starts(f"net.{name}") is not False,
        )


def _gateways(vars_: ShellVars, name: str) -> Iterator[Token]:
    routes = vars_.get(f"routes_{name}")
    for match in re.finditer(r"default\s+via\s+(\S+)", routes.value) if routes else ():
        if routes:
            yield slice_token(routes, match.start(1), match.end(1))
