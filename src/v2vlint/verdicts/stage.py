"""What a judge of a stage returns, in short."""

from __future__ import annotations

from collections.abc import Callable

from v2vlint.facts.registry import FactStore
from v2vlint.model.finding import Stage
from v2vlint.model.place import Where
from v2vlint.model.report import Fate, StageForecast

Judge = Callable[[FactStore], StageForecast]


def passed(stage: Stage, reason: str, where: Where | None = None) -> StageForecast:
    """The stage will pass."""
    return StageForecast(stage, Fate.PASS, reason, where)


def failed(stage: Stage, reason: str, where: Where | None = None, rule: str = "") -> StageForecast:
    """The stage will fail."""
    return StageForecast(stage, Fate.FAIL, reason, where, rule)


def unknown(stage: Stage, reason: str, where: Where | None = None, rule: str = "") -> StageForecast:
    """It cannot be told."""
    return StageForecast(stage, Fate.UNKNOWN, reason, where, rule)


def skipped(stage: Stage, reason: str) -> StageForecast:
    """The stage is not reached, or there is nothing to do in it."""
    return StageForecast(stage, Fate.SKIPPED, reason)
