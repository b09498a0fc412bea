"""From a reference to the disk files behind it. Runs in the child: OVA, OVF, VMX and libvirt definitions are read here."""

from __future__ import annotations

import hashlib
import os
import re
import tarfile
from collections.abc import Sequence
from pathlib import PurePosixPath

from v2vlint.model.definition import Definition, DiskDevice
from v2vlint.model.errors import ImageError
from v2vlint.model.source import DiskFile, GuestRef, GuestSource
from v2vlint.source.vmx import MAX_VMX, vmx
from v2vlint.source.xml import MAX_XML, domain, ovf

MAX_MEMBERS = 4096
MAX_MANIFEST = 1 << 20
_DISKS = (".vmdk", ".vhd", ".vhdx", ".img", ".raw", ".qcow2", ".vdi")
_MANIFEST = re.compile(r"^(SHA1|SHA256|SHA512)\s*\(([^)]+)\)\s*=\s*([0-9a-fA-F]+)", re.MULTILINE)
_FORMATS = frozenset({"raw", "qcow2", "vmdk", "vdi", "vhdx", "vpc"})


def locate(ref: GuestRef) -> GuestSource:
    """The ordered disks of ``ref`` with its definition; ImageError when the definition cannot be read."""
    if ref.kind == "disks":
        return GuestSource(ref.name, tuple(DiskFile(path, path) for path in ref.paths))
    if ref.kind == "ova":
        return _ova(ref)
    where = ref.paths[0] if ref.paths else ref.name
    if ref.kind == "libvirt":
        definition = domain(where, ref.text or _read(where, MAX_XML))
        return _source(ref, definition, [_local(where, disk) for disk in definition.disks])
    definition = vmx(where, _read(where, MAX_VMX)) if ref.kind == "vmx" else ovf(where, _read(where, MAX_XML))
    return _source(ref, definition, [_beside(where, disk) for disk in definition.disks])


def _source(ref: GuestRef, definition: Definition, found: Sequence[DiskFile | str]) -> GuestSource:
    disks = tuple(one for one in found if isinstance(one, DiskFile))
    return GuestSource(ref.name, disks, definition, tuple(one for one in found if isinstance(one, str)))


def _read(path: str, limit: int) -> bytes:
    try:
        with open(path, "rb") as stream:  # noqa: PTH123
            data = stream.read(limit + 1)
    except OSError as error:
        raise ImageError(f"{path}: {os.strerror(error.errno or 0).lower()}") from error
    if len(data) > limit:
        raise ImageError(f"{path}: larger than {limit} bytes")
    return data


def _beside(where: str, disk: DiskDevice) -> DiskFile | str:
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
    return DiskFile(path, path) if os.path.isfile(path) else f"disk {path} is missing"  # noqa: PTH113


def _local(where: str, disk: DiskDevice) -> DiskFile | str:
    """A disk of a libvirt domain: at its path, or beside the XML file under the same name."""
    if not disk.path:
        return f"disk {disk.target or '?'} is not a local file: not read"
    kind = {"vpc": "vhd"}.get(disk.format, disk.format) if disk.format in _FORMATS else ""
    beside = os.path.join(os.path.dirname(where), os.path.basename(disk.path))  # noqa: PTH118, PTH119, PTH120
    for path in (disk.path, beside):
        if os.path.exists(path):  # noqa: PTH110
            return DiskFile(path, path, format=kind)
    return f"disk {disk.path} is missing"


def _ova(ref: GuestRef) -> GuestSource:
    path = ref.paths[0]
    members = _members(path)
    envelope = next((one for one in members if one.name.lower().endswith(".ovf")), None)
    if envelope is None:
        disks = tuple(one for one in members if one.name.lower().endswith(_DISKS))
        return GuestSource(ref.name, _with_siblings(disks, members), remarks=("no OVF descriptor in it",))
    text = _member(envelope, MAX_XML)
    definition = ovf(f"{path}:{envelope.name}", text)
    by_name = {one.name: one for one in members}
    found: list[DiskFile | str] = []
    for disk in definition.disks:
        name = os.path.normpath(os.path.join(os.path.dirname(envelope.name), disk.path))  # noqa: PTH118, PTH120
        found.append(by_name.get(name) or by_name.get(disk.path) or f"disk {disk.path!r} is not in it")
    source = _source(ref, definition, found)
    remarks = (*source.remarks, *_manifest(members, envelope, text))
    return GuestSource(ref.name, _with_siblings(source.disks, members), definition, remarks)


def _with_siblings(disks: Sequence[DiskFile], members: Sequence[DiskFile]) -> tuple[DiskFile, ...]:
    return tuple(DiskFile(one.path, one.name, one.offset, one.length, siblings=tuple(members)) for one in disks)


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


def _manifest(members: Sequence[DiskFile], envelope: DiskFile, text: bytes) -> tuple[str, ...]:
    """Whether the descriptor is the one that the manifest was made for. Disks are not hashed: it would mean reading all of them."""
    manifest = next((one for one in members if one.name.lower().endswith(".mf") and one.length <= MAX_MANIFEST), None)
    if manifest is None:
        return ()
    for algorithm, name, digest in _MANIFEST.findall(_member(manifest, MAX_MANIFEST).decode("utf-8", "replace")):
        if name == envelope.name and hashlib.new(algorithm.lower(), text).hexdigest() != digest.lower():
            return (f"{envelope.name} does not match its checksum in {manifest.name}",)
    return ()
