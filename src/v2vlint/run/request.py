"""A request: guests, settings and keys in one object, for every front end."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence

from v2vlint.engine.protocol import CheckAsk
from v2vlint.model.card_names import CardNames
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import UsageError
from v2vlint.model.report import Problem
from v2vlint.model.source import GuestRef, Keys, NotJudged
from v2vlint.model.target import Target
from v2vlint.run.settings import Settings

Progress = Callable[[Sequence[str], int], None]
Unlock = Callable[[Iterable[Problem], Keys], Keys | None]


@dataclass(frozen=True, slots=True)
class Request:
    """Guests, with the settings for examining them.

    ``progress`` is called ten times a second with the names of the guests in progress and the number of guests done. ``unlock`` is called
    when devices stayed locked: it gets the problems and the keys tried, and returns all keys to try, or None. With ``partial``, an
    interrupted run returns the report of the guests done so far. ``cached`` allows using the answers of earlier runs and storing new ones.
    ``scheduler`` is the address of a Dask scheduler whose workers judge instead of this machine.
    """

    settings: Settings
    guests: tuple[GuestRef, ...]
    keys: Keys = Keys()
    progress: Progress | None = None
    unlock: Unlock | None = None
    not_judged: tuple[NotJudged, ...] = ()
    partial: bool = False
    cached: bool = False
    scheduler: str = ""

    def ask(self, guest: GuestRef, names: CardNames | None = None) -> CheckAsk:
        """The question to the child that judges ``guest``."""
        known = self.settings
        return CheckAsk(guest, known.targets, known.mover, known.selection, known.decisions, self.keys, names or CardNames())

    def only_guest(self) -> GuestRef:
        """The guest, when there is exactly one; UsageError otherwise."""
        if len(self.guests) != 1:
            raise UsageError(f"{len(self.guests)} guests, where one was expected", hint="the disks of one guest are joined with '+'")
        return self.guests[0]

    def only_target(self) -> Target:
        """The target, when there is exactly one; UsageError otherwise."""
        if len(self.settings.targets) != 1:
            raise UsageError(f"{len(self.settings.targets)} targets, where one was expected")
        return self.settings.targets[0]

    def more_keys(self, guest: GuestRef, problems: Iterable[Problem]) -> Request | None:
        """The request for ``guest`` alone, with keys typed for the devices that stayed locked; None when there are none."""
        keys = self.unlock(problems, self.keys) if self.unlock else None
        return None if keys is None else dataclasses.replace(self, guests=(guest,), keys=keys, progress=None, unlock=None)
