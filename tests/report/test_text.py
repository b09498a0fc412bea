"""The text report: its rows, whole, and what may not get into them."""

from __future__ import annotations

import dataclasses

import pytest

from tests.report import reports
from v2vlint.model.finding import Finding, Severity
from v2vlint.model.fix import Applicability, Fix, ReplaceText
from v2vlint.model.place import WholeFile
from v2vlint.model.report import Excerpt, Report, RuleResult
from v2vlint.report.formats.text import ASCII, Look, brief, render, rows
from v2vlint.report.layout import Styled, flow, paragraph, plain

_WHERE = reports.span("/etc/fstab", 2, 1, 9)
_FINDING = Finding("swap-device-name", Severity.WARNING, _WHERE, "swap is on /dev/sda3", "boot waits 90 s for it")
_EXCERPT = Excerpt("/etc/fstab", 1, ("# fstab", "/dev/sda3 none swap sw 0 0"))


def test_a_finding_with_its_excerpt() -> None:
    report = reports.only(reports.failing(_FINDING, "a" * 16, excerpt=_EXCERPT))
    assert render(report).splitlines() == [
        "── a.qcow2 " + "─" * 69,
        "   do:  nothing at once; review 1 warning",
        "   how: by hand; v2vlint explain swap-device-name",
        "",
        "   Debian GNU/Linux 12 (x86_64) · qcow2 1.0 GiB",
        "",
        "  warning  swap-device-name  /etc/fstab:2:1",
        "           swap is on /dev/sda3",
        "           → boot waits 90 s for it",
        "               1 │ # fstab",
        "           >   2 │ /dev/sda3 none swap sw 0 0",
        "",
        "1 image · 0 errors, 1 warning, 0 not checked · 0 passed, 0 not applicable",
        "0.0 s",
        "'v2vlint explain swap-device-name' describes a rule",
    ]


def test_a_fix_replaces_the_excerpt_by_its_diff() -> None:
    diff = "--- a/etc/fstab\n+++ b/etc/fstab\n@@ -1,4 +1,4 @@\n # one\n # two\n--- old\n+++ new\n # three\n"
    fix = Fix("name it by UUID", Applicability.SAFE, (ReplaceText(_WHERE, "-- old", "++ new"),))
    report = reports.only(reports.failing(dataclasses.replace(_FINDING, fix=fix), "a" * 16, excerpt=_EXCERPT, diff=diff))
    assert render(report).splitlines()[9:14] == [
        "               2 │ # two",
        "           -   3 │ -- old",
        "           +   3 │ ++ new",
        "               4 │ # three",
        "           fix (safe): name it by UUID",
    ]


def test_the_forecast_comes_before_the_findings() -> None:
    lines = render(reports.rich()).splitlines()
    verdict = next(number for number, line in enumerate(lines) if "kvm, a raw copy: does not boot" in line)
    stages = next(number for number, line in enumerate(lines) if "✗ initramfs" in line)
    finding = next(number for number, line in enumerate(lines) if line.startswith("  error "))
    assert verdict < stages < finding


def test_what_was_not_checked_is_always_counted() -> None:
    assert "0 not checked" in render(reports.clean())
    text = render(reports.rich())
    assert "  unknown  " in text
    assert "extended L2 entries are not supported" in text


def test_excepted_findings_show_their_reason_and_do_not_count() -> None:
    report = reports.only(reports.failing(_FINDING, "a" * 16, exception="moves in May"))
    text = render(report)
    assert "  excepted swap-device-name  /etc/fstab:2:1\n           moves in May\n" in text
    assert "0 errors, 0 not checked, 1 excepted" in text


def test_baselined_findings_are_only_counted() -> None:
    text = render(reports.only(reports.failing(_FINDING, "a" * 16, baselined=True)))
    assert "swap is on" not in text
    assert "1 finding known from the baseline" in text


def test_brief_rows_are_one_per_finding_and_gap() -> None:
    gap = reports.unsure("fstab-by-path", WholeFile("/etc/fstab"), "cannot be read")
    report = reports.only(reports.failing(_FINDING, "a" * 16), gap)
    assert plain(brief(report)).splitlines() == [
        "a.qcow2: warning swap-device-name /etc/fstab:2:1: swap is on /dev/sda3",
        "a.qcow2: not checked fstab-by-path /etc/fstab: cannot be read",
    ]


def test_nothing_hostile_gets_through_at_any_width() -> None:
    for look in (Look(), Look(40), Look(120), ASCII):
        for row in (*rows(reports.hostile(), look), *brief(reports.hostile())):
            assert all(piece.text.isprintable() for piece in row)


def test_ascii_look_adds_nothing_beyond_ascii() -> None:
    assert plain(rows(reports.only(reports.failing(_FINDING, "a" * 16, excerpt=_EXCERPT)), ASCII)).isascii()


def _found(rule: str, level: Severity, line: int, fix: Fix | None = None) -> RuleResult:
    finding = Finding(rule, level, reports.span("/etc/fstab", line, 1, 9), f"{rule} in line {line}", fix=fix)
    return reports.failing(finding, f"{rule}{line}".ljust(16, "0"))


def _lines(report: Report, *, whole: bool) -> list[str]:
    return plain(rows(report, Look(whole=whole))).splitlines()


