r"""Assignments in files that a shell sources (/etc/default/*, initramfs-tools, dracut, ifcfg-*): read like sh(1), never run::

RESUME=UUID=0a3f resume_offset=34816      two assignments
LANG=C update-grub                        none: the environment of one command
export A="x y"; B='z' # comment
HOOKS=(base udev
       autodetect)                        a bash array

Conditions are not evaluated: an assignment under ``if`` or after ``&&`` counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import field

from v2vlint.facts.syntax.located import Located, join, literal
from v2vlint.guest.text import GuestText
from v2vlint.model.dataclass import dataclass
from v2vlint.model.place import Span, Token

MAX_WORDS = 20_000
MAX_OPEN = 16
_BLANK = re.compile(r"(?:[^\S\n\r]|\r(?!\n)|\\\r?\n)+")
_END = re.compile(r"\r?\n|[;&|()<>]+")
_ASSIGN = re.compile(r"([A-Za-z_]\w*)(\+?)=")
_NAME = re.compile(r"\$(?:\{(\w+)(?::?[-=]([^{}$`\"'\\\n]*))?\}|([A-Za-z_]\w*))")
_PLAIN = re.compile(r"[^\s;&|()<>\"'`$\\]+")
_QUOTED = re.compile(r"[^\"`$\\]+")
_ENCLOSED = re.compile(r"'[^']*'|\"(?:[^\"\\]|\\.)*+\"|\(.*\)", re.DOTALL)
_ESCAPED = frozenset('$"`\\')
_DECLARE = frozenset({"export", "readonly", "declare", "typeset", "local"})
_KEYWORDS = frozenset({"if", "then", "else", "elif", "do", "while", "until", "{", "!", "time"})


@dataclass(frozen=True, slots=True)
class Expansion:
    """A variable (``name`` empty: a command, arithmetic or anything else not evaluated), and the text used while it is unset."""

    name: str
    otherwise: Located = field(default_factory=Located)


@dataclass(frozen=True, slots=True)
class Assignment:
    """One assignment. ``inner`` is the text inside the quotes or brackets if there is a single pair, else the value as written.

    ``where`` spans from the name to the end of the value, ``written`` is the value with its quotes. ``adds`` is bash's ``+=``.
    """

    name: str
    adds: bool
    parts: tuple[Located | Expansion, ...]
    inner: Token
    written: Span
    where: Span

    def value(self, values: Mapping[str, Located]) -> Located:
        """The text after expansion; a variable missing from ``values`` is empty."""
        return join(part if isinstance(part, Located) else values.get(part.name) or part.otherwise for part in self.parts)


@dataclass(frozen=True, slots=True)
class _Word:
    parts: tuple[Located | Expansion, ...]
    start: int
    end: int


def assignments(text: GuestText) -> Iterator[Assignment | Span]:
    """The assignments of ``text`` in order, and for each line with a command or a syntax error one span."""
    reader, line = _Reader(text), 0
    for statement in reader.statements():
        found = tuple(_assigned(text, statement)) if statement else ()
        if statement and not found:
            place = text.span(statement[0].start, statement[-1].end)
            if place.line != line:
                yield place
            line = place.line
        yield from found


def _assigned(text: GuestText, words: list[_Word]) -> Iterator[Assignment]:
    while words and text.content[words[0].start : words[0].end] in _KEYWORDS:
        words = words[1:]
    if words and text.content[words[0].start : words[0].end] in _DECLARE:
        words = [word for word in words[1:] if not text.content.startswith("-", word.start)]
    matches = [_ASSIGN.match(text.content, word.start, word.end) for word in words]
    for word, match in zip(words, matches, strict=True):
        # Assignments in front of a command hold for that command only.
        if match and all(matches):
            yield _assignment(text, word, match)


def _assignment(text: GuestText, word: _Word, match: re.Match[str]) -> Assignment:
    begin, end = match.end(), word.end
    enclosed = _ENCLOSED.fullmatch(text.content, begin, end)
    inner = text.token(begin + 1, end - 1) if enclosed else text.token(begin, end)
    parts = _without(word.parts, begin - word.start)
    return Assignment(match[1], bool(match[2]), parts, inner, text.span(begin, end), text.span(word.start, end))


def _without(parts: tuple[Located | Expansion, ...], size: int) -> tuple[Located | Expansion, ...]:
    """The parts of a word after ``NAME=``, which is literal."""
    first = parts[0]
    assert isinstance(first, Located), "a name is literal"
    rest = first.part(size, len(first.text))
    return (rest, *parts[1:]) if rest else parts[1:]


class _Reader:
    """Splits a file into statements of words. Anything opened but never closed ends with its line, for the first few such cases."""

    def __init__(self, text: GuestText) -> None:
        self.text, self.content = text, text.content
        self.at = self.words = self.broken = 0

    def statements(self) -> Iterator[list[_Word]]:
        """The words up to each separator."""
        found: list[_Word] = []
        while self.at < len(self.content) and self.words < MAX_WORDS:
            if blank := _BLANK.match(self.content, self.at):
                self.at = blank.end()
            elif self.content[self.at] == "#":
                self.at = self._line_end()
            elif end := _END.match(self.content, self.at):
                self.at = end.end()
                yield found
                found = []
            else:
                found.append(self._word())
                self.words += 1
        yield found

    def _line_end(self) -> int:
        end = self.content.find("\n", self.at)
        return len(self.content) if end < 0 else end - (self.content[end - 1 : end] == "\r")

    def _word(self) -> _Word:
        start = self.at
        parts: list[Located | Expansion] = []
        while self.at < len(self.content) and not (_BLANK.match(self.content, self.at) or _END.match(self.content, self.at)):
            parts.extend(self._piece())
            if self.content[self.at : self.at + 1] == "(" and _ASSIGN.fullmatch(self.content, start, self.at):
                self._list()
        return _Word(_merged(parts), start, self.at)

    def _list(self) -> None:
        """Skip a bash array; its words are not separated here."""
        end = self._closing(self.at + 1, ")")
        self.at = self._line_end() if end < 0 else end + 1

    def _piece(self) -> list[Located | Expansion]:
        char, start = self.content[self.at], self.at
        if char == "'":
            return [self._until("'")]
        if char == '"':
            return self._double()
        if char == "\\":
            self.at = min(start + 2, len(self.content))
            return [literal(self.text, start + 1, self.at)]
        if char in "$`":
            return [self._expansion()]
        plain = _PLAIN.match(self.content, start)
        self.at = plain.end() if plain else start + 1
        return [literal(self.text, start, self.at)]

    def _until(self, close: str) -> Located:
        start, end = self.at, self.content.find(close, self.at + 1)
        if end < 0:
            self.at = self._broken()
            return literal(self.text, start, self.at)
        self.at = end + 1
        return literal(self.text, start + 1, end)

    def _double(self) -> list[Located | Expansion]:
        start = self.at
        parts: list[Located | Expansion] = [Located()]
        self.at += 1
        while self.at < len(self.content) and self.content[self.at] != '"':
            here = self.at
            if self.content[here] in "$`":
                parts.append(self._expansion())
            elif self.content[here] == "\\":
                self.at = min(here + 2, len(self.content))
                escaped = self.content[here + 1 : self.at]
                if escaped != "\n":
                    # Within double quotes the backslash remains before any other character.
                    parts.append(literal(self.text, here + (escaped in _ESCAPED), self.at))
            else:
                plain = _QUOTED.match(self.content, here)
                self.at = plain.end() if plain else here + 1
                parts.append(literal(self.text, here, self.at))
        if self.at >= len(self.content):
            self.at = start
            self.at = self._broken()
            return [literal(self.text, start, self.at)]
        self.at += 1
        return parts

    def _expansion(self) -> Located | Expansion:
        start = self.at
        if match := _NAME.match(self.content, start):
            self.at = match.end()
            return Expansion(match[1] or match[3], literal(self.text, *match.span(2)) if match[2] else Located())
        pairs = {"`": "`", "$(": ")", "${": "}"}
        opening = "`" if self.content[start] == "`" else self.content[start : start + 2]
        if opening not in pairs:
            self.at = start + 1
            return literal(self.text, start, start + 1)
        end = self._closing(start + len(opening), pairs[opening])
        if end < 0:
            self.at = start + len(opening)
            return literal(self.text, start, self.at)
        self.at = end + 1
        return Expansion("")

    def _closing(self, start: int, close: str) -> int:
        """The offset at which ``close`` ends the construct, allowing for nested brackets and quotes; -1 when nothing does."""
        opening, depth = {")": "(", "}": "{"}.get(close, ""), 1
        if self.broken > MAX_OPEN:  # each search goes to the end of the file: quadratic for a file of open brackets
            return -1
        signs = re.compile(rf"\\.|'[^']*'|\"(?:[^\"\\]|\\.)*\"|[{re.escape(opening + close)}]", re.DOTALL)
        for match in signs.finditer(self.content, start):
            depth += (match[0] == opening) - (match[0] == close)
            if depth == 0:
                return match.start()
        self.broken += 1
        return -1

    def _broken(self) -> int:
        """The end of the line with the unclosed construct; after a few such lines, the end of the file."""
        self.broken += 1
        return self._line_end() if self.broken <= MAX_OPEN else len(self.content)


def _merged(parts: list[Located | Expansion]) -> tuple[Located | Expansion, ...]:
    """Join adjacent pieces of text."""
    found: list[Located | Expansion] = []
    for part in parts:
        last = found[-1] if found else None
        if isinstance(part, Located) and isinstance(last, Located):
            found[-1] = last + part
        else:
            found.append(part)
    return tuple(found)
