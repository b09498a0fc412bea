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


def test_ports_that_nobody_has_and_too_many_are_left_out() -> None:
    assert fact(Sshd, {"/etc/ssh/sshd_config": "Port 22\nPort 70000\n"}).ports == {22}
    many = "".join(f"Port {port}\n" for port in range(1, 3000))
    assert fact(Sshd, {"/etc/ssh/sshd_config": many}).ports == set(range(1, 257))


@pytest.mark.parametrize(
    ("deny", "allow", "clients"),
    [
        ("ALL: ALL\n", "# sshd: 192.0.2.1\n sshd, vsftpd : 192.0.2.2 .example.org : allow\n", ["192.0.2.2@2:17", ".example.org@2:27"]),
        ("ALL : all\n", "all:192.0.2.3 # admins\n", ["192.0.2.3@1:5"]),
        ("ALL: PARANOID\n", "sshd: 192.0.2.3\n", []),
        ("vsftpd: ALL\n", "sshd: 192.0.2.3\n", []),
        ("sshd: ALL\n", "vsftpd: 192.0.2.3\nsshd:\n", []),
        ("ALL: ALL\n", "\n" * 100_000 + "sshd " * 20_000, []),
    ],
    ids=["list", "all", "paranoid", "other", "none", "hostile"],
)
def test_clients_that_tcp_wrappers_let_in(deny: str, allow: str, clients: list[str]) -> None:
    assert [at(token) for token in fact(Sshd, {"/etc/hosts.deny": deny, "/etc/hosts.allow": allow}).clients] == clients


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


@pytest.mark.parametrize(
    ("rule", "names"),
    [
        ("-A INPUT -p tcp --dport 20: -j ACCEPT", []),
        ("-A INPUT -p tcp --dport :1024 -j ACCEPT", []),
        ("-A INPUT -p tcp --dport 0x16 -j ACCEPT", []),
        ("-A INPUT -p tcp --dport 1024: -j ACCEPT", ["ens192"]),
        ("-A INPUT -p tcp --dport :21 -j ACCEPT", ["ens192"]),
        ("-A INPUT -p TCP --dport 22 -j ACCEPT", []),
        ("-A INPUT -p UDP -j ACCEPT", ["ens192"]),
        ("-A INPUT -p 0x6 -j ACCEPT", []),
        ("-A INPUT -m conntrack --ctstate new -j ACCEPT", []),
        ("-I INPUT -j ACCEPT", []),
        ("-P INPUT ACCEPT", []),
        ("-N LAN", ["ens192"]),
        ("-AINPUT -j ACCEPT", []),
        ("-A INPUT -jACCEPT", []),
        ("-A INPUT --jump=ACCEPT", []),
        (":INPUT ACCEPT [0:0]", []),
        ("COMMIT\n*filter\n:INPUT ACCEPT [0:0]", []),
        ('-A INPUT -i "ens224" -j "ACCEPT"', ["ens192", "ens224"]),
    ],
)
def test_a_rule_by_hand_beside_one_for_a_card(rule: str, names: list[str]) -> None:
    files = {"/etc/iptables.up.rules": f"*filter\n:INPUT DROP [0:0]\n-A INPUT -i ens192 -j ACCEPT\n{rule}\nCOMMIT\n"}
    gates = fact(Firewalls, files).gates
    assert [token.value for gate in gates for token in gate.interfaces] == names
    assert tokens_fit(files, *(token for gate in gates for token in gate.interfaces))


@pytest.mark.parametrize(
    ("jump", "inner", "names"),
    [
        ("-i eth+", "-i eth0", ["eth0"]),
        ("-i eth0", "-i eth+", ["eth0"]),
        ("-i eth+", "-p tcp", ["eth+"]),
        ("-i eth+", "-i ens192", []),
        ("-i eth+", "-p udp", []),
    ],
)
def test_a_chain_for_certain_cards_that_a_rule_for_certain_cards_leads_to(jump: str, inner: str, names: list[str]) -> None:
    rules = f"*filter\n:INPUT DROP [0:0]\n:IN - [0:0]\n-A INPUT {jump} -j IN\n-A IN {inner} -j ACCEPT\nCOMMIT\n"
    gates = fact(Firewalls, {"/etc/iptables/rules.v4": rules}).gates
    assert [token.value for gate in gates for token in gate.interfaces] == names


def test_chains_that_double_at_every_step_are_walked_once() -> None:
    twice = "".join(f"-A {one} -j c{number}\n" * 2 for number, one in enumerate(["INPUT", *(f"c{number}" for number in range(30))]))
    rules = f"*filter\n:INPUT DROP [0:0]\n{twice}-A c30 -i ens192 -j ACCEPT\nCOMMIT\n"
    (gate,) = fact(Firewalls, {"/etc/iptables/rules.v4": rules}).gates
    assert [token.value for token in gate.interfaces] == ["ens192"]


def test_more_interfaces_than_anybody_has_are_no_gate() -> None:
    rules = "".join(f"-A INPUT -i ens{number} -j ACCEPT\n" for number in range(600))
    assert fact(Firewalls, {"/etc/iptables/rules.v4": f"*filter\n:INPUT DROP [0:0]\n{rules}COMMIT\n"}).gates == ()


NFT = 'table inet filter {\n chain input {\n  type filter hook input priority 0; policy drop;\n  iifname "ens192" accept\n@ }\n}\n'


