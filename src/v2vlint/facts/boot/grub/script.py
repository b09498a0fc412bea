"""The syntax of GRUB 2's scripting language (GRUB manual, "Writing full configuration files directly"): words, commands, blocks.

Parsing never fails: what does not fit is skipped and its place kept in ``malformed``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from v2vlint.facts.syntax.located import Located, literal
from v2vlint.guest.text import GuestText
from v2vlint.model.place import Span

MAX_DEPTH = 40
MAX_TOKENS = 60_000

_PLAIN = re.compile(r"[^\s{}|&;$'\"\\]+")
_BLANK = re.compile(r"(?:[^\S\n]|\\\n)+")
_VARIABLE = re.compile(r"\$(?:\{(\w+|[?#@*])\}|([A-Za-z_]\w*|\d|[?#@*]))")
_QUOTED_TEXT = re.compile(r"[^\"$\\]+")


@dataclass(frozen=True, slots=True)
class Literal:
    """Text as written. Quoted text is one word whatever it holds."""

    text: Located
    quoted: bool


@dataclass(frozen=True, slots=True)
class Variable:
    """``$name``; unquoted, its value is split at blanks."""

    name: str
    quoted: bool


@dataclass(frozen=True, slots=True)
class Word:
    """A word of the source: pieces to be expanded and joined. ``start``..``end`` are offsets in the file."""

    parts: tuple[Literal | Variable, ...]
    start: int
    end: int

    @property
    def bare(self) -> str:
        """The word when it is one unquoted literal, else an empty string; only bare words can be keywords."""
        only = self.parts[0] if len(self.parts) == 1 else None
        return only.text.text if isinstance(only, Literal) and not only.quoted else ""


@dataclass(frozen=True, slots=True)
class Command:
    """A simple command; ``body`` is the block of ``menuentry``, ``submenu`` and the like."""

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
    """``for name in items`` (with ``name``), ``while`` or ``until``; the latter two are never known to end and are run once."""

    name: str
    items: tuple[Word, ...]
    body: Block


@dataclass(frozen=True, slots=True)
class Function:
    """A definition."""

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


def parse_script(source: GuestText) -> Script:
    """The statements of a GRUB script."""
    tokens = list(_tokens(source))
    parser = _Parser(source, tokens)
    body = parser.top()
    if len(tokens) > MAX_TOKENS:
        parser.malformed.append(source.span(tokens[-2].start, len(source.content)))
    return Script(source, body, tuple(parser.malformed))


def _tokens(source: GuestText) -> Iterator[_Token]:
    text, position, count = source.content, 0, 0
    while position < len(text) and count < MAX_TOKENS:
        char = text[position]
        if blank := _BLANK.match(text, position):  # a backslash at the end of a line continues it
            position = blank.end()
        elif char == "#":
            end = text.find("\n", position)
            position = len(text) if end < 0 else end
        elif char in "\n;|&":
            yield _Mark(";", position)
            position, count = position + 1, count + 1
        elif char in "{}":
            yield _Mark(char, position)
            position, count = position + 1, count + 1
        else:
            word = read_word(source, position)
            yield word
            position, count = word.end, count + 1
    yield _Mark("", len(text))


def read_word(source: GuestText, start: int) -> Word:
    """The word beginning at offset ``start``: quoted and plain pieces up to a blank, a newline or one of ``{}|&;``."""
    text, position = source.content, start
    parts: list[Literal | Variable] = []
    while position < len(text) and not (_BLANK.match(text, position) or text[position] in "\n{}|&;"):
        added, position = _part(source, position)
        parts.extend(added)
    return Word(tuple(parts), start, position)


def _part(source: GuestText, position: int) -> tuple[list[Literal | Variable], int]:
    text, char = source.content, source.content[position]
    if char == "'":
        end = text.find("'", position + 1)
        end = len(text) if end < 0 else end
        return [Literal(literal(source, position + 1, end), quoted=True)], min(end + 1, len(text))
    if char == '"':
        return _double_quoted(source, position + 1)
    if char == "\\":
        return [Literal(literal(source, position + 1, position + 2), quoted=True)], min(position + 2, len(text))
    if match := _VARIABLE.match(text, position):
        return [Variable(match[1] or match[2], quoted=False)], match.end()
    plain = _PLAIN.match(text, position)
    end = plain.end() if plain else position + 1
    return [Literal(literal(source, position, end), quoted=False)], end


def _double_quoted(source: GuestText, position: int) -> tuple[list[Literal | Variable], int]:
    text = source.content
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
            parts.append(Literal(literal(source, position, end), quoted=True))
            position = end
    return parts, min(position + 1, len(text))


@dataclass
class _Parser:
    source: GuestText
    tokens: list[_Token]
    index: int = 0
    depth: int = 0
    malformed: list[Span] = field(default_factory=list)

    def top(self) -> Block:
        """Everything; stray terminators are malformed and skipped."""
        found: list[Statement] = []
        while True:
            found.extend(self.block(frozenset()))
            token = self.tokens[self.index]
            if isinstance(token, _Mark) and not token.sign:
                return tuple(found)
            self.complain(token)
            self.index += 1

    def block(self, ends: frozenset[str]) -> Block:
        """Statements up to a bare word (or brace) in ``ends``, which is left unread."""
        found: list[Statement] = []
        while True:
            token = self.tokens[self.index]
            if isinstance(token, _Mark):
                if token.sign == "{":
                    self.complain(token)
                elif token.sign != ";":
                    return tuple(found)
                self.index += 1
            elif token.bare in ends or token.bare in ("fi", "done", "then", "else", "elif", "do"):
                return tuple(found)
            else:
                found.extend(self.statement(token))

    def statement(self, word: Word) -> Block:
        """One statement, or nothing when nested too deeply."""
        self.depth += 1
        try:
            if self.depth > MAX_DEPTH:
                self.complain(word)
                self.index = len(self.tokens) - 1
                return ()
            match word.bare:
                case "if":
                    return (self.condition(),)
                case "for" | "while" | "until":
                    return (self.loop(word.bare),)
                case "function":
                    return self.function()
                case _:
                    return (self.command(word),)
        finally:
            self.depth -= 1

    def command(self, first: Word) -> Command:
        words: list[Word] = []
        end = first.end
        while isinstance(token := self.tokens[self.index], Word):
            words.append(token)
            end = token.end
            self.index += 1
        if token.sign != "{":
            return Command(tuple(words), None, first.start, end)
        body = self.braces()
        return Command(tuple(words), body, first.start, end)

    def braces(self) -> Block:
        """The block after an opening brace at the current place."""
        opening = self.tokens[self.index]
        self.index += 1
        body = self.block(frozenset())
        while self.keyword(*_STRAY):
            self.complain(self.tokens[self.index - 1])
            body += self.block(frozenset())
        if not self.mark("}"):
            self.complain(opening)
        return body

    def condition(self) -> If:
        opening = self.tokens[self.index]
        self.index += 1
        branches: list[tuple[Block, Block]] = []
        otherwise: Block = ()
        while True:
            test = self.block(frozenset({"then"}))
            if not self.keyword("then"):
                break
            branches.append((test, self.block(_BRANCH_ENDS)))
            if not self.keyword("elif"):
                break
        if self.keyword("else"):
            otherwise = self.block(_BRANCH_ENDS)
        if not self.keyword("fi"):
            self.complain(opening)
        return If(tuple(branches), otherwise)

    def loop(self, kind: str) -> Loop:
        opening = self.tokens[self.index]
        self.index += 1
        head = self.block(frozenset({"do"}))
        body = self.block(frozenset({"done"})) if self.keyword("do") else ()
        if not self.keyword("done"):
            self.complain(opening)
        first = head[0] if head else None
        if kind == "for" and isinstance(first, Command) and len(first.words) > 1 and first.words[1].bare == "in":
            return Loop(first.words[0].bare, first.words[2:], body)
        return Loop("", (), body)

    def function(self) -> Block:
        opening = self.tokens[self.index]
        self.index += 1
        name = self.tokens[self.index]
        if not isinstance(name, Word):
            self.complain(opening)
            return ()
        self.index += 1
        token = self.tokens[self.index]
        if not (isinstance(token, _Mark) and token.sign == "{"):
            self.complain(opening)
            return ()
        return (Function(name.bare, self.braces()),)

    def keyword(self, *words: str) -> bool:
        token = self.tokens[self.index]
        if isinstance(token, Word) and token.bare in words:
            self.index += 1
            return True
        return False

    def mark(self, sign: str) -> bool:
        token = self.tokens[self.index]
        if isinstance(token, _Mark) and token.sign == sign:
            self.index += 1
            return True
        return False

    def complain(self, token: _Token) -> None:
        end = token.end if isinstance(token, Word) else min(token.start + 1, len(self.source.content))
        self.malformed.append(self.source.span(token.start, end))


_BRANCH_ENDS = frozenset({"elif", "else", "fi"})
_STRAY = ("fi", "done", "then", "else", "elif", "do")
