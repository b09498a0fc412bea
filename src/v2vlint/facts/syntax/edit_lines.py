"""Edits of whole lines and tokens that leave everything else, including line endings, unchanged."""

from __future__ import annotations

from collections.abc import Iterable

from v2vlint.guest.text import GuestText
from v2vlint.model.fix import ReplaceText
from v2vlint.model.place import Span, Token


def newline(text: GuestText) -> str:
    r"""The line ending of this file (that of its first line; ``\n`` when it has none)."""
    content = text.content
    position = content.find("\n")
    return "\r\n" if position > 0 and content[position - 1] == "\r" else "\n"


def whole_lines(text: GuestText, where: Span) -> Span:
    """``where`` extended to whole lines, including the last line's ending."""
    content = text.content
    end = content.find("\n", where.end)
    return text.span(content.rfind("\n", 0, where.start) + 1, len(content) if end < 0 else end + 1)


def delete_lines(text: GuestText, where: Span) -> ReplaceText:
    """Delete the lines ``where`` touches."""
    lines = whole_lines(text, where)
    return ReplaceText(lines, text.content[lines.start : lines.end], "")


def delete_all(text: GuestText, places: Iterable[Span]) -> tuple[ReplaceText, ...]:
    """Delete the lines of each place; adjacent and repeated ones become one edit."""
    merged: list[tuple[int, int]] = []
    for lines in sorted(whole_lines(text, place) for place in places):
        if merged and lines.start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], lines.end))
        else:
            merged.append((lines.start, lines.end))
    return tuple(ReplaceText(text.span(start, end), text.content[start:end], "") for start, end in merged)


def insert_line_after(text: GuestText, where: Span, line: str) -> ReplaceText:
    """Insert ``line`` below the line on which ``where`` ends."""
    lines, end = whole_lines(text, where), newline(text)
    ended = text.content[lines.start : lines.end].endswith("\n")
    at = text.span(lines.end, lines.end)
    return ReplaceText(at, "", f"{line}{end}" if ended else f"{end}{line}")


def replace_token(token: Token, text: str) -> ReplaceText:
    """Replace ``token`` with ``text``."""
    return ReplaceText(token.where, token.value, text)


def comment_out(where: Span, mark: str = "#") -> ReplaceText:
    """Comment out the (one-line) place by inserting ``mark`` before it."""
    return ReplaceText(Span(where.path, where.start, where.start, where.line, where.column), "", mark)


def slice_token(token: Token, start: int, end: int) -> Token:
    """``token.value[start:end]`` with its own place."""
    before = token.value[:start]
    where, breaks = token.where, before.count("\n")
    column = start - before.rfind("\n") if breaks else where.column + start
    begin = where.start + start
    return Token(token.value[start:end], Span(where.path, begin, where.start + end, where.line + breaks, column))
