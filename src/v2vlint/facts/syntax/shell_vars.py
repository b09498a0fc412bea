"""Files of shell assignments (ifcfg-*, /etc/sysconfig/*, /etc/default/*, /etc/conf.d/*): parsed, never evaluated::

ONBOOT=yes
IPADDR="192.0.2.5"   # a comment
"""

from __future__ import annotations

import itertools
import re

from v2vlint.facts.syntax.shell import assignments
from v2vlint.guest.text import GuestText
from v2vlint.model.dataclass import dataclass
from v2vlint.model.place import Span, Token

MAX_VARS = 5000


@dataclass(frozen=True, slots=True)
class ShellVar:
    """One assignment; ``value`` is the text between the quotes, ``where`` the assignment without a trailing comment."""

    key: str
    value: Token
    where: Span


@dataclass(frozen=True, slots=True)
class ShellVars:
    """The assignments of a file in order. ``malformed`` holds all other lines."""

    path: str
    vars: tuple[ShellVar, ...] = ()
    malformed: tuple[Span, ...] = ()

    def get(self, key: str) -> Token | None:
        """The final value; None when unset or empty."""
        found = next((var.value for var in reversed(self.vars) if var.key == key), None)
        return found if found is not None and found.value else None

    def text(self, key: str) -> str:
        """The value of ``key``, or an empty string."""
        found = self.get(key)
        return found.value if found else ""

    def matching(self, pattern: re.Pattern[str]) -> tuple[ShellVar, ...]:
        """The assignments with a non-empty value whose whole key matches ``pattern``."""
        return tuple(var for var in self.vars if var.value.value and pattern.fullmatch(var.key))


def shell_vars_from(text: GuestText) -> ShellVars:
    """Parse the assignments of ``text``; other lines are malformed."""
    found: list[ShellVar] = []
    malformed: list[Span] = []
    for one in itertools.islice(assignments(text), MAX_VARS):
        if isinstance(one, Span):
            malformed.append(one)
        else:
            found.append(ShellVar(one.name, one.inner, one.where))
    return ShellVars(text.path, tuple(found), tuple(malformed))


def is_no(value: str) -> bool:
    """Whether the scripts that read these files treat the value as false."""
    return value.lower() in {"no", "n", "false", "f", "0", "off"}
