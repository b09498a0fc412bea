"""The plugin's knowledge of guests in one test run: settings, judgements and facts. Independent of pytest; imported on first use."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pytest_v2vlint.cache import SharedCache
from v2vlint import __version__
from v2vlint.asking import child
from v2vlint.engine import config
from v2vlint.engine.boot import FORECAST
from v2vlint.engine.config import Config, find, read
from v2vlint.engine.packs import LoadedRule, load_all
from v2vlint.engine.protocol import CHECK, CheckAsk, Judged
from v2vlint.engine.questions import Answers, Question
from v2vlint.engine.select import choose, forecast_wanted
from v2vlint.files import Desk
from v2vlint.isolate import Call
from v2vlint.model.codec import decode, encode
from v2vlint.model.errors import UsageError
from v2vlint.model.report import ImageReport
from v2vlint.model.source import GuestRef, Keys
from v2vlint.run import keys
from v2vlint.run.settings import Access, Settings, settle
from v2vlint.run.texts import split
from v2vlint.source.door import path_prefix
from v2vlint.source.journal import pending


class Store:
    """Answers about guests, each computed once per test run in an isolated child, however many workers ask.

    ``said`` are the options, under the names of configuration keys; ``root`` is where the search for the configuration starts.
    """

    def __init__(self, root: Path, said: Mapping[str, object], folder: Path) -> None:
        self._root, self._said = root, said
        self._cache = SharedCache(folder)
        self.settings = functools.cache(self._settings)

    def _settings(self, target: str = "", mover: str = "") -> Settings:
        """The effective settings, for one target instead of the configured ones if given.

        The forecast is a separate item: it is judged even when only some rules are selected, unless it is ignored.
        """
        path = find(self._root)
        asked = {key: value for key, value in (("target", target), ("mover", mover)) if value}
        said = {key: list(split(value)) if isinstance(value, list) else value for key, value in (dict(self._said) | asked).items()}
        settings = settle(config.parse(said, "options"), read(path) if path else Config(), Access())
        chosen = settings.selection
        return replace(settings, selection=replace(chosen, select=(*chosen.select, FORECAST.id) if chosen.select else ()))

    def forecasts(self) -> bool:
        """Whether the forecast counts."""
        return forecast_wanted(self.settings().selection)

    def keys(self) -> Keys:
        """Keys of encrypted disks: ``$V2VLINT_KEY``."""
        return keys.collect(())

    def rules(self) -> tuple[LoadedRule, ...]:
        """The selected rules; no guest is touched."""
        selection = self.settings().selection
        return choose(load_all(selection.folders), selection)

    def guests(self, image: str) -> tuple[GuestRef, ...]:
        """The guests named by ``image``; relative paths start from pytest's root folder. UsageError when there is none."""
        try:
            return _present(self.settings().access.guests([image]))
        except UsageError:
            # pytest may run in another folder than its root, from which names in an ini file start.
            prefix = path_prefix(image)
            anchored = prefix + "+".join(str(self._root / part) for part in image.removeprefix(prefix).split("+"))
            if Path.cwd() == self._root or ":" in image.removeprefix(prefix):
                raise
            return _present(self.settings().access.guests([anchored]))

    def report(self, guest: GuestRef, target: str = "", mover: str = "") -> ImageReport:
        """The guest judged for one target, or for all configured ones, with the user's decisions. NotEvaluated when that is impossible."""
        settings = self.settings(target, mover)
        ask = CheckAsk(guest, settings.targets, settings.mover, settings.selection, settings.decisions)
        call = Call(CHECK, encode(replace(ask, keys=self.keys())), desk=Desk(guest))
        image = decode(Judged, child.answered(guest, encode(ask), call, settings.limits, self._cached)).image
        return replace(image, problems=(*pending(guest.paths, image.paths), *image.problems))

    def _cached(self, key: object, compute: Callable[[], Any]) -> Any:
        return self._cache.get([__version__, key], compute)

    def ask(self, question: Question) -> Answers:
        """Facts and files of a guest. NotEvaluated when it cannot be read."""
        return child.ask(question, self.keys(), self.settings().limits, self._cached)


def _present(found: tuple[GuestRef, ...]) -> tuple[GuestRef, ...]:
    """The guests. UsageError when one of them does not exist, because tests are collected before any guest is opened."""
    for guest in found:
        if guest.problem:
            raise UsageError(guest.problem, hint=guest.hint)
    return found
