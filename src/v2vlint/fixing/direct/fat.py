"""Changes files of FAT filesystems with mtools, in a copy of the volume.

A confined reader cannot start programs such as mtools. So the child lists the actions and leaves the volume in a sparse file (an EFI system
partition is small); the parent has mtools carry them out there, and compares.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from v2vlint.confine import Grant, tools
from v2vlint.disk.filesystems.fat import Fat, FatNode
from v2vlint.disk.filesystems.node import Kind
from v2vlint.disk.stream import Stream
from v2vlint.files import left
from v2vlint.fixing import qemu
from v2vlint.fixing.direct.terms import Declined, FatAction, FatVolume, WrittenRun
from v2vlint.fixing.direct.volume import MAX_WRITTEN, SECTOR, WritableVolume
from v2vlint.model.errors import ImageError

MAX_VOLUME = 4 << 30
MAX_ACTIONS, MAX_PLACES = 10_000, 1000
# FAT's times end with the year 2107.
_LATEST = float(1 << 33)
_BLOCK = 1 << 20
# mtools takes *, ? and [ for patterns, and "a:" for a drive.
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+~ -]{0,200}")
_PUT, _FOLDER, _DELETE = "put", "folder", "delete"
_ATTRIBUTES = ((0x01, "r"), (0x02, "h"), (0x04, "s"))


class FatFiles:
    """See :class:`~v2vlint.fixing.direct.terms.Files`. Actions are recorded, and carried out later by :func:`carry_out`."""

    def __init__(self, volume: WritableVolume, system: Fat, folder: Path, number: int) -> None:
        if volume.size > MAX_VOLUME:
            raise Declined(f"a FAT volume of more than {MAX_VOLUME >> 30} GiB")
        self._volume, self._system, self._folder, self._number = volume, system, folder, number
        self._actions: list[FatAction] = []
        self._new: dict[str, bytes] = {}
        self.folders: list[str] = []

    def size(self, path: str) -> int | None:
        """See :class:`Files`."""
        if path.lower() in self._new:
            return len(self._new[path.lower()])
        node = self._find(path)
        return None if node is None else self._file(path, node)

    def read(self, path: str) -> bytes:
        """See :class:`Files`."""
        if path.lower() in self._new:
            return self._new[path.lower()]
        node = self._there(path)
        self._file(path, node)
        return node.open().read()

    def mode(self, path: str) -> int:
        """See :class:`Files`."""
        raise Declined(f"{path} lies on FAT, which has no labels")

    def label(self, path: str, context: str) -> None:
        """See :class:`Files`."""
        raise Declined(f"{path} lies on FAT, which has no labels")

    def overwrite(self, path: str, data: bytes) -> None:
        """See :class:`Files`."""
        entry = self._there(path).entry
        letters = "".join(letter for bit, letter in _ATTRIBUTES if entry.attributes & bit)
        self._put(self._spelled(path), data, letters)

    def append(self, path: str, size: int, data: bytes) -> None:
        """See :class:`Files`."""
        self.overwrite(path, self.read(path)[:size] + data)

    def create(self, path: str, data: bytes, mode: int) -> None:
        """See :class:`Files`."""
        if not mode & 0o200:
            raise Declined(f"{path} is to be read-only on FAT")
        self._put(self._with_folders(path), data, "")

    def copy(self, source: str, path: str) -> None:
        """See :class:`Files`."""
        self._put(self._with_folders(path), self.read(source), "", self._there(source).entry.mtime)

    def delete(self, path: str) -> None:
        """See :class:`Files`."""
        self._file(path, self._there(path))
        self._actions.append(FatAction(_DELETE, self._spelled(path)))

    def close(self) -> None:
        """See :class:`Files`."""

    def asked(self, disks: Sequence[Stream]) -> FatVolume:
        """The recorded actions; the volume's bytes are left in the folder."""
        place = self._folder / f"fat{self._number}"
        with place.open("wb") as stream:
            stream.truncate(self._volume.size)
            # Blocks of zeros stay holes.
            for offset in range(0, self._volume.size, _BLOCK):
                if any(data := self._volume.read(offset, min(_BLOCK, self._volume.size - offset))):
                    stream.seek(offset)
                    stream.write(data)
        places = tuple(WrittenRun(*one) for one in self._volume.places(disks))
        return FatVolume(place.name, tuple(self._actions), places)

    def _put(self, path: str, data: bytes, attributes: str, mtime: float = 0.0) -> None:
        name = f"fat{self._number}.new{len(self._actions)}"
        place = self._folder / name
        place.write_bytes(data)
        self._new[path.lower()] = data
        self._actions.append(FatAction(_PUT, path, name, attributes, mtime))

    def _find(self, path: str) -> FatNode | None:
        node = self._system.root
        for part in path.strip("/").split("/"):
            if node.stat().kind is not Kind.DIR or (below := node.child(part)) is None:
                return None
            node = below
        return node

    def _there(self, path: str) -> FatNode:
        if (node := self._find(path)) is None:
            raise Declined(f"{path} is not there")
        return node

    def _file(self, path: str, node: FatNode) -> int:
        found = node.stat()
        if found.kind is not Kind.FILE:
            raise Declined(f"{path} is no plain file")
        return found.size

    def _spelled(self, path: str) -> str:
        """A path spelled as on the volume. Declined when mtools could mistake it for something else."""
        node, names = self._system.root, list[str]()
        for part in path.strip("/").split("/"):
            below = node.child(part) if node.stat().kind is Kind.DIR else None
            name = part if below is None else below.entry.name
            if not _NAME.fullmatch(name) or name.endswith((".", " ")):
                raise Declined(f"{path} has a name that mtools would not take as it is")
            names.append(name)
            node = below or node
        return "/" + "/".join(names)

    def _with_folders(self, path: str) -> str:
        """A new path, spelled as on the volume; its parent folders are created."""
        spelled = self._spelled(path)
        parts = spelled.split("/")[1:-1]
        for count in range(1, len(parts) + 1):
            above = "/" + "/".join(parts[:count])
            made = FatAction(_FOLDER, above)
            if self._find(above) is None and made not in self._actions:
                self._actions.append(made)
        return spelled


