"""Canonical Huffman codes, as used by LZX and XPRESS."""

from __future__ import annotations

from collections.abc import Callable, Sequence

Codes = dict[int, int]
"""Symbols by their code, with a one before its first bit."""
LONGEST = 16


def codes(lengths: Sequence[int]) -> Codes:
    """The code in which symbol N has the length ``lengths[N]`` (0: it does not occur)."""
    table: Codes = {}
    code = 0
    for length in range(1, LONGEST + 1):
        code <<= 1
        for symbol, own in enumerate(lengths):
            if own == length:
                table[1 << length | code] = symbol
                code += 1
    return table


def symbol(table: Codes, take: Callable[[int], int]) -> int:
    """The next symbol of a bit stream. ValueError when there is no such code."""
    code = 1
    for _ in range(LONGEST):
        code = code << 1 | take(1)
        found = table.get(code)
        if found is not None:
            return found
    raise ValueError("no such code")
