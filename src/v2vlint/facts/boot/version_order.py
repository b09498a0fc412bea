"""systemd's order of versions (UAPI.10; ``strverscmp_improved`` of systemd), which differs from RPM's, used by GRUB."""

from __future__ import annotations

import re

_DROPPED = re.compile(r"\A[^a-zA-Z0-9.~^-]+")
_RUN = {True: re.compile(r"[0-9]*"), False: re.compile(r"[a-zA-Z]*")}
_LOWER = ("-", "^", ".")


def systemd_compare(left: str, right: str) -> int:
    """-1, 0 or 1 as ``left`` is older, equal or newer."""
    a, b = left, right
    while True:
        a, b = _DROPPED.sub("", a, count=1), _DROPPED.sub("", b, count=1)
        if order := _marked(a, b, "~"):
            return order
        a, b = _past(a, b, "~")
        if not a or not b:
            return bool(a) - bool(b)
        for mark in _LOWER:
            if order := _marked(a, b, mark):
                return order
            a, b = _past(a, b, mark)
        run = _RUN[a[:1].isdigit() or b[:1].isdigit()]
        one, two = _leading(run, a), _leading(run, b)
        if order := _segments(one, two):
            return order
        a, b = a[len(one) :], b[len(two) :]


def _marked(a: str, b: str, mark: str) -> int:
    """The string that starts with ``mark`` is the older one."""
    return b.startswith(mark) - a.startswith(mark)


def _past(a: str, b: str, mark: str) -> tuple[str, str]:
    return (a[1:], b[1:]) if a.startswith(mark) else (a, b)


def _leading(run: re.Pattern[str], text: str) -> str:
    found = run.match(text)
    return found[0] if found else ""


def _segments(one: str, two: str) -> int:
    """Numbers compare by value and are newer than anything else; letters compare by their codes, and a prefix is older than a longer
    word.
    """
    if not (one[:1].isdigit() or two[:1].isdigit()):
        return (one > two) - (one < two)
    if bool(one) != bool(two):
        return bool(one) - bool(two)
    ours, theirs = one.lstrip("0"), two.lstrip("0")
    first, second = (len(ours), ours), (len(theirs), theirs)
    return (first > second) - (first < second)
