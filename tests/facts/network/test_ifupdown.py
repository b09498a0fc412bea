"""ifupdown: stanzas, sourced files, patterns, bonds and bridges, and edits that real ifupdown accepts (tried with 0.8.41)."""

from __future__ import annotations

import time

import pytest

from tests.facts.guests import HOSTILE, Files, at, edited, fact, tokens_fit
from v2vlint.facts.network.ifupdown import Interfaces
from v2vlint.facts.network.interface import Method
from v2vlint.model.errors import FactUnavailable

PATH = "/etc/network/interfaces"
LO = "auto lo\niface lo inet loopback\n\n"
FULL = f"""\
# the loopback network interface
{LO}allow-hotplug ens192
iface ens192 inet static
    address 192.0.2.5
    netmask 255.255.255.0
    gateway 192.0.2.1
    dns-nameservers 192.0.2.53 \\
        1.1.1.1
    # not a comment at the end: mtu 9000 # here
    mtu 9000
    hwaddress ether 02:00:00:00:00:01
iface ens192 inet6 static
    address 2001:db8::5/64

iface ens224 inet dhcp
"""


def test_a_static_interface_of_two_stanzas() -> None:
    interfaces = fact(Interfaces, {PATH: FULL})
    lo, ens192, ens224 = interfaces.interfaces
    assert (lo.kind, lo.method, lo.autostart) == ("loopback", Method.NONE, True)
    assert (ens192.method, ens192.autostart, at(ens192.where), at(ens192.name)) == (Method.STATIC, True, "6:1", "ens192@6:7")
    assert [(str(address), at(address.where)) for address in ens192.addresses] == [("192.0.2.5/24", "7:13"), ("2001:db8::5/64", "16:13")]
    assert [at(token) for token in (*ens192.gateways, *ens192.dns)] == ["192.0.2.1@9:13", "192.0.2.53@10:21", "1.1.1.1@11:9"]
    assert at(ens192.set_mac) == "02:00:00:00:00:01@14:21"
    assert (ens224.method, ens224.autostart) == (Method.DHCP, False)
    assert tokens_fit({PATH: FULL}, *ens192.names, *ens192.dns)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_static_to_dhcp_in_both_families(end: str) -> None:
    full = FULL if end == "\n" else FULL.replace("\\\n", "")  # ifupdown continues no line that ends in a carriage return
    files = {PATH: full.replace("\n", end)}
    ens192 = fact(Interfaces, files).interfaces[1]
    expected = (
        f"# the loopback network interface\n{LO}allow-hotplug ens192\niface ens192 inet dhcp\n"
        "    # not a comment at the end: mtu 9000 # here\n    mtu 9000\n    hwaddress ether 02:00:00:00:00:01\n"
        "iface ens192 inet6 auto\n\niface ens224 inet dhcp\n"
    )
    assert edited(files, ens192.edits.to_dhcp, PATH) == expected.replace("\n", end)


BASE = "iface base inet static\n  netmask 255.255.255.0\n  mtu 1400\n"
OWN = "  address 192.0.2.5\n  up ip route add 198.51.100.0/24 via 192.0.2.1\n  down true\n"
HEIR = f"auto eth0\niface eth0 inet static inherits base\n{OWN}"


@pytest.mark.parametrize(
    ("base", "heirs", "after"),
    [
        (BASE, HEIR, HEIR.replace("static", "dhcp").replace("  address 192.0.2.5\n", "")),
        (f"{BASE}  gateway 192.0.2.1\n", HEIR, None),
        (f"{BASE}  address 192.0.2.1\n", HEIR, None),
        (BASE, HEIR.replace("inet static", "inet"), None),
        (BASE, HEIR.replace("inet static", ""), None),
        (BASE, f"{HEIR}iface eth1 inet static inherits eth0\n", None),
    ],
)
def test_to_dhcp_leaves_what_other_stanzas_say(base: str, heirs: str, after: str | None) -> None:
    """Also where the stanza is in another file, at other offsets."""
    path = "/etc/network/interfaces.d/eth0"
    files: Files = {PATH: f"{base}source interfaces.d/*\n", path: heirs}
    one = {PATH: base + heirs}
    for given, place, start in ((files, path, ""), (one, PATH, base)):
        eth0 = fact(Interfaces, given).interfaces[1]
        found = edited(given, eth0.edits.to_dhcp, place) if eth0.edits.to_dhcp else None
        assert found == (None if after is None else start + after)


def test_sourced_files_within_limits() -> None:
    files: Files = {
        PATH: "source interfaces.d/*\nsource-directory /etc/network/more\nsource /etc/network/interfaces\nauto a\n",
        "/etc/network/interfaces.d/a": "iface a inet dhcp\n",
        "/etc/network/interfaces.d/a.bak": "iface b inet dhcp\n",
        "/etc/network/more/c": "auto c\niface c inet dhcp\n",
        "/etc/network/more/d.bak": "iface d inet dhcp\n",
    }
    interfaces = fact(Interfaces, files)
    assert {interface.label: interface.autostart for interface in interfaces.interfaces} == {"a": True, "b": False, "c": True}
    assert len(interfaces.files) < 200


