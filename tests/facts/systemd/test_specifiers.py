"""Specifiers, as systemd.unit(5) describes them; tests/facts/systemd/test_mount_graph.py has them in units that a container started."""

from __future__ import annotations

import pytest

from v2vlint.facts.systemd.specifiers import expanded, host_values
from v2vlint.samples.memory import memory_guest


@pytest.mark.parametrize(
    ("text", "unit", "found"),
    [
        ("plain", "a.mount", "plain"),
        ("%n %N", "a-b.mount", "a-b.mount a-b"),
        ("%p|%i|%I", "a-b@c-d\\x2de.service", "a-b|c-d\\x2de|c/d-e"),
        ("%P %j %J", "a-b\\x20c.mount", "a/b c b\\x20c b c"),
        ("%f", "srv-a\\x2db.mount", "/srv/a-b"),
        ("%f", "x@-.service", "/"),
        ("%f", "x@\\xc3\\xbc.service", "/ü"),
        ("100%% %t%S%C%L%E", "a.mount", "100% /run/var/lib/var/cache/var/log/etc"),
        ("/%z", "a.mount", None),
        ("/%H", "a.mount", None),
        ("50%", "a.mount", "50%"),
        ("%-% %_%%%", "a.mount", "%-% %_%%"),
        ("/%ü", "a.mount", "/%ü"),
        ("/%9", "a.mount", None),
    ],
)
def test_specifiers(text: str, unit: str, found: str | None) -> None:
    assert expanded(text, unit) == found


@pytest.mark.parametrize(
    ("host", "machine", "found"),
    [
        ("web1.example.org\n", "0123456789ABCDEF0123456789abcdef\n", "web1.example.org web1 0123456789abcdef0123456789abcdef"),
        ("# a name\nweb1\n", "", "web1 web1 %m"),
        ("web????\n", "uninitialized\n", "%H %l %m"),
        ("", "0123\n", "%H %l %m"),
    ],
)
def test_what_the_guest_is_called(host: str, machine: str, found: str) -> None:
    values = host_values(memory_guest({"/etc/hostname": host, "/etc/machine-id": machine}))
    assert " ".join(values.get(letter, f"%{letter}") for letter in "Hlm") == found
    assert expanded("/%H", "a.mount", values) == (None if "H" not in values else f"/{values['H']}")
