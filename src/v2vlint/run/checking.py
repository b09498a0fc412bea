"""Running a check for a command line: guests, keys, children, policy, and the Report of it all."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterable

from v2vlint import __version__
from v2vlint.engine.check import check_all
from v2vlint.engine.protocol import CheckAsk
from v2vlint.model.report import ImageReport, Report
from v2vlint.model.rule import RuleInfo
from v2vlint.model.source import Keys
from v2vlint.run import keys
from v2vlint.run.progress import ProgressLine
from v2vlint.run.settings import Settings
from v2vlint.source.expand import expand


def run_check(
    settings: Settings, images: list[str], key_files: list[str] | None, *, progress: bool, warm: Callable[[], object] | None = None
) -> Report:
    """Check all guests that ``images`` name. ``warm`` is done while the children are at work."""
    started = time.perf_counter()
    asks = _asks(settings, images, keys.collect(key_files or ()))
    with ProgressLine(len(asks), progress, warm) as line:
        checked = check_all(asks, settings.limits, settings.jobs, line.update)
    reports, rules = list(checked.images), {info.id: info for info in checked.rules}
    if keys.can_ask():
        reports = [_unlocked(settings, ask, image) for ask, image in zip(asks, reports, strict=True)]
    return report_of(settings, reports, rules, time.perf_counter() - started)


def _asks(settings: Settings, images: list[str], secrets: Keys) -> list[CheckAsk]:
    guests = expand(images, settings.connect, verify=settings.verify)
    return [CheckAsk(guest, settings.targets, settings.mover, settings.selection, settings.decisions, secrets) for guest in guests]


def _unlocked(settings: Settings, ask: CheckAsk, image: ImageReport) -> ImageReport:
    """The image again, with the passphrases that somebody at the terminal knows."""
    known = keys.asked_for(image.problems, ask.keys)
    return image if known is None else check_all([dataclasses.replace(ask, keys=known)], settings.limits).images[0]


def report_of(settings: Settings, images: Iterable[ImageReport], rules: dict[str, RuleInfo], seconds: float) -> Report:
    """The whole run as one report."""
    return Report(
        version=__version__,
        targets=tuple(target.name for target in settings.targets),
        mover=settings.mover,
        images=tuple(images),
        rules=tuple(rules[key] for key in sorted(rules)),
        fail_on=settings.fail_on,
        strict=settings.strict,
        seconds=seconds,
    )
