"""The forecast: the predicted fate of a boot, stage by stage, from facts and a target.

Each stage has a judge of its own, which says what it found and where. What the rules found is laid over that: an error of a rule fails the
stage it names, so that forecast and findings cannot contradict each other; an unknown of a rule makes its stage unknown at best. Where a
rule only warns of the very place that a judge fails, it knows of a way on, and the stage is unknown.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from v2vlint.facts.registry import FactStore
from v2vlint.model.errors import FactUnavailable
from v2vlint.model.finding import Finding, Severity, Stage, Unknown
from v2vlint.model.osinfo import OsInfo
from v2vlint.model.report import Fate, Forecast, StageForecast
from v2vlint.verdicts import windows
from v2vlint.verdicts.drivers import initramfs, root, unlock, way_back
from v2vlint.verdicts.early import entry, firmware, kernel, loader
from v2vlint.verdicts.late import console, mounts, network, userland
from v2vlint.verdicts.stage import Judge, failed, skipped, unknown

JUDGES: tuple[tuple[Stage, Judge], ...] = (
    (Stage.FIRMWARE, firmware),
    (Stage.LOADER, loader),
    (Stage.ENTRY, entry),
    (Stage.KERNEL, kernel),
    (Stage.INITRAMFS, initramfs),
    (Stage.ROOT, root),
    (Stage.UNLOCK, unlock),
    (Stage.USERLAND, userland),
    (Stage.MOUNTS, mounts),
    (Stage.NETWORK, network),
    (Stage.CONSOLE, console),
)
WINDOWS_JUDGES: tuple[tuple[Stage, Judge], ...] = (
    (Stage.FIRMWARE, firmware),
    (Stage.LOADER, windows.loader),
    (Stage.ENTRY, windows.entry),
    (Stage.KERNEL, windows.kernel),
    (Stage.ROOT, windows.root),
    (Stage.UNLOCK, windows.unlock),
    (Stage.NETWORK, windows.network),
)
NEEDED = frozenset(stage for stage, _judge in JUDGES) - {Stage.NETWORK, Stage.CONSOLE}
"""Stages without which no login prompt appears; a guest without network or console is up, only hard to reach."""


@dataclass(frozen=True, slots=True)
class RuleOutcomes:
    """What the rules said of this root on this target: findings, and unknowns with the stage their rule is about."""

    findings: tuple[Finding, ...] = ()
    unknowns: tuple[tuple[Stage, Unknown], ...] = ()


def predict(store: FactStore, outcomes: RuleOutcomes | None = None) -> Forecast:
    """The forecast for the target in ``store``. Stages behind one that fails are skipped."""
    outcomes = outcomes or RuleOutcomes()
    stages: list[StageForecast] = []
    stopped: StageForecast | None = None
    judges = WINDOWS_JUDGES if store.get(OsInfo).kind == "windows" else JUDGES
    for stage, judge in judges:
        if stopped is not None:
            stages.append(skipped(stage, f"the boot stops at the {stopped.stage} stage"))
            continue
        found = _overlay(_judged(stage, judge, store), outcomes)
        stages.append(found)
        if found.fate is Fate.FAIL and stage in NEEDED:
            stopped = found
    return Forecast(_fate(stages), tuple(stages), _way_back(stages, store))


def _judged(stage: Stage, judge: Judge, store: FactStore) -> StageForecast:
    try:
        return judge(store)
    except FactUnavailable as reason:
        return unknown(stage, reason.reason, reason.where)


def _overlay(found: StageForecast, outcomes: RuleOutcomes) -> StageForecast:
    errors = [f for f in outcomes.findings if f.stage is found.stage and f.severity is Severity.ERROR]
    if errors:
        return failed(found.stage, errors[0].message, errors[0].where, errors[0].rule)
    doubts = [doubt for stage, doubt in outcomes.unknowns if stage is found.stage]
    if found.fate is Fate.PASS and doubts:
        return unknown(found.stage, doubts[0].reason, doubts[0].where, doubts[0].rule)
    told = next((finding for finding in outcomes.findings if found.where is not None and finding.where == found.where), None)
    if told and found.fate is Fate.UNKNOWN:
        return dataclasses.replace(found, rule=told.rule)
    if told and found.fate is Fate.FAIL and told.severity is Severity.WARNING:
        return unknown(found.stage, f"{found.reason}; {told.effect}", found.where, told.rule)
    return found


def _fate(stages: Sequence[StageForecast]) -> Fate:
    fates = {found.fate for found in stages if found.stage in NEEDED}
    return next((fate for fate in (Fate.FAIL, Fate.UNKNOWN) if fate in fates), Fate.PASS)


def _way_back(stages: Iterable[StageForecast], store: FactStore) -> str:
    failing: Mapping[Stage, StageForecast] = {found.stage: found for found in stages if found.fate is Fate.FAIL}
    if not failing.keys() & {Stage.KERNEL, Stage.INITRAMFS}:
        return ""
    try:
        return way_back(store)
    except FactUnavailable:
        return ""
