"""netplan's YAML (netplan-yaml(5)), merged over /lib, /etc and /run as netplan merges it::

    network:
      version: 2
      ethernets:
        ens192:
          dhcp4: true

Every value keeps its place in the file that takes precedence.
"""

from __future__ import annotations

from collections.abc import Iterator

from v2vlint.facts.network.interface import (
    Address,
    InterfaceConfig,
    InterfaceEdits,
    Manager,
    Method,
    address_from,
    is_mac,
    mac_token,
)
from v2vlint.facts.network.match import Match, MatchKey, any_of
from v2vlint.facts.registry import provides
from v2vlint.facts.syntax.edit_lines import replace_token
from v2vlint.facts.syntax.layers import layered
from v2vlint.facts.syntax.yaml_places import YamlNode, YamlProblem, compose, drop_item, insert_item, merge
from v2vlint.guest.fs import GuestFS
from v2vlint.guest.text import GuestText
from v2vlint.model.dataclass import dataclass
from v2vlint.model.fix import ReplaceText
from v2vlint.model.place import Token

FOLDERS = ("/run/netplan", "/etc/netplan", "/lib/netplan", "/usr/lib/netplan")
MAX_FILES = 64
ANY_CARD = "e*"
_KINDS = {
    "ethernets": "ethernet", "wifis": "wifi", "modems": "modem", "bonds": "bond", "bridges": "bridge", "vlans": "vlan", "vrfs": "vrf",
    "tunnels": "tunnel", "dummy-devices": "dummy", "virtual-ethernets": "veth", "nm-devices": "other",
}  # fmt: skip
_DEFAULTS = ("default", "0.0.0.0/0", "::/0", "0/0")
_STATIC = ("addresses", "gateway4", "gateway6", "routes", "nameservers")


@dataclass(frozen=True, slots=True)
class NetplanDevice:
    """One definition: its id, the renderer that brings it up (``networkd`` or ``NetworkManager``), and the resulting interface."""

    id: Token
    renderer: str
    interface: InterfaceConfig


@dataclass(frozen=True, slots=True)
class Netplan:
    """The merged netplan configuration. ``files`` are the active ones in merge order; ``problems`` those that are not valid YAML."""

    devices: tuple[NetplanDevice, ...] = ()
    renderer: str = "networkd"
    files: tuple[str, ...] = ()
    problems: tuple[YamlProblem, ...] = ()

    @property
    def interfaces(self) -> tuple[InterfaceConfig, ...]:
        """The interfaces that the definitions configure."""
        return tuple(device.interface for device in self.devices)


@provides
def parse_netplan(fs: GuestFS) -> Netplan:
    """All active netplan files of the guest; whether netplan is installed is a separate fact."""
    texts = [text for path in layered(fs, FOLDERS, ".yaml")[:MAX_FILES] if (text := fs.text(path)) is not None]
    merged: YamlNode | None = None
    problems: list[YamlProblem] = []
    for text in texts:
        root = compose(text)
        if isinstance(root, YamlProblem):
            problems.append(root)
        elif root is not None and root.kind == "map":
            merged = root if merged is None else merge(merged, root)
    network = merged.get("network") if merged is not None else None
    files = tuple(text.path for text in texts)
    if network is None or network.kind != "map":
        return Netplan((), "networkd", files, tuple(problems))
    renderer = network.scalar("renderer")
    reader = _Reader({text.path: text for text in texts}, network, renderer.value if renderer else "networkd")
    return Netplan(tuple(reader.devices()), reader.renderer, files, tuple(problems))


