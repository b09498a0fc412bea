"""What a kind of URL is. Each is a module of :mod:`v2vlint.files.schemes`, found there; its library is imported when one is opened."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Protocol


class Ranges(Protocol):
    """A remote file that is read in ranges. Errors are ImageError, with the reason; what passes may be tried again by the reader itself.

    ``state`` is what the server says that tells this version of the file from others: a hash, a number, a time; empty when it says nothing.
    """

    size: int
    state: str

    def read(self, offset: int, length: int) -> bytes:
        """Exactly ``length`` bytes from ``offset`` on, which lie within the file."""

    def close(self) -> None:
        """Let go of the connection."""


@dataclass(frozen=True, slots=True)
class Scheme:
    """``names`` are the schemes of the URLs (``https``), ``extra`` is what to install for them, ``module`` the library that must be
    there; both are empty when none is needed.

    ``open`` gets the whole URL. It raises Missing for what is not there, ImageError for all else.
    """

    names: tuple[str, ...]
    extra: str
    module: str
    open: Callable[[str], Ranges]


@cache
def schemes() -> dict[str, Scheme]:
    """All schemes, by their names."""
    from v2vlint.files import schemes as package

    modules = (importlib.import_module(f"{package.__name__}.{one.name}") for one in pkgutil.iter_modules(package.__path__))
    return {name: scheme for module in modules for scheme in module.SCHEMES for name in scheme.names}
