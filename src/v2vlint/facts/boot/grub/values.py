"""What GRUB's commands are given and leave behind: words, items of the menu, and what was loaded."""

from __future__ import annotations

from dataclasses import field, replace

from v2vlint.facts.boot.bls import BlsEntry
from v2vlint.facts.boot.grub.files import GuestPath
from v2vlint.facts.boot.grub.script import Block
from v2vlint.facts.syntax.located import Located
from v2vlint.model.dataclass import dataclass
from v2vlint.model.place import Span


@dataclass(frozen=True, slots=True)
class Field:
    """An expanded word; ``known`` is false when it contains an unknown variable."""

    text: Located
    known: bool = True


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
        return self.loaded, [arg.text for arg in self.args], initrds, self.unknown is None
