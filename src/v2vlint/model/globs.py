"""Shell patterns as :mod:`fnmatch` understands them. Nearly all have one ``*`` at most, and need no regular expression."""

from __future__ import annotations

import fnmatch
import functools
import re
from collections.abc import Callable


@functools.lru_cache(1024)
def matcher(pattern: str) -> Callable[[str], object]:
    """A function that returns a true value if a name matches ``pattern`` (``*``, ``?``, ``[…]``)."""
    head, star, tail = pattern.partition("*")
    if "?" in pattern or "[" in pattern or "*" in tail:
        return re.compile(fnmatch.translate(pattern)).match
    if not star:
        return pattern.__eq__
    least = len(head) + len(tail)
    return lambda name: len(name) >= least and name.startswith(head) and name.endswith(tail)
