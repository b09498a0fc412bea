"""Judging one root for several targets: what is shared, what is parsed again, what is left out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from v2vlint import target
from v2vlint.engine.judge import judge
from v2vlint.engine.packs import LoadedRule
from v2vlint.engine.present import Presenter
from v2vlint.facts.registry import FactStore, provides
from v2vlint.guest.fs import GuestFS
from v2vlint.model.blocks import BlockTable
from v2vlint.model.definition import Definition
from v2vlint.model.errors import FactUnavailable
from v2vlint.model.finding import Fate, Finding, Mover, Severity, Stage, Unknown
from v2vlint.model.osinfo import OsInfo
from v2vlint.model.place import WholeFile
from v2vlint.model.report import Status, TargetReport
from v2vlint.model.rule import Rule
from v2vlint.model.target import Target
from v2vlint.samples.memory import memory_guest
from v2vlint.verdicts.kernel import KernelVerdict

LINUX = OsInfo("linux", "debian", "debian", "Debian GNU/Linux", "12", "x86_64")
PARSED: list[str] = []


@dataclass(frozen=True, slots=True)
class Motto:
    """A fact of the files alone."""

    text: str


@dataclass(frozen=True, slots=True)
class Welcome:
    """A fact that rests on the target, through another."""

    text: str


@dataclass(frozen=True, slots=True)
class Riddle:
    """A fact nobody can know."""


@provides
def parse_motto(fs: GuestFS) -> Motto:
    """The motto, and a note that it was parsed."""
    PARSED.append("motto")
    text = fs.text("/etc/motd")
    return Motto("" if text is None else text.content)


@provides
def make_welcome(motto: Motto, where: Target) -> Welcome:
    """The motto on a target."""
    PARSED.append(f"welcome to {where.name}")
    return Welcome(f"{motto.text} on {where.name}")


@provides
def solve_riddle(fs: GuestFS) -> Riddle:
    """Fail."""
    PARSED.append("riddle")
    raise FactUnavailable(WholeFile("/etc/riddle"), f"too hard for {fs.listdir('/')}")


class SaysWelcome(Rule):
    """It says welcome."""

    def check(self, welcome: Welcome, mover: Mover) -> Iterator[Finding]:
        """Say it."""
        yield self.finding(WholeFile("/etc/motd"), f"{welcome.text} by {mover.value}", "noise")


class AsksRiddle(Rule):
    """It asks a riddle."""

    def check(self, riddle: Riddle) -> Iterator[Finding]:
        """Find nothing."""
        yield from ()


class Breaks(Rule):
    """It breaks after its first finding."""

    def check(self, motto: Motto) -> Iterator[Finding | Unknown]:
        """Break."""
        yield self.finding(WholeFile("/a"), "first", "e", severity=Severity.INFO)
        raise ZeroDivisionError(motto.text)


class ForWindows(Rule):
    """It is for Windows."""

    kinds = frozenset({"windows"})

    def check(self) -> Iterator[Finding]:
        """Find something."""
        yield self.finding(WholeFile("/w"), "w", "e")


class AWarning(Rule):
    """It warns of what stops the boot, for another reason."""

    def check(self, kernel: KernelVerdict) -> Iterator[Finding]:
        """Name the place."""
        for cause in kernel.none_installed:
            yield self.finding(cause.where, "a doubt", "e", severity=Severity.WARNING)


class TheError(Rule):
    """It says why the boot stops."""

    def check(self, kernel: KernelVerdict) -> Iterator[Finding]:
        """Name the place."""
        for cause in kernel.none_installed:
            yield self.finding(cause.where, cause.reason, "e", severity=Severity.ERROR)


def judged(*rules: Rule, targets: tuple[str, ...] = ("kvm", "azure")) -> tuple[TargetReport, ...]:
    """The reports of these rules on a small guest."""
    PARSED.clear()
    store = FactStore((memory_guest({"/etc/motd": "hello"}), BlockTable(), LINUX, Definition("", "")))
    loaded = tuple(LoadedRule(rule, "pack", "group") for rule in rules)
    chosen = tuple(target.load(name) for name in targets)
    return judge(store, loaded, chosen, Mover.RAW, tuple(Presenter("a") for _ in chosen))


def test_what_does_not_rest_on_the_target_is_parsed_once() -> None:
    reports = judged(SaysWelcome(), AsksRiddle())
    assert PARSED == ["motto", "welcome to kvm", "riddle", "welcome to azure"]
    said = [report.results[0].findings[0].finding.message for report in reports]
    assert said == ["hello on kvm by raw", "hello on azure by raw"]


def test_a_fact_that_cannot_be_known_is_an_unknown_with_its_reason() -> None:
    (result,) = judged(AsksRiddle(), targets=("kvm",))[0].results
    assert (result.status, result.crashed) == (Status.UNKNOWN, False)
    assert result.reason.startswith("too hard for")


def test_a_crash_keeps_its_first_findings_and_the_other_rules() -> None:
    broken, fine = judged(Breaks(), SaysWelcome(), targets=("kvm",))[0].results
    assert (broken.status, broken.crashed, len(broken.findings)) == (Status.UNKNOWN, True, 1)
    assert broken.reason.startswith("rule breaks failed: ZeroDivisionError: hello (test_judge.py:")
    assert fine.status is Status.FAIL


def test_rules_for_other_systems_are_left_out() -> None:
    assert judged(ForWindows(), targets=("kvm",))[0].results == ()


def test_the_same_finding_has_one_fingerprint_on_all_targets() -> None:
    first, second = judged(Breaks())
    assert first.results[0].findings[0].fingerprint == second.results[0].findings[0].fingerprint


def test_given_facts_stay_when_the_target_changes() -> None:
    store = FactStore((memory_guest({}), target.load("kvm"), Definition("", ""), Welcome("given")))
    assert store.with_given(target.load("azure")).get(Welcome) == Welcome("given")


def test_a_stage_that_fails_names_the_rule_with_the_error() -> None:
    for rules in ((AWarning(), TheError()), (TheError(), AWarning())):
        forecast = judged(*rules, targets=("kvm",))[0].forecast
        assert forecast is not None
        (stage,) = (one for one in forecast.stages if one.stage is Stage.KERNEL)
        assert (stage.fate, stage.rule) == (Fate.FAIL, "the-error")
