"""The forecast: what becomes of each stage of the boot, from facts as the mover leaves them, and the target.

Every module here has the verdict on one stage (those of Windows share one): a new module is found by itself, and its ``place`` puts it in
the order. Each verdict is a fact like others, so that rules ask for it by its type.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import pkgutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from v2vlint.facts.boot.path import BootPaths
from v2vlint.facts.registry import FactStore, provides
from v2vlint.guest.budget import spending
from v2vlint.model.errors import FactUnavailable
from v2vlint.model.finding import Fate, Finding, Severity, Stage, Unknown
from v2vlint.model.osinfo import OsInfo
from v2vlint.model.report import Forecast, StageForecast
from v2vlint.model.target import Target
from v2vlint.model.verdict import Verdict


def _all() -> tuple[type[Verdict], ...]:
    """Every verdict of every module here, in the order of their places."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    return tuple(sorted(Verdict.__subclasses__(), key=lambda kind: kind.place))


def _register(kind: type[Verdict]) -> None:
    def provide(store: FactStore) -> Verdict:
        return kind(lambda function: _asked(store, function))

    provide.__annotations__ = {"store": FactStore, "return": kind}
    provides(provide)


def _asked(store: FactStore, function: Callable[..., Iterable[Any]]) -> tuple[Any, ...]:
    arguments = store.arguments(function)
    with spending():
        return tuple(function(**arguments))


VERDICTS = _all()
for _kind in VERDICTS:
    _register(_kind)


@dataclass(frozen=True, slots=True)
class RuleOutcomes:
    """What the rules said of this root on this target: findings, and unknowns with the stage their rule is about."""

    findings: tuple[Finding, ...] = ()
    unknowns: tuple[tuple[Stage, Unknown], ...] = ()


def predict(store: FactStore, outcomes: RuleOutcomes | None = None) -> Forecast:
    """The forecast for the target in ``store``. Stages behind one that fails are skipped."""
    outcomes = outcomes or RuleOutcomes()
    stages: list[StageForecast] = []
    needed: list[StageForecast] = []
    stopped: StageForecast | None = None
    for kind in VERDICTS:
        if store.get(OsInfo).kind not in kind.kinds:
            continue
        if stopped is not None:
            stages.append(StageForecast(kind.stage, Fate.SKIPPED, f"the boot stops at the {stopped.stage} stage"))
            continue
        cause = store.get(kind).decisive
        found = _overlay(StageForecast(kind.stage, cause.fate, cause.reason, cause.where), outcomes)
        stages.append(found)
        needed += [found] if kind.stops else []
        stopped = found if found.fate is Fate.FAIL and kind.stops else None
    return Forecast(_fate(needed), tuple(stages), _way_back(stages, store))


def _overlay(found: StageForecast, outcomes: RuleOutcomes) -> StageForecast:
    errors = [f for f in outcomes.findings if f.stage is found.stage and f.severity is Severity.ERROR]
    if errors:
        return StageForecast(found.stage, Fate.FAIL, errors[0].message, errors[0].where, errors[0].rule)
    doubts = [doubt for stage, doubt in outcomes.unknowns if stage is found.stage]
    if found.fate is Fate.PASS and doubts:
        return StageForecast(found.stage, Fate.UNKNOWN, doubts[0].reason, doubts[0].where, doubts[0].rule)
    told = next((finding for finding in outcomes.findings if found.where is not None and finding.where == found.where), None)
    if told and found.fate is Fate.UNKNOWN:
        return dataclasses.replace(found, rule=told.rule)
    if told and found.fate is Fate.FAIL and told.severity is Severity.WARNING:
        return StageForecast(found.stage, Fate.UNKNOWN, f"{found.reason}; {told.effect}", found.where, told.rule)
    return found


def _fate(needed: Iterable[StageForecast]) -> Fate:
    fates = {found.fate for found in needed}
    return next((fate for fate in (Fate.FAIL, Fate.UNKNOWN) if fate in fates), Fate.PASS)


def _way_back(stages: Iterable[StageForecast], store: FactStore) -> str:
    """An entry of the menu that would boot on the target all the same, in words; empty when there is none."""
    failing: Mapping[Stage, StageForecast] = {found.stage: found for found in stages if found.fate is Fate.FAIL}
    if not failing.keys() & {Stage.KERNEL, Stage.INITRAMFS}:
        return ""
    try:
        choice = store.get(BootPaths).way_back(store.get(Target).controllers)
    except FactUnavailable:
        return ""
    return "" if choice is None else f"the entry {choice.title!r} can drive the target's disks: choose it in the menu by hand"


@functools.cache
def stopping() -> frozenset[Stage]:
    """Stages without which no login prompt appears; a guest without network or console is up, only hard to reach."""
    return frozenset(kind.stage for kind in VERDICTS if kind.stops)
