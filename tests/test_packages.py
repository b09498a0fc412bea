"""What ``make sample`` and ``make test`` install: the first verdict asks for little."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
NEEDED = {"dosfstools", "fdisk", "kmod", "make", "mtools", "python3-venv", "qemu-utils", "xfsprogs"}


@pytest.fixture
def bare(tmp_path: Path) -> dict[str, str]:
    """The environment of an ordinary user without sudo, on a machine where dpkg knows no package."""
    for name, text in (("dpkg-query", "exit 1"), ("id", "echo 1000"), ("sudo", "exit 1")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    return {"PATH": f"{tmp_path}:/usr/bin:/bin"}


def missing(environment: dict[str, str], *part: str) -> set[str]:
    """The packages that ``.ci/packages`` would install."""
    done = subprocess.run([ROOT / ".ci" / "packages", *part], env=environment, capture_output=True, text=True, check=True)
    return set(done.stderr.strip().removeprefix("not installed, and no right to install:").split())


def test_the_sample_needs_a_handful_and_the_tests_need_all(bare: dict[str, str]) -> None:
    sample, everything = missing(bare, "sample"), missing(bare)
    assert sample >= NEEDED
    assert len(sample) <= 12
    assert {"chromium", "fish", "libvirt-daemon", "qemu-system-x86"} <= everything - sample
    assert sample < everything
