"""The lines for which Debian's ifupdown refuses a file: ``ifquery`` itself says which."""

from __future__ import annotations

import random
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.facts.guests import Files, fact
from tests.facts.network.oracle import lay
from tests.facts.network.test_landing import IFUPDOWN, KEPT, LOST, NM, UNSURE, land
from v2vlint.facts.network.ifupdown import MAX_STANZAS, Interfaces
from v2vlint.facts.network.match import Survival
from v2vlint.model.rule import Link

PATH = "/etc/network/interfaces"
DEBIAN: Files = {"/sbin/ifup": "", "/var/lib/dpkg/info/ifupdown.list": ""}
FAMILIES = ("inet", "inet6", "ipx", "can", "meta", "link", "ip", "INET", "inherits", "")
METHODS = (
    "loopback", "static", "manual", "dhcp", "bootp", "tunnel", "ppp", "wvdial", "ipv4ll", "auto", "v4tunnel", "6to4", "dynamic", "none",
    "DHCP", "dhcpv6", "inherits", "inherits base", "inherits base6", "",
)  # fmt: skip
LINES = (
    "  mtu 1400", "  hostname", "  up", "  post-up ip link", "template base", "noauto eth0", "auto", "auto eth0", "allow-hotplug",
    "allow-", "allow- eth0", "no-auto-down eth0", "no-auto-down", "no-scripts", "rename", "rename eth7=lan7", "mapping eth0",
    "mapping", "  script /bin/true", "  map home", "  foo bar", "iface", "source", "source nowhere/*",
    "source-dir more", "source-directories more", "source other", "source other other", "iface eth0 inet static junk",
    "iface eth0 inet static inherits", "iface eth0 inet dhcp inherits base", "iface eth0 inherits base6", "iface eth0 inherits",
    "iface eth0 inet6 auto inherits base", "iface eth1 inet inherits base", "#  comment \\", "sources x", "Auto eth0",
    "auto\teth1", "iface\teth2\tinet\tdhcp", "\ufeffauto eth0", "auto eth0 \\\n  eth1", "  up a \\\n  b", "",
    "interface eth0", "}", "address 192.0.2.1", "include x", "  -", "auto eth0\r", "  mtu\r", "\0\0\0", "\0template x", "  mtu\0 1400",
    "  mtu 1400\0 \\", "foo\0 bar", "\u00a0", "\u00a0mtu 1400", "iface\u00a0eth4 inet dhcp", "\x1c", "\v\f", "iface\veth4\finet dhcp",
    "  mtu 1400 \\\r\n  hostname", "  mtu 14\\\0x\n00", "#\\\n  hostname", "  \\ x",  "\v\\\n mtu", "\\\n\\\n mtu", "\\\nmtu",
    "iface eth3 inet dhcp\r",
)  # fmt: skip


def generated(seed: int) -> Files:
    """A file of common stanzas with some lines that may be wrong, and a sourced one."""
    choose = random.Random(seed)
    stanza = f"iface eth5 {choose.choice(FAMILIES)} {choose.choice(METHODS)}".rstrip()
    files = []
    for _file in range(2):
        lines = ["iface base inet dhcp", "iface base6 inet6 auto", "  mtu 1400"]
        for line in choose.choices((*LINES, stanza), k=choose.randint(0, 3)):
            lines.insert(choose.randint(0, len(lines)), line)
        files.append("\n".join([*lines, "auto eth9", "iface eth9 inet dhcp"]) + "\n")
    return {PATH: files[0], "/etc/network/other": files[1], "/etc/network/more/one": "iface eth8 inet dhcp\n  x\n", **DEBIAN}


FIXED: tuple[Files, ...] = tuple(
    {PATH: text, **DEBIAN}
    for line in (
        *LINES,
        "\\\n  hostname",
        "mapping eth0\n  script /bin/true\n  script /bin/false",
        "iface eth0 inet manual\n script a\n script b",
    )
    for text in (f"iface base inet dhcp\n{line}\niface eth9 inet dhcp\n", f"iface base inet dhcp\n{line}")
) + tuple(
    {PATH: f"iface base inet dhcp\niface base6 inet6 auto\niface eth5 {family} {method}".rstrip() + "\n", **DEBIAN}
    for family in FAMILIES
    for method in METHODS
)


def theirs(root: Path) -> tuple[set[str], bool]:
    """The files that ``ifquery`` refuses, with the line at which it does, and whether that is all of them."""
    done = subprocess.run(["ifquery", "--list", "-i", f"{root}{PATH}"], capture_output=True, text=True, check=False)
    said = re.findall(rf"^ifquery: {root}(\S+): (?!extra)", done.stderr, re.MULTILINE)
    return {place for place in said if place.count(":") == 1}, "couldn't read interfaces file" in done.stderr


def ours(files: Files) -> tuple[set[str], bool]:
    """The same, as we see it: ifupdown counts a continued line by its end."""
    refused = fact(Interfaces, files).refused
    assert all(one.certain for one in refused)
    texts = {one.where.path: str(files[one.where.path]) for one in refused}
    lines = {f"{one.where.path}:{texts[one.where.path][: one.where.end].count(chr(10)) + 1}" for one in refused}
    return lines, any(one.whole for one in refused)


def compare(folder: Path, guests: list[Files]) -> None:
    for number, files in enumerate(guests):
        root = folder / str(number)
        lay(root, {path: content for path, content in files.items() if path not in DEBIAN})
        assert ours(files) == theirs(root), files


