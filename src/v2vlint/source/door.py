"""Doors: kinds of arguments that are not paths. Each is a module of :mod:`v2vlint.source.doors`, which are discovered."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable
from functools import cache

from v2vlint.model.dataclass import dataclass
from v2vlint.model.source import GuestRef, GuestSource


@dataclass(frozen=True, slots=True)
class Door:
    """Access to guests that are not files on this host, or not disks.

    ``name`` is the kind of its references, ``title`` is for people. Arguments that start with one of ``prefixes`` belong to it;
    ``of_paths`` says that the prefix is followed by a path on this host. ``find`` runs in the parent: it returns references for an argument
    (with its prefix), given the libvirt URI. A guest that does not exist is a reference with a problem. ``locate`` runs in the child; a
    door without it makes references of other kinds.
    """

    name: str
    title: str
    prefixes: tuple[str, ...]
    find: Callable[[str, str], Iterable[GuestRef]]
    locate: Callable[[GuestRef], GuestSource] | None = None
    of_paths: bool = False


@cache
def doors() -> tuple[Door, ...]:
    """All doors, by name."""
    from v2vlint.source import doors as package

    modules = (importlib.import_module(f"{package.__name__}.{one.name}") for one in pkgutil.iter_modules(package.__path__))
    return tuple(sorted((door for module in modules for door in module.DOORS), key=lambda door: door.name))


def door_of(argument: str) -> Door | None:
    """The door for ``argument``; None for paths."""
    if ":" not in argument:
        return None
    return next((door for door in doors() if argument.startswith(door.prefixes)), None)


def door_named(kind: str) -> Door | None:
    """The door whose references are of ``kind``."""
    return next((door for door in doors() if door.name == kind and door.locate), None)


def path_prefix(argument: str) -> str:
    """The prefix of ``argument`` if a path on this host follows it, else an empty string."""
    door = door_of(argument)
    return next(one for one in door.prefixes if argument.startswith(one)) if door and door.of_paths else ""
