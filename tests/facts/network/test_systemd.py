"""systemd's .link, .network and .netdev files: layers, masks, drop-ins, matches, and the edits they offer."""

from __future__ import annotations

import pytest

from tests.facts.guests import HOSTILE, Files, at, edited, fact
from v2vlint.facts.network.interface import Method
from v2vlint.facts.network.networkd import Networkd
from v2vlint.facts.network.systemd_link import SystemdLinks
from v2vlint.model.place import WholeFile
from v2vlint.model.rule import Link

ETC, LIB = "/etc/systemd/network", "/usr/lib/systemd/network"
DEFAULT = "[Match]\nOriginalName=*\n\n[Link]\nNamePolicy=keep kernel database onboard slot path\nMACAddressPolicy=persistent\n"
BRIDGE = {
    f"{ETC}/10-br0.netdev": "[NetDev]\nName=br0\nKind=bridge\n",
    f"{ETC}/20-port.network": "[Match]\nName=ens192\n[Network]\nBridge=br0\n",
    f"{ETC}/30-br0.network": "[Match]\nName=br0\n[Network]\nDHCP=ipv4\n",
}


def test_a_link_file_with_a_drop_in() -> None:
    files = {
        f"{LIB}/99-default.link": DEFAULT,
        f"{ETC}/10-lan.link": "[Match]\nMACAddress=00:50:56:9a:bc:01\n    00:50:56:9a:bc:02\nDriver=vmxnet3\n[Link]\nName=lan0\n",
        f"{ETC}/10-lan.link.d/x.conf": "[Link]\nName=lan1\nMACAddress=02:00:00:00:00:01\n",
        f"{ETC}/10-lan.link.d/x.conf~": "[Link]\nName=lan2\n",
    }
    links = fact(SystemdLinks, files)
    first, default = links.links
    assert (first.path, at(first.where), at(first.name), str(first.name and first.name.where.path)) == (
        f"{ETC}/10-lan.link",
        "1:1",
        "lan1@2:6",
        f"{ETC}/10-lan.link.d/x.conf",
    )
    assert [at(mac) for mac in first.macs] == ["00:50:56:9a:bc:01@2:12"]
    assert [at(token) for token in first.hardware] == ["vmxnet3@4:8"]
    assert at(first.set_mac) == "02:00:00:00:00:01@3:12"
    assert default.is_predictable
    assert links.default == default
    assert [at(place) for place in links.malformed] == ["3:5"]


@pytest.mark.parametrize(
    ("files", "masked", "default"),
    [
        ({f"{LIB}/99-default.link": DEFAULT}, False, True),
        ({f"{LIB}/99-default.link": DEFAULT, f"{ETC}/99-default.link": Link("/dev/null")}, True, False),
        ({f"{LIB}/99-default.link": DEFAULT, f"{ETC}/99-default.link": ""}, True, False),
        ({f"{ETC}/98-x.link": DEFAULT}, False, False),
    ],
)
def test_the_default_link_may_be_masked(files: Files, masked: bool, default: bool) -> None:
    links = fact(SystemdLinks, files)
    assert (links.default_masked, links.default is not None) == (masked, default)
    if masked:
        assert links.default_at == WholeFile(f"{ETC}/99-default.link")


STATIC = (
    "[Match]\nName=ens192\n\n[Network]\n# the old net\nAddress=192.0.2.5/24\nGateway=192.0.2.1\nDNS=192.0.2.53 1.1.1.1\nLLDP=yes\n\n"
    "[Address]\nAddress=2001:db8::5/64\n\n[Route]\nGateway=192.0.2.254\nDestination=10.0.0.0/8\n"
)


def test_a_static_interface_whole() -> None:
    (lan,) = fact(Networkd, {f"{ETC}/lan.network": STATIC}).interfaces
    assert (lan.manager, lan.kind, lan.method, lan.autostart, at(lan.name)) == (
        "systemd-networkd",
        "ethernet",
        Method.STATIC,
        True,
        "ens192@2:6",
    )
    assert [(str(address), at(address.where)) for address in lan.addresses] == [("192.0.2.5/24", "6:9"), ("2001:db8::5/64", "12:9")]
    assert [at(token) for token in lan.gateways] == ["192.0.2.1@7:9"]  # the route to 10.0.0.0/8 is none to everywhere
    assert [at(token) for token in lan.dns] == ["192.0.2.53@8:5", "1.1.1.1@8:16"]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_static_to_dhcp_keeps_comments_and_line_ends(end: str) -> None:
    path = f"{ETC}/lan.network"
    files = {path: STATIC.replace("\n", end)}
    (lan,) = fact(Networkd, files).interfaces
    expected = (
        "[Match]\nName=ens192\n\n[Network]\nDHCP=yes\n# the old net\nLLDP=yes\n\n\n[Route]\nGateway=192.0.2.254\nDestination=10.0.0.0/8\n"
    )
    assert edited(files, lan.edits.to_dhcp, path) == expected.replace("\n", end)


