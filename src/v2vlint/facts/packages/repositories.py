"""Package sources: yum and dnf repositories, zypper's, and apt's one-line and deb822 lists (sources.list(5))."""

from __future__ import annotations

import re
from collections.abc import Iterator

from v2vlint.facts.registry import provides
from v2vlint.facts.syntax.edit_lines import comment_out, insert_line_after, replace_token, slice_token
from v2vlint.facts.syntax.ini import IniSection, ini_from
from v2vlint.guest.fs import GuestFS
from v2vlint.guest.text import GuestText
from v2vlint.model.dataclass import dataclass
from v2vlint.model.fix import ReplaceText
from v2vlint.model.place import Span, Token

MAX_FILES = 500
_YUM = ("/etc/yum.repos.d/*.repo", "/etc/zypp/repos.d/*.repo", "/etc/yum.conf")
_HOST = re.compile(r"[a-z+]+://(?:[^/@\s]*@)?(?P<host>[A-Za-z0-9.-]+)", re.IGNORECASE)
_DEB = re.compile(r"^[ \t]*deb(?:-src)?[ \t]+(?:\[[^\]\n]*\][ \t]+)?(?P<uri>\S+).*$", re.MULTILINE)
_URIS = re.compile(r"^URIs:[ \t]*(?P<uri>\S+).*$", re.MULTILINE | re.IGNORECASE)


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
        if url is None or not url.value or (enabled is not None and enabled.value.lower() in ("0", "no", "false")):
            continue
        first = re.search(r"\S+", url.value)
        token = slice_token(url, first.start(), first.end()) if first else url
        yield Repository(section.name, token, section.where, (_disable(text, section, enabled),))


def _disable(text: GuestText, section: IniSection, enabled: Token | None) -> ReplaceText:
    return insert_line_after(text, section.where, "enabled=0") if enabled is None else replace_token(enabled, "0")


def _apt(text: GuestText) -> Iterator[Repository]:
    if text.path.endswith(".sources"):
        for match in _URIS.finditer(text.content):
            yield Repository(text.path.rpartition("/")[2], text.group(match, "uri"), text.span(match.start(), match.end()))
        return
    for match in _DEB.finditer(text.content):
        start = match.start() + len(match[0]) - len(match[0].lstrip())
        where = text.span(start, match.end())
        yield Repository(text.path.rpartition("/")[2], text.group(match, "uri"), where, (comment_out(where, "# "),))
