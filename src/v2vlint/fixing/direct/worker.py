"""The child's side: it opens the guest like any other reader, carries out the orders in memory, and leaves the bytes to write in a file."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from v2vlint.disk.containers.formats import Image, open_image
from v2vlint.disk.filesystems.fat import Fat
from v2vlint.disk.volumes.stack import Stack
from v2vlint.fixing.direct import hive
from v2vlint.fixing.direct.ext import ExtFiles
from v2vlint.fixing.direct.fat import FatFiles
from v2vlint.fixing.direct.label import SUFFIXES, labels
from v2vlint.fixing.direct.ntfs import NtfsFiles
from v2vlint.fixing.direct.terms import BYTES, Declined, EditAsk, Edited, Files, Mismatch, WrittenRun
from v2vlint.fixing.direct.volume import Change, WritableVolume
from v2vlint.fixing.orders import Appending, Copying, Creating, Deleting, Operation, Overwriting, RegistryEditing, RootOrders
from v2vlint.guest.fs import GuestFS
from v2vlint.model.blocks import BlockTable
from v2vlint.model.codec import decode, encode
from v2vlint.model.errors import FactUnavailable
from v2vlint.source.locate import locate

_PLAIN = frozenset({"disk", "partition", "lv"})


def warm(_request: Any) -> None:
    """Load what cannot be loaded after confinement."""
    from v2vlint.fixing.direct import libext2fs, libntfs

    for library in (libext2fs.library, libntfs.library, hive.library):
        with suppress(Declined):
            library()


def edit(request: Any) -> Any:
    """Answer an encoded :class:`EditAsk` with an encoded :class:`Edited`."""
    asked = decode(EditAsk, request)
    images = [open_image(file) for file in locate(asked.guest).disks]
    guest = _Guest(images, Stack(images, asked.keys), Path(asked.folder))
    try:
        for root in json.loads(asked.orders)["roots"]:
            guest.edit(root)
        runs = tuple(_saved(Path(asked.folder) / BYTES, guest.changes()))
        volumes = tuple(files.asked(guest.disks) for files in guest.fats)
    except Declined as error:
        return encode(Edited(declined=error.reason))
    except Mismatch as error:
        return encode(Edited(refused=str(error)))
    return encode(Edited(runs, volumes, tuple(dict.fromkeys(guest.by)), tuple(guest.notes)))


def _saved(place: Path, changes: Iterable[Change]) -> Iterator[WrittenRun]:
    with place.open("wb") as stream:
        for change in changes:
            yield WrittenRun(change.disk, change.offset, len(change.data), stream.tell())
            stream.write(change.data)


class _Guest:
    def __init__(self, images: Sequence[Image], stack: Stack, folder: Path) -> None:
        self.disks = [image.stream for image in images]
        self.stack, self.folder = stack, folder
        self.volumes: dict[str, WritableVolume] = {}
        self.fats: list[FatFiles] = []
        self.by: list[str] = []
        self.notes: list[str] = []

    def edit(self, root: RootOrders) -> None:
        """Carry out the orders of one root."""
        where = _Places(self, root)
        for operation in root["operations"]:
            _OPERATIONS.get(operation["op"], _decline)(where, operation)
        where.label()
        where.close()

    def files(self, name: str) -> Files:
        """The files on the device ``name``. Declined when the device cannot be written directly."""
        if name not in self.stack.layers:
            raise Declined(f"{name} is not there")
        layer = self.stack.layers[name]
        if reason := lies_on(self.stack.blocks, name):
            raise Declined(reason)
        if layer.stream is None:
            raise Declined(f"{name} cannot be read")
        # A journal that is still to be replayed would write over what is written here.
        if layer.device.detail("dirty"):
            raise Declined(f"{name} was not unmounted")
        volume = self.volumes.setdefault(name, WritableVolume(layer.stream))
        return self._opened(volume, layer.content.type, name)

    def _opened(self, volume: WritableVolume, kind: str, name: str) -> Files:
        if kind in ("ext2", "ext3", "ext4"):
            from v2vlint.fixing.direct import libext2fs

            self.by.append(f"libext2fs {libext2fs.version()}")
            return ExtFiles(volume)
        if kind == "ntfs":
            self.by.append("libntfs-3g")
            return NtfsFiles(volume)
        system = self.stack.open(name)
        if isinstance(system, Fat):
            self.by.append("mtools")
            self.fats.append(FatFiles(volume, system, self.folder, len(self.fats)))
            return self.fats[-1]
        raise Declined(f"{name} has a filesystem of type {kind}" if kind else f"{name} has no known filesystem")

    def changes(self) -> Iterator[Change]:
        """All changes of all devices."""
        for volume in self.volumes.values():
            yield from volume.changes(self.disks)


def lies_on(blocks: BlockTable, name: str) -> str:
    """Why the device ``name`` is not a plain part of the disks; empty when it is one."""
    device = blocks.named(name)
    if device is None or device.problem:
        return f"{name} cannot be read whole"
    if device.kind not in _PLAIN:
        return f"it lies on {device.name} ({device.kind})"
    if device.kind == "lv" and not device.detail("plain"):
        return f"it lies on the logical volume {name}, which is more than parts of disks"
    return next((reason for parent in device.parents if (reason := lies_on(blocks, parent))), "")


class _Places:
    """Paths of one root as files of its filesystems, which are opened on demand."""

    def __init__(self, guest: _Guest, root: RootOrders) -> None:
        self.guest, self.root = guest, root
        self.devices = {str(mount["point"]).rstrip("/"): str(mount["device"]["name"]) for mount in root["mounts"]}
        self._files: dict[str, Files] = {}

    def at(self, path: str) -> tuple[Files, str]:
        """The filesystem that contains a path, and the path on it."""
        point = max((point for point in self.devices if path == point or path.startswith(f"{point}/")), key=len, default=None)
        if point is None:
            raise Declined(f"nothing is mounted where {path} is")
        if point not in self._files:
            self._files[point] = self.guest.files(self.devices[point])
        return self._files[point], path[len(point) :]

    def close(self) -> None:
        """Write out buffered changes."""
        for files in self._files.values():
            files.close()

    def label(self) -> None:
        """Give new files and folders their SELinux labels."""
        specification = str(self.root["selinux"])
        created = [str(op["path"]) for op in self.root["operations"] if op["op"] in ("create", "copy")]
        # FAT has no extended attributes.
        created = [path for path in created if not isinstance(self.at(path)[0], FatFiles)]
        created += [f"{point}{folder}" for point, files in self._files.items() for folder in files.folders]
        if not specification or not created:
            return
        with labels(self.guest.folder, self._contexts(specification)) as known:
            for path in created:
                files, inside = self.at(path)
                if context := known.of(path, files.mode(inside)):
                    files.label(inside, context)
        self.guest.notes.append(f"SELinux labels set by {specification}")

    def _contexts(self, specification: str) -> dict[str, bytes]:
        systems = {point or "/": self.guest.stack.open(name) for point, name in self.devices.items()}
        fs = GuestFS({point: system for point, system in systems.items() if system is not None})
        try:
            found = {suffix: fs.read(specification + suffix) for suffix in SUFFIXES}
        except (FactUnavailable, KeyError) as error:
            raise Declined(f"{specification} cannot be read") from error
        if found[""] is None:
            raise Declined(f"{specification} is absent")
        return {suffix: content for suffix, content in found.items() if content is not None}


def _decline(_where: _Places, operation: Operation) -> None:
    raise Declined(f"{operation['op']!r} needs an appliance")


def _overwrite(where: _Places, op: Overwriting) -> None:
    files, path = where.at(op["path"])
    if files.size(path) is None or hashlib.sha256(files.read(path)).hexdigest() != op["expect"]:
        raise Mismatch(f"{op['path']} is not what was checked")
    files.overwrite(path, base64.b64decode(op["data"]))


def _create(where: _Places, op: Creating) -> None:
    files, path = where.at(op["path"])
    _need_absent(files, path, op)
    files.create(path, base64.b64decode(op["data"]), op["mode"])


def _need_absent(files: Files, path: str, op: Creating | Copying) -> None:
    if files.size(path) is not None:
        raise Mismatch(f"{op['path']} exists already")


def _copy(where: _Places, op: Copying) -> None:
    files, path = where.at(op["path"])
    others, source = where.at(op["source"])
    _need_absent(files, path, op)
    if others is not files:
        raise Declined(f"{op['source']} and {op['path']} are on two filesystems")
    files.copy(source, path)


def _delete(where: _Places, op: Deleting) -> None:
    files, path = where.at(op["path"])
    files.delete(path)


def _append(where: _Places, op: Appending) -> None:
    files, path = where.at(op["path"])
    if files.size(path) != op["size"]:
        raise Mismatch(f"{op['path']} is not as long as it was when it was checked")
    files.append(path, op["size"], base64.b64decode(op["data"]))


def _registry(where: _Places, op: RegistryEditing) -> None:
    files, path = where.at(op["path"])
    data = files.read(path)
    files.overwrite(path, hive.edited(data, op["path"], op["edits"], where.guest.folder))
    where.guest.by.append("hivex")


_OPERATIONS: dict[str, Callable[[_Places, Any], None]] = {
    "overwrite": _overwrite,
    "create": _create,
    "copy": _copy,
    "delete": _delete,
    "append": _append,
    "registry": _registry,
}
