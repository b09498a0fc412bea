"""Every format, given a guest whose every name attacks its reader."""

from __future__ import annotations

import json
import unicodedata
import xml.etree.ElementTree as ET

import pytest

from tests.report.reports import HOSTILE, hostile
from v2vlint.report.registry import FORMATS, renderer

ATTACKS = [
    HOSTILE,
    "\x1b]8;;http://example.org\x1b\\click\x1b]8;;\x1b\\",
    "</script><script>alert(1)</script>",
    "'\"><svg onload=alert(1)>",
    "\n::error::no\r\n::set-output name=x::y",
    "]]><!ENTITY x SYSTEM 'file:///etc/passwd'>&x;",
    "[bold red]loud[/] [link=https://example.org]x[/link]",
    "\u202e\u2066\u200b\ufeff\u2028\u2029\U000e0041\x85\x9b31m",
    "\udc80\udcff\ud800",
    "\x00\x01\x7f\ufffe\uffff",
    "../../../../etc/passwd",
    "a" * 5000,
]


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("attack", ATTACKS, ids=range(len(ATTACKS)))
def test_only_visible_characters_come_out(name: str, attack: str) -> None:
    text = renderer(name)(hostile(attack))
    text.encode("utf-8")
    assert [
        f"{ord(char):x}" for char in set(text) if unicodedata.category(char) in {"Cc", "Cf", "Cs", "Zl", "Zp"} and char not in "\n\t"
    ] == []


@pytest.mark.parametrize("name", ["sarif", "gitlab"])
@pytest.mark.parametrize("attack", ATTACKS, ids=range(len(ATTACKS)))
def test_json_holds_no_invisible_character_either(name: str, attack: str) -> None:
    def walk(value: object) -> None:
        if isinstance(value, str):
            assert all(char.isprintable() or char in "\r\n\t" for char in value), value
        elif isinstance(value, dict):
            walk([*value, *value.values()])
        elif isinstance(value, list):
            for item in value:
                walk(item)

    walk(json.loads(renderer(name)(hostile(attack))))


@pytest.mark.parametrize("attack", ATTACKS, ids=range(len(ATTACKS)))
def test_xml_stays_the_same_tree(attack: str) -> None:
    def shape(text: str) -> list[tuple[str, int]]:
        return [(element.tag, len(element)) for element in ET.fromstring(renderer("junit")(hostile(text))).iter()]

    assert shape(attack) == shape("harmless")
