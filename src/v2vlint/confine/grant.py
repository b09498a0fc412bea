"""The files that a confined process may use."""

from __future__ import annotations

import os

from v2vlint.model.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Grant:
    """Host paths that a confined process may read, and those that it may also write; a folder includes everything in it.

    In the folders ``sockets``, a tool may create Unix sockets and accept connections. Inherited descriptors are always usable.
    """

    read: tuple[str, ...] = ()
    write: tuple[str, ...] = ()
    sockets: tuple[str, ...] = ()

    def __add__(self, other: Grant) -> Grant:
        """The union of both."""
        return Grant((*self.read, *other.read), (*self.write, *other.write), (*self.sockets, *other.sockets))


def resolved(path: str) -> str:
    """The absolute path without links."""
    return os.path.realpath(path)
