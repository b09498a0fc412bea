"""Every judgement of a guest: all targets, both movers, before and after its safe fixes, in this process and with shared facts."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from guestbuild.samples import HOME, cached, recipes
from tests.cases.test_cases import GUESTS
from tests.laws.patched import fixed
from v2vlint import target
from v2vlint.engine import boot
from v2vlint.engine.judge import judge
from v2vlint.engine.packs import LoadedRule, load_all
from v2vlint.engine.present import Presenter
from v2vlint.engine.protocol import Selection
from v2vlint.engine.select import choose
from v2vlint.facts.registry import FactStore
from v2vlint.fixing.operations import RootWork, build
from v2vlint.fixing.plan import plan
from v2vlint.guest.fs import GuestFS
from v2vlint.guest.open import GuestContents, Root, open_ref
from v2vlint.model.card_names import CardNames
from v2vlint.model.definition import Definition
from v2vlint.model.finding import Finding, Mover
from v2vlint.model.fix import Applicability, Fix
from v2vlint.model.report import TargetReport
from v2vlint.model.source import GuestRef
from v2vlint.model.target import Target

GUEST_IDS: dict[str, Path] = {**dict.fromkeys(recipes(), HOME), **dict.fromkeys(recipes(GUESTS), GUESTS)}
"""All sample guests and cases, and the folder of each."""


@functools.cache
def rules() -> tuple[LoadedRule, ...]:
    """The rules that judge a root by default."""
    return tuple(rule for rule in choose(load_all(), Selection()) if not rule.of_the_machine)


@functools.cache
def targets() -> tuple[Target, ...]:
    """The shipped profiles."""
    return tuple(map(target.load, target.names()))


@functools.cache
def derived(there: Target) -> Target:
    """A user's own profile, which says nothing but what it extends."""
    return target.parse(f"own-{there.name}-profile", {"extends": there.name}, "own.toml")


def ref(name: str) -> GuestRef:
    """The disks of a guest, built when they are not in the cache."""
    return GuestRef(name, "disks", tuple(map(str, cached(name, GUEST_IDS[name]))))


@functools.lru_cache(maxsize=2)
def opened(name: str) -> GuestContents:
    """A guest, opened."""
    return open_ref(ref(name))


@dataclass(frozen=True)
class Judgement:
    """What is said of one root for one target and mover.

    ``own`` is what is said for a profile that extends the target, ``after`` what is said when all safe fixes (``work``) are applied.
    """

    target: Target
    report: TargetReport
    own: TargetReport
    work: RootWork = field(default_factory=RootWork)
    after: TargetReport | None = None


def findings(report: TargetReport) -> list[Finding]:
    """All findings of a report."""
    return [found.finding for result in report.results for found in result.findings]


class Bench:
    """Judges one tree of files; the facts of the tree are parsed once."""

    def __init__(self, guest: GuestContents, root: Root, fs: GuestFS | None = None) -> None:
        self.guest, self.root, self.fs = guest, root, fs or root.fs
        self._store = FactStore((self.fs, guest.blocks, root.os, Definition("", ""), CardNames()))

    def judge(self, wanted: tuple[Target, ...], mover: Mover) -> tuple[TargetReport, ...]:
        """The report for each target."""
        presenters = tuple(Presenter(self.guest.name) for _target in wanted)
        reports = judge(self._store, rules(), wanted, mover, presenters)
        return boot.counted(reports, presenters, self.fs)

    def work(self, report: TargetReport) -> RootWork:
        """What ``fix`` would do for this report without ``--unsafe-fixes``."""
        return _work(self, tuple(dict.fromkeys(finding.fix for finding in findings(report) if finding.fix)))


@functools.lru_cache(maxsize=64)
def _work(bench: Bench, fixes: tuple[Fix, ...]) -> RootWork:
    return build(bench.fs, bench.guest.blocks, plan(fixes, Applicability.SAFE).chosen)


def judgements(name: str) -> Iterator[Judgement]:
    """Every root of a guest, for every shipped target, by every mover."""
    guest = opened(name)
    for root in guest.roots:
        for mover in Mover:
            yield from hear(Bench(guest, root), targets(), mover)


def hear(bench: Bench, wanted: tuple[Target, ...], mover: Mover) -> Iterator[Judgement]:
    """The judgements of one tree of files."""
    own = bench.judge(tuple(map(derived, wanted)), mover)
    mended: dict[tuple[Fix, ...], Bench] = {}
    for there, report, same in zip(wanted, bench.judge(wanted, mover), own, strict=True):
        work = bench.work(report)
        if not work.taken:
            yield Judgement(there, report, same)
            continue
        again = mended.setdefault(work.taken, Bench(bench.guest, bench.root, fixed(bench.fs, work)))
        yield Judgement(there, report, same, work, again.judge((there,), mover)[0])
