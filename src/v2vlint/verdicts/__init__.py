"""The forecast: the outcome of each boot stage, judged from the facts as the mover leaves them and the target.

Each module holds the verdict on one stage (those for Windows share one). Modules are discovered; a verdict's ``place`` puts it in
order. A verdict is a fact like any other, so rules request it by its type.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Callable, Iterable
from typing import Any

from v2vlint.facts.boot.path import BootPaths
from v2vlint.facts.conversion.landing import Landing
from v2vlint.facts.registry import FactStore, provides
from v2vlint.guest.budget import spending
from v2vlint.model.errors import FactUnavailable
from v2vlint.model.finding import Fate, Stage
from v2vlint.model.osinfo import OsInfo
from v2vlint.model.report import Forecast, StageForecast
from v2vlint.model.verdict import Verdict


def _all() -> tuple[type[Verdict], ...]:
    """Every verdict in this package, in the order of the stages."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    return tuple(sorted(Verdict.__subclasses__(), key=lambda kind: kind.place))


def _register(kind: type[Verdict]) -> None:
    def provide(store: FactStore) -> Verdict:
        return kind(lambda function: _asked(store, function))

    # provides() reads annotations, and as text they could not refer to a variable.
    provide.__annotations__ = {"store": FactStore, "return": kind}
    provides(provide)


def _asked(store: FactStore, function: Callable[..., Iterable[Any]]) -> tuple[Any, ...]:
    arguments = store.arguments(function)  # facts have budgets of their own
    with spending():
        return tuple(function(**arguments))


VERDICTS = _all()
for _kind in VERDICTS:
    _register(_kind)


def predict(store: FactStore) -> Forecast:
    """The forecast for the target in ``store``. Stages after a failed one are skipped."""
    stages: list[StageForecast] = []
    stopped: Stage | None = None
    for kind in VERDICTS:
        if store.get(OsInfo).kind not in kind.kinds:
            continue
        if stopped is not None:
            stages.append(StageForecast(kind.stage, Fate.SKIPPED, f"the boot stops at the {stopped} stage"))
            continue
        cause = store.get(kind).decisive
        stages.append(StageForecast(kind.stage, cause.fate, cause.reason, cause.where))
        stopped = kind.stage if cause.fate is Fate.FAIL and kind.stops else None
    fates = {found.fate for found in stages if found.stage in stopping()}
    fate = next((fate for fate in (Fate.FAIL, Fate.UNKNOWN) if fate in fates), Fate.PASS)
    return Forecast(fate, tuple(stages), _way_back(stages, store))


def _way_back(stages: Iterable[StageForecast], store: FactStore) -> str:
    """A menu entry that would still boot on the target, as text; empty when there is none."""
    failing = {found.stage for found in stages if found.fate is Fate.FAIL}
    if not failing & {Stage.KERNEL, Stage.INITRAMFS}:
        return ""
    try:
        choice = store.get(BootPaths).way_back(store.get(Landing).controllers)
    except FactUnavailable:
        return ""
    return "" if choice is None else f"the entry {choice.title!r} can drive the target's disks: choose it in the menu by hand"


@functools.cache
def stopping() -> frozenset[Stage]:
    """Stages that must pass for a login prompt to appear; a guest without network or console is up, only hard to reach."""
    return frozenset(kind.stage for kind in VERDICTS if kind.stops)
