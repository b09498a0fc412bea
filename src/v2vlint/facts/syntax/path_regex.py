"""Regular expressions for paths in file_contexts(5), matched in bounded time: the guest chooses both the expression and the path.

Supported is what policies use: literals, classes, groups, alternatives and repetition. :class:`Unsupported` is raised for the rest.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

from v2vlint.model.errors import Unsupported

MAX_PATTERN = 1000
MAX_DEPTH = 20
MAX_STEPS = 20_000
MAX_COUNT = 256

Positions = frozenset[int]
Part = Callable[["Run", Positions], Positions]
"""Where a part of an expression can end that begins at one of some positions."""


class Run:
    """One match, aborted when it takes too many steps."""

    def __init__(self, text: str) -> None:
        self.text, self._steps = text, 0

    def step(self, count: int) -> None:
        """Count a step."""
        self._steps += 1 + count
        if self._steps > MAX_STEPS:
            raise Unsupported("an expression that takes too long")


@functools.lru_cache(maxsize=8192)
def compiled(pattern: str) -> Part:
    """Compile ``pattern``."""
    if len(pattern) > MAX_PATTERN:
        raise Unsupported("too long an expression")
    parser = _Parser(pattern)
    part = parser.alternatives(0)
    if parser.at < len(pattern):
        raise Unsupported("an unbalanced expression")
    return part


def matches(pattern: str, text: str) -> bool:
    """Whether the whole of ``text`` matches."""
    return len(text) in compiled(pattern)(Run(text), frozenset({0}))


def literal_prefix(pattern: str) -> str:
    """The literal prefix of every match; the whole pattern when it is a literal."""
    found: list[str] = []
    at = 0
    if "|" in pattern and _has_branches(pattern):
        return ""
    while at < len(pattern):
        char = pattern[at]
        if char == "\\" and at + 1 < len(pattern) and not pattern[at + 1].isalnum():
            char, at = pattern[at + 1], at + 1
        elif char in ".^$?*+|[({\\":
            return "".join(found[:-1] if char in "?*{" else found)  # the character before it may be absent
        found.append(char)
        at += 1
    return "".join(found)


def _has_branches(pattern: str) -> bool:
    """Whether there is a bar outside of groups; also true when that cannot be determined."""
    depth, escaped = 0, False
    for char in pattern:
        depth += 0 if escaped else (char == "(") - (char == ")")
        if char == "|" and depth <= 0 and not escaped:
            return True
        escaped = char == "\\" and not escaped
    return depth != 0


class _Parser:
    """Recursive descent over an expression."""

    def __init__(self, pattern: str) -> None:
        self.pattern, self.at = pattern, 0

    def _peek(self) -> str:
        return self.pattern[self.at : self.at + 1]

    def _take(self) -> str:
        char = self._peek()
        if not char:
            raise Unsupported("an expression that ends early")
        self.at += 1
        return char

    def alternatives(self, depth: int) -> Part:
        """Branches separated by bars."""
        if depth > MAX_DEPTH:
            raise Unsupported("an expression of too many levels")
        branches = [self._sequence(depth)]
        while self._peek() == "|":
            self.at += 1
            branches.append(self._sequence(depth))
        return branches[0] if len(branches) == 1 else functools.partial(_any, tuple(branches))

    def _sequence(self, depth: int) -> Part:
        parts: list[Part] = []
        while self._peek() not in ("", "|", ")"):
            parts.append(self._counted(self._atom(depth)))
        return functools.partial(_all, tuple(parts))

    def _atom(self, depth: int) -> Part:
        char = self._take()
        if char == "(":
            if self.pattern.startswith("?:", self.at):
                self.at += 2
            inner = self.alternatives(depth + 1)
            if self._take() != ")":
                raise Unsupported("an unbalanced expression")
            return inner
        if char == "[":
            return self._class()
        if char in "*+?{^$":
            raise Unsupported(f"{char!r} in an expression")
        return functools.partial(_one, None if char == "." else frozenset({self._escaped() if char == "\\" else char}), True)

    def _escaped(self) -> str:
        char = self._take()
        if char.isalnum():
            raise Unsupported(f"'\\{char}' in an expression")
        return char

    def _class(self) -> Part:
        positive = self._peek() != "^"
        self.at += 0 if positive else 1
        chars: set[str] = set()
        while self._peek() != "]" or not chars:
            first = self._member()
            last = first
            if self._peek() == "-" and self.pattern[self.at + 1 : self.at + 2] not in ("", "]"):
                self.at += 1
                last = self._member()
            if ord(last) > 0x24F:  # `[ -\U0010ffff]` would be a set of a million characters
                raise Unsupported("a range of letters")
            chars.update(map(chr, range(ord(first), ord(last) + 1)))
        self.at += 1
        return functools.partial(_one, frozenset(chars), positive)

    def _member(self) -> str:
        char = self._take()
        if char == "[" and self._peek() in (":", ".", "="):
            raise Unsupported("a class of letters by name")
        return self._escaped() if char == "\\" else char

    def _counted(self, part: Part) -> Part:
        least, most = {"*": (0, -1), "+": (1, -1), "?": (0, 1)}.get(self._peek(), (1, 1))
        if self._peek() == "{":
            least, most = self._bounds()
        elif (least, most) == (1, 1):
            return part
        else:
            self.at += 1
        if self._peek() == "?":
            self.at += 1
        elif self._peek() in ("*", "+", "{"):
            raise Unsupported("counts of counts in an expression")
        return functools.partial(_repeated, part, least, most)

    def _bounds(self) -> tuple[int, int]:
        end = self.pattern.find("}", self.at)
        low, comma, high = self.pattern[self.at + 1 : max(end, 0)].partition(",")
        if end < 0 or not low.isdecimal() or (high and not high.isdecimal()) or max(int(low), int(high or 0)) > MAX_COUNT:
            raise Unsupported("a count in an expression")
        self.at = end + 1
        return int(low), int(high) if high else -1 if comma else int(low)


def _one(chars: frozenset[str] | None, positive: bool, run: Run, starts: Positions) -> Positions:
    run.step(len(starts))
    text = run.text
    return frozenset(at + 1 for at in starts if at < len(text) and (chars is None or (text[at] in chars) is positive))


def _all(parts: tuple[Part, ...], run: Run, starts: Positions) -> Positions:
    for part in parts:
        if not starts:
            return starts
        starts = part(run, starts)
    return starts


def _any(branches: tuple[Part, ...], run: Run, starts: Positions) -> Positions:
    return frozenset().union(*(branch(run, starts) for branch in branches))


def _repeated(part: Part, least: int, most: int, run: Run, starts: Positions) -> Positions:
    for _time in range(least):
        starts = part(run, starts)
    found, times = starts, least
    while starts and times != most:
        run.step(1)
        starts, times = part(run, starts) - found, times + 1  # new ends only: repeating an empty match ends
        found |= starts
    return found
