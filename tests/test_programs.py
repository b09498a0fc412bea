"""Programs that tests start end with the test."""

from __future__ import annotations

import contextlib
import subprocess

import pytest

from tests.programs import running


def test_a_program_ends_when_the_test_that_started_it_fails() -> None:
    programs = contextlib.ExitStack()
    process = programs.enter_context(running(("sleep", "60")))
    programs.__exit__(AssertionError, AssertionError(), None)
    assert process.returncode == -15


def test_one_that_ignores_sigterm_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.programs.PATIENCE", 0.2)
    with running(("sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1; done"), stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
    assert process.returncode == -9
