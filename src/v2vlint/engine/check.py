"""The parent's side of a check: one child per guest, reports in the order given."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from v2vlint import isolate
from v2vlint.engine.decisions import decide
from v2vlint.engine.protocol import CHECK, CheckAsk, Judged, digest_of
from v2vlint.files import Desk
from v2vlint.isolate import DEFAULT_LIMITS, Answer, Call, Limits, Outcome, Refusal
from v2vlint.model.codec import decode, encode
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import NothingFound, PackError, UsageError, V2vlintError
from v2vlint.model.report import Forecast, ImageReport, Problem
from v2vlint.model.rule import RuleInfo
from v2vlint.source.journal import pending

_ERRORS: dict[str, type[V2vlintError]] = {kind.__name__: kind for kind in (UsageError, NothingFound, PackError)}


@dataclass(frozen=True, slots=True)
class Checked:
    """All guests' reports and the rules that judged them."""

    images: tuple[ImageReport, ...]
    rules: tuple[RuleInfo, ...]


Progress = Callable[[Sequence[str], int], None]


def check_all(asks: Sequence[CheckAsk], limits: Limits = DEFAULT_LIMITS, jobs: int = 1, progress: Progress | None = None) -> Checked:
    """Judge every guest; see :func:`check_each`. The reports are in the order of the guests."""
    judged = dict(check_each(asks, limits, jobs, progress))
    rules = {info.id: info for one in judged.values() for info in one.rules}
    return Checked(tuple(judged[position].image for position in sorted(judged)), tuple(rules[key] for key in sorted(rules)))


def check_each(
    asks: Sequence[CheckAsk], limits: Limits = DEFAULT_LIMITS, jobs: int = 1, progress: Progress | None = None
) -> Iterator[tuple[int, Judged]]:
    """Judge every guest, ``jobs`` at a time, and yield its position and the answer as each is done.

    UsageError and PackError of a child end the run; if a child dies, that is a problem of its image. ``progress`` is called ten times a
    second with the names of the guests in progress and the number of guests done.
    """
    done = 0

    def tick(running: frozenset[int]) -> None:
        if progress:
            progress([asks[position].guest.name for position in sorted(running)], done)

    desks: dict[int, Desk] = {}
    rules = _Rules()
    isolate.expect(CHECK, len(asks))

    def calls() -> Iterator[Call]:
        for position, ask in enumerate(asks):
            desks[position] = Desk(ask.guest)
            # Made when it is this guest's turn: the rules of the first answer may be known by then.
            yield Call(CHECK, encode(dataclasses.replace(ask, known=rules.digest)), desk=desks[position])

    for position, outcome in isolate.run_all(calls(), limits, jobs, tick):
        judged = _judged(asks[position], outcome, limits, rules)
        image = dataclasses.replace(judged.image, files=desks.pop(position).files(), unwritable=asks[position].guest.unwritable)
        done += 1
        yield position, Judged(_with_pending(asks[position], image), judged.rules)


def forecast_of(image: ImageReport) -> Forecast | None:
    """The forecast for a guest judged for one target; of several systems, the one that boots counts. None when there is none."""
    found = [judged.forecast for root in image.roots for judged in root.targets if judged.forecast]
    return next((one for one in found if one.will_boot), found[0] if found else None)


def _with_pending(ask: CheckAsk, image: ImageReport) -> ImageReport:
    """The report, with a problem for every unfinished transaction on its disks."""
    return dataclasses.replace(image, problems=(*pending(ask.guest.paths, image.paths), *image.problems))


class _Rules:
    """The rules of the first answer of a run. Its guests share them, and their texts are most of an answer: later ones only name them.

    The parent makes the digest from what it received, so that a child can name nothing else.
    """

    def __init__(self) -> None:
        self.digest = ""
        self.rules: tuple[RuleInfo, ...] = ()

    def judged(self, data: Any) -> Judged:
        """A decoded answer. TypeError, ValueError or KeyError when it is malformed."""
        rules = self.rules
        if not self.digest or data["rules"] != self.digest:
            rules = decode(Judged, {**data, "image": encode(_NOTHING)}).rules
        if not self.digest:
            self.digest, self.rules = digest_of(data["rules"]), rules
        return Judged(decode(ImageReport, data["image"]), rules)


_NOTHING = ImageReport("", (), "", 0, (), ())


def _judged(ask: CheckAsk, outcome: Outcome, limits: Limits, rules: _Rules) -> Judged:
    if isinstance(outcome, Answer):
        try:
            return rules.judged(outcome.value)
        except (TypeError, ValueError, KeyError):
            return _failed(ask, "the reader process gave no valid answer", "")
    if isinstance(outcome, Refusal):
        if outcome.kind in _ERRORS:
            raise _ERRORS[outcome.kind](outcome.message, hint=outcome.hint)
        return _failed(ask, outcome.message, outcome.hint)
    failed = _failed(ask, outcome.reason, outcome.hint)
    return failed if ask.guest.kind == "disks" or ask.unopened else _by_definition(ask, failed, limits, rules)


def _by_definition(ask: CheckAsk, failed: Judged, limits: Limits, rules: _Rules) -> Judged:
    """When a child died on the disks, judge the definition alone in another one."""
    again = dataclasses.replace(ask, unopened=True)
    known = _judged(again, isolate.run(Call(CHECK, encode(again), desk=Desk(ask.guest)), limits), limits, rules)
    return Judged(dataclasses.replace(known.image, problems=failed.image.problems), known.rules)


def _failed(ask: CheckAsk, reason: str, hint: str) -> Judged:
    image = ImageReport(ask.guest.name, ask.guest.paths, "", 0, (), (), (Problem(ask.guest.name, reason, hint),))
    return Judged(decide(image, ask.decisions), ())
