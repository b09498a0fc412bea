"""Kinds of machine definitions. Each is a module of :mod:`v2vlint.source.kinds`, which are discovered; there is no other list."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

from v2vlint.model.dataclass import dataclass
from v2vlint.model.source import GuestSource

if TYPE_CHECKING:
    from v2vlint.source.nearby import Nearby

DEFINITION = "definition"
"""The kind of a reference whose file several kinds may be: its content decides, in the child."""
MAX_HEAD = 64 << 10
IMAGES = (".qcow2", ".qcow", ".img", ".raw", ".vmdk", ".vhd", ".vhdx", ".vdi", ".avhd", ".avhdx")
"""Suffixes of images: no kind needs to be imported for them."""


@dataclass(frozen=True, slots=True)
class DefinitionKind:
    """A kind of definition: the names of its files, how to recognise one, and how to find the disks that it names.

    ``suffixes`` are in lower case with their dots. ``knows`` gets the first :data:`MAX_HEAD` bytes; without it, the name is enough.
    ``locate`` is None for a kind that cannot be read; ``instead`` then says what to use instead. If ``listed``, such a file in a folder is
    a guest, and images beside it with the suffixes ``disks`` belong to it. ``inside`` are patterns of the files in a folder that is such a
    machine as a whole.
    """

    name: str
    title: str
    suffixes: tuple[str, ...]
    locate: Callable[[Nearby], GuestSource] | None
    knows: Callable[[bytes], bool] | None = None
    instead: str = ""
    listed: bool = False
    disks: tuple[str, ...] = ()
    inside: tuple[str, ...] = ()


@cache
def kinds() -> tuple[DefinitionKind, ...]:
    """All kinds, by name."""
    from v2vlint.source import kinds as package

    modules = (importlib.import_module(f"{package.__name__}.{one.name}") for one in pkgutil.iter_modules(package.__path__))
    return tuple(sorted((kind for module in modules for kind in module.KINDS), key=lambda kind: kind.name))


def claiming(name: str) -> tuple[DefinitionKind, ...]:
    """The kinds that a file called ``name`` may be: those with the longest matching suffix."""
    lowered = name.lower()
    if lowered.endswith(IMAGES):
        return ()
    found = [(max(map(len, fitting)), kind) for kind in kinds() if (fitting := [one for one in kind.suffixes if lowered.endswith(one)])]
    longest = max((length for length, _kind in found), default=0)
    return tuple(kind for length, kind in found if length == longest)


def kind_name(name: str) -> str:
    """The kind of a reference to the file ``name``: ``disks``, a definition's kind, or :data:`DEFINITION` if only the content can tell."""
    found = claiming(name)
    return "disks" if not found else found[0].name if len(found) == 1 else DEFINITION
