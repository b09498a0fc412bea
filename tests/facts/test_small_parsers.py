"""Shell assignments, edits of lines, layers, netifrc."""

from __future__ import annotations

import pytest

from tests.facts.guests import HOSTILE, Files, at, fact
from v2vlint.facts.network.interface import Method
from v2vlint.facts.network.netifrc import Netifrc
from v2vlint.facts.syntax.edit_lines import comment_out, delete_all, delete_lines, insert_line_after, newline, slice_token
from v2vlint.facts.syntax.layers import drop_ins, layered, winner
from v2vlint.facts.syntax.shell_vars import is_no, shell_vars_from
from v2vlint.guest.text import GuestText
from v2vlint.model.fix import ReplaceText
from v2vlint.model.rewrite import rewrite
from v2vlint.model.rule import Link
from v2vlint.samples.memory import memory_guest


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("A=b", "b@1:3"),
        ('A="b c"  # note', "b c@1:4"),
        ("A='b # c'", "b # c@1:4"),
        ("export A=b;", "b@1:10"),
        ("  A=b # x", "b@1:5"),
        ("A=", "-"),
        ('A=""', "-"),
        ("A=b c", "-"),
        ("a b", "-"),
        ("A = b", "-"),
        ('A="b', "-"),
        ("#A=b", "-"),
    ],
)
def test_shell_assignments(line: str, value: str) -> None:
    assert at(shell_vars_from(GuestText("/x", f"{line}\n")).get("A")) == value


def test_the_last_assignment_counts_and_other_lines_are_malformed() -> None:
    vars_ = shell_vars_from(GuestText("/x", "A=1\nmodprobe x\nA=2\nif true; then\nB=2\nfi\n"))
    assert at(vars_.get("A")) == "2@3:3"
    assert vars_.get("B") is None
    assert [at(place) for place in vars_.malformed] == ["2:1", "4:1", "5:1"]
    assert [is_no("FALSE"), is_no("yes"), is_no("")] == [True, False, False]


@pytest.mark.parametrize("text", HOSTILE)
def test_any_shell_text_is_survived(text: str) -> None:
    for var in shell_vars_from(GuestText("/x", text)).vars:
        assert text[var.value.where.start : var.value.where.end] == var.value.value


def apply(text: str, *edits: ReplaceText) -> str | None:
    return rewrite(edits, lambda _path: text)["/x"][1]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_lines_go_and_come_with_their_ends(end: str) -> None:
    text = GuestText("/x", end.join(["one", "  two", "three"]))
    two = text.span(text.content.index("two"), text.content.index("two") + 3)
    three = text.span(len(text.content) - 5, len(text.content))
    assert apply(text.content, delete_lines(text, two)) == f"one{end}three"
    assert apply(text.content, delete_lines(text, three)) == f"one{end}  two{end}"
    assert apply(text.content, *delete_all(text, (three, two, two))) == f"one{end}"
    assert apply(text.content, insert_line_after(text, two, "new")) == f"one{end}  two{end}new{end}three"
    assert apply(text.content, insert_line_after(text, three, "new")) == f"one{end}  two{end}three{end}new"
    assert apply(text.content, comment_out(two, "# ")) == f"one{end}  # two{end}three"
    assert newline(text) == end


def test_an_insertion_beside_a_deletion() -> None:
    text = GuestText("/x", "head\na\nb\n")
    head, a = text.span(0, 4), text.span(5, 6)
    assert apply(text.content, insert_line_after(text, head, "new"), delete_lines(text, a)) == "head\nnew\nb\n"
    assert apply(text.content, delete_lines(text, a), insert_line_after(text, head, "new")) == "head\nnew\nb\n"


def test_parts_of_a_token_over_several_lines() -> None:
    token = GuestText("/x", "key = one\n  two").token(6, 15)
    assert [at(slice_token(token, 0, 3)), at(slice_token(token, 6, 9))] == ["one@1:7", "two@2:3"]


