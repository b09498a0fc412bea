"""Numbers in text that guests wrote."""

from __future__ import annotations

MAX = (1 << 64) - 1


def decimal(text: str) -> int:
    """The number that decimal digits make, at most 2**64 - 1, as strtoull(3) limits it: ``int`` refuses more than 4,300 digits."""
    return min(int(text.lstrip("0")[:21] or "0"), MAX)
