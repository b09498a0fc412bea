"""Kernel parameters from files."""

from __future__ import annotations

import pytest

from tests.facts.guests import HOSTILE, Files, fact
from v2vlint.facts.kernel.sysctl import Sysctl, path_of
from v2vlint.model.rule import Link

SYSTEMD: Files = {"/usr/lib/systemd/systemd": ""}
KEY = "net.ipv4.ip_forward"


@pytest.mark.parametrize(
    ("files", "value"),
    [
        ({"/etc/sysctl.d/10.conf": f"{KEY}=1\n", "/usr/lib/sysctl.d/20.conf": f"{KEY} = 0\n"}, "0"),
        ({"/etc/sysctl.d/20.conf": f"{KEY}=1\n", "/usr/lib/sysctl.d/20.conf": f"{KEY}=0\n"}, "1"),
        ({"/etc/sysctl.d/20.conf": Link("/dev/null"), "/usr/lib/sysctl.d/20.conf": f"{KEY}=0\n"}, None),
        ({"/etc/sysctl.conf": f"{KEY}=1\n"}, None),
        ({"/etc/sysctl.conf": f"{KEY}=1\n", "/etc/sysctl.d/99-sysctl.conf": Link("../sysctl.conf")}, "1"),
        ({"/etc/sysctl.d/1.conf": "net/ipv4/ip_forward=1\n"}, "1"),
        ({"/etc/sysctl.d/1.conf": f"-{KEY} = 1\n; {KEY}=0\n#{KEY}=0\n"}, "1"),
        ({"/etc/sysctl.d/1.conf": "net.ipv4.*=3\n"}, "3"),
        ({"/etc/sysctl.d/1.conf": f"{KEY}=1\n", "/etc/sysctl.d/2.conf": "net.ipv4.*=3\n"}, "1"),
        ({"/etc/sysctl.d/1.conf": f"net.ipv4.*=3\n-{KEY}\n"}, None),
        ({"/etc/sysctl.d/1.conf": "net.*=3\n"}, None),
    ],
)
def test_the_value_that_counts(files: Files, value: str | None) -> None:
    found = fact(Sysctl, {**SYSTEMD, **files}).get(KEY)
    assert (found.value if found else None) == value


def test_other_inits_read_sysctl_conf_last() -> None:
    found = fact(Sysctl, {"/sbin/openrc": "", "/etc/sysctl.conf": f"{KEY}=1\n", "/etc/sysctl.d/99.conf": f"{KEY}=0\n"}).get(KEY)
    assert found is not None
    assert (found.value, str(found.where)) == ("1", "/etc/sysctl.conf:1:1")


def test_separators() -> None:
    assert path_of("net.ipv4.conf.eth0/100.mtu") == "net/ipv4/conf/eth0.100/mtu"
    assert path_of("net/ipv4/conf/eth0.100/mtu") == "net/ipv4/conf/eth0.100/mtu"


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_files_end(text: str) -> None:
    fact(Sysctl, {"/etc/sysctl.d/1.conf": text}).get(KEY)
