"""Guest text files with places: lines, words and matches that know where they are written."""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterator
from dataclasses import field

from v2vlint.model.dataclass import dataclass
from v2vlint.model.place import Span, Token

_WORD = re.compile(r"\S+")
# A carriage return alone ends no line for the programs that read these files.
_LINE_END = re.compile(r"\r?\n")


def split_lines(text: str) -> list[str]:
    """The lines of a guest's text without their ends; unlike str.splitlines(), which also splits at form feeds and line separators."""
    lines = text.replace("\r\n", "\n").split("\n")
    return lines if lines[-1] else lines[:-1]


@dataclass(frozen=True)
class GuestText:
    """A guest text file, decoded as UTF-8 with ``surrogateescape`` so that it encodes back to the same bytes."""

    path: str
    content: str
    _starts: list[int] = field(default_factory=list, repr=False, compare=False)

    def span(self, start: int, end: int) -> Span:
        """The place of ``content[start:end]``."""
        if not self._starts:
            self._starts.extend([0, *(match.end() for match in _LINE_END.finditer(self.content))])
        line = bisect.bisect_right(self._starts, start)
        return Span(self.path, start, end, line, start - self._starts[line - 1] + 1)

    def token(self, start: int, end: int) -> Token:
        """The text ``content[start:end]`` with its place."""
        return Token(self.content[start:end], self.span(start, end))

    def group(self, match: re.Match[str], group: int | str = 0) -> Token:
        """A group of a match on ``content``, with its place."""
        return self.token(match.start(group), match.end(group))

    def lines(self) -> Iterator[Line]:
        """All lines, without their line ends."""
        number = position = 0
        for number, match in enumerate(_LINE_END.finditer(self.content), 1):
            yield Line(self, self.content[position : match.start()], position, number)
            position = match.end()
        if position < len(self.content):
            yield Line(self, self.content[position:], position, number + 1)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a guest file; ``start`` is its offset in the file, ``number`` is 1-based."""

    source: GuestText
    text: str
    start: int
    number: int

    @property
    def where(self) -> Span:
        """The line without surrounding blanks."""
        stripped = self.text.strip()
        begin = self.start + (len(self.text) - len(self.text.lstrip()) if stripped else 0)
        return Span(self.source.path, begin, begin + len(stripped), self.number, begin - self.start + 1)

    def is_blank(self, comment: str = "#") -> bool:
        """Whether the line is empty or a comment (starting with any character of ``comment``)."""
        stripped = self.text.strip()
        return not stripped or stripped[0] in comment

    def words(self, pattern: re.Pattern[str] = _WORD) -> tuple[Token, ...]:
        """Blank-separated words with their places (or the matches of another pattern)."""
        return tuple(self.token(match.start(), match.end()) for match in pattern.finditer(self.text))

    def token(self, start: int, end: int) -> Token:
        """``text[start:end]`` with its place."""
        begin = self.start + start
        where = Span(self.source.path, begin, self.start + end, self.number, start + 1)
        return Token(self.text[start:end], where)

    def group(self, match: re.Match[str], group: int | str = 0) -> Token:
        """A group of a match on ``text``, with its place."""
        return self.token(match.start(group), match.end(group))
