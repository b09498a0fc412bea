"""A guest after operations of ``v2vlint.fixing``, in memory: what the guestfs worker would write lies over what is on the disk."""

from __future__ import annotations

import base64
import io
import posixpath
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

from v2vlint.disk.filesystems.node import FileSystem, Kind, Node, Stat, as_it_lies
from v2vlint.disk.hives.edit import HiveDraft
from v2vlint.fixing.operations import RootWork
from v2vlint.guest.fs import GuestFS
from v2vlint.guest.subtree import descend
from v2vlint.guest.whole import whole
from v2vlint.model.fix import RegistryDeleteKey, RegistryEdit, RegistrySet
from v2vlint.samples.regf import make_hive

Changes = Mapping[str, bytes | None]
"""New contents by path inside one filesystem; None: the file is gone."""


@dataclass(frozen=True)
class PatchedNode:
    """An inode with the changes below its path; ``below`` is what the disk has there, if it has anything."""

    below: Node | None
    path: str
    changes: Changes
    fold: bool

    @property
    def _new(self) -> bytes | None:
        return next((data for path, data in self.changes.items() if self._same(path, self.path)), None)

    def stat(self) -> Stat:
        """That of the disk, with the size of a new content."""
        old = self.below.stat() if self.below else Stat(Kind.DIR if self._new is None else Kind.FILE, 0, 0o644)
        if self._new is None:
            return old
        return Stat(Kind.FILE, len(self._new), old.mode, old.uid, old.gid, old.mtime)

    def names(self) -> Iterator[str]:
        """The disk's names without those that are gone, and the new ones."""
        old = list(self.below.names()) if self.below and self._new is None else []
        top = f"{self.path.rstrip('/')}/"
        new = [path[len(top) :].split("/")[0] for path, data in self.changes.items() if data is not None and self._starts(path, top)]
        gone = [path for path, data in self.changes.items() if data is None]
        yield from (name for name in dict.fromkeys([*old, *new]) if not any(self._same(path, top + name) for path in gone))

    def child(self, name: str) -> PatchedNode | None:
        """The entry of that name, changed or not."""
        path = f"{self.path.rstrip('/')}/{name}"
        if any(self._same(changed, path) and data is None for changed, data in self.changes.items()):
            return None
        below = self.below.child(name) if self.below else None
        made = any(self._same(changed, path) or self._starts(changed, f"{path}/") for changed in self.changes)
        return PatchedNode(below, path, self.changes, self.fold) if below or made else None

    def link(self) -> str:
        """Where a link leads."""
        return self.below.link() if self.below else ""

    def open(self) -> BinaryIO:
        """The new content, or the disk's."""
        if self._new is not None or self.below is None:
            return io.BytesIO(self._new or b"")
        return self.below.open()

    def _same(self, one: str, other: str) -> bool:
        return one == other or (self.fold and one.lower() == other.lower())

    def _starts(self, path: str, top: str) -> bool:
        return path.startswith(top) or (self.fold and path.lower().startswith(top.lower()))


class Patched:
    """A filesystem with changes; all else is that of the disk."""

    def __init__(self, below: FileSystem, changes: Changes) -> None:
        self.below, self.changes = below, changes
        self.type, self.uuid, self.label = below.type, below.uuid, below.label

    @property
    def root(self) -> PatchedNode:
        """The top directory."""
        return PatchedNode(self.below.root, "/", self.changes, self.type in ("ntfs", "vfat"))

    def as_it_lies(self) -> Patched:
        """What was changed is on the disk, not in the journal."""
        lying = as_it_lies(self.below)
        return self if lying is self.below else Patched(lying, self.changes)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.below, name)


def patched(fs: GuestFS, changes: Changes) -> GuestFS:
    """``fs`` with new contents at guest paths: in each filesystem as a whole, and so in every part of it that is mounted."""
    parts = {point: whole(system) for point, system in fs.mounts.items()}
    edits: dict[str, dict[str, bytes | None]] = {}
    for path, data in changes.items():
        point, inside = place(fs, path)
        top, inner = parts[point]
        edits.setdefault(top.uuid or point, {})[f"{inner}{inside}"] = data
    made = {top.uuid or point: Patched(top, edits[top.uuid or point]) for point, (top, _) in parts.items() if (top.uuid or point) in edits}
    mounts = {point: _part(made.get(top.uuid or point), inner) or fs.mounts[point] for point, (top, inner) in parts.items()}
    return GuestFS(mounts, {name: made.get(system.uuid, system) if system.uuid else system for name, system in fs.by_device.items()})


def _part(system: Patched | None, inner: str) -> FileSystem | None:
    return descend(system, inner) if system and inner else system


def place(fs: GuestFS, path: str) -> tuple[str, str]:
    """The mount point that a guest path is below, links of its folders followed, and the path inside."""
    folder, name = posixpath.split(path)
    real = posixpath.join(fs.resolve(folder) or folder, name)
    points = [point for point in fs.mounts if real.startswith(f"{point.rstrip('/')}/")]
    point = max(points, key=len)
    return point, f"/{real.removeprefix(point).lstrip('/')}"


def fixed(fs: GuestFS, work: RootWork) -> GuestFS:
    """``fs`` after the operations of ``work``; those of the guest's own programs cannot be done here."""
    changes: dict[str, bytes | None] = {}
    for operation in work.operations:
        path = operation["path"]
        changes[path] = _content(fs, operation, path)
    return patched(fs, {**changes, **_hives(fs, work)})


def _content(fs: GuestFS, operation: Mapping[str, Any], path: str) -> bytes | None:
    kind = operation["op"]
    if kind == "delete":
        return None
    if kind == "copy":
        return fs.read(operation["source"])
    if kind == "append":
        return (fs.read(path) or b"")[: operation["size"]] + base64.b64decode(operation["data"])
    if kind == "registry":
        return fs.read(path)
    assert kind in ("overwrite", "create"), kind
    return base64.b64decode(operation["data"])


def _hives(fs: GuestFS, work: RootWork) -> dict[str, bytes]:
    edits: dict[str, list[RegistryEdit]] = {}
    for edit in dict.fromkeys(edit for fix in work.taken for edit in fix.edits):
        if isinstance(edit, RegistrySet | RegistryDeleteKey):
            edits.setdefault(edit.hive, []).append(edit)
    return {path: _hive(fs, path, found) for path, found in edits.items()}


def _hive(fs: GuestFS, path: str, edits: Iterable[RegistryEdit]) -> bytes:
    return make_hive(HiveDraft(io.BytesIO(fs.read(path) or b""), path).edited(list(edits)))
