"""The standing of a guest on a target: ready, ready after safe fixes, and so on, with the reason in words and the number of fixes."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator

from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import UsageError
from v2vlint.model.finding import Fate, Severity
from v2vlint.model.fix import Applicability
from v2vlint.model.report import FindingReport, Forecast, ImageReport, Problem, TargetReport

MAX_NAMED = 4


class Standing(enum.StrEnum):
    """From the easiest to the least known: the order of the waves of a migration."""

    READY = "ready"
    SAFE = "safe-fixes"
    HAND = "needs-a-hand"
    STUCK = "will-not-boot"
    UNJUDGED = "not-judged"

    @property
    def label(self) -> str:
        """The standing in words."""
        return _LABELS[self]

    @classmethod
    def named(cls, text: str) -> Standing:
        """The standing with the label ``text``. UsageError when there is none."""
        try:
            return cls(text)
        except ValueError:
            raise UsageError(f"unknown verdict {text!r}", hint=f"one of {', '.join(cls)}") from None


_LABELS = {
    Standing.READY: "ready",
    Standing.SAFE: "ready after safe fixes",
    Standing.HAND: "needs a hand",
    Standing.STUCK: "will not boot",
    Standing.UNJUDGED: "not judged",
}


@dataclass(frozen=True, slots=True)
class TargetStanding:
    """A guest on one target: its standing and the reason, and the number of fixes of each kind that its findings offer."""

    target: str
    standing: Standing
    reason: str
    safe: int = 0
    unsafe: int = 0
    manual: int = 0


def place_of(image: ImageReport, target: str) -> TargetStanding:
    """The standing of ``image`` on the target of that name.

    An error without a safe fix keeps a guest from being ready. It will not boot if the forecast says so and safe fixes do not change that.
    What the forecast could not decide, and what could not be read, needs somebody to look.
    """
    judged = [one for _device, one in image.judged() if one.target == target]
    found = [one for report in judged for result in report.results for one in result.findings if one.counts]
    counts = {kind: sum(_kind(one) is kind for one in found) for kind in Applicability}
    standing, reason = _standing(image, judged, found)
    return TargetStanding(target, standing, reason, counts[Applicability.SAFE], counts[Applicability.UNSAFE], counts[Applicability.MANUAL])


def _kind(found: FindingReport) -> Applicability | None:
    """How safe the fix of a finding is; MANUAL for a warning or an error without a fix, None for an info without one."""
    fix = found.finding.fix
    if fix:
        return fix.applicability
    return Applicability.MANUAL if found.finding.severity >= Severity.WARNING else None


def _standing(image: ImageReport, judged: list[TargetReport], found: list[FindingReport]) -> tuple[Standing, str]:
    if not image.roots:
        problem = image.problems[0] if image.problems else None
        return Standing.UNJUDGED, _told(image.name, problem) if problem else "no operating system was found"
    errors = [one for one in found if one.finding.severity is Severity.ERROR]
    hard = [one for one in errors if _kind(one) is not Applicability.SAFE]
    forecast = _forecast(judged)
    if hard:
        stuck = forecast is not None and forecast.fate is Fate.FAIL
        return (Standing.STUCK if stuck else Standing.HAND), f"no safe fix: {_named(hard)}"
    if errors:
        return Standing.SAFE, f"safe fixes: {_named(errors)}"
    if forecast is not None and forecast.outcome is not Fate.PASS:
        stage = forecast.decisive
        said = f"{stage.stage}: {stage.reason}" if stage else "the forecast could not tell"
        return (Standing.STUCK if forecast.fate is Fate.FAIL else Standing.HAND), said
    if image.problems:
        return Standing.HAND, _told(image.name, image.problems[0])
    return Standing.READY, "nothing in the way"


def _forecast(judged: Iterable[TargetReport]) -> Forecast | None:
    """The forecast in effect: of several systems, that of one that boots."""
    found = [one.forecast for one in judged if one.forecast]
    return next((one for one in found if one.will_boot), found[0] if found else None)


def _named(found: Iterable[FindingReport]) -> str:
    rules = list(dict.fromkeys(one.finding.rule for one in found))
    more = f" and {len(rules) - MAX_NAMED} more" if len(rules) > MAX_NAMED else ""
    return ", ".join(rules[:MAX_NAMED]) + more


def places(image: ImageReport, targets: Iterable[str]) -> Iterator[TargetStanding]:
    """The standing of ``image`` on each target."""
    return (place_of(image, target) for target in targets)


def _told(name: str, problem: Problem) -> str:
    """A problem of the guest ``name`` as text, without the name, which stands beside it."""
    reason = problem.reason.removeprefix(f"{name}: ")
    return reason if problem.where == name else f"{problem.where}: {reason}"
