"""What a terminal sees: colours, progress, prompts, Ctrl-C."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.cli.conftest import BAD_FSTAB, MakeImage, Run
from tests.cli.test_settings import pack
from tests.disk.images import run
from v2vlint.cli import main
from v2vlint.model.errors import UsageError

_ANSI = re.compile(r"\x1b\[[0-9;]*m")
_SECONDS = re.compile(r"\d+\.\d s")


@pytest.fixture(scope="session")
def locked(tmp_path_factory: pytest.TempPathFactory, make_image: MakeImage) -> Path:
    """A folder with ``locked.img``, a whole disk encrypted with the passphrase ``sesame``, and the file ``key`` that holds it."""
    folder = tmp_path_factory.mktemp("locked")
    (folder / "key").write_text("sesame")
    make_image(folder / "open.img", {"/etc/fstab": BAD_FSTAB})
    encrypt = ["--object", "secret,id=s,file=key", "-o", "key-secret=s,iter-time=10"]
    run("qemu-img", "convert", "-q", "-O", "luks", *encrypt, "open.img", "locked.img", cwd=folder)
    return folder


def on_terminal(
    *arguments: str, cwd: Path, env: Mapping[str, str] | None = None, act: Callable[[subprocess.Popen[bytes], int], None] | None = None
) -> tuple[int, str]:
    """Run with stdin, stdout and stderr on a terminal of 80 columns; the exit code and all that was shown."""
    master, slave = pty.openpty()
    environment = {"PATH": os.environ["PATH"], "TERM": "xterm", "COLUMNS": "80", **(env or {})}
    command = [sys.executable, "-m", "v2vlint", *arguments]
    # In a session of its own: /dev/tty would be the terminal that the suite was started from, and the passphrase would be asked for there.
    process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, cwd=cwd, env=environment, start_new_session=True)
    os.close(slave)
    shown = bytearray()
    if act:
        act(process, master)
    while True:
        try:
            data = os.read(master, 65536)
        except OSError:
            break
        if not data:
            break
        shown += data
    os.close(master)
    return process.wait(timeout=60), shown.decode()


def test_the_structure_is_the_same_with_and_without_colours(v2vlint: Run, images: Path) -> None:
    arguments = ("--select", "fstab-device-name", "--no-progress", "bad.qcow2")
    code, shown = on_terminal(*arguments, cwd=images)
    piped = v2vlint(*arguments, cwd=images)
    assert code == piped.returncode == 1
    assert "\x1b[1;31merror" in shown
    plain = [line.rstrip() for line in _ANSI.sub("", shown).replace("\r\n", "\n").splitlines()]
    assert [_SECONDS.sub("", line) for line in plain] == [_SECONDS.sub("", line) for line in piped.stdout.splitlines()]


def test_no_color_and_dumb_terminals_get_none(images: Path) -> None:
    arguments = ("--select", "fstab-device-name", "--no-progress", "bad.qcow2")
    for env in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        assert "\x1b" not in on_terminal(*arguments, cwd=images, env=env)[1]
    assert "\x1b" not in on_terminal(*arguments, "--color", "never", cwd=images)[1]


def test_colours_can_be_forced_into_a_pipe(v2vlint: Run, images: Path) -> None:
    arguments = ("--select", "fstab-device-name", "bad.qcow2")
    assert "\x1b[" in v2vlint(*arguments, "--color", "always", cwd=images).stdout
    assert "\x1b[" in v2vlint(*arguments, cwd=images, env={"FORCE_COLOR": "1"}).stdout
    assert "\x1b" not in v2vlint(*arguments, cwd=images).stdout


def test_progress_is_drawn_and_wiped(images: Path) -> None:
    _code, shown = on_terminal("--select", "fstab-device-name", "bad.qcow2", "good.qcow2", cwd=images)
    assert re.search(r"\r\x1b\[K[|/\\-] \[[#.]+\] \d/2 · (bad|good)\.qcow2 · \d+ s", shown)
    assert "\r\x1b[K──" in shown.replace("\x1b[90m", "")


def test_no_progress_in_a_pipe(v2vlint: Run, images: Path) -> None:
    assert v2vlint("--select", "fstab-device-name", "bad.qcow2", cwd=images, env={"FORCE_COLOR": "1"}).stderr == ""


def _wait_for_the_rule(folder: Path) -> None:
    """A confined child cannot leave a note, but it can read: it is there when the pipe has a reader."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            os.close(os.open(folder / "pipe", os.O_WRONLY | os.O_NONBLOCK))
            return
        time.sleep(0.05)


