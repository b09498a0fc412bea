"""``v2vlint fix`` with several guests: one that cannot be fixed is a problem in the report, and the others are fixed."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.disk.images import need
from v2vlint.cli.output import shell_word


def test_a_guest_in_use_does_not_keep_the_others_from_being_fixed(v2vlint: Run, images: Path, tmp_path: Path) -> None:
    need("qemu-img")
    for name in ("b", "c"):
        shutil.copy(images / "bad.qcow2", tmp_path / f"{name}.qcow2")
    handle = os.open(tmp_path / "b.qcow2", os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        done = v2vlint("fix", "b.qcow2", "c.qcow2", "--unsafe-fixes", "--report", "json=out.json")
    finally:
        os.close(handle)
    assert f"b.qcow2: not fixed: {tmp_path}/b.qcow2: another v2vlint is writing to it" in done.stdout
    assert [name for name in "bc" if (tmp_path / f"{name}.qcow2.v2vlint-undo").exists()] == ["c"]
    told = json.loads((tmp_path / "out.json").read_text())["images"]
    assert [bool(image["problems"]) for image in told] == [True, False]
    # The guest that was left alone has its finding, too.
    assert [bool(image["roots"]) for image in told] == [True, True]
    assert done.returncode == 1
    done = v2vlint("undo", "b.qcow2", "c.qcow2")
    assert [line.partition(":")[0] for line in done.stdout.splitlines()] == ["c.qcow2"]
    assert (done.returncode, done.stderr.splitlines()[0]) == (2, "v2vlint: b.qcow2: nothing to undo")
    assert {(tmp_path / f"{name}.qcow2").read_bytes() for name in "bc"} == {(images / "bad.qcow2").read_bytes()}


def test_alone_it_is_an_error(v2vlint: Run, images: Path, tmp_path: Path) -> None:
    shutil.copy(images / "bad.qcow2", tmp_path / "b.qcow2")
    handle = os.open(tmp_path / "b.qcow2", os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        done = v2vlint("fix", "b.qcow2")
    finally:
        os.close(handle)
    assert (done.returncode, done.stdout) == (3, "")


def test_settings_are_printed_and_nothing_is_fixed(v2vlint: Run, images: Path, tmp_path: Path) -> None:
    shutil.copy(images / "bad.qcow2", tmp_path / "b.qcow2")
    before = (tmp_path / "b.qcow2").read_bytes()
    done = v2vlint("--fix", "--unsafe-fixes", "--print-config", "b.qcow2")
    assert done.returncode == 0
    assert 'target = ["kvm"]' in done.stdout
    assert (tmp_path / "b.qcow2").read_bytes() == before


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (("--writer", "direct"), "--writer requires --fix"),
        (("--fix", "--journal", "j"), "--fix and --journal do not go together"),
        (("--fix", "--scheduler", "tcp://h:1"), "--fix and --scheduler do not go together"),
    ],
)
def test_an_option_without_effect_is_refused(v2vlint: Run, images: Path, options: tuple[str, ...], complaint: str) -> None:
    done = v2vlint(str(images / "bad.qcow2"), *options)
    assert (done.returncode, done.stdout, done.stderr.splitlines()[0]) == (2, "", f"v2vlint: {complaint}")


def test_a_name_is_told_as_a_shell_takes_it() -> None:
    for name in ("a.qcow2", "it's a\\b.qcow2", os.fsdecode(b"it's \xff\\ \n.qcow2"), "a\x85b\xa0\xadé\u202e\U000e0001\x7f.qcow2"):
        said = subprocess.run(["bash", "-c", f"printf %s {shell_word(name)}"], capture_output=True, check=True).stdout
        assert said == os.fsencode(name)
        assert shell_word(name).isprintable()
