"""OVF packages: the descriptor in a folder or an archive, with its manifest."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace

from v2vlint.files import FileOpener
from v2vlint.model.definition import Definition, DiskDevice, Feature, place_name
from v2vlint.model.errors import ImageError
from v2vlint.model.source import DiskFile, GuestSource
from v2vlint.source.manifest import MAX_MANIFEST, compare
from v2vlint.source.nearby import Absent, Found, Nearby, whole

MAX_MEMBERS = 4096
BLANK = "blank"
"""The format of a disk that a definition describes and that has no file."""


def blank(where: str, disk: DiskDevice) -> Found:
    """The empty disk that a definition describes by its capacity."""
    if disk.capacity <= 0:
        return Absent(f"disk {disk.target or '?'} has no file and no capacity")
    return DiskFile(where, f"disk {disk.target or '?'} (blank)", length=disk.capacity, format=BLANK)


def beside(nearby: Nearby, disk: DiskDevice) -> Found:
    """A disk of a descriptor in a folder."""
    return blank(nearby.where, disk) if disk.blank else nearby.beside(disk)


def inside(nearby: Nearby, envelope: DiskFile, disk: DiskDevice, by_name: dict[str, DiskFile]) -> Found:
    """A disk of a descriptor in an archive: a member, or its pieces."""
    if disk.blank:
        return blank(envelope.path, disk)
    # An href is relative to the descriptor, which may be in a folder of the archive.
    name = os.path.normpath(os.path.join(os.path.dirname(envelope.name), disk.path))  # noqa: PTH118, PTH120
    if disk.chunk:
        found = nearby.chunked(name, by_name.get)
        if isinstance(found, DiskFile) or not found.missing:
            return found
    return by_name.get(name) or by_name.get(disk.path) or Absent(f"disk {disk.path!r} is not in it", missing=True)


def verified(nearby: Nearby, source: GuestSource) -> GuestSource:
    """The source with the mismatches of its manifest, if there is one beside it. Disks are hashed only on request."""
    manifest = f"{os.path.splitext(nearby.where)[0]}.mf"  # noqa: PTH122
    if nearby.problem(manifest) is not None:
        return source
    folder, own = os.path.split(nearby.where)

    def find(name: str) -> DiskFile | None:
        path = os.path.join(folder, os.path.basename(name))  # noqa: PTH118, PTH119
        return DiskFile(path, name) if nearby.problem(path) is None else None

    text, wanted = nearby.read(manifest, MAX_MANIFEST), lambda name: nearby.ref.verify or name == own
    return _with_problems(source, compare(place_name(manifest), text, find, wanted, nearby.files))


def verified_inside(nearby: Nearby, source: GuestSource, members: Sequence[DiskFile], descriptor: str) -> GuestSource:
    """The same for an archive, whose descriptor is the member called ``descriptor``."""
    manifest = next((one for one in members if one.name.lower().endswith(".mf") and one.length <= MAX_MANIFEST), None)
    if manifest is None:
        return source
    by_name = {one.name: one for one in members}
    text, wanted = whole(manifest, MAX_MANIFEST, nearby.files), lambda one: nearby.ref.verify or one == descriptor
    return _with_problems(source, compare(f"{place_name(nearby.where)}:{manifest.name}", text, by_name.get, wanted, nearby.files))


def _with_problems(source: GuestSource, problems: Iterator[Feature]) -> GuestSource:
    definition: Definition | None = source.definition
    assert definition is not None
    try:
        features = (*definition.features, *problems)
    except OSError as error:
        raise ImageError(f"{source.name}: {os.strerror(error.errno or 0).lower()}") from error
    return replace(source, definition=replace(definition, features=features))


def members_of(path: str, files: FileOpener) -> tuple[DiskFile, ...]:
    """The regular files of a tar archive as slices of it, read in place."""
    import tarfile

    try:
        # "r:" is without compression: the members of a compressed archive are no slices of it.
        with files.open(path).stream() as stream, tarfile.open(fileobj=stream, mode="r:") as archive:
            found: list[DiskFile] = []
            for number, member in enumerate(archive):
                # The data of a sparse member is not in one piece.
                if member.isreg() and not member.sparse and member.size >= 0:
                    found.append(DiskFile(path, member.name.removeprefix("./"), member.offset_data, member.size))
                if number >= MAX_MEMBERS:
                    raise ImageError(f"{path}: more than {MAX_MEMBERS} files in it")
            return tuple(found)
    except OSError as error:
        raise ImageError(f"{path}: {os.strerror(error.errno or 0).lower()}") from error
    except (tarfile.TarError, ValueError, OverflowError, RecursionError) as error:
        said = f"{path}: not a tar archive that can be read in place: {error}"
        raise ImageError(said, hint="unpack it first if it is compressed") from error
