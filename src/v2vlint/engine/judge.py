"""Judge one root for each target: every rule's outcome, prepared for display, and the forecast."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence

from v2vlint.engine.packs import LoadedRule
from v2vlint.engine.present import Presenter
from v2vlint.engine.room import with_room
from v2vlint.engine.run import failed, run_rule
from v2vlint.facts.environment.chosen_hardware import fitted
from v2vlint.facts.registry import FactStore, needs
from v2vlint.guest.fs import GuestFS
from v2vlint.model.blocks import BlockTable
from v2vlint.model.dataclass import dataclass
from v2vlint.model.definition import Definition
from v2vlint.model.finding import Mover, Severity, Stage
from v2vlint.model.osinfo import OsInfo
from v2vlint.model.place import Where
from v2vlint.model.report import Fate, Forecast, RuleResult, StageForecast, TargetReport
from v2vlint.model.target import Target
from v2vlint.model.verdict import Verdict
from v2vlint.verdicts import predict


def judge(
    store: FactStore, rules: Iterable[LoadedRule], targets: Sequence[Target], mover: Mover, presenters: Sequence[Presenter]
) -> tuple[TargetReport, ...]:
    """Run ``rules`` on the root with the facts in ``store``, once per target. Facts that do not depend on the target are parsed once."""
    kind = store.get(OsInfo).kind
    fitting = tuple(loaded for loaded in rules if kind in loaded.rule.kinds)
    reports: list[TargetReport] = []
    for target, presenter in zip(targets, presenters, strict=True):
        store = store.with_given(fitted(target, store.get(OsInfo), store.get(Definition)), mover)
        results = tuple(_result(loaded, store, presenter, store.get(GuestFS)) for loaded in fitting)
        forecast = _forecast(store, _said(fitting, results)) if kind in ("linux", "windows") else None
        reports.append(TargetReport(target.name, mover, results, forecast))
    return tuple(reports)


def judge_machine(
    definition: Definition,
    systems: frozenset[str],
    rules: Iterable[LoadedRule],
    targets: Sequence[Target],
    mover: Mover,
    presenters: Sequence[Presenter],
) -> tuple[TargetReport, ...]:
    """Run rules that need only the definition. ``systems`` are the kinds of its roots, empty when none could be read."""
    fitting = tuple(loaded for loaded in rules if not systems or systems & loaded.rule.kinds)
    reports: list[TargetReport] = []
    for target, presenter in zip(targets, presenters, strict=True):
        store = FactStore((definition, target, mover))
        reports.append(TargetReport(target.name, mover, tuple(_result(loaded, store, presenter, None) for loaded in fitting)))
    return tuple(reports)


def _result(loaded: LoadedRule, store: FactStore, presenter: Presenter, fs: GuestFS | None) -> RuleResult:
    outcome = run_rule(loaded.rule, store)
    definition = store.get(Definition)
    try:
        found = outcome.findings if fs is None else (with_room(one, fs, store.get(BlockTable)) for one in outcome.findings)
        findings = tuple(presenter.present(finding, fs, definition) for finding in found)
    # A place or a fix that cannot be shown comes from the rule: it has crashed, and the others go on.
    except Exception as error:
        findings, outcome = (), failed(loaded.rule, error, [], list(outcome.unknowns))
    return RuleResult(loaded.id, outcome.status, findings, outcome.unknowns, outcome.reason, outcome.crashed)


@dataclass(frozen=True, slots=True)
class _Said:
    """What a rule says about a place, as far as it uses the verdict of ``stage``; ``error`` says whether as an error."""

    stage: Stage
    where: Where
    rule: str
    error: bool
    text: str


def _said(rules: Iterable[LoadedRule], results: Iterable[RuleResult]) -> tuple[_Said, ...]:
    stages = {loaded.id: [kind.stage for kind in needs(type(loaded.rule).check).values() if issubclass(kind, Verdict)] for loaded in rules}
    return tuple(_Said(stage, *place) for result in results for stage in stages[result.rule] for place in _places(result))


def _places(result: RuleResult) -> Iterator[tuple[Where, str, bool, str]]:
    for found in (shown.finding for shown in result.findings):
        yield found.where, result.rule, found.severity is Severity.ERROR, found.message
    for unknown in result.unknowns:
        yield unknown.where, result.rule, False, unknown.reason


def _forecast(store: FactStore, said: Sequence[_Said]) -> Forecast:
    try:
        forecast = predict(store)
    except MemoryError:
        raise
    except Exception as error:
        stage = StageForecast(Stage.FIRMWARE, Fate.UNKNOWN, f"the forecast failed: {type(error).__name__}: {error}")
        return Forecast(Fate.UNKNOWN, (stage,))
    return dataclasses.replace(forecast, stages=tuple(_explained(stage, said) for stage in forecast.stages))


def _explained(stage: StageForecast, said: Sequence[_Said]) -> StageForecast:
    """``stage`` with the rule that explains it: one that uses its verdict and names the deciding place, by an error if the stage fails."""
    if stage.fate not in (Fate.FAIL, Fate.UNKNOWN):
        return stage
    fails = stage.fate is Fate.FAIL
    there = (one for one in said if one.stage is stage.stage and one.where == stage.where)
    found = min(there, key=lambda one: (one.error is not fails, one.text != stage.reason, one.rule), default=None)
    return dataclasses.replace(stage, rule=found.rule) if found else stage
