"""From a reference to the disk files behind it. Runs in the child: OVA, OVF, VMX and libvirt definitions are read here."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from v2vlint.files import Access, Missing, Refused, access
from v2vlint.model.definition import Definition, DiskDevice, Feature, place_name
from v2vlint.model.errors import ImageError
from v2vlint.model.source import DiskFile, GuestRef, GuestSource
from v2vlint.model.xml_document import MAX_XML
from v2vlint.source.domain import domain
from v2vlint.source.manifest import MAX_MANIFEST, compare
from v2vlint.source.ovf import ovf
from v2vlint.source.vmx import MAX_VMX, vmx

MAX_MEMBERS = 4096
MAX_CHUNKS = 10_000
_DISKS = (".vmdk", ".vhd", ".vhdx", ".img", ".raw", ".qcow2", ".vdi", ".gz")
_FORMATS = frozenset({"raw", "qcow2", "vmdk", "vdi", "vhdx", "vpc"})


@dataclass(frozen=True, slots=True)
class _Absent:
    """Why a disk cannot be had; ``missing`` says that there is no such file."""

    reason: str
    missing: bool = False


Found = DiskFile | _Absent
"""A disk, or why there is none."""


def locate(ref: GuestRef) -> GuestSource:
    """The ordered disks of ``ref`` with its definition; ImageError when the definition cannot be read, or there is nothing to read."""
    if ref.problem:
        raise ImageError(ref.problem, hint=ref.hint)
    if ref.kind == "disks":
        below = ref.below or (("", ""),) * len(ref.paths)
        return GuestSource(ref.name, tuple(DiskFile(path, path, below=one) for path, one in zip(ref.paths, below, strict=True)))
    return _Locator(ref).source()


class _Locator:
    """Finds the disks that a definition names. Every file is opened through the policy for the guest."""

    def __init__(self, ref: GuestRef) -> None:
        self.ref, self.files = ref, access(ref)
        self.where = ref.paths[0] if ref.paths else ref.name

    def source(self) -> GuestSource:
        return {"ova": self.ova, "libvirt": self.libvirt, "vmx": self.vmx}.get(self.ref.kind, self.ovf)()

    def ovf(self) -> GuestSource:
        definition = ovf(self.where, self.read(self.where, MAX_XML))
        source = _source(self.ref, definition, [self.beside(disk) for disk in definition.disks])
        return self.verified(source, f"{os.path.splitext(self.where)[0]}.mf")  # noqa: PTH122

    def libvirt(self) -> GuestSource:
        ref = self.ref
        definition = domain(self.where, ref.text or self.read(self.where, MAX_XML))
        taken = tuple(Feature("snapshot", name, definition.at("name")) for name in ref.snapshots)
        definition = replace(definition, running=ref.state, snapshots=taken)
        return _source(ref, definition, [self.local(disk, dict(ref.volumes)) for disk in definition.disks])

    def vmx(self) -> GuestSource:
        listed = f"{os.path.splitext(self.where)[0]}.vmsd"  # noqa: PTH122
        data = self.read(self.where, MAX_VMX)
        definition = vmx(self.where, data, self.read(listed, MAX_VMX) if self.problem(listed) is None else b"")
        return _source(self.ref, definition, [self.beside(disk) for disk in definition.disks])

    def read(self, path: str, limit: int) -> bytes:
        """The content of a small file."""
        return _whole(DiskFile(path, path), limit, self.files)

    def problem(self, path: str) -> ImageError | None:
        """Why a file cannot be opened; None when it can."""
        try:
            os.close(self.files.open(path).descriptor)
        except ImageError as error:
            return error
        return None

    def beside(self, disk: DiskDevice) -> Found:
        """A disk of an OVF or VMX file: in its folder or below; a path of another host is looked for there by its name."""
        folder = os.path.dirname(self.where)  # noqa: PTH120
        relative = disk.path.replace("\\", "/")
        if not relative:
            return _Absent(f"a disk of {self.where} has no file")
        if "://" in disk.path:
            return _Absent(f"disk {disk.path!r} is outside the folder of {self.where}: not read")
        if relative.startswith("/") or ".." in PurePosixPath(relative).parts:
            relative = PurePosixPath(relative).name
        path = os.path.join(folder, relative)  # noqa: PTH118
        if disk.chunk:
            return _chunked(path, lambda name: DiskFile(name, name) if self.problem(name) is None else None)
        return self.found(disk.path, path)

    def local(self, disk: DiskDevice, volumes: dict[str, str]) -> Found:
        """A disk of a libvirt domain: at its path, or beside the XML file under the same name. ``volumes`` has paths of those in pools."""
        path = disk.path or volumes.get(disk.target, "")
        if not path:
            return _Absent(f"disk {disk.target or '?'} is not a local file: not read")
        kind = {"vpc": "vhd"}.get(disk.format, disk.format) if disk.format in _FORMATS else ""
        beside = os.path.join(os.path.dirname(self.where), os.path.basename(path))  # noqa: PTH118, PTH119, PTH120
        return self.found(path, path, beside, kind=kind)

    def found(self, name: str, *paths: str, kind: str = "") -> Found:
        """The first of ``paths`` that can be opened, or the reason why not even the last can."""
        problems: list[ImageError] = []
        for path in paths:
            problem = self.problem(path)
            if problem is None:
                return DiskFile(path, path, format=kind)
            problems.append(problem)
        problem = next((one for one in problems if not isinstance(one, Missing)), None)
        if isinstance(problem, Refused):
            return _Absent(f"disk {name!r} is outside the folder of {self.where}: not read; {problem.hint}")
        return _Absent(problem.message) if problem else _Absent(f"disk {paths[0]} is missing", missing=True)

    def verified(self, source: GuestSource, manifest: str) -> GuestSource:
        """The source with what its manifest finds wrong, if there is one beside it. Disks are hashed only when asked for."""
        if self.problem(manifest) is not None:
            return source
        folder, own = os.path.split(self.where)

        def find(name: str) -> DiskFile | None:
            path = os.path.join(folder, os.path.basename(name))  # noqa: PTH118, PTH119
            return DiskFile(path, name) if self.problem(path) is None else None

        text, wanted = self.read(manifest, MAX_MANIFEST), lambda name: self.ref.verify or name == own
        return _with_problems(source, compare(place_name(manifest), text, find, wanted, self.files))

    def ova(self) -> GuestSource:
        path = self.where
        members = _members(path, self.files)
        by_name = {one.name: one for one in members}
        envelopes = [one for one in members if one.name.lower().endswith(".ovf")]
        if not envelopes:
            disks = tuple(one for one in members if one.name.lower().endswith(_DISKS))
            return GuestSource(self.ref.name, _with_siblings(disks, members), remarks=("no OVF descriptor in it",))
        envelope = envelopes[0]
        definition = ovf(f"{path}:{envelope.name}", _whole(envelope, MAX_XML, self.files))
        definition = replace(definition, path=f"{place_name(path)}:{envelope.name}")
        source = _source(self.ref, definition, [_inside(envelope, disk, by_name) for disk in definition.disks])
        source = replace(source, disks=_with_siblings(source.disks, members))
        manifest = next((one for one in members if one.name.lower().endswith(".mf") and one.length <= MAX_MANIFEST), None)
        if manifest is None:
            return source
        text, wanted = _whole(manifest, MAX_MANIFEST, self.files), lambda one: self.ref.verify or one == envelope.name
        return _with_problems(source, compare(f"{place_name(path)}:{manifest.name}", text, by_name.get, wanted, self.files))


def _source(ref: GuestRef, definition: Definition, found: Sequence[Found]) -> GuestSource:
    disks = tuple(one for one in found if isinstance(one, DiskFile))
    pairs = zip(definition.disks, found, strict=True)
    devices = tuple(replace(disk, missing=isinstance(one, _Absent) and one.missing) for disk, one in pairs)
    remarks = tuple(one.reason for one in found if isinstance(one, _Absent))
    return GuestSource(ref.name, disks, replace(definition, disks=devices), remarks)


def _chunked(path: str, find: Callable[[str], DiskFile | None]) -> Found:
    """A file in pieces: ``path.000000000``, ``path.000000001``… in order."""
    pieces: list[DiskFile] = []
    while len(pieces) < MAX_CHUNKS and (piece := find(f"{path}.{len(pieces):09d}")) is not None:
        pieces.append(piece)
    if not pieces:
        return _Absent(f"disk {path} is missing: there is no {os.path.basename(path)}.000000000", missing=True)  # noqa: PTH119
    return DiskFile(pieces[0].path, path, chunks=tuple(pieces))


def _with_problems(source: GuestSource, problems: Iterator[Feature]) -> GuestSource:
    assert source.definition is not None
    try:
        features = (*source.definition.features, *problems)
    except OSError as error:
        raise ImageError(f"{source.name}: {os.strerror(error.errno or 0).lower()}") from error
    return replace(source, definition=replace(source.definition, features=features))


def _inside(envelope: DiskFile, disk: DiskDevice, by_name: dict[str, DiskFile]) -> Found:
    """A disk of an OVA: a member, or its pieces."""
    name = os.path.normpath(os.path.join(os.path.dirname(envelope.name), disk.path))  # noqa: PTH118, PTH120
    if disk.chunk and isinstance(found := _chunked(name, by_name.get), DiskFile):
        return found
    return by_name.get(name) or by_name.get(disk.path) or _Absent(f"disk {disk.path!r} is not in it", missing=bool(disk.path))


def _with_siblings(disks: Sequence[DiskFile], members: Sequence[DiskFile]) -> tuple[DiskFile, ...]:
    return tuple(replace(one, siblings=tuple(members)) for one in disks)


def _members(path: str, files: Access) -> tuple[DiskFile, ...]:
    """The regular files of a tar archive as slices of it, read in place."""
    try:
        with os.fdopen(files.open(path).descriptor, "rb") as stream, tarfile.open(fileobj=stream, mode="r:") as archive:
            found: list[DiskFile] = []
            for member in archive:
                if member.isreg() and not member.sparse:
                    found.append(DiskFile(path, member.name.removeprefix("./"), member.offset_data, member.size))
                if len(found) > MAX_MEMBERS:
                    raise ImageError(f"{path}: more than {MAX_MEMBERS} files in it")
            return tuple(found)
    except OSError as error:
        raise ImageError(f"{path}: {os.strerror(error.errno or 0).lower()}") from error
    except (tarfile.TarError, ValueError, OverflowError) as error:
        raise ImageError(f"{path}: not a tar archive, as an OVA is: {error}", hint="unpack it first if it is compressed") from error


def _whole(file: DiskFile, limit: int, files: Access) -> bytes:
    """The content of a small file or member."""
    with os.fdopen(files.open(file.path).descriptor, "rb") as stream:
        stream.seek(file.offset)
        data = stream.read(min(file.length, limit + 1) if file.length >= 0 else limit + 1)
    if len(data) > limit or file.length > limit:
        raise ImageError(f"{file.name}: larger than {limit} bytes")
    return data