@pytest.mark.parametrize(
    ("match", "names", "mac", "hardware", "kind"),
    [
        ("Name=en* eth0", ["en*", "eth0"], "-", [], "ethernet"),
        ("Type=ether", [], "-", [], "ethernet"),
        ("Type=wlan", [], "-", [], "wifi"),
        ("Kind=!*\nType=ether", [], "-", [], "ethernet"),
        ("PermanentMACAddress=00:50:56:9a:bc:01", [], "00:50:56:9a:bc:01@2:21", [], "ethernet"),
        ("Driver=vmxnet3\nPath=pci-0000:0b:00.0", [], "-", ["vmxnet3", "pci-0000:0b:00.0"], "ethernet"),
        ("Name=ve-*\nDriver=veth", ["ve-*"], "-", ["veth"], "veth"),
        ("Name=bond0", ["bond0"], "-", [], "bond"),
        ("Name=lan.7", ["lan.7"], "-", [], "vlan"),
        ("Name=lo", ["lo"], "-", [], "loopback"),
    ],
)
def test_what_an_interface_is_matched_by(match: str, names: list[str], mac: str, hardware: list[str], kind: str) -> None:
    (lan,) = fact(Networkd, {f"{ETC}/x.network": f"[Match]\n{match}\n[Network]\nDHCP=yes\n"}).interfaces
    assert [token.value for token in lan.names] == names
    assert at(lan.mac) == mac
    assert [token.value for token in lan.hardware] == hardware
    assert lan.kind == kind


@pytest.mark.parametrize("condition", ["[Match]\nName=host0\nVirtualization=container\n", "[Match]\nName=x\n[Link]\nUnmanaged=yes\n"])
def test_files_that_never_apply_to_a_virtual_machine(condition: str) -> None:
    assert fact(Networkd, {f"{LIB}/80-x.network": condition}).interfaces == ()


def test_systemd_s_own_files_configure_no_card() -> None:
    """As Debian 12 ships them: a tunnel by its type, and a container's bridge with an address from a pool."""
    files = {
        f"{LIB}/80-6rd-tunnel.network": "[Match]\nName=6rd-*\nType=sit\n\n[Network]\nDHCPPrefixDelegation=yes\n",
        f"{LIB}/80-container-vz.network": "[Match]\nName=vz-*\nDriver=bridge\n\n[Network]\nAddress=0.0.0.0/24\nDHCPServer=yes\n",
    }
    found = fact(Networkd, files).interfaces
    assert [(interface.kind, interface.is_virtual, interface.addresses) for interface in found] == [
        ("tunnel", True, ()),
        ("bridge", True, ()),
    ]


def test_a_bridge_knows_its_ports_and_a_port_its_master() -> None:
    networkd = fact(Networkd, BRIDGE)
    port, bridge = networkd.interfaces
    assert (at(port.master), port.method, bridge.kind, bridge.method) == ("br0@4:8", Method.NONE, "bridge", Method.DHCP)
    assert [at(token) for token in bridge.uses] == ["ens192@2:6"]
    assert [(netdev.name.value, netdev.kind) for netdev in networkd.netdevs] == [("br0", "bridge")]


@pytest.mark.parametrize(
    ("text", "edits", "after"),
    [
        ("[Match]\nName=ens192\n", "match_any", "[Match]\nName=en* eth*\n"),
        ("[Match]\nMACAddress=00:50:56:9a:bc:01\n", "drop_mac", "[Match]\nName=en* eth*\n"),
        ("[Match]\nMACAddress=00:50:56:9a:bc:01\nName=lan0\n", "drop_mac", "[Match]\nName=lan0\n"),
    ],
)
def test_edits_of_the_match(text: str, edits: str, after: str) -> None:
    files = {f"{ETC}/x.network": text}
    (lan,) = fact(Networkd, files).interfaces
    assert edited(files, getattr(lan.edits, edits), f"{ETC}/x.network") == after


@pytest.mark.parametrize("text", HOSTILE)
def test_any_text_is_survived(text: str) -> None:
    raw = text.encode("utf-8", "surrogateescape")
    files = {f"{ETC}/{name}": raw for name in ("a.network", "b.netdev", "c.link", "a.network.d/d.conf")}
    assert len(fact(Networkd, files).interfaces) <= 1
    assert len(fact(SystemdLinks, files).links) <= 1


@pytest.mark.parametrize(
    ("values", "method"),
    [
        ("DHCP=yes", Method.DHCP), ("DHCP=Y", Method.DHCP), ("DHCP=t", Method.DHCP), ("DHCP=ipv4", Method.DHCP), ("DHCP=both", Method.DHCP),
        ("DHCP=IPv4", Method.NONE), ("DHCP=no", Method.NONE), ("DHCP=none", Method.NONE), ("DHCP=maybe", Method.NONE),
        ("DHCP=yes\nDHCP=maybe", Method.DHCP), ("DHCP=yes\nDHCP=f", Method.NONE),
    ],
)  # fmt: skip
def test_values_that_networkd_understands(values: str, method: Method) -> None:
    """Booleans in any case, other words as they are written; what is not understood changes nothing (config_parse_dhcp)."""
    (found,) = fact(Networkd, {f"{ETC}/x.network": f"[Match]\nName=ens192\n[Network]\n{values}\n"}).interfaces
    assert found.method is method


@pytest.mark.parametrize(("value", "unmanaged"), [("y", True), ("T", True), ("on", True), ("0", False), ("never", False)])
def test_unmanaged_is_a_boolean(value: str, unmanaged: bool) -> None:
    found = fact(Networkd, {f"{ETC}/x.network": f"[Match]\nName=ens192\n[Link]\nUnmanaged={value}\n"})
    assert bool(found.unmanaged) is unmanaged


def test_only_default_routes_have_the_default_gateway() -> None:
    routes = (
        "[Route]\nDestination=10.0.0.0/8\nGateway=192.0.2.9\n[Route]\nDestination=0.0.0.0/0\nGateway=192.0.2.1\n[Route]\nGateway=fe80::1\n"
    )
    files = {"/etc/systemd/network/a.network": f"[Match]\nName=ens192\n[Network]\nAddress=192.0.2.5/24\n{routes}"}
    (one,) = fact(Networkd, files).interfaces
    assert [token.value for token in one.gateways] == ["192.0.2.1", "fe80::1"]
