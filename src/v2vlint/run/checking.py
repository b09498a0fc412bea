"""Checking: child processes, keys, and a Report of everything."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import filterfalse

from v2vlint.engine.check import check_all, check_each, forecast_of
from v2vlint.engine.protocol import CheckAsk, Judged
from v2vlint.files.urls import is_url
from v2vlint.model.errors import ImageError
from v2vlint.model.finding import Mover
from v2vlint.model.report import Forecast, ImageReport, Report
from v2vlint.model.rule import RuleInfo
from v2vlint.model.source import GuestRef, NotJudged
from v2vlint.model.version import __version__
from v2vlint.run import keys
from v2vlint.run.cache import Cache
from v2vlint.run.identity import judging, key_of, stamps_of, tells, unchanged
from v2vlint.run.journal import GuestRecord, Journal, SeenRecord
from v2vlint.run.proofs import known as known_proofs
from v2vlint.run.request import Progress, Request
from v2vlint.run.settings import Settings
from v2vlint.source.journal import pending

NOT_REACHED = "not reached: the run was interrupted"


def check(request: Request, journal: Journal | None = None) -> Report:
    """Check all guests, in as many parallel children as the settings say. Guests in ``journal``, of an earlier run, are taken from there.

    With ``request.partial``, an interrupt ends in the report of the guests done so far; otherwise, or when none is done, in
    KeyboardInterrupt.
    """
    started = time.perf_counter()
    work = _Work(request, journal)
    interrupted = False
    try:
        work.run()
        work.unlock()
    except KeyboardInterrupt:
        if not request.partial or not work.images:
            raise
        interrupted = True
    images = [work.images[position] for position in sorted(work.images)]
    fitting = keys.fitting([image.problems for image in images])
    images = [dataclasses.replace(image, problems=problems) for image, problems in zip(images, fitting, strict=True)]
    # A proof boots the bytes as they are, and says nothing of a converted guest.
    if request.settings.mover is Mover.RAW:
        refs = [request.guests[position] for position in sorted(work.images)]
        proofs = [tuple(known_proofs(ref, request.settings.targets)) for ref in refs]
        images = [dataclasses.replace(image, proofs=found) for image, found in zip(images, proofs, strict=True)]
    left = tuple(NotJudged(ref.name, NOT_REACHED) for at, ref in enumerate(request.guests) if at not in work.images)
    unseen, spent = (*request.not_judged, *left), time.perf_counter() - started
    report = report_of(request.settings, images, work.rules.values(), spent, unseen)
    return dataclasses.replace(report, interrupted=interrupted)


class _Work:
    """The guests of a request on their way to reports: some are known, the others are judged by children."""

    def __init__(self, request: Request, journal: Journal | None) -> None:
        self.request, self.journal = request, journal
        self.images: dict[int, ImageReport] = {}
        self.rules: dict[str, RuleInfo] = {}
        self.cache = Cache() if request.cached and not request.keys.keys else None
        judged = judging(request) if journal or self.cache else ""
        self.keys = [key_of(judged, guest) for guest in request.guests] if judged else []

    def run(self) -> None:
        """Judge every guest that is not known yet."""
        if self.journal:
            self.journal.write(SeenRecord(self.request.not_judged))
        for position, guest in enumerate(self.request.guests):
            if known := self._known(position, guest):
                self._take(position, *known)
        left = [position for position in range(len(self.request.guests)) if position not in self.images]
        asks = [self.request.ask(self.request.guests[position]) for position in left]
        done, progress = len(self.images), self.request.progress
        tick = (lambda running, count: progress(running, done + count)) if progress else None
        since = time.time_ns()
        for number, judged in self._judged(asks, tick):
            self._note(left[number], judged.image, judged.rules, since)

    def _judged(self, asks: Sequence[CheckAsk], tick: Progress | None) -> Iterator[tuple[int, Judged]]:
        """The answers as they arrive, from local children or from the workers of a scheduler."""
        settings = self.request.settings
        if not self.request.scheduler:
            return check_each(asks, settings.limits, settings.jobs, tick)
        from v2vlint.run.cluster import check_on

        return check_on(self.request.scheduler, asks, settings.limits, tick) if asks else iter(())

    def unlock(self) -> None:
        """Ask for the keys of guests that stayed locked, and judge those again."""
        for position, guest in enumerate(self.request.guests):
            again = self.request.more_keys(guest, self.images[position].problems)
            if again is not None:
                image = check_all([again.ask(guest)], again.settings.limits).images[0]
                self._note(position, image, (), time.time_ns())

    def _known(self, position: int, guest: GuestRef) -> tuple[ImageReport, tuple[RuleInfo, ...]] | None:
        """The report of a guest that an earlier run judged in the same way, if it is unchanged."""
        if self.journal and (record := self.journal.before.guests.get(guest.name)) and self._holds(position, guest, record):
            return record.image, tuple(self.journal.before.rules.values())
        # Who asks for digests or checksums wants the files to be read.
        found = self.cache.get(self.keys[position], guest.queries) if self.cache and not (guest.hashed or guest.verify) else None
        if found is None or any(True for _ in pending(filterfalse(is_url, (*guest.paths, *found[0].image.paths)))):
            return None
        kept, rules = found
        if self.journal:
            self.journal.guest(GuestRecord(self.keys[position], kept.files, kept.image), rules)
        return kept.image, rules

    def _holds(self, position: int, guest: GuestRef, record: GuestRecord) -> bool:
        """Whether a record of the journal still holds: same settings, unchanged files, and no new key for a guest that lacked one."""
        if record.key != self.keys[position] or (record.image.problems and self.request.keys.keys):
            return False
        # A server without version tags cannot prove that a file is unchanged; a resumed run assumes it.
        untold = (one for one in record.files if one.size >= 0 and not tells(one))
        return unchanged(set(record.files).difference(untold), guest.queries)

    def _take(self, position: int, image: ImageReport, rules: tuple[RuleInfo, ...]) -> None:
        self.images[position] = image
        self.rules.update({info.id: info for info in rules})

    def _note(self, position: int, image: ImageReport, rules: tuple[RuleInfo, ...], since: int) -> None:
        """Record a finished guest."""
        self._take(position, image, rules)
        if not self.keys:
            return
        guest, key = self.request.guests[position], self.keys[position]
        stamps = stamps_of(guest, image, since)
        if self.journal:
            self.journal.guest(GuestRecord(key, stamps, image), rules)
        # There are no rules after a key was typed: an answer that needed a key is not kept.
        if self.cache and rules and not image.problems and (guest.paths or guest.named):
            self.cache.put(key, stamps, image, rules)


def report_of(
    settings: Settings, images: Iterable[ImageReport], rules: Iterable[RuleInfo], seconds: float, not_judged: tuple[NotJudged, ...] = ()
) -> Report:
    """The whole run as one report; ``rules`` may contain duplicates."""
    known = {info.id: info for info in rules}
    return Report(
        version=__version__,
        targets=tuple(target.name for target in settings.targets),
        mover=settings.mover,
        images=tuple(images),
        rules=tuple(known[key] for key in sorted(known)),
        fail_on=settings.fail_on,
        strict=settings.strict,
        seconds=seconds,
        docs_url=settings.config.docs_url,
        not_judged=not_judged,
    )


def forecast(request: Request) -> Forecast:
    """The forecast for exactly one guest and target. UsageError when there are several, ImageError when nothing can be forecast."""
    guest, _target = request.only_guest(), request.only_target()
    image = check(request).images[0]
    told = forecast_of(image)
    if told is None:
        reasons = "; ".join(f"{one.where}: {one.reason}" for one in image.problems) or "no operating system that can be forecast"
        raise ImageError(f"{guest.name}: {reasons}")
    return told
