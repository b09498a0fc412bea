"""The forecast as a result among the rules': a boot that stops, where no rule's finding says so, counts like an error."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

from v2vlint.engine.present import Presenter
from v2vlint.guest.fs import GuestFS
from v2vlint.model.finding import Finding, Severity, Unknown
from v2vlint.model.place import Device
from v2vlint.model.report import Fate, RuleResult, StageForecast, Status, TargetReport
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
    help="The boot is forecast to stop, and no rule's finding says so.\n\n## What it does\nWalks the stages of the boot, and reports the "
    "one that fails where no error of a rule explains it, so that a guest that will not come up never passes a gate.\n\n## Why it matters\n"
    "The guest will not reach its login on this target. Leave it out with `--ignore forecast`, or with an exception for the image.",
)


def counted(targets: Iterable[TargetReport], presenters: Sequence[Presenter], fs: GuestFS) -> tuple[TargetReport, ...]:
    """``targets`` with the outcome of their forecast among the results; without one where nothing was forecast."""
    return tuple(
        dataclasses.replace(one, results=(*one.results, _result(one, presenter, fs))) if one.forecast else one
        for one, presenter in zip(targets, presenters, strict=True)
    )


def _result(target: TargetReport, presenter: Presenter, fs: GuestFS) -> RuleResult:
    stages = target.forecast.stages if target.forecast else ()
    fate = target.forecast.fate if target.forecast else Fate.PASS
    stage = next((one for one in stages if one.fate is fate and one.stage in stopping()), None)
    if stage is None or fate is Fate.PASS or stage.rule:
        return RuleResult(FORECAST.id, Status.PASS)
    if fate is Fate.FAIL:
        finding = presenter.present(_finding(stage, target.target), fs)
        return RuleResult(FORECAST.id, Status.FAIL, (finding,))
    doubt = Unknown(FORECAST.id, stage.where or Device("guest"), stage.reason)
    return RuleResult(FORECAST.id, Status.UNKNOWN, (), (doubt,))


def _finding(stage: StageForecast, target: str) -> Finding:
    effect = f"on {target} the boot stops at the {stage.stage} stage"
    return Finding(FORECAST.id, Severity.ERROR, stage.where or Device("guest"), stage.reason, effect, stage=stage.stage)
