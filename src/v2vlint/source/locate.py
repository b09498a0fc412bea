"""From a reference to the disk files behind it. Runs in the child: OVA, OVF, VMX and libvirt definitions are read here."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

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

Found = DiskFile | str
"""A disk, or why there is none."""


def locate(ref: GuestRef) -> GuestSource:
    """The ordered disks of ``ref`` with its definition; ImageError when the definition cannot be read, or there is nothing to read."""
    if ref.problem:
        raise ImageError(ref.problem, hint=ref.hint)
    if ref.kind == "disks":
        return GuestSource(ref.name, tuple(DiskFile(path, path) for path in ref.paths))
    if ref.kind == "ova":
        return _ova(ref)
    where = ref.paths[0] if ref.paths else ref.name
    if ref.kind == "libvirt":
        return _libvirt(ref, where)
    if ref.kind == "vmx":
        return _vmx(ref, where)
    definition = ovf(where, _read(where, MAX_XML))
    source = _source(ref, definition, [_beside(where, disk) for disk in definition.disks])
    return _verified(ref, source, f"{os.path.splitext(where)[0]}.mf", where)  # noqa: PTH122


def _libvirt(ref: GuestRef, where: str) -> GuestSource:
    definition = domain(where, ref.text or _read(where, MAX_XML))
    taken = tuple(Feature("snapshot", name, definition.at("name")) for name in ref.snapshots)
    definition = replace(definition, running=ref.state, snapshots=taken)
    return _source(ref, definition, [_local(where, disk, dict(ref.volumes)) for disk in definition.disks])


def _vmx(ref: GuestRef, where: str) -> GuestSource:
    listed = f"{os.path.splitext(where)[0]}.vmsd"  # noqa: PTH122
    definition = vmx(where, _read(where, MAX_VMX), _read(listed, MAX_VMX) if os.path.isfile(listed) else b"")  # noqa: PTH113
    return _source(ref, definition, [_beside(where, disk) for disk in definition.disks])


def _source(ref: GuestRef, definition: Definition, found: Sequence[Found]) -> GuestSource:
    disks = tuple(one for one in found if isinstance(one, DiskFile))
    devices = tuple(
        replace(disk, missing=bool(disk.path) and isinstance(one, str)) for disk, one in zip(definition.disks, found, strict=True)
    )
    remarks = tuple(one for one in found if isinstance(one, str))
    return GuestSource(ref.name, disks, replace(definition, disks=devices), remarks)


def _read(path: str, limit: int) -> bytes:
    try:
        with open(path, "rb") as stream:  # noqa: PTH123
            data = stream.read(limit + 1)
    except OSError as error:
        raise ImageError(f"{path}: {os.strerror(error.errno or 0).lower()}") from error
    if len(data) > limit:
        raise ImageError(f"{path}: larger than {limit} bytes")
    return data


def _beside(where: str, disk: DiskDevice) -> Found:
    """A disk of an OVF or VMX file: in its folder or below, never elsewhere."""
    folder = os.path.dirname(where)  # noqa: PTH120
    relative = disk.path.replace("\\", "/")
    if not relative:
        return f"a disk of {where} has no file"
    if relative.startswith("/") or ".." in PurePosixPath(relative).parts:
        relative = PurePosixPath(relative).name
    path = os.path.join(folder, relative)  # noqa: PTH118
    inside = os.path.realpath(path).startswith(os.path.realpath(folder or ".").rstrip("/") + "/")
    if "://" in disk.path or not inside:
        return f"disk {disk.path!r} is outside the folder of {where}: not read"
    if disk.chunk:
        return _chunked(path, lambda name: DiskFile(name, name) if os.path.isfile(name) else None)  # noqa: PTH113
    return DiskFile(path, path) if os.path.isfile(path) else f"disk {path} is missing"  # noqa: PTH113


def _chunked(path: str, find: Callable[[str], DiskFile | None]) -> Found:
    """A file in pieces: ``path.000000000``, ``path.000000001``… in order."""
    pieces: list[DiskFile] = []
    while len(pieces) < MAX_CHUNKS and (piece := find(f"{path}.{len(pieces):09d}")) is not None:
        pieces.append(piece)
    if not pieces:
        return f"disk {path} is missing: there is no {os.path.basename(path)}.000000000"  # noqa: PTH119
    return DiskFile(pieces[0].path, path, chunks=tuple(pieces))


def _local(where: str, disk: DiskDevice, volumes: dict[str, str]) -> Found:
    """A disk of a libvirt domain: at its path, or beside the XML file under the same name. ``volumes`` has the path of those in pools."""
    path = disk.path or volumes.get(disk.target, "")
    if not path:
        return f"disk {disk.target or '?'} is not a local file: not read"
    kind = {"vpc": "vhd"}.get(disk.format, disk.format) if disk.format in _FORMATS else ""
    beside = os.path.join(os.path.dirname(where), os.path.basename(path))  # noqa: PTH118, PTH119, PTH120
    for one in (path, beside):
        if os.path.exists(one):  # noqa: PTH110
            return DiskFile(one, one, format=kind)
    return f"disk {path} is missing"


def _verified(ref: GuestRef, source: GuestSource, manifest: str, where: str) -> GuestSource:
    """The source with what its manifest finds wrong, if there is one beside ``where``. Disks are hashed only when asked for."""
    if source.definition is None or not os.path.isfile(manifest):  # noqa: PTH113
        return source
    folder, own = os.path.split(where)

    def find(name: str) -> DiskFile | None:
        path = os.path.join(folder, os.path.basename(name))  # noqa: PTH118, PTH119
        return DiskFile(path, name) if os.path.isfile(path) else None  # noqa: PTH113

    problems = compare(place_name(manifest), _read(manifest, MAX_MANIFEST), find, lambda name: ref.verify or name == own)
    return _with_problems(source, problems)


def _with_problems(source: GuestSource, problems: Iterator[Feature]) -> GuestSource:
    assert source.definition is not None
    try:
        features = (*source.definition.features, *problems)
    except OSError as error:
        raise ImageError(f"{source.name}: {os.strerror(error.errno or 0).lower()}") from error
    return replace(source, definition=replace(source.definition, features=features))


def _ova(ref: GuestRef) -> GuestSource:
    path = ref.paths[0]
    members = _members(path)
    by_name = {one.name: one for one in members}
    envelopes = [one for one in members if one.name.lower().endswith(".ovf")]
    if not envelopes:
        disks = tuple(one for one in members if one.name.lower().endswith(_DISKS))
        return GuestSource(ref.name, _with_siblings(disks, members), remarks=("no OVF descriptor in it",))
    envelope = envelopes[0]
    definition = ovf(f"{path}:{envelope.name}", _member(envelope, MAX_XML))
    definition = replace(definition, path=f"{place_name(path)}:{envelope.name}")
    source = _source(ref, definition, [_inside(envelope, disk, by_name) for disk in definition.disks])
    source = replace(source, disks=_with_siblings(source.disks, members))
    manifest = next((one for one in members if one.name.lower().endswith(".mf") and one.length <= MAX_MANIFEST), None)
    if manifest is None:
        return source
    name = f"{place_name(path)}:{manifest.name}"
    wanted = compare(name, _member(manifest, MAX_MANIFEST), by_name.get, lambda one: ref.verify or one == envelope.name)
    return _with_problems(source, wanted)


def _inside(envelope: DiskFile, disk: DiskDevice, by_name: dict[str, DiskFile]) -> Found:
    """A disk of an OVA: a member, or its pieces."""
    name = os.path.normpath(os.path.join(os.path.dirname(envelope.name), disk.path))  # noqa: PTH118, PTH120
    if disk.chunk and isinstance(found := _chunked(name, by_name.get), DiskFile):
        return found
    return by_name.get(name) or by_name.get(disk.path) or f"disk {disk.path!r} is not in it"


def _with_siblings(disks: Sequence[DiskFile], members: Sequence[DiskFile]) -> tuple[DiskFile, ...]:
    return tuple(replace(one, siblings=tuple(members)) for one in disks)


def _members(path: str) -> tuple[DiskFile, ...]:
    """The regular files of a tar archive as slices of it, read in place."""
    try:
        with tarfile.open(path, "r:") as archive:
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


def _member(member: DiskFile, limit: int) -> bytes:
    if member.length > limit:
        raise ImageError(f"{member.path}: {member.name} is larger than {limit} bytes")
    with open(member.path, "rb") as stream:  # noqa: PTH123
        stream.seek(member.offset)
        return stream.read(member.length)
