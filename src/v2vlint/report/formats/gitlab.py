"""GitLab's code quality format: a JSON array of issues, for ``artifacts:reports:codequality``."""

from __future__ import annotations

import json

from v2vlint.model.finding import Severity
from v2vlint.model.fix import Applicability
from v2vlint.model.place import Span, Where
from v2vlint.model.plain import JsonObject
from v2vlint.model.report import ImageReport, Problem, Report
from v2vlint.report import words
from v2vlint.report.escape import visible
from v2vlint.report.walk import Gap, Hit, gaps, hits, logical_name, outside, stable_hash

_SEVERITIES = {Severity.ERROR: "critical", Severity.WARNING: "major", Severity.INFO: "minor"}

_UNDONE = {Applicability.MANUAL: "", Applicability.UNSAFE: ", can be undone", Applicability.SAFE: ", can be undone"}


def render(report: Report) -> str:
    """The findings that count, undecided rules, and unreadable parts.

    An error that stops the boot is a ``blocker``, any other ``critical``; an undecided rule is ``info``, an unreadable image
    ``critical``. Every fingerprint is unique in the array and stable between runs.
    """
    issues = [_finding(hit) for hit in hits(report) if hit.shown.counts]
    for image in report.images:
        issues.extend(_gap(gap) for gap in gaps(image))
        issues.extend(_problem(image, problem) for problem in image.problems)
    # Reversed, so that the first of equal ones stays.
    unique = {issue["fingerprint"]: issue for issue in reversed(issues)}
    return json.dumps([*reversed(unique.values())], indent=2) + "\n"


def _finding(hit: Hit) -> JsonObject:
    finding = hit.shown.finding
    parts = [finding.message, finding.effect, f"{finding.where} in {hit.image.name}, for {words.affected(hit)}"]
    parts += [f"fix ({words.safety(finding.fix)}{_UNDONE[finding.fix.applicability]}): {finding.fix.title}"] if finding.fix else []
    severity = "blocker" if finding.stage and hit.severity is Severity.ERROR else _SEVERITIES[hit.severity]
    issue = _issue(hit.image, hit.rule, ". ".join(part for part in parts if part), severity, hit.key, finding.where)
    written = hit.shown.written
    return issue | ({"location": {"path": visible(written.path), "lines": {"begin": written.line}}} if written else {})


def _gap(gap: Gap) -> JsonObject:
    key = stable_hash(logical_name(gap.image), gap.device, gap.rule, str(gap.where), gap.reason)
    description = f"could not tell: {gap.reason}. {gap.where} in {gap.image.name}, for {', '.join(gap.targets)}"
    return _issue(gap.image, gap.rule, description, "info", key, gap.where)


def _problem(image: ImageReport, problem: Problem) -> JsonObject:
    key = stable_hash(logical_name(image), problem.where, problem.reason)
    hint = f" ({problem.hint})" if problem.hint else ""
    return _issue(image, "image-unreadable", f"{problem.where} in {image.name}: {problem.reason}{hint}", "critical", key, None)


def _issue(image: ImageReport, check: str, description: str, severity: str, key: str, where: Where | None) -> JsonObject:
    return {
        "description": visible(description),
        "check_name": visible(check),
        "fingerprint": key,
        "severity": severity,
        "location": _location(image, where),
    }


def _location(image: ImageReport, where: Where | None) -> JsonObject:
    """The recipe, or else the definition or ``IMAGE/guest/path``; lines start at 1."""
    if image.recipe:
        return {"path": visible(image.recipe), "lines": {"begin": 1}}
    path = where.path if isinstance(where, Span) else str(where or "")
    line = max(1, where.line) if isinstance(where, Span) else 1
    if outside(where):
        return {"path": visible(path), "lines": {"begin": line}}
    return {"path": visible(f"{logical_name(image)}/{path.lstrip('/')}".rstrip("/")), "lines": {"begin": line}}
