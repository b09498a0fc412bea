"""URL schemes. Each is a module of :mod:`v2vlint.files.schemes`, which are discovered; its library is imported on first use."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable
from functools import cache
from typing import Protocol

from v2vlint.model.dataclass import dataclass


class Ranges(Protocol):
    """A remote file that is read in ranges. Errors are ImageError, with the reason; the reader itself may retry temporary ones.

    ``state`` is the server's version tag for the file: a hash, a number, a time; empty when there is none.
    """

    size: int
    state: str

    def read(self, offset: int, length: int) -> bytes:
        """Exactly ``length`` bytes starting at ``offset``, all within the file."""

    def close(self) -> None:
        """Close the connection."""


@dataclass(frozen=True, slots=True)
class RemoteEntry:
    """Something in a folder on a server. ``size`` is in bytes; ``odd`` says what it is when it is neither a file nor a folder."""

    name: str
    is_folder: bool
    size: int = 0
    odd: str = ""


@dataclass(frozen=True, slots=True)
class Scheme:
    """``names`` are the URL schemes (``https``), ``extra`` is what to install for them, ``module`` the required library; both are empty
    when none is needed.

    ``open`` gets the whole URL. It raises Missing for a file that does not exist, ImageError for anything else. So does ``listed``, which
    gives the content of a folder; it is None for servers that list none. ``folders`` says whether its folders exist by themselves, as in a
    filesystem: those of an object store follow from the names of objects, so that an empty list proves nothing.
    """

    names: tuple[str, ...]
    extra: str
    module: str
    open: Callable[[str], Ranges]
    listed: Callable[[str], Iterable[RemoteEntry]] | None = None
    folders: bool = False


@cache
def schemes() -> dict[str, Scheme]:
    """All schemes, by their names."""
    from v2vlint.files import schemes as package

    modules = (importlib.import_module(f"{package.__name__}.{one.name}") for one in pkgutil.iter_modules(package.__path__))
    return {name: scheme for module in modules for scheme in module.SCHEMES for name in scheme.names}
