"""Disk image formats, told by their magic: from a file to the virtual disk inside it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from v2vlint.disk.stream import Cached, HostFile, Joined, Piece, Stream
from v2vlint.model.errors import ImageError, Unsupported
from v2vlint.model.source import DiskFile

if TYPE_CHECKING:
    from v2vlint.disk.containers.microsoft import Blocks
    from v2vlint.disk.containers.vmdk import Descriptor, Extent

MAX_CHAIN = 16
_PACKED = {
    b"\xfd7zXZ\0": ("xz", "unxz"),
    b"BZh": ("bzip2", "bunzip2"),
    b"\x28\xb5\x2f\xfd": ("zstd", "unzstd"),
    b"PK\3\4": ("zip", "unzip"),
    b"7z\xbc\xaf\x27\x1c": ("7z", "7z x"),
}
_FOREIGN = {
    b"QED\0": "QED",
    b"WithoutFreeSpace": "Parallels",
    b"WithouFreSpacExt": "Parallels",
    b"QFI\xfb\0\0\0\1": "qcow (version 1)",
    b"Bochs Virtual HD": "Bochs",
    b"#!/bin/sh\n#V2.0 Format": "cloop",
    b"shdw": "ASIF",
}
_GZIP = b"\x1f\x8b\x08"
_PROTOCOL = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]+:")


@dataclass(slots=True)
class Image:
    """An opened disk image: ``stream`` is the virtual disk, ``files`` all host files it is made of, ``remarks`` what is odd about it."""

    name: str
    format: str
    stream: Stream
    files: list[HostFile] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


class Opener:
    """Opens one image and everything it refers to, keeping track of the host files and the depth of the chain."""

    def __init__(self) -> None:
        self.files: list[HostFile] = []
        self.remarks: list[str] = []
        self.depth = 0

    def host(self, file: DiskFile, *, only_regular: bool = False) -> HostFile:
        """The bytes of a disk file on the host."""
        stream = HostFile(file.path, file.offset, file.length, only_regular=only_regular)
        self.files.append(stream)
        if file.length > stream.size:
            self.remarks.append(f"{file.name}: truncated ({stream.size} of {file.length} bytes)")
        return stream

    def disk(self, file: DiskFile, *, only_regular: bool = False) -> tuple[str, Stream]:
        """The format and the virtual disk of ``file``. The format of one packed with gzip ends in ``.gz``."""
        base = self.whole(file) if file.chunks else self.host(file, only_regular=only_regular)
        if not file.format and base.read_at(0, 3) == _GZIP:
            from v2vlint.disk.containers.gzipped import Gzipped

            kind, stream = self.plain(file, Gzipped(file.name, base))
            return f"{kind}.gz", stream
        return self.plain(file, base)

    def whole(self, file: DiskFile) -> Stream:
        """The pieces of a file put together."""
        hosts = [self.host(piece, only_regular=True) for piece in file.chunks]
        return Joined([Piece(host.size, host) for host in hosts])

    def plain(self, file: DiskFile, base: Stream) -> tuple[str, Stream]:
        """The format and the virtual disk in ``base``, the content of ``file``."""
        kind = file.format or detect(file.name, base)
        try:
            opener = _OPENERS[kind]
        except KeyError:
            raise Unsupported(f"{file.name}: image format {kind} is not supported", hint="convert it with qemu-img convert") from None
        return kind, opener(self, file, base)

    def referred(self, file: DiskFile, name: str, what: str, kind: str = "") -> tuple[str, Stream]:
        """The disk that ``file`` names as its ``what`` (backing file, extent…): a regular file, found relative to ``file``."""
        if self.depth >= MAX_CHAIN:
            raise ImageError(f"{file.name}: more than {MAX_CHAIN} images in a chain")
        self.depth += 1
        try:
            return self.disk(self.sibling(file, name, what, kind), only_regular=True)
        finally:
            self.depth -= 1

    def sibling(self, file: DiskFile, name: str, what: str, kind: str = "") -> DiskFile:
        """The file that ``file`` calls ``name``. Protocols and options are refused by name: an image must not choose what is opened."""
        known = next((one for one in file.siblings if one.name.rpartition("/")[2] == name.rpartition("/")[2]), None)
        if known:
            return known
        if _PROTOCOL.match(name) and not name.startswith("file:"):
            raise Unsupported(f"{file.name}: its {what} {name[:80]!r} is not a plain file name")
        path = os.path.join(os.path.dirname(file.path), name.removeprefix("file:"))  # noqa: PTH118, PTH120
        if file.offset:
            raise ImageError(f"{file.name}: its {what} {name!r} is missing")
        if not os.path.exists(path):  # noqa: PTH110
            raise ImageError(f"{file.name}: its {what} {path} is missing", hint="give the whole chain of images")
        return DiskFile(path, path, format=kind, siblings=file.siblings)


def open_image(file: DiskFile) -> Image:
    """Open ``file``; ImageError or Unsupported says why not."""
    opener = Opener()
    kind, stream = opener.disk(file)
    if stream.size < 512:
        raise ImageError(f"{file.name}: " + ("empty" if not stream.size else f"too small to be a disk ({stream.size} bytes)"))
    return Image(file.name, kind, Cached(stream), opener.files, opener.remarks)


def detect(name: str, base: Stream) -> str:
    """The image format by magic; ``raw`` when there is none. Unsupported for packed and foreign formats."""
    head = base.read_at(0, 4096)
    for magic, foreign in _FOREIGN.items():
        if head.startswith(magic):
            raise Unsupported(f"{name}: {foreign} images are not supported", hint="convert it with qemu-img convert")
    for magic, (packer, tool) in _PACKED.items():
        if head.startswith(magic):
            raise Unsupported(f"{name}: compressed with {packer}", hint=f"unpack it first, with {tool}")
    for magic, offset, kind in _MAGICS:
        if head[offset : offset + len(magic)] == magic:
            return kind
    return "vhd" if _has_vhd_footer(base) else "raw"


def _has_vhd_footer(base: Stream) -> bool:
    return base.size >= 1024 and b"conectix" in (base.read_at(base.size - 512, 8), base.read_at(base.size - 511, 8))


def _open_raw(_opener: Opener, _file: DiskFile, base: Stream) -> Stream:
    return base


def _open_qcow2(opener: Opener, file: DiskFile, base: Stream) -> Stream:
    from v2vlint.disk.containers import qcow2

    header = qcow2.read_header(file.name, base)
    data = opener.host(opener.sibling(file, header.data_file, "data file"), only_regular=True) if header.data_file else None
    backing = opener.referred(file, header.backing, "backing file", header.backing_format)[1] if header.backing else None
    if header.corrupt:
        opener.remarks.append(f"{file.name}: marked as corrupt; qemu-img check -r all may repair it")
    if (used := qcow2.used_bytes(base, header)) > base.size:
        opener.remarks.append(f"{file.name}: truncated (in use up to byte {used}, but {base.size} bytes long)")
    if header.dirty:
        opener.remarks.append(f"{file.name}: was not closed cleanly (dirty)")
    return qcow2.Qcow2(file.name, base, header, data, backing)


def _open_vmdk(opener: Opener, file: DiskFile, base: Stream) -> Stream:
    from v2vlint.disk.containers import vmdk

    if base.read_at(0, 21) != b"# Disk DescriptorFile":
        descriptor = vmdk.read_descriptor(file.name, text) if (text := vmdk.embedded_descriptor(base)) else None
        if descriptor is None or len(descriptor.extents) == 1:
            return _vmdk_sparse(opener, file.name, base, _vmdk_parent(opener, file, descriptor))
    else:
        descriptor = vmdk.read_descriptor(file.name, base.read_at(0, vmdk.MAX_DESCRIPTOR))
    parent = _vmdk_parent(opener, file, descriptor)
    pieces: list[Piece] = []
    for extent in descriptor.extents:
        pieces.append(_vmdk_extent(opener, file, extent, parent, sum(piece.size for piece in pieces)))
    return Joined(pieces)


def _vmdk_parent(opener: Opener, file: DiskFile, descriptor: Descriptor | None) -> Stream | None:
    if descriptor is None or not descriptor.parent:
        return None
    return opener.referred(file, descriptor.parent.replace("\\", "/").rpartition("/")[2], "parent")[1]


def _vmdk_extent(opener: Opener, file: DiskFile, extent: Extent, parent: Stream | None, offset: int) -> Piece:
    if extent.kind == "ZERO":
        return Piece(extent.size, None)
    if extent.kind not in ("FLAT", "VMFS", "SPARSE", "VMFSSPARSE", "SESPARSE"):
        raise Unsupported(f"{file.name}: VMDK extent of type {extent.kind} is not supported")
    if "/" in extent.file or "\\" in extent.file:
        raise Unsupported(f"{file.name}: its extent {extent.file[:80]!r} is in another folder")
    host = opener.host(opener.sibling(file, extent.file, "extent"), only_regular=True)
    if extent.kind in ("FLAT", "VMFS"):
        if host.size < extent.start + extent.size:
            opener.remarks.append(f"{host.path}: truncated ({host.size} of {extent.start + extent.size} bytes)")
        return Piece(extent.size, host, extent.start)
    return Piece(extent.size, _vmdk_sparse(opener, host.path, host, parent, offset))


def _vmdk_sparse(opener: Opener, name: str, base: Stream, parent: Stream | None, offset: int = 0) -> Stream:
    from v2vlint.disk.containers import vmdk

    extent = vmdk.open_extent(name, base, parent, offset)
    if isinstance(extent, vmdk.Sparse) and (used := extent.used_bytes()) > base.size:
        opener.remarks.append(f"{name}: truncated (in use up to byte {used}, but {base.size} bytes long)")
    return extent


def _open_vhd(opener: Opener, file: DiskFile, base: Stream) -> Stream:
    from v2vlint.disk.containers.microsoft import open_vhd

    disk = open_vhd(file.name, base)
    if base.read_at(max(0, base.size - 512), 512).find(b"conectix") not in (0, 1):
        opener.remarks.append(f"{file.name}: truncated (the footer at its end is missing)")
    return disk


def _open_vhdx(opener: Opener, file: DiskFile, base: Stream) -> Stream:
    from v2vlint.disk.containers.microsoft import Vhdx

    disk = Vhdx(file.name, base)
    if disk.dirty:
        opener.remarks.append(f"{file.name}: was not closed cleanly; its log holds changes that were not read")
    return _whole(opener, file, base, disk)


def _open_vdi(opener: Opener, file: DiskFile, base: Stream) -> Stream:
    from v2vlint.disk.containers.microsoft import Vdi

    return _whole(opener, file, base, Vdi(file.name, base))


def _whole(opener: Opener, file: DiskFile, base: Stream, disk: Blocks) -> Stream:
    if (used := disk.used_bytes()) > base.size:
        opener.remarks.append(f"{file.name}: truncated (in use up to byte {used}, but {base.size} bytes long)")
    return disk


_MAGICS = (
    (b"QFI\xfb", 0, "qcow2"),
    (b"KDMV", 0, "vmdk"),
    (b"COWD", 0, "vmdk"),
    (b"\xbe\xba\xfe\xca\0\0\0\0", 0, "vmdk"),
    (b"# Disk DescriptorFile", 0, "vmdk"),
    (b"vhdxfile", 0, "vhdx"),
    (b"conectix", 0, "vhd"),
    (b"\x7f\x10\xda\xbe", 64, "vdi"),
)
_OPENERS: dict[str, Callable[[Opener, DiskFile, Stream], Stream]] = {
    "raw": _open_raw,
    "qcow2": _open_qcow2,
    "vmdk": _open_vmdk,
    "vhd": _open_vhd,
    "vpc": _open_vhd,
    "vhdx": _open_vhdx,
    "vdi": _open_vdi,
}
