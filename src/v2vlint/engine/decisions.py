"""The user's decisions about findings: severities, exceptions, baseline, recipes.

They travel with the request and are applied once, where the guest is judged, so check, fix, pytest and every report agree.
"""

from __future__ import annotations

import dataclasses
import datetime
import fnmatch
from collections.abc import Iterable, Mapping
from dataclasses import field

from v2vlint.engine.config import Anchor, Exempt
from v2vlint.engine.recipes import Recipe, RecipeFile, written
from v2vlint.model.dataclass import dataclass
from v2vlint.model.finding import Finding, Severity
from v2vlint.model.place import Device, RegistryKey, Span, Where, WholeFile
from v2vlint.model.report import FindingReport, ImageReport, RuleResult, Status, TargetReport
from v2vlint.model.rule import Audience, RuleInfo

EXPIRED = RuleInfo(
    id="exception-expired",
    group="policy",
    title="An exception of the configuration has expired.",
    severity=Severity.WARNING,
    audience=Audience.DEFAULT,
    fixable=False,
    since="0.1",
    pack="v2vlint",
    help="An exception of the configuration has expired.\n\n## What it does\nReports exceptions whose `expires` day has passed, for every "
    "image they match.\n\n## Why it matters\nThe findings it covered count again. Fix them, or extend the exception with a new reason.",
)


@dataclass(frozen=True, slots=True)
class Decisions:
    """The user's decisions. ``baseline`` holds the fingerprints of known findings; ``today`` decides which exceptions have expired."""

    severity: Mapping[str, Severity] = field(default_factory=dict)
    exceptions: tuple[Exempt, ...] = ()
    anchors: tuple[Anchor, ...] = ()
    baseline: frozenset[str] = frozenset()
    today: datetime.date = datetime.date.min
    recipes: tuple[Recipe, ...] = ()


def decide(image: ImageReport, decisions: Decisions) -> ImageReport:
    """Apply the user's severities, exceptions, baseline and recipe to ``image``."""
    mine = tuple(one for one in decisions.exceptions if fits(image.name, one.image))
    live = tuple(one for one in mine if one.expires is None or one.expires >= decisions.today)
    expired = tuple(one for one in mine if one not in live)
    files = next((one.files for one in decisions.recipes if fits(image.name, one.image)), ())
    named = next((anchor.recipe for anchor in decisions.anchors if fits(image.name, anchor.match)), "")
    recipe = named or (files[0].path if files else "")
    machine = tuple(_with_expired(_target(target, decisions, live), expired, decisions, live) for target in image.machine)
    roots = tuple(dataclasses.replace(root, targets=tuple(_target(one, decisions, live) for one in root.targets)) for root in image.roots)
    decided = dataclasses.replace(image, machine=machine, roots=roots, recipe=recipe)
    return _traced(decided, files) if files else decided


def _traced(image: ImageReport, files: tuple[RecipeFile, ...]) -> ImageReport:
    """``image`` with the lines of its recipe that wrote what its findings are about."""

    def trace(result: RuleResult) -> RuleResult:
        return dataclasses.replace(result, findings=tuple(dataclasses.replace(one, written=written(one, files)) for one in result.findings))

    def target(one: TargetReport) -> TargetReport:
        return dataclasses.replace(one, results=tuple(map(trace, one.results)))

    roots = tuple(dataclasses.replace(root, targets=tuple(map(target, root.targets))) for root in image.roots)
    return dataclasses.replace(image, machine=tuple(map(target, image.machine)), roots=roots)


def own_rules(image: ImageReport) -> tuple[RuleInfo, ...]:
    """Rules that belong to no pack but appear in a report: the one for expired exceptions, when ``image`` has such a result."""
    seen = any(result.rule == EXPIRED.id for target in image.machine for result in target.results)
    return (EXPIRED,) if seen else ()


def fits(image: str, pattern: str) -> bool:
    """Whether the glob ``pattern`` matches the image called ``image``: its name as given, or any trailing part of its path."""
    parts = image.split("/")
    return any(fnmatch.fnmatchcase("/".join(parts[start:]), pattern) for start in range(len(parts)))


def _target(target: TargetReport, decisions: Decisions, live: tuple[Exempt, ...]) -> TargetReport:
    return dataclasses.replace(target, results=tuple(_result(result, decisions, live) for result in target.results))


def _with_expired(target: TargetReport, expired: tuple[Exempt, ...], decisions: Decisions, live: tuple[Exempt, ...]) -> TargetReport:
    if not expired:
        return target
    late = _result(RuleResult(EXPIRED.id, Status.FAIL, tuple(map(_expired, expired))), decisions, live)
    return dataclasses.replace(target, results=(*target.results, late))


def _expired(one: Exempt) -> FindingReport:
    message = f"the exception for {one.id} expired on {one.expires} (reason given: {one.reason})"
    finding = Finding(EXPIRED.id, EXPIRED.severity, Device(one.where), message, "the findings it covered count again")
    return FindingReport(finding, fingerprint=f"{EXPIRED.id}:{one.id}:{one.image}:{one.path}")


def _result(result: RuleResult, decisions: Decisions, live: tuple[Exempt, ...]) -> RuleResult:
    mine = tuple(one for one in live if fnmatch.fnmatchcase(result.rule, one.id))
    findings = tuple(_finding(report, decisions, mine) for report in result.findings)
    # No exception covers a crash: nobody knows what the rule would have said.
    unknowns = tuple(unknown for unknown in result.unknowns if result.crashed or not _reason(unknown.where, mine))
    covered = (findings or result.unknowns) and not unknowns and all(report.exception for report in findings)
    if mine and covered:
        return dataclasses.replace(result, findings=findings, unknowns=(), status=Status.EXCEPTED, reason=mine[0].reason)
    return dataclasses.replace(result, findings=findings, unknowns=unknowns)


def _finding(report: FindingReport, decisions: Decisions, mine: tuple[Exempt, ...]) -> FindingReport:
    finding = report.finding
    level = decisions.severity.get(finding.rule, finding.severity)
    return dataclasses.replace(
        report,
        finding=dataclasses.replace(finding, severity=level),
        exception=_reason(finding.where, mine),
        baselined=report.fingerprint in decisions.baseline,
    )


def _reason(where: Where, mine: Iterable[Exempt]) -> str:
    path = where.path if isinstance(where, Span | WholeFile | RegistryKey) else str(where)
    return next((one.reason for one in mine if not one.path or fnmatch.fnmatchcase(path, one.path)), "")
