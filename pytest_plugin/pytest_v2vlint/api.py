"""The assertion API: a guest to query, and ``assert_portable``.

Everything is read lazily, in an isolated process, once per test run, and again when the image file changes. Anything missing from a guest
raises :class:`Missing` (an AssertionError). Anything that cannot be known raises :class:`NotEvaluated`: neither a pass nor the guest's
fault.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Iterator
from pathlib import Path

from pytest_v2vlint import say
from pytest_v2vlint.store import Store
from v2vlint.asking.guest import Askable
from v2vlint.asking.views import Missing, NotEvaluated, Text
from v2vlint.engine.boot import FORECAST
from v2vlint.engine.questions import Answers, Question
from v2vlint.model.finding import Severity
from v2vlint.model.proof import Proof, Via
from v2vlint.model.report import Fate, FindingReport, Forecast, ImageReport, Status, TargetReport
from v2vlint.model.source import GuestRef
from v2vlint.report import words
from v2vlint.report.escape import visible
from v2vlint.run.settings import Settings

__all__ = ["BootForecast", "BootProof", "Guest", "Missing", "NotEvaluated", "Text", "assert_portable"]


class BootForecast:
    """The predicted outcome of a boot. ``will_boot`` and ``reachable`` are True, False, or None when undecided; ``str()`` lists every
    stage."""

    def __init__(self, fact: Forecast, guest: str, target: str) -> None:
        self.fact = fact
        self.target = target
        self._guest = guest

    @property
    def will_boot(self) -> bool | None:
        """Whether the guest reaches its login."""
        return self.fact.will_boot

    @property
    def reachable(self) -> bool | None:
        """Whether it boots and its network comes up."""
        return self.fact.reachable

    @property
    def stops_at(self) -> str:
        """The stage at which the boot stops, or an empty string."""
        stage = self.fact.decisive if self.fact.fate is Fate.FAIL else None
        return stage.stage.value if stage else ""

    def __str__(self) -> str:
        return say.forecast(self.fact, self._guest, self.target)

    def __repr__(self) -> str:
        stage = self.fact.decisive
        why = f": {stage.reason}{f' ({stage.where})' if stage.where else ''}" if stage else ""
        return visible(f"<forecast of {self._guest}: {words.verdict(self.fact, self.target)}{why}>")


class BootProof:
    """A real boot. ``came_up`` is True (a login was reached), False, or None when undecided; ``str()`` lists the milestones."""

    def __init__(self, fact: Proof, guest: str) -> None:
        self.fact = fact
        self.came_up = fact.came_up
        self.reason = fact.reason
        self._guest = guest

    def __str__(self) -> str:
        return say.proof(self.fact, self._guest)

    def __repr__(self) -> str:
        return visible(f"<proof of {self._guest} on {self.fact.target}: {self.reason}>")


class Guest(Askable):
    """One guest. ``target`` and ``mover`` are what questions without their own are about; empty means the configured ones."""

    def __init__(self, store: Store, ref: GuestRef, *, target: str = "", mover: str = "", root: str = "") -> None:
        super().__init__(ref, root)
        self.target = target
        self.mover = mover
        self._store = store

    def __repr__(self) -> str:
        return f"<guest {self.name}{f' on {self.target}' if self.target else ''}>"

    def _answers(self, question: Question) -> Answers:
        return self._store.ask(question)

    def report(self, target: str = "", mover: str = "") -> ImageReport:
        """The complete report for one target, or for all configured ones."""
        return self._store.report(self._ref, target or self.target, mover or self.mover)

    def settings(self, target: str = "", mover: str = "") -> Settings:
        """The settings in use for this guest."""
        return self._store.settings(target or self.target, mover or self.mover)

    def judged(self, target: str = "", mover: str = "") -> tuple[TargetReport, ...]:
        """The judgements of its roots for one target or the configured ones. NotEvaluated when the guest cannot be read."""
        report = self.report(target, mover)
        if not report.roots:
            raise NotEvaluated("; ".join(f"{one.where}: {one.reason}" for one in report.problems) or f"{self.name}: nothing to judge")
        roots = [root for root in report.roots if self._root in ("", root.device)]
        return tuple(one for root in roots for one in root.targets)

    def forecast(self, target: str = "", mover: str = "") -> BootForecast:
        """Whether it will boot on ``target``: ``assert guest.forecast("ec2-nitro").will_boot``."""
        found = next((one for one in self.judged(target, mover) if one.forecast), None)
        if found is None or found.forecast is None:
            raise NotEvaluated(f"{self.name}: there is no forecast for {target or self.target or 'the configured target'}")
        return BootForecast(found.forecast, self.name, found.target)

    def prove(self, target: str = "", *, via: Via = "firmware", timeout: float | None = None, artifacts: Path | None = None) -> BootProof:
        """Boot it copy-on-write on the target's hardware under QEMU. Needs QEMU; without KVM it takes minutes."""
        from v2vlint.proving import Wish, prove

        chosen = self._store.settings(target or self.target, self.mover).targets[0]
        wish = Wish(via=via, timeout=timeout, artifacts=artifacts, keys=self._store.keys())
        return BootProof(prove(self._ref, chosen, wish), self.name)


