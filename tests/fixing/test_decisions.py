"""The user's decisions are one thing: check and fix select the same findings, and a fix leaves alone what it should."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterable
from itertools import cycle
from pathlib import Path

import pytest

from guestbuild.samples import cached, recipes
from tests.fixing.test_session import copies
from v2vlint import target
from v2vlint.engine.config import Exempt
from v2vlint.engine.decisions import Decisions
from v2vlint.engine.protocol import CHECK, CheckAsk, Judged
from v2vlint.files import Desk
from v2vlint.fixing import session
from v2vlint.fixing.offered import offered
from v2vlint.fixing.plan import plan
from v2vlint.fixing.prepare import prepare
from v2vlint.fixing.protocol import Chosen, FixAsk, Held, PreparedFix
from v2vlint.isolate import Answer, Call, run
from v2vlint.model.codec import decode, encode
from v2vlint.model.finding import Finding, Severity
from v2vlint.model.fix import Applicability, Delete, Fix
from v2vlint.model.place import WholeFile
from v2vlint.model.report import FindingReport, ImageReport
from v2vlint.model.source import GuestRef

FIXES = {name: Fix(f"delete {name}", Applicability.SAFE, (Delete(f"/{name}"),)) for name in "abc"}
DAY = datetime.date(2026, 3, 1)


def found(fix: str = "a", path: str = "/a", *, exception: str = "", baselined: bool = False) -> FindingReport:
    """A finding at ``path`` that one of the fixes repairs."""
    finding = Finding("rule", Severity.ERROR, WholeFile(path), f"{path} is wrong", "boot stops", FIXES.get(fix))
    return FindingReport(finding, "0" * 32, exception=exception, baselined=baselined)


@pytest.mark.parametrize(
    ("reports", "made", "left", "known"),
    [
        ([found()], "a", "", 0),
        ([found(""), found("b", exception="why")], "", "b", 0),
        ([found(baselined=True), found("b")], "b", "", 1),
        ([found(baselined=True), found(baselined=True)], "", "", 1),
        ([found(baselined=True), found(path="/other", baselined=True)], "", "", 2),
        ([found("", baselined=True)], "", "", 0),
        ([found(baselined=True), found(path="/other")], "a", "", 0),
        ([found(exception="why"), found(path="/other")], "", "a", 0),
        ([found(exception="why", baselined=True)], "", "a", 0),
        ([found(path="/other"), found(exception="why"), found("b")], "b", "a", 0),
    ],
    ids=["plain", "excepted", "known", "twice", "two-places", "no-fix", "shared-with-new", "shared-with-excepted", "both", "order"],
)
def test_which_fixes_are_offered(reports: list[FindingReport], made: str, left: str, known: int) -> None:
    offer = offered(reports)
    assert offer.fixes == {FIXES[name]: "rule" for name in made}
    assert offer.held == tuple(Held("rule", f"delete {name}", "left alone: excepted, why") for name in left)
    assert offer.known == known


def guest(images: tuple[Path, ...], name: str = "") -> CheckAsk:
    """A check of a sample for the default target."""
    paths = tuple(map(str, images))
    return CheckAsk(GuestRef(name or "+".join(paths), "disks", paths), (target.load("kvm"),))


def findings(image: ImageReport) -> list[tuple[str, FindingReport]]:
    """All findings with the device of their root."""
    return [(device, one) for device, judged in image.judged() for result in judged.results for one in result.findings]


def decided(reports: Iterable[FindingReport]) -> Decisions:
    """Of the rules in ``reports`` every third excepted, every third known to the baseline, and all of them only a note."""
    rules: dict[str, list[str]] = {}
    for report in reports:
        rules.setdefault(report.finding.rule, []).append(report.fingerprint)
    fates = list(zip(sorted(rules), cycle(("excepted", "known", "new"))))
    return Decisions(
        severity=dict.fromkeys(rules, Severity.INFO),
        exceptions=tuple(Exempt(rule, "it is meant", expires=DAY) for rule, fate in fates if fate == "excepted"),
        baseline=frozenset(key for rule, fate in fates if fate == "known" for key in rules[rule]),
        today=DAY,
    )


def fixing(ask: CheckAsk) -> PreparedFix:
    """What fixing it would do."""
    return decode(PreparedFix, prepare(encode(FixAsk(ask, Applicability.UNSAFE))))


def titles(fixes: Iterable[Chosen | Held]) -> set[tuple[str, str]]:
    """Rule and title of each."""
    return {(one.rule, one.title) for one in fixes}


@pytest.mark.slow
@pytest.mark.parametrize("sample", [pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in recipes()])
def test_check_and_fix_select_the_same_findings(sample: str) -> None:
    undecided = findings(fixing(guest(cached(sample))).image)
    ask = dataclasses.replace(guest(cached(sample)), decisions=decided(report for _device, report in undecided))
    answer = run(Call(CHECK, encode(ask), desk=Desk(ask.guest)))
    assert isinstance(answer, Answer), answer
    checked = findings(decode(Judged, answer.value).image)
    assert {report.finding.severity for _device, report in checked} <= {Severity.INFO}
    prepared = fixing(ask)
    assert findings(prepared.image) == checked
    fixable = [(device, report, report.finding.fix) for device, report in checked if report.finding.fix]
    left = {held for held in prepared.held if held.reason == "left alone: excepted, it is meant"}
    assert titles(left) == {(report.finding.rule, fix.title) for _device, report, fix in fixable if report.exception}
    made: set[tuple[str, str]] = set()
    for root in {device for device, _report, _fix in fixable}:
        planned = plan((fix for device, report, fix in fixable if device == root and report.counts), Applicability.UNSAFE)
        rules = {fix: report.finding.rule for device, report, fix in fixable if device == root}
        made |= {(rules[fix], fix.title) for fix in (*planned.chosen, *(held.fix for held in planned.held_back))}
    assert titles((*prepared.chosen, *(set(prepared.held) - left))) == made
    assert prepared.known == len({(device, str(report.finding)) for device, report, _fix in fixable if report.baselined})


@pytest.mark.slow
def test_decisions_hold_in_the_overlay_and_in_what_comes_out(tmp_path: Path) -> None:
    images = copies("debian-vmware-desktop", tmp_path)
    plain = fixing(guest(images))
    known = frozenset(report.fingerprint for _device, report in findings(plain.image) if report.finding.rule == "xorg-fixed-driver")
    decisions = Decisions(exceptions=(Exempt("fstab-device-name", "swap is made anew"),), baseline=known, today=DAY)
    outcome = session.fix_in_place(FixAsk(dataclasses.replace(guest(images), decisions=decisions)))
    assert {one.rule for one in outcome.applied} == safe_rules(plain) - {"fstab-device-name", "xorg-fixed-driver"}
    assert (outcome.known, outcome.failed) == (1, ())
    assert Held("fstab-device-name", "use swap by UUID (/dev/sda5)", "left alone: excepted, swap is made anew") in outcome.held
    assert outcome.after is not None
    after = {report.finding.rule: report for _device, report in findings(outcome.after)}
    assert after["xorg-fixed-driver"].baselined
    assert after["fstab-device-name"].exception == "swap is made anew"


def safe_rules(plain: PreparedFix) -> set[str]:
    """The rules whose safe fixes it has."""
    safe = Applicability.SAFE
    return {one.finding.rule for _device, one in findings(plain.image) if one.finding.fix and one.finding.fix.applicability is safe}
