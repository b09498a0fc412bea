"""netplan: layers, merging, matches, kinds, and edits that real netplan accepts (tried with 0.106)."""

from __future__ import annotations

import pytest

from tests.facts.guests import HOSTILE, Files, at, edited, fact, tokens_fit
from tests.facts.network.test_landing import KEPT, UNSURE, land
from v2vlint.facts.network.interface import Method
from v2vlint.facts.network.netplan import Netplan
from v2vlint.model.rule import Link

PATH = "/etc/netplan/50-cloud-init.yaml"
FULL = """\
# written by hand
network:
  version: 2
  renderer: NetworkManager
  ethernets:
    lan:
      match: {macaddress: "00:50:56:9a:bc:01", driver: vmxnet3}
      set-name: lan0
      addresses:
        - 192.0.2.5/24
        - 2001:db8::5/64:
            label: x
      gateway4: 192.0.2.1
      routes:
        - {to: 10.0.0.0/8, via: 192.0.2.254}
        - to: default
          via: 192.0.2.2
      nameservers: {addresses: [192.0.2.53, 1.1.1.1]}
    ens224:
      renderer: networkd
      dhcp4: true
      macaddress: 02:00:00:00:00:01
  bonds:
    bond0:
      interfaces: [lan, ens224]
      dhcp4: yes
  vlans:
    v7: {id: 7, link: bond0, addresses: [10.7.0.1/24], activation-mode: manual}
"""


def test_everything_with_its_place() -> None:
    netplan = fact(Netplan, {PATH: FULL})
    lan, ens224, bond0, v7 = netplan.interfaces
    assert [device.renderer for device in netplan.devices] == ["NetworkManager", "networkd", "NetworkManager", "NetworkManager"]
    assert (at(lan.where), lan.names, at(lan.mac), at(lan.renamed_to)) == ("6:5", (), "00:50:56:9a:bc:01@7:28", "lan0@8:17")
    assert [at(token) for token in lan.hardware] == ["vmxnet3@7:56"]
    assert [(str(address), at(address.where)) for address in lan.addresses] == [("192.0.2.5/24", "10:11"), ("2001:db8::5/64", "11:11")]
    assert [at(token) for token in lan.gateways] == ["192.0.2.1@13:17", "192.0.2.2@17:16"]
    assert [at(token) for token in lan.dns] == ["192.0.2.53@18:33", "1.1.1.1@18:45"]
    assert (lan.method, ens224.method, bond0.method, v7.method) == (Method.STATIC, Method.DHCP, Method.DHCP, Method.STATIC)
    assert (at(ens224.name), at(ens224.set_mac)) == ("ens224@19:5", "02:00:00:00:00:01@22:19")
    assert [(i.kind, [at(token) for token in i.uses], i.autostart) for i in (bond0, v7)] == [
        ("bond", ["lan@25:20", "ens224@25:25"], True),
        ("vlan", ["bond0@28:23"], False),
    ]
    assert tokens_fit({PATH: FULL}, *lan.gateways, *lan.dns, *bond0.uses)


def test_files_are_merged_in_order_of_their_names() -> None:
    files: Files = {
        "/etc/netplan/10-a.yaml": "network: {ethernets: {eth0: {addresses: [10.0.0.1/8], dhcp4: false}}}\n",
        "/lib/netplan/10-a.yaml": "network: {ethernets: {hidden: {dhcp4: true}}}\n",
        "/run/netplan/20-b.yaml": "network: {ethernets: {eth0: {addresses: [10.0.0.2/8], dhcp4: true}}}\n",
        "/etc/netplan/20-b.yaml": "network: {ethernets: {hidden: {dhcp4: true}}}\n",
        "/etc/netplan/30-c.yaml": Link("/dev/null"),
        "/lib/netplan/30-c.yaml": "network: {ethernets: {hidden: {dhcp4: true}}}\n",
        "/etc/netplan/40-d.yaml.bak": "network: {ethernets: {hidden: {dhcp4: true}}}\n",
        "/etc/netplan/50-e.yaml": "network: [\n",
    }
    netplan = fact(Netplan, files)
    (eth0,) = netplan.interfaces
    assert [str(address.where) for address in eth0.addresses] == ["/etc/netplan/10-a.yaml:1:42", "/run/netplan/20-b.yaml:1:42"]
    assert eth0.method is Method.DHCP
    assert netplan.files == ("/etc/netplan/10-a.yaml", "/run/netplan/20-b.yaml", "/etc/netplan/50-e.yaml")
    assert [problem.where.path for problem in netplan.problems] == ["/etc/netplan/50-e.yaml"]
    assert eth0.edits.to_dhcp == (), "settings from two files are not edited"


