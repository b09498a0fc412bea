"""A report of part of a run: some guests, some targets, some findings."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from dataclasses import replace

from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import UsageError
from v2vlint.model.finding import Severity
from v2vlint.model.report import ImageReport, Report, RuleResult, Status, TargetReport
from v2vlint.model.rule import RuleInfo
from v2vlint.report.standing import Standing, places


@dataclass(frozen=True, slots=True)
class Wanted:
    """A filter for reports; an empty field includes everything. ``guests`` and ``rules`` are globs, ``rules`` also groups."""

    targets: tuple[str, ...] = ()
    guests: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    severity: Severity = Severity.INFO
    standings: frozenset[Standing] = frozenset()


def narrowed(report: Report, wanted: Wanted) -> Report:
    """The part of ``report`` that matches ``wanted``. UsageError for a target that the report does not have."""
    for name in wanted.targets:
        if name not in report.targets:
            raise UsageError(f"no guest was judged for {name!r}", hint=f"the journals have {', '.join(report.targets)}")
    targets = wanted.targets or report.targets
    rules = {rule.id: rule for rule in report.rules}
    images = (image for image in report.images if _fits(image, targets, wanted))
    return replace(report, targets=targets, images=tuple(_image(image, targets, wanted, rules) for image in images))


def _fits(image: ImageReport, targets: tuple[str, ...], wanted: Wanted) -> bool:
    if wanted.guests and not any(fnmatch.fnmatchcase(image.name, glob) for glob in wanted.guests):
        return False
    return not wanted.standings or any(place.standing in wanted.standings for place in places(image, targets))


def _image(image: ImageReport, targets: tuple[str, ...], wanted: Wanted, rules: Mapping[str, RuleInfo]) -> ImageReport:
    roots = tuple(replace(root, targets=_targets(root.targets, targets, wanted, rules)) for root in image.roots)
    return replace(image, roots=roots, machine=_targets(image.machine, targets, wanted, rules))


def _targets(
    found: tuple[TargetReport, ...], targets: tuple[str, ...], wanted: Wanted, rules: Mapping[str, RuleInfo]
) -> tuple[TargetReport, ...]:
    kept = (one for one in found if one.target in targets)
    return tuple(replace(one, results=tuple(_result(result, wanted, rules) for result in one.results)) for one in kept)


def _result(result: RuleResult, wanted: Wanted, rules: Mapping[str, RuleInfo]) -> RuleResult:
    """A result without the findings that do not match; one without remaining findings counts as passed."""
    group = rules[result.rule].group if result.rule in rules else ""
    named = not wanted.rules or any(fnmatch.fnmatchcase(name, glob) for glob in wanted.rules for name in (result.rule, group))
    findings = tuple(one for one in result.findings if named and one.finding.severity >= wanted.severity)
    unknowns = result.unknowns if named else ()
    status = Status.PASS if result.status in (Status.FAIL, Status.UNKNOWN) and not findings and not unknowns else result.status
    return replace(result, findings=findings, unknowns=unknowns, status=status)
