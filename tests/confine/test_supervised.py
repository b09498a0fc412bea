"""Without a filter of system calls a child can start processes, also as root: none of them outlives the call, whatever session it is in."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from v2vlint.confine import Bounds, Grant, lack, tools
from v2vlint.isolate import Answer, Call, Death, Limits, run

# A grandchild in a session of its own, and a child of that one: both close what they inherited.
_STRAY = """(lambda os, time: os.fork() or (os.setsid(), os.fork() or os.setsid(), os.closerange(0, 64),
    open({mark!r} + str(os.getpid()), 'w'), time.sleep(97.5), os._exit(0)))(__import__('os'), __import__('time'))"""


@pytest.fixture(autouse=True)
def lacking() -> Iterator[None]:
    if os.geteuid():
        pytest.skip("others than root start nothing: RLIMIT_NPROC")
    lack.PRETENDED.update(("seccomp", "landlock"))
    yield
    lack.PRETENDED.clear()


def _strays(folder: Path) -> list[Path]:
    """The processes that left a mark and still run."""
    return [path for path in folder.iterdir() if Path("/proc", path.name.removeprefix("mark")).exists()]


def _call(folder: Path, then: str) -> Call:
    script = f"[({_STRAY.format(mark=f'{folder}/mark')} and __import__('time').sleep(0.6)), {then}][1]"
    return Call("builtins:eval", script, Grant(write=(str(folder),)))


@pytest.mark.parametrize(
    ("then", "limits", "ended"),
    [
        ("7", Limits(), Answer(7)),
        ("__import__('os').kill(__import__('os').getpid(), 11)", Limits(), Death("the reader process was killed by SIGSEGV")),
        ("__import__('time').sleep(60)", Limits(wall=3.0), Death("stopped after 3 s on the clock", "raise --time-limit")),
        ("[0 for _ in iter(int, 1)]", Limits(cpu=1), Death("stopped after 1 s of processor time", "raise --cpu-limit")),
    ],
)
def test_no_grandchild_of_a_reader_outlives_it(tmp_path: Path, then: str, limits: Limits, ended: object) -> None:
    assert run(_call(tmp_path, then), limits) == ended
    assert list(tmp_path.iterdir())
    assert _strays(tmp_path) == []


def test_no_grandchild_of_a_tool_outlives_it(tmp_path: Path) -> None:
    script = f"(setsid sh -c 'echo > {tmp_path}/mark$$; exec sleep 97.5' >/dev/null 2>&1 </dev/null &) ; sleep 0.5; echo done"
    done = tools.run(("sh", "-c", script), Grant(write=(str(tmp_path),)))
    assert (done.status, done.output) == (0, "done\n")
    assert list(tmp_path.iterdir())
    assert _strays(tmp_path) == []


def test_a_tool_has_its_own_status_and_limits(tmp_path: Path) -> None:
    assert tools.run(("sh", "-c", "exit 41"), Grant()).status == 41
    assert tools.run(("sh", "-c", "kill -6 $$"), Grant()).status == -6
    big = tools.run(("dd", "if=/dev/zero", f"of={tmp_path}/big", "bs=64K", "count=64"), Grant(), Bounds(file_size=1 << 20))
    assert big.status != 0
    with pytest.raises(tools.Stopped):
        tools.run(("sleep", "60"), Grant(), timeout=0.5)
    with pytest.raises(tools.NotInstalled):
        tools.run(("no-such-tool",), Grant())


def test_nothing_outlives_v2vlint_itself(tmp_path: Path) -> None:
    inner = f"(setsid sh -c 'echo > {tmp_path}/mark$$; exec sleep 97.5' >/dev/null 2>&1 </dev/null &) ; sleep 60"
    script = f"""
from v2vlint.confine import Grant, lack, tools
lack.PRETENDED.update(("seccomp", "landlock"))
tools.run(("sh", "-c", {inner!r}), Grant(write=({str(tmp_path)!r},)))
"""
    parent = subprocess.Popen([sys.executable, "-c", script])
    _until(lambda: bool(_strays(tmp_path)))
    parent.kill()
    parent.wait()
    _until(lambda: not _strays(tmp_path))
    assert _strays(tmp_path) == []


def _until(true: object) -> None:
    assert callable(true)
    for _attempt in range(1200):
        if true():
            return
        time.sleep(0.05)