def test_layers_hide_mask_and_sort_by_name() -> None:
    files: Files = {
        "/etc/x/20.conf": "etc",
        "/etc/x/30.conf": Link("/dev/null"),
        "/etc/x/40.conf": "",
        "/etc/x/50.txt": "x",
        "/run/x/20.conf": "run",
        "/run/x/10.conf": "run",
        "/lib/x/30.conf": "lib",
        "/lib/x/40.conf": "lib",
        "/lib/x/60.conf": "lib",
        "/etc/x/70.conf": Link("/nowhere"),
        "/lib/x/unit.d/a.conf": "drop",
        "/etc/x/unit.d/a.conf": "drop",
    }
    fs, folders = memory_guest(files), ("/etc/x", "/run/x", "/lib/x")
    assert layered(fs, folders, ".conf") == ("/run/x/10.conf", "/etc/x/20.conf", "/lib/x/60.conf")
    assert winner(fs, folders, "30.conf") == "/etc/x/30.conf"
    assert winner(fs, folders, "99.conf") is None
    assert drop_ins(fs, folders, "unit") == ("/etc/x/unit.d/a.conf",)


def test_gentoo_names_interfaces_in_variables() -> None:
    text = 'modules="iproute2"\nconfig_enp3s0="192.0.2.5/24 2001:db8::5/64"\nroutes_enp3s0="default via 192.0.2.1"\nconfig_eth1="dhcp"\n'
    lan, eth1 = fact(Netifrc, {"/etc/conf.d/net": text}).interfaces
    assert (at(lan.name), lan.method, [str(a) for a in lan.addresses]) == ("enp3s0@2:8", Method.STATIC, ["192.0.2.5/24", "2001:db8::5/64"])
    assert [at(token) for token in lan.gateways] == ["192.0.2.1@3:28"]
    assert (at(eth1.name), eth1.method) == ("eth1@4:8", Method.DHCP)


OPENRC: Files = {"/sbin/openrc-init": "", "/lib/netifrc/net/x.sh": "", "/etc/runlevels/default/net.enp0s3": ""}


@pytest.mark.parametrize(
    ("text", "more", "expected"),
    [
        ("", (), [("enp0s3", "ethernet", Method.DHCP, True, [])]),
        ('routes_enp0s3="default gw 192.0.2.1"\n', (), [("enp0s3", "ethernet", Method.DHCP, True, [])]),
        (
            'bridge_br0="enp0s3"\nconfig_enp0s3="null"\nconfig_br0="192.0.2.5/24"\n'
            "bridge_forward_delay_br0=0\nbridge_hello_time_br0=1000\nbridge_stp_state_br0=1\nbridge_max_age_br0=6\n"
            "bridge_ageing_time_br0=9\nbridge_priority_br0=2\nbridge_path_cost_enp0s3=4\n",
            ("br0",),
            [("br0", "bridge", Method.STATIC, True, ["enp0s3"]), ("enp0s3", "ethernet", Method.NONE, True, [])],
        ),
        (
            'slaves_lag="enp0s3 enp0s8"\nconfig_lag="dhcp"\n',
            ("lag",),
            [("lag", "bond", Method.DHCP, True, ["enp0s3", "enp0s8"]), ("enp0s3", "ethernet", Method.DHCP, True, [])],
        ),
        (
            'vlans_enp0s3="10 20"\nvlan20_name="dmz"\nconfig_enp0s3="null"\nconfig_enp0s3_10="192.0.2.5/24"\nconfig_dmz="dhcp"\n',
            (),
            [
                ("enp0s3", "ethernet", Method.NONE, True, []),
                ("enp0s3.10", "vlan", Method.STATIC, True, ["enp0s3"]),
                ("dmz", "vlan", Method.DHCP, True, ["enp0s3"]),
            ],
        ),
    ],
)
def test_gentoo_starts_interfaces_by_services(text: str, more: tuple[str, ...], expected: list[tuple[object, ...]]) -> None:
    files = {**OPENRC, **{f"/etc/runlevels/default/net.{name}": "" for name in more}, "/etc/conf.d/net": text}
    found = fact(Netifrc, files).interfaces
    assert [(one.label, one.kind, one.method, one.autostart, [use.value for use in one.uses]) for one in found] == expected


def test_gentoo_bridges_a_card_when_it_comes() -> None:
    (one,) = fact(Netifrc, {**OPENRC, "/etc/conf.d/net": 'bridge_add_enp0s3="br0"\nconfig_enp0s3="null"\n'}).interfaces
    assert (one.label, at(one.master)) == ("enp0s3", "br0@1:20")
