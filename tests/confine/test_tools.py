"""Programs of the host on hostile files: they see what they were given, start nothing, and are gone when the call ends."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.confine.needs import needs_landlock, needs_seccomp
from v2vlint.confine import Bounds, Grant, tools

needs_qemu = pytest.mark.skipif(not shutil.which("qemu-img"), reason="qemu-img is not installed")


@needs_qemu
@needs_landlock
def test_qemu_img_creates_converts_and_maps_what_it_was_given(tmp_path: Path) -> None:
    image, copy = str(tmp_path / "a.qcow2"), str(tmp_path / "b.vmdk")
    here = Grant(write=(str(tmp_path),))
    steps = (
        ("qemu-img", "create", "-q", "-f", "qcow2", image, "4M"),
        ("qemu-io", "-f", "qcow2", "-c", "write -P 7 0 1M", image),
        ("qemu-img", "convert", "-f", "qcow2", "-O", "vmdk", image, copy),
        ("qemu-img", "compare", image, copy),
    )
    for step in steps:
        done = tools.run(step, here)
        assert (done.status, done.errors) == (0, ""), step
    assert Path(copy).stat().st_mode & 0o777 == 0o600
    assert '"data": true' in tools.run(("qemu-img", "map", "--output=json", image), Grant((image,))).output


@needs_qemu
@needs_landlock
@pytest.mark.parametrize("name", ["{other}", 'json:{{"driver":"file","filename":"{other}"}}', "file:{other}"])
def test_qemu_img_opens_nothing_else(tmp_path: Path, name: str) -> None:
    given, other = tmp_path / "given.img", tmp_path / "other.img"
    given.write_bytes(bytes(1 << 20))
    other.write_bytes(bytes(1 << 20))
    done = tools.run(("qemu-img", "info", name.format(other=other)), Grant((str(given),)))
    assert done.status != 0
    assert "Permission denied" in done.errors


@needs_qemu
@needs_landlock
def test_a_backing_file_outside_what_was_given_is_not_read(tmp_path: Path) -> None:
    folder, secret = tmp_path / "guest", tmp_path / "host.img"
    folder.mkdir()
    secret.write_bytes(b"secret" * 10_000)
    image = folder / "disk.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", secret, image], check=True)
    done = tools.run(("qemu-img", "convert", "-O", "raw", str(image), str(folder / "out")), Grant(write=(str(folder),)))
    assert done.status != 0
    assert not (folder / "out").exists() or b"secret" not in (folder / "out").read_bytes()


@needs_qemu
@needs_seccomp
def test_qemu_img_opens_no_connection() -> None:
    done = tools.run(("qemu-img", "info", "nbd://127.0.0.1:9/"), Grant())
    assert "not permitted" in done.errors


@needs_seccomp
def test_a_shell_starts_no_program() -> None:
    assert (
        "Cannot fork" in tools.run(("sh", "-c", "id; id"), Grant()).errors or os.path.realpath(shutil.which("sh") or "") != "/usr/bin/dash"
    )


@needs_landlock
def test_a_shell_executes_no_other_program() -> None:
    done = tools.run(("sh", "-c", "exec /usr/bin/env"), Grant())
    assert done.status == 126
    assert "ermission denied" in done.errors


def test_it_cannot_fill_the_disk(tmp_path: Path) -> None:
    big = tmp_path / "big"
    done = tools.run(("dd", "if=/dev/zero", f"of={big}", "bs=64K", "count=64"), Grant(write=(str(tmp_path),)), Bounds(file_size=1 << 20))
    assert done.status != 0
    assert big.stat().st_size <= 1 << 20


def test_it_is_stopped_in_time_and_its_group_is_gone(tmp_path: Path) -> None:
    started, seconds = time.monotonic(), _own(64)
    with pytest.raises(tools.Stopped, match="no end in time"):
        tools.run(("sleep", seconds), Grant(), timeout=0.4)
    assert time.monotonic() - started < 40
    assert not _runs(seconds)


def test_too_much_output_stops_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "MAX_OUTPUT", 1 << 20)
    with pytest.raises(tools.Stopped, match="output"):
        tools.run(("cat", "/dev/zero"), Grant(), timeout=20)


def test_a_program_of_the_current_folder_is_not_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "only-here").write_text("#!/bin/sh\n")
    (tmp_path / "only-here").chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f".::{os.environ['PATH']}")
    with pytest.raises(tools.NotInstalled):
        tools.run(("only-here",), Grant())


def test_secrets_of_the_environment_stay_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("V2VLINT_KEY", "hunter2")
    monkeypatch.setenv("LD_PRELOAD", "")
    assert "hunter2" not in tools.run(("env",), Grant()).output


def test_nothing_stays_open_in_the_parent() -> None:
    def opened() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    tools.run(["true"], Grant())
    before = opened()
    for _ in range(5):
        tools.run(["true"], Grant())
    assert opened() == before


def test_it_dies_with_its_parent(tmp_path: Path) -> None:
    seconds = _own(165)
    script = f"from v2vlint.confine import Grant, tools; tools.run(('sleep', '{seconds}'), Grant())"
    parent = subprocess.Popen([sys.executable, "-c", script])
    try:
        assert _until(lambda: _runs(seconds))
    finally:
        parent.kill()
        parent.wait()
    assert _until(lambda: not _runs(seconds))


def _own(seconds: int) -> str:
    """So many seconds for ``sleep``, as no other run of these tests on this machine writes them."""
    return f"{seconds}.{os.getpid()}"


def _runs(mark: str) -> bool:
    lines = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout.splitlines()
    return f"sleep {mark}" in lines


def _until(true: object) -> bool:
    assert callable(true)
    for _attempt in range(600):
        if true():
            return True
        time.sleep(0.05)
    return False
