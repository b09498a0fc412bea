"""The output formats for a machine: one module each, with ``render``, and ``TITLE`` for the help. They are discovered, not listed."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from typing import TYPE_CHECKING

from v2vlint.model.dataclass import dataclass

if TYPE_CHECKING:
    from v2vlint.defining.protocol import ProposedMachine


@dataclass(frozen=True, slots=True)
class DefinitionFormat:
    """A format: its ``name``, which is its module's, its description, and its renderer."""

    name: str
    title: str
    render: Callable[[ProposedMachine], str]


def names() -> tuple[str, ...]:
    """The names of all formats."""
    return tuple(sorted(one.name for one in pkgutil.iter_modules(__path__)))


def load(name: str) -> DefinitionFormat:
    """The format called ``name``, one of :func:`names`."""
    module = importlib.import_module(f"{__name__}.{name}")
    return DefinitionFormat(name, module.TITLE, module.render)
