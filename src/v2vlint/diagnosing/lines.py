"""Lines as a guest printed them: without what a logger put in front of them, and whole where a screen broke them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from v2vlint.console.signatures import failures, marks, troubles
from v2vlint.console.story import MAX_LENGTH

MAX_SCREEN = 60
"""The lines of the largest text screen that is taken for one: 132 columns and 60 rows, and firmware's are smaller."""
_COLUMNS = frozenset({80, 100, 128, 132})
_DATE = r"\d{4}[-/]\d\d[-/]\d\d(?:[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?: ?(?:Z|UTC|[+-]\d\d:?\d\d))?)?"
_TIME = r"\d\d:\d\d:\d\d(?:[.,]\d+)?"
# ts(1) and loggers; Kubernetes' and Docker's; syslog; dmesg --raw.
_STAMP = re.compile(rf"\[?(?:{_DATE}|{_TIME})\]?:? (?:std(?:out|err) [FP] )?|<\d{{1,3}}>(?=\[)")
_SYSLOG = re.compile(rf"(?:[A-Z][a-z]{{2}} [ \d]\d {_TIME}|{_DATE}) [\w.-]+ (?!login:)(?:kernel: )?(?=\S+(?:\[\d+\])?: |\[ *\d+\.\d+\] )")

_KERNEL_LINE = re.compile(r"\[ *\d+\.\d+\] |Linux version ")

Numbered = tuple[int, str]


def bare(line: str) -> str:
    """``line`` without a time and a host in front."""
    match = _SYSLOG.match(line) or _STAMP.match(line)
    return line[match.end() :] if match else line


def unbroken(lines: Iterable[Numbered]) -> Iterator[Numbered]:
    """Every line without a stamp. Where one fills the screen's width, or ends inside a name, and a message begins there and ends in the
    next line, the two come together first: they are one line.
    """
    head: Numbered | None = None
    for number, line in lines:
        text = bare(line)
        if head is not None:
            if _is_broken(head[1], text):
                yield head[0], head[1] + text
            yield head
        head = (number, text) if len(text) in _COLUMNS or text.endswith("_") else None
        if head is None:
            yield number, text
    if head is not None:
        yield head


def _is_broken(head: str, tail: str) -> bool:
    """Whether a message goes from ``head`` on into ``tail``, and is not in ``tail`` alone."""
    if len(head) >= MAX_LENGTH or _KERNEL_LINE.match(tail):
        return False
    text, place = (head + tail)[:MAX_LENGTH], len(head)
    patterns = (*(one.exact for one in (*failures(), *troubles())), *(mark.pattern for mark in marks()))
    found = ((pattern, match) for pattern in patterns if (match := pattern.search(text)))
    return any(match.start() < place < match.end() and not pattern.search(tail) for pattern, match in found)


def dedented(lines: list[Numbered]) -> list[Numbered]:
    """A screen's lines without the margin that all of them have."""
    margin = min((len(line) - len(line.lstrip()) for _number, line in lines if line.strip()), default=0)
    return [(number, line[margin:]) for number, line in lines]


def joined(lines: Iterable[Numbered]) -> Iterator[Numbered]:
    """A screen's lines in pairs, for sentences and names that go on in the next row."""
    before = ""
    for number, line in lines:
        text = line.strip()
        if before:
            yield number, before + ("" if before[-1] in "_-\\" else " ") + text
        before = text
