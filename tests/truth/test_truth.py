"""The drawn guests: a number makes the same one again, and the page says what the tables say."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import get_args

import pytest

from tests.truth import page, random, record
from tests.truth.bases import BASES
from tests.truth.draw import DEFECTS, TARGETS, Manager, Stack, drawn
from tests.truth.record import Row
from v2vlint.model.finding import Stage
from v2vlint.model.proof import Milestone, Proof, Reached
from v2vlint.model.report import Fate, Forecast, StageForecast

ROW = Row("7", "abc1234", "a guest @ide: nothing wrong", "comes up", "comes up", "pass", "DHCP lease 10.0.2.15", "61", "agree", "x")


def test_a_number_makes_the_same_guest_again() -> None:
    for seed in range(200):
        one, again = drawn(seed), drawn(seed)
        assert (one.name, one.guest, one.target) == (again.name, again.guest, again.target)


def test_everything_is_drawn_some_time() -> None:
    many = [drawn(seed) for seed in range(900)]
    assert {one.guest.base for one in many} == set(BASES)
    assert {one.target for one in many} == set(TARGETS)
    assert {defect.name for one in many for defect in one.defects} == {defect.name for defect in DEFECTS}
    loaders = {("bios", "grub"), ("bios", "extlinux"), ("uefi", "grub"), ("uefi", "systemd-boot")}
    assert {(one.guest.firmware, one.guest.loader) for one in many} == loaders
    assert {one.guest.stack for one in many} == set(get_args(Stack))
    assert {one.guest.manager for one in many} == set(get_args(Manager))
    assert {len(one.defects) for one in many} == {0, 1, 2, 3}


def test_a_row_is_read_as_it_was_added(tmp_path: Path) -> None:
    table = tmp_path / "a.tsv"
    record.add(table, ROW)
    record.add(table, dataclasses.replace(ROW, seed="8", reason="two\tlines\nand a tab"))
    record.add(table, dataclasses.replace(ROW, verdict="differ"))
    assert [(row.seed, row.verdict) for row in record.rows(table)] == [("7", "differ"), ("8", "agree")]
    assert record.rows(table)[1].reason == "two lines and a tab"


@pytest.mark.parametrize(("clock", "now", "past"), [("00:04", "23:55", False), ("23:55", "00:04", True), ("12:00", "12:00", True)])
def test_a_time_of_day_may_be_tomorrow(clock: str, now: str, past: bool) -> None:
    assert record.is_past(clock, now) is past


def said(*fates: tuple[Stage, Fate]) -> Forecast:
    stages = tuple(StageForecast(stage, fate, "") for stage, fate in fates)
    boots = {one.fate for one in stages if one.stage is not Stage.NETWORK}
    return Forecast(next((fate for fate in (Fate.FAIL, Fate.UNKNOWN) if fate in boots), Fate.PASS), stages)


def booted(came_up: bool | None, stage: Stage | None = None, network: bool = False) -> Proof:
    milestones = (Milestone("network", Stage.NETWORK, Reached.SEEN if network else Reached.NOT_SEEN),)
    return Proof("t", "firmware", "bios", "", "", came_up, "", stage, milestones)


UP = said((Stage.ROOT, Fate.PASS), (Stage.NETWORK, Fate.PASS))


@pytest.mark.parametrize(
    ("forecast", "proof", "found"),
    [
        (UP, booted(True, network=True), "agree"),
        (UP, booted(True), "network"),
        (UP, booted(False, Stage.ROOT), "differ"),
        (said((Stage.ROOT, Fate.FAIL)), booted(True), "differ"),
        (said((Stage.ROOT, Fate.FAIL)), booted(False, Stage.INITRAMFS), "agree"),
        (said((Stage.ROOT, Fate.FAIL)), booted(False, Stage.MOUNTS), "elsewhere"),
        (UP, booted(None), "open"),
        (said((Stage.ROOT, Fate.UNKNOWN)), booted(True, network=True), "open"),
    ],
)
def test_verdicts(forecast: Forecast, proof: Proof, found: str) -> None:
    assert random.verdict(forecast, proof) == found


def test_the_page_says_what_was_never_drawn() -> None:
    cell = drawn(5)
    lines = page.made([dataclasses.replace(ROW, seed="5", cell=cell.name), ROW], []).splitlines()
    told, _, never = next(line for line in lines if line.startswith("- Stacks: ")).partition("; not drawn yet: ")
    assert told == f"- Stacks: {cell.guest.stack} 1"
    assert set(never.split(", ")) == set(get_args(Stack)) - {cell.guest.stack}


def test_the_page_has_what_the_tables_have() -> None:
    text = page.PAGE.read_text("utf-8")
    _head, begin, drawn_part = text.partition(page.BEGIN)
    assert begin
    assert begin + drawn_part == page.made(record.rows(record.BOOTS), record.rows(record.CONTAINERS))
    assert not [row.seed for row in record.rows(record.CONTAINERS) if row.verdict == "differ"]
