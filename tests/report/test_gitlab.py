"""GitLab code quality: the fields GitLab reads, unique fingerprints, lines from 1."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.report.reports import clean, empty, failing, hostile, only, rich, span, warning
from v2vlint.model.finding import Finding, Severity
from v2vlint.model.report import Report
from v2vlint.report.formats import gitlab


def issues_of(report: Report) -> list[dict[str, Any]]:
    issues: list[dict[str, Any]] = json.loads(gitlab.render(report))
    return issues


@pytest.mark.parametrize("report", [rich(), hostile(), clean(), empty()], ids=["rich", "hostile", "clean", "empty"])
def test_every_issue_has_what_gitlab_reads(report: Report) -> None:
    issues = issues_of(report)
    assert len({issue["fingerprint"] for issue in issues}) == len(issues)
    for issue in issues:
        assert issue["severity"] in {"info", "minor", "major", "critical", "blocker"}
        assert issue["description"]
        assert issue["check_name"]
        assert issue["location"]["path"]
        assert not issue["location"]["path"].startswith("/")
        assert issue["location"]["lines"]["begin"] >= 1


def test_severities_and_places() -> None:
    issues = issues_of(rich())
    assert {issue["check_name"]: issue["severity"] for issue in issues} == {
        "fstab-by-path": "blocker",
        "initramfs-root-driver": "blocker",
        "nic-name-pinned": "major",
        "vmware-tools": "minor",
        "xorg-driver-fixed": "info",
        "windows-storage-driver": "info",
        "image-unreadable": "critical",
    }
    assert issues[0]["location"] == {"path": "packer/web.pkr.hcl", "lines": {"begin": 1}}
    assert "fix (safe, can be undone): mount /srv/data by UUID" in issues[0]["description"]
    assert issues_of(only(warning(6)))[0]["location"] == {"path": "a.qcow2/etc/fstab", "lines": {"begin": 7}}


def test_an_error_that_does_not_stop_the_boot_is_critical() -> None:
    assert issues_of(only(warning(1, Severity.ERROR)))[0]["severity"] == "critical"


def test_a_fingerprint_does_not_move_with_the_line() -> None:
    def at(line: int) -> str:
        finding = Finding("x", Severity.WARNING, span("/etc/fstab", line), "swap is on /dev/sda3")
        return str(issues_of(only(failing(finding, "0123456789abcdef")))[0]["fingerprint"])

    assert at(3) == at(30) == "0123456789abcdef"
