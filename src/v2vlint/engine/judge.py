"""Judging one root for each target: every rule's outcome, presented, and the forecast."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Sequence

from v2vlint.engine.packs import LoadedRule
from v2vlint.engine.present import Presenter
from v2vlint.engine.run import run_rule
from v2vlint.facts.registry import FactStore
from v2vlint.guest.fs import GuestFS
from v2vlint.model.finding import Mover, Stage
from v2vlint.model.osinfo import OsInfo
from v2vlint.model.report import Fate, Forecast, RuleResult, StageForecast, TargetReport
from v2vlint.model.target import Target


def judge(
    store: FactStore, rules: Iterable[LoadedRule], targets: Sequence[Target], mover: Mover, presenters: Sequence[Presenter]
) -> tuple[TargetReport, ...]:
    """Run ``rules`` on the root whose facts ``store`` has, once per target; facts that do not rest on the target are parsed once."""
    kind = store.get(OsInfo).kind
    fitting = tuple(loaded for loaded in rules if kind in loaded.rule.kinds)
    reports: list[TargetReport] = []
    for target, presenter in zip(targets, presenters, strict=True):
        store = store.with_given(target, mover)
        results = tuple(_result(loaded, store, presenter) for loaded in fitting)
        reports.append(TargetReport(target.name, mover, results, _forecast(store)))
    return tuple(reports)


def _result(loaded: LoadedRule, store: FactStore, presenter: Presenter) -> RuleResult:
    outcome = run_rule(loaded.rule, store)
    fs = store.get(GuestFS)
    findings = tuple(presenter.present(finding, fs) for finding in outcome.findings)
    return RuleResult(loaded.id, outcome.status, findings, outcome.unknowns, outcome.reason, outcome.crashed)


def _forecast(store: FactStore) -> Forecast | None:
    try:
        predict = getattr(importlib.import_module("v2vlint.forecast"), "predict", None)
        return None if predict is None else predict(store)
    except MemoryError:
        raise
    except Exception as error:
        stage = StageForecast(Stage.FIRMWARE, Fate.UNKNOWN, f"the forecast failed: {type(error).__name__}: {error}")
        return Forecast(Fate.UNKNOWN, (stage,))
