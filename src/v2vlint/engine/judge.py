"""Judging one root for each target: every rule's outcome, presented, and the forecast."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from v2vlint.engine.packs import LoadedRule
from v2vlint.engine.present import Presenter
from v2vlint.engine.run import failed, run_rule
from v2vlint.facts.registry import FactStore
from v2vlint.guest.fs import GuestFS
from v2vlint.model.definition import Definition
from v2vlint.model.finding import Mover, Stage
from v2vlint.model.osinfo import OsInfo
from v2vlint.model.report import Fate, Forecast, RuleResult, StageForecast, TargetReport
from v2vlint.model.target import Target
from v2vlint.verdicts import RuleOutcomes, predict


def judge(
    store: FactStore, rules: Iterable[LoadedRule], targets: Sequence[Target], mover: Mover, presenters: Sequence[Presenter]
) -> tuple[TargetReport, ...]:
    """Run ``rules`` on the root whose facts ``store`` has, once per target; facts that do not rest on the target are parsed once."""
    kind = store.get(OsInfo).kind
    fitting = tuple(loaded for loaded in rules if kind in loaded.rule.kinds)
    reports: list[TargetReport] = []
    for target, presenter in zip(targets, presenters, strict=True):
        store = store.with_given(target, mover)
        results = tuple(_result(loaded, store, presenter, store.get(GuestFS)) for loaded in fitting)
        forecast = _forecast(store, _outcomes(fitting, results)) if kind in ("linux", "windows") else None
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
    """Run rules that ask for nothing but the definition. ``systems`` are the kinds of its roots: empty when none could be read."""
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
        findings = tuple(presenter.present(finding, fs, definition) for finding in outcome.findings)
    except Exception as error:
        findings, outcome = (), failed(loaded.rule, error, [], list(outcome.unknowns))
    return RuleResult(loaded.id, outcome.status, findings, outcome.unknowns, outcome.reason, outcome.crashed)


def _outcomes(rules: Iterable[LoadedRule], results: Iterable[RuleResult]) -> RuleOutcomes:
    stages = {loaded.id: loaded.rule.stage for loaded in rules}
    kept = tuple(results)
    findings = tuple(found.finding for result in kept for found in result.findings)
    unknowns = ((stages[result.rule], unknown) for result in kept for unknown in result.unknowns)
    return RuleOutcomes(findings, tuple((stage, unknown) for stage, unknown in unknowns if stage is not None))


def _forecast(store: FactStore, outcomes: RuleOutcomes) -> Forecast:
    try:
        return predict(store, outcomes)
    except MemoryError:
        raise
    except Exception as error:
        stage = StageForecast(Stage.FIRMWARE, Fate.UNKNOWN, f"the forecast failed: {type(error).__name__}: {error}")
        return Forecast(Fate.UNKNOWN, (stage,))
