"""Configuration written as shell assignments with lists (dracut.conf(5), mkinitcpio.conf(5), initramfs.conf(5)), parsed, never run::

add_drivers+=" virtio_blk virtio_scsi "
HOOKS=(base udev autodetect block)   # a comment
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from v2vlint.facts.syntax.shell import Assignment, assignments
from v2vlint.guest.text import GuestText
from v2vlint.model.dataclass import dataclass
from v2vlint.model.fix import Edit, ReplaceText, WriteFile
from v2vlint.model.place import Span, Token

MAX_VARS = 5000
_WORD = re.compile(r"#[^\n]*|[^\s\"'#\\]+")


@dataclass(frozen=True, slots=True)
class Insertion:
    """Where words are added: at the empty span ``where``, or in a new file ``path`` when that is None.

    The text is ``head``, the words joined by ``join``, and ``tail``.
    """

    path: str
    where: Span | None
    head: str
    join: str
    tail: str

    def edit(self, words: Iterable[str]) -> Edit:
        """The edit that adds ``words``."""
        text = f"{self.head}{self.join.join(words)}{self.tail}"
        return WriteFile(self.path, text) if self.where is None else ReplaceText(self.where, "", text)


@dataclass(frozen=True, slots=True)
class ConfVar:
    """One assignment. ``words`` are the blank-separated words of the value; ``value`` is its text, between the quotes or brackets if
    a single pair encloses it.
    """

    name: str
    adds: bool
    value: Token
    words: tuple[Token, ...]
    where: Span

    def insertion(self) -> Insertion:
        """Where words are added to the value. Behind one that nothing encloses they need quotes of their own: ``A=b" c d"``."""
        end = self.value.where
        where = Span(end.path, end.end, end.end, end.line, end.column + end.end - end.start)
        quote = "" if self.where.end > end.end else '"'
        return Insertion(end.path, where, f"{quote}{' ' if self.words else ''}", " ", quote)


@dataclass(frozen=True, slots=True)
class ConfVars:
    """The assignments of several files, in reading order."""

    vars: tuple[ConfVar, ...] = ()
    files: tuple[str, ...] = ()

    def last(self, name: str) -> Token | None:
        """The final value of ``name``; None when it is never set."""
        return next((var.value for var in reversed(self.vars) if var.name == name), None)

    def words(self, name: str) -> tuple[Token, ...]:
        """All words of ``name``: ``=`` resets it, ``+=`` appends."""
        found: tuple[Token, ...] = ()
        for var in self.vars:
            if var.name == name:
                found = (*found, *var.words) if var.adds else var.words
        return found

    def assignment(self, name: str) -> ConfVar | None:
        """The last plain assignment of ``name``, to which words can be added."""
        return next((var for var in reversed(self.vars) if var.name == name and not var.adds), None)


def conf_vars(texts: Iterable[GuestText | None]) -> ConfVars:
    """Parse files in the order given. Missing files and anything that is not an assignment are ignored."""
    there = [text for text in texts if text is not None]
    found = [_var(text, one) for text in there for one in assignments(text) if isinstance(one, Assignment)]
    return ConfVars(tuple(found[:MAX_VARS]), tuple(text.path for text in there))


def _var(text: GuestText, one: Assignment) -> ConfVar:
    words = (word for word in _WORD.finditer(text.content, one.inner.where.start, one.inner.where.end) if not word[0].startswith("#"))
    return ConfVar(one.name, one.adds, one.inner, tuple(text.group(word) for word in words), one.where)