@dataclass(frozen=True)
class _Reader:
    texts: dict[str, GuestText]
    network: YamlNode
    renderer: str

    def devices(self) -> Iterator[NetplanDevice]:
        """Every definition of every section."""
        for section, kind in _KINDS.items():
            block = self.network.get(section)
            if block is None or block.kind != "map":
                continue
            group = block.scalar("renderer")
            for key, node in block.items:
                if key.text in ("renderer", "version") or key.token is None:
                    continue
                own = node.scalar("renderer") or group
                renderer = own.value if own else self.renderer
                yield NetplanDevice(key.token, renderer, self._interface(kind, key.token, node, renderer))

    def _interface(self, kind: str, name: Token, node: YamlNode, renderer: str) -> InterfaceConfig:
        addresses = tuple(_addresses(node))
        match = node.get("match")
        bound = node.scalars("match", "name") if match is not None else (name,)
        mac = mac_token(node.scalar("match", "macaddress"))
        hardware = node.scalars("match", "driver") + node.scalars("match", "path")
        activation = node.scalar("activation-mode")
        link = node.scalar("link")
        return InterfaceConfig(
            manager=Manager.NETPLAN,
            where=name.where,
            kind="loopback" if name.value == "lo" else kind,
            names=bound,
            mac=mac,
            hardware=hardware,
            set_mac=_set_mac(node),
            renamed_to=node.scalar("set-name"),
            method=_method(node, addresses),
            addresses=addresses,
            gateways=tuple(_gateways(node)),
            no_default_route=_no_default_route(node),
            dns=node.scalars("nameservers", "addresses"),
            autostart=activation is None,
            uses=(*node.scalars("interfaces"), *((link,) if link else ())),
            mtu=node.scalar("mtu"),
            conditions=_match(bound, mac, node),
            brings_up=True,
            order=f"10-netplan-{name.value}.network",  # the file that netplan generates for networkd
            ids=(name.value,),
            renderer=renderer,
            edits=self._edits(node, addresses, patterns=renderer == "networkd"),
        )

    def _text(self, node: YamlNode) -> GuestText:
        return self.texts[node.where.path]

    def _only_card(self) -> bool:
        block = self.network.get("ethernets")
        return block is not None and len(block.items) == 1

    def _edits(self, node: YamlNode, addresses: tuple[Address, ...], *, patterns: bool) -> InterfaceEdits:
        """Without ``patterns``, names are matched literally: older netplan refuses all files if NetworkManager is to match a pattern."""
        match = node.get("match")
        return InterfaceEdits(
            self._match_any(node, match, patterns=patterns), self._drop_mac(node, match, patterns=patterns), self._to_dhcp(node, addresses)
        )

    def _match_any(self, node: YamlNode, match: YamlNode | None, *, patterns: bool) -> tuple[ReplaceText, ...]:
        if not self._only_card() or node.kind != "map":
            return ()
        if match is None:
            # NetworkManager applies an empty match to any ethernet card, networkd to the loopback interface as well.
            edit = insert_item(self._text(node), node, f'match: {{name: "{ANY_CARD}"}}' if patterns else "match: {}")
            return (edit,) if edit else ()
        bound = node.scalars("match", "name")
        usable = patterns and len(bound) == 1 and _is_literal(bound[0], self.texts)
        return (replace_token(bound[0], ANY_CARD),) if usable else ()

    def _drop_mac(self, node: YamlNode, match: YamlNode | None, *, patterns: bool) -> tuple[ReplaceText, ...]:
        pair = match.item("macaddress") if match is not None else None
        if match is None or pair is None or not self._only_card():
            return ()
        edits: list[ReplaceText | None] = []
        if match.item("name"):
            edits.append(drop_item(self._text(match), match, "macaddress"))
        elif patterns:
            text = self._text(match)
            where = text.span(pair[0].where.start, pair[1].where.end)
            edits.append(ReplaceText(where, text.content[where.start : where.end], f'name: "{ANY_CARD}"'))
        else:
            return ()
        if node.item("set-name"):
            edits.append(drop_item(self._text(node), node, "set-name"))
        return _all(edits)

    def _to_dhcp(self, node: YamlNode, addresses: tuple[Address, ...]) -> tuple[ReplaceText, ...]:
        # A definition that several files make up is left to its author, and so are static routes.
        if not addresses or node.kind != "map" or len(_files(node)) != 1 or _other_routes(node):
            return ()
        text = self._text(node)
        present = [key for key in _STATIC if node.item(key)]
        edits = [drop_item(text, node, key) for key in present]
        dhcp = node.scalar("dhcp4")
        if dhcp is None:
            edits.append(insert_item(text, node, "dhcp4: true"))
        elif not node.is_true("dhcp4"):
            edits.append(replace_token(dhcp, "true"))
        return _all(edits)


def _match(names: tuple[Token, ...], mac: Token | None, node: YamlNode) -> Match:
    drivers, paths = node.scalars("match", "driver"), node.scalars("match", "path")
    one_each = (*any_of(MatchKey.ANY_NAME, names), *any_of(MatchKey.MAC, [mac] if mac else []))
    return (*one_each, *any_of(MatchKey.DRIVER, drivers), *any_of(MatchKey.PATH, paths))


def _all(edits: list[ReplaceText | None]) -> tuple[ReplaceText, ...]:
    """All edits, or none if one of them is impossible."""
    return tuple(edit for edit in edits if edit is not None) if None not in edits else ()


def _other_routes(node: YamlNode) -> bool:
    """Whether there are routes besides the default one, which a switch to DHCP would lose."""
    routes = node.get("routes")
    targets = [route.scalar("to") for route in routes.elements] if routes is not None else []
    return any(to is None or to.value not in _DEFAULTS for to in targets)


def _files(node: YamlNode) -> frozenset[str]:
    places = [node.where.path, *(key.where.path for key, _value in node.items), *(value.where.path for _key, value in node.items)]
    return frozenset(places)


def _is_literal(token: Token, texts: dict[str, GuestText]) -> bool:
    return texts[token.where.path].content[token.where.start : token.where.end] == token.value


def _addresses(node: YamlNode) -> Iterator[Address]:
    block = node.get("addresses")
    for element in block.elements if block is not None else ():
        token = element.token if element.kind == "scalar" else (element.items[0][0].token if element.items else None)
        address = address_from(token.value, token.where) if token else None
        if address is not None:
            yield address


def _gateways(node: YamlNode) -> Iterator[Token]:
    yield from (token for key in ("gateway4", "gateway6") if (token := node.scalar(key)))
    routes = node.get("routes")
    for route in routes.elements if routes is not None else ():
        to, via = route.scalar("to"), route.scalar("via")
        if via and to and to.value in _DEFAULTS:
            yield via


def _no_default_route(node: YamlNode) -> bool:
    overrides = "dhcp4-overrides" if node.is_true("dhcp4") else "dhcp6-overrides"
    return node.get(overrides, "use-routes") is not None and not node.is_true(overrides, "use-routes")


def _method(node: YamlNode, addresses: tuple[Address, ...]) -> Method:
    if node.is_true("dhcp4") or (node.is_true("dhcp6") and not addresses):
        return Method.DHCP
    return Method.STATIC if addresses else Method.NONE


def _set_mac(node: YamlNode) -> Token | None:
    token = node.scalar("macaddress")
    return token if token and is_mac(token.value) else None
