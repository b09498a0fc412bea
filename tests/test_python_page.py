"""The page on the Python API: its examples run, a fix in the appliance among them, so they have a module of their own."""

from __future__ import annotations

import doctest
import shutil
from pathlib import Path

import pytest

from guestbuild.samples import cached
from tests import readme

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.slow
@pytest.mark.xdist_group(readme.GUEST)
def test_the_python_examples_are_true(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(cached(readme.GUEST)[0], tmp_path / "web.qcow2")
    monkeypatch.chdir(tmp_path)
    told: list[str] = []
    examples = doctest.DocTestParser().get_doctest((ROOT / "docs/python.md").read_text("utf-8"), {}, "docs/python.md", None, 0)
    doctest.DocTestRunner().run(examples, out=told.append)
    assert "".join(told) == ""
