"""What a report amounts to: how many of what, and the exit code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from v2vlint.model.finding import Severity
from v2vlint.model.report import FindingReport, ImageReport, Report, RuleResult, Status

OK, FINDINGS, USAGE, NOT_EVALUATED, NOTHING, INTERRUPTED = 0, 1, 2, 3, 4, 130


@dataclass(frozen=True, slots=True)
class Tally:
    """Numbers of a run. Findings count only when no exception and no baseline covers them; ``unknown`` counts rules, ``problems`` places."""

    images: int = 0
    errors: int = 0
    warnings: int = 0
    infos: int = 0
    unknown: int = 0
    problems: int = 0
    crashed: int = 0
    passed: int = 0
    not_applicable: int = 0
    excepted: int = 0
    baselined: int = 0


def results(image: ImageReport) -> Iterator[RuleResult]:
    """All rule results of an image, over its roots and targets."""
    for root in image.roots:
        for target in root.targets:
            yield from target.results


def findings(image: ImageReport) -> Iterator[FindingReport]:
    """All findings of an image, over its roots and targets."""
    for result in results(image):
        yield from result.findings


def tally(*images: ImageReport) -> Tally:
    """The numbers of some images together."""
    levels: Counter[Severity] = Counter()
    status: Counter[Status] = Counter()
    others: Counter[str] = Counter()
    for image in images:
        others["problems"] += len(image.problems)
        for result in results(image):
            unknown = bool(result.unknowns) and result.status is not Status.EXCEPTED
            status[Status.UNKNOWN if unknown else result.status] += 1
            others["crashed"] += result.crashed
        for item in findings(image):
            levels[item.finding.severity] += item.counts
            others["excepted"] += bool(item.exception)
            others["baselined"] += item.baselined and not item.exception
    return Tally(
        images=len(images),
        errors=levels[Severity.ERROR],
        warnings=levels[Severity.WARNING],
        infos=levels[Severity.INFO],
        unknown=status[Status.UNKNOWN],
        problems=others["problems"],
        crashed=others["crashed"],
        passed=status[Status.PASS],
        not_applicable=status[Status.NOT_APPLICABLE],
        excepted=others["excepted"],
        baselined=others["baselined"],
    )


def exit_code(report: Report) -> int:
    """0 nothing at or above ``fail_on`` · 1 findings · 3 something could not be evaluated · 4 no image. 1 wins over 3."""
    if not report.images:
        return NOTHING
    numbers = tally(*report.images)
    if any(item.counts and item.finding.severity >= report.fail_on for image in report.images for item in findings(image)):
        return FINDINGS
    if numbers.problems or numbers.crashed or (report.strict and numbers.unknown):
        return NOT_EVALUATED
    return OK
