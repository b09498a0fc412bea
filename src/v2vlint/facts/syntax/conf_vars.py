"""Configuration written as shell assignments with lists (dracut.conf(5), mkinitcpio.conf(5), initramfs.conf(5)), parsed, never run::

add_drivers+=" virtio_blk virtio_scsi "
HOOKS=(base udev autodetect block)   # a comment
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from v2vlint.guest.text import GuestText
from v2vlint.model.place import Span, Token

MAX_VARS = 5000
_ASSIGN = re.compile(
    r"^[ \t]*(?:export[ \t]+)?(?P<name>[A-Za-z_]\w*)(?P<add>\+?)="
    r"(?:\"(?P<double>(?:[^\"\\]|\\.)*+)\"|'(?P<single>[^']*+)'|\((?P<array>[^)]*+)\)|(?P<bare>[^\s;#\"'()]*+))",
    re.MULTILINE,
)
_WORD = re.compile(r"#[^\n]*|[^\s\"'#\\]+")


@dataclass(frozen=True, slots=True)
class ConfVar:
    """One assignment. ``words`` are the blank-separated words of the value; ``value`` its text between the quotes or brackets."""

    name: str
    adds: bool
    value: Token
    words: tuple[Token, ...]
    where: Span


@dataclass(frozen=True, slots=True)
class ConfVars:
    """The assignments of several files in the order they are read."""

    vars: tuple[ConfVar, ...] = ()
    files: tuple[str, ...] = ()

    def last(self, name: str) -> Token | None:
        """The value of ``name`` that counts; None when it is never set."""
        return next((var.value for var in reversed(self.vars) if var.name == name), None)

    def words(self, name: str) -> tuple[Token, ...]:
        """All words of ``name``: ``=`` starts over, ``+=`` adds."""
        found: tuple[Token, ...] = ()
        for var in self.vars:
            if var.name == name:
                found = (*found, *var.words) if var.adds else var.words
        return found

    def assignment(self, name: str) -> ConfVar | None:
        """The last plain assignment of ``name``, where words can be added."""
        return next((var for var in reversed(self.vars) if var.name == name and not var.adds), None)


def conf_vars(texts: Iterable[GuestText | None]) -> ConfVars:
    """Parse files in the order given; absent ones are passed over, and so is all that is no assignment."""
    found: list[ConfVar] = []
    files: list[str] = []
    for text in texts:
        if text is None:
            continue
        files.append(text.path)
        for match in _ASSIGN.finditer(text.content):
            if len(found) < MAX_VARS:
                found.append(_var(text, match))
    return ConfVars(tuple(found), tuple(files))


def _var(text: GuestText, match: re.Match[str]) -> ConfVar:
    group = next(name for name in ("double", "single", "array", "bare") if match[name] is not None)
    start, end = match.span(group)
    words = (word for word in _WORD.finditer(text.content, start, end) if not word[0].startswith("#"))
    tokens = tuple(text.token(word.start(), word.end()) for word in words)
    return ConfVar(match["name"], bool(match["add"]), text.token(start, end), tokens, text.span(match.start("name"), match.end()))
