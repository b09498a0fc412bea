"""What the user decided about findings, applied to finished reports."""

from __future__ import annotations

import dataclasses
import datetime
from pathlib import Path

import pytest

from tests.report import reports
from v2vlint.engine import baseline
from v2vlint.engine.config import Anchor, Exempt
from v2vlint.engine.decisions import EXPIRED, Decisions, decide, fits
from v2vlint.model.errors import UsageError
from v2vlint.model.finding import Finding, Severity
from v2vlint.model.place import WholeFile
from v2vlint.model.report import ImageReport, RuleResult, Status
from v2vlint.report.walk import exit_code, judged

TODAY = datetime.date(2026, 3, 1)
RULE = "swap-device-name"


def finding(path: str = "/etc/fstab", line: int = 2) -> RuleResult:
    """An error of the rule."""
    return reports.failing(Finding(RULE, Severity.ERROR, reports.span(path, line), "swap is on /dev/sda3", "boot waits"), f"{line:016x}")


def decided(decisions: Decisions, *results: RuleResult, image: str = "images/web.qcow2") -> ImageReport:
    """An image with these results, after the user's decisions."""
    return decide(reports.only(*results, image=image).images[0], dataclasses.replace(decisions, today=TODAY))


def outcome(image: ImageReport) -> list[RuleResult]:
    """Its results."""
    return [result for _device, _target, result in judged(image)]


@pytest.mark.parametrize(
    ("image", "pattern", "meant"),
    [
        ("images/web.qcow2", "web.qcow2", True),
        ("images/web.qcow2", "web*", True),
        ("images/web.qcow2", "images/*.qcow2", True),
        ("/srv/images/web.qcow2", "images/web.qcow2", True),
        ("images/web.qcow2", "*", True),
        ("images/web.qcow2", "eb.qcow2", False),
        ("images/web.qcow2", "srv/images/web.qcow2", False),
        ("domain:web", "domain:*", True),
    ],
)
def test_image_globs(image: str, pattern: str, meant: bool) -> None:
    assert fits(image, pattern) is meant


def test_no_decision_changes_nothing() -> None:
    image = reports.only(finding()).images[0]
    assert decide(image, Decisions(today=TODAY)) == image


def test_severity_is_overridden() -> None:
    (result,) = outcome(decided(Decisions(severity={RULE: Severity.INFO}), finding()))
    assert result.findings[0].finding.severity is Severity.INFO
    assert result.status is Status.FAIL


def test_an_exception_covers_and_gives_its_reason() -> None:
    (result,) = outcome(decided(Decisions(exceptions=(Exempt(RULE, "known"),)), finding()))
    assert (result.status, result.reason, result.findings[0].exception, result.findings[0].counts) == (
        Status.EXCEPTED,
        "known",
        "known",
        False,
    )


@pytest.mark.parametrize(
    "exception",
    [Exempt("other-rule", "x"), Exempt(RULE, "x", image="db*"), Exempt(RULE, "x", path="/etc/crypttab")],
)
def test_an_exception_for_something_else_does_not(exception: Exempt) -> None:
    (result,) = outcome(decided(Decisions(exceptions=(exception,)), finding()))
    assert result.findings[0].counts


def test_an_exception_for_one_path_leaves_the_others() -> None:
    both = dataclasses.replace(finding(), findings=(*finding().findings, *finding("/etc/crypttab").findings))
    (result,) = outcome(decided(Decisions(exceptions=(Exempt(RULE, "known", path="/etc/f*"),)), both))
    assert result.status is Status.FAIL
    assert [item.exception for item in result.findings] == ["known", ""]


def test_an_exception_also_covers_what_could_not_be_told_but_no_crash() -> None:
    decisions = Decisions(exceptions=(Exempt("fstab-*", "no key here"),))
    gap = reports.unsure("fstab-by-path", WholeFile("/etc/fstab"), "locked")
    (result,) = outcome(decided(decisions, gap))
    assert (result.status, result.reason, result.unknowns) == (Status.EXCEPTED, "no key here", ())
    (result,) = outcome(decided(decisions, dataclasses.replace(gap, crashed=True)))
    assert (result.status, len(result.unknowns)) == (Status.UNKNOWN, 1)


