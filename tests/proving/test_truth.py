"""Forecast and boot agree on real guests: a few cells in CI, the whole table by ``make truth``."""

from __future__ import annotations

from pathlib import Path

import pytest

from guestbuild.debian import Spec, build
from tests.proving import truth
from tests.proving.truth import CELLS, FAST, PAGE, Cell
from tests.truth import page as drawn
from v2vlint import target
from v2vlint.model.proof import Reached
from v2vlint.model.source import GuestRef
from v2vlint.proving import Wish, prove


@pytest.mark.slow
@pytest.mark.xdist_group("boots")
@pytest.mark.parametrize("cell", FAST, ids=lambda cell: cell.name)
def test_forecast_and_boot_agree(cell: Cell, tmp_path: Path) -> None:
    one = truth.outcome(cell, tmp_path, again=True)
    assert one.boot.came_up is not None, one.boot.reason
    assert one.boot.came_up == one.forecast.will_boot, (one.boot, one.forecast)
    assert one.same_place, (one.boot.stage, one.predicted_stop)


@pytest.mark.slow
@pytest.mark.xdist_group("boots")
def test_a_kernel_started_directly_gets_as_far(tmp_path: Path) -> None:
    image = build(Spec())
    guest = GuestRef(image.name, "disks", (str(image),))
    proof = prove(guest, target.load("kvm"), Wish(via="kernel", artifacts=tmp_path))
    assert proof.came_up, proof.reason
    assert proof.unchanged
    reached = {milestone.name: milestone.reached for milestone in proof.milestones}
    assert (reached["firmware"], reached["loader"]) == (Reached.SKIPPED, Reached.SKIPPED)
    assert (reached["root mounted"], reached["network"]) == (Reached.SEEN, Reached.SEEN)
    assert "console=ttyS0,115200" in (tmp_path / "qemu.txt").read_text()


@pytest.mark.truth
def test_the_whole_table(capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        outcomes = truth.run()
    PAGE.write_text(truth.page(outcomes))
    drawn.write()
    assert [one.cell.name for one in outcomes if not one.agrees] == []
    assert len(outcomes) == len(CELLS)


def test_the_recorded_table_is_whole() -> None:
    page = PAGE.read_text()
    table = page.partition("## Disagreements")[0]
    recorded = [line.split("|")[1].strip() for line in table.splitlines() if line.startswith("| ") and "guest" not in line]
    assert recorded == list(dict.fromkeys(cell.spec.name for cell in CELLS))
    assert f"- Cells: {len(CELLS)}; forecast and boot agree in {len(CELLS)}, disagree in 0" in page
