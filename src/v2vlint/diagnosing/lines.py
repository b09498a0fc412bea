"""Lines as a guest printed them: without what a logger put in front of them, and whole where a screen broke them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

MAX_SCREEN = 60
"""The lines of the largest text screen that is taken for one: 132 columns and 60 rows, and firmware's are smaller."""
_COLUMNS = frozenset({80, 100, 128, 132})
_DATE = r"\d{4}[-/]\d\d[-/]\d\d(?:[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?: ?(?:Z|UTC|[+-]\d\d:?\d\d))?)?"
_TIME = r"\d\d:\d\d:\d\d(?:[.,]\d+)?"
# ts(1) and loggers; Kubernetes' and Docker's; syslog; dmesg --raw.
_STAMP = re.compile(rf"\[?(?:{_DATE}|{_TIME})\]?:? (?:std(?:out|err) [FP] )?|<\d{{1,3}}>(?=\[)")
_SYSLOG = re.compile(rf"(?:[A-Z][a-z]{{2}} [ \d]\d {_TIME}|{_DATE}) [\w.-]+ (?!login:)(?:kernel: )?(?=\S+(?:\[\d+\])?: |\[ *\d+\.\d+\] )")

Numbered = tuple[int, str]


def bare(line: str) -> str:
    """``line`` without a time and a host in front."""
    match = _SYSLOG.match(line) or _STAMP.match(line)
    return line[match.end() :] if match else line


def unbroken(lines: Iterable[Numbered]) -> Iterator[Numbered]:
    """Every line without a stamp. One that fills the screen's width, or ends inside a name, comes together with the next one first: they
    may be one line.
    """
    held: list[Numbered] = []
    for number, line in lines:
        text = bare(line)
        if held:
            yield held[0][0], held[0][1] + text
            yield held.pop()
        if len(text) in _COLUMNS or text.endswith("_"):
            held.append((number, text))
        else:
            yield number, text
    yield from held


def joined(lines: Iterable[Numbered]) -> Iterator[Numbered]:
    """A screen's lines in pairs, for sentences and names that go on in the next row."""
    before = ""
    for number, line in lines:
        text = line.strip()
        if before:
            yield number, before + ("" if before[-1] in "_-\\" else " ") + text
        before = text