def carry_out(folder: Path, volume: FatVolume) -> Iterator[tuple[WrittenRun, bytes]]:
    """Have mtools carry out the child's actions; returns the bytes to write. Declined when mtools is missing or fails."""
    image = _left(folder, volume.name)
    if image.stat().st_size > MAX_VOLUME or len(volume.actions) > MAX_ACTIONS or len(volume.places) > MAX_PLACES:
        raise _invalid()
    old = folder / f"{image.name}.old"
    qemu.snapshot(image, old)
    for action in volume.actions:
        for words, reads in _commands(image, action, folder):
            _run(words, Grant(reads, (str(image),)))
    written = 0
    with image.open("rb") as new, old.open("rb") as before:
        for offset, data in _differences(new.fileno(), before.fileno()):
            written += len(data)
            if written > MAX_WRITTEN:
                raise Declined(f"more than {MAX_WRITTEN >> 20} MiB would be written")
            yield from _placed(volume.places, offset, data)


def _left(folder: Path, name: str) -> Path:
    """A file that the child left in the folder. Only regular files with an allowed name are accepted."""
    # The name comes from the child, which may be an attacker's: no "..", no link to a file of the host.
    place = folder / name
    stream = left.opened(place) if re.fullmatch(r"fat[0-9]+(\.new[0-9]+)?", name) else None
    if stream is None:
        raise _invalid()
    stream.close()
    return place


def _invalid() -> ImageError:
    return ImageError("the reader process gave no valid answer")


def _commands(image: Path, action: FatAction, folder: Path) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    """The command lines for one action, each with the host files it reads."""
    # Checked again: _spelled ran in the child.
    if not all(_NAME.fullmatch(name) for name in action.path.strip("/").split("/")) or not 0 <= action.mtime < _LATEST:
        raise _invalid()
    inside = f"::{action.path}"
    if action.kind == _FOLDER:
        yield ("mmd", "-i", str(image), inside), ()
    elif action.kind == _DELETE:
        yield ("mdel", "-i", str(image), inside), ()
    else:
        source = str(_left(folder, action.source))
        if action.mtime:
            os.utime(source, (action.mtime, action.mtime), follow_symlinks=False)
        yield ("mcopy", "-i", str(image), "-o", *(("-m",) if action.mtime else ()), source, inside), (source,)
        if letters := [f"+{letter}" for letter in action.attributes if letter in "rhs"]:
            yield ("mattrib", "-i", str(image), *letters, inside), ()


def _run(words: tuple[str, ...], grant: Grant) -> None:
    try:
        done = tools.run(words, grant, timeout=300)
    except tools.NotInstalled as error:
        raise Declined(f"{error} (apt install mtools)") from None
    except tools.Stopped as error:
        raise Declined(f"{words[0]}: {error.reason}") from error
    if done.status:
        said = next((line for line in done.errors.splitlines() if line.strip()), f"exit status {done.status}")
        raise Declined(f"{words[0]}: {said}")


def _differences(new: int, old: int) -> Iterator[tuple[int, bytes]]:
    """The sectors that differ, one at a time."""
    size = os.fstat(old).st_size
    if os.fstat(new).st_size != size:
        raise Declined("mtools changed the size of the volume")
    for offset in range(0, size, _BLOCK):
        after, before = os.pread(new, _BLOCK, offset), os.pread(old, _BLOCK, offset)
        if after != before:
            for at in range(0, len(after), SECTOR):
                if after[at : at + SECTOR] != before[at : at + SECTOR]:
                    yield offset + at, after[at : at + SECTOR]


def _placed(places: Sequence[WrittenRun], offset: int, data: bytes) -> Iterator[tuple[WrittenRun, bytes]]:
    """The position of bytes of the volume on the disks: ``places`` are its parts, whose ``place`` is relative to its start."""
    for part in places:
        first, last = max(offset, part.place), min(offset + len(data), part.place + part.length)
        if first < last:
            run = replace(part, offset=part.offset + first - part.place, length=last - first)
            yield run, data[first - offset : last - offset]