def test_three_lines_at_the_top_say_what_how_and_whether() -> None:
    fix = Fix("name it by UUID", Applicability.SAFE, (ReplaceText(_WHERE, "-- old", "++ new"),))
    risky = dataclasses.replace(fix, applicability=Applicability.UNSAFE)
    results = (_found("a-rule", Severity.ERROR, 1, fix), _found("b-rule", Severity.WARNING, 2, risky), _found("c-rule", Severity.ERROR, 3))
    lines = _lines(reports.only(*results), whole=False)
    assert lines[1] == "   do:  name it by UUID; then 1 more error and 1 warning"
    assert " ".join(line.strip() for line in lines[2:4]) == (
        "how: v2vlint --fix a.qcow2 repairs 1 of 3 findings, and can be undone; --unsafe-fixes repairs 1 more"
    )
    told = _lines(reports.rich(), whole=False)
    assert told[1] == "   kvm, a raw copy: does not boot: stops at initramfs"
    assert told[3].startswith("   do:  ")


def test_what_cannot_be_written_gets_other_advice_than_to_fix_it() -> None:
    report = reports.rich()
    instead = "put the fix into what builds it"
    closed = dataclasses.replace(report, images=tuple(dataclasses.replace(image, unwritable=instead) for image in report.images))
    assert "--fix" in "\n".join(_lines(report, whole=False))
    told = " ".join(_lines(closed, whole=False))
    assert "--fix" not in told
    assert instead in told


def test_several_guests_are_counted_by_their_standing() -> None:
    report = reports.rich()
    told = [line for line in _lines(report, whole=False) if line.startswith(("kvm: ", "azure: "))]
    assert told == [f"{name}: 1 ready, 1 ready after safe fixes, 1 needs a hand, 1 not judged" for name in ("kvm", "azure")]
    assert not [line for line in _lines(reports.clean(), whole=False) if line.startswith("kvm: ")]


def test_a_clean_guest_needs_nothing() -> None:
    assert "   do:  nothing" in _lines(reports.clean(), whole=True)
    assert not any(line.startswith("   how:") for line in _lines(reports.clean(), whole=True))


def test_a_long_report_is_folded_to_what_matters_and_counts_the_rest() -> None:
    many = [_found("a-rule", Severity.ERROR, line) for line in range(1, 7)]
    many += [_found(f"w{number}-rule", Severity.WARNING, number) for number in range(10, 25)]
    many += [_found("i-rule", Severity.INFO, 1)]
    folded, whole = ("\n".join(_lines(reports.only(*many), whole=which)) for which in (False, True))
    assert folded.count("\n  error ") == 3
    assert folded.count("\n  warning ") == 10
    assert "i-rule in line" not in folded
    rest = " ".join(folded[folded.index("3 more errors") : folded.index("1 image")].split())
    names = ", ".join(f"w{number}-rule" for number in range(20, 25))
    assert rest == f"3 more errors: a-rule (3) · 5 more warnings: {names} · 1 more info: i-rule (--all shows them)"
    assert whole.count("\n  error ") == 6
    assert "--all" not in whole
    assert folded.splitlines()[-2:] == whole.splitlines()[-2:]


def test_remarks_are_shown_where_there_is_nothing_else() -> None:
    assert "--all" not in "\n".join(_lines(reports.only(_found("i-rule", Severity.INFO, 1)), whole=False))


def test_many_unknowns_are_folded_but_named() -> None:
    unsure = [reports.unsure(f"u{number}-rule", WholeFile(f"/etc/file{number}"), "cannot be read") for number in range(6)]
    folded = "\n".join(_lines(reports.only(*unsure), whole=False))
    assert "2 more unknown: u4-rule, u5-rule (--all shows them)" in folded


def test_what_is_unknown_for_one_reason_is_told_once() -> None:
    unsure = [reports.unsure(f"u{number}-rule", WholeFile("/etc/fstab"), "cannot be read") for number in range(6)]
    told = "\n".join(_lines(reports.only(*unsure), whole=True))
    assert (told.count("cannot be read"), told.count("unknown  6 rules  /etc/fstab")) == (1, 1)
    assert "u0-rule, u1-rule, u2-rule, u3-rule, u4-rule, u5-rule" in told


@pytest.mark.parametrize("width", [40, 60])
def test_narrow_terminals_get_no_wider_rows_than_words_ask_for(width: int) -> None:
    for row in rows(reports.rich(), Look(width)):
        text = "".join(piece.text for piece in row).rstrip()
        assert len(text) <= width or len(text.split()[-1]) > width - 30 or "│" in text, text


def test_an_empty_run_says_so() -> None:
    assert render(reports.empty()).startswith("0 images · 0 errors")


def test_a_paragraph_hangs_behind_its_lead() -> None:
    lines = plain(list(paragraph("one two three four five six", 24, 2, lead=Styled("do: ")))).splitlines()
    assert lines == ["  do: one two three four", "      five six"]


def test_flow_breaks_between_pieces() -> None:
    assert plain(list(flow([Styled("aaaa"), Styled("bbbb"), Styled("cccc")], 12, 1))).splitlines() == [" aaaa  bbbb", " cccc"]
