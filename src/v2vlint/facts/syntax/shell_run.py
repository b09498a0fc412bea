"""What a shell's variables hold while it sources files (``shell_source``).

A value that depends on a condition, a command's output, a file that cannot be followed or a syntax error is unknown, with its reason.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field, replace

from v2vlint.facts.syntax.located import Located, join
from v2vlint.facts.syntax.shell import Assignment, Expansion, Parts
from v2vlint.guest.text import GuestText
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import FactUnavailable
from v2vlint.model.place import Span

MAX_ASSIGNMENTS = 5000
# Set by the shell, by whoever starts it, or by the scripts that source these files.
_GIVEN = frozenset(
    {"HOME", "PATH", "PWD", "OLDPWD", "USER", "LOGNAME", "SHELL", "TERM", "LANG", "IFS", "PPID", "UID", "EUID", "RANDOM", "SECONDS",
     "LINENO", "HOSTNAME", "HOSTTYPE", "MACHTYPE", "OSTYPE", "BASH", "BASH_VERSION", "BASHPID", "OPTIND", "PS1", "PS2", "PS4", "TMPDIR",
     "CONFDIR",
     "DESTDIR", "version", "verbose", "kernel"}
)  # fmt: skip


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


class ShellRun:
    """The state of a shell. ``bash`` says which shell reads them; ``follow`` opens the files that they source themselves."""

    def __init__(self, *, bash: bool = True, follow: Callable[[str], GuestText | None] | None = None) -> None:
        self.bash, self._follow = bash, follow
        self.values: dict[str, ShellValue] = {}
        self.made: list[Made] = []
        self.commands: list[Span] = []
        self._otherwise = ShellValue()
        self._readonly: set[str] = set()
        self._functions: set[str] = set()
        self._maybe = ""
        self.depth = 0

    def get(self, name: str) -> ShellValue:
        """What ``name`` holds; an unset variable is an empty value without ``last``."""
        return self.values.get(name) or self._otherwise

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
        whole = join(found)
        if len(whole.text) != sum(len(part.text) for part in found):
            return ShellValue(where=where, why="it is too long")
        return ShellValue(whole)

    def _expanded(self, part: Expansion, where: Span) -> ShellValue:
        if not part.name:
            return ShellValue(where=where, why="the shell computes it")
        value = self.values.get(part.name)
        if value is None and (part.name in _GIVEN or self._otherwise.why):
            return ShellValue(where=where, why=self._otherwise.why or f"{part.name} comes from the environment")
        value = value or ShellValue()
        if value.why:
            return value
        is_there = bool(value.text) if part.operator.startswith(":") else value.last is not None
        if part.operator.endswith("+"):
            return ShellValue(part.otherwise) if is_there else ShellValue()
        if is_there:
            return value
        if part.operator.endswith("="):
            self.values[part.name] = ShellValue(where=where, why="it is set within another value")
        return ShellValue(part.otherwise)

    def assign(self, one: Assignment, *, maybe: str) -> None:
        """Make an assignment, or with ``maybe`` (a reason) perhaps make it."""
        if len(self.made) >= MAX_ASSIGNMENTS:
            return
        before = self.get(one.name)
        own = self._own(one)
        value = self._added(before, own) if one.adds and not own.why else own
        if (reason := maybe or self._maybe) and not value.why:
            value = ShellValue(where=one.where, why=reason)
        if one.name in self._readonly:
            self.end(one.where, f"{one.name} is read-only")
            value = ShellValue(where=one.where, why=f"{one.name} is read-only")
        value = replace(value, last=one, where=one.where)
        self.values.pop(one.name, None)  # the order is that of the last assignments
        self.values[one.name] = value
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
            if any(isinstance(part, Expansion) for part in parts) and len(value.text.text.split()) != 1:
                return ShellValue(where=one.where, why="a variable in it becomes several words")
            items.append(value.text)
        return ShellValue(items[0] if items else Located(), tuple(items))

    @staticmethod
    def _added(before: ShellValue, own: ShellValue) -> ShellValue:
        """bash's ``+=``: without an index, the first item of an array is meant."""
        if before.why:
            return before
        if own.items is None:
            first = join((before.text, own.text))
            return ShellValue(first, None if before.items is None else (first, *before.items[1:]))
        items = (*(before.items if before.items is not None else (before.text,) if before.last else ()), *own.items)
        return ShellValue(items[0] if items else Located(), items)

    def unset(self, name: str, where: Span, *, maybe: str) -> None:
        """``unset name``."""
        reason = maybe or self._maybe
        if name in self._readonly:
            self.end(where, f"{name} is read-only")
        self.values.pop(name, None)
        if reason or self._otherwise.why:
            self.values[name] = ShellValue(where=where, why=reason) if reason else ShellValue(where=where)

    def spoil(self, name: str, where: Span, why: str) -> None:
        """Make one variable unknown."""
        self.values[name] = ShellValue(where=where, why=why, last=self.get(name).last)

    def lose(self, where: Span, why: str) -> None:
        """Make every variable unknown: something that may set any of them was met."""
        self.values = {name: ShellValue(where=where, why=value.why or why, last=value.last) for name, value in self.values.items()}
        self._otherwise = ShellValue(where=where, why=why)

    def end(self, where: Span, why: str) -> None:
        """Everything from here on may not have been read at all."""
        self.lose(where, why)
        self._maybe = why

    def maybe_end(self, why: str) -> None:
        """What follows may not be read."""
        self._maybe = why

    @property
    def complete(self) -> bool:
        """Whether nothing was met that may have set any variable."""
        return not self._otherwise.why

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
        return self._follow(path) if self._follow else None

    @property
    def follows(self) -> bool:
        """Whether sourced files can be opened."""
        return self._follow is not None
