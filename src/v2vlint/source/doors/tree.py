"""``tree:FOLDER`` and ``tar:FILE``: a root filesystem that is not on a disk yet, as in image builders."""

from __future__ import annotations

import os
from collections.abc import Iterator

from v2vlint.model.source import DiskFile, GuestRef, GuestSource, RootTree
from v2vlint.source.door import Door
from v2vlint.source.paths import problem_of

INSTEAD = "a tree is not fixed: put the fix into what builds it, or fix the disk image that is made of it"


def _folder(argument: str, _connect: str) -> Iterator[GuestRef]:
    path = argument.partition(":")[2]
    if not os.path.isdir(path):  # noqa: PTH112
        missing = problem_of(path) if path else "tree: without a folder"
        hint = "" if missing else "tar:FILE reads an archive"
        yield GuestRef(argument, "tree", (), problem=missing or f"{path}: not a folder", hint=hint, unwritable=INSTEAD)
        return
    problem = "" if os.access(path, os.R_OK | os.X_OK) else f"{path}: permission denied"
    yield GuestRef(argument, "tree", (), problem=problem, trees=(os.path.abspath(path),), unwritable=INSTEAD)  # noqa: PTH100


def _in_folder(ref: GuestRef) -> GuestSource:
    return GuestSource(ref.name, (), tree=RootTree(ref.trees[0]))


def _archive(argument: str, _connect: str) -> Iterator[GuestRef]:
    path = argument.partition(":")[2]
    yield GuestRef(argument, "tar", (path,), problem=problem_of(path), unwritable=INSTEAD)


def _in_archive(ref: GuestRef) -> GuestSource:
    return GuestSource(ref.name, (), tree=RootTree(archives=(DiskFile(ref.paths[0], ref.paths[0]),)))


DOORS = (
    Door("tree", "a root filesystem in a folder", ("tree:",), _folder, _in_folder, of_paths=True),
    Door("tar", "a root filesystem in a tar archive", ("tar:",), _archive, _in_archive, of_paths=True),
)
