"""Formats by name: the shipped ones, and those of other distributions."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from tests.report.reports import empty
from v2vlint.cli import output
from v2vlint.model.entry_points import EntryPoint
from v2vlint.model.errors import UsageError
from v2vlint.report import registry


@pytest.fixture(autouse=True)
def _entries(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    module = ModuleType("a_report_of_others")
    module.render = lambda report: f"{len(report.images)} guests\n"  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    pairs = {"wiki": module.__name__, "broken": "absent_module", "json": module.__name__}
    entries = [EntryPoint(name, value) for name, value in pairs.items()]
    monkeypatch.setattr(registry, "entry_points", lambda group: entries if group == registry.GROUP else [])
    registry._added.cache_clear()
    yield
    registry._added.cache_clear()


def test_a_format_of_another_distribution_is_written(tmp_path: Path) -> None:
    output.save(empty(), output.destinations([f"wiki={tmp_path / 'a.txt'}"]))
    assert (tmp_path / "a.txt").read_text() == "0 guests\n"


def test_a_shipped_format_keeps_its_name() -> None:
    assert next(iter(registry.documents("json", empty()))).startswith("{")  # type: ignore[arg-type]


def test_a_format_that_cannot_be_imported_is_named() -> None:
    with pytest.raises(UsageError, match=r"report format 'broken' \(absent_module\) cannot be loaded"):
        list(registry.documents("broken", empty()))


def test_an_unknown_format_names_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        output.destinations([f"wikii={tmp_path / 'a'}"])
    assert "wiki" in caught.value.hint


def test_every_module_is_a_format_of_its_kind() -> None:
    for name in registry.FORMATS:
        assert callable(registry.renderer(name))
    binary = {name: module for name, module in registry.FILES.items() if name not in registry.FORMATS}
    assert binary == {"parquet": "v2vlint.report.files.parquet"}
    assert callable(importlib.import_module(binary["parquet"]).render)