def assert_portable(
    guest: Guest, target: str = "", *, mover: str = "", ignore: Iterable[str] = (), fail_on: str = "error", forecast: bool = True
) -> None:
    """Fail unless ``guest`` will work on ``target``: no finding at or above ``fail_on``, and it is forecast to boot and to be reached.

    ``ignore`` names rules (or patterns of them) whose findings do not count, nor a boot that stops because of them. Excepted findings and
    those in the baseline do not count either. NotEvaluated when something that matters is undecided: the guest, or the boot.
    """
    __tracebackhide__ = True
    level, ignored = Severity[fail_on.upper()], tuple(ignore)
    for one in _everything(guest, target, mover):
        results = [result for result in one.results if result.rule != FORECAST.id and not _ignored(result.rule, ignored)]
        counted = [report for result in results for report in result.findings if report.counts and report.finding.severity >= level]
        if counted:
            raise AssertionError(_portable(guest, one, counted))
        counts = forecast and not _ignored(blamed(one.forecast), ignored) and not excused(one, guest.settings(target, mover))
        boot = one.forecast if counts else None
        if boot and boot.outcome is Fate.FAIL:
            raise AssertionError(say.forecast(boot, guest.name, one.target))
        crashed = [result.reason for result in results if result.crashed]
        if crashed:
            raise NotEvaluated(f"{guest.name} on {one.target}: {crashed[0]}")
        if boot and boot.will_boot is None:
            raise NotEvaluated(say.forecast(boot, guest.name, one.target))


def _everything(guest: Guest, target: str, mover: str) -> Iterator[TargetReport]:
    """Judgements of the definition come first: they exist even for a guest that cannot be read."""
    yield from guest.report(target, mover).machine
    yield from guest.judged(target, mover)


def blamed(forecast: Forecast | None) -> str:
    """The rule that explains why a guest does not come up, cannot be reached, or is undecided; ``forecast`` when none does."""
    return (forecast.decisive.rule if forecast and forecast.decisive else "") or FORECAST.id


def excused(one: TargetReport, settings: Settings) -> str:
    """Why a failed boot or an unreachable guest does not count: its explanation is excepted, in the baseline, or below the failing
    severity here. Empty when it counts."""
    rule = blamed(one.forecast)
    for result in (result for result in one.results if result.rule == rule):
        if result.status is Status.EXCEPTED:
            return f"excepted: {result.reason}"
        if result.findings and not any(found.counts for found in result.findings):
            return f"{rule}: every finding is excepted or in the baseline"
    level = settings.decisions.severity.get(rule, Severity.ERROR)
    return "" if level >= settings.fail_on else f"{rule} is only {level.label} here"


def _ignored(rule: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch.fnmatchcase(rule, pattern) for pattern in patterns)


def _portable(guest: Guest, one: TargetReport, counted: list[FindingReport]) -> str:
    rules = ", ".join(dict.fromkeys(report.finding.rule for report in counted))
    text = say.findings(counted, f"{guest.name} is not portable to {one.target}: {rules}")
    if one.forecast and one.forecast.outcome is Fate.FAIL:
        text = f"{text}\n\n{say.forecast(one.forecast, guest.name, one.target)}"
    return text
