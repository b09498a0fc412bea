"""udev rules that name cards: which lines count, where the MAC and the name stand, masks, the generator."""

from __future__ import annotations

import pytest

from tests.facts.guests import HOSTILE, Files, at, edited, fact
from v2vlint.facts.network.udev_net import UdevNet
from v2vlint.model.place import WholeFile
from v2vlint.model.rule import Link

RULES = "/etc/udev/rules.d"
RHEL6 = (
    "# This file was automatically generated\n\n"
    "# PCI device 0x14e4:0x1639 (bnx2)\n"
    'SUBSYSTEM=="net", ACTION=="add", DRIVERS=="?*", ATTR{address}=="78:2b:cb:01:02:03", ATTR{type}=="1", KERNEL=="eth*", NAME="eth0"\n'
    'SUBSYSTEM=="net", ACTION=="add", DRIVERS=="?*", \\\n  ATTR{address}=="78:2b:cb:01:02:04", NAME="eth1"\n'
)
SLES10 = 'SUBSYSTEM=="net", ACTION=="add", SYSFS{address}=="00:0c:29:11:22:33", IMPORT="/lib/udev/rename_netiface %k eth0"\n'
GENERATOR = 'SUBSYSTEM=="net", IMPORT{program}="write_net_rules"\n'


def test_generated_rules_with_their_places() -> None:
    rules = fact(UdevNet, {f"{RULES}/70-persistent-net.rules": RHEL6}).rules
    assert [(at(rule.where), at(rule.name), at(rule.mac), rule.is_generated) for rule in rules] == [
        ("4:1", "eth0@4:124", "78:2b:cb:01:02:03@4:65", True),
        ("5:1", "eth1@6:45", "78:2b:cb:01:02:04@6:19", True),
    ]
    assert all(not rule.hardware for rule in rules)


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ('ATTR{address}=="00:50:56:9a:bc:01", NAME="lan0"', ["lan0"]),
        ('SUBSYSTEM=="net", NAME:="lan0"', ["lan0"]),
        ('#SUBSYSTEM=="net", NAME="lan0"', []),
        ('SUBSYSTEM=="net", NAME=="lan0"', []),
        ('SUBSYSTEM=="block", NAME="disk"', []),
        ('NAME=="", ENV{ID_NET_NAME}!="", SUBSYSTEM=="net", NAME="$env{ID_NET_NAME}"', []),
        ('SUBSYSTEM=="net", NAME="%k"', []),
        ('SUBSYSTEM!="net", NAME="lan0"', []),
        ('SUBSYSTEM=="net", NAME=""', []),
        (SLES10, []),
    ],
)
def test_which_lines_name_a_card(line: str, names: list[str]) -> None:
    assert [rule.name.value for rule in fact(UdevNet, {f"{RULES}/10-x.rules": f"{line}\n"}).rules] == names


@pytest.mark.parametrize(
    ("match", "hardware"),
    [
        ('KERNELS=="0000:03:00.0"', ["0000:03:00.0"]),
        ('DRIVERS=="vmxnet3"', ["vmxnet3"]),
        ('DRIVERS=="?*"', []),
        ('ENV{ID_PATH}=="pci-0000:03:00.0"', ["pci-0000:03:00.0"]),
        ('ATTR{address}=="00:50:56:*"', ["00:50:56:*"]),
        ('ATTRS{vendor}=="0x15ad"', ["0x15ad"]),
    ],
)
def test_what_ties_a_rule_to_hardware(match: str, hardware: list[str]) -> None:
    (rule,) = fact(UdevNet, {f"{RULES}/10-x.rules": f'SUBSYSTEM=="net", {match}, NAME="lan0"\n'}).rules
    assert [token.value for token in rule.hardware] == hardware
    assert rule.mac is None
    assert not rule.is_generated


def test_only_live_local_files_are_read() -> None:
    line = 'SUBSYSTEM=="net", ATTR{address}=="00:50:56:9a:bc:01", NAME="{0}"\n'
    files: Files = {
        f"{RULES}/10-a.rules.bak": line.replace("{0}", "bak"),
        f"{RULES}/20-a.rules": Link("/dev/null"),
        "/run/udev/rules.d/20-a.rules": line.replace("{0}", "masked"),
        "/usr/lib/udev/rules.d/30-a.rules": line.replace("{0}", "vendor"),
        "/run/udev/rules.d/40-a.rules": line.replace("{0}", "run"),
        f"{RULES}/05-z.rules": line.replace("{0}", "first"),
    }
    assert [rule.name.value for rule in fact(UdevNet, files).rules] == ["first", "run"]


def test_removing_a_rule_takes_all_its_lines() -> None:
    files = {f"{RULES}/x.rules": RHEL6}
    second = fact(UdevNet, files).rules[1]
    assert edited(files, second.remove, f"{RULES}/x.rules") == "".join(RHEL6.splitlines(keepends=True)[:4])


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({"/lib/udev/rules.d/75-persistent-net-generator.rules": GENERATOR}, "/lib/udev/rules.d/75-persistent-net-generator.rules"),
        ({"/etc/udev/rules.d/75-persistent-net-generator.rules": GENERATOR}, "/etc/udev/rules.d/75-persistent-net-generator.rules"),
        (
            {
                "/lib/udev/rules.d/75-persistent-net-generator.rules": GENERATOR,
                "/etc/udev/rules.d/75-persistent-net-generator.rules": Link("/dev/null"),
            },
            None,
        ),
        (
            {
                "/lib/udev/rules.d/75-persistent-net-generator.rules": GENERATOR,
                "/etc/udev/rules.d/75-persistent-net-generator.rules": "# nothing\n",
            },
            None,
        ),
        ({"/lib/udev/rules.d/75-net-description.rules": GENERATOR}, None),
    ],
)
def test_the_generator(files: dict[str, str | bytes | Link], found: str | None) -> None:
    assert fact(UdevNet, files).generator == (WholeFile(found) if found else None)


@pytest.mark.parametrize("text", HOSTILE)
def test_any_text_is_survived(text: str) -> None:
    for rule in fact(UdevNet, {f"{RULES}/x.rules": text.encode("utf-8", "surrogateescape")}).rules:
        assert rule.name.value == "x"
