"""The drawn guests: a number makes the same one again, and the page says what the tables say."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from tests.truth import page, random, record
from tests.truth.draw import BASES, DEFECTS, TARGETS, drawn
from tests.truth.record import Row
from v2vlint.model.finding import Stage
from v2vlint.model.proof import Proof
from v2vlint.model.report import Fate, Forecast, StageForecast

ROW = Row("7", "abc1234", "a guest @ide: nothing wrong", "comes up", "comes up", "pass", "DHCP lease 10.0.2.15", "61", "agree", "x")


def test_a_number_makes_the_same_guest_again() -> None:
    for seed in range(200):
        one, again = drawn(seed), drawn(seed)
        assert (one.name, one.spec, one.target) == (again.name, again.spec, again.target)


def test_everything_is_drawn_some_time() -> None:
    many = [drawn(seed) for seed in range(600)]
    assert {one.base for one in many} == set(BASES)
    assert {one.target for one in many} == set(TARGETS)
    assert {defect.name for one in many for defect in one.defects} == {defect.name for defect in DEFECTS}
    assert {(one.spec.firmware, one.loader) for one in many} == {("bios", "grub"), ("uefi", "grub"), ("uefi", "systemd-boot")}
    assert {len(one.defects) for one in many} == {0, 1, 2, 3}


def test_a_row_is_read_as_it_was_added(tmp_path: Path) -> None:
    table = tmp_path / "a.tsv"
    record.add(table, ROW)
    record.add(table, dataclasses.replace(ROW, seed="8", reason="two\tlines\nand a tab"))
    record.add(table, dataclasses.replace(ROW, verdict="differ"))
    assert [(row.seed, row.verdict) for row in record.rows(table)] == [("7", "differ"), ("8", "agree")]
    assert record.rows(table)[1].reason == "two lines and a tab"


def said(*fates: tuple[Stage, Fate]) -> Forecast:
    stages = tuple(StageForecast(stage, fate, "") for stage, fate in fates)
    boots = {one.fate for one in stages if one.stage is not Stage.NETWORK}
    return Forecast(next((fate for fate in (Fate.FAIL, Fate.UNKNOWN) if fate in boots), Fate.PASS), stages)


def booted(came_up: bool | None, stage: Stage | None = None) -> Proof:
    return Proof("t", "firmware", "bios", "", "", came_up, "", stage, ())


UP = said((Stage.ROOT, Fate.PASS), (Stage.NETWORK, Fate.PASS))


@pytest.mark.parametrize(
    ("forecast", "proof", "network", "found"),
    [
        (UP, booted(True), True, "agree"),
        (UP, booted(True), False, "network"),
        (UP, booted(False, Stage.ROOT), False, "differ"),
        (said((Stage.ROOT, Fate.FAIL)), booted(True), True, "differ"),
        (said((Stage.ROOT, Fate.FAIL)), booted(False, Stage.INITRAMFS), False, "agree"),
        (said((Stage.ROOT, Fate.FAIL)), booted(False, Stage.MOUNTS), False, "elsewhere"),
        (UP, booted(None), False, "open"),
        (said((Stage.ROOT, Fate.UNKNOWN)), booted(True), True, "open"),
    ],
)
def test_verdicts(forecast: Forecast, proof: Proof, network: bool, found: str) -> None:
    fate = next((one.fate for one in forecast.stages if one.stage is Stage.NETWORK), Fate.UNKNOWN)
    assert random.verdict(forecast, proof, network, fate) == found


def test_the_page_has_what_the_tables_have() -> None:
    text = page.PAGE.read_text("utf-8")
    _head, begin, drawn_part = text.partition(page.BEGIN)
    assert begin
    assert begin + drawn_part == page.made(record.rows(record.BOOTS), record.rows(record.CONTAINERS))
    assert not [row.seed for row in record.rows(record.CONTAINERS) if row.verdict == "differ"]
