"""Nothing is started or read because it lies in the current folder, which may be the image's."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from v2vlint import programs
from v2vlint.cli.main import main
from v2vlint.engine.config import confined, parse, read
from v2vlint.model.errors import UsageError

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def trap(tmp_path: Path) -> Path:
    """A folder whose files leave a mark when they are run; the mark is ``sprung`` in it."""
    mark = f"open({str(tmp_path / 'sprung')!r}, 'w')\n"
    for module in ("guestfs.py", "json.py", "argparse.py", "libvirt.py"):
        (tmp_path / module).write_text(mark)
    for program in ("qemu-img", "qemu-io", "qemu-system-x86_64", "virsh", "ntfs-3g", "cp"):
        (tmp_path / program).write_text(f"#!/bin/sh\n: > {tmp_path / 'sprung'}\n")
        (tmp_path / program).chmod(0o755)
    return tmp_path


@pytest.mark.parametrize("command", [("-m", "v2vlint"), (str(Path(sys.executable).with_name("v2vlint")),)])
@pytest.mark.parametrize("entry", ["", ".", "./"])
def test_doctor_runs_nothing_of_the_current_folder(
    trap: Path, command: tuple[str, ...], entry: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{entry}:/usr/local/bin:/usr/bin:/bin")
    monkeypatch.delenv("PYTHONPATH", raising=False)
    subprocess.run([sys.executable, *command, "doctor"], cwd=trap, check=False, capture_output=True)
    assert not (trap / "sprung").exists()


def test_relative_entries_are_taken_out_of_what_programs_inherit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIBGUESTFS_PATH", ".:/usr/lib/guestfs:")
    monkeypatch.setenv("LIBGUESTFS_HV", "./qemu")
    monkeypatch.setenv("HOME", "relative")
    found = programs.environment()
    assert found["LIBGUESTFS_PATH"] == "/usr/lib/guestfs"
    assert "LIBGUESTFS_HV" not in found
    assert found["HOME"] == "relative"


@pytest.mark.parametrize(
    "text",
    [
        "report = ['text=../escaped']",
        "report = ['json=ok.json', 'text=link/escaped']",
        "report = ['text=/tmp/escaped']",
        "report = ['text=dangling']",
        "baseline = '../known.json'",
        "target = '../profile.toml'",
        "target = ['kvm', '/etc/hostname.xml']",
        "allow-folder = '/'",
    ],
)
def test_a_configuration_that_was_found_names_no_file_elsewhere(tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "bundle"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path)
    (folder / "dangling").symlink_to(tmp_path / "not-there")
    monkeypatch.chdir(folder)
    config = read(_written(folder, text))
    with pytest.raises(UsageError, match=r"outside its folder|only in a configuration given") as caught:
        confined(config)
    assert caught.value.hint == f"if you trust it, pass --config {folder / 'v2vlint.toml'}"


def _written(folder: Path, text: str) -> Path:
    path = folder / "v2vlint.toml"
    path.write_text(text)
    return path


def test_a_configuration_that_was_found_may_name_its_own_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    text = "report = ['text=../out.txt', 'json=out.json']\nbaseline = 'known.json'\ntarget = ['kvm', 'targets/mine.toml']"
    assert confined(read(_written(tmp_path, text))).report == ("text=../out.txt", "json=out.json")
    assert confined(parse({"target": "lab.x", "targets": {"lab.x": {}}}, "v2vlint.toml", tmp_path)).target == ("lab.x",)


def test_a_report_that_a_found_configuration_sends_elsewhere_is_not_written(tmp_path: Path) -> None:
    bundle, victim = tmp_path / "bundle", tmp_path / "bashrc"
    bundle.mkdir()
    victim.write_text("mine")
    (bundle / "v2vlint.toml").write_text("report = ['text=../bashrc']")
    (bundle / "disk.raw").write_bytes(bytes(4096))
    run = [sys.executable, "-m", "v2vlint", "disk.raw"]
    assert subprocess.run(run, cwd=bundle, check=False, capture_output=True).returncode == 2
    assert victim.read_text() == "mine"
    named = subprocess.run([*run, "--config", "v2vlint.toml"], cwd=bundle, check=False, capture_output=True)
    assert named.returncode == 3
    assert victim.read_text() != "mine"


HOSTILE = [
    ("v2vlint.toml", "a = " + "[" * 20_000),
    ("v2vlint.toml", "a = " + "{a = " * 20_000),
    ("v2vlint.toml", "target = 'x'\n[targets.x" + ".a" * 20_000 + "]\nb = 1"),
    ("v2vlint.toml", "# " + "x" * (2 << 20)),
    ("v2vlint.toml", "cpu-limit = " + "9" * 30),
    ("v2vlint.toml", 'memory-limit = "' + "9" * 30 + 'TiB"'),
    ("pyproject.toml", "[tool.v2vlint]\na = " + "[" * 20_000),
    ("pyproject.toml", "# tool.v2vlint " + "x" * (2 << 20)),
    ("known.json", "[" * 100_000),
    ("known.json", '{"v2vlint_baseline": 1, "findings": [1e999]}'),
    ("mine.toml", "a = " + "[" * 20_000),
    ("mine.toml", "# " + "x" * (2 << 20)),
]


@pytest.mark.parametrize(("name", "text"), HOSTILE)
def test_a_file_that_came_with_images_is_refused_in_one_line(
    tmp_path: Path, name: str, text: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is read by v2vlint itself, which has no limits of its own."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_text(text)
    if name not in ("v2vlint.toml", "pyproject.toml"):
        key = "baseline" if name == "known.json" else "target"
        (tmp_path / "v2vlint.toml").write_text(f'{key} = "{name}"')
    (tmp_path / "disk.raw").write_bytes(bytes(4096))
    assert main(["check", "disk.raw"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("v2vlint: ")
    assert "a bug" not in said
    assert len(said) < 1000
