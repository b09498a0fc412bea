"""Who is let in, held against the kernel: a guest that admits SSH on certain interfaces only refuses it on all others."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys

import pytest

from tests.facts.guests import fact
from tests.facts.network import firewall_oracle
from v2vlint.facts.network.firewall import Firewalls

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not all(map(shutil.which, ("unshare", "nft", "iptables-restore"))), reason="makes network namespaces"
)
PLACES = {"nft": "/etc/nftables.conf", "iptables": "/etc/iptables/rules.v4"}
NFT_MATCHES = (
    "", 'iifname "ens192"', 'iifname { "ens192", "lan0" }', 'iifname != "ens224"', "iif lo", "ip saddr 10.0.0.0/8", "ip saddr 192.0.2.0/24",
    "ct state established,related", "ct state new", "ct state { new, untracked }", "ct state != invalid", "tcp dport 22", "tcp dport ssh",
    "tcp dport { 80, 20-25 }", "tcp dport != 22", "tcp dport 80", "udp dport 22", "meta l4proto { tcp, udp } th dport 22", "ip6 saddr ::/0",
    "meta nfproto ipv4", "ip protocol icmp", 'iifname "ens224" tcp dport 22', "limit rate 1000/second", "counter", "meta mark 1",
    "ct state established,new", "meta protocol ip", "meta protocol { ip, ip6 }", "tcp dport < 1024", "tcp dport ge 1", "tcp dport 0x16",
    "ct state 8", "ct state & new != 0", "ct state ! established", "ether type != ip6", "tcp dport 026",
    'iifname . tcp dport { "ens192" . 22, "ens224" . 22 }', "tcp dport 20 - 25", "ip saddr . tcp dport { 192.0.2.9 . 22 }",
)  # fmt: skip
NFT_VERDICTS = (
    "accept", "accept", "accept", "drop", "reject", "return", "jump more", "goto more",
    'log prefix "x y" drop', "counter", "reject with tcp reset",
)  # fmt: skip
NFT_FIRST = ('iifname "ens192" accept', 'iifname { "ens192", "lan0" } tcp dport { 22, 80 } accept', "ct state established,related accept")
IPT_FIRST = ("-A INPUT -i ens192 -j ACCEPT", "-A INPUT -i ens192 -p tcp --dport 22 -j ACCEPT", "-A INPUT -i lo -j ACCEPT")
NFT_MAPS = (
    "ct state vmap { established : accept, related : accept }", "ct state vmap { new : jump more, established : accept }",
    "tcp dport vmap { 22 : accept }", 'iifname vmap { "ens192" : jump more }',
)  # fmt: skip
IPT_MATCHES = (
    "", "-i ens192", "! -i ens224", "-i ens+", "-i lo", "-s 10.0.0.0/8", "-s 192.0.2.0/24", "-m conntrack --ctstate ESTABLISHED,RELATED",
    "-m state --state NEW", "-p tcp -m tcp --dport 22", "-p tcp --dport 80", "-p udp -m udp --dport 22",
    "-p tcp -m multiport --dports 20:25,80",
    "-p tcp ! --dport 22", "! -p tcp", "! -p udp", "-i ens224 -p tcp --dport 22", "-p icmp", "-m comment --comment \"let -j ACCEPT in\"",
    "-m limit --limit 1000/sec", "-m mark --mark 1",
    "-p tcp --dport 20:", "-p tcp --dport :1024", "-p TCP --dport 22", "-p tcp --dport 0x16", "-p 0x6", "-p tcp --dport 026",
)  # fmt: skip
IPT_TARGETS = (
    "ACCEPT",
    "ACCEPT",
    "ACCEPT",
    "DROP",
    "REJECT",
    "RETURN",
    "more",
    "LOG",
    "MARK --set-mark 0x2",
    "REJECT --reject-with tcp-reset",
)


def _nft(choose: random.Random) -> str:
    def rule(inner: bool) -> str:
        verdicts = [one for one in NFT_VERDICTS if not (inner and "more" in one)]
        maps = [one for one in NFT_MAPS if not (inner and "more" in one)]
        return choose.choice(maps) if choose.random() < 0.1 else f"{choose.choice(NFT_MATCHES)} {choose.choice(verdicts)}"

    more = "\n".join(rule(inner=True) for _ in range(choose.randint(0, 3)))
    own = "\n".join([choose.choice(NFT_FIRST), *(rule(inner=False) for _ in range(choose.randint(1, 4)))])
    policy = choose.choice(("drop", "drop", "drop", "accept"))
    family = choose.choice(("inet", "inet", "ip", "ip6"))
    head = f"type filter hook input priority 0; policy {policy};"
    return f"table {family} filter {{\nchain more {{\n{more}\n}}\nchain input {{\n{head}\n{own}\n}}\n}}\n"


def _iptables(choose: random.Random) -> str:
    def rule(chain: str) -> str:
        target = choose.choice([one for one in IPT_TARGETS if (one, chain) != ("more", "more")])
        match = choose.choice(IPT_MATCHES)
        match = f"-p tcp {match}" if "tcp-reset" in target and "-p" not in match else match
        return f"-A {chain} {match} -j {target}"

    rules = [rule("more") for _ in range(choose.randint(0, 3))]
    rules += [choose.choice(IPT_FIRST), *(rule("INPUT") for _ in range(choose.randint(1, 4)))]
    nat = "*nat\n:INPUT ACCEPT [0:0]\n-A INPUT -j ACCEPT\nCOMMIT\n" if choose.random() < 0.3 else ""
    policy = choose.choice(("DROP", "DROP", "DROP", "ACCEPT"))
    return f"{nat}*filter\n:INPUT {policy} [0:0]\n:more - [0:0]\n" + "\n".join(rules) + "\nCOMMIT\n"


def generated(seeds: range) -> list[tuple[str, str]]:
    """Rule sets of both kinds."""
    found = []
    for seed in seeds:
        choose = random.Random(seed)
        found.append(("nft", _nft(choose)) if seed % 2 else ("iptables", _iptables(choose)))
    return found


def admitted(sets: list[tuple[str, str]]) -> list[list[str] | None]:
    """The interfaces on which the kernel admits SSH; None where it refuses the rules."""
    command = ["unshare", "--net", sys.executable, firewall_oracle.__file__]
    done = subprocess.run(command, input=json.dumps(sets), capture_output=True, text=True, check=True, timeout=300)
    found: list[list[str] | None] = json.loads(done.stdout)
    plain, *rest = found
    assert plain == sorted(firewall_oracle.CARDS), "without rules every card admits it"
    return rest


def disagreements(sets: list[tuple[str, str]]) -> list[tuple[str, list[str], list[str]]]:
    """Rule sets of which we say that they admit SSH on certain interfaces only, though the kernel admits it on others as well."""
    wrong = []
    for (kind, text), real in zip(sets, admitted(sets), strict=True):
        gates = fact(Firewalls, {PLACES[kind]: text}).gates
        said = sorted({token.value for gate in gates for token in gate.interfaces})
        if gates and real is not None and not set(real) <= {card for card in firewall_oracle.CARDS if _named(card, said)}:
            wrong.append((text, said, real))
    return wrong


def _named(card: str, names: list[str]) -> bool:
    return any(card == name or (name.endswith("+") and card.startswith(name[:-1])) for name in names)


def test_no_card_is_shut_out_that_the_kernel_lets_in() -> None:
    assert disagreements(generated(range(24))) == []


HEAD = "table inet filter {\nchain input {\ntype filter hook input priority 0; policy drop;\nct state vmap { established : accept }\n"
INPUT = "*filter\n:INPUT DROP [0:0]\n:LAN - [0:0]\n-A INPUT -i lo -j ACCEPT\n"
ONE = [
    ("nft", f'{HEAD}iifname "ens192" tcp dport 22 accept\n}}\n}}\n'),
    ("nft", HEAD.replace("chain input", "chain lan {\n tcp dport 22 accept\n}\nchain input") + 'iifname "ens192" jump lan\n}\n}\n'),
    ("nft", HEAD.replace("drop;", "accept;") + 'iif "ens192" tcp dport { 20-30, 80 } accept\nlog prefix "in: " counter drop\n}\n}\n'),
    ("iptables", f"*nat\n:INPUT ACCEPT [0:0]\nCOMMIT\n{INPUT}-A INPUT -i ens192 -p tcp -m tcp --dport 22 -j ACCEPT\nCOMMIT\n"),
    ("iptables", f"{INPUT}-A INPUT -i ens192 -j LAN\n-A LAN -p tcp -m multiport --dports 22,80 -j ACCEPT\nCOMMIT\n"),
    ("iptables", f"{INPUT.replace('DROP', 'ACCEPT')}-A INPUT -j LAN\n-A LAN -i ens192 -j ACCEPT\n-A LAN -j REJECT\nCOMMIT\n"),
    ("iptables", f"{INPUT.replace('DROP', 'ACCEPT')}-A INPUT -i ens192 -j ACCEPT\n-A INPUT -p tcp --dport 22 -j DROP\nCOMMIT\n"),
]  # fmt: skip


def test_the_only_card_that_is_let_in_is_found() -> None:
    assert admitted(ONE) == [["ens192"]] * len(ONE)
    for kind, text in ONE:
        gates = fact(Firewalls, {PLACES[kind]: text}).gates
        assert [token.value for gate in gates for token in gate.interfaces] == ["ens192"], text
