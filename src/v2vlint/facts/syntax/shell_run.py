"""What a shell's variables hold while it sources files (``shell_source``).

A value that depends on a condition, a command's output, a file that cannot be followed or a syntax error is unknown, with its reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import field, replace

from v2vlint.facts.syntax.located import Located, join
from v2vlint.facts.syntax.shell import Assignment, Expansion, Parts
from v2vlint.facts.syntax.shell_given import is_given
from v2vlint.guest.fs import GuestFS
from v2vlint.guest.text import GuestText
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import FactUnavailable
from v2vlint.model.place import Span

MAX_ASSIGNMENTS = 5000
_IDENTIFIER = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_NUMBER = re.compile(r"(?:0|[1-9]\d{0,8})?", re.ASCII)
_TERM = r"\s*(?:0|[1-9]\d{0,8}|[A-Za-z_]\w*)\s*"
_SUM = re.compile(rf"\$\(\({_TERM}(?:[-+*]{_TERM})*\)\)", re.ASCII)
_PARAMETER = r"(?:[A-Za-z_]\w*|\d+|[@*])"
_SETS = re.compile(r"\$\{([A-Za-z_]\w*):?=", re.ASCII)
_KEEPS = re.compile(rf"\$\{{(?:#?{_PARAMETER}\}}|{_PARAMETER}(?::?[-+]|[%#]))", re.ASCII)
_KEEPS_BASH = re.compile(
    rf"\$\{{#?{_PARAMETER}(?:\[[\d@*]+\])?(?:\}}|:?[-+]|[%#/^,]|: *-?\d+(?::\d+)?\}})",
    re.ASCII,
)
# Within the text of an expansion: any but the plain ones.
_NESTED = re.compile(rf"\$\{{(?!#?{_PARAMETER}(?:\}}|:?[-+]|[%#]))|\$\(\(|\$\[", re.ASCII)


@dataclass(frozen=True, slots=True)
class ShellValue:
    """What a variable holds. ``items`` are the words of an array. ``why`` is set where the value cannot be told.

    ``last`` is the assignment that decided, None after ``unset``.
    """

    text: Located = field(default_factory=Located)
    items: tuple[Located, ...] | None = None
    last: Assignment | None = None
    where: Span | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Made:
    """One assignment that was, or may have been, made: what the variable held then, and (``own``) what itself says."""

    assignment: Assignment
    value: ShellValue
    own: ShellValue


def _fits(parts: Iterable[Located]) -> bool:
    """Whether :func:`join` keeps all of them."""
    whole = list(parts)
    return len(join(whole).text) == sum(len(part.text) for part in whole)


class ShellRun:
    """The state of a shell. ``bash`` says which shell reads them; ``fs`` has the files that they source or ask for themselves."""

    def __init__(self, *, bash: bool = True, fs: GuestFS | None = None) -> None:
        self.bash, self.fs = bash, fs
        self._values: dict[str, ShellValue] = {}
        self._losses: list[ShellValue] = []
        self._seen: dict[str, int] = {}
        self.made: list[Made] = []
        self.commands: list[Span] = []
        self._readonly: set[str] = set()
        self._odd: dict[str, str] = {}
        self._functions: set[str] = set()
        # Why what follows may not be read: in this file, and in all files.
        self.maybe = self.ended = ""
        self.exits = False
        self.reading: list[str] = []
        self.sourced = 0

    def get(self, name: str) -> ShellValue:
        """What ``name`` holds; an unset variable is an empty value without ``last``."""
        value = self._values.get(name)
        if value is None:
            return self._losses[-1] if self._losses else ShellValue()
        since = self._seen[name]
        if since == len(self._losses):
            return value
        return ShellValue(where=self._losses[-1].where, why=value.why or self._losses[since].why, last=value.last)

    @property
    def values(self) -> dict[str, ShellValue]:
        """What the variables that were met hold, in the order of their last assignments."""
        return {name: self.get(name) for name in self._values}

    def _put(self, name: str, value: ShellValue) -> None:
        """Store a value, for which only what is lost from now on counts."""
        self._values[name] = value
        self._seen[name] = len(self._losses)

    def known(self, name: str) -> ShellValue:
        """As :meth:`get`; FactUnavailable when the value cannot be told."""
        value = self.get(name)
        if value.why and value.where is not None:
            raise FactUnavailable(value.where, f"the value of {name} cannot be told: {value.why}")
        return value

    def expand(self, parts: Parts, where: Span) -> ShellValue:
        """The text that ``parts`` become."""
        found: list[Located] = []
        for part in parts:
            if isinstance(part, Located):
                found.append(part)
                continue
            value = self._expanded(part, where)
            if value.why:
                return ShellValue(where=where, why=value.why)
            found.append(value.text)
        return ShellValue(join(found)) if _fits(found) else ShellValue(where=where, why="it is too long")

    def expands(self, parts: Parts, where: Span) -> None:
        """What else happens when ``parts`` are expanded: ``${NAME:=text}`` and arithmetic set variables, others end the shell."""
        for part in parts:
            if not isinstance(part, Expansion):
                continue
            if part.name:
                if part.operator.endswith("=") and not self._keeps(part):
                    self._set_within(part.name, where)
            elif part.written:
                self._not_evaluated(part.written, where)

    def _keeps(self, part: Expansion) -> bool:
        """Whether ``${NAME=text}`` surely finds a value."""
        value = self.get(part.name)
        return not value.why and bool(value.text or (value.last and not part.operator.startswith(":")))

    def _set_within(self, name: str, where: Span) -> None:
        if name in self._readonly:
            self.end(where, f"{name} is read-only")
        self.spoil(name, where, "it is set within another value")

    def _not_evaluated(self, written: str, where: Span) -> None:
        if written.startswith("$(("):
            if not (_SUM.fullmatch(written) and all(self._is_number(name) for name in _IDENTIFIER.findall(written))):
                self.end(where, "arithmetic may set variables or fail")
            return
        found = _SETS.match(written)
        if found:
            self._set_within(found[1], where)
        elif not (_KEEPS_BASH if self.bash else _KEEPS).match(written):
            self.end(where, "an expansion that is not read may end the shell")
        if _NESTED.search(written, 2):
            self.end(where, "an expansion within another one may set variables")

    def _is_number(self, name: str) -> bool:
        value = self.get(name)
        return not value.why and not is_given(name) and _NUMBER.fullmatch(value.text.text) is not None

    def _expanded(self, part: Expansion, where: Span) -> ShellValue:
        if not part.name:
            return ShellValue(where=where, why="the shell computes it")
        value = self.get(part.name)
        if not value.why and part.name not in self._values and is_given(part.name):
            return ShellValue(where=where, why=f"{part.name} comes from the environment")
        if value.why:
            return value
        is_there = bool(value.text) if part.operator.startswith(":") else value.last is not None
        if part.operator.endswith("+"):
            return ShellValue(part.otherwise) if is_there else ShellValue()
        if is_there:
            return value
        if part.operator.endswith("="):
            self._set_within(part.name, where)
        return ShellValue(part.otherwise)

    def assign(self, one: Assignment, *, maybe: str) -> None:
        """Make an assignment, or with ``maybe`` (a reason) perhaps make it."""
        if len(self.made) >= MAX_ASSIGNMENTS:
            self.end(one.where, "there are too many assignments")
            return
        before = self.get(one.name)
        own = self._own(one)
        for parts in one.items if one.items is not None else (one.parts,):
            self.expands(parts, one.where)
        value = self._added(before, own) if one.adds and not own.why else own
        if odd := self._odd.get(one.name, ""):
            self.end(one.where, f"{odd}, and may fail")
        if (reason := maybe or self.ended or self.maybe) and not value.why:
            value = ShellValue(where=one.where, why=reason)
        if one.name in self._readonly:
            self.end(one.where, f"{one.name} is read-only")
            value = ShellValue(where=one.where, why=f"{one.name} is read-only")
        value = replace(value, last=one, where=one.where)
        self._values.pop(one.name, None)  # the order is that of the last assignments
        self._put(one.name, value)
        self.made.append(Made(one, value, own))

    def _own(self, one: Assignment) -> ShellValue:
        why = ""
        if one.ansi:
            why = "it is written in a form of quoting that is not read"
        elif (one.adds or one.items is not None) and not self.bash:
            why = "it is written for another shell than the one that reads it"
        if why:
            return ShellValue(where=one.where, why=why)
        value = self.expand(one.parts, one.where) if one.items is None else self._array(one)
        return value if value.why else replace(value, last=one, where=one.where)

    def _array(self, one: Assignment) -> ShellValue:
        items: list[Located] = []
        for parts in one.items or ():
            value = self.expand(parts, one.where)
            if value.why:
                return value
            if any(isinstance(part, Expansion) for part in parts) and not self._is_one_word(value.text.text):
                return ShellValue(where=one.where, why="a variable in it becomes several words")
            items.append(value.text)
        return ShellValue(items[0] if items else Located(), tuple(items))

    def _is_one_word(self, text: str) -> bool:
        """Whether an expansion is this one word, quoted or not."""
        return text.split() == [text] and not set(text) & set("*[\\") and not {"?", "/"} <= set(text) and "IFS" not in self._values

    @staticmethod
    def _added(before: ShellValue, own: ShellValue) -> ShellValue:
        """bash's ``+=``: without an index, the first item of an array is meant."""
        if before.why:
            return before
        if own.items is None:
            if not _fits((before.text, own.text)):
                return ShellValue(where=own.where, why="it is too long")
            first = join((before.text, own.text))
            return ShellValue(first, None if before.items is None else (first, *before.items[1:]))
        items = (*(before.items if before.items is not None else (before.text,) if before.last else ()), *own.items)
        return ShellValue(items[0] if items else Located(), items)

    def unset(self, name: str, where: Span, *, maybe: str) -> None:
        """``unset name``."""
        if name in self._readonly:
            self.end(where, f"{name} is read-only")
        reason = maybe or self.ended or self.maybe
        self._values.pop(name, None)
        if reason or self._losses or is_given(name):
            self._put(name, ShellValue(where=where, why=reason))

    def spoil(self, name: str, where: Span, why: str) -> None:
        """Make one variable unknown."""
        self._put(name, ShellValue(where=where, why=why, last=self.get(name).last))

    def lose(self, where: Span, why: str) -> None:
        """Make every variable unknown: something that may set any of them was met."""
        self._losses.append(ShellValue(where=where, why=why))

    def end(self, where: Span, why: str) -> None:
        """Everything from here on may not have been read at all."""
        self.lose(where, why)
        self.ended = why

    @property
    def complete(self) -> bool:
        """Whether nothing was met that may have set any variable."""
        return not self._losses

    def mark(self, name: str, why: str) -> None:
        """``declare -i name`` and the like: whatever is assigned becomes something else."""
        self._odd[name] = why

    def protect(self, name: str) -> None:
        """``readonly name``."""
        self._readonly.add(name)

    def protects(self, name: str) -> bool:
        """Whether ``name`` is read-only."""
        return name in self._readonly

    def define(self, name: str) -> None:
        """A function called ``name``."""
        self._functions.add(name)

    def defines(self, name: str) -> bool:
        """Whether ``name`` is a function."""
        return name in self._functions

    def open(self, path: str) -> GuestText | None:
        """The file at ``path`` for ``.``."""
        return self.fs.text(path) if self.fs else None