def test_an_exception_holds_on_its_last_day_and_is_a_finding_after_it() -> None:
    last = Exempt(RULE, "until May", expires=TODAY, where="v2vlint.toml: exceptions #1")
    assert [result.status for result in outcome(decided(Decisions(exceptions=(last,)), finding()))] == [Status.EXCEPTED]
    late = dataclasses.replace(last, expires=TODAY - datetime.timedelta(days=1))
    expired, result = outcome(decided(Decisions(exceptions=(late,)), finding()))
    assert result.findings[0].counts
    assert (expired.rule, expired.status) == (EXPIRED.id, Status.FAIL)
    assert str(expired.findings[0].finding.where) == "v2vlint.toml: exceptions #1"
    assert "expired on 2026-02-28 (reason given: until May)" in expired.findings[0].finding.message


def test_an_expired_exception_for_another_image_is_silent() -> None:
    late = Exempt(RULE, "x", image="db*", expires=datetime.date(2020, 1, 1))
    assert len(outcome(decided(Decisions(exceptions=(late,)), finding()))) == 1


def test_the_expiry_finding_can_itself_be_excepted_and_lowered() -> None:
    late = Exempt(RULE, "x", expires=datetime.date(2020, 1, 1))
    expired, _first = outcome(decided(Decisions({EXPIRED.id: Severity.ERROR}, (late, Exempt(EXPIRED.id, "soon"))), finding()))
    assert (expired.status, expired.findings[0].finding.severity) == (Status.EXCEPTED, Severity.ERROR)


def test_recipes_are_anchored() -> None:
    decisions = Decisions(anchors=(Anchor("db*", "packer/db.hcl"), Anchor("web*", "packer/web.hcl"), Anchor("*", "packer/all.hcl")))
    assert decided(decisions, finding()).recipe == "packer/web.hcl"
    assert decided(decisions, finding(), image="x.qcow2").recipe == "packer/all.hcl"


def test_a_baseline_knows_what_it_was_made_of(tmp_path: Path) -> None:
    old, new = finding(line=2), finding(line=7)
    path = tmp_path / "known.json"
    path.write_text(baseline.render(baseline.entries(reports.only(old).images)))
    known = Decisions(baseline=baseline.read(path))
    assert [result.findings[0].counts for result in outcome(decided(known, old, new))] == [False, True]


def test_a_baseline_lists_each_finding_once_and_none_that_an_exception_covers() -> None:
    excepted = reports.failing(Finding(RULE, Severity.ERROR, WholeFile("/x"), "m", "e"), "f" * 16, exception="known")
    text = baseline.render(baseline.entries(reports.only(finding(), finding(), excepted).images))
    assert text.count("fingerprint") == 1
    assert text.splitlines()[1].startswith('{"image": "a.qcow2", "rule": "swap-device-name", "where": "/etc/fstab:2:1"')


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{", "not a baseline file"),
        ("[]", "not a baseline file"),
        ('{"v2vlint_baseline": 1}', "not a baseline file"),
        ('{"v2vlint_baseline": 1, "findings": [3]}', "not a baseline file"),
        ('{"v2vlint_baseline": 9, "findings": []}', "baseline of version 9"),
    ],
)
def test_what_is_no_baseline(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "known.json"
    path.write_text(text)
    with pytest.raises(UsageError, match=complaint):
        baseline.read(path)


def test_decisions_reach_the_exit_code() -> None:
    report = reports.only(finding(), image="web.qcow2")
    assert exit_code(report) == 1
    calm = dataclasses.replace(report, images=(decided(Decisions(exceptions=(Exempt(RULE, "known"),)), finding()),))
    assert exit_code(calm) == 0
