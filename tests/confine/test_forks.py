"""Children of the fork server: nothing of one reaches another, and none outlives its parent."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.programs import running
from v2vlint.confine import forks
from v2vlint.isolate import Answer, Call, Death, Limits, run, run_all

EVAL = "builtins:eval"
DESCRIPTORS = "[fd for fd in range(300) if __import__('os').path.lexists('/proc/self/fd/%d' % fd)]"


def test_a_child_has_its_pipes_and_no_other_descriptor() -> None:
    """3 is the pipe of its answer, 4 the socket to its parent. The way to the server is closed."""
    assert run(Call(EVAL, DESCRIPTORS)) == Answer([0, 1, 2, 3, 4])


@pytest.mark.parametrize("slow", [False, True])
def test_a_server_whose_parent_does_not_read_its_answer_ends_in_silence(slow: bool) -> None:
    """An interrupt takes the parent between a question and its answer: before it was given, or after."""
    parent, server = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    script = f"import os, sys, time; from v2vlint.confine import forks; print(flush=True); time.sleep({slow}); " \
        f"forks.serve({server.fileno()}, lambda _: os._exit(0))"  # fmt: skip
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with running((sys.executable, "-c", script), pass_fds=(server.fileno(),), **pipes) as process, Path(os.devnull).open() as null:
        server.close()
        assert process.stdout
        process.stdout.readline()
        socket.send_fds(parent, [b'{"do": "fork", "module": "json", "number": 1}'], [null.fileno()] * 4)
        if not slow:
            select.select((parent,), (), (), 60)
        parent.close()
        assert process.communicate(timeout=60) == (b"", b"")
    assert process.returncode == 0


def test_nothing_of_one_child_is_in_the_next() -> None:
    mark = "setattr(__import__('json'), 'mark', 1) or __import__('os').environ.update(MARK='1')"
    assert run(Call(EVAL, mark)) == Answer(None)
    left = "[hasattr(__import__('json'), 'mark'), 'MARK' in __import__('os').environ]"
    assert run(Call(EVAL, left)) == Answer([False, False])


def test_the_request_of_a_guest_never_reaches_the_server() -> None:
    """What a child can read of its ancestor's memory image, its own copy, has none of an earlier request."""
    word = "needle"
    run(Call(EVAL, f"'{word * 50}' and 1"))
    found = "sum(('needle' * 49) in text for text in __import__('gc').get_objects() if isinstance(text, str))"
    assert run(Call(EVAL, found)) == Answer(0)


def test_the_server_is_told_the_path_and_environment_as_they_are_now(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "added_later.py").write_text("def answer(_request): return 42")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("TZ", "Antarctica/Troll")
    assert run(Call("added_later:answer", None)) == Answer(42)
    assert run(Call(EVAL, "__import__('os').environ['TZ']")) == Answer("Antarctica/Troll")


def test_a_lost_server_costs_what_it_ran_and_the_next_call_gets_another() -> None:
    calls = [Call(EVAL, "__import__('time').sleep(60)"), Call(EVAL, "7")]

    def kill_once(running: frozenset[int]) -> None:
        if 0 in running and forks._server is not None:
            forks._server._process.kill()

    outcomes = dict(run_all(calls[:1], Limits(wall=30), tick=kill_once))
    assert outcomes == {0: Death("the reader process was killed by SIGKILL", "the system may be out of memory")}
    assert run(calls[1]) == Answer(7)


def test_a_parent_that_is_killed_leaves_nothing_behind(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    sleeper = f"open({str(note)!r}, 'w').write(str(__import__('os').getpid())) and __import__('time').sleep(600)"
    script = (
        "from v2vlint.isolate import Call, run; from v2vlint.confine import Grant\n"
        f"run(Call({EVAL!r}, {sleeper!r}, Grant(write=({str(tmp_path)!r},))))"
    )
    parent = subprocess.Popen([sys.executable, "-c", script])
    deadline = time.monotonic() + 120
    while not (note.exists() and note.read_text()) and time.monotonic() < deadline:
        time.sleep(0.02)
    child = int(note.read_text())
    server = int(Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[1])
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert _gone(child)
    assert _gone(server)


def test_a_process_that_was_forked_from_its_user_has_a_server_of_its_own() -> None:
    assert run(Call(EVAL, "1")) == Answer(1)
    server = forks._server
    pid = os.fork()
    if not pid:
        answered = run(Call(EVAL, "2")) == Answer(2) and forks._server is not server
        forks.end()
        os._exit(0 if answered else 1)
    assert os.waitpid(pid, 0)[1] == 0
    assert run(Call(EVAL, "3")) == Answer(3)
    assert forks._server is server


def test_many_children_are_forked_from_one_server_and_each_has_its_own_number() -> None:
    pids = [value.value for _at, value in run_all([Call(EVAL, "__import__('os').getpid()")] * 20, parallel=4) if isinstance(value, Answer)]
    assert len(set(pids)) == 20


def test_what_is_expected_is_prepared_before_the_first_child() -> None:
    forks.end()
    rules = Call(EVAL, "sum(name.startswith('v2vlint_checks.') for name in __import__('sys').modules)")
    assert run(rules) == Answer(0)
    forks.expect("v2vlint.engine.worker", forks.MANY - 1)
    assert run(rules) == Answer(0)
    forks.expect("v2vlint.engine.worker", forks.MANY)
    prepared = run(rules)
    assert isinstance(prepared, Answer)
    assert prepared.value > 200
    forks.end()


def _gone(pid: int) -> bool:
    for _attempt in range(600):
        if not Path(f"/proc/{pid}").exists() or Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
            return True
        time.sleep(0.05)
    return False
