"""What boot asks of the network, and who is let in: arguments, dhcpcd, sshd, firewalls."""

from __future__ import annotations

import contextlib

import pytest

from tests.facts.guests import HOSTILE, Files, at, fact, tokens_fit
from v2vlint.facts.environment.sshd import Sshd
from v2vlint.facts.network.dhcpcd import Dhcpcd
from v2vlint.facts.network.early_network import EarlyNetwork
from v2vlint.facts.network.firewall import Firewalls
from v2vlint.model.errors import FactUnavailable

CFG = "/boot/grub/grub.cfg"


def entry(args: str) -> Files:
    return {CFG: f"menuentry 'x' {{\n linux /vmlinuz root=UUID=1 {args}\n}}\n"}


@pytest.mark.parametrize(
    ("args", "names"),
    [
        ("ip=192.0.2.5::192.0.2.1:255.255.255.0:web:ens192:none", ["ens192"]),
        ("ip=ens192:dhcp", ["ens192"]),
        ("ip=ens192:dhcp:1500:00:50:56:00:00:01", ["ens192"]),
        ("ip=[2001:db8::5]::[2001:db8::1]:64:web:ens192:none", ["ens192"]),
        ("ip=dhcp", []),
        ("ip=::::web::dhcp", []),
        ("ip=192.0.2.5:192.0.2.9:192.0.2.1:255.255.255.0", []),
        ("bridge=br0:ens192,ens224", ["ens192", "ens224"]),
        ("bootdev=ens192 ksdevice=bootif", ["ens192"]),
    ],
)
def test_cards_on_the_command_line(args: str, names: list[str]) -> None:
    assert [card.name for card in fact(EarlyNetwork, entry(args)).cards] == names


def test_dhcpcd_blocks() -> None:
    text = "hostname\nstatic domain_name_servers=192.0.2.53\ninterface ens192\nstatic ip_address=10.3.3.3/24\nstatic routers=10.3.3.1\n"
    files = {"/etc/dhcpcd.conf": f"{text}profile fall\nstatic ip_address=10.9.9.9/24\n"}
    (one,) = fact(Dhcpcd, files).interfaces
    assert [at(token) for token in (*one.names, *one.gateways)] == ["ens192@3:11", "10.3.3.1@5:16"]
    assert str(one.addresses[0]) == "10.3.3.3/24"
    assert tokens_fit(files, *one.names, *one.gateways)


def test_sshd_follows_includes_and_stops_at_match() -> None:
    files = {
        "/etc/ssh/sshd_config": "Include sshd_config.d/*.conf\nListenAddress [2001:db8::5]:22\nMatch User x\nListenAddress 192.0.2.7\n",
        "/etc/ssh/sshd_config.d/a.conf": "ListenAddress 192.0.2.6:2222\n",
    }
    assert [at(token) for token in fact(Sshd, files).listen] == ["192.0.2.6@1:15", "2001:db8::5@2:16"]


@pytest.mark.parametrize(
    ("rules", "names"),
    [
        ("-A INPUT -i ens192 -p tcp -m multiport --dports 20:25,80 -j ACCEPT", ["ens192"]),
        (":LAN - [0:0]\n-A INPUT -i ens192 -j LAN\n-A LAN -p tcp --dport 22 -j ACCEPT", ["ens192"]),
        (":LAN - [0:0]\n-A INPUT -i ens192 -j LAN\n-A LAN -p tcp --dport 80 -j ACCEPT", []),
        (":LAN - [0:0]\n-A INPUT -j LAN\n-A INPUT -i ens192 -j ACCEPT\n-A LAN -p tcp --dport 22 -j ACCEPT", []),
        ("-A INPUT -i ens192 -j ACCEPT\n-A INPUT ! -i ens224 -p tcp --dport 22 -j ACCEPT", []),
        ("-A INPUT -i ens192 -j ACCEPT\n-A INPUT -i ! ens224 -p tcp --dport 22 -j ACCEPT", []),
        ("-A INPUT -i ens192 -j ACCEPT\n-A INPUT -s 10.0.0.0/8 -p tcp --dport 22 -j ACCEPT", []),
        ("-A INPUT -i ens192 -j ACCEPT\n-A INPUT -p tcp -j NFQUEUE --queue-num 1", []),
        ('-A INPUT -i ens192 -j ACCEPT\n-A INPUT -m comment --comment "-i ens224 -j x" -p tcp ! --dport 22 -j ACCEPT', ["ens192"]),
        ("[1:60] -A INPUT -i ens192 -j ACCEPT\n-A INPUT -i lo -j ACCEPT", ["ens192"]),
        ("-A INPUT --in-interface ens192 --jump ACCEPT", ["ens192"]),
        (":lan - [0:0]\n-A INPUT -j lan\n-A lan -i ens192 -p tcp --dport ssh -j ACCEPT", ["ens192"]),
        ("-A INPUT -p tcp --dport 22 -j ACCEPT\n-A INPUT -i ens192 -j ACCEPT", []),
        ("-A INPUT -i ens192 -p udp --dport 22 -j ACCEPT", []),
        ("-A INPUT -m state --state ESTABLISHED -j ACCEPT\n-A INPUT -i ens192 -m state --state NEW -j ACCEPT", ["ens192"]),
    ],
)
def test_who_admits_ssh(rules: str, names: list[str]) -> None:
    files = {"/etc/iptables/rules.v4": f"*filter\n:INPUT DROP [0:0]\n{rules}\nCOMMIT\n"}
    gates = fact(Firewalls, files).gates
    assert [token.value for gate in gates for token in gate.interfaces] == names
    assert tokens_fit(files, *(token for gate in gates for token in gate.interfaces))