STATIC = """\
network:
  version: 2
  ethernets:
    ens160:
      # the address
      addresses:
      - 10.20.30.40/24   # first
      - 10.20.30.41/24:
          label: x

      routes:
        - to: default
          via: 10.20.30.1
      nameservers:
        addresses: [10.20.30.2,
            10.1.1.1]
        search: []
      dhcp4: no
      mtu: 9000
"""
AZURE = """\
network:
    ethernets:
        eth0:
            dhcp4: true
            match:
                driver: hv_netvsc
                macaddress: 00:0d:3a:12:34:56
            set-name: eth0
    version: 2
"""


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("text", "edits", "after"),
    [
        (
            STATIC,
            "to_dhcp",
            "network:\n  version: 2\n  ethernets:\n    ens160:\n      # the address\n\n      dhcp4: true\n      mtu: 9000\n",
        ),
        (STATIC, "match_any", STATIC.replace("      addresses:\n      -", '      match: {name: "e*"}\n      addresses:\n      -')),
        (AZURE, "drop_mac", AZURE.replace("macaddress: 00:0d:3a:12:34:56", 'name: "e*"').replace("            set-name: eth0\n", "")),
    ],
)
def test_edits_in_whole_lines(text: str, edits: str, after: str, end: str) -> None:
    files = {PATH: text.replace("\n", end)}
    (card,) = fact(Netplan, files).interfaces
    assert edited(files, getattr(card.edits, edits), PATH) == after.replace("\n", end)


@pytest.mark.parametrize(
    "text",
    [
        "network: {version: 2, ethernets: {ens160: {dhcp4: true}}}\n",
        "network:\n  ethernets:\n    a: {match: {macaddress: '00:0d:3a:12:34:56'}}\n    b:\n      dhcp4: true\n",
    ],
)
def test_no_edit_where_the_syntax_or_a_second_card_stands_in_the_way(text: str) -> None:
    for card in fact(Netplan, {PATH: text}).interfaces:
        assert card.edits.match_any == card.edits.drop_mac == ()


@pytest.mark.parametrize(
    "text",
    [
        "network:\n",
        "network: 7\n",
        "a: b\n",
        "network:\n  ethernets: [a]\n",
        "network: {ethernets: {a: null, b: [], renderer: x}}\n",
        *HOSTILE,
    ],
)
def test_any_text_is_survived(text: str) -> None:
    netplan = fact(Netplan, {PATH: text.encode("utf-8", "surrogateescape")})
    assert all(not interface.addresses for interface in netplan.interfaces)


def test_what_is_not_yaml_may_leave_every_file_without_effect() -> None:
    enabled = "/etc/systemd/system/multi-user.target.wants/systemd-networkd.service"
    programs: Files = {"/sbin/init": "", "/usr/sbin/netplan": "", "/usr/lib/systemd/systemd-networkd": "", enabled: ""}
    card = 'network: {version: 2, ethernets: {lan: {match: {name: "e*"}, dhcp4: true}}}'
    good: Files = {**programs, "/etc/netplan/0.yaml": card}
    assert land(good).outlook.survival is KEPT
    outlook = land({**good, "/etc/netplan/1.yaml": "network: [a"}).outlook
    assert outlook.survival is UNSURE
    assert "some versions refuse line 1 of /etc/netplan/1.yaml" in outlook.reason
