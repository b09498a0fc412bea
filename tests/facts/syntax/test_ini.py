"""INI files: sections that come again, continuations, places, hostile text."""

from __future__ import annotations

import pytest

from tests.facts.guests import HOSTILE, at
from v2vlint.facts.syntax.ini import ini_from, words_of
from v2vlint.guest.text import GuestText

TEXT = "; note\n[Match]\nName = en* eth0\n\n[Address]\nAddress=1.2.3.4/24\n[Address]\nAddress=5.6.7.8/8\nDNS=\n  Broken\n"


def test_sections_settings_and_what_is_neither() -> None:
    ini = ini_from(GuestText("/x", TEXT))
    assert [(section.name, at(section.where), len(section.settings)) for section in ini.sections] == [
        ("Match", "2:1", 1),
        ("Address", "5:1", 1),
        ("Address", "7:1", 2),
    ]
    assert [at(value) for value in ini.all("Address", "Address")] == ["1.2.3.4/24@6:9", "5.6.7.8/8@8:9"]
    assert [at(word) for word in words_of(ini.sections[0].settings[0].value)] == ["en*@3:8", "eth0@3:12"]
    assert [at(place) for place in ini.malformed] == ["10:3"]


def test_an_empty_assignment_drops_what_came_before() -> None:
    ini = ini_from(GuestText("/x", "[N]\nDNS=1\nDNS=\nDNS=2\nDNS=3\n"))
    assert [token.value for token in ini.all("N", "DNS")] == ["2", "3"]
    assert at(ini.get("N", "DNS")) == "3@5:5"
    assert ini.get("N", "dns") is None


def test_a_continued_line_keeps_the_places_of_its_words() -> None:
    ini = ini_from(GuestText("/x", "[Link]\nNamePolicy=keep \\\n  slot \\\n  path\nName=x\n"))
    value = ini.get("Link", "NamePolicy")
    assert value is not None
    assert [at(word) for word in words_of(value)] == ["keep@2:12", "slot@3:3", "path@4:3"]
    assert at(ini.get("Link", "Name")) == "x@5:6"


def test_line_ends_of_windows_are_no_part_of_values() -> None:
    ini = ini_from(GuestText("/x", "[a]\r\nb=c\r\nd = e\r\n"))
    assert [at(ini.get("a", "b")), at(ini.get("a", "d"))] == ["c@2:3", "e@3:5"]


@pytest.mark.parametrize("text", HOSTILE)
def test_any_text_is_survived(text: str) -> None:
    ini = ini_from(GuestText("/x", text))
    for section in ini.sections:
        for setting in section.settings:
            assert text[setting.value.where.start : setting.value.where.end] == setting.value.value
