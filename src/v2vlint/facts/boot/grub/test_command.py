"""GRUB's ``test`` command (grub-core/commands/test.c of 2.00 and later) in three-valued logic.

Terms up to the next ``-o`` are joined by "and", with ``-a`` between them or without; where there is no term, the answer is true. What the
last name of a path leads to is not looked at: a symbolic link is there, and is no folder.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import takewhile

from v2vlint.facts.boot.grub.files import GuestPath
from v2vlint.guest.fs import GuestFS

Verdict = Callable[[GuestFS], bool | None]
MAX_WORDS = 200
MAX_PARENTHESES = 20
_NUMBER = re.compile(r"\s*(0[xX][0-9a-fA-F]{1,20}|0[0-7]{1,30}|[0-9]{1,30})")
_OCTAL = tuple(f"0{digit}" for digit in range(8))
_NEWER = re.compile(r"-([no])t(.*)", re.DOTALL)
_TIMED = frozenset({"ext2", "ext3", "ext4", "xfs", "btrfs"})
"""Filesystems whose times of change GRUB reads in every version since 2.00."""

_FILE_TESTS = ("-e", "-f", "-d", "-s")
_TEXT_TESTS: dict[str, Callable[[str, str], bool]] = {
    "=": lambda a, b: a == b, "==": lambda a, b: a == b, "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b, "<=": lambda a, b: a <= b, ">": lambda a, b: a > b, ">=": lambda a, b: a >= b,
}  # fmt: skip
_NUMBER_TESTS: dict[str, Callable[[int, int], bool]] = {
    "-eq": lambda a, b: a == b, "-ne": lambda a, b: a != b, "-lt": lambda a, b: a < b, "-le": lambda a, b: a <= b,
    "-gt": lambda a, b: a > b, "-ge": lambda a, b: a >= b,
}  # fmt: skip
_BEHIND_TESTS: dict[str, Callable[[int, int], bool]] = {"-pgt": lambda a, b: a > b, "-plt": lambda a, b: a < b}
"""The numbers after a common prefix."""
_COMPARISONS = frozenset({*_TEXT_TESTS, *_NUMBER_TESTS, *_BEHIND_TESTS})
_DIGITS = tuple("0123456789")
_MAX_UNSIGNED = (1 << 64) - 1


def evaluate(words: Sequence[str | None], locate: Callable[[str], GuestPath]) -> Verdict:
    """The value of the words between ``[`` and ``]``; None stands for an unknown word."""
    return lambda fs: _Test(list(words[:MAX_WORDS]), fs, locate).expression()


class _Test:
    def __init__(self, words: list[str | None], fs: GuestFS, locate: Callable[[str], GuestPath]) -> None:
        self.words, self.fs, self.depth = words, fs, 0
        self.locate: Callable[[str], GuestPath] = lambda operand: locate(_rooted(operand))

    def expression(self) -> bool | None:
        """Up to the end, or to the closing parenthesis."""
        before: bool | None = False
        now: bool | None = True
        invert = False
        while self.words:
            if self.words[0] in ("!", "-a", "-o", ")") and not self.is_comparison():
                word = self.words.pop(0)
                if word == ")":
                    break
                invert ^= word == "!"
                before, now = (_either(before, now), True) if word == "-o" else (before, now)
                continue
            term = self.term()
            now = _both(now, term if term is None else term ^ invert)
            invert = False
        return _either(before, now)

    def is_comparison(self) -> bool:
        operator = self.words[1] if len(self.words) > 2 else ""
        return operator is not None and (operator in _COMPARISONS or _NEWER.match(operator) is not None)

    def term(self) -> bool | None:
        if self.is_comparison():
            left, operator, right = self.words.pop(0), self.words.pop(0), self.words.pop(0)
            return None if left is None or right is None else self.compare(left, operator or "", right)
        word = self.words.pop(0)
        if word in ("-n", "-z", *_FILE_TESTS) and self.words:
            return self.unary(word or "", self.words.pop(0))
        if word == "(":
            return self.group()
        return None if word is None else bool(word)

    def group(self) -> bool | None:
        if self.depth == MAX_PARENTHESES:
            self.words.clear()
            return None
        self.depth += 1
        inner = self.expression()
        self.depth -= 1
        return inner

    def compare(self, left: str, operator: str, right: str) -> bool | None:
        if match := _NEWER.match(operator):
            first, second = self.changed(left), self.changed(right)
            return None if first is None or second is None else _is_newer(first, second, match[1], _number(match[2]))
        if operator in _TEXT_TESTS:
            return _TEXT_TESTS[operator](left, right)
        if operator in _BEHIND_TESTS:
            start = _common(left, right)
            return _BEHIND_TESTS[operator](_unsigned(left[start:]), _unsigned(right[start:]))
        return _NUMBER_TESTS[operator](_number(left), _number(right))

    def unary(self, operator: str, operand: str | None) -> bool | None:
        if operand is None:
            return None
        if operator in ("-n", "-z"):
            return bool(operand) == (operator == "-n")
        # test.c looks up -d, -e and -f in the listing of the folder, which shows a link as such; -s opens the file.
        if operator != "-s" and self.is_link(operand):
            return operator != "-d"
        place = self.locate(operand)
        if place.foreign:
            return None if place.exists and operator != "-e" else place.exists
        if not place.exists and place.certain:
            return False
        if operator == "-d":
            return self.fs.is_dir(place.path)
        path, found = place.path, self.fs.stat(place.path)
        return found is not None and (operator == "-e" or (self.fs.is_file(path) and (operator == "-f" or found.size > 0)))

    def is_link(self, operand: str) -> bool:
        """Whether the last name of a path is a symbolic link."""
        folder, slash, name = operand.rstrip("/").rpartition("/")
        place = self.locate(f"{folder}/") if slash and name else None
        told = place is not None and place.certain and not place.foreign
        return place is not None and told and self.fs.readlink(f"{place.path.rstrip('/')}/{name}") is not None

    def changed(self, operand: str) -> int | None:
        """When a file was changed, in seconds; 0 if GRUB may see no time, -1 if there is no file, None if it is unknown."""
        place = self.locate(operand)
        if place.foreign or not place.certain or not operand.rpartition(")")[2].strip("/") or self.is_link(operand):
            return None
        found = self.fs.stat(place.path)
        if found is None:
            return -1
        return max(int(found.mtime), 0) if self.fs.mounts[self.fs.mount_of(place.path)].type in _TIMED else 0


def _rooted(operand: str) -> str:
    """test.c, unlike the commands that open files, takes a name without a slash for one in the top folder, and none for the folder."""
    device, bracket, path = operand.rpartition(")")
    return operand if "/" in path else f"{device}{bracket}/{path}"


def _both(one: bool | None, other: bool | None) -> bool | None:
    return False if False in (one, other) else None if None in (one, other) else True


def _either(one: bool | None, other: bool | None) -> bool | None:
    return True if True in (one, other) else None if None in (one, other) else False


def _is_newer(first: int, second: int, kind: str, bias: int) -> bool | None:
    """``-nt`` and ``-ot``, which may be followed by seconds that are added to the first time."""
    if min(first, second) < 0:
        return first > second if kind == "n" else first < second
    if not first or not second:
        return None
    return first + bias > second if kind == "n" else first + bias < second


def _common(left: str, right: str) -> int:
    """The length of the common prefix of two words, without trailing digits unless it consists of digits only."""
    size = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(left, right, strict=False)))
    end = size - 1
    while end > 0 and left[end : end + 1] in _DIGITS:
        end -= 1
    return max(end + 1, 0)


def _number(text: str) -> int:
    """A signed 32-bit number, truncated if necessary (``grub_strtosl`` of test.c)."""
    value = -_unsigned(text[1:]) if text.startswith("-") else _unsigned(text)
    return (value + (1 << 31)) % (1 << 32) - (1 << 31)


def _unsigned(text: str) -> int:
    """The result of GRUB's strtoul: the number at the start of the text, or 0."""
    found = _NUMBER.match(text)
    if found is None:
        return 0
    digits = found[1].lower()
    base = 16 if digits.startswith("0x") else 8 if digits[:2] in _OCTAL else 10
    return min(int(digits, base), _MAX_UNSIGNED)
