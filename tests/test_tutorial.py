"""The first tutorial, as a new user follows it: its own commands, in their order, in a folder with nothing but the image."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from guestbuild.samples import cached

PAGE = (Path(__file__).parents[1] / "docs/tutorial.md").read_text("utf-8")
SAMPLE = "rhel9-vsphere"
ELSEWHERE = ("--fix ", " undo ", " prove ")
"""What needs an appliance or a boot, which tests of those verbs try."""


def commands() -> list[str]:
    """Indented lines, and whole commands within the text."""
    shown = re.findall(r"^    (v2vlint [^#\n]*)|`(v2vlint baseline [^`]*)`", PAGE, re.MULTILINE)
    return [found.strip() for pair in shown for found in pair if found]


@pytest.mark.slow
def test_the_commands_of_the_tutorial(tmp_path: Path) -> None:
    for folder in ("build/samples", "images"):
        (tmp_path / folder).mkdir(parents=True)
        shutil.copy(cached(SAMPLE)[0], tmp_path / folder / f"{SAMPLE}.qcow2")
    shutil.copy(cached(SAMPLE)[0], tmp_path / "build/web.qcow2")
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    asked = [command for command in commands() if not any(word in f"{command} " for word in ELSEWHERE)]
    asked.append("v2vlint check images --baseline v2vlint-baseline.json")
    assert len(asked) >= 6
    codes: dict[str, int] = {}
    for command in asked:
        done = subprocess.run(command, shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert "Traceback" not in done.stderr, done.stderr
        codes[command] = done.returncode
    assert {command: code for command, code in codes.items() if code != (0 if "baseline" in command else 1)} == {}
    assert (tmp_path / "v2vlint.sarif").is_file()
    assert (tmp_path / "v2vlint.xml").is_file()
