"""The files around a machine definition, found and read under the policy for the guest. Runs in the child."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import PurePosixPath

from v2vlint.files import FileMissing, FileOpener, Refused, access
from v2vlint.model.dataclass import dataclass
from v2vlint.model.definition import Definition, DiskDevice
from v2vlint.model.errors import ImageError
from v2vlint.model.source import DiskFile, GuestRef, GuestSource

MAX_DISKS = 1024
MAX_CHUNKS = 10_000
"""Pieces that all disks of a guest may be in together."""


@dataclass(frozen=True, slots=True)
class Absent:
    """Why a disk is not available; ``missing``: the file does not exist, ``blank``: it need not exist because the disk is empty."""

    reason: str
    missing: bool = False
    blank: bool = False


Found = DiskFile | Absent
"""A disk, or why there is none."""


class Nearby:
    """Finds the files that a definition names. ``where`` is the definition's own path, ``ref`` the guest as named by the user."""

    def __init__(self, ref: GuestRef) -> None:
        self.ref, self.files = ref, access(ref)
        self.where = ref.paths[0] if ref.paths else ref.name
        self._problems: dict[str, ImageError | None] = {}
        self._pieces = MAX_CHUNKS

    @property
    def folder(self) -> str:
        """The folder of the definition."""
        return os.path.dirname(self.where)  # noqa: PTH120

    def read(self, path: str, limit: int) -> bytes:
        """The content of a small file; ImageError when it is larger than ``limit`` bytes."""
        return whole(DiskFile(path, path), limit, self.files)

    def head(self, limit: int) -> bytes:
        """The first bytes of the definition."""
        with self.files.open(self.where).stream() as stream:
            return stream.read(limit)

    def optional(self, path: str, limit: int) -> bytes:
        """The content of a small file, empty when it cannot be opened."""
        return self.read(path, limit) if self.problem(path) is None else b""

    def problem(self, path: str) -> ImageError | None:
        """Why a file cannot be opened; None when it can."""
        if path not in self._problems:
            try:
                os.close(self.files.open(path).descriptor)
                self._problems[path] = None
            except ImageError as error:
                self._problems[path] = error
        return self._problems[path]

    def chunked(self, path: str, find: Callable[[str], DiskFile | None]) -> Found:
        """A file in pieces: ``path.000000000``, ``path.000000001``… in order, each located by ``find``."""
        pieces: list[DiskFile] = []
        while len(pieces) <= self._pieces and (piece := find(f"{path}.{len(pieces):09d}")) is not None:
            pieces.append(piece)
        self._pieces = max(0, self._pieces - len(pieces))
        if not self._pieces:
            return Absent(f"its disks are in more than {MAX_CHUNKS} pieces")
        if not pieces:
            return Absent(f"disk {path} is missing: there is no {os.path.basename(path)}.000000000", missing=True)  # noqa: PTH119
        return DiskFile(pieces[0].path, path, chunks=tuple(pieces))

    def beside(self, disk: DiskDevice) -> Found:
        """A disk in the definition's folder or below; for a path of another host, its file name is looked for there."""
        relative = disk.path.replace("\\", "/")
        if not relative:
            return Absent(f"a disk of {self.where} has no file")
        if "://" in disk.path:
            return Absent(f"disk {disk.path!r} is outside the folder of {self.where}: not read")
        # Absolute, with a drive letter of Windows, or upwards: a path of the host it came from.
        if foreign := relative.startswith("/") or relative[1:3] == ":/" or ".." in PurePosixPath(relative).parts:
            relative = PurePosixPath(relative).name
        path = os.path.join(self.folder, relative)  # noqa: PTH118
        if disk.chunk:
            return self.chunked(path, lambda name: DiskFile(name, name) if self.problem(name) is None else None)
        # As written, if the policy lets it be opened: an absolute path inside the folder, or an allowed one.
        given = (disk.path,) if foreign and self.problem(disk.path) is None else ()
        return self.found(disk.path, *given, path, kind=image_format(disk.format))

    def local(self, disk: DiskDevice, path: str = "") -> Found:
        """A disk of this host: at its path, or under the same name beside the definition. ``path`` is its place, if known otherwise."""
        path = path or disk.path
        if not path:
            return Absent(f"disk {disk.target or '?'} is not a local file: not read")
        beside = os.path.join(self.folder, os.path.basename(path))  # noqa: PTH118, PTH119
        found = self.found(path, path, beside, kind=image_format(disk.format))
        return replace(found, sector=disk.sector) if isinstance(found, DiskFile) else found

    def found(self, name: str, *paths: str, kind: str = "") -> Found:
        """The first of ``paths`` that can be opened, or the reason why the last one cannot."""
        problems: list[ImageError] = []
        for path in paths:
            problem = self.problem(path)
            if problem is None:
                return DiskFile(path, path, format=kind)
            problems.append(problem)
        problem = next((one for one in problems if not isinstance(one, FileMissing)), None)
        if isinstance(problem, Refused):
            return Absent(f"disk {name!r} is outside the folder of {self.where}: not read; {problem.hint}")
        return Absent(problem.message) if problem else Absent(f"disk {paths[0]} is missing", missing=True)

    def source(self, definition: Definition, find: Callable[[DiskDevice], Found]) -> GuestSource:
        """The guest, with each disk of its definition located by ``find``. A disk that is named twice and missing is reported once."""
        rest = Absent(f"more than {MAX_DISKS} disks: the others are not looked for")
        found = [find(disk) if number < MAX_DISKS else rest for number, disk in enumerate(definition.disks)]
        disks = tuple(one for one in found if isinstance(one, DiskFile))
        pairs = zip(definition.disks, found, strict=True)
        devices = tuple(replace(disk, missing=isinstance(one, Absent) and one.missing) for disk, one in pairs)
        remarks = dict.fromkeys(one.reason for one in found if isinstance(one, Absent) and not one.blank)
        return GuestSource(self.ref.name, disks, replace(definition, disks=devices), tuple(remarks))


_FORMATS = {"raw": "raw", "qcow2": "qcow2", "vmdk": "vmdk", "vdi": "vdi", "vhdx": "vhdx", "vpc": "vhd", "vhd": "vhd"}


def image_format(stated: str) -> str:
    """The reader's name for a stated image format; empty for any other, for which the magic number decides."""
    return _FORMATS.get(stated, "")


def whole(file: DiskFile, limit: int, files: FileOpener) -> bytes:
    """The content of a small file or member; ImageError when it is larger than ``limit`` bytes."""
    with files.open(file.path).stream() as stream:
        stream.seek(file.offset)
        data = stream.read(min(file.length, limit + 1) if file.length >= 0 else limit + 1)
    if len(data) > limit or file.length > limit:
        raise ImageError(f"{file.name}: larger than {limit} bytes")
    return data
