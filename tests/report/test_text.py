"""The text report: its rows, whole, and what may not get into them."""

from __future__ import annotations

import dataclasses

from tests.report import reports
from v2vlint.model.finding import Finding, Severity
from v2vlint.model.fix import Applicability, Fix, ReplaceText
from v2vlint.model.place import WholeFile
from v2vlint.model.report import Excerpt
from v2vlint.report.layout import Piece, flow, paragraph, plain
from v2vlint.report.text import ASCII, Look, brief, render, rows

_WHERE = reports.span("/etc/fstab", 2, 1, 9)
_FINDING = Finding("swap-device-name", Severity.WARNING, _WHERE, "swap is on /dev/sda3", "boot waits 90 s for it")
_EXCERPT = Excerpt("/etc/fstab", 1, ("# fstab", "/dev/sda3 none swap sw 0 0"))


def test_a_finding_with_its_excerpt() -> None:
    report = reports.only(reports.failing(_FINDING, "a" * 16, excerpt=_EXCERPT))
    assert render(report).splitlines() == [
        "── a.qcow2 " + "─" * 69,
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
        "'v2vlint explain swap-device-name' says more about a rule",
    ]


def test_a_fix_replaces_the_excerpt_by_its_diff() -> None:
    diff = "--- a/etc/fstab\n+++ b/etc/fstab\n@@ -1,4 +1,4 @@\n # one\n # two\n--- old\n+++ new\n # three\n"
    fix = Fix("name it by UUID", Applicability.SAFE, (ReplaceText(_WHERE, "-- old", "++ new"),))
    report = reports.only(reports.failing(dataclasses.replace(_FINDING, fix=fix), "a" * 16, excerpt=_EXCERPT, diff=diff))
    assert render(report).splitlines()[6:11] == [
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


def test_an_empty_run_says_so() -> None:
    assert render(reports.empty()).startswith("0 images · 0 errors")


def test_a_paragraph_hangs_behind_its_lead() -> None:
    lines = plain(list(paragraph("one two three four five six", 24, 2, lead=Piece("do: ")))).splitlines()
    assert lines == ["  do: one two three four", "      five six"]


def test_flow_breaks_between_pieces() -> None:
    assert plain(list(flow([Piece("aaaa"), Piece("bbbb"), Piece("cccc")], 12, 1))).splitlines() == [" aaaa  bbbb", " cccc"]
