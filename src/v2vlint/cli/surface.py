"""The command line as plain data, from which shell completions and the manual page are generated."""

from __future__ import annotations

import argparse
import enum
from collections.abc import Iterator

from v2vlint.cli import main
from v2vlint.model.dataclass import dataclass


class Takes(enum.Enum):
    """The kinds of values that an option takes."""

    NOTHING = "nothing"
    ANYTHING = "anything"
    CHOICE = "choice"
    FILE = "file"
    FOLDER = "folder"
    RULE = "rule"
    TARGET = "target"
    REPORT = "report"


_BY_METAVAR = {
    "IMAGE": Takes.FILE, "LOG": Takes.FILE, "FILE": Takes.FILE, "NEW": Takes.FILE, "[DEVICE=]PATH": Takes.FILE, "FOLDER": Takes.FOLDER,
    "DIR": Takes.FOLDER, "RULE": Takes.RULE, "FORMAT=FILE": Takes.REPORT,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Option:
    """An option (``flags`` as written, short before long) or, without flags, a positional argument called ``metavar``."""

    flags: tuple[str, ...]
    metavar: str
    help: str
    takes: Takes
    choices: tuple[str, ...] = ()
    repeatable: bool = False


@dataclass(frozen=True, slots=True)
class VerbSurface:
    """A verb with its options by group, in the order of its help."""

    name: str
    summary: str
    groups: tuple[tuple[str, tuple[Option, ...]], ...]

    @property
    def options(self) -> tuple[Option, ...]:
        """All options that have flags."""
        return tuple(option for _title, options in self.groups for option in options if option.flags)

    @property
    def arguments(self) -> tuple[Option, ...]:
        """The positional arguments."""
        return tuple(option for _title, options in self.groups for option in options if not option.flags)


def verbs() -> tuple[VerbSurface, ...]:
    """Every verb of ``v2vlint``."""
    return tuple(VerbSurface(name, verb.summary, tuple(_groups(main.verb_parser(name)))) for name, verb in main.VERBS.items())


def _groups(parser: argparse.ArgumentParser) -> Iterator[tuple[str, tuple[Option, ...]]]:
    # argparse has no public way to list what was declared.
    for group in parser._action_groups:
        options = tuple(_option(action) for action in group._group_actions if action.help != argparse.SUPPRESS)
        if options:
            yield group.title or "", options


def _option(action: argparse.Action) -> Option:
    metavar = action.metavar if isinstance(action.metavar, str) else ""
    metavar = metavar or (f"{{{','.join(map(str, action.choices))}}}" if action.choices else action.dest.upper())
    repeatable = isinstance(action, argparse._AppendAction) or action.nargs in ("*", "+")
    flags, choices = tuple(action.option_strings), tuple(map(str, action.choices or ()))
    return Option(flags, metavar if action.nargs != 0 else "", " ".join((action.help or "").split()), _takes(action), choices, repeatable)


def _takes(action: argparse.Action) -> Takes:
    if action.nargs == 0:
        return Takes.NOTHING
    if action.choices:
        return Takes.CHOICE
    if action.dest == "target":
        return Takes.TARGET
    return _BY_METAVAR.get(str(action.metavar), Takes.ANYTHING)
