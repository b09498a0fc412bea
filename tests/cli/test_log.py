"""``-v``, ``--log-file``, ``--color`` of ``fix``, and programs that this user may not run."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from v2vlint import isolate
from v2vlint.confine import forks
from v2vlint.isolate import Call
from v2vlint.model.errors import UsageError

_SELECT = ("--select", "fstab-device-name", "--no-config")


def test_verbose_tells_what_was_used_and_what_became_of_each_rule(v2vlint: Run, images: Path, tmp_path: Path) -> None:
    log = tmp_path / "run.log"
    done = v2vlint("-v", "--log-file", str(log), *_SELECT, "bad.qcow2", cwd=images)
    assert done.returncode == 1
    assert "configuration: none" in done.stderr
    assert "targets: kvm; mover: raw; profile: default" in done.stderr
    assert f"bad.qcow2: read {images}/bad.qcow2 (" in done.stderr
    assert "kvm: fstab-device-name: fail, 1 finding" in done.stderr
    assert [line.partition(" ")[2] for line in log.read_text().splitlines()] == done.stderr.splitlines()
    v2vlint("--log-file", str(log), *_SELECT, "bad.qcow2", cwd=images)
    assert len(log.read_text().splitlines()) > len(done.stderr.splitlines())


def test_a_log_that_cannot_be_written_is_a_mistake_of_usage(v2vlint: Run, images: Path) -> None:
    done = v2vlint("--log-file", "no/such/folder/log", *_SELECT, "bad.qcow2", cwd=images)
    assert done.returncode == 2
    assert "--log-file no/such/folder/log: no such file or directory" in done.stderr


def test_a_diff_in_colour_is_the_same_diff(v2vlint: Run, images: Path) -> None:
    plain, coloured = (
        v2vlint("fix", "--diff", "--color", choice, *_SELECT, "bad.qcow2", cwd=images).stdout for choice in ("never", "always")
    )
    assert "\x1b" not in plain
    assert "\x1b[32m+" in coloured
    assert "\x1b[31m-" in coloured


def test_a_tool_that_this_user_may_not_run_is_named(v2vlint: Run, images: Path, tmp_path: Path) -> None:
    for content, mode, said in (
        ("", 0o600, "may not be run by this user"),
        ("#!/no/such/interpreter\n", 0o700, "cannot be started: no such"),
    ):
        folder = tmp_path / said[:3]
        folder.mkdir()
        (folder / "qemu-img").write_text(content)
        (folder / "qemu-img").chmod(mode)
        shutil.copy(images / "bad.qcow2", folder)
        done = v2vlint("fix", "-o", "new.qcow2", *_SELECT, "bad.qcow2", cwd=folder, env={"PATH": str(folder)})
        assert done.returncode == 2
        assert f"v2vlint: {folder}/qemu-img {said}" in done.stderr
        assert "bug" not in done.stderr


def test_an_interpreter_that_this_user_may_not_run_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    interpreter = tmp_path / "python"
    interpreter.write_bytes(Path(sys.executable).read_bytes()[:64])
    interpreter.chmod(0o600)
    forks.end()  # the server of an earlier test would need no interpreter
    monkeypatch.setattr(sys, "executable", str(interpreter))
    with pytest.raises(UsageError, match=f"{interpreter} cannot be started: permission denied"):
        isolate.run(Call("v2vlint.engine.child:judge", {}))


def test_less_gets_plain_text(images: Path) -> None:
    words = [sys.executable, "-m", "v2vlint", *_SELECT, "bad.qcow2"]
    piped = subprocess.run(words, cwd=images, capture_output=True, text=True, check=False)
    assert "\x1b" not in piped.stdout
    assert piped.stderr == ""
