"""The top of a guest's report in three lines, for readers who read nothing else: does it boot, what to do, and how."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Sequence

from v2vlint.model.finding import Mover, Severity
from v2vlint.model.fix import Applicability
from v2vlint.model.report import Fate, Forecast, ImageReport, Report
from v2vlint.report import words
from v2vlint.report.walk import Hit, hits


def to_do(image: ImageReport, found: Sequence[Hit]) -> str:
    """The first thing to do about ``image``, and how much else there is; ``found`` are its findings that count, worst first."""
    errors = [hit for hit in found if hit.severity is Severity.ERROR]
    if errors:
        first = _first(image, errors)
        finding = first.shown.finding
        rest = _rest(found, first)
        return (finding.fix.title if finding.fix else f"fix this: {finding.message}") + (f"; then {rest}" if rest else "")
    if image.problems:
        return f"find out: {image.problems[0].reason.removeprefix(f'{image.name}: ')}"
    told = [forecast for forecast in _forecasts(image) if forecast.outcome is not Fate.PASS]
    if told and (stage := told[0].decisive):
        return f"find out: {stage.reason}" if told[0].outcome is Fate.UNKNOWN else f"fix this: {stage.reason}"
    warnings = sum(hit.severity is Severity.WARNING for hit in found)
    start = "nothing for the boot" if _forecasts(image) else "nothing at once"
    return f"{start}; review {words.count(warnings, 'warning')}" if warnings else "nothing"


def how(report: Report, image: ImageReport, found: Sequence[Hit]) -> str:
    """The command that repairs what can be repaired, or what to do instead, or where to read on; empty when there is nothing to do."""
    safe, unsafe = (_count(found, kind) for kind in (Applicability.SAFE, Applicability.UNSAFE))
    if image.unwritable and (safe or unsafe):
        return image.unwritable
    if safe:
        more = f"; --unsafe-fixes repairs {unsafe} more" if unsafe else ""
        return f"{_command(report, image)} repairs {safe} of {words.count(len(found), 'finding')}, and can be undone{more}"
    if unsafe:
        return f"{_command(report, image)} --unsafe-fixes repairs {unsafe} of {words.count(len(found), 'finding')}, and can be undone"
    if hint := next((problem.hint for problem in image.problems if problem.hint), ""):
        return hint
    return f"by hand; v2vlint explain {found[0].rule}" if found and found[0].severity > Severity.INFO else ""


def repair(report: Report, image: ImageReport) -> str:
    """The command that repairs what can be repaired in ``image``, with the remark that it can be undone; empty when no finding has a
    fix.
    """
    found = [hit for hit in hits(dataclasses.replace(report, images=(image,))) if hit.shown.counts]
    fixable = any(hit.shown.finding.fix and hit.shown.finding.fix.applicability > Applicability.MANUAL for hit in found)
    return how(report, image, found) if fixable else ""


def _first(image: ImageReport, errors: Sequence[Hit]) -> Hit:
    """The error that stops the boot, or else the first one."""
    stops = {stage.rule for forecast in _forecasts(image) if forecast.outcome is Fate.FAIL and (stage := forecast.decisive)}
    return next((hit for hit in errors if hit.rule in stops), errors[0])


def _rest(found: Sequence[Hit], first: Hit) -> str:
    others = [hit.severity for hit in found if hit is not first]
    counts = ((others.count(Severity.ERROR), "more error"), (others.count(Severity.WARNING), "warning"))
    return " and ".join(words.count(number, noun) for number, noun in counts if number)


def _count(found: Sequence[Hit], kind: Applicability) -> int:
    return sum(hit.shown.finding.fix is not None and hit.shown.finding.fix.applicability is kind for hit in found)


def _command(report: Report, image: ImageReport) -> str:
    """The command line that fixes this image for these targets."""
    chosen = () if report.targets == ("kvm",) else tuple(word for name in report.targets for word in ("-t", name))
    carried = () if report.mover is Mover.RAW else ("--mover", report.mover.value)
    return shlex.join(("v2vlint", "--fix", *chosen, *carried, image.name))


def _forecasts(image: ImageReport) -> list[Forecast]:
    return [target.forecast for root in image.roots for target in root.targets if target.forecast]
