"""The forecast as a result alongside the rules': a failing boot that no rule's finding explains counts as an error."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

from v2vlint.engine.present import Presenter
from v2vlint.guest.fs import GuestFS
from v2vlint.model.finding import Finding, Severity, Unknown
from v2vlint.model.place import Device
from v2vlint.model.report import Fate, FindingReport, RuleResult, StageForecast, Status, TargetReport
from v2vlint.model.rule import Audience, RuleInfo
from v2vlint.verdicts import stopping

FORECAST = RuleInfo(
    id="forecast",
    group="boot",
    title="The boot is forecast to stop, and no rule's finding says so.",
    severity=Severity.ERROR,
    audience=Audience.DEFAULT,
    fixable=False,
    since="0.1",
    pack="v2vlint",
    help="The boot is forecast to stop, and no rule's finding says so.\n\n## What it does\nChecks the stages of the boot and reports those "
    "that fail without an error from a rule to explain it, so that a guest that will not come up, or cannot be reached, never passes a "
    "gate.\n\n## Why it matters\nOn this target the guest will not reach its login, or nobody can reach the guest. "
    "Skip it with `--ignore forecast`, or with an exception for the image.",
)


def counted(targets: Iterable[TargetReport], presenters: Sequence[Presenter], fs: GuestFS) -> tuple[TargetReport, ...]:
    """``targets`` with the outcome of their forecast added to the results, where there is a forecast."""
    return tuple(
        dataclasses.replace(one, results=(*one.results, _result(one, presenter, fs))) if one.forecast else one
        for one, presenter in zip(targets, presenters, strict=True)
    )


def _result(target: TargetReport, presenter: Presenter, fs: GuestFS) -> RuleResult:
    stages = target.forecast.stages if target.forecast else ()
    told = {(found.finding.stage, found.finding.where) for result in target.results for found in result.findings if _is_error(found)}
    failing = [stage for stage in stages if stage.fate is Fate.FAIL and (stage.stage, stage.where) not in told]
    if failing:
        findings = tuple(presenter.present(_finding(stage, target.target), fs) for stage in failing)
        return RuleResult(FORECAST.id, Status.FAIL, findings)
    doubtful = next((stage for stage in stages if stage.fate is Fate.UNKNOWN and stage.stage in stopping()), None)
    # A doubt that a rule explains, or after the stage at which the boot stops, is not told twice.
    if doubtful is None or doubtful.rule or any(stage.fate is Fate.FAIL and stage.stage in stopping() for stage in stages):
        return RuleResult(FORECAST.id, Status.PASS)
    doubt = Unknown(FORECAST.id, doubtful.where or Device("guest"), doubtful.reason)
    return RuleResult(FORECAST.id, Status.UNKNOWN, (), (doubt,))


def _is_error(found: FindingReport) -> bool:
    return found.finding.severity is Severity.ERROR


def _finding(stage: StageForecast, target: str) -> Finding:
    stops = f"the boot stops at the {stage.stage} stage" if stage.stage in stopping() else f"the {stage.stage} stage fails"
    return Finding(FORECAST.id, Severity.ERROR, stage.where or Device("guest"), stage.reason, f"on {target} {stops}", stage=stage.stage)
