"""Report formats by name: the modules in ``formats/`` and ``files/``, imported on demand.

Other distributions add formats for ``--report`` through the entry point group ``v2vlint.reports``: a name, and such a module.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from functools import cache
from types import ModuleType
from typing import Any

from v2vlint.model.entry_points import entry_points
from v2vlint.model.errors import UsageError
from v2vlint.model.report import Report
from v2vlint.report import files, formats

GROUP = "v2vlint.reports"


def _shipped(package: ModuleType) -> dict[str, str]:
    """Formats by name, with the modules of a package: ``csv_report`` is ``csv``. ``text``, the default, comes first."""
    stems = sorted((one.name for one in pkgutil.iter_modules(package.__path__)), key=lambda stem: (stem != "text", stem))
    return {stem.removesuffix("_report"): f"{package.__name__}.{stem}" for stem in stems}


FORMATS = _shipped(formats)
FILES = {**FORMATS, **_shipped(files)}
"""The formats of ``--report``: those that stdout can have, and those that are no text."""


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
