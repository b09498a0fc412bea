r"""Files with sections and ``key=value`` lines: systemd.syntax(7) units, NetworkManager keyfiles, yum repositories, timesyncd.conf::

    [Match]
    Name=ens192

Comments are whole lines starting with ``#`` or ``;``. A line ending in ``\`` continues on the next one that is no comment.
Sections may be repeated.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from v2vlint.facts.syntax.edit_lines import slice_token
from v2vlint.guest.text import GuestText, Line
from v2vlint.model.dataclass import dataclass
from v2vlint.model.place import Span, Token

MAX_SETTINGS = 20_000
_WORD = re.compile(r"\n[^\S\n]*[#;].*|(?P<word>(?:[^\s\\]|\\(?=\S))\S*?(?=\s|\\?(?:\n|\Z)))")


@dataclass(frozen=True, slots=True)
class IniSetting:
    """One setting. ``value`` is stripped but keeps the line breaks of a continued value. ``where`` covers the whole setting."""

    key: str
    value: Token
    where: Span


@dataclass(frozen=True, slots=True)
class IniSection:
    """One section as written; settings before any header are in a section called ''."""

    name: str
    where: Span
    settings: tuple[IniSetting, ...] = ()

    def get(self, key: str) -> Token | None:
        """The last value of ``key``."""
        return next((setting.value for setting in reversed(self.settings) if setting.key == key), None)

    def all(self, key: str) -> tuple[Token, ...]:
        """Every value of ``key`` in order; an empty assignment discards those before it."""
        found: list[Token] = []
        for setting in self.settings:
            if setting.key == key:
                found = [*found, setting.value] if setting.value.value else []
        return tuple(found)


@dataclass(frozen=True, slots=True)
class IniFile:
    """One whole file. ``malformed`` holds lines that are neither header, setting, comment nor blank."""

    path: str
    sections: tuple[IniSection, ...] = ()
    malformed: tuple[Span, ...] = ()

    def named(self, name: str) -> tuple[IniSection, ...]:
        """Every section called ``name``."""
        return tuple(section for section in self.sections if section.name == name)

    def merged(self, name: str) -> IniSection | None:
        """The sections called ``name`` merged into one; None when there is none."""
        found = self.named(name)
        return merge_sections(found) if found else None

    def get(self, section: str, key: str) -> Token | None:
        """The last value of ``key`` in any section called ``section``."""
        merged = self.merged(section)
        return None if merged is None else merged.get(key)

    def all(self, section: str, key: str) -> tuple[Token, ...]:
        """Every value of ``key`` in sections called ``section``; an empty assignment discards those before it."""
        merged = self.merged(section)
        return () if merged is None else merged.all(key)


def merge_sections(sections: tuple[IniSection, ...]) -> IniSection:
    """One section with the settings of all, in order, at the place of the first."""
    settings = tuple(setting for section in sections for setting in section.settings)
    return IniSection(sections[0].name, sections[0].where, settings)


def joined(files: Iterable[IniFile]) -> IniFile:
    """Several files merged in this order, as systemd merges a file and its drop-ins."""
    parts = tuple(files)
    sections = tuple(section for part in parts for section in part.sections)
    return IniFile(parts[0].path if parts else "", sections, tuple(place for part in parts for place in part.malformed))


def units_from(texts: Iterable[GuestText]) -> IniFile:
    """Several files as systemd reads and merges them: it skips a byte order mark (config_parse() of conf-parser.c)."""
    return joined(ini_from(text, marked=True) for text in texts)


def words_of(token: Token) -> tuple[Token, ...]:
    """The blank-separated words of a value, each with its place; continuation backslashes and comments between its lines do not count."""
    found = (match.span("word") for match in _WORD.finditer(token.value))
    return tuple(slice_token(token, start, end) for start, end in found if start >= 0)


def ini_from(text: GuestText, marked: bool = False) -> IniFile:
    """Parse ``text``, whose byte order mark does not count if it may be ``marked``. After :data:`MAX_SETTINGS` settings the rest counts as
    malformed.
    """
    sections: list[tuple[str, Span, list[IniSetting]]] = []
    malformed: list[Span] = []
    count = 0
    for line in _logical(text):
        stripped = line.value.strip()
        if marked and line.where.start == 0:
            stripped = stripped.removeprefix("\ufeff")
        if not stripped or stripped[0] in "#;":
            continue
        if stripped[0] == "[" and stripped[-1] == "]":
            sections.append((stripped[1:-1], line.where, []))
            continue
        setting = _setting(line)
        count += 1
        if setting is None or count > MAX_SETTINGS:
            malformed.append(line.where)
            continue
        if not sections:
            sections.append(("", line.where, []))
        sections[-1][2].append(setting)
    found = tuple(IniSection(name, where, tuple(settings)) for name, where, settings in sections)
    return IniFile(text.path, found, tuple(malformed))


def _logical(text: GuestText) -> Iterator[Token]:
    pending: Line | None = None
    for line in text.lines():
        first = pending or line
        comment = line.text.lstrip().startswith(("#", ";"))
        if comment and pending is not None:
            continue
        if line.text.endswith("\\") and not comment:
            pending = first
            continue
        pending = None
        yield _trimmed(text, first.start, line.start + len(line.text))
    if pending is not None:
        yield _trimmed(text, pending.start, len(text.content))


def _trimmed(text: GuestText, start: int, end: int) -> Token:
    raw = text.content[start:end]
    left = len(raw) - len(raw.lstrip())
    return text.token(start + left, max(start + left, start + len(raw.rstrip())))


def _setting(line: Token) -> IniSetting | None:
    key, equals, value = line.value.partition("=")
    if not equals or not key.strip():
        return None
    start = len(key) + 1 + len(value) - len(value.lstrip())
    return IniSetting(key.strip(), slice_token(line, min(start, len(line.value)), len(line.value)), line.where)
