"""The syntax of GRUB 2's scripting language (GRUB manual, "Writing full configuration files directly"): words, commands, blocks.

GRUB reads a file line by line, continuing until all blocks are closed. If such a part has a syntax error, none of it runs, and GRUB
continues with the line after the error, inside a block or not (grub-core/script/parser.y, yylex.l; grub-script-check and grub-emu agree).
``malformed`` holds the places of errors.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import field

from v2vlint.facts.syntax.located import Located, literal
from v2vlint.guest.text import GuestText
from v2vlint.model.dataclass import dataclass
from v2vlint.model.place import Span

MAX_DEPTH = 40  # the parser recurses
MAX_TOKENS = 60_000

_PLAIN = re.compile(r"[^ \t\r\n{}|&;<>$'\"\\]+")
_BLANK = re.compile(r"[ \t\r]+")
_JOINED = re.compile(r"\\\r?\n")
_VARIABLE = re.compile(r"\$(?:\{([A-Za-z_]\w*|\d+|[?#@*])\}|([A-Za-z_]\w*|\d+|[?#@*]))", re.ASCII)
_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_QUOTED_TEXT = re.compile(r"[^\"$\\]+")


@dataclass(frozen=True, slots=True)
class Literal:
    """Text as written. Quoted text is one word, whatever it contains."""

    text: Located
    quoted: bool


@dataclass(frozen=True, slots=True)
class Variable:
    """``$name``; if it is not quoted, its value is split at blanks."""

    name: str
    quoted: bool


@dataclass(frozen=True, slots=True)
class Word:
    """A word of the source: pieces to expand and join. ``start``..``end`` are offsets in the file.

    A ``broken`` word has an unclosed quote, or a ``$`` that no name follows.
    """

    parts: tuple[Literal | Variable, ...]
    start: int
    end: int
    broken: bool = False

    @property
    def bare(self) -> str:
        """The word if it is one unquoted literal, else an empty string; only bare words can be keywords."""
        only = self.parts[0] if len(self.parts) == 1 else None
        return only.text.text if isinstance(only, Literal) and not only.quoted else ""


@dataclass(frozen=True, slots=True)
class Command:
    """A simple command; ``body`` is the block of ``menuentry``, ``submenu`` and similar commands."""

    words: tuple[Word, ...]
    body: Block | None
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class If:
    """``if``/``elif`` branches as (condition, body), and the ``else`` block."""

    branches: tuple[tuple[Block, Block], ...]
    otherwise: Block


@dataclass(frozen=True, slots=True)
class Loop:
    """``for name in items`` (with ``name``), or ``while`` and ``until`` with their condition."""

    name: str
    items: tuple[Word, ...]
    body: Block
    condition: Block = ()
    until: bool = False


@dataclass(frozen=True, slots=True)
class Function:
    """A function definition."""

    name: str
    body: Block


Statement = Command | If | Loop | Function
Block = tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class Script:
    """A parsed file."""

    source: GuestText
    body: Block
    malformed: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class _Mark:
    sign: str
    start: int


_Token = Word | _Mark


def parse_script(source: GuestText, *, ends_at_error: bool = False) -> Script:
    """The statements of a GRUB script that GRUB would run; what ``eval`` is given ends where it is wrong."""
    tokens = list(_tokens(source))
    parser = _Parser(source, tokens, ends_at_error)
    body = parser.top()
    if len(tokens) > MAX_TOKENS:
        parser.malformed.append(source.span(tokens[-2].start, len(source.content)))
    return Script(source, body, tuple(parser.malformed))


def _tokens(source: GuestText) -> Iterator[_Token]:
    text, position, count = source.content, 0, 0
    while position < len(text) and count < MAX_TOKENS:
        char = text[position]
        if blank := _BLANK.match(text, position):
            position = blank.end()
        elif joined := _JOINED.match(text, position):
            position = joined.end()
            if position == len(text):
                yield _Mark("\\", position - 1)
        elif char == "#":
            end = text.find("\n", position)
            position = len(text) if end < 0 else end
        elif char in "\n;{}|&<>":
            yield _Mark(char, position)
            position, count = position + 1, count + 1
        else:
            word = read_word(source, position)
            # yylex.l makes these two tokens of their own, which parser.y allows nowhere.
            yield _Mark(word.bare, position) if word.bare in ("[[", "]]") else word
            position, count = word.end, count + 1
    yield _Mark("", len(text))


def read_word(source: GuestText, start: int) -> Word:
    """The word that starts at offset ``start``: quoted and plain pieces up to a blank, a newline or one of ``{}|&;<>``."""
    text, position = source.content, start
    parts: list[Literal | Variable] = []
    broken = False
    while position < len(text) and text[position] not in " \t\r\n{}|&;<>":
        if joined := _JOINED.match(text, position):  # a backslash at the end of a line continues it
            position, broken = joined.end(), broken or joined.end() == len(text)
            continue
        added, position, damaged = _part(source, position)
        broken |= damaged
        parts.extend(added)
    return Word(tuple(parts), start, position, broken)


def _part(source: GuestText, position: int) -> tuple[list[Literal | Variable], int, bool]:
    text, char = source.content, source.content[position]
    if char == "'":
        end = text.find("'", position + 1)
        closed = len(text) if end < 0 else end
        return [Literal(literal(source, position + 1, closed), quoted=True)], min(closed + 1, len(text)), end < 0
    if char == '"':
        return _double_quoted(source, position + 1)
    if char == "\\":
        return [Literal(literal(source, position + 1, position + 2), quoted=True)], min(position + 2, len(text)), False
    if match := _VARIABLE.match(text, position):
        return [Variable(match[1] or match[2], quoted=False)], match.end(), False
    plain = _PLAIN.match(text, position)
    end = plain.end() if plain else position + 1
    return [Literal(literal(source, position, end), quoted=False)], end, not plain and text[end : end + 1] not in ("'", '"')


def _double_quoted(source: GuestText, position: int) -> tuple[list[Literal | Variable], int, bool]:
    text, broken = source.content, False
    parts: list[Literal | Variable] = [Literal(Located(), quoted=True)]
    while position < len(text) and text[position] != '"':
        if match := _VARIABLE.match(text, position):
            parts.append(Variable(match[1] or match[2], quoted=True))
            position = match.end()
        elif text[position] == "\\" and text[position + 1 : position + 2] in ("$", '"', "\\", "\n"):
            if text[position + 1] != "\n":
                parts.append(Literal(literal(source, position + 1, position + 2), quoted=True))
            position += 2
        else:
            plain = _QUOTED_TEXT.match(text, position)
            end = plain.end() if plain else position + 1
            broken |= text[position] == "$"
            parts.append(Literal(literal(source, position, end), quoted=True))
            position = end
    return parts, min(position + 1, len(text)), broken or position >= len(text)


class _Unfit(Exception):
    """A token that is not allowed at its place."""

    def __init__(self, token: _Token) -> None:
        super().__init__()
        self.token = token


@dataclass
class _Parser:
    source: GuestText
    tokens: list[_Token]
    ends_at_error: bool = False
    index: int = 0
    depth: int = 0
    malformed: list[Span] = field(default_factory=list)

    @property
    def token(self) -> _Token:
        return self.tokens[self.index]

    def top(self) -> Block:
        """All statements that GRUB runs, part by part."""
        found: list[Statement] = []
        while True:
            self.newlines()
            first = self.token
            if _sign(first) == "":
                return tuple(found)
            try:
                found.extend(self.part())
            except _Unfit as unfit:
                # At the end of the file the error is an unclosed block: its beginning says more.
                self.complain(first if _sign(unfit.token) == "" else unfit.token)
                if self.ends_at_error:
                    return tuple(found)
                self.skip(unfit.token)

    def part(self) -> list[Statement]:
        """One part as GRUB reads it: statements on one line, and further lines until their blocks are closed."""
        found: list[Statement] = []
        self.depth = 0
        while True:
            found.append(self.function() if _bare(self.token) == "function" else self.single())
            sign = _sign(self.token)
            if sign not in (";", "\n", ""):
                raise _Unfit(self.token)
            self.index += sign == ";"
            if sign != ";" or _sign(self.token) in ("\n", ""):
                return found

    def skip(self, token: _Token) -> None:
        """Continue after the line of ``token``."""
        while _sign(self.token) != "" and not (_sign(self.token) == "\n" and self.token.start >= token.start):
            self.index += 1

    def newlines(self) -> None:
        while _sign(self.token) == "\n":
            self.index += 1

    def commands(self, *ends: str, delimited: bool = True) -> Block:
        """At least one command and the token that ends them, which is consumed; a delimiter comes first unless it is optional."""
        self.newlines()
        found = [self.single()]
        while True:
            separate = _sign(self.token) in (";", "\n")
            self.index += separate
            if separate:
                self.newlines()
            token = self.token
            at_end = (_bare(token) or _sign(token)) in ends
            if at_end and (separate or not delimited):
                self.index += 1
                return tuple(found)
            if not separate or at_end:
                raise _Unfit(token)
            found.append(self.single())

    def single(self) -> Statement:
        """A single command."""
        self.depth += 1
        token = self.token
        if isinstance(token, _Mark) or self.depth > MAX_DEPTH or (token.bare in _RESERVED and token.bare not in _COMPOUND):
            raise _Unfit(token)
        found: Statement
        if token.bare == "if":
            found = self.condition()
        elif token.bare in _COMPOUND:
            found = self.loop(token.bare)
        else:
            found = self.command(token)
        self.depth -= 1
        return found

    def command(self, first: Word) -> Command:
        words, end = self.words(), first.end
        if words:
            end = words[-1].end
        if _sign(self.token) != "{":
            return Command(words, None, first.start, end)
        self.index += 1
        return Command(words, self.commands("}", delimited=False), first.start, end)

    def words(self) -> tuple[Word, ...]:
        found: list[Word] = []
        while isinstance(token := self.token, Word):
            if token.broken:
                raise _Unfit(token)
            found.append(token)
            self.index += 1
        return tuple(found)

    def condition(self) -> If:
        branches: list[tuple[Block, Block]] = []
        self.index += 1
        word = "elif"
        while word == "elif":
            test = self.commands("then")
            branches.append((test, self.commands("elif", "else", "fi")))
            word = _bare(self.tokens[self.index - 1])
        return If(tuple(branches), self.commands("fi") if word == "else" else ())

    def loop(self, kind: str) -> Loop:
        self.index += 1
        if kind != "for":
            test = self.commands("do")
            return Loop("", (), self.commands("done"), test, kind == "until")
        name = self.expect(_NAME)
        self.expect(re.compile("in"))
        items = self.words()
        if _sign(self.token) not in (";", "\n"):
            raise _Unfit(self.token)
        self.index += 1
        self.newlines()
        self.expect(re.compile("do"))
        return Loop(name, items, self.commands("done"))

    def function(self) -> Function:
        self.index += 1
        name = self.expect(_NAME)
        if name in _RESERVED:
            raise _Unfit(self.tokens[self.index - 1])
        self.newlines()
        if _sign(self.token) != "{":
            raise _Unfit(self.token)
        self.index += 1
        return Function(name, self.commands("}"))

    def expect(self, pattern: re.Pattern[str]) -> str:
        """A bare word of that form."""
        found = _bare(self.token)
        if not pattern.fullmatch(found):
            raise _Unfit(self.token)
        self.index += 1
        return found

    def complain(self, token: _Token) -> None:
        end = token.end if isinstance(token, Word) else min(token.start + 1, len(self.source.content))
        self.malformed.append(self.source.span(token.start, end))


_COMPOUND = ("if", "for", "while", "until")
_RESERVED = frozenset({*_COMPOUND, "then", "else", "elif", "fi", "do", "done", "in", "case", "esac", "select", "function"})


def _sign(token: _Token) -> str | None:
    return token.sign if isinstance(token, _Mark) else None


def _bare(token: _Token) -> str:
    return token.bare if isinstance(token, Word) else ""
