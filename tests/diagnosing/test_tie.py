"""Messages and the place in the image: names as systemd and dracut print them, findings, lines of the guest."""

from __future__ import annotations

import dataclasses

import pytest

from v2vlint.diagnosing.boots import diagnose
from v2vlint.diagnosing.tie import names_in, tie
from v2vlint.model.diagnosis import Diagnosis
from v2vlint.model.finding import Finding, Mover, Severity, Stage
from v2vlint.model.osinfo import OsInfo
from v2vlint.model.place import Span
from v2vlint.model.report import (
    Excerpt,
    Fate,
    FindingReport,
    Forecast,
    ImageReport,
    RootReport,
    RuleResult,
    StageForecast,
    Status,
    TargetReport,
)

FSTAB = "UUID=0a1b-2c3d / ext4 defaults 0 1\nUUID=dead-beef /srv ext4 defaults 0 2\n# UUID=dead-beef /old ext4\n"
LOG = [
    "[    0.000000] Linux version 6.1.0",
    "[   15.0] EXT4-fs (vda1): mounted filesystem with ordered data mode.",
    "Welcome to Debian GNU/Linux 12 (bookworm)!",
    "[ TIME ] Timed out waiting for device dev-disk-by\\x2duuid-dead\\x2dbeef.device - /dev/disk/by-uuid/dead-beef.",
    "[DEPEND] Dependency failed for srv.mount - /srv.",
    "You are in emergency mode. After logging in,",
]


def log(*lines: str) -> Diagnosis:
    """The diagnosis of a log."""
    return diagnose("log", enumerate(lines, 1), lambda line: ("fstab-missing-device",) if "Timed out" in line else ())


def found(rule: str, line: int, stage: Stage | None, message: str = "it is wrong") -> FindingReport:
    """A finding in fstab."""
    severity = Severity.ERROR if stage else Severity.WARNING
    where = Span("/etc/fstab", line, 1, line, 5)
    excerpt = Excerpt("/etc/fstab", 1, tuple(FSTAB.split("\n")))
    return FindingReport(Finding(rule, severity, where, message, stage=stage), rule, excerpt)


def image(*findings: FindingReport, fate: Fate = Fate.FAIL, stage: Stage = Stage.MOUNTS) -> ImageReport:
    """The report of a guest with these findings, whose forecast stops at ``stage``."""
    forecast = Forecast(fate, (StageForecast(stage, fate, "because"),))
    target = TargetReport("kvm", Mover.RAW, (RuleResult("x", Status.FAIL, findings),), forecast)
    return ImageReport(
        "web.qcow2", (), "qcow2", 1, (), (RootReport("disk1p1", OsInfo("linux", "debian", "debian", "Debian"), (), (target,)),)
    )


def test_the_finding_that_names_the_device_comes_first() -> None:
    others = (found("host-name", 1, None), found("root-device-name", 1, Stage.ROOT), found("other", 1, Stage.MOUNTS))
    report = image(*others, found("fstab-missing-device", 2, Stage.MOUNTS))
    tied = tie(log(*LOG), report, "kvm", {"/etc/fstab": FSTAB.encode(), "/etc/crypttab": b"x UUID=dead-beef-00 none luks\n"})
    assert [one.finding.rule for one in tied.findings] == ["fstab-missing-device", "other"]
    assert [(one.path, one.line) for one in tied.mentions] == [("/etc/fstab", 2)]
    assert tied.agrees is True


def test_a_forecast_that_disagrees_is_told() -> None:
    assert tie(log(*LOG), image(fate=Fate.PASS), "kvm", {}).agrees is False
    assert tie(log(*LOG), image(stage=Stage.FIRMWARE), "kvm", {}).agrees is False
    assert tie(log(*LOG), image(fate=Fate.UNKNOWN), "kvm", {}).agrees is None
    assert tie(log(*LOG[:3]), image(), "kvm", {}).agrees is None
    up = log(*LOG[:3], "guest login: ")
    assert tie(up, image(), "kvm", {}).agrees is False
    assert tie(up, image(fate=Fate.PASS), "kvm", {}).agrees is True


def test_excepted_findings_explain_nothing() -> None:
    known = dataclasses.replace(found("fstab-missing-device", 2, Stage.MOUNTS), baselined=True)
    assert tie(log(*LOG), image(known), "kvm", {}).findings == ()


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (LOG[3], {"/dev/disk/by-uuid/dead-beef", "dead-beef"}),
        ("Warning: /dev/mapper/rl-root does not exist", {"/dev/mapper/rl-root"}),
        ("ALERT!  UUID=0a1b2c3d-0001-4000-8000-000000000001 does not exist.", {"0a1b2c3d-0001-4000-8000-000000000001"}),
        ('  Volume group "rhel" not found', {"rhel"}),
        ('ifup[411]: Cannot find device "ens192"', {"ens192"}),
        ("[FAILED] Failed to mount srv.mount - /srv.", {"/srv"}),
        ("Kernel panic - not syncing: No working init found.", set()),
    ],
)
def test_names(text: str, names: set[str]) -> None:
    assert names_in(text) >= names
    assert len(names_in(text)) <= len(names) + 1
