"""What a kind of machine definition is. Each is a module of :mod:`v2vlint.source.kinds`, which is found there; nothing else lists them."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from v2vlint.model.source import GuestSource

if TYPE_CHECKING:
    from v2vlint.source.nearby import Nearby

DEFINITION = "definition"
"""The kind of a reference whose file several kinds may be: its content decides, in the child."""
MAX_HEAD = 64 << 10


@dataclass(frozen=True, slots=True)
class DefinitionKind:
    """A kind of definition: what its files are called, how to know one, and how to find the disks that it names.

    ``suffixes`` are in lower case with their dots. ``knows`` looks at the first :data:`MAX_HEAD` bytes; without it the name is enough.
    ``locate`` is None for a kind that is not read, and ``instead`` says what to give instead. ``listed`` tells that such a file in a folder
    is a guest, and then images with the suffixes ``disks`` beside it are its own. ``inside`` are patterns of what is in a folder that is
    one such machine as a whole.
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
    """The kinds that a file called ``name`` may be of: those with the longest suffix that fits."""
    lowered = name.lower()
    found = [(max(map(len, fitting)), kind) for kind in kinds() if (fitting := [one for one in kind.suffixes if lowered.endswith(one)])]
    longest = max((length for length, _kind in found), default=0)
    return tuple(kind for length, kind in found if length == longest)


def kind_name(name: str) -> str:
    """What a reference to the file ``name`` is of: ``disks``, a kind, or :data:`DEFINITION` where only the content tells."""
    found = claiming(name)
    return "disks" if not found else found[0].name if len(found) == 1 else DEFINITION
