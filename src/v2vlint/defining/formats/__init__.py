"""The forms in which a machine can be written: one module each, with ``render``, and ``TITLE`` for the help. Nothing else lists them."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass

from v2vlint.defining.protocol import ProposedMachine


@dataclass(frozen=True, slots=True)
class Format:
    """A form: its ``name``, which is its module's, what it is, and how a machine is written in it."""

    name: str
    title: str
    render: Callable[[ProposedMachine], str]


def names() -> tuple[str, ...]:
    """The names of all forms."""
    return tuple(sorted(one.name for one in pkgutil.iter_modules(__path__)))


def load(name: str) -> Format:
    """The form called ``name``, which is one of :func:`names`."""
    module = importlib.import_module(f"{__name__}.{name}")
    return Format(name, module.TITLE, module.render)
