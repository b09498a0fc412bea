"""The unit graph, as Debian's own systemd sees it in a container."""

from __future__ import annotations

import pytest

from tests.facts.systemd.cells import BASIC, BASIC_TARGET, drawn, forecast, may_differ
from tests.facts.systemd.nspawn import Cell, available, reached, tree

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("nspawn")]


@pytest.fixture(scope="module", autouse=True)
def containers() -> None:
    if not available():
        pytest.skip("containers cannot be started here: systemd-nspawn as root and an overlay filesystem are needed")


def differs(cell: Cell) -> tuple[str, str] | None:
    """What was told and what was seen, where they differ.

    Of mounts that require each other systemd drops one, of its choice. A requirement that is masked or does not exist ends its walk
    through the other requirements of the same unit (transaction.c).
    These come in an order drawn anew at every boot, so what would stop the boot may be left out; of the default target, all is left out.
    """
    told, seen = forecast(cell), reached(cell)
    return None if told == seen or may_differ(cell, told, seen) else (told, seen)


def test_debians_basic_target_has_what_the_cells_have() -> None:
    lines = (tree() / BASIC_TARGET.lstrip("/")).read_text().splitlines()
    assert set(BASIC.splitlines()) - set(lines) == {"After=sysinit.target"}
    assert any(line.startswith("After=sysinit.target ") for line in lines)


@pytest.mark.parametrize("number", range(20))
def test_drawn_combinations(number: int) -> None:
    assert differs(drawn(number)) is None, drawn(number)


@pytest.mark.truth
@pytest.mark.parametrize("hundred", range(10))
def test_a_thousand_combinations(hundred: int) -> None:
    """Report all that differ, by number."""
    numbers = range(1000 + hundred * 100, 1100 + hundred * 100)
    wrong = {number: found for number in numbers if (found := differs(drawn(number)))}
    assert not wrong