NFT = 'table inet filter {\n chain input {\n  type filter hook input priority 0; policy drop;\n  iifname "ens192" accept\n@ }\n}\n'
ZONES: Files = {
    "/etc/firewalld/firewalld.conf": "DefaultZone=drop\n",
    "/usr/lib/firewalld/zones/drop.xml": '<zone target="DROP"/>\n',
    "/etc/firewalld/zones/lan.xml": '<zone>\n<service name="ssh"/>\n<interface name="ens192"/>\n</zone>\n',
}


@pytest.mark.parametrize(
    ("files", "names"),
    [
        ({"/etc/nftables.conf": NFT.replace("@", "")}, ["ens192"]),
        ({"/etc/nftables.conf": NFT.replace("@", "ip saddr 10.0.0.0/8 tcp dport 22 accept\n")}, []),
        ({"/etc/nftables.conf": NFT.replace("@", "jump ssh\n}\nchain ssh {\ntcp dport 22 accept\n")}, []),
        ({"/etc/nftables.conf": NFT.replace("@", "tcp dport vmap { 22 : accept }\n")}, []),
        ({"/etc/nftables.conf": NFT.replace("@", "ct state vmap { established : accept }\n")}, ["ens192"]),
        ({"/etc/nftables.conf": NFT.replace("@", "") + "add rule inet filter input tcp dport 22 accept\n"}, []),
        ({"/etc/nftables.conf": NFT.replace("@", "").replace("inet", "ip6")}, []),
        ({"/etc/nftables.conf": NFT.replace("@", "").replace("inet filter", "filter")}, ["ens192"]),
        ({"/etc/nftables.conf": NFT.replace("@", "drop\n").replace("policy drop;", "")}, ["ens192"]),
        ({"/etc/nftables.conf": NFT.replace("@", "").replace("policy drop;", "")}, []),
        ({"/etc/nftables.conf": NFT.replace("@", "tcp dport 2222 accept\n"), "/etc/ssh/sshd_config": "Port 2222\n"}, []),
        (
            {"/etc/nftables.conf": NFT.replace("@", "tcp dport 22 accept\n"), "/etc/ssh/sshd_config": "ListenAddress 0.0.0.0:2222\n"},
            ["ens192"],
        ),
        ({"/etc/sysconfig/nftables.conf": 'include "nftables/*.nft"\n', "/etc/nftables/a.nft": NFT.replace("@", "")}, ["ens192"]),
        (ZONES, ["ens192"]),
        ({**ZONES, "/etc/ssh/sshd_config": "Port 2222\n"}, []),
        ({**ZONES, "/etc/firewalld/zones/all.xml": '<zone><source address="10.0.0.0/8"/><port port="20-30" protocol="tcp"/></zone>\n'}, []),
    ],
)
def test_other_firewalls(files: Files, names: list[str]) -> None:
    assert [token.value for gate in fact(Firewalls, files).gates for token in gate.interfaces] == names


def test_a_zone_that_a_connection_names_itself_is_no_certainty() -> None:
    nm, on = "/etc/NetworkManager/system-connections/lan.nmconnection", "/etc/systemd/system/multi-user.target.wants/firewalld.service"
    files = {"/sbin/init": "", on: "", **ZONES}
    (certain,), (perhaps,) = fact(Firewalls, files).gates, fact(Firewalls, {**files, nm: "[connection]\nid=lan\nzone=lan\n"}).gates
    assert (certain.runs, perhaps.runs) == (True, None)


@pytest.mark.parametrize(
    ("switch", "policy", "found"),
    [
        ("ENABLED=yes\n", 'DEFAULT_INPUT_POLICY="DROP"\n', ["ens192"]),
        ('ENABLED="yes" # on\n', "", ["ens192"]),
        ("ENABLED=yes\nENABLED=no\n", "", []),
        ("#ENABLED=yes\n", "", []),
        ("ENABLED=yes\n", "DEFAULT_INPUT_POLICY='ACCEPT'\n", []),
    ],
)
def test_ufw_is_switched_by_files_that_a_shell_sources(switch: str, policy: str, found: list[str]) -> None:
    rules = "*filter\n:ufw-user-input - [0:0]\n-A ufw-user-input -i ens192 -p tcp --dport 22 -j ACCEPT\nCOMMIT\n"
    files = {"/etc/ufw/ufw.conf": switch, "/etc/default/ufw": policy, "/etc/ufw/user.rules": rules}
    assert [token.value for gate in fact(Firewalls, files).gates for token in gate.interfaces] == found


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_files(text: str) -> None:
    paths = ("/etc/dhcpcd.conf", "/etc/ssh/sshd_config", "/etc/iptables/rules.v4", "/etc/nftables.conf", "/etc/firewalld/zones/a.xml")
    files = dict.fromkeys((*paths, "/etc/firewalld/firewalld.conf", "/etc/ufw/user.rules", "/etc/initramfs-tools/initramfs.conf"), text)
    for kind in (Dhcpcd, Sshd, Firewalls):
        fact(kind, files)
    with contextlib.suppress(FactUnavailable):  # a syntax error in initramfs.conf
        fact(EarlyNetwork, files)
