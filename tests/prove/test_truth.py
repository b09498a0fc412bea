"""Forecast and boot agree on real guests: a few cells in CI, the whole table by ``make truth``."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.prove import truth
from tests.prove.truth import CELLS, FAST, PAGE, Cell


@pytest.mark.slow
@pytest.mark.xdist_group("boots")
@pytest.mark.parametrize("cell", FAST, ids=lambda cell: cell.name)
def test_forecast_and_boot_agree(cell: Cell, tmp_path: Path) -> None:
    one = truth.outcome(cell, tmp_path, again=True)
    assert one.boot.came_up is not None, one.boot.reason
    assert one.boot.came_up == one.forecast.will_boot, (one.boot, one.forecast)
    assert one.same_place, (one.boot.stage, one.predicted_stop)


@pytest.mark.truth
def test_the_whole_table(capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        outcomes = truth.run()
    PAGE.write_text(truth.page(outcomes))
    assert [one.cell.name for one in outcomes if not one.agrees] == []


def test_the_recorded_table_has_every_guest() -> None:
    recorded = PAGE.read_text()
    assert [cell.name for cell in CELLS if f"| {cell.spec.name} |" not in recorded] == []
