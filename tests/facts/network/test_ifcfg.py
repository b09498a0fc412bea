"""ifcfg files of Red Hat and SUSE: quoting, masks, masters, backups, MAC addresses in file names."""

from __future__ import annotations

import pytest

from tests.facts.guests import HOSTILE, Files, at, edited, fact
from v2vlint.facts.network.ifcfg import Ifcfg
from v2vlint.facts.network.interface import Manager, Method

RH, SUSE = "/etc/sysconfig/network-scripts", "/etc/sysconfig/network"
STATIC = (
    "# Intel card\nTYPE=\"Ethernet\"\nBOOTPROTO=none\nDEVICE='ens192'   # the name\nHWADDR=00:50:56:9A:BC:01\nONBOOT=yes\n"
    "IPADDR=192.0.2.5\nNETMASK=255.255.255.0\nIPADDR1=192.0.2.6\nPREFIX1=25\nGATEWAY=192.0.2.1\nDNS1=192.0.2.53\n"
    "USERCTL=no\nsomething odd\n"
)


def test_a_static_interface_whole() -> None:
    ifcfg = fact(Ifcfg, {f"{RH}/ifcfg-ens192": STATIC})
    (file,) = ifcfg.files
    lan = file.interface
    assert (lan.manager, lan.kind, lan.method, lan.autostart) == (Manager.NETWORK_SCRIPTS, "ethernet", Method.STATIC, True)
    assert [at(lan.name), at(lan.mac), at(lan.where)] == ["ens192@4:9", "00:50:56:9A:BC:01@5:8", "4:1"]
    assert [(str(address), at(address.where)) for address in lan.addresses] == [("192.0.2.5/24", "7:8"), ("192.0.2.6/25", "9:9")]
    assert [at(token) for token in (*lan.gateways, *lan.dns)] == ["192.0.2.1@11:9", "192.0.2.53@12:6"]
    assert [at(place) for place in ifcfg.malformed] == ["14:1"]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_edits_leave_the_rest_alone(end: str) -> None:
    path = f"{RH}/ifcfg-ens192"
    files = {path: STATIC.replace("\n", end)}
    lan = fact(Ifcfg, files).files[0].interface
    after = (
        "# Intel card\nTYPE=\"Ethernet\"\nBOOTPROTO=dhcp\nDEVICE='ens192'   # the name\nHWADDR=00:50:56:9A:BC:01\nONBOOT=yes\n"
        "USERCTL=no\nsomething odd\n"
    )
    assert edited(files, lan.edits.to_dhcp, path) == after.replace("\n", end)
    assert edited(files, lan.edits.drop_mac, path) == STATIC.replace("HWADDR=00:50:56:9A:BC:01\n", "").replace("\n", end)


@pytest.mark.parametrize(
    "text",
    [
        "DEVICE=ens192 ONBOOT=yes\nBOOTPROTO=none\nIPADDR=192.0.2.5\n",
        "DEVICE=ens192\nBOOTPROTO=none; IPADDR=192.0.2.5\n",
        "DEVICE=ens192\nBOOTPROTO=none\nIPADDR=192.0.2.5\n[ -e /x ] && IPADDR=192.0.2.6\n",
        "DEVICE=ens192\nBOOTPROTO=none\nIPADDR=192.0.2.5\n. ./more\n",
        "DEVICE=ens192\nBOOTPROTO=none\nIPADDR=192.0.2.5\nif true; then\n",
    ],
)
def test_a_file_that_is_more_than_lines_of_assignments_is_not_edited(text: str) -> None:
    lan = fact(Ifcfg, {f"{RH}/ifcfg-ens192": text}).files[0].interface
    assert not lan.edits.to_dhcp
    assert not lan.edits.drop_mac


