"""NetworkManager's profiles and settings: folders, ignored files, methods, masters, layers, and the edits they offer."""

from __future__ import annotations

import pytest

from tests.facts.guests import HOSTILE, Files, at, edited, fact, tokens_fit
from tests.facts.network.oracle import card
from v2vlint.facts.network.interface import Method
from v2vlint.facts.network.managers import NetManagers
from v2vlint.facts.network.match import Survival, fits
from v2vlint.facts.network.nm_conf import NmConf
from v2vlint.facts.network.nm_keyfile import NmKeyfiles
from v2vlint.model.rule import Link

ETC, LIB = "/etc/NetworkManager/system-connections", "/usr/lib/NetworkManager/system-connections"
RUN = "/run/NetworkManager/system-connections"
STATIC = (
    "[connection]\nid=lan\nuuid=8f5b6d3e-3d0e-4c0e-9a39-6f6b2d2f5a11\ntype=ethernet\ninterface-name=ens192\n\n"
    "[ethernet]\nmac-address=00:50:56:9A:BC:01\ncloned-mac-address=stable\n\n"
    "[ipv4]\naddress1=192.0.2.5/24,192.0.2.1\naddress2=192.0.2.6/24\ndns=192.0.2.53;1.1.1.1;\nmethod=manual\n\n"
    "[ipv6]\naddr-gen-mode=eui64\nmethod=disabled\n"
)


def test_a_static_profile_whole() -> None:
    (lan,) = fact(NmKeyfiles, {f"{ETC}/lan.nmconnection": STATIC}).interfaces
    assert (lan.kind, lan.method, lan.autostart, at(lan.name), at(lan.mac)) == (
        "ethernet",
        Method.STATIC,
        True,
        "ens192@5:16",
        "00:50:56:9A:BC:01@8:13",
    )
    assert lan.set_mac is None
    assert [(str(address), at(address.where)) for address in lan.addresses] == [("192.0.2.5/24", "12:10"), ("192.0.2.6/24", "13:10")]
    assert [at(token) for token in (*lan.gateways, *lan.dns)] == ["192.0.2.1@12:23", "192.0.2.53@14:5", "1.1.1.1@14:16"]
    assert lan.ids == ("8f5b6d3e-3d0e-4c0e-9a39-6f6b2d2f5a11", "lan")


@pytest.mark.parametrize(
    ("edits", "gone", "replaced"),
    [
        ("match_any", ["interface-name=ens192\n"], {}),
        ("drop_mac", ["mac-address=00:50:56:9A:BC:01\n"], {}),
        (
            "to_dhcp",
            ["address1=192.0.2.5/24,192.0.2.1\n", "address2=192.0.2.6/24\n", "dns=192.0.2.53;1.1.1.1;\n"],
            {"method=manual": "method=auto"},
        ),
    ],
)
def test_edits(edits: str, gone: list[str], replaced: dict[str, str]) -> None:
    path = f"{ETC}/lan.nmconnection"
    (lan,) = fact(NmKeyfiles, {path: STATIC}).interfaces
    expected = STATIC
    for line in gone:
        expected = expected.replace(line, "")
    for old, new in replaced.items():
        expected = expected.replace(old, new)
    assert edited({path: STATIC}, getattr(lan.edits, edits), path) == expected


@pytest.mark.parametrize(
    ("text", "kind", "method", "autostart"),
    [
        ("[connection]\ntype=802-3-ethernet\n", "ethernet", Method.DHCP, True),
        ("[connection]\ntype=ethernet\nautoconnect=false\n[ipv4]\nmethod=auto\n", "ethernet", Method.DHCP, False),
        ("[connection]\ntype=wifi\n[ipv4]\nmethod=auto\n", "wifi", Method.DHCP, True),
        ("[connection]\ntype=bridge\ninterface-name=br0\n[ipv4]\nmethod=disabled\n", "bridge", Method.NONE, True),
        ("[connection]\ntype=ethernet\nmaster=br0\nslave-type=bridge\n", "ethernet", Method.NONE, True),
        ("[connection]\ntype=vpn\n", "vpn", Method.DHCP, True),
        (
            "[connection]\ntype=ethernet\n[ipv4]\nmethod=disabled\n[ipv6]\nmethod=manual\naddress1=2001:db8::5/64\n",
            "ethernet",
            Method.STATIC,
            True,
        ),
        (
            "[connection]\ntype=ethernet\n[ipv4]\nmethod=auto\n[ipv6]\nmethod=manual\naddress1=2001:db8::5/64\n",
            "ethernet",
            Method.DHCP,
            True,
        ),
    ],
)
def test_kinds_and_methods(text: str, kind: str, method: Method, autostart: bool) -> None:
    (lan,) = fact(NmKeyfiles, {f"{ETC}/a": text}).interfaces
    assert (lan.kind, lan.method, lan.autostart) == (kind, method, autostart)


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("lan.nmconnection", True),
        ("Wired connection 1", True),
        (".lan.nmconnection", False),
        ("lan.nmconnection~", False),
        ("lan.backup", False),
        ("lan.nmconnection.bak", True),
        ("ca.pem", False),
    ],
)
def test_which_files_are_profiles(name: str, read: bool) -> None:
    assert bool(fact(NmKeyfiles, {f"{ETC}/{name}": STATIC}).interfaces) is read


