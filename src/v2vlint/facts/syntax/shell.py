r"""The words of files that a shell sources (/etc/default/*, initramfs-tools, dracut, ifcfg-*), split like sh(1) does and never run::

RESUME=UUID=0a3f resume_offset=34816      two assignments
LANG=C update-grub                        none: the environment of one command
export A="x y"; B='z' # comment
HOOKS=(base udev
       autodetect)                        a bash array

What the words do is told by ``shell_run``.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import field

from v2vlint.facts.syntax.located import Located, join, literal
from v2vlint.guest.text import GuestText
from v2vlint.model.dataclass import dataclass
from v2vlint.model.place import Span, Token

MAX_WORDS = 20_000
MAX_OPEN = 16
MAX_DOCUMENTS = 64
_BLANK = re.compile(r"(?:[ \t]|\\\n)+")
_BLANK_CRLF = re.compile(r"(?:[ \t]|\r(?!\n)|\\\r?\n)+")
_END = re.compile(r"\n|;;|&&|\|\||\(\(|[;&|()<>]")
_END_CRLF = re.compile(r"\r?\n|;;|&&|\|\||\(\(|[;&|()<>]")
_REDIRECT = re.compile(r"&>>?|<<<|<<-?|>>|<&|>&|<>|>\||[<>]")
_ASSIGN = re.compile(r"([A-Za-z_]\w*)(\+?)=", re.ASCII)
_NAME = re.compile(r"\$(?:\{([A-Za-z_]\w*)(?:(:?[-=+])([^{}$`\"'\\\n~]*))?\}|([A-Za-z_]\w*))", re.ASCII)
_SPACE = re.compile(r"(?:[ \t\n]|\\\n|(?<=[\s(])#[^\n]*)+")
_SPACE_CRLF = re.compile(r"(?:[ \t\r\n]|\\\r?\n|(?<=[\s(])#[^\n]*)+")
_EXPANDED = re.compile(r"\$\{[^}\n]*\}?|\$\(\(|\$\[")
_SETS = re.compile(r"\$\{\w+:?[=?]|\$\(\(|\$\[")
_SPECIAL = re.compile(r"\$(?:[0-9@*#?$!-]|\{(?:\d+|[@*#?$!-])\})")
_PLAIN = re.compile(r"[^\s;&|()<>\"'`$\\~]+")
_QUOTED = re.compile(r"[^\"`$\\]+")
_ENCLOSED = re.compile(r"'[^']*'|\"(?:[^\"\\]|\\.)*+\"|\(.*\)", re.DOTALL)
_QUOTES = re.compile(r"'[^']*'|\"(?:[^\"\\]|\\.)*+\"|\\.", re.DOTALL)
# A question mark alone is mkinitcpio's ``module?``, which matches no file of the folder that it runs in.
_SEVERAL = re.compile(r"[*\[]|(?<!\$)\{|/.*\?|\?.*/", re.DOTALL)
# What may stand before a command.
_BEFORE = frozenset({"if", "elif", "while", "until", "then", "else", "do", "!", "{"})
_ESCAPED = frozenset('$"`\\')


@dataclass(frozen=True, slots=True)
class Expansion:
    """A variable (``name`` empty: a command, arithmetic or anything else not evaluated).

    ``operator`` is that of ``${name:-otherwise}``: ``-``, ``=`` or ``+``, with a colon if an empty value counts as none. ``written`` is the
    text of arithmetic and of a form of ``${name}`` that is not evaluated, as it may set variables.
    """

    name: str
    operator: str = ":-"
    otherwise: Located = field(default_factory=Located)
    written: str = ""


Parts = tuple[Located | Expansion, ...]


@dataclass(frozen=True, slots=True)
class ShellWord:
    """One word; ``items`` are those of an array (``NAME=(a b)``), ``ansi`` says that bash and other shells read it differently."""

    parts: Parts
    start: int
    end: int
    items: tuple[Parts, ...] | None = None
    ansi: bool = False

    @property
    def text(self) -> str | None:
        """The word without its quotes; None when something in it is expanded."""
        return "".join(part.text for part in self.parts if isinstance(part, Located)) if _is_literal(self.parts) else None


@dataclass(frozen=True, slots=True)
class Assignment:
    """One assignment. ``inner`` is the text inside the quotes or brackets if there is a single pair, else as written.

    ``where`` spans from the name to the end of the value, ``written`` is the value with its quotes. ``adds`` is bash's ``+=``.
    """

    name: str
    adds: bool
    parts: Parts
    items: tuple[Parts, ...] | None
    inner: Token
    written: Span
    where: Span
    ansi: bool = False


@dataclass(frozen=True, slots=True)
class Statement:
    """Words between two operators. ``after`` is the operator that ends them (empty: the end of the file).

    ``broken``: a quote or bracket in it is never closed, so that the shell stops with a syntax error. ``redirected``: from or to a file
    that may not be there. ``documents``: what is expanded in the here-documents that follow its line.
    """

    words: tuple[ShellWord, ...]
    after: str
    where: Span
    broken: bool = False
    redirected: bool = False
    documents: Parts = ()


def statements(text: GuestText, *, crlf: bool = False) -> Iterator[Statement]:
    """The statements of ``text``. A carriage return is a character like any other, with ``crlf`` part of the line's end."""
    return _Reader(text, crlf).statements()


