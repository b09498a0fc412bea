"""Children with limits: every way they can end is an outcome with its reason."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from v2vlint.confine import Grant
from v2vlint.isolate import Answer, Call, Death, Limits, Refusal, run, run_all, size

EVAL = "builtins:eval"


def _death(call: Call, limits: Limits) -> Death:
    outcome = run(call, limits)
    assert isinstance(outcome, Death)
    return outcome


def test_an_answer_comes_back() -> None:
    assert run(Call("operator:neg", 3)) == Answer(-3)


def test_text_that_is_no_unicode_survives_both_ways() -> None:
    assert run(Call("builtins:repr", "\udcff\x00")) == Answer("'\\udcff\\x00'")
    assert run(Call(EVAL, "'\\udcff'")) == Answer("\udcff")


def test_a_large_request_and_a_large_answer_do_not_block_each_other() -> None:
    text = "x" * (3 << 20)
    assert run(Call("builtins:str", text)) == Answer(text)


def test_what_is_printed_does_not_spoil_the_answer() -> None:
    assert run(Call(EVAL, "print('noise') or 1")) == Answer(1)


def test_an_error_of_ours_is_a_refusal_with_its_hint() -> None:
    outcome = run(Call("v2vlint.target:load", "kwm"))
    assert isinstance(outcome, Refusal)
    assert (outcome.kind, outcome.message) == ("UsageError", "unknown target 'kwm'")
    assert outcome.hint.startswith("did you mean kvm?")


@pytest.mark.parametrize(
    ("expression", "limits", "reason", "hint"),
    [
        ("bytearray(4 << 30)", Limits(memory=512 << 20), "needs more than 512 MiB of memory", "raise --memory-limit"),
        ("sum(range(10**12))", Limits(cpu=1), "stopped after 1 s of processor time", "raise --cpu-limit"),
        ("__import__('time').sleep(60)", Limits(wall=0.7), "stopped after 0.7 s on the clock", "raise --time-limit"),
        ("'x' * (4 << 20)", Limits(answer=1 << 20), "its answer is larger than 1 MiB", ""),
        ("__import__('signal').raise_signal(11)", Limits(), "the reader process was killed by SIGSEGV", ""),
        ("__import__('signal').raise_signal(9)", Limits(), "the reader process was killed by SIGKILL", "the system may be out of memory"),
        ("__import__('os')._exit(3)", Limits(), "the reader process gave no valid answer: exit status 3", ""),
    ],
)
def test_a_child_that_dies_is_an_outcome(expression: str, limits: Limits, reason: str, hint: str) -> None:
    assert _death(Call(EVAL, expression), limits) == Death(reason, hint)


def test_a_crash_names_exception_and_place() -> None:
    death = _death(Call(EVAL, "1 / 0"), Limits())
    assert death.reason.startswith("the reader failed: ZeroDivisionError: division by zero (")


def test_an_answer_that_is_no_json_data_is_a_death() -> None:
    assert _death(Call(EVAL, "object()"), Limits()).reason.endswith("Object of type object is not JSON serializable")


@pytest.mark.parametrize(
    "text", ["'[' * 5_000_000", "'[' * 90_000 + ']' * 90_000", "'NaN'", "'{\"value\": ' + '9' * 5000 + '}'", "'[]'", "'7'"]
)
def test_an_answer_that_is_no_proper_json_is_a_death_and_not_the_end_of_the_parent(text: str) -> None:
    """A stand-in that was taken over writes to the pipe of the answer itself: descriptor 3 is the first that it opened."""
    forged = (
        f"[__import__('os').write(3, ({text}).encode()[i:i + 60_000]) for i in range(0, len({text}), 60_000)] and __import__('os')._exit(0)"
    )
    assert _death(Call(EVAL, forged), Limits()).reason.startswith("the reader process gave no valid answer")


def test_endless_recursion_is_a_crash_not_the_end_of_the_parent() -> None:
    assert "RecursionError" in _death(Call(EVAL, "(lambda f: f(f))(lambda f: f(f))"), Limits()).reason


def test_limits_are_really_set_and_no_core_is_written() -> None:
    kinds = "[__import__('resource').getrlimit(getattr(__import__('resource'), 'RLIMIT_' + n))[0] for n in ('AS', 'CPU', 'CORE')]"
    assert run(Call(EVAL, kinds), Limits(memory=1 << 30, cpu=77)) == Answer([1 << 30, 77, 0])


def test_secrets_are_neither_in_arguments_nor_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("V2VLINT_KEY", "hunter2")
    monkeypatch.setenv("CI_TOKEN", "hunter2")
    seen = run(Call(EVAL, "repr(__import__('sys').orig_argv) + repr(dict(__import__('os').environ))  # hunter2"))
    assert isinstance(seen, Answer)
    assert "hunter2" not in seen.value


def test_calls_run_side_by_side_and_are_told_apart() -> None:
    seen: set[frozenset[int]] = set()
    calls = [Call(EVAL, f"__import__('time').sleep(0.5) or {number}") for number in range(3)]
    outcomes = dict(run_all(calls, parallel=2, tick=seen.add))
    assert outcomes == {0: Answer(0), 1: Answer(1), 2: Answer(2)}
    assert frozenset({0, 1}) in seen
    assert max(map(len, seen)) == 2


def test_leaving_the_iteration_kills_what_still_runs(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    sleeper = f"open({str(note)!r}, 'w').write(str(__import__('os').getpid())) and __import__('time').sleep(600)"
    outcomes = run_all([Call(EVAL, sleeper, Grant(write=(str(tmp_path),))), Call(EVAL, _wait_for(note))], parallel=2)
    assert next(outcomes) == (1, Answer(True))
    outcomes.close()  # type: ignore[attr-defined]
    assert _gone(int(note.read_text()))


def _wait_for(path: Path) -> str:
    found = f"__import__('pathlib').Path({str(path)!r})"
    return f"any({found}.exists() and {found}.stat().st_size or __import__('time').sleep(0.05) for _ in range(1200))"


def test_ctrl_c_kills_the_children(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    sleeper = f"open({str(note)!r}, 'w').write(str(__import__('os').getpid())) and __import__('time').sleep(600)"
    imports = "from v2vlint.isolate import Call, run; from v2vlint.confine import Grant"
    script = f"{imports}; run(Call({EVAL!r}, {sleeper!r}, Grant(write=({str(tmp_path)!r},))))"
    parent = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.PIPE)
    deadline = time.monotonic() + 120
    while not (note.exists() and note.read_text()) and time.monotonic() < deadline:
        time.sleep(0.05)
    parent.send_signal(signal.SIGINT)
    _out, complaint = parent.communicate(timeout=60)
    assert b"KeyboardInterrupt" in complaint
    assert _gone(int(note.read_text()))


def _gone(pid: int) -> bool:
    for _attempt in range(600):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        if Path(f"/proc/{pid}/stat").read_text().split(")")[1].split()[0] == "Z":
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize(("count", "words"), [(2 << 30, "2 GiB"), (1536 << 20, "1.5 GiB"), (64 << 10, "64 KiB"), (12, "12 bytes")])
def test_sizes_in_words(count: int, words: str) -> None:
    assert size(count) == words
