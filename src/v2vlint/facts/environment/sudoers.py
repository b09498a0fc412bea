"""Who may become root without a password: sudoers(5), includes followed; doas.conf(5)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from v2vlint.facts.registry import provides
from v2vlint.guest.fs import GuestFS
from v2vlint.guest.text import GuestText
from v2vlint.model.dataclass import dataclass
from v2vlint.model.place import Span

PATH = "/etc/sudoers"
DOAS = ("/etc/doas.conf", "/etc/doas.d/*.conf")
MAX_DEPTH = 8
MAX_FILES = 200
_INCLUDE = re.compile(r"[#@](?P<kind>include|includedir)\s+(?P<path>\"[^\"]+\"|\S+)")
_RULE = re.compile(r"(?P<who>(?:[^\s\\\"]|\\.|\"[^\"]*\")+)\s+[^=]+=.*\bNOPASSWD\s*:")
_DEFAULTS = re.compile(r"Defaults(?P<scope>[:@>!]\S+)?\s+.*!\s*authenticate\b")
_DOAS = re.compile(r"permit\b(?=.*\bnopass\b)(?P<options>(?:\s+(?:nopass|keepenv|persist|nolog|setenv\s*\{[^}]*\}))*)\s+(?P<who>\S+)")


@dataclass(frozen=True, slots=True)
class FreeRoot:
    """``who`` is a user, ``%group`` or alias as written; ``where`` the line."""

    who: str
    where: Span


@dataclass(frozen=True, slots=True)
class Sudoers:
    """All users and groups that are not asked for a password."""

    free: tuple[FreeRoot, ...] = ()


@provides
def parse_sudoers(fs: GuestFS) -> Sudoers:
    """Read the rules. root itself is left out."""
    found = [*_sudo(fs, PATH, 0, []), *_doas(fs)]
    return Sudoers(tuple(one for one in found if one.who != "root"))


def _sudo(fs: GuestFS, path: str, depth: int, seen: list[str]) -> Iterator[FreeRoot]:
    text = fs.text(path) if depth <= MAX_DEPTH and len(seen) < MAX_FILES else None
    seen.append(path)
    for start, line in _joined(text) if text is not None else ():
        if include := _INCLUDE.match(line):
            for found in _included(fs, path, include["kind"], include["path"].strip('"')):
                yield from _sudo(fs, found, depth + 1, seen)
        elif text is not None and not line.startswith("#") and (rule := _RULE.match(line) or _DEFAULTS.match(line)):
            who = rule.groupdict().get("who") or (rule.groupdict().get("scope") or "everybody").lstrip(":")
            yield FreeRoot(who, text.span(start, start + len(line)))


def _joined(text: GuestText) -> Iterator[tuple[int, str]]:
    """Lines joined with their continuation lines; the offset is that of the first."""
    for match in re.finditer(r"(?:[^\\\n]|\\.|\\\n)+", text.content):
        line = match[0].lstrip()
        yield match.start() + len(match[0]) - len(line), line.replace("\\\n", "  ").rstrip()


def _included(fs: GuestFS, path: str, kind: str, name: str) -> tuple[str, ...]:
    """The files of a folder whose names contain no dot and do not end in a tilde."""
    target = name if name.startswith("/") else f"{path.rpartition('/')[0]}/{name}"
    if kind == "include":
        return (target,)
    return tuple(f"{target}/{one}" for one in fs.listdir(target) if "." not in one and not one.endswith("~"))


def _doas(fs: GuestFS) -> Iterator[FreeRoot]:
    for pattern in DOAS:
        for path in fs.glob(pattern):
            text = fs.text(path)
            for line in text.lines() if text else ():
                if match := _DOAS.match(line.text.strip()):
                    yield FreeRoot(match["who"], line.where)
