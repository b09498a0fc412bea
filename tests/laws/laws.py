"""The laws of a report: each takes a judgement and says in a few words how it is broken, if it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from tests.laws.court import Judgement, findings
from v2vlint.engine.boot import FORECAST
from v2vlint.model.finding import Fate, Finding, Severity, Stage
from v2vlint.model.report import RuleResult, StageForecast, TargetReport

Law = Callable[[Judgement], Iterator[str]]
_RANK = {Fate.PASS: 0, Fate.UNKNOWN: 1, Fate.FAIL: 2}


def stages(report: TargetReport) -> dict[Stage, StageForecast]:
    """The forecast by stage; empty when there is none."""
    return {stage.stage: stage for stage in report.forecast.stages} if report.forecast else {}


def errors(report: TargetReport) -> list[Finding]:
    """Findings that say that the guest does not boot or cannot be reached."""
    return [finding for finding in findings(report) if finding.severity is Severity.ERROR]


def failure_is_told(judgement: Judgement) -> Iterator[str]:
    """(a) A stage that fails has an error at its place; where there is no place, one about that stage."""
    for stage in stages(judgement.report).values():
        if stage.fate is not Fate.FAIL:
            continue
        at_place = [e for e in errors(judgement.report) if (e.where == stage.where if stage.where else e.stage is stage.stage)]
        if not at_place:
            yield f"a: {stage.stage} fails without an error at its place"
        elif stage.rule and all(e.rule != stage.rule for e in at_place):
            yield f"a: {stage.stage} fails because of {stage.rule}, which has no error there"


def error_is_forecast(judgement: Judgement) -> Iterator[str]:
    """(b) No error is about a stage that passes, and none is about no stage at all when the guest comes up and can be reached."""
    forecast = stages(judgement.report)
    for error in errors(judgement.report):
        if error.stage is None:
            if forecast and all(stage.fate is Fate.PASS for stage in forecast.values()):
                yield f"b: {error.rule} is an error, and every stage passes"
        elif error.stage in forecast and forecast[error.stage].fate is Fate.PASS:
            yield f"b: {error.rule} is an error at {error.stage}, which passes"


def fixes_do_no_harm(judgement: Judgement) -> Iterator[str]:
    """(c) No stage is worse after all safe fixes, and no rule has more errors than before."""
    if judgement.after is None:
        return
    after = stages(judgement.after)
    for stage in stages(judgement.report).values():
        now = after[stage.stage]
        if stage.fate in _RANK and now.fate in _RANK and _RANK[now.fate] > _RANK[stage.fate]:
            yield f"c: {stage.stage} was {stage.fate} and is {now.fate} after the fixes"
    more = Counter(e.rule for e in errors(judgement.after)) - Counter(e.rule for e in errors(judgement.report))
    yield from (f"c: {rule} has an error after the fixes that was not there" for rule in more)


def repair_repairs(judgement: Judgement) -> Iterator[str]:
    """(c) A stage that fails, all of whose errors have a fix that was applied, passes then."""
    if judgement.after is None:
        return
    after = stages(judgement.after)
    for stage in stages(judgement.report).values():
        told = [error for error in errors(judgement.report) if error.stage is stage.stage]
        mended = bool(told) and all(error.fix in judgement.work.taken for error in told)
        if stage.fate is Fate.FAIL and mended and after[stage.stage].fate not in (Fate.PASS, Fate.SKIPPED):
            yield f"c: {stage.stage} is {after[stage.stage].fate} after the fix of {told[0].rule}"


def derived_is_the_same(judgement: Judgement) -> Iterator[str]:
    """(e) A profile that only extends another one gives the same report, but for its name."""
    base, own = judgement.report, judgement.own
    for one, other in zip(base.results, own.results, strict=True):
        if _shown(one) != _shown(other).replace(own.target, base.target):
            yield f"e: {one.rule} says something else for a derived profile"
    if repr(own.forecast).replace(own.target, base.target) != repr(base.forecast):
        yield "e: the forecast is another one for a derived profile"


def _shown(result: RuleResult) -> str:
    """All of a result but the fingerprints, which are of messages that may name the target."""
    return repr(replace(result, findings=tuple(replace(found, fingerprint="") for found in result.findings)))


def stop_is_explained(judgement: Judgement) -> Iterator[str]:
    """(f) Every stop of the boot is explained by a rule of its own; the rule ``forecast`` is only there for those that nobody knows."""
    yield from (f"f: no rule explains that {error.stage} fails" for error in errors(judgement.report) if error.rule == FORECAST.id)


ANYWHERE: tuple[Law, ...] = (failure_is_told, error_is_forecast, fixes_do_no_harm, repair_repairs, derived_is_the_same)
"""The laws that hold of every guest."""

LAWS = (*ANYWHERE, stop_is_explained)
"""Those of a guest whose faults are known."""


def broken(judgement: Judgement, laws: Iterable[Law] = LAWS) -> Iterator[str]:
    """How a judgement breaks the laws, with the mover that it is about."""
    for law in laws:
        yield from (f"{text} ({judgement.report.mover})" for text in law(judgement))