@pytest.mark.parametrize(
    ("rule", "names"),
    [
        ("ct state established,new tcp dport 22 accept", []),
        ("ct state established , related accept", ["ens192"]),
        ("meta protocol ip tcp dport 22 accept", []),
        ("meta protocol {ip, ip6} tcp dport 22 accept", []),
        ("meta protocol 0x0800 tcp dport 22 accept", []),
        ("meta protocol ip6 tcp dport 22 accept", ["ens192"]),
        ("ether type { ip6, ip } tcp dport 22 accept", []),
        ("ether type != ip6 tcp dport 22 accept", []),
        ("ip protocol tcp accept", []),
        ("ip protocol udp accept", ["ens192"]),
        ("tcp dport < 1024 accept", []),
        ("tcp dport >= 1 accept", []),
        ("tcp dport ge 1 accept", []),
        ("tcp dport 20 - 25 accept", []),
        ("tcp dport { 80, 20 - 25 } accept", []),
        ("tcp dport 0x16 accept", []),
        ("tcp dport 026 accept", []),
        ("tcp dport { http, 8000-8010 } accept", ["ens192"]),
        ('iifname . tcp dport { "eth0" . 22, "eth1" . 22 } accept', []),
        ('iifname . tcp dport { "eth0" . 22, "eth1" . 22 } drop', ["ens192"]),
        ('tcp dport . iifname { 22 . "eth0" } accept', []),
        ("ip saddr . tcp dport { 10.0.0.1 . 22 } accept", []),
        ("ct state 8 accept", []),
        ("ct state & new != 0 accept", []),
        ("ct state ! established accept", []),
        ("ct state established | new accept", []),
        ("ct state vmap { established:accept, new:accept }", []),
        ("ct state vmap { 8 : accept }", []),
        ("ct state vmap", ["ens192"]),
        ("iif 2 accept", []),
        ('include "more.nft"', []),
    ],
)
def test_a_rule_beside_one_for_a_card(rule: str, names: list[str]) -> None:
    files = {"/etc/nftables.conf": NFT.replace("@", f"{rule}\n")}
    assert [token.value for gate in fact(Firewalls, files).gates for token in gate.interfaces] == names


MORE = 'include "/etc/nftables.d/*.nft"\n'
SAME = "table inet filter {\n chain input {\n tcp dport 22 accept\n }\n}\n"


@pytest.mark.parametrize(
    ("before", "after", "included", "names"),
    [
        ("", MORE, "add rule inet filter input tcp dport 22 accept\n", []),
        ("", MORE, "inet filter input tcp dport 22 accept\n", []),
        ("", MORE, "chain inet filter input { policy accept; }\n", []),
        ("", MORE, SAME, []),
        (MORE, "", SAME, []),
        ("", MORE, SAME.replace("inet", "ip"), ["ens192"]),
        ("", MORE, SAME.replace("tcp dport 22 accept", "policy accept"), []),
        ("", MORE, "flush ruleset\n", []),
        ("", MORE, "delete table inet filter\n", []),
        (f"{MORE}flush ruleset\n", "", SAME, ["ens192"]),
        ("", 'table inet other {\n include "nftables.d/a.nft"\n}\n', "", []),
        ("", "include '/etc/nftables.d/a.nft'\n", "", []),
        ("", MORE, MORE, []),
        ("", MORE, "define lan = {\n 10.0.0.1,\n 10.0.0.2\n}\ntable inet x\ndelete table inet x\n", ["ens192"]),
    ],
)
def test_all_files_of_nftables_make_one_ruleset(before: str, after: str, included: str, names: list[str]) -> None:
    files = {"/etc/nftables.conf": before + NFT.replace("@", "") + after, "/etc/nftables.d/a.nft": included}
    assert [token.value for gate in fact(Firewalls, files).gates for token in gate.interfaces] == names


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


LAN = "/etc/firewalld/zones/lan.xml"
DROP = "/etc/firewalld/zones/drop.xml"


@pytest.mark.parametrize(
    ("files", "names"),
    [
        ({LAN: '<zone><port protocol="udp" port="22"/><interface name="ens192"/></zone>'}, []),
        ({LAN: '<zone><port port="22" protocol="udp"/><interface name="ens192"/></zone>'}, []),
        ({LAN: '<zone><port protocol="tcp" port="22"/><interface name="ens192"/></zone>'}, ["ens192"]),
        ({LAN: '<zone><rule><service name="ssh"/><reject/></rule><interface name="ens192"/></zone>'}, []),
        ({LAN: '<zone><rule><service name="ssh"/><accept/></rule><interface name="ens192"/></zone>'}, ["ens192"]),
        ({DROP: '<zone><rule family="ipv4"><service name="ssh"/><accept/></rule></zone>'}, []),
        ({DROP: '<zone><rule><service name="ssh"/><drop/></rule></zone>'}, ["ens192"]),
        ({DROP: "<zone><service name='ssh'/></zone>"}, []),
        ({DROP: '<zone><service name="mine"/></zone>', "/etc/firewalld/services/mine.xml": '<port protocol="tcp" port="22"/>'}, []),
        ({"/etc/firewalld/direct.xml": '<rule chain="INPUT">-p tcp --dport 22 -j ACCEPT</rule>'}, []),
        ({"/etc/firewalld/direct.xml": '<rule chain="INPUT">-j LOG</rule>'}, ["ens192"]),
        ({"/etc/firewalld/policies/in.xml": '<policy target="ACCEPT"><ingress-zone name="ANY"/></policy>'}, []),
        ({"/etc/firewalld/zones/own.xml": '<zone><service name="ssh"/><interface name="br0"/></zone>'}, ["ens192", "br0"]),
    ],
)
def test_what_firewalld_admits(files: Files, names: list[str]) -> None:
    gates = fact(Firewalls, {**ZONES, **files}).gates
    assert len(gates) == bool(names)
    assert [token.value for gate in gates for token in gate.interfaces] == names


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
