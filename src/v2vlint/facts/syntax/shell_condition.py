"""The grammar of bash's ``[[``, whose answer is not told::

if [[ ! -f /etc/a && ( $A == b* || -n $B ) ]]; then
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_UNARY = re.compile(r"-[A-Za-z]")
_BINARY = re.compile(r"==?|!=|[<>]|-(?:eq|ne|lt|le|gt|ge|nt|ot|ef)")
_OPERATOR = re.compile(r"[;&|()<>]+")
# Their operands are arithmetic, which may set variables; so may the index of the name that ``-v`` takes.
_COMPARES = frozenset({"-eq", "-ne", "-lt", "-le", "-gt", "-ge", "-v"})


def can_be_read(words: Sequence[str], *, bash: bool) -> bool:
    """Whether ``words``, those after ``[[`` as they are written, are a condition. Other shells know no such command, and only split it."""
    *inner, end = words or [""]
    if not bash:
        return not any(_OPERATOR.fullmatch(word) for word in words)
    if "=~" in inner:  # what follows is a pattern, split into words as if it were none
        return end == "]]"
    pieces: list[list[str]] = [[]]
    for word in inner:
        if word in ("&&", "||"):
            pieces.append([])
        elif word not in ("(", ")") and (word != "!" or pieces[-1]):
            pieces[-1].append(word)
    return end == "]]" and inner.count("(") == inner.count(")") and all(map(_is_one, pieces))


def _is_one(words: Sequence[str]) -> bool:
    """Whether these are a condition without ``&&`` and the like."""
    if len(words) == 3 and _BINARY.fullmatch(words[1]):
        words = (words[0], words[2])
    elif len(words) == 2 and _UNARY.fullmatch(words[0]):
        words = words[1:]
    elif len(words) != 1:
        return False
    return not any(map(_OPERATOR.fullmatch, words))


def compares(words: Iterable[str | None]) -> bool:
    """Whether a condition of ``words`` may set variables."""
    return not _COMPARES.isdisjoint(words)
