"""The pytest plugin of v2vlint, and the names for tests of guests: ``assert_portable``, ``Guest``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_v2vlint.api import Guest, Missing, NotEvaluated, Text, assert_portable

__all__ = ["Guest", "Missing", "NotEvaluated", "Text", "assert_portable"]


def __getattr__(name: str) -> Any:
    """Import on use: pytest imports this package in every run of every environment that has v2vlint installed."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module("pytest_v2vlint.api"), name)