@pytest.mark.parametrize(
    ("text", "names", "mac", "autostart"),
    [
        ("auto /e*=lan\niface lan inet dhcp\n", ["e*"], "-", True),
        ("auto mac/00:50:56:9a:bc:01=lan\niface lan inet dhcp\n", [], "00:50:56:9a:bc:01@1:10", True),
        ("auto /eth*\niface eth0 inet dhcp\n", ["eth0"], "-", True),
        ("auto eth0=home\niface home inet dhcp\n", ["eth0"], "-", True),
        ("allow-ovs br0\niface br0 inet dhcp\n", ["br0"], "-", True),
        ("iface eth0 inet dhcp\n", ["eth0"], "-", False),
    ],
)
def test_what_brings_an_interface_up(text: str, names: list[str], mac: str, autostart: bool) -> None:
    (lan,) = fact(Interfaces, {PATH: text}).interfaces
    assert ([token.value for token in lan.names], at(lan.mac), lan.autostart) == (names, mac, autostart)


@pytest.mark.parametrize(
    ("text", "kind", "uses"),
    [
        ("iface br0 inet dhcp\n  bridge_ports ens192 ens224\n", "bridge", ["ens192@2:16", "ens224@2:23"]),
        ("iface br0 inet manual\n  bridge-ports none\n", "bridge", []),
        ("iface bond0 inet dhcp\n  bond-slaves ens192\n  bond-mode 1\n", "bond", ["ens192@2:15"]),
        ("iface ens192.7 inet dhcp\n", "vlan", ["ens192@1:7"]),
        ("iface vlan7 inet dhcp\n  vlan-raw-device ens192\n", "vlan", ["ens192@2:19"]),
        ("iface eth0:1 inet static\n  address 192.0.2.9/24\n", "alias", ["eth0@1:7"]),
        ("iface wlan0 inet dhcp\n", "wifi", []),
    ],
)
def test_stacked_interfaces(text: str, kind: str, uses: list[str]) -> None:
    (interface,) = fact(Interfaces, {PATH: text}).interfaces
    assert (interface.kind, [at(token) for token in interface.uses]) == (kind, uses)


@pytest.mark.parametrize(
    ("text", "after"),
    [
        (f"{LO}allow-hotplug ens192\niface ens192 inet dhcp\n", f"{LO}auto /e*=ens192\niface ens192 inet dhcp\n"),
        (f"{LO}auto ens192\r\niface ens192 inet dhcp\r\n", f"{LO}auto /e*=ens192\r\niface ens192 inet dhcp\r\n"),
        (f"{LO}auto ens192 br0\niface ens192 inet dhcp\n", None),
        (f"{LO}auto ens192\nauto ens192\niface ens192 inet dhcp\n", None),
        (f"{LO}auto ens192\niface ens192 inet dhcp\niface ens224 inet dhcp\n", None),
        (f"{LO}auto /e*=ens192\niface ens192 inet dhcp\n", None),
    ],
)
def test_matching_any_card(text: str, after: str | None) -> None:
    card = fact(Interfaces, {PATH: text}).interfaces[1]
    assert (edited({PATH: text}, card.edits.match_any, PATH) if card.edits.match_any else None) == after


def test_templates_and_lines_out_of_place() -> None:
    text = "address 1.2.3.4\nmapping eth*\n  script /bin/x\n  map home\niface lan\niface eth0 inherits lan\nno-auto-down eth0\niface\n"
    interfaces = fact(Interfaces, {PATH: text})
    assert [interface.label for interface in interfaces.interfaces] == ["lan", "eth0"]
    assert [at(refusal.where) for refusal in interfaces.refused] == ["1:1"]


def test_long_files_are_read_in_reasonable_time() -> None:
    """Each line costs the same, however many come before it; a stanza that thousands inherit is not copied without limit."""
    stanza = "iface base inet dhcp\n"
    began = time.process_time()
    assert not fact(Interfaces, {"/sbin/ifup": "", "/var/lib/dpkg/info/ifupdown.list": "", PATH: stanza + "  a b\n" * 20_000}).refused
    assert time.process_time() - began < 4
    with pytest.raises(FactUnavailable, match="inherited"):
        fact(Interfaces, {PATH: stanza + "  a b\n" * 1000 + "iface eth0 inet dhcp inherits base\n" * 101})
    assert fact(Interfaces, {PATH: f"{stanza}  a b\n" + "iface eth0 inet dhcp inherits base\n" * 101}).interfaces


def test_the_stanza_of_the_same_family_is_inherited() -> None:
    text = "iface base inet6 auto\niface base inet static\n  address 192.0.2.5/24\niface eth0 inet inherits base\n"
    assert fact(Interfaces, {PATH: text}).interfaces[1].method is Method.STATIC


def test_the_last_line_counts_though_it_is_continued() -> None:
    (base,) = fact(Interfaces, {PATH: "iface base inet static\n  gateway 192.0.2.1 \\"}).interfaces
    assert [token.value for token in base.gateways] == ["192.0.2.1"]


@pytest.mark.parametrize("text", HOSTILE)
def test_any_text_is_survived(text: str) -> None:
    assert all(not i.addresses for i in fact(Interfaces, {PATH: text.encode("utf-8", "surrogateescape")}).interfaces)
