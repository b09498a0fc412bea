"""What a confined process is given."""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Grant:
    """Host paths that a confined process may read, and those that it may also write; a folder stands for all that is in it.

    In the folders ``sockets`` a tool may make Unix sockets and accept connections there. Descriptors that it inherits are its own in any
    case.
    """

    read: tuple[str, ...] = ()
    write: tuple[str, ...] = ()
    sockets: tuple[str, ...] = ()

    def __add__(self, other: Grant) -> Grant:
        """Both."""
        return Grant((*self.read, *other.read), (*self.write, *other.write), (*self.sockets, *other.sockets))


def resolved(path: str) -> str:
    """The absolute path without links."""
    return os.path.realpath(path)
