"""dhcpcd's configuration (dhcpcd.conf(5)), limited to fixed addresses::

interface ens192
static ip_address=192.0.2.5/24
static routers=192.0.2.1
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field

from v2vlint.facts.network.interface import Address, InterfaceConfig, Manager, Method, address_from
from v2vlint.facts.registry import provides
from v2vlint.facts.syntax.edit_lines import slice_token
from v2vlint.guest.fs import GuestFS
from v2vlint.guest.text import GuestText
from v2vlint.model.dataclass import dataclass
from v2vlint.model.place import Span, Token

PATHS = ("/etc/dhcpcd.conf", "/etc/dhcpcd/dhcpcd.conf")
MAX_BLOCKS = 500


@dataclass(frozen=True, slots=True)
class Dhcpcd:
    """The interfaces that dhcpcd gives a fixed address."""

    interfaces: tuple[InterfaceConfig, ...] = ()


@dataclass(slots=True)
class _Block:
    where: Span
    names: tuple[Token, ...] = ()
    addresses: list[Address] = field(default_factory=list)
    gateways: list[Token] = field(default_factory=list)
    dns: list[Token] = field(default_factory=list)


@provides
def parse_dhcpcd(fs: GuestFS) -> Dhcpcd:
    """The ``interface`` blocks, and settings before them that apply to all. A missing file counts as empty."""
    text = next((found for path in PATHS if (found := fs.text(path)) is not None), None)
    blocks = _blocks(text) if text is not None else []
    return Dhcpcd(tuple(_interfaces(blocks)))


def _blocks(text: GuestText) -> list[_Block]:
    blocks = [_Block(text.span(0, 0))]
    for line in text.lines():
        words = line.words()
        if line.is_blank() or not words:
            continue
        if words[0].value == "interface" and len(words) > 1 and len(blocks) < MAX_BLOCKS:
            blocks.append(_Block(words[1].where, (words[1],)))
        # What follows these applies in one network only.
        elif words[0].value in ("profile", "ssid", "arping"):
            blocks.append(_Block(words[0].where, (words[0],)))
        elif words[0].value == "static" and len(words) > 1:
            _static(blocks[-1], words[1:])
    return blocks


def _static(block: _Block, words: tuple[Token, ...]) -> None:
    key, _equals, first = words[0].value.partition("=")
    values = (*((slice_token(words[0], len(key) + 1, len(words[0].value)),) if first else ()), *words[1:])
    if key in ("ip_address", "ip6_address"):
        block.addresses += [address for value in values if (address := address_from(value.value, value.where)) is not None]
    elif key == "routers":
        block.gateways += values
    elif key == "domain_name_servers":
        block.dns += values


def _interfaces(blocks: list[_Block]) -> Iterator[InterfaceConfig]:
    for block in blocks:
        if block.addresses and not (block.names and block.names[0].value in ("profile", "ssid", "arping")):
            yield InterfaceConfig(
                manager=Manager.DHCPCD,
                where=block.where,
                names=block.names,
                method=Method.STATIC,
                addresses=tuple(block.addresses),
                gateways=tuple(block.gateways),
                dns=tuple(block.dns),
            )
