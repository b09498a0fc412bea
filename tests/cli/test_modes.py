"""Who may read what v2vlint writes: reports as the umask says, what may hold a guest's content the user alone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from guestbuild.samples import cached
from pytest_v2vlint.cache import SharedCache


@pytest.fixture(params=[0o022, 0o077, 0o002])
def mask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def _modes(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mode & 0o777 for path in folder.rglob("*") if path.is_file()}


def test_reports_and_baselines_follow_the_umask_and_hold_no_secret(tmp_path: Path, mask: int) -> None:
    shutil.copy(cached("debian-portable")[0], tmp_path / "disk.qcow2")
    formats = ("text", "json", "sarif", "junit", "html", "markdown")
    reports = [word for name in formats for word in ("--report", f"{name}={tmp_path}/report.{name}")]
    for words in (("check", "-q", *reports), ("baseline", "-o", str(tmp_path / "baseline"))):
        command = [sys.executable, "-m", "v2vlint", *words, "--no-config", "disk.qcow2"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode in (0, 1), done.stderr
    (tmp_path / "disk.qcow2").unlink()
    assert _modes(tmp_path) == dict.fromkeys(("baseline", *(f"report.{name}" for name in formats)), 0o666 & ~mask)


def test_a_cache_is_the_users_alone(tmp_path: Path, mask: int) -> None:
    assert SharedCache(tmp_path / "cache").get("a guest", lambda: {"content": 1}) == {"content": 1}
    assert (tmp_path / "cache").stat().st_mode & 0o777 == 0o700
    assert {mode for name, mode in _modes(tmp_path).items() if not name.endswith(".lock")} == {0o600}
