"""Report formats by name. Each is a module with ``render(report) -> str``, imported on demand.

Other distributions add formats for ``--report`` through the entry point group ``v2vlint.reports``: a name, and such a module.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from v2vlint.model.entry_points import entry_points
from v2vlint.model.errors import UsageError
from v2vlint.model.report import Report

FORMATS = {
    "text": "v2vlint.report.text",
    "json": "v2vlint.report.json_report",
    "sarif": "v2vlint.report.sarif",
    "junit": "v2vlint.report.junit",
    "github": "v2vlint.report.github",
    "gitlab": "v2vlint.report.gitlab",
    "markdown": "v2vlint.report.markdown",
    "html": "v2vlint.report.html",
    "estate": "v2vlint.report.estate",
    "csv": "v2vlint.report.csv_report",
    "jsonl": "v2vlint.report.jsonl",
}
FILES = {**FORMATS, "parquet": "v2vlint.report.parquet"}
"""The formats of ``--report``: those that stdout can have, and those that are no text."""


GROUP = "v2vlint.reports"


@cache
def _added() -> dict[str, str]:
    """Formats of other distributions, with their modules; a shipped format keeps its name."""
    return {entry.name: entry.module for entry in entry_points(GROUP) if entry.name not in FILES}


def check_name(name: str) -> None:
    """UsageError when there is no format ``name`` for ``--report``."""
    if name not in FILES and name not in _added():
        raise UsageError(f"unknown report format {name!r}", hint=f"one of {', '.join((*FILES, *_added()))}")


def _module(name: str) -> Any:
    """The module of a format. UsageError when it cannot be imported: it may belong to another distribution."""
    module = FILES.get(name) or _added()[name]
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise UsageError(f"report format {name!r} ({module}) cannot be loaded: {error}") from error


def renderer(name: str) -> Callable[[Report], str]:
    """The function that renders a report as ``name``. UsageError when there is no such format."""
    if name not in FORMATS:
        raise UsageError(f"unknown report format {name!r}", hint=f"one of {', '.join(FORMATS)}")
    render: Callable[[Report], str] = importlib.import_module(FORMATS[name]).render
    return render


def documents(name: str, report: Report) -> Iterator[str | bytes]:
    """The report as one or several files, for readers that limit the size of a file. UsageError when there is no such format."""
    check_name(name)
    module = _module(name)
    if hasattr(module, "documents"):
        yield from module.documents(report)
    else:
        yield module.render(report)
