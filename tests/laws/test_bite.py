"""The laws see what breaks them: small reports, each with one fault."""

from __future__ import annotations

import pytest

from tests.laws.court import Judgement
from tests.laws.laws import broken
from tests.laws.patched import patched
from v2vlint import target
from v2vlint.fixing.operations import RootWork
from v2vlint.model.finding import Fate, Finding, Mover, Severity, Stage
from v2vlint.model.fix import Applicability, Delete, Fix
from v2vlint.model.place import WholeFile
from v2vlint.model.report import FindingReport, Forecast, RuleResult, StageForecast, Status, TargetReport
from v2vlint.samples.memory import memory_guest

_FIX = Fix("mend it", Applicability.SAFE, (Delete("/etc/fstab"),))
_ERROR = Finding("rule", Severity.ERROR, WholeFile("/etc/fstab"), "is wrong", fix=_FIX, stage=Stage.MOUNTS)
_FAILED = StageForecast(Stage.MOUNTS, Fate.FAIL, "is wrong", WholeFile("/etc/fstab"))
_PASSED = StageForecast(Stage.MOUNTS, Fate.PASS, "all found")
_DOUBTED = StageForecast(Stage.MOUNTS, Fate.UNKNOWN, "cannot be read")


def _report(stage: StageForecast, *found: Finding, name: str = "kvm") -> TargetReport:
    results = tuple(RuleResult(one.rule, Status.FAIL, (FindingReport(one, name),)) for one in found)
    return TargetReport(name, Mover.RAW, results, Forecast(stage.fate, (stage,)))


def _faults(report: TargetReport, own: TargetReport | None = None, after: TargetReport | None = None) -> list[str]:
    work = RootWork(taken=(_FIX,)) if after else RootWork()
    return list(broken(Judgement(target.load("kvm"), report, own or report, work, after)))


@pytest.mark.parametrize(
    ("report", "after", "fault"),
    [
        (_report(_FAILED), None, "a: mounts fails without an error at its place (raw)"),
        (_report(_PASSED, _ERROR), None, "b: rule is an error at mounts, which passes (raw)"),
        (_report(_PASSED, Finding("rule", Severity.ERROR, WholeFile("/"), "x")), None, "b: rule is an error, and every stage passes (raw)"),
        (_report(_PASSED), _report(_DOUBTED), "c: mounts was pass and is unknown after the fixes (raw)"),
        (_report(_FAILED, _ERROR), _report(_FAILED, _ERROR), "c: mounts is fail after the fix of rule (raw)"),
        (_report(_FAILED, _ERROR), _report(_PASSED, _ERROR, _ERROR), "c: rule has an error after the fixes that was not there (raw)"),
        (
            _report(_FAILED, Finding("forecast", Severity.ERROR, WholeFile("/etc/fstab"), "x", stage=Stage.MOUNTS)),
            None,
            "f: no rule explains that mounts fails (raw)",
        ),
    ],
)
def test_a_fault_is_seen(report: TargetReport, after: TargetReport | None, fault: str) -> None:
    assert _faults(report, after=after) == [fault]


def test_a_derived_profile_that_differs_is_seen() -> None:
    own = "own-kvm-profile"
    assert _faults(_report(_FAILED, _ERROR), _report(_FAILED, _ERROR, name=own)) == []
    other = Finding("rule", Severity.WARNING, WholeFile("/etc/fstab"), "is wrong", fix=_FIX, stage=Stage.MOUNTS)
    assert _faults(_report(_FAILED, _ERROR), _report(_FAILED, other, name=own)) == [
        "e: rule says something else for a derived profile (raw)"
    ]
    assert _faults(_report(_PASSED), _report(_DOUBTED, name=own)) == ["e: the forecast is another one for a derived profile (raw)"]


def test_a_report_that_keeps_the_laws_is_left_alone() -> None:
    assert _faults(_report(_FAILED, _ERROR), after=_report(_PASSED)) == []


def test_a_patched_guest_has_the_new_files_and_not_the_old() -> None:
    guest = memory_guest({"/etc/fstab": "x\n", "/etc/hosts": "y\n"})
    after = patched(guest, {"/etc/fstab": None, "/etc/hosts": b"z\n", "/etc/new/deep": b"n"})
    assert (after.exists("/etc/fstab"), after.read("/etc/hosts"), after.read("/etc/new/deep")) == (False, b"z\n", b"n")
    assert (after.listdir("/etc"), after.listdir("/etc/new")) == (("hosts", "new"), ("deep",))
    assert guest.exists("/etc/fstab")


def test_names_of_a_patched_windows_have_no_case() -> None:
    guest = memory_guest({"/Windows/System32/drivers/disk.sys": "x"})
    after = patched(guest, {"/windows/system32/DRIVERS/disk.sys": None, "/Windows/System32/Drivers/new.sys": b"n"})
    assert after.listdir("/Windows/System32/drivers") == ("new.sys",)
    assert after.read("/WINDOWS/system32/drivers/NEW.SYS") == b"n"
