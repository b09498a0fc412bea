"""Checking: children, keys, and the Report of it all."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterable

from v2vlint import __version__
from v2vlint.engine.check import check_all, forecast_of
from v2vlint.model.errors import ImageError
from v2vlint.model.report import Forecast, ImageReport, Report
from v2vlint.model.rule import RuleInfo
from v2vlint.model.source import GuestRef
from v2vlint.run import keys
from v2vlint.run.request import Request
from v2vlint.run.settings import Settings


def check(request: Request) -> Report:
    """Check all guests, as many at a time as the settings say."""
    started = time.perf_counter()
    asks = [request.ask(guest) for guest in request.guests]
    checked = check_all(asks, request.settings.limits, request.settings.jobs, request.progress)
    images = [_unlocked(request, guest, image) for guest, image in zip(request.guests, checked.images, strict=True)]
    fitting = keys.fitting([image.problems for image in images])
    images = [dataclasses.replace(image, problems=problems) for image, problems in zip(images, fitting, strict=True)]
    report = report_of(request.settings, images, checked.rules, time.perf_counter() - started)
    return dataclasses.replace(report, not_judged=request.not_judged)


def _unlocked(request: Request, guest: GuestRef, image: ImageReport) -> ImageReport:
    """The image again, with the keys that were typed."""
    again = request.more_keys(guest, image.problems)
    return image if again is None else check_all([again.ask(guest)], again.settings.limits).images[0]


def report_of(settings: Settings, images: Iterable[ImageReport], rules: Iterable[RuleInfo], seconds: float) -> Report:
    """The whole run as one report; ``rules`` may name one several times."""
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
    )


def forecast(request: Request) -> Forecast:
    """The forecast for the one guest and target. UsageError when there are several, ImageError when nothing can be forecast."""
    guest, _target = request.only_guest(), request.only_target()
    image = check(request).images[0]
    told = forecast_of(image)
    if told is None:
        reasons = "; ".join(f"{one.where}: {one.reason}" for one in image.problems) or "no operating system that can be forecast"
        raise ImageError(f"{guest.name}: {reasons}")
    return told
