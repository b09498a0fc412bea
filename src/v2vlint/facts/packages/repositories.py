"""Package sources: yum and dnf repositories, zypper's, and apt's one-line and deb822 lists (sources.list(5))."""

from __future__ import annotations

import re
from collections.abc import Iterator

from v2vlint.facts.registry import provides
from v2vlint.facts.syntax.edit_lines import comment_out, insert_line_after, newline, replace_token
from v2vlint.facts.syntax.ini import IniSection, ini_from, words_of
from v2vlint.guest.fs import GuestFS
from v2vlint.guest.text import GuestText, Line
from v2vlint.model.dataclass import dataclass
from v2vlint.model.fix import ReplaceText
from v2vlint.model.place import Span, Token

MAX_FILES = 500
_YUM = ("/etc/yum.repos.d/*.repo", "/etc/zypp/repos.d/*.repo", "/etc/yum.conf")
_HOST = re.compile(r"[a-z+]+://(?:[^/@\s]*@)?(?P<host>[A-Za-z0-9.-]+)", re.IGNORECASE)
_DEB = re.compile(r"^[ \t]*deb(?:-src)?[ \t]+(?:\[[^\]\n]*\][ \t]+)?(?P<uri>\S+).*$", re.MULTILINE)
_FIELD = re.compile(r"(?P<key>[A-Za-z-]+)[ \t]*:(?P<value>.*)")
_OFF = frozenset({"0", "no", "false", "off"})
# StringToBool() of apt's strutl.cc.
_OFF_FOR_APT = frozenset({*_OFF, "without", "disable"})


@dataclass(frozen=True, slots=True)
class Repository:
    """An enabled package source: its name, its URL, and the edits that disable it (none where that needs care)."""

    name: str
    url: Token
    where: Span
    disable: tuple[ReplaceText, ...] = ()

    @property
    def host(self) -> str:
        """The host in the URL, in lower case; empty for local sources."""
        match = _HOST.match(self.url.value)
        return match["host"].lower() if match else ""


@dataclass(frozen=True, slots=True)
class Repositories:
    """Every enabled package source."""

    entries: tuple[Repository, ...] = ()


@provides
def parse_repositories(fs: GuestFS) -> Repositories:
    """The guest's enabled package sources."""
    found: list[Repository] = []
    for pattern in _YUM:
        for path in fs.glob(pattern)[:MAX_FILES]:
            text = fs.text(path)
            found.extend(_yum(text) if text is not None else ())
    for path in ("/etc/apt/sources.list", *fs.glob("/etc/apt/sources.list.d/*.list"), *fs.glob("/etc/apt/sources.list.d/*.sources")):
        text = fs.text(path)
        found.extend(_apt(text) if text is not None else ())
    return Repositories(tuple(found))


def _yum(text: GuestText) -> Iterator[Repository]:
    for section in ini_from(text).sections:
        enabled = section.get("enabled")
        url = next((found for key in ("baseurl", "mirrorlist", "metalink") if (found := section.get(key))), None)
        words = words_of(url) if url else ()
        if not words or (enabled is not None and enabled.value.lower() in _OFF):
            continue
        # Of several mirrors one may be somebody else's.
        disable = (_disable(text, section, enabled),) if len(words) == 1 else ()
        yield Repository(section.name, words[0], section.where, disable)


def _disable(text: GuestText, section: IniSection, enabled: Token | None) -> ReplaceText:
    return insert_line_after(text, section.where, "enabled=0") if enabled is None else replace_token(enabled, "0")


def _apt(text: GuestText) -> Iterator[Repository]:
    if text.path.endswith(".sources"):
        yield from (found for stanza in _stanzas(text) for found in _deb822(text, stanza))
        return
    for match in _DEB.finditer(text.content):
        start = match.start() + len(match[0]) - len(match[0].lstrip())
        where = text.span(start, match.end())
        yield Repository(text.path.rpartition("/")[2], text.group(match, "uri"), where, (comment_out(where, "# "),))


def _stanzas(text: GuestText) -> Iterator[list[Line]]:
    """The lines of each stanza, without comments."""
    stanza: list[Line] = []
    for line in text.lines():
        if line.text.strip():
            stanza.extend([line] if not line.text.startswith("#") else ())
        elif stanza:
            yield stanza
            stanza = []
    if stanza:
        yield stanza


def _deb822(text: GuestText, stanza: list[Line]) -> Iterator[Repository]:
    fields: dict[str, list[Token]] = {}
    ends: dict[str, Span] = {}
    key = ""
    for line in stanza:
        match = None if line.text[0] in " \t" else _FIELD.match(line.text)
        key = match["key"].lower() if match else key
        start = match.start("value") if match else 0
        if match:
            ends[key] = text.span(line.start + start, line.start + start)
        fields.setdefault(key, []).extend(word for word in line.words() if word.where.start >= line.start + start)
    enabled, uris = fields.get("enabled", []), fields.get("uris", [])
    if enabled and enabled[0].value.lower() in _OFF_FOR_APT:
        return
    first = text.span(stanza[0].start, stanza[0].start)
    if enabled:
        switch = replace_token(enabled[0], "no")
    else:
        switch = ReplaceText(ends["enabled"], "", " no") if "enabled" in ends else ReplaceText(first, "", f"Enabled: no{newline(text)}")
    for uri in uris:
        yield Repository(text.path.rpartition("/")[2], uri, uri.where, (switch,) if len(uris) == 1 else ())