def _sleeping_pack(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    pack(folder, f"open({str(folder / 'pipe')!r}).read(); time.sleep(60)")


def test_ctrl_c_ends_quickly_with_130(images: Path, tmp_path: Path) -> None:
    _sleeping_pack(tmp_path)

    def interrupt(process: subprocess.Popen[bytes], _master: int) -> None:
        _wait_for_the_rule(tmp_path)
        process.send_signal(signal.SIGINT)

    started = time.monotonic()
    code, shown = on_terminal("--select", "acme-rule", "good.qcow2", cwd=images, env={"PYTHONPATH": str(tmp_path)}, act=interrupt)
    assert code == 130
    assert "v2vlint: interrupted" in shown
    assert "Traceback" not in shown
    assert time.monotonic() - started < 50


def test_sigterm_ends_the_children_too(images: Path, tmp_path: Path) -> None:
    _sleeping_pack(tmp_path)
    children: list[str] = []

    def terminate(process: subprocess.Popen[bytes], _master: int) -> None:
        _wait_for_the_rule(tmp_path)
        children.extend(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split())
        process.send_signal(signal.SIGTERM)

    assert on_terminal("--select", "acme-rule", "good.qcow2", cwd=images, env={"PYTHONPATH": str(tmp_path)}, act=terminate)[0] == 130
    assert children
    assert not any(Path(f"/proc/{child}/exe").exists() for child in children)


def _typing(secret: str) -> Callable[[subprocess.Popen[bytes], int], None]:
    def act(_process: subprocess.Popen[bytes], master: int) -> None:
        seen = b""
        while b"passphrase for disk1" not in seen:
            seen += os.read(master, 65536)
        os.write(master, secret.encode() + b"\n")

    return act


def test_a_passphrase_is_asked_for_and_never_shown(locked: Path) -> None:
    arguments = ("--select", "fstab-device-name", "locked.img")
    code, shown = on_terminal(*arguments, cwd=locked, act=_typing("sesame"))
    assert code == 1
    assert "fstab-device-name" in shown
    assert "sesame" not in shown


def test_an_empty_passphrase_leaves_it_closed(locked: Path) -> None:
    code, shown = on_terminal("--select", "fstab-device-name", "locked.img", cwd=locked, act=_typing(""))
    assert code == 3
    assert "encrypted (crypto_LUKS), and no key was given" in shown


def test_keys_come_from_files_and_the_environment(v2vlint: Run, locked: Path) -> None:
    arguments = ("--select", "fstab-device-name", "-q", "locked.img")
    (locked / "line").write_text("sesame\n")
    (locked / "wrong").write_text("open up")
    assert v2vlint(*arguments, cwd=locked, env={"V2VLINT_KEY": "sesame"}).returncode == 1
    for key in ("key", "line", "disk1=key"):
        assert v2vlint(*arguments, "--key-file", key, cwd=locked).returncode == 1
    for key in ("wrong", "disk2=key"):
        done = v2vlint(*arguments, "--key-file", key, cwd=locked)
        assert done.returncode == 3
        assert "encrypted (crypto_LUKS), and no key" in done.stdout


def test_an_interrupt_in_compiled_text_is_one_like_any_other(tmp_path: Path) -> None:
    """CPython remembers a KeyboardInterrupt that left exec(), and ends ``python -m`` by SIGINT although it was caught."""
    lines = ("import sys", "from v2vlint.cli import main", "main._run = lambda arguments: exec('raise KeyboardInterrupt')")
    (tmp_path / "entry.py").write_text("\n".join((*lines, "sys.argv[1:] = ['check']", "sys.exit(main.main())", "")))
    done = subprocess.run([sys.executable, "-m", "entry"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (130, "v2vlint: interrupted\n")


@pytest.mark.parametrize(
    ("error", "said"),
    [(KeyError("not registered"), []), (UsageError("undo is left", hint="run undo"), ["v2vlint: undo is left", "  hint: run undo"])],
)
def test_an_error_on_the_way_out_of_an_interrupt_is_an_interrupt(
    error: Exception, said: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(_arguments: list[str]) -> int:
        try:
            raise KeyboardInterrupt
        finally:
            raise error

    monkeypatch.setattr(main, "_run", run)
    monkeypatch.setattr(signal, "signal", lambda *_handler: None)
    assert main.main(["check"]) == 130
    assert capsys.readouterr().err.splitlines() == [*said, "v2vlint: interrupted"]


def test_a_full_disk_is_no_bug_of_ours(images: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "v2vlint", "check", "bad.img"], cwd=images, stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 3
    assert "no space left on device" in done.stderr
    assert "bug" not in done.stderr
