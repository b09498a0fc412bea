"""The worked example of the documentation runs as it says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pytest_plugin.guests import portable, vsphere

EXAMPLE = Path(__file__).parents[2] / "sample-guests" / "pipeline"
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("pytest_plugin")]


def test_the_pipeline_in_pytest(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        f"--basetemp={tmp_path / 'base'}",
        f"--rootdir={EXAMPLE}",
        str(EXAMPLE),
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "11 passed" in done.stdout


@pytest.mark.parametrize(("image", "code"), [(portable, 0), (vsphere, 1)])
def test_the_gate_on_the_command_line(image: object, code: int, tmp_path: Path) -> None:
    assert callable(image)
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    command = [str(EXAMPLE / "gate.sh"), str(image()), str(tmp_path / "reports"), "kvm"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    assert sorted(path.name for path in (tmp_path / "reports").iterdir()) == ["v2vlint.html", "v2vlint.sarif", "v2vlint.xml"]


def test_the_page_shows_what_runs() -> None:
    page = (EXAMPLE.parents[1] / "docs" / "test-an-image.md").read_text()
    shown = [block.partition("```")[0] for block in page.split("```python\n")[1:]]
    sources = "\n".join(path.read_text() for path in sorted(EXAMPLE.glob("*.py")))
    assert len(shown) > 3
    for block in shown:
        assert block.strip() in sources