needs_ifquery = pytest.mark.skipif(shutil.which("ifquery") is None, reason="needs ifquery")


@needs_ifquery
def test_ifquery_refuses_the_same_lines(tmp_path: Path) -> None:
    compare(tmp_path, [*FIXED, *(generated(seed) for seed in range(100))])


@needs_ifquery
@pytest.mark.truth
def test_ifquery_refuses_the_same_lines_of_many_more(tmp_path: Path) -> None:
    compare(tmp_path, [generated(seed) for seed in range(1000, 3000)])


CARD = "auto /e*=lan\niface lan inet dhcp\n"
LO = "auto lo\niface lo inet loopback\n"
SOURCED = "/etc/network/interfaces.d/lan"
NM_CONF = "/etc/NetworkManager/NetworkManager.conf"


def kernel(argument: str) -> Files:
    """A guest whose kernel gets the argument."""
    return {"/boot/grub/grub.cfg": f"menuentry 'x' {{\n linux /vmlinuz root=/dev/sda1 {argument}\n}}\n", "/vmlinuz": "x"}


@pytest.mark.parametrize(
    "files",
    [
        {
            PATH: "".join(f"iface eth{number} inet manual\n" for number in range(MAX_STANZAS))
            + "iface base inet dhcp\niface lan inherits base\n"
        },
        {
            PATH: "source 0\niface lan inherits base\n",
            **{f"/etc/network/{number}": f"source {number + 1}\n" for number in range(9)},
            "/etc/network/9": "iface base inet dhcp\n",
        },
    ],
)
def test_what_was_not_read_is_not_missing_for_certain(files: Files) -> None:
    assert [one.certain for one in fact(Interfaces, {**DEBIAN, **files}).refused] == [False]


@pytest.mark.parametrize(
    ("files", "survival"),
    [
        ({PATH: CARD}, KEPT),
        ({PATH: f"{CARD}iface eth1 inet dhcp4\n"}, LOST),
        ({PATH: f"{CARD}iface eth1 inet dhcp4\n", "/var/lib/dpkg/info/ifupdown.list": None}, UNSURE),
        ({PATH: f"{CARD}iface eth1 inet dhcp4\n", "/sbin/ifup": Link("/bin/busybox")}, UNSURE),
        ({PATH: f"{CARD}iface eth1 inet dhcp4\n", "/sbin/ifup": Link("ifupdown")}, KEPT),
        ({PATH: "iface base inet dhcp\nauto /e*=lan\niface lan inherits base\n"}, KEPT),
        ({PATH: "iface base inet dhcp\nauto /e*=lan\niface lan inet inherits base\n"}, KEPT),
        ({PATH: "iface lan inet dhcp\nauto\niface eth1\n"}, LOST),
        ({PATH: f"{CARD}source interfaces.d/*\n", SOURCED: "iface eth1 inet dhcp4\n"}, KEPT),
        ({PATH: "source interfaces.d/*\n", SOURCED: f"{CARD}  hostname\n"}, KEPT),
        ({PATH: "source interfaces.d/*\n", SOURCED: f"network\n{CARD}"}, LOST),
        ({PATH: "source interfaces.d/*\n", SOURCED: f"network\n{CARD}", "/sbin/ifup": Link("/bin/busybox")}, UNSURE),
        ({PATH: f"source interfaces.d/*\n{CARD}", SOURCED: f"network\n{CARD}"}, KEPT),
        # Whatever ifupdown refuses, it was not to configure a card.
        ({PATH: f"{LO}foo\n"}, UNSURE),
        ({PATH: f"{LO}foo\nsource interfaces.d/*\n", SOURCED: CARD}, LOST),
        # Other programs of that name.
        ({PATH: f"{CARD}iface eth1\n", "/sbin/ifup": Link("/usr/share/ifupdown2/__main__.py")}, KEPT),
        ({PATH: f"{CARD}iface eth1\n", "/var/lib/dpkg/info/ifupdown.list": None, "/var/lib/dpkg/info/ifupdown2.list": ""}, KEPT),
        ({PATH: f"{CARD}iface eth1\n", "/var/lib/dpkg/info/ifupdown2.list": ""}, UNSURE),
        # NetworkManager, which leaves that one card alone, may connect another.
        ({PATH: "iface enp1s0 inet dhcp\nfoo\n", **NM, NM_CONF: "[main]\nplugins=ifupdown,keyfile\n[ifupdown]\nmanaged=false\n"}, UNSURE),
        # What a card comes up by in the initramfs.
        *(
            ({PATH: f"{CARD}foo\n", **kernel(argument)}, UNSURE)
            for argument in ("ip=dhcp", "nfsroot=192.0.2.1:/r", "BOOTIF=01-52-54-00-12-34-56")
        ),
        ({PATH: f"{CARD}foo\n", "/etc/initramfs-tools/initramfs.conf": "IP=dhcp\n"}, UNSURE),
        ({PATH: f"{CARD}foo\n", **kernel("ip=off")}, LOST),
    ],
)
def test_what_the_refusal_means_for_the_network(files: dict[str, str | bytes | Link | None], survival: Survival) -> None:
    given = {path: content for path, content in {**IFUPDOWN, **DEBIAN, **files}.items() if content is not None}
    assert land(given).outlook.survival is survival
