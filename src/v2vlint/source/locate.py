"""From a reference to its disk files. Runs in the child: definitions are read here, each by the module for its kind."""

from __future__ import annotations

from v2vlint.model.errors import ImageError, Unsupported
from v2vlint.model.source import DiskFile, GuestRef, GuestSource
from v2vlint.source.door import door_named
from v2vlint.source.kind import MAX_HEAD, DefinitionKind, claiming, kinds
from v2vlint.source.nearby import Nearby


def locate(ref: GuestRef) -> GuestSource:
    """The ordered disks of ``ref`` with its definition; ImageError when the definition cannot be read, or there is nothing to read."""
    if ref.problem:
        raise ImageError(ref.problem, hint=ref.hint)
    if ref.kind == "disks":
        below = ref.below or (("", ""),) * len(ref.paths)
        return GuestSource(ref.name, tuple(DiskFile(path, path, below=one) for path, one in zip(ref.paths, below, strict=True)))
    if (door := door_named(ref.kind)) and door.locate:
        return door.locate(ref)
    nearby = Nearby(ref)
    kind = _kind(ref, nearby)
    if kind.locate is None:
        raise Unsupported(f"{nearby.where}: {kind.title} is not read", hint=kind.instead)
    return kind.locate(nearby)


def _kind(ref: GuestRef, nearby: Nearby) -> DefinitionKind:
    """The kind of the definition: as stated by the reference, else by its name, and if that is not enough by its first bytes."""
    offered = [kind for kind in kinds() if kind.name == ref.kind] or list(claiming(nearby.where))
    if ref.text or (len(offered) == 1 and offered[0].knows is None):
        return offered[0]
    head = nearby.head(MAX_HEAD)
    found = next((kind for kind in offered if kind.knows is None or kind.knows(head)), None)
    if found is None:
        raise ImageError(f"{nearby.where}: not {' or '.join(kind.title for kind in offered)}")
    return found
