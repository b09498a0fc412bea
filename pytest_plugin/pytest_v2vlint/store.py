"""What the plugin knows of guests in one test run: settings, judgements and facts. Knows no pytest; imported on first use."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from pytest_v2vlint.cache import SharedCache
from v2vlint import __version__, isolate
from v2vlint.engine import config
from v2vlint.engine.boot import FORECAST
from v2vlint.engine.config import Config, find, read
from v2vlint.engine.packs import LoadedRule, load_all
from v2vlint.engine.protocol import CHECK, CheckAsk, Judged
from v2vlint.engine.questions import ENTRY, Answers, Question, Reply
from v2vlint.engine.select import choose, forecast_wanted
from v2vlint.files import Desk
from v2vlint.isolate import Answer, Call, Limits, Outcome, Refusal
from v2vlint.model.codec import decode, encode, parse
from v2vlint.model.errors import UsageError
from v2vlint.model.report import ImageReport
from v2vlint.model.source import GuestRef, Keys
from v2vlint.run import keys
from v2vlint.run.settings import Access, Settings, settle
from v2vlint.run.texts import split
from v2vlint.source.door import path_prefix
from v2vlint.source.journal import pending

T = TypeVar("T")


class NotEvaluated(Exception):
    """Something about a guest could not be known, so that no test of it can pass or fail."""


class Store:
    """Answers about guests, each computed once per test run in an isolated child, whatever number of workers ask.

    ``said`` are the options, under the names of the configuration's keys; ``root`` is where the configuration is looked for.
    """

    def __init__(self, root: Path, said: Mapping[str, object], folder: Path) -> None:
        self._root, self._said = root, said
        self._cache = SharedCache(folder)
        self.settings = functools.cache(self._settings)

    def _settings(self, target: str = "", mover: str = "") -> Settings:
        """The settings in force, for one target instead of the configured ones if given.

        The forecast is an item of its own: it is judged even when only some rules are selected, unless it is ignored.
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
        """The guests that ``image`` names, relative paths being those of pytest's root folder. UsageError when there is none."""
        try:
            return _present(self.settings().access.guests([image]))
        except UsageError:
            prefix = path_prefix(image)
            anchored = prefix + "+".join(str(self._root / part) for part in image.removeprefix(prefix).split("+"))
            if Path.cwd() == self._root or ":" in image.removeprefix(prefix):
                raise
            return _present(self.settings().access.guests([anchored]))

    def report(self, guest: GuestRef, target: str = "", mover: str = "") -> ImageReport:
        """The guest judged for one target, or for all configured ones, with the user's decisions. NotEvaluated when it cannot be."""
        settings = self.settings(target, mover)
        ask = CheckAsk(guest, settings.targets, settings.mover, settings.selection, settings.decisions)
        call = Call(CHECK, encode(replace(ask, keys=self.keys())), desk=Desk(guest))
        image = decode(Judged, self._answer(guest, encode(ask), call, settings.limits)).image
        return replace(image, problems=(*pending(guest.paths, image.paths), *image.problems))

    def ask(self, question: Question) -> Answers:
        """Facts and files of a guest. NotEvaluated when it cannot be read."""
        for problem in pending(question.guest.paths):
            raise NotEvaluated(f"{problem.where}: {problem.reason} ({problem.hint})")
        secret = Question(question.guest, self.keys(), question.root, question.facts, question.initramfs, question.files)
        call = Call(ENTRY, encode(secret), desk=Desk(question.guest))
        answer = self._answer(question.guest, encode(question), call, self.settings().limits)
        return decode(Answers, answer)

    def _answer(self, guest: GuestRef, question: Any, call: Call, limits: Limits) -> Any:
        key = [__version__, _identity(guest), call.entry, question]
        return self._cache.get(key, lambda: _value(guest, isolate.run(call, limits)))


def _value(guest: GuestRef, outcome: Outcome) -> Any:
    if isinstance(outcome, Answer):
        return outcome.value
    reason = outcome.message if isinstance(outcome, Refusal) else outcome.reason
    if isinstance(outcome, Refusal) and outcome.kind == "UsageError":
        raise UsageError(reason, hint=outcome.hint)
    raise NotEvaluated(f"{guest.name}: {reason}{f' ({outcome.hint})' if outcome.hint else ''}")


def _identity(guest: GuestRef) -> list[Any]:
    """What changes when a disk file, or a file of a tree, is replaced or written to."""
    files = [[path, *_stamp(path)] for path in guest.paths]
    return files + [[tree, *_newest(tree)] for tree in guest.trees if guest.kind == "tree"]


def _newest(tree: str) -> tuple[int, int]:
    """How many folders and files there are in a tree, and when the last one was changed."""
    count = newest = 0
    for folder, _folders, names in os.walk(tree):
        for path in (folder, *(os.path.join(folder, name) for name in names)):  # noqa: PTH118
            with contextlib.suppress(OSError):
                count, newest = count + 1, max(newest, os.lstat(path).st_ctime_ns)
    return count, newest


def _stamp(path: str) -> Iterable[int]:
    try:
        found = Path(path).stat()
    except OSError as error:
        raise NotEvaluated(f"{path}: {os.strerror(error.errno or 0).lower()}") from error
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def unpack(kind: type[T], reply: Reply) -> T:
    """The value in a reply; NotEvaluated with its place when it cannot be known."""
    if reply.reason:
        raise NotEvaluated(f"{reply.where}: {reply.reason}")
    return decode(kind, parse(reply.value))


def _present(found: tuple[GuestRef, ...]) -> tuple[GuestRef, ...]:
    """The guests; UsageError when one of them cannot be read, because tests are collected before any guest is looked at."""
    for guest in found:
        if guest.problem:
            raise UsageError(guest.problem, hint=guest.hint)
    return found