def test_values_are_those_after_the_whole_file() -> None:
    text = 'DEVICE=ens192\nIPADDR=192.0.2.5\nNET=192.0.2\nIPADDR="$NET".6\nGATEWAY=192.0.2.1\nunset GATEWAY\n'
    lan = fact(Ifcfg, {f"{RH}/ifcfg-ens192": text}).files[0].interface
    assert [str(address) for address in lan.addresses] == ["192.0.2.6"]
    assert not lan.gateways


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("ifcfg-eth0", "BOOTPROTO=dhcp\n", ("ethernet", "eth0", Method.DHCP, True)),
        ("ifcfg-eth0", "DEVICE=eth0\nBOOTPROTO=DHCP\nONBOOT=no\n", ("ethernet", "eth0", Method.DHCP, False)),
        ("ifcfg-lan", "HWADDR=00:50:56:9A:BC:01\nBOOTPROTO=dhcp\n", ("ethernet", None, Method.DHCP, True)),
        ("ifcfg-lo", "DEVICE=lo\nIPADDR=127.0.0.1\n", ("loopback", "lo", Method.STATIC, True)),
        ("ifcfg-bond0", "DEVICE=bond0\nBONDING_OPTS='mode=1'\nBOOTPROTO=dhcp\n", ("bond", "bond0", Method.DHCP, True)),
        ("ifcfg-p1", "DEVICE=p1\nTYPE=Bridge\nBOOTPROTO=dhcp\n", ("bridge", "p1", Method.DHCP, True)),
        ("ifcfg-eth0.7", "DEVICE=eth0.7\nVLAN=yes\nBOOTPROTO=dhcp\n", ("vlan", "eth0.7", Method.DHCP, True)),
        ("ifcfg-eth0", "DEVICE=eth0\nMASTER=bond0\nSLAVE=yes\nIPADDR=1.2.3.4\n", ("ethernet", "eth0", Method.NONE, True)),
        ("ifcfg-eth0:1", "DEVICE=eth0:1\nIPADDR=192.0.2.9\n", ("alias", "eth0:1", Method.STATIC, True)),
        ("ifcfg-eth0-range0", "IPADDR_START=192.0.2.10\n", ("ethernet", "eth0-range0", Method.STATIC, False)),
    ],
)
def test_kinds_names_and_methods(name: str, text: str, expected: tuple[str, str | None, Method, bool]) -> None:
    lan = fact(Ifcfg, {f"{RH}/{name}": text}).files[0].interface
    assert (lan.kind, lan.name.value if lan.name else None, lan.method, lan.autostart) == expected


def test_a_bond_knows_its_members_and_a_vlan_its_parent() -> None:
    files = {
        f"{RH}/ifcfg-bond0": "DEVICE=bond0\nTYPE=Bond\n",
        f"{RH}/ifcfg-ens192": "DEVICE=ens192\nMASTER=bond0\n",
        f"{RH}/ifcfg-ens224": "DEVICE=ens224\nMASTER=bond0\n",
        f"{RH}/ifcfg-bond0.5": "DEVICE=bond0.5\nVLAN=yes\n",
    }
    found = {file.interface.label: [at(token) for token in file.interface.uses] for file in fact(Ifcfg, files).files}
    assert found == {"bond0": ["ens192@1:8", "ens224@1:8"], "bond0.5": ["bond0@1:8"], "ens192": [], "ens224": []}


@pytest.mark.parametrize("suffix", ["~", ".bak", ".old", ".orig", ".rpmnew", ".rpmsave", ".rpmorig", ".augnew", ".scpmbackup"])
def test_backup_copies_are_not_read(suffix: str) -> None:
    ifcfg = fact(Ifcfg, {f"{RH}/ifcfg-eth0{suffix}": "DEVICE=eth0\n"})
    assert ifcfg.files == ()
    assert ifcfg.unread == (f"{RH}/ifcfg-eth0{suffix}",)


@pytest.mark.parametrize("name", ["ifcfg-eth0.save", "ifcfg-eth0.2024", "ifcfg-eth0_backup"])
def test_other_copies_are_read(name: str) -> None:
    assert len(fact(Ifcfg, {f"{RH}/{name}": "DEVICE=eth0\n"}).files) == 1


@pytest.mark.parametrize(
    ("files", "name", "mac", "static"),
    [
        ({f"{SUSE}/ifcfg-eth0": "BOOTPROTO='static'\nIPADDR='192.0.2.15/24'\nSTARTMODE='auto'\n"}, "eth0@1:1", "-", ["192.0.2.15/24"]),
        ({f"{SUSE}/ifcfg-eth-id-00:0c:29:11:22:33": "BOOTPROTO='dhcp'\n"}, "-", "00:0c:29:11:22:33@1:1", []),
        ({f"{SUSE}/ifcfg-eth-bus-pci-0000:00:03.0": "BOOTPROTO='dhcp'\n"}, "-", "-", []),
        ({f"{SUSE}/ifcfg-br0": "BRIDGE='yes'\nBRIDGE_PORTS='eth0 eth1'\nBOOTPROTO='dhcp'\n"}, "br0@1:1", "-", []),
    ],
)
def test_suse_names_interfaces_by_file(files: Files, name: str, mac: str, static: list[str]) -> None:
    lan = fact(Ifcfg, files).files[0].interface
    assert (lan.manager, at(lan.name), at(lan.mac)) == (Manager.WICKED, name, mac)
    assert [str(address) for address in lan.addresses] == static
    assert lan.kind == ("bridge" if "br0" in name else "ethernet")