def assignment(text: GuestText, word: ShellWord) -> Assignment | None:
    """``word`` as ``NAME=value``; None when it is something else."""
    match = _ASSIGN.match(text.content, word.start, word.end)
    if match is None or (not word.parts and word.items is None):
        return None
    begin, end = match.end(), word.end
    enclosed = _ENCLOSED.fullmatch(text.content, begin, end) is not None
    inner = text.token(begin + 1, end - 1) if enclosed else text.token(begin, end)
    parts = _without(word.parts, begin - word.start)
    where = text.span(word.start, end)
    return Assignment(match[1], bool(match[2]), parts, word.items, inner, text.span(begin, end), where, word.ansi)


def _is_literal(parts: Parts) -> bool:
    return all(isinstance(part, Located) for part in parts)


def _without(parts: Parts, size: int) -> Parts:
    """The parts of a word after ``NAME=``, which is literal."""
    first = parts[0]
    assert isinstance(first, Located), "a name is literal"
    rest = first.part(size, len(first.text))
    return (rest, *parts[1:]) if rest else parts[1:]


class _Reader:
    """Splits a file into statements of words. Anything opened but never closed ends with its line, for the first few such cases."""

    def __init__(self, text: GuestText, crlf: bool) -> None:
        self.text, self.content = text, text.content
        self.blank, self.space, self.end = (_BLANK_CRLF, _SPACE_CRLF, _END_CRLF) if crlf else (_BLANK, _SPACE, _END)
        self.at = self.words = self.broken = 0
        self.ansi = self.redirected = self.listing = False
        self.documents: list[tuple[str, bool, bool]] = []

    def statements(self) -> Iterator[Statement]:
        """The words up to each operator."""
        found: list[ShellWord] = []
        start = broken = 0
        while self.at < len(self.content) and self.words < MAX_WORDS:
            if blank := self.blank.match(self.content, self.at):
                self.at = blank.end()
            elif self.content[self.at] == "#":
                self.at = self._line_end()
            elif redirect := _REDIRECT.match(self.content, self.at):
                self._redirect(redirect, found)
            elif end := self.end.match(self.content, self.at):
                where, is_broken = self._span(found, start), self.broken > broken
                self.at = end.end()
                # The text of a here-document is expanded before what follows on its line.
                self.redirected |= bool(self.documents) and not end[0].endswith("\n") and _SETS.search(self.content, self.at) is not None
                documents = self._here_documents(end[0])
                yield Statement(tuple(found), end[0].strip("\r"), where, is_broken, self.redirected, documents)
                found, start, broken, self.redirected = [], self.at, self.broken, False
            else:
                found.append(self._word())
                self.words += 1
                if self._raw(found[-1]) == "[[" and all(self._raw(word) in _BEFORE for word in found[:-1]):
                    found += self._condition()
        broken_off = self.broken > broken or self.words >= MAX_WORDS
        yield Statement(tuple(found), "", self._span(found, start), broken_off, self.redirected)

    def _raw(self, word: ShellWord) -> str:
        return self.content[word.start : word.end]

    def _condition(self) -> Iterator[ShellWord]:
        """The words after bash's ``[[`` up to ``]]``, with the operators between them as words."""
        last = ""
        while self.at < len(self.content) and self.words < MAX_WORDS and last != "]]":
            start = self.at
            if blank := (self.space if last in ("&&", "||") else self.blank).match(self.content, start):
                self.at = blank.end()
                continue
            operator = self.end.match(self.content, start) or _REDIRECT.match(self.content, start)
            if operator and operator[0].endswith("\n"):
                break
            self.at = operator.end() if operator else start
            word = ShellWord((literal(self.text, start, self.at),), start, self.at) if operator else self._word()
            self.words += 1
            last = self._raw(word)
            yield word
        self.broken += last != "]]"

    def _span(self, words: list[ShellWord], start: int) -> Span:
        return self.text.span(words[0].start, words[-1].end) if words else self.text.span(start, self.at)

    def _redirect(self, match: re.Match[str], words: list[ShellWord]) -> None:
        """Skip a redirection with its descriptor and target; the text of a here-document follows its line."""
        if words and words[-1].end == match.start() and self.content[words[-1].start : words[-1].end].isdigit():
            words.pop()
        self.at = match.end()
        if blank := self.blank.match(self.content, self.at):
            self.at = blank.end()
        if self.at >= len(self.content) or self.content[self.at] == "#" or self.end.match(self.content, self.at):
            self.broken += 1
            return
        target = self._word()
        is_document = match[0] in ("<<", "<<-")
        self.redirected |= not words or (
            not is_document and (target.text is None or match[0] not in (">&", "<&")) and target.text != "/dev/null"
        )
        if is_document and len(self.documents) < MAX_DOCUMENTS:
            written = self.content[target.start : target.end]
            self.documents.append((target.text or written, match[0] == "<<-", not set(written) & set("'\"\\")))

    def _here_documents(self, operator: str) -> Parts:
        """Skip the texts of here-documents; what is expanded in them."""
        if not operator.endswith("\n"):
            return ()
        found: list[Expansion] = []
        for word, tabs, is_expanded in self.documents:
            indent = r"\t*" if tabs else ""
            end = re.compile(rf"^{indent}{re.escape(word)}$\n?", re.MULTILINE).search(self.content, self.at)
            self.broken += end is None
            begin, self.at = self.at, end.end() if end else len(self.content)
            texts = _EXPANDED.finditer(self.content, begin, self.at) if is_expanded else ()
            found += [_evaluated(self.text, match) or Expansion("", written=match[0]) for match in texts]
        self.documents.clear()
        return tuple(found)

    def _line_end(self) -> int:
        end = self.content.find("\n", self.at)
        return len(self.content) if end < 0 else end - (self.content[end - 1 : end] == "\r")

    def _word(self) -> ShellWord:
        start, self.ansi = self.at, False
        parts: list[Located | Expansion] = []
        items: tuple[Parts, ...] | None = None
        while self.at < len(self.content) and not self._is_over():
            if self.content.startswith("\\\n", self.at):
                self.at += 2  # a continued line: the word goes on
                continue
            parts.extend(self._piece(start))
            if not self.listing and self.content[self.at : self.at + 1] == "(" and _ASSIGN.fullmatch(self.content, start, self.at):
                items = self._list()
        return ShellWord(_merged(parts), start, self.at, items, self.ansi)

    def _is_over(self) -> bool:
        char = self.content[self.at]
        return char in " \t" or self.end.match(self.content, self.at) is not None or (char == "\r" and self.end is _END_CRLF)

    def _list(self) -> tuple[Parts, ...]:
        """The words of a bash array."""
        end = self._closing(self.at + 1, ")")
        if end < 0:
            self.at = self._broken()
            return ()
        self.at += 1
        self.listing = True  # a list within a list is a syntax error
        found: list[Parts] = []
        while self.at < end and self.words < MAX_WORDS:
            if space := self.space.match(self.content, self.at):
                self.at = space.end()
            elif self._is_over():
                self.broken += 1
                break
            else:
                start, ansi = self.at, self.ansi or self.content[self.at] == "["  # an index
                found.append(self._word().parts)
                # Braces and patterns become several words.
                self.ansi |= ansi or _SEVERAL.search(_QUOTES.sub("", self.content[start : self.at])) is not None
                self.words += 1
        self.listing = False
        self.broken += self.at > end
        self.at = max(self.at, end + 1)
        return tuple(found)

    def _piece(self, word: int) -> list[Located | Expansion]:
        char, start = self.content[self.at], self.at
        if char == "'":
            return [self._until("'")]
        if char == '"':
            return self._double()
        if char == "\\":
            self.at = min(start + 2, len(self.content))
            self.ansi |= self.at == start + 1  # the last character of the file
            return [literal(self.text, start + 1, self.at)]
        if char in "$`":
            return [self._expansion(quoted=False)]
        if char == "~":
            self.at = start + 1
            # The home of whoever runs the shell: at the beginning of a word or value, and after a colon.
            return [Expansion("")] if start == word or self.content[start - 1] in "=:\n" else [literal(self.text, start, self.at)]
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
                parts.append(self._expansion(quoted=True))
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

    def _expansion(self, *, quoted: bool) -> Located | Expansion:
        start = self.at
        if match := _NAME.match(self.content, start):
            self.at = match.end()
            return _named(self.text, match)
        if match := _SPECIAL.match(self.content, start):
            self.at = match.end()
            return Expansion("")
        pairs = {"`": "`", "$(": ")", "${": "}"}
        opening = "`" if self.content[start] == "`" else self.content[start : start + 2]
        if opening not in pairs:
            self.at = start + 1
            self.broken += opening == "$["
            self.ansi |= opening == "$\\" or (not quoted and opening in ("$'", '$"'))
            return literal(self.text, start, start + 1)
        end = self._closing(start + len(opening), pairs[opening])
        if end < 0:
            self.at = start + len(opening)
            return literal(self.text, start, self.at)
        self.at = end + 1
        written = self.content[start : end + 1]
        return Expansion("", written=written if written.startswith(("${", "$((")) else "")

    def _closing(self, start: int, close: str) -> int:
        """The offset at which ``close`` ends the construct, allowing for nested brackets and quotes; -1 when nothing does."""
        opening, depth = {")": "(", "}": "{"}.get(close, ""), 1
        if self.broken > MAX_OPEN:  # each search goes to the end of the file: quadratic for a file of open brackets
            return -1
        signs = re.compile(rf"\\.|(?<=[ \t\n(])#[^\n]*|'[^']*'|\"(?:[^\"\\]|\\.)*\"|[{re.escape(opening + close)}]", re.DOTALL)
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


def _named(text: GuestText, match: re.Match[str]) -> Expansion:
    return Expansion(match[1] or match[4], match[2] or ":-", literal(text, *match.span(3)) if match[3] else Located())


def _evaluated(text: GuestText, match: re.Match[str]) -> Expansion | None:
    found = _NAME.fullmatch(text.content, *match.span())
    return _named(text, found) if found else None


def _merged(parts: list[Located | Expansion]) -> Parts:
    """Join adjacent pieces of text."""
    found: list[Located | Expansion] = []
    for is_text, group in itertools.groupby(parts, lambda part: isinstance(part, Located)):
        pieces = list(group)
        found += [join(piece for piece in pieces if isinstance(piece, Located))] if is_text else pieces
    return tuple(found)
