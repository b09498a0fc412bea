"""Names of interfaces, addresses and hosts: what each says of where it comes from."""

from __future__ import annotations

import pytest

from v2vlint.facts.network.interface import address_from, is_mac, kind_of_name, same_mac
from v2vlint.facts.network.ip_scope import is_link_local, is_local_host, is_loopback_address, is_private_address
from v2vlint.facts.network.names import IfNameKind, ifname_kind, is_glob, is_topology_name, is_vmware_name, matches, parent_name
from v2vlint.model.card_names import CardNames
from v2vlint.model.place import Span

K = IfNameKind
HERE = Span("/x", 0, 1, 1)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("eth0", K.KERNEL),
        ("eth0:1", K.KERNEL),
        ("ens192", K.SLOT),
        ("ens192np0", K.SLOT),
        ("ens3f1", K.SLOT),
        ("enP2s1", K.SLOT),
        ("ens192.100", K.SLOT),
        ("enp3s0", K.PATH),
        ("enp3s0f1np1", K.PATH),
        ("enp65s0f0v12", K.PATH),
        ("enP2p1s0", K.PATH),
        ("enp0s20u1u2", K.PATH),
        ("enp6s18", K.PATH),
        ("end0", K.PATH),
        ("eno1", K.ONBOARD),
        ("eno16777736", K.ONBOARD),
        ("eno1np0", K.ONBOARD),
        ("enx00505699bc01", K.MAC),
        ("enX0", K.XEN),
        ("em1", K.BIOSDEVNAME),
        ("p3p1", K.BIOSDEVNAME),
        ("p3p1_2", K.BIOSDEVNAME),
        ("lo", K.VIRTUAL),
        ("bond0", K.VIRTUAL),
        ("br-lan", K.VIRTUAL),
        ("docker0", K.VIRTUAL),
        ("lan0", K.CUSTOM),
        ("empire", K.CUSTOM),
        ("ens", K.CUSTOM),
        ("", K.CUSTOM),
        ("enp1s0n" + "u1" * 5000, K.CUSTOM),
    ],
)
def test_kinds_of_names(name: str, kind: IfNameKind) -> None:
    assert ifname_kind(name) is kind
    assert is_topology_name(name) is (kind in (K.SLOT, K.PATH, K.ONBOARD))


@pytest.mark.parametrize(
    ("name", "vmware"),
    [
        ("ens192", True),
        ("ens160", True),
        ("ens33", True),
        ("eno16777736", True),
        ("ens3", False),
        ("ens18", False),
        ("eno1", False),
        ("enp11s0", False),
    ],
)
def test_names_only_vmware_gives(name: str, vmware: bool) -> None:
    assert is_vmware_name(name) is vmware


@pytest.mark.parametrize(
    ("pattern", "name", "fits"),
    [
        ("en*", "ens3", True),
        ("eth[0-3]", "eth2", True),
        ("eth?", "eth10", False),
        ("!lo", "eth0", True),
        ("!en*", "ens3", False),
        ("EN*", "ens3", False),
        ("*" * 300, "ens3", False),
    ],
)
def test_wildcards(pattern: str, name: str, fits: bool) -> None:
    assert matches(pattern, name) is fits


def test_parents_and_globs() -> None:
    assert [parent_name(name) for name in ("ens192.7", "eth0:1", "lan@eth0", "eth0")] == ["ens192", "eth0", "lan", "eth0"]
    assert [is_glob(name) for name in ("en*", "eth?", "e[nt]h", "eth0")] == [True, True, True, False]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("lo", "loopback"),
        ("bond0", "bond"),
        ("vmbr0", "bridge"),
        ("eth0.7", "vlan"),
        ("wlan0", "wifi"),
        ("tun0", "tunnel"),
        ("ens3", "ethernet"),
    ],
)
def test_kinds_by_name_alone(name: str, kind: str) -> None:
    assert kind_of_name(name) == kind


@pytest.mark.parametrize(
    ("text", "mask", "expected"),
    [
        ("192.0.2.5/24", "", "192.0.2.5/24"),
        ("192.0.2.5", "255.255.255.128", "192.0.2.5/25"),
        ("192.0.2.5", "16", "192.0.2.5/16"),
        ("192.0.2.5", "rubbish", "192.0.2.5"),
        ("192.0.2.5/255.255.0.0", "", "192.0.2.5/16"),
        ("2001:db8::5/64", "", "2001:db8::5/64"),
        ("300.0.0.1", "", "None"),
        ("dhcp", "", "None"),
        ("", "", "None"),
        ("192.0.2.5/" + "9" * 5000, "", "192.0.2.5"),
    ],
)
def test_addresses_and_masks(text: str, mask: str, expected: str) -> None:
    assert str(address_from(text, HERE, mask)) == expected


def test_mac_addresses() -> None:
    assert [
        is_mac(text) for text in ("00:50:56:9a:bc:01", "00-50-56-9A-BC-01", "0:50:56:9a:bc:1", "stable", "00:50:56:9a:bc", "00:50:56:*")
    ] == [
        True,
        True,
        True,
        False,
        False,
        False,
    ]
    assert same_mac("00:50:56:9A:BC:01", "00-50-56-9a-bc-01")
    assert same_mac("'0050.569A.BC01'", "00:50:56:9a:bc:01")
    assert CardNames(macs=(("eth0", "00:50:56:9a:bc:01"),)).knows("0050.569A.BC01")


@pytest.mark.parametrize(
    ("text", "private", "loopback", "link_local"),
    [
        ("10.0.0.1", True, False, False),
        ("100.64.0.1", True, False, False),
        ("fd00::1", True, False, False),
        ("1.1.1.1", False, False, False),
        ("127.0.0.53", False, True, False),
        ("169.254.169.254", False, False, True),
        ("fe80::1%eth0", False, False, True),
        ("0.0.0.0", False, False, False),
        ("name", False, False, False),
    ],
)
def test_scopes_of_addresses(text: str, private: bool, loopback: bool, link_local: bool) -> None:
    assert (is_private_address(text), is_loopback_address(text), is_link_local(text)) == (private, loopback, link_local)


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("10.1.2.3", True),
        ("ntp", True),
        ("ntp.corp.lan", True),
        ("Time.Example.INTERNAL.", True),
        ("2.debian.pool.ntp.org", False),
        ("8.8.8.8", False),
        ("localhost", False),
        ("127.0.0.1", False),
        ("", False),
        ("!!", False),
    ],
)
def test_hosts_only_a_private_network_knows(host: str, local: bool) -> None:
    assert is_local_host(host) is local