@pytest.mark.parametrize(
    ("files", "gateways", "dns"),
    [
        ({f"{RH}/ifcfg-eth0": "IPADDR=192.0.2.5\n", "/etc/sysconfig/network": "GATEWAY=192.0.2.1\n"}, ["192.0.2.1@1:9"], []),
        ({f"{RH}/ifcfg-eth0": "IPADDR=192.0.2.5\nGATEWAY=192.0.2.2\n", "/etc/sysconfig/network": "GATEWAY=x\n"}, ["192.0.2.2@2:9"], []),
        ({f"{RH}/ifcfg-eth0": "BOOTPROTO=dhcp\n", "/etc/sysconfig/network": "GATEWAY=192.0.2.1\n"}, [], []),
        (
            {
                f"{SUSE}/ifcfg-eth0": "IPADDR=192.0.2.5/24\nSTARTMODE=auto\n",
                f"{SUSE}/routes": "# routes\n10.0.0.0/8 192.0.2.9 - -\ndefault 192.0.2.1 - -\n",
                f"{SUSE}/config": 'NETCONFIG_DNS_STATIC_SERVERS="192.0.2.53 1.1.1.1"\n',
            },
            ["192.0.2.1@3:9"],
            ["192.0.2.53@1:31", "1.1.1.1@1:42"],
        ),
    ],
)
def test_gateways_and_servers_from_other_files(files: Files, gateways: list[str], dns: list[str]) -> None:
    lan = fact(Ifcfg, files).files[0].interface
    assert ([at(token) for token in lan.gateways], [at(token) for token in lan.dns]) == (gateways, dns)


@pytest.mark.parametrize(("mode", "starts"), [("auto", True), ("hotplug", True), ("manual", False), ("off", False), ("", False)])
def test_suse_starts_an_interface_only_when_told(mode: str, starts: bool) -> None:
    assert fact(Ifcfg, {f"{SUSE}/ifcfg-eth0": f"STARTMODE='{mode}'\n"}).files[0].interface.autostart is starts


def test_a_file_that_networkmanager_must_not_touch() -> None:
    assert not fact(Ifcfg, {f"{RH}/ifcfg-eth0": "DEVICE=eth0\nNM_CONTROLLED=no\n"}).files[0].nm_controlled


@pytest.mark.parametrize("text", HOSTILE)
def test_any_text_is_survived(text: str) -> None:
    raw = text.encode("utf-8", "surrogateescape")
    assert len(fact(Ifcfg, {f"{RH}/ifcfg-x": raw, f"{SUSE}/ifcfg-y": raw}).files) == 2


RED_HAT = "/etc/sysconfig/network-scripts/"
FIXED = "DEVICE=ens192\nIPADDR=192.0.2.5\nPREFIX=24\n"


@pytest.mark.parametrize(
    ("own", "more", "gateways"),
    [
        ("", {"/etc/sysconfig/network": "GATEWAY=192.0.2.1\n"}, ["192.0.2.1"]),
        ("", {"/etc/sysconfig/network": "GATEWAY=198.51.100.1\n"}, []),
        ("", {"/etc/sysconfig/network": "GATEWAY=198.51.100.1\nGATEWAYDEV=ens192\n"}, ["198.51.100.1"]),
        ("", {"/etc/sysconfig/network": "GATEWAY=192.0.2.1\nGATEWAYDEV=ens224\n"}, []),
        ("", {f"{RED_HAT}route-ens192": "10.0.0.0/8 via 192.0.2.9\ndefault via 192.0.2.1 dev ens192\n"}, ["192.0.2.1"]),
        ("", {f"{RED_HAT}route-ens224": "default via 192.0.2.1\n"}, []),
        ("GATEWAY=192.0.2.1\nDEFROUTE=no\n", {}, []),
        ("DEFROUTE=no\n", {"/etc/sysconfig/network": "GATEWAY=192.0.2.1\n"}, []),
        ("GATEWAY=192.0.2.1\nIPV6_DEFAULTGW=2001:db8::1\nDEFROUTE=no\n", {}, ["2001:db8::1"]),
        ("GATEWAY=192.0.2.1\nIPV6_DEFAULTGW=2001:db8::1\nIPV6_DEFROUTE=no\n", {}, ["192.0.2.1"]),
    ],
)
def test_which_interface_has_the_default_route(own: str, more: Files, gateways: list[str]) -> None:
    (file,) = fact(Ifcfg, {f"{RED_HAT}ifcfg-ens192": FIXED + own, **more}).files
    assert [gateway.value for gateway in file.interface.gateways] == gateways
