"""Files of shell assignments (ifcfg-*, /etc/sysconfig/*, /etc/default/*, /etc/conf.d/*): parsed, never run::

ONBOOT=yes
IPADDR="192.0.2.5"   # a comment
"""

from __future__ import annotations

import re

from v2vlint.facts.syntax.edit_lines import whole_lines
from v2vlint.facts.syntax.shell_run import Made, ShellRun
from v2vlint.facts.syntax.shell_source import sourced_values
from v2vlint.guest.text import GuestText
from v2vlint.model.dataclass import dataclass
from v2vlint.model.place import Span, Token

_REST = re.compile(r"[ \t]*(?:#[^\n]*)?\r?\n?")


@dataclass(frozen=True, slots=True)
class ShellVar:
    """One assignment; ``value`` is what the variable holds then, ``where`` the assignment without a trailing comment."""

    key: str
    value: Token
    where: Span


@dataclass(frozen=True, slots=True)
class ShellVars:
    """The assignments of a file in order. ``malformed`` holds all other lines, and those whose value cannot be told.

    ``editable``: each assignment has lines of its own and is understood, so that one may be changed or deleted without the others.
    """

    path: str
    vars: tuple[ShellVar, ...] = ()
    malformed: tuple[Span, ...] = ()
    final: tuple[ShellVar, ...] = ()
    editable: bool = True

    def get(self, key: str) -> Token | None:
        """The final value; None when unset, empty or not to be told."""
        found = next((var.value for var in self.final if var.key == key), None)
        return found if found is not None and found.value else None

    def text(self, key: str) -> str:
        """The value of ``key``, or an empty string."""
        found = self.get(key)
        return found.value if found else ""

    def matching(self, pattern: re.Pattern[str]) -> tuple[ShellVar, ...]:
        """The final assignments with a non-empty value whose whole key matches ``pattern``."""
        return tuple(var for var in self.final if var.value.value and pattern.fullmatch(var.key))


def shell_vars_from(text: GuestText) -> ShellVars:
    """Parse the assignments of ``text``; other lines are malformed. Lines may end with a carriage return."""
    run = sourced_values([text], crlf=True)
    found = tuple(_var(one) for one in run.made if not one.value.why)
    unread = (*run.commands, *(one.assignment.where for one in run.made if one.value.why))
    editable = run.complete and all(not one.value.why for one in run.made) and _has_own_lines(text, run.made)
    return ShellVars(text.path, found, unread, tuple(var for var in found if _is_final(run, var)), editable)


def _var(made: Made) -> ShellVar:
    value = made.value.text
    place = value.where if value.runs else made.assignment.inner.where
    return ShellVar(made.assignment.name, value.token or Token(value.text, place), made.assignment.where)


def _is_final(run: ShellRun, var: ShellVar) -> bool:
    value = run.get(var.key)
    return not value.why and value.last is not None and value.last.where == var.where


def _has_own_lines(text: GuestText, made: list[Made]) -> bool:
    for one in made:
        where = one.assignment.where
        lines = whole_lines(text, where)
        if text.content[lines.start : where.start].strip() or not _REST.fullmatch(text.content, where.end, lines.end):
            return False
    return True


def is_no(value: str) -> bool:
    """Whether the scripts that read these files treat the value as false."""
    return value.lower() in {"no", "n", "false", "f", "0", "off"}