def test_of_one_uuid_the_first_folder_applies_and_a_link_hides_it() -> None:
    vendor: Files = {f"{LIB}/a.nmconnection": STATIC, f"{LIB}/c": STATIC}
    anonymous = "[connection]\ntype=ethernet\ninterface-name={0}\n"

    def names(files: Files) -> list[str]:
        return sorted(interface.label for interface in fact(NmKeyfiles, {**vendor, **files}).interfaces)

    assert names({}) == ["ens192"]
    assert names({f"{ETC}/x": STATIC.replace("ens192", "lan0")}) == ["lan0"]
    assert names({f"{RUN}/x.nmconnection": STATIC.replace("ens192", "lan1"), f"{ETC}/x": STATIC.replace("ens192", "lan0")}) == ["lan1"]
    assert names({f"{ETC}/a.nmconnection": STATIC.replace("8f5b", "9f5b").replace("ens192", "lan0")}) == ["ens192", "lan0"]
    assert names({f"{LIB}/b.nmconnection": anonymous.format("b0"), f"{ETC}/b.nmconnection": anonymous.format("b1")}) == ["b1", "ens192"]
    assert names({f"{ETC}/a.nmconnection": Link("/dev/null")}) == ["ens192"]
    assert names({f"{ETC}/8f5b6d3e-3d0e-4c0e-9a39-6f6b2d2f5a11.nmmeta": Link("/dev/null")}) == []
    assert names({f"{LIB}/8f5b6d3e-3d0e-4c0e-9a39-6f6b2d2f5a11.nmmeta": Link("/dev/null")}) == ["ens192"]


def test_masters_by_uuid_and_vlans_by_parent() -> None:
    uuid = "1d9ba4d2-6b7a-4bd9-a1c7-93f7d8a0a001"
    files: Files = {
        f"{ETC}/bond": f"[connection]\nid=b\nuuid={uuid}\ntype=bond\ninterface-name=bond0\n[ipv4]\nmethod=auto\n",
        f"{ETC}/port": f"[connection]\ntype=ethernet\ninterface-name=ens192\ncontroller={uuid}\nport-type=bond\n",
        f"{ETC}/vlan": "[connection]\ntype=vlan\ninterface-name=bond0.7\n[vlan]\nid=7\nparent=bond0\n",
    }
    uses = {interface.label: [at(token) for token in interface.uses] for interface in fact(NmKeyfiles, files).interfaces}
    assert uses == {"bond0": ["ens192@3:16"], "ens192": [], "bond0.7": ["bond0@6:8"]}


def test_an_address_in_the_oldest_notation() -> None:
    files = {f"{ETC}/a": "[connection]\ntype=ethernet\n[802-3-ethernet]\nmac-address=0;80;86;154;188;1;\n"}
    assert at(fact(NmKeyfiles, files).interfaces[0].mac) == "00:50:56:9a:bc:01@4:13"


MAIN = "/etc/NetworkManager/NetworkManager.conf"
SERVER = "/usr/lib/NetworkManager/conf.d/00-server.conf"
NO_AUTO = "[main]\nno-auto-default=*\n"


@pytest.mark.parametrize(
    ("files", "connects"),
    [
        ({}, True),
        ({SERVER: NO_AUTO}, False),
        ({SERVER: NO_AUTO, "/etc/NetworkManager/conf.d/00-server.conf": "# empty on purpose\n"}, True),
        ({SERVER: NO_AUTO, MAIN: "[main]\nno-auto-default=\n"}, True),
        ({MAIN: NO_AUTO, "/etc/NetworkManager/conf.d/x.conf": "[main]\nno-auto-default=00:50:56:9a:bc:01\n"}, True),
        ({f"{SERVER}.bak": NO_AUTO}, True),
    ],
)
def test_automatic_connections(files: Files, connects: bool) -> None:
    assert fact(NmConf, files).connects_by_itself is connects


CARD = card("ens5", "52:54:00:12:34:57")
OTHERS = "*,except:type:wifi,except:type:gsm"


