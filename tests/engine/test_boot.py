"""The forecast among the results: what selects it, and when it counts."""

from __future__ import annotations

import pytest

from v2vlint.engine import boot
from v2vlint.engine.present import Presenter
from v2vlint.engine.protocol import Selection
from v2vlint.engine.select import forecast_wanted
from v2vlint.guest.fs import GuestFS
from v2vlint.model.finding import Finding, Mover, Severity, Stage
from v2vlint.model.place import WholeFile
from v2vlint.model.report import Fate, FindingReport, Forecast, RuleResult, StageForecast, Status, TargetReport
from v2vlint.samples.memory import MemoryFileSystem

FS = GuestFS({"/": MemoryFileSystem({})})


@pytest.mark.parametrize(
    ("selection", "wanted"),
    [
        (Selection(), True),
        (Selection(profile="minimal"), True),
        (Selection(profile="template"), True),
        (Selection(select=("fstab-device-name",)), False),
        (Selection(select=("storage",)), False),
        (Selection(select=("fstab-device-name", "forecast")), True),
        (Selection(select=("boot",)), True),
        (Selection(select=("all",)), True),
        (Selection(ignore=("forecast",)), False),
        (Selection(select=("all",), ignore=("fore*",)), False),
        (Selection(ignore=("fstab-device-name",)), True),
    ],
)
def test_what_selects_the_forecast(selection: Selection, wanted: bool) -> None:
    assert forecast_wanted(selection) is wanted


def _stage(fate: Fate, rule: str = "", stage: Stage = Stage.ROOT) -> StageForecast:
    return StageForecast(stage, fate, "no disk is called /dev/hda1", WholeFile("/boot/grub/grub.cfg"), rule)


def _counted(*stages: StageForecast, fate: Fate, said: tuple[RuleResult, ...] = ()) -> TargetReport:
    target = TargetReport("kvm", Mover.RAW, said, Forecast(fate, stages))
    (counted,) = boot.counted((target,), (Presenter("disk.qcow2"),), FS)
    return counted


def test_a_stop_that_no_rule_explains_is_an_error() -> None:
    (result,) = _counted(_stage(Fate.PASS, stage=Stage.LOADER), _stage(Fate.FAIL), fate=Fate.FAIL).results
    (found,) = result.findings
    assert (result.rule, result.status) == ("forecast", Status.FAIL)
    assert (found.finding.severity, found.finding.stage, found.finding.message) == (
        Severity.ERROR,
        Stage.ROOT,
        "no disk is called /dev/hda1",
    )
    assert found.finding.effect == "on kvm the boot stops at the root stage"
    assert found.counts


def test_a_doubt_that_no_rule_explains_is_an_unknown() -> None:
    stages = (_stage(Fate.UNKNOWN, stage=Stage.NETWORK), _stage(Fate.UNKNOWN))
    (result,) = _counted(*stages, fate=Fate.UNKNOWN).results
    (unknown,) = result.unknowns
    assert (result.status, unknown.reason) == (Status.UNKNOWN, "no disk is called /dev/hda1")


@pytest.mark.parametrize(
    ("stage", "fate"),
    [
        (_stage(Fate.UNKNOWN, rule="root-device-name"), Fate.UNKNOWN),
        (_stage(Fate.PASS), Fate.PASS),
    ],
)
def test_what_a_rule_says_already_is_not_said_twice(stage: StageForecast, fate: Fate) -> None:
    assert [result.status for result in _counted(stage, fate=fate).results] == [Status.PASS]


def _said(severity: Severity, stage: Stage | None) -> tuple[RuleResult, ...]:
    found = Finding("root-device-name", severity, WholeFile("/boot/grub/grub.cfg"), "m", "e", stage=stage)
    return (RuleResult("root-device-name", Status.FAIL, (FindingReport(found, "f"),)),)


@pytest.mark.parametrize(
    ("severity", "stage", "status"),
    [
        (Severity.ERROR, Stage.ROOT, Status.PASS),
        (Severity.ERROR, Stage.MOUNTS, Status.FAIL),
        (Severity.WARNING, None, Status.FAIL),
    ],
)
def test_a_failed_stage_has_an_error_at_its_place(severity: Severity, stage: Stage | None, status: Status) -> None:
    results = _counted(_stage(Fate.FAIL, rule="root-device-name"), fate=Fate.FAIL, said=_said(severity, stage)).results
    assert results[-1].status is status


def test_a_guest_that_cannot_be_reached_passes_no_gate() -> None:
    (result,) = _counted(_stage(Fate.FAIL, stage=Stage.NETWORK), fate=Fate.PASS).results
    (found,) = result.findings
    assert found.finding.effect == "on kvm the network stage fails"


def test_without_a_forecast_nothing_is_added() -> None:
    target = TargetReport("kvm", Mover.RAW, (), None)
    assert boot.counted((target,), (Presenter("disk.qcow2"),), FS) == (target,)
