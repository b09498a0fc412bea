"""GRUB's ``test`` command (GRUB manual, "test") in three-valued logic."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from v2vlint.facts.boot.grub.files import GuestPath
from v2vlint.guest.fs import GuestFS

_UNTOLD = ("-nt", "-ot", "-pgt", "-plt")
"""Comparisons of times, and of numbers behind a common beginning, some with digits that follow."""
Verdict = Callable[[GuestFS], bool | None]
MAX_WORDS = 200
MAX_LONG = (1 << 63) - 1
_NUMBER = re.compile(r"\s*([-+]?)(0[xX][0-9a-fA-F]{1,20}|0[0-7]{0,30}|[1-9][0-9]{0,30})")

_FILE_TESTS = ("-e", "-f", "-d", "-s")
_TEXT_TESTS: dict[str, Callable[[str, str], bool]] = {
    "=": lambda a, b: a == b, "==": lambda a, b: a == b, "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b, "<=": lambda a, b: a <= b, ">": lambda a, b: a > b, ">=": lambda a, b: a >= b,
}  # fmt: skip
_NUMBER_TESTS: dict[str, Callable[[int, int], bool]] = {
    "-eq": lambda a, b: a == b, "-ne": lambda a, b: a != b, "-lt": lambda a, b: a < b, "-le": lambda a, b: a <= b,
    "-gt": lambda a, b: a > b, "-ge": lambda a, b: a >= b,
}  # fmt: skip


def evaluate(words: Sequence[str | None], locate: Callable[[str], GuestPath]) -> Verdict:
    """The value of the words between ``[`` and ``]``; None stands for an unknown word."""
    return lambda fs: _Test(list(words[:MAX_WORDS]), fs, locate).either()


class _Test:
    def __init__(self, words: list[str | None], fs: GuestFS, locate: Callable[[str], GuestPath]) -> None:
        self.words, self.fs, self.locate, self.depth = words, fs, locate, 0

    def either(self) -> bool | None:
        result = self.both()
        while self.words[:1] == ["-o"]:
            self.words.pop(0)
            other = self.both()
            result = True if True in (result, other) else None if None in (result, other) else False
        return result

    def both(self) -> bool | None:
        result = self.one()
        while self.words and self.words[0] not in ("-o", ")"):
            if self.words[0] == "-a":
                self.words.pop(0)
            other = self.one()
            result = False if False in (result, other) else None if None in (result, other) else True
        return result

    def one(self) -> bool | None:
        if len(self.words) > 2 and self.words[1] in (*_TEXT_TESTS, *_NUMBER_TESTS):
            left, operator, right = self.words.pop(0), self.words.pop(0), self.words.pop(0)
            return None if left is None or right is None else _compare(left, operator or "", right)
        if not self.words:
            return False
        if len(self.words) > 2 and (self.words[1] or "").startswith(_UNTOLD):
            del self.words[:3]
            return None
        word = self.words.pop(0)
        if word == "!":
            inner = self.one()
            return None if inner is None else not inner
        if word == "(" and self.depth < 20:
            return self.group()
        if word in ("-n", "-z", *_FILE_TESTS) and self.words:
            return self.unary(word or "", self.words.pop(0))
        return None if word is None else bool(word)

    def group(self) -> bool | None:
        self.depth += 1
        inner = self.either()
        self.depth -= 1
        if self.words[:1] == [")"]:
            self.words.pop(0)
        return inner

    def unary(self, operator: str, operand: str | None) -> bool | None:
        if operand is None:
            return None
        if operator in ("-n", "-z"):
            return bool(operand) == (operator == "-n")
        place = self.locate(operand)
        if place.foreign:
            return None if place.exists and operator != "-e" else place.exists
        if not place.exists and place.certain:
            return False
        if operator == "-d":
            return self.fs.is_dir(place.path)
        path, found = place.path, self.fs.stat(place.path)
        return found is not None and (operator == "-e" or (self.fs.is_file(path) and (operator == "-f" or found.size > 0)))


def _compare(left: str, operator: str, right: str) -> bool | None:
    if operator in _TEXT_TESTS:
        return _TEXT_TESTS[operator](left, right)
    return _NUMBER_TESTS[operator](_number(left), _number(right))


def _number(text: str) -> int:
    """The result of C's strtol: the number at the start of the text, or 0."""
    found = _NUMBER.match(text)
    if found is None:
        return 0
    digits = found[2].lower()
    value = int(digits, 16 if digits.startswith("0x") else 8 if digits.startswith("0") else 10)
    return max(min(-value if found[1] == "-" else value, MAX_LONG), -MAX_LONG - 1)
