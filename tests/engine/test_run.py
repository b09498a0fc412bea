"""One rule, one fact: whatever goes wrong in it costs it and nothing else."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from v2vlint.api import GuestFS, Rule, Severity, Token, WholeFile
from v2vlint.engine.judge import judge
from v2vlint.engine.packs import LoadedRule
from v2vlint.engine.present import Presenter
from v2vlint.engine.run import run_rule
from v2vlint.facts import registry
from v2vlint.facts.registry import FactStore, provides
from v2vlint.guest import budget
from v2vlint.model.blocks import BlockTable
from v2vlint.model.definition import Definition
from v2vlint.model.errors import FactFailed, FactUnavailable
from v2vlint.model.finding import Finding, Mover, Unknown
from v2vlint.model.osinfo import OsInfo
from v2vlint.model.place import Span
from v2vlint.model.report import Status
from v2vlint.samples.memory import memory_guest
from v2vlint.target import load

WHERE = WholeFile("/etc/fstab")
TOKEN = Token("sda1", Span("/etc/fstab", 0, 4, 1))


@dataclass(frozen=True)
class Spin:
    """A fact whose file never ends."""


@dataclass(frozen=True)
class Crash:
    """A fact whose parser has a bug."""


@dataclass(frozen=True)
class Hungry:
    """A fact that reads and reads."""


calls: list[str] = []


def spin(fs: GuestFS) -> Spin:
    calls.append("spin")
    fs.text("/etc/endless")
    while True:
        try:
            sum(range(1000))
        except Exception:
            continue


def crash(fs: GuestFS) -> Crash:
    calls.append("crash")
    return Crash(*fs.listdir("/nothing/at/all")[0])


def hungry(fs: GuestFS) -> Hungry:
    while True:
        fs.text("/etc/endless")


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[FactStore]:
    known = list(registry._PROVIDERS)
    for provider in (spin, crash, hungry):
        provides(provider)
    calls.clear()
    monkeypatch.setattr(budget, "SECONDS", 0.3)
    system = OsInfo("linux", "debian", "debian", "Debian GNU/Linux", "12", "x86_64")
    guest = memory_guest({"/etc/endless": "x" * 1000})
    yield FactStore((guest, system, BlockTable(), Definition("", ""), load("kvm"), Mover.RAW))
    registry._PROVIDERS[:] = known
    registry._by_type.cache_clear()


def rule(body: Any) -> Rule:
    kind: type[Rule] = type("SlippingRule", (Rule,), {"check": body})
    return kind()


class AsksForSpin(Rule):
    """Asks for a fact that never ends."""

    def check(self, spun: Spin) -> Iterator[Finding]:
        yield from ()


class AsksForCrash(Rule):
    """Asks for a fact whose parser crashes."""

    def check(self, crashed: Crash) -> Iterator[Finding]:
        yield from ()


class AsksForHungry(Rule):
    """Asks for a fact that reads too much."""

    def check(self, read: Hungry) -> Iterator[Finding]:
        yield from ()


def test_a_fact_that_never_ends_is_unknown_once_and_for_all(store: FactStore) -> None:
    started = time.process_time()
    outcomes = [run_rule(AsksForSpin(), store) for _rule in range(5)]
    assert time.process_time() - started < 2
    assert calls == ["spin"]
    assert {outcome.status for outcome in outcomes} == {Status.UNKNOWN}
    assert {outcome.reason for outcome in outcomes} == {"takes more processor time than one fact may have"}
    assert {str(outcome.unknowns[0].where) for outcome in outcomes} == {"/etc/endless"}
    assert not outcomes[0].crashed


def test_a_parser_that_crashes_is_asked_once_and_told_as_a_bug(store: FactStore) -> None:
    outcomes = [run_rule(AsksForCrash(), store) for _rule in range(5)]
    assert calls == ["crash"]
    (reason,) = {outcome.reason for outcome in outcomes}
    assert reason.startswith("reading Crash failed: IndexError: tuple index out of range (test_run.py:")
    assert all(outcome.crashed and outcome.status is Status.UNKNOWN for outcome in outcomes)
    with pytest.raises(FactFailed):
        store.with_given(Mover.VIRT_V2V).get(Crash)
    assert calls == ["crash"]


@pytest.mark.parametrize(("limit", "value", "words"), [("FILES", 50, "files were opened"), ("BYTES", 100_000, "MiB were read")])
def test_reading_without_end_is_stopped(store: FactStore, monkeypatch: pytest.MonkeyPatch, limit: str, value: int, words: str) -> None:
    monkeypatch.setattr(budget, limit, value)
    outcome = run_rule(AsksForHungry(), store)
    assert words in outcome.reason
    assert str(outcome.unknowns[0].where) == "/etc/endless"


def test_a_rule_that_never_ends_is_unknown(store: FactStore) -> None:
    def check(self: Rule, fs: GuestFS) -> Iterator[Finding]:
        yield self.finding(WHERE, "seen before")
        while True:
            fs.exists("/etc/hosts")

    outcome = run_rule(rule(check), store)
    assert [finding.message for finding in outcome.findings] == ["seen before"]
    assert outcome.unknowns[0].reason == "takes more processor time than one fact may have"


def test_memory_that_one_rule_needs_is_its_own_trouble(store: FactStore) -> None:
    def check(self: Rule, fs: GuestFS) -> Iterator[Finding]:
        yield self.finding(WHERE, str(bytearray(1 << 62)))

    assert "--memory-limit" in run_rule(rule(check), store).reason


def test_the_clock_of_a_work_stands_still_while_it_waits_for_another(monkeypatch: pytest.MonkeyPatch) -> None:
    def burn(seconds: float) -> None:
        until = time.process_time() + seconds
        while time.process_time() < until:
            sum(range(1000))

    with budget.spending(0.3):
        burn(0.15)
        with budget.spending(0.4):
            burn(0.3)
        burn(0.05)

    def too_much() -> None:
        with budget.spending(0.2):
            with budget.spending(0.4):
                burn(0.1)
            burn(0.5)

    with pytest.raises(FactUnavailable):
        too_much()


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (lambda self: self.finding(TOKEN, "x"), "where: expected Span or WholeFile or Device or RegistryKey, found Token"),
        (lambda self: self.finding(WHERE, TOKEN), "message: expected str, found dict"),
        (lambda self: self.finding(WHERE, "x", severity="error"), "is not a valid Severity"),
        (lambda self: self.finding(WHERE, "x", related=(TOKEN,)), "related: expected"),
        (lambda self: self.finding(WHERE, "x", fix="mv"), "fix: expected Fix"),
        (lambda self: self.finding(WHERE, object()), "message: expected str"),
        (lambda self: self.unknown(WHERE, 5), "reason: expected str, found int"),
        (lambda self: "just text", "yields a str, which is neither a Finding nor an Unknown"),
        (lambda self: None, "yields a NoneType"),
        (lambda self: exec("raise SystemExit(3)"), "SystemExit: 3"),
        (lambda self: exec("raise RecursionError"), "RecursionError"),
    ],
)
def test_a_slip_names_the_rule_and_keeps_what_was_said_before(store: FactStore, body: Any, words: str) -> None:
    def check(self: Rule, fs: GuestFS) -> Iterator[Any]:
        yield self.finding(WHERE, "seen before")
        yield body(self)

    outcome = run_rule(rule(check), store)
    assert outcome.crashed
    assert [finding.message for finding in outcome.findings] == ["seen before"]
    assert outcome.reason.startswith("rule slipping-rule failed: ")
    assert any(part in outcome.reason for part in words.split("|")), outcome.reason


def test_a_rule_that_is_no_generator_and_one_that_returns_nothing(store: FactStore) -> None:
    def listed(self: Rule, fs: GuestFS) -> Any:
        return [self.finding(WHERE, "x")]

    def nothing(self: Rule, fs: GuestFS) -> Any:
        return None

    assert run_rule(rule(listed), store).status is Status.FAIL
    assert "'NoneType' object is not iterable" in run_rule(rule(nothing), store).reason


def test_a_list_for_a_tuple_is_taken_for_one(store: FactStore) -> None:
    def check(self: Rule, fs: GuestFS) -> Iterator[Any]:
        yield self.finding(WHERE, "x", related=[WHERE])  # type: ignore[arg-type]

    (found,) = run_rule(rule(check), store).findings
    assert found.related == (WHERE,)
    assert found.severity is Severity.WARNING


def test_a_place_that_is_not_in_the_file_costs_the_rule_not_the_root(store: FactStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: object) -> None:
        raise IndexError("no such line")

    def check(self: Rule, fs: GuestFS) -> Iterator[Finding | Unknown]:
        yield self.finding(Span("/etc/endless", 0, 1, 1), "x")

    monkeypatch.setattr(Presenter, "present", fail)
    loaded = [LoadedRule(rule(check), "own", "x"), LoadedRule(AsksForCrash(), "own", "x")]
    (report,) = judge(store, loaded, (load("kvm"),), Mover.RAW, (Presenter("x"),))
    assert "no such line" in report.results[0].reason
    assert report.results[0].crashed
    assert report.results[1].crashed