@pytest.mark.parametrize(
    ("conf", "left"),
    [
        ("[keyfile]\nunmanaged-devices=driver:veth\n", True),
        ("[keyfile]\nunmanaged-devices=driver:virtio_net;interface-name:ens*\n", True),
        ("[keyfile]\nunmanaged-devices+=interface-name:ens*\n", True),
        ("[keyfile]\nunmanaged-devices=ens5\n", True),
        ("[keyfile]\nunmanaged-devices=interface-name:=ens*;ens*;driver:v*\n", False),  # literally
        ("[keyfile]\nunmanaged-devices=interface-name:~ens*\n", True),
        ("[keyfile]\nunmanaged-devices=eth0,interface-name:veth*;driver:vmxnet3/1.0\n", False),
        ("[keyfile]\nunmanaged-devices=*,except:interface-name:ens5\n", False),
        ("[keyfile]\nunmanaged-devices=except:type:wifi\n", True),
        ("[keyfile]\nunmanaged-devices=except:type:ethernet\n", False),
        (f"[keyfile]\nunmanaged-devices={OTHERS}\n", True),
        (f"[keyfile]\nunmanaged-devices={OTHERS},except:type:ethernet\n", False),
        ("[keyfile]\nunmanaged-devices=\n", False),
        ("[device]\nmanaged=0\n", True),
        ("[device-x]\nmatch-device=driver:veth\nmanaged=0\n", True),
        ("[device-x]\nmatch-device=driver:vmxnet3\nmanaged=0\n", False),
        ("[device-x]\nmatch-device=driver:veth\nwifi.scan-rand-mac-address=0\n", False),
    ],
)
def test_cards_that_networkmanager_leaves_alone(conf: str, left: bool) -> None:
    found = fact(NmConf, {MAIN: conf}).hands_off()
    assert any(fits(one.match, CARD) is Survival.KEPT for one in found) is left


def test_netplan_hides_what_debian_leaves_to_it() -> None:
    conf = fact(NmConf, {"/usr/lib/NetworkManager/conf.d/10-globally-managed-devices.conf": f"[keyfile]\nunmanaged-devices={OTHERS}\n"})
    assert (len(conf.hands_off()), conf.hands_off(manages_all=True)) == (1, ())


@pytest.mark.parametrize("text", HOSTILE)
def test_any_text_is_survived(text: str) -> None:
    raw = text.encode("utf-8", "surrogateescape")
    assert len(fact(NmKeyfiles, {f"{ETC}/a": raw}).interfaces) <= 1
    assert fact(NmConf, {MAIN: raw}).plugins is None


@pytest.mark.parametrize(
    ("ipv4", "address", "gateways"),
    [
        ("addresses1=192.0.2.5;24;192.0.2.1;", "192.0.2.5/24", ["192.0.2.1"]),
        ("addresses1=192.0.2.5;24;0.0.0.0;", "192.0.2.5/24", []),
        ("address1=192.0.2.5/24,192.0.2.1", "192.0.2.5/24", ["192.0.2.1"]),
        ("address1=192.0.2.5/24,192.0.2.1\nnever-default=true", "192.0.2.5/24", []),
        (
            "address1=192.0.2.5/24,192.0.2.1\nnever-default=true\n[ipv6]\nroute1=::/0,2001:db8::1\ngateway=2001:db8::2",
            "192.0.2.5/24",
            ["2001:db8::1", "2001:db8::2"],
        ),
        ("address1=192.0.2.5/24,192.0.2.1\n[ipv6]\ngateway=2001:db8::2\nnever-default=1", "192.0.2.5/24", ["192.0.2.1"]),
    ],
)
def test_addresses_of_every_age(ipv4: str, address: str, gateways: list[str]) -> None:
    path = "/etc/NetworkManager/system-connections/lan"
    files = {path: f"[connection]\nid=lan\ntype=802-3-ethernet\n[ipv4]\nmethod=manual\n{ipv4}\n"}
    (one,) = fact(NmKeyfiles, files).interfaces
    assert ([str(found) for found in one.addresses], [token.value for token in one.gateways]) == ([address], gateways)
    assert tokens_fit(files, *one.gateways)


@pytest.mark.parametrize(
    ("conf", "read"), [("", True), ("[main]\nplugins=keyfile\n", False), ("[main]\nplugins=keyfile, ifcfg-rh\n", True)]
)
def test_networkmanager_reads_ifcfg_files_unless_told_otherwise(conf: str, read: bool) -> None:
    plugin = "/usr/lib64/NetworkManager/1.40.0/libnm-settings-plugin-ifcfg-rh.so"
    files = {"/sbin/init": "", "/usr/sbin/NetworkManager": "", plugin: "", "/etc/NetworkManager/NetworkManager.conf": conf}
    assert fact(NetManagers, files).nm_reads_ifcfg is read
