"""What GRUB's commands are given and leave behind: words, items of the menu, and what was loaded."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import field, replace
from typing import Literal

from v2vlint.facts.boot.bls import BlsEntry
from v2vlint.facts.boot.grub.files import GuestPath
from v2vlint.facts.boot.grub.script import Block
from v2vlint.facts.syntax.located import Located
from v2vlint.model.dataclass import dataclass
from v2vlint.model.place import Span

MAX_EITHER = 8
MAX_EITHER_LENGTH = 1_024
_LOOKS = re.compile(r"quiet|rhgb|(no)?splash|(splash|bootsplash|loglevel|vt\.handoff|vt\.global_cursor_default)=.*", re.DOTALL)
"""Arguments that change what the console shows during boot, and nothing that is judged."""


@dataclass(frozen=True, slots=True)
class Either:
    """The value of a variable of which the machine decides which of these it is."""

    texts: frozenset[str]

    def __bool__(self) -> Literal[False]:
        """Like a value of which nothing is known, it is none that can be used."""
        return False


Environment = dict[str, Located | Either | None]


@dataclass(frozen=True, slots=True)
class Field:
    """An expanded word; ``known`` is false when it contains an unknown variable. It is then one of ``either``, if these are few.

    ``wild``: it has unquoted wildcards.
    """

    text: Located
    known: bool = True
    either: frozenset[str] = frozenset()
    wild: bool = False

    @property
    def texts(self) -> frozenset[str]:
        """All that the word may be; empty when that cannot be told."""
        return frozenset((self.text.text,)) if self.known else self.either

    @property
    def matters(self) -> bool:
        """Whether it may be, as an argument of the kernel, or hold one that changes more than the look of the boot."""
        return not self.texts or any(is_judged(word) for text in self.texts for word in text.split())

    def then(self, texts: frozenset[str]) -> Field:
        """The word followed by one of these; by an unknown text if there are none."""
        return Field(self.text, known=False, either=_few(one + other for one in self.texts for other in texts))


def is_judged(argument: str) -> bool:
    """Whether an argument of the kernel is more than a matter of looks."""
    return not _LOOKS.fullmatch(argument)


def texts_of(value: Located | Either | None) -> frozenset[str]:
    """All that a variable may be; empty when that cannot be told."""
    return value.texts if isinstance(value, Either) else frozenset() if value is None else frozenset((value.text,))


def either(texts: Iterable[str]) -> Either | None:
    """The value that is one of these; None when they are none, or many."""
    found = _few(texts)
    return Either(found) if found else None


def merged(one: Environment, other: Environment) -> Environment:
    """The variables if the machine decides between two ways."""
    pairs = ((name, one.get(name, Located()), other.get(name, Located())) for name in {**one, **other})
    return {name: _one_of(a, b) for name, a, b in pairs}


def _one_of(a: Located | Either | None, b: Located | Either | None) -> Located | Either | None:
    if a is None or b is None:
        return None
    first, second = texts_of(a), texts_of(b)
    return a if first == second else either(first | second)


def _few(texts: Iterable[str]) -> frozenset[str]:
    found = frozenset(texts)
    few = len(found) <= MAX_EITHER and all(len(text) <= MAX_EITHER_LENGTH for text in found)
    return found if few or len(found) == 1 else frozenset()


@dataclass(frozen=True, slots=True)
class MenuItem:
    """A ``menuentry`` or ``submenu`` as defined, or an entry file read by ``blscfg``. ``args`` are ``$1`` and so on for its body.

    Not ``named``: its title depends on the machine.
    """

    title: str
    id: str
    body: Block
    where: Span | None
    submenu: bool = False
    conditional: bool = False
    bls: BlsEntry | None = None
    args: tuple[Field, ...] = ()
    named: bool = True


@dataclass
class Boot:
    """What the commands of a menu entry load. ``unknown`` is the first command that this GRUB does not have, with its place.

    ``started``: the script itself runs ``boot``, which GRUB adds only to menu entries; None if that depends on the machine. ``real_mode``:
    the kernel begins with its code for a BIOS. ``undecided``: what is loaded, or with which arguments, depends on the machine.
    """

    kernel: Located = field(default_factory=Located)
    args: tuple[Located, ...] = ()
    initrds: tuple[Located, ...] = ()
    chainload: str = ""
    xen: bool = False
    kernel_path: GuestPath | None = None
    initrd_paths: tuple[GuestPath, ...] = ()
    unknown: tuple[str, Span] | None = None
    started: bool | None = False
    real_mode: bool = False
    undecided: bool = False

    @property
    def loaded(self) -> GuestPath | str:
        """What is loaded: the kernel's place, or its name where the place is not known; else the other loader, or Xen; empty: nothing."""
        place = self.kernel_path
        if place and place.certain and (place.exists or not place.foreign):
            return place
        return self.kernel.text or self.chainload or "xen" * self.xen

    def or_else(self, other: Boot) -> Boot:
        """What is loaded if the machine decides between this and ``other``, of which the latter is shown."""
        if self is other:
            return other
        shown = other if other.loaded or not self.loaded else self
        if self.loaded == other.loaded and not shown.initrds:
            shown = replace(shown, initrds=self.initrds, initrd_paths=self.initrd_paths)
        started = self.started if self.started is other.started else None
        return replace(shown, started=started, undecided=self.undecided or other.undecided or self._outcome != other._outcome)

    @property
    def _outcome(self) -> tuple[object, ...]:
        """All that makes a difference to what comes up."""
        initrds = self.initrd_paths if all(place.certain for place in self.initrd_paths) else self.initrds
        return self.loaded, [arg.text for arg in self.args if is_judged(arg.text)], initrds, self.unknown is None
