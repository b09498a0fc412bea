"""Configuration written as shell assignments with lists (dracut.conf(5), mkinitcpio.conf(5), initramfs.conf(5)), parsed, never run::

add_drivers+=" virtio_blk virtio_scsi "
HOOKS=(base udev autodetect block)   # a comment
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from v2vlint.facts.syntax.located import Located
from v2vlint.facts.syntax.shell import Assignment
from v2vlint.facts.syntax.shell_run import Made, ShellRun, ShellValue
from v2vlint.facts.syntax.shell_source import sourced_values
from v2vlint.guest.fs import GuestFS
from v2vlint.guest.text import GuestText
from v2vlint.model.dataclass import dataclass
from v2vlint.model.fix import Edit, ReplaceText, WriteFile
from v2vlint.model.place import Span, Token

_WORD = re.compile(r"\S+")


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
    """One assignment. ``words`` are the blank-separated words that it gives the variable, or the items of its array.

    ``value`` is the text between its quotes or brackets as it is written, ``at`` the value as one editable token, None when it is composed
    of several pieces. ``why`` is set where the value cannot be told. ``own`` is what the assignment itself says.
    """

    name: str
    adds: bool
    value: Token
    own: ShellValue
    where: Span
    at: Token | None = None
    why: str = ""

    @property
    def words(self) -> tuple[Token, ...]:
        """The words of the assignment itself."""
        return () if self.why else _words(self.own)

    def insertion(self) -> Insertion:
        """Where words are added to the value. Behind one that nothing encloses they need quotes of their own: ``A=b" c d"``."""
        end = self.value.where
        where = Span(end.path, end.end, end.end, end.line, end.column + end.end - end.start)
        quote = "" if self.where.end > end.end else '"'
        return Insertion(end.path, where, f"{quote}{' ' if self.words else ''}", " ", quote)


@dataclass(frozen=True, slots=True)
class ConfVars:
    """The assignments of several files, in reading order, and what the variables hold at the end."""

    vars: tuple[ConfVar, ...] = ()
    files: tuple[str, ...] = ()
    run: ShellRun | None = None

    def last(self, name: str) -> Token | None:
        """The final value of ``name``; None when it is not set. FactUnavailable when it cannot be told."""
        value = self.run.known(name) if self.run else ShellValue()
        return Token(value.text.text, _place(value.text, value.last)) if value.last else None

    def literal(self, name: str) -> Token | None:
        """The final value as one editable token; None when it is composed of several pieces, not set or not to be told."""
        value = self.run.get(name) if self.run else ShellValue()
        return value.text.token if value.last and not value.why else None

    def words(self, name: str) -> tuple[Token, ...]:
        """All words of ``name``, or the items of the array. FactUnavailable when they cannot be told."""
        value = self.run.known(name) if self.run else ShellValue()
        return _words(value) if value.last else ()

    def assignment(self, name: str) -> ConfVar | None:
        """The last plain assignment of ``name``, to which words can be added; None where its value cannot be told."""
        value = self.run.get(name) if self.run else ShellValue()
        found = next((var for var in reversed(self.vars) if var.name == name and not var.adds), None)
        return found if found and not value.why else None


def conf_vars(texts: Iterable[GuestText | None], *, bash: bool = True, fs: GuestFS | None = None) -> ConfVars:
    """Source files in the order given; missing ones are skipped. ``bash``: the shell that reads them."""
    there = [text for text in texts if text is not None]
    run = sourced_values(there, bash=bash, fs=fs)
    return ConfVars(tuple(map(_var, run.made)), tuple(text.path for text in there), run)


def _var(made: Made) -> ConfVar:
    one = made.assignment
    return ConfVar(one.name, one.adds, one.inner, made.own, one.where, made.own.text.token, made.value.why)


def _words(value: ShellValue) -> tuple[Token, ...]:
    texts = (value.text,) if value.items is None else ()
    found = [text.part(*match.span()) for text in texts for match in _WORD.finditer(text.text)]
    return tuple(Token(word.text, _place(word, value.last)) for word in (*found, *(value.items or ())))


def _place(text: Located, last: Assignment | None) -> Span:
    if text.runs:
        return text.where
    return last.inner.where if last else Span("", 0, 0, 1)
