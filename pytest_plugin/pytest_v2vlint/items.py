"""Collected guests: one item per rule, one for the forecast, one for readability. Collecting opens no guest."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest

from pytest_v2vlint import say
from pytest_v2vlint.api import excused
from pytest_v2vlint.run import store_of, wish
from pytest_v2vlint.store import Store
from v2vlint.asking.views import NotEvaluated
from v2vlint.engine.packs import LoadedRule
from v2vlint.model.errors import V2vlintError
from v2vlint.model.finding import Severity
from v2vlint.model.report import Fate, FindingReport, ImageReport, RuleResult, Status, TargetReport
from v2vlint.model.source import GuestRef
from v2vlint.model.target import Target
from v2vlint.report.escape import visible, without_commands


class V2vlintWarning(pytest.PytestWarning):
    """A finding below the threshold."""


class Failed(AssertionError):
    """A guest that does not pass; the message is the report."""


def guest_nodes(session: pytest.Session, images: Iterable[str]) -> Iterator[tuple[pytest.Collector, str]]:
    """A collector for every guest that ``images`` name, and which part of it is wanted: ``IMAGE::forecast``, ``IMAGE::rules::ID``.

    UsageError when one names no guest.
    """
    store = store_of(session.config)
    _settled(store)
    for name in images:
        image, _, part = name.partition("::")
        try:
            refs = store.guests(image)
        except V2vlintError as error:
            raise pytest.UsageError(f"--v2vlint {image}: {error}{f' ({error.hint})' if error.hint else ''}") from None
        for ref in refs:
            yield _node(session, ref), part


def _settled(store: Store) -> tuple[tuple[Target, ...], tuple[LoadedRule, ...]]:
    """The targets and the selected rules. UsageError when options or configuration are invalid."""
    try:
        return store.settings().targets, store.rules()
    except V2vlintError as error:
        raise pytest.UsageError(f"v2vlint: {error}{f' ({error.hint})' if error.hint else ''}") from None


def _node(session: pytest.Session, ref: GuestRef) -> pytest.Collector:
    path = Path(ref.name).absolute()
    if len(ref.paths) == 1 and path == Path(ref.paths[0]).absolute():
        if path.is_relative_to(session.config.rootpath):
            return GuestFile.from_parent(session, path=path)
        return GuestFile.from_parent(session, path=path, nodeid=path.as_posix())
    return GuestNode.from_parent(session, name=ref.name, nodeid=ref.name, ref=ref)


class _Guest(pytest.Collector):
    """The common part of both collectors: listing the items."""

    ref: GuestRef

    def collect(self) -> Iterator[pytest.Item | pytest.Collector]:
        """Static: what is readable, the forecast of each target, the rules."""
        store = store_of(self.config)
        targets, _rules = _settled(store)
        yield Readable.from_parent(self, name="readable", guest=self)
        for target in targets if store.forecasts() else ():
            yield BootItem.from_parent(self, name=f"forecast{_suffix(target, targets)}", target=target.name, guest=self)
        yield Rules.from_parent(self, name="rules", guest=self)


class GuestFile(_Guest, pytest.File):
    """A guest that is one file."""

    def collect(self) -> Iterator[pytest.Item | pytest.Collector]:
        """The items of the guest in this file."""
        path = self.path.relative_to(Path.cwd()) if self.path.is_relative_to(Path.cwd()) else self.path
        self.ref = dataclasses.replace(store_of(self.config).guests(str(path))[0], name=self.nodeid)
        return super().collect()


class GuestNode(_Guest):
    """A guest that is not a single file: several disks, a libvirt domain."""

    def __init__(self, *, ref: GuestRef, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.ref = ref


class Rules(pytest.Collector):
    """The selected rules, times the targets: ``IMAGE::rules::ID``."""

    def __init__(self, *, guest: _Guest, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.guest = guest

    def collect(self) -> Iterator[pytest.Item]:
        """One item for each rule and target."""
        targets, rules = _settled(store_of(self.config))
        for target in targets:
            for rule in rules:
                name = f"{rule.id}{_suffix(target, targets)}"
                yield RuleItem.from_parent(self, name=name, target=target.name, rule=rule, guest=self.guest)


def _suffix(target: Target, targets: tuple[Target, ...]) -> str:
    return f"[{target.name}]" if len(targets) > 1 else ""


class GuestItem(pytest.Item):
    """One statement about a guest. Anything that cannot be evaluated is a setup error, not a failure."""

    def __init__(self, *, guest: _Guest, target: str = "", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.guest = guest
        self.target = target
        self.add_marker(pytest.mark.v2vlint)
        self.extra_keyword_matches.update(filter(None, (target, "v2vlint")))

    @property
    def store(self) -> Store:
        """The answers of this test run."""
        return store_of(self.config)

    def report(self) -> ImageReport:
        """The guest, judged for all targets at once."""
        try:
            return self.store.report(self.guest.ref)
        except (NotEvaluated, V2vlintError) as error:
            _stop(str(error))

    def judged(self, *, machine: bool = False) -> list[TargetReport]:
        """Its roots, or its definition, judged for this item's target."""
        report = self.report()
        found = report.machine if machine else [one for root in report.roots for one in root.targets]
        if not found:
            _stop("; ".join(f"{one.where}: {one.reason}" for one in report.problems) or "no operating system found")
        return [one for one in found if one.target == self.target]

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Reports are shown as they are; a traceback would only show this file."""
        if isinstance(excinfo.value, Failed):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        """The heading of a failure."""
        return self.path, 0, f"{self.guest.ref.name} :: {self.name}"


class Readable(GuestItem):
    """Whether everything in the image could be read."""

    def setup(self) -> None:
        """An error when something could not."""
        problems = self.report().problems
        if problems:
            _stop("\n".join(f"{one.where}: {one.reason}" + (f"\n  {one.hint}" if one.hint else "") for one in problems))

    def runtest(self) -> None:
        """Nothing is left to do: the setup has checked it."""


class BootItem(GuestItem):
    """The forecast of one boot."""

    def setup(self) -> None:
        """An error when it is undecided, a skip when what stops it does not count."""
        judged = self.judged()
        self.forecasts = [one.forecast for one in judged if one.forecast]
        self.text = "\n\n".join(say.forecast(one, self.guest.ref.name, self.target) for one in self.forecasts)
        if not self.forecasts:
            _skip("there is no forecast for this guest")
        reasons = [excused(one, self.store.settings()) for one in judged if one.forecast and one.forecast.decisive]
        if reasons and all(reasons):
            _skip(reasons[0])
        if all(one.fate is one.outcome is Fate.UNKNOWN for one in self.forecasts):
            _unsure(self.config, self.text)

    def runtest(self) -> None:
        """Fail when it will not boot, or comes up but cannot be reached."""
        if any(one.outcome is Fate.FAIL for one in self.forecasts):
            raise Failed(self.text)


class RuleItem(GuestItem):
    """One rule on one guest for one target."""

    def __init__(self, *, rule: LoadedRule, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rule = rule
        self.extra_keyword_matches.add(rule.group)

    def setup(self) -> None:
        """Skip when not applicable, and stop when undecided, unless something is wrong anyway."""
        judged = self.judged(machine=self.rule.of_the_machine)
        self.results = [result for one in judged for result in one.results if result.rule == self.rule.id]
        if self.failing():
            return
        unsure = [unknown for result in self.results for unknown in result.unknowns]
        if any(result.crashed for result in self.results):
            _stop(self.results[0].reason)
        if unsure:
            _unsure(self.config, "\n".join(f"could not tell: {one.where}: {one.reason}" for one in unsure))
        if not self.results:
            _skip(f"not for this operating system (for {', '.join(sorted(self.rule.rule.kinds))})")
        skipped = {Status.NOT_APPLICABLE: "not applicable", Status.EXCEPTED: "excepted"}
        if all(result.status in skipped for result in self.results):
            _skip(f"{skipped[self.results[0].status]}: {_reason(self.results[0])}")

    def failing(self) -> list[FindingReport]:
        """The findings at or above the threshold."""
        level = self.store.settings().fail_on
        return [found for result in self.results for found in result.findings if found.counts and found.finding.severity >= level]

    def runtest(self) -> None:
        """Fail with the findings; warn about those below the threshold, and keep infos for -rP."""
        failing = self.failing()
        for found in (found for result in self.results for found in result.findings if found.counts and found not in failing):
            text = f"{self.guest.ref.name}: {self.rule.id}: {say.one_line(found)}"
            if found.finding.severity is Severity.INFO:
                self.add_report_section("call", "v2vlint", text)
            else:
                self.mention(text)
        if failing:
            title = self.rule.info().title.rstrip(".")
            raise Failed(say.findings(failing, f"{self.guest.ref.name} on {self.target}: {title}"))

    def mention(self, text: str) -> None:
        """Add a line to pytest's summary of warnings. It bypasses the warning filters: with ``-W error`` it would be a failure."""
        message = warnings.WarningMessage(V2vlintWarning(text), V2vlintWarning, str(self.path), 1)
        record = {"warning_message": message, "when": "runtest", "nodeid": self.nodeid, "location": None}
        self.ihook.pytest_warning_recorded.call_historic(kwargs=record)


def _stop(text: str) -> NoReturn:
    """Called in a setup, so that it is an error rather than a failure."""
    pytest.fail(without_commands(visible(text, keep="\n")), pytrace=False)


def _skip(reason: str) -> NoReturn:
    raise pytest.skip.Exception(without_commands(visible(reason)), _use_item_location=True)


def _reason(result: RuleResult) -> str:
    return result.reason or next((found.exception for found in result.findings if found.exception), "")


def _unsure(config: pytest.Config, text: str) -> None:
    """Stop or skip, as ``v2vlint_unknown`` says."""
    outcome = wish(config, "unknown") or "error"
    if outcome not in ("error", "skip"):
        raise pytest.UsageError(f"v2vlint_unknown: {outcome!r} is neither error nor skip")
    if outcome == "skip":
        _skip(text.splitlines()[0])
    _stop(text)
