"""The logical lines of interfaces(5), as ifupdown's C strings have them: a NUL ends a line, and blank is what isspace() says."""

from __future__ import annotations

import re
from collections.abc import Iterator

from v2vlint.guest.text import GuestText
from v2vlint.model.place import Token

_WORD = re.compile(r"[^ \t\n\v\f\r]+")
_NOTHING = re.compile(r"[ \t\v\f\r]*(?:#|$)")
_NAMELESS = re.compile(r"[ \t\v\f\r]*(?:\\\n)+[ \t\n\v\f\r]")


def logical_lines(text: GuestText) -> Iterator[tuple[Token, ...]]:
    """The words of each logical line that is no comment. One that continues an empty line has the empty word as its keyword; a backslash
    before a carriage return continues nothing."""
    start, words = -1, list[Token]()
    for line in text.lines():
        said = line.text.partition("\0")[0]
        if start < 0 and _NOTHING.match(said):
            continue
        start, end = line.start if start < 0 else start, line.start + len(said)
        continued = said.endswith("\\") and not text.content.startswith("\r", end)
        words += [text.group(match) for match in _WORD.finditer(text.content, line.start, end - continued)]
        if continued:
            continue
        if words:
            yield _with_keyword(text, start, words)
        start, words = -1, []
    if words:
        yield _with_keyword(text, start, words)


def _with_keyword(text: GuestText, start: int, words: list[Token]) -> tuple[Token, ...]:
    return (text.token(start, start), *words) if _NAMELESS.match(text.content, start) else tuple(words)
