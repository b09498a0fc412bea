"""From command-line arguments to guests. Runs in the parent: looks at names and file types only, never at what is in an image."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from v2vlint.model.errors import NothingFound, UsageError
from v2vlint.model.source import GuestRef
from v2vlint.source.door import door_of
from v2vlint.source.kind import claiming, kind_name, kinds
from v2vlint.source.paths import problem_of

_IMAGES = (".qcow2", ".qcow", ".img", ".raw", ".vmdk", ".vhd", ".vhdx", ".vdi")
_EXTENT = re.compile(r"-(s\d{3}|f\d{3}|flat|delta|sesparse|ctk)\.vmdk$")
MAX_GUESTS = 10_000


def expand(
    arguments: Sequence[str],
    connect: str = "",
    *,
    verify: bool = False,
    allowed: Sequence[str] = (),
    hashed: bool = False,
    configuration: str = "",
) -> tuple[GuestRef, ...]:
    """One reference per guest: a disk image, ``a+b`` (disks of one guest), a folder of images or of one machine, a glob, a machine
    definition (see :mod:`v2vlint.source.kinds`), or what goes through a door (see :mod:`v2vlint.source.door`): ``tree:DIR``,
    ``domain:NAME`` of the libvirt at the URI ``connect``… ``configuration`` is the one
    wanted of OVF packages that offer several. ``verify`` asks for the checksums of whole OVF packages,
    ``hashed`` for the digests of all files; ``allowed`` are folders in which files that a guest refers to may lie.

    What is not there or cannot be read is a guest with a problem, and so is a folder or glob that holds no guest beside others that do;
    NothingFound when none does."""
    for folder in allowed:
        if not os.path.isdir(folder):  # noqa: PTH112
            raise UsageError(f"--allow-folder {folder}: no such folder")
    refs, empty = _every(arguments, connect)
    if empty and len(refs) == len(empty):
        raise empty[0]
    wishes: dict[str, Any] = {"verify": verify, "hashed": hashed, "allowed": tuple(allowed)}
    found = tuple(replace(ref, **wishes, configuration=configuration or ref.configuration) for ref in refs)
    if len(found) > MAX_GUESTS:
        raise UsageError(f"more than {MAX_GUESTS} guests")
    return found


def _every(arguments: Sequence[str], connect: str) -> tuple[tuple[GuestRef, ...], list[NothingFound]]:
    found: list[GuestRef] = []
    empty: list[NothingFound] = []
    for argument in arguments:
        try:
            found += _expand(argument, connect)
        except NothingFound as error:
            empty.append(error)
            found.append(GuestRef(argument, "disks", (), problem=error.message, hint=error.hint))
    return tuple(found), empty


def _expand(argument: str, connect: str) -> Iterator[GuestRef]:
    if door := door_of(argument):
        yield from door.find(argument, connect)
    elif os.path.lexists(argument):
        yield from _existing(argument)
    elif "+" in argument and any(os.path.lexists(part) for part in argument.split("+")):
        paths = argument.split("+")
        yield GuestRef(argument, "disks", tuple(paths), problem=next(filter(None, map(problem_of, paths)), ""))
    elif glob.has_magic(argument):
        matches = sorted(glob.glob(argument))  # noqa: PTH207
        if not matches:
            raise NothingFound(f"{argument}: no file matches")
        for path in matches:
            yield from _existing(path)
    else:
        yield _file(argument)


def _existing(path: str) -> Iterator[GuestRef]:
    if os.path.isdir(path):  # noqa: PTH112
        yield from _folder(path)
    else:
        yield _file(path)


def _file(path: str) -> GuestRef:
    return GuestRef(path, kind_name(path), (path,), problem=problem_of(path))


def _folder(path: str) -> Iterator[GuestRef]:
    try:
        names = sorted(os.listdir(path))  # noqa: PTH208
    except OSError as error:
        yield GuestRef(path, "disks", (path,), problem=f"{path}: {os.strerror(error.errno or 0).lower()}")
        return
    files = [*_bundles(path), *(os.path.join(path, name) for name in _guests(names))]  # noqa: PTH118
    if not files:
        looked = sorted({*_IMAGES, *(suffix for kind in kinds() if kind.listed for suffix in kind.suffixes)})
        raise NothingFound(f"{path}: a folder without disk images", hint=f"looked for {', '.join(looked)}")
    for file in dict.fromkeys(files):
        if not os.path.isdir(file):  # noqa: PTH112
            yield replace(_file(file), folder=path)


def _bundles(path: str) -> Iterator[str]:
    """The definitions in a folder that is one machine as a whole."""
    for kind in kinds():
        for pattern in kind.inside:
            yield from sorted(glob.glob(os.path.join(glob.escape(path), pattern)))  # noqa: PTH118, PTH207


def _guests(names: Sequence[str]) -> Iterator[str]:
    """The images and definitions among the files of a folder, without what belongs to one of them."""
    described = [(name, kind) for name in names for kind in claiming(name) if kind.listed]
    owned = tuple({suffix for _name, kind in described for suffix in kind.disks})
    definitions = {name for name, _kind in described}
    for name in names:
        lowered = name.lower()
        image = lowered.removesuffix(".gz").endswith(_IMAGES) and not _EXTENT.search(name) and not (owned and lowered.endswith(owned))
        if image or name in definitions:
            yield name
