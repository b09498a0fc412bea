"""Ctrl-C at any line of the parent's side ends in KeyboardInterrupt, and what is called next is not mistaken for what was left."""

from __future__ import annotations

import linecache
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import pytest

from v2vlint.confine import forks, supervise
from v2vlint.isolate import Answer, Call, run, run_all

EVAL = "builtins:eval"
CALLS = [Call(EVAL, "[1] * 99999"), Call(EVAL, "2"), Call(EVAL, "__import__('time').sleep(0.05) or 3")]
_WATCHED = tuple(module.__file__ or "" for module in (sys.modules["v2vlint.isolate"], forks, supervise))


@contextmanager
def _traced(at_line: Callable[[str, int], None]) -> Iterator[None]:
    def local(frame: FrameType, event: str, _argument: Any) -> Any:
        if event == "line":
            at_line(frame.f_code.co_filename, frame.f_lineno)
        return local

    def calls(frame: FrameType, _event: str, _argument: Any) -> Any:
        return local if frame.f_code.co_filename in _WATCHED else None

    before = sys.gettrace()
    sys.settrace(calls)
    try:
        yield
    finally:
        sys.settrace(before)


def _lines() -> list[tuple[str, int]]:
    """How often each line runs; the second time of a line is another state than the first."""
    seen: list[tuple[str, int]] = []
    with _traced(lambda *line: seen.append(line)):
        list(run_all(CALLS, parallel=2))
    return seen


@pytest.mark.sweep
# What was half made when the interrupt came is closed when it is collected.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("time_of_line", [1, 2, 3])
def test_an_interrupt_at_any_line_is_an_interrupt(time_of_line: int) -> None:
    run(Call(EVAL, "0"))
    seen = _lines()
    # A real signal never comes between the end of a with statement's body and __exit__; a tracer's exception does.
    apart = [line for line in dict.fromkeys(seen) if not linecache.getline(*line).lstrip().startswith("with ")]
    wanted = [line for line in apart if seen.count(line) >= time_of_line]
    assert len(wanted) > 40
    for line in wanted:
        left = time_of_line

        def interrupt(*at: Any, line: tuple[str, int] = line) -> None:
            nonlocal left
            left -= at == line
            if at == line and left == 0:
                sys.settrace(None)
                raise KeyboardInterrupt

        started = time.monotonic()
        with _traced(interrupt):
            try:
                done = dict(run_all(CALLS, parallel=2))
            except KeyboardInterrupt:
                done = {}
        assert not done or left > 0, line
        assert run(Call(EVAL, "4 + 3")) == Answer(7), line
        assert time.monotonic() - started < 20, line
