"""Disk image formats, detected by magic: from a file to the virtual disk inside it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from v2vlint.disk.containers.tarred import holds_disk, open_tarred
from v2vlint.disk.containers.variant import variant_of
from v2vlint.disk.stream import Cached, HostFile, Joined, Piece, Stream
from v2vlint.files import FileMissing, FileOpener, Refused, access
from v2vlint.files.urls import beside
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import ImageError, Unsupported
from v2vlint.model.source import DiskFile, ImageExtent, ImageNode

if TYPE_CHECKING:
    from v2vlint.disk.containers.microsoft import Blocks
    from v2vlint.disk.containers.vmdk import Descriptor, VmdkExtent

MAX_CHAIN = 16
_PACKED = {
    b"\xfd7zXZ\0": ("xz", "unxz"),
    b"BZh": ("bzip2", "bunzip2"),
    b"\x28\xb5\x2f\xfd": ("zstd", "unzstd"),
    b"PK\3\4": ("zip", "unzip"),
    b"7z\xbc\xaf\x27\x1c": ("7z", "7z x"),
}
_CONVERT, _EXPORT = "convert it with qemu-img convert", "export it as a raw image first, with ewfexport"
_FOREIGN = (
    (0, b"QED\0", "QED", _CONVERT),
    (0, b"QFI\xfb\0\0\0\1", "qcow (version 1)", _CONVERT),
    (0, b"Bochs Virtual HD", "Bochs", _CONVERT),
    (0, b"#!/bin/sh\n#V2.0 Format", "cloop", _CONVERT),
    (0, b"shdw", "ASIF", "convert it on macOS, with diskutil image"),
    (-512, b"koly", "DMG", "convert it with qemu-img convert, or on macOS with hdiutil convert"),
    (0, b"encrcdsa", "encrypted DMG", "convert it on macOS, with hdiutil convert"),
    (0, b"EVF\x09\x0d\x0a\xff\0", "EnCase (E01)", _EXPORT),
    (0, b"EVF2\x0d\x0a\x81\0", "EnCase (Ex01)", _EXPORT),
    (0, b"AFF10\x0d\x0a\0", "AFF", "export it as a raw image first, with affconvert"),
    (257, b"ustar", "tar", "unpack it first, with tar xf"),
)
"""Formats that are not read: the position of the magic (negative: from the end), the magic, the name, and what to do."""
_GZIP = b"\x1f\x8b\x08"
_PROTOCOL = re.compile(r"[^:/]*:")


@dataclass(slots=True)
class Image:
    """An opened disk image: ``stream`` is the virtual disk, ``files`` are all its host files, ``remarks`` describe anything unusual.

    ``node`` is how QEMU can open the same; None when it cannot (a compressed or split image). ``backing`` and ``data_file`` are the names
    that the image states for its parent and for the (first) file with its data. ``sector`` is the disk's logical sector size if the image
    states it (VHDX), else 0. ``variant``: see :func:`variant_of`.
    """

    name: str
    format: str
    stream: Stream
    files: list[HostFile] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    node: ImageNode | None = None
    backing: str = ""
    data_file: str = ""
    sector: int = 0
    variant: str = ""


@dataclass(frozen=True, slots=True)
class ChainPart:
    """One image of a chain: its format, virtual disk, and node."""

    format: str
    stream: Stream
    node: ImageNode | None


Read = tuple[Stream, Mapping[str, object] | None]
"""A virtual disk, and what its node has in addition to a path; None when QEMU cannot open it."""


class Opener:
    """Opens one image and everything it refers to through ``access``, tracking the host files and the depth of the chain."""

    def __init__(self, files: FileOpener) -> None:
        self.access = files
        self.files: list[HostFile] = []
        self.remarks: list[str] = []
        self.depth = 0

    def host(self, file: DiskFile) -> HostFile:
        """The bytes of a disk file on the host."""
        stream = HostFile(file.path, file.offset, file.length, self.access)
        self.files.append(stream)
        if file.length > stream.size:
            self.remarks.append(f"{file.name}: truncated ({stream.size} of {file.length} bytes)")
        return stream

    def disk(self, file: DiskFile, base: Stream | None = None) -> ChainPart:
        """The image in ``file`` (or in ``base``, if already open). The format of a gzip-compressed one ends in ``.gz``."""
        if file.format == "blank":
            return ChainPart(file.format, Joined([Piece(file.length, None)]), None)
        base = base or (self.whole(file) if file.chunks else self.host(file))
        if file.format == "layer":
            from v2vlint.disk.containers.layer import in_layer

            part = self.plain(replace(file, format="", member=""), in_layer(file.name, base, file.member))
            return ChainPart(part.format, part.stream, None)
        if not file.format and base.read_at(0, 3) == _GZIP:
            from v2vlint.disk.containers.gzipped import Gzipped

            part = self.plain(file, Gzipped(file.name, base))
            return ChainPart(f"{part.format}.gz", part.stream, None)
        return self.plain(file, base)

    def whole(self, file: DiskFile) -> Stream:
        """A split file, joined."""
        hosts = [self.host(piece) for piece in file.chunks]
        return Joined([Piece(host.size, host) for host in hosts])

    def plain(self, file: DiskFile, base: Stream) -> ChainPart:
        """The image in ``base``, the content of ``file``."""
        kind = file.format or detect(file.name, base)
        try:
            opener = _OPENERS[kind]
        except KeyError:
            raise Unsupported(f"{file.name}: image format {kind} is not supported", hint="convert it with qemu-img convert") from None
        stream, more = opener(self, file, base)
        lone = more is not None and isinstance(base, HostFile)
        return ChainPart(kind, stream, ImageNode(base.real, kind, file.offset, file.length, **more) if lone else None)  # type: ignore[attr-defined, arg-type]

    def referred(self, file: DiskFile, names: Sequence[str], what: str, kind: str = "") -> ChainPart:
        """The disk that ``file`` refers to as its ``what`` (backing file, parent…); see :meth:`found`."""
        return self.below(file, names, what, kind)[0]

    def below(self, file: DiskFile, names: Sequence[str], what: str, kind: str = "") -> tuple[ChainPart, HostFile]:
        """Like :meth:`referred`, but returns the file as well."""
        if self.depth >= MAX_CHAIN:
            raise ImageError(f"{file.name}: more than {MAX_CHAIN} images in a chain")
        self.depth += 1
        try:
            target, host = self.found(file, names, what, kind)
            return self.disk(target, host), host
        finally:
            self.depth -= 1

    def found(self, file: DiskFile, names: Sequence[str], what: str, kind: str = "") -> tuple[DiskFile, HostFile]:
        """The first of ``names`` that exists, relative to ``file``, opened. Refused when the policy forbids it."""
        # Files that the machine's description names come before those that merely have the name.
        known = next((one for one in file.siblings if one.name.rpartition("/")[2] == names[0].rpartition("/")[2]), None)
        if known:
            known = replace(known, siblings=file.siblings)
            return known, self.host(known)
        if file.offset:  # an image inside another file has no folder of its own
            raise ImageError(f"{file.name}: its {what} {names[0]!r} is missing")
        paths = [beside(file.path, name) for name in names]
        for path in paths:
            target = DiskFile(path, path, format=kind, siblings=file.siblings)
            try:
                return target, self.host(target)
            except FileMissing:
                continue
            except Refused as error:
                raise Refused(f"{file.name}: refers to {path[:200]} ({what}), outside its folder", hint=error.hint) from error
        raise FileMissing(f"{file.name}: its {what} {paths[0]} is missing", hint="give the whole chain of images")


def open_image(file: DiskFile, files: FileOpener | None = None) -> Image:
    """Open ``file`` and what it refers to through ``files``. ImageError, Unsupported or Refused says why not.

    Without ``files`` the operator named the file, and whatever it refers to must be in its folder.
    """
    opener = Opener(files or access(None, file.path, *(piece.path for piece in file.chunks)))
    part = opener.disk(file)
    if part.stream.size < 512:
        size = part.stream.size
        raise ImageError(f"{file.name}: " + ("empty" if not size else f"too small to be a disk ({size} bytes)"))
    own = part.node.backing if part.node and file.below[0] else part.node
    extent = next((extent.node for extent in own.extents if extent.node), None) if own else None
    backing, data = (Path(node.path).name if node else "" for node in (own and own.backing, own and (own.data or extent)))
    sector, variant = part.stream.sector or file.sector, variant_of(part.format, part.stream)
    return Image(file.name, part.format, Cached(part.stream), opener.files, opener.remarks, part.node, backing, data, sector, variant)


def detect(name: str, base: Stream) -> str:
    """The image format by magic; ``raw`` when there is none. Unsupported for compressed and foreign formats."""
    head = base.read_at(0, 4096)
    # Before the foreign formats, one of which is any other tar archive.
    if holds_disk(base):
        return "tar"
    for place, magic, foreign, hint in _FOREIGN:
        if base.read_at(place if place >= 0 else max(0, base.size + place), len(magic)) == magic:
            raise Unsupported(f"{name}: {foreign} images are not supported", hint=hint)
    for magic, (packer, tool) in _PACKED.items():
        if head.startswith(magic):
            raise Unsupported(f"{name}: compressed with {packer}", hint=f"unpack it first, with {tool}")
    for magic, offset, kind in _MAGICS:
        if head[offset : offset + len(magic)] == magic:
            return kind
    return "vhd" if _has_vhd_footer(base) else "raw"


def _has_vhd_footer(base: Stream) -> bool:
    # Versions before Virtual PC 2004 wrote footers of 511 bytes (VHD specification).
    return base.size >= 1024 and b"conectix" in (base.read_at(base.size - 512, 8), base.read_at(base.size - 511, 8))


def _open_raw(_opener: Opener, _file: DiskFile, base: Stream) -> Read:
    return base, {}


def _open_tar(_opener: Opener, file: DiskFile, base: Stream) -> Read:
    return open_tarred(file.name, base), None


def _open_qcow2(opener: Opener, file: DiskFile, base: Stream) -> Read:
    from v2vlint.disk.containers import qcow2

    header = qcow2.read_header(file.name, base)
    if header.external and not header.data_file:
        raise ImageError(f"{file.name}: damaged qcow2 (its data is in another file, which it does not name)")
    data = opener.found(file, [_plain_name(file, header.data_file, "data file")], "data file")[1] if header.data_file else None
    name, kind = file.below
    if not name and header.backing:
        name, kind = _plain_name(file, header.backing, "backing file"), header.backing_format
    backing = opener.referred(file, [name], "backing file", kind) if name else None
    if header.corrupt:
        opener.remarks.append(f"{file.name}: marked as corrupt; qemu-img check -r all may repair it")
    if (used := qcow2.used_bytes(base, header)) > base.size:
        opener.remarks.append(f"{file.name}: truncated (in use up to byte {used}, but {base.size} bytes long)")
    if header.dirty:
        opener.remarks.append(f"{file.name}: was not closed cleanly (dirty)")
    stream = qcow2.Qcow2(file.name, base, header, data, backing.stream if backing else None)
    if backing and backing.node is None:
        return stream, None
    node = ImageNode(data.real, "raw") if data else None
    return stream, {"backing": backing and backing.node, "data": node, "stated": not backing or bool(kind)}


def _plain_name(file: DiskFile, name: str, what: str) -> str:
    """A name in a qcow2 header as a host path. Unsupported if QEMU would parse a protocol or options: an image must not choose those."""
    if _PROTOCOL.match(name) and not name.startswith("file:"):
        raise Unsupported(f"{file.name}: its {what} {name[:80]!r} is not a plain file name")
    return name.removeprefix("file:")


def _open_vmdk(opener: Opener, file: DiskFile, base: Stream) -> Read:
    from v2vlint.disk.containers import vmdk

    if base.read_at(0, 21) != b"# Disk DescriptorFile":
        descriptor = vmdk.read_descriptor(file.name, text) if (text := vmdk.embedded_descriptor(base)) else None
        if descriptor is None or len(descriptor.extents) == 1:
            parent = _vmdk_parent(opener, file, descriptor)
            stream = _vmdk_sparse(opener, file.name, base, parent.stream if parent else None)
            return stream, None if parent and parent.node is None else {"backing": parent and parent.node}
    else:
        descriptor = vmdk.read_descriptor(file.name, base.read_at(0, vmdk.MAX_DESCRIPTOR))
    parent = _vmdk_parent(opener, file, descriptor)
    pieces: list[Piece] = []
    nodes: list[ImageExtent] = []
    for extent in descriptor.extents:
        piece, node = _vmdk_extent(opener, file, extent, parent, sum(piece.size for piece in pieces))
        pieces.append(piece)
        nodes.append(ImageExtent(extent.kind, extent.size, node, extent.start))
    more = {"extents": tuple(nodes), "backing": parent and parent.node, "kind": descriptor.kind, "ids": descriptor.ids}
    return Joined(pieces), None if parent and parent.node is None else more


def _vmdk_parent(opener: Opener, file: DiskFile, descriptor: Descriptor | None) -> ChainPart | None:
    """The parent at the hinted path, or else under the same name beside the child: the hint may be a path on another host."""
    if descriptor is None or not descriptor.parent:
        return None
    written = descriptor.parent.replace("\\", "/")
    return opener.referred(file, [written, written.rpartition("/")[2]], "parent")


def _vmdk_extent(
    opener: Opener, file: DiskFile, extent: VmdkExtent, parent: ChainPart | None, offset: int
) -> tuple[Piece, ImageNode | None]:
    if extent.kind == "ZERO":
        return Piece(extent.size, None), None
    if extent.kind not in ("FLAT", "VMFS", "SPARSE", "VMFSSPARSE", "SESPARSE"):
        raise Unsupported(f"{file.name}: VMDK extent of type {extent.kind} is not supported")
    if not extent.file:
        raise ImageError(f"{file.name}: damaged VMDK descriptor (an extent without a file)")
    target, host = opener.found(file, [extent.file], "extent")
    node = ImageNode(host.real, "raw", target.offset, target.length)
    if extent.kind in ("FLAT", "VMFS"):
        if host.size < extent.start + extent.size:
            opener.remarks.append(f"{host.path}: truncated ({host.size} of {extent.start + extent.size} bytes)")
        return Piece(extent.size, host, extent.start), node
    return Piece(extent.size, _vmdk_sparse(opener, host.path, host, parent.stream if parent else None, offset)), node


def _vmdk_sparse(opener: Opener, name: str, base: Stream, parent: Stream | None, offset: int = 0) -> Stream:
    from v2vlint.disk.containers import vmdk

    extent = vmdk.open_extent(name, base, parent, offset)
    if isinstance(extent, vmdk.Sparse) and (used := extent.used_bytes()) > base.size:
        opener.remarks.append(f"{name}: truncated (in use up to byte {used}, but {base.size} bytes long)")
    return extent


def _open_vhd(opener: Opener, file: DiskFile, base: Stream) -> Read:
    from v2vlint.disk.containers.differencing import vhd_identity
    from v2vlint.disk.containers.microsoft import open_vhd

    disk = open_vhd(file.name, base)
    if base.read_at(max(0, base.size - 512), 512).find(b"conectix") not in (0, 1):
        opener.remarks.append(f"{file.name}: truncated (the footer at its end is missing)")
    return _with_parent(opener, file, disk, vhd_identity)


def _with_parent(opener: Opener, file: DiskFile, disk: Stream, identity: Callable[[Stream], bytes]) -> Read:
    """The disk on top of its parent, which must be that very disk, unchanged since. QEMU cannot open such disks."""
    from v2vlint.disk.containers.microsoft import Blocks

    if not isinstance(disk, Blocks) or disk.link is None:
        return disk, {}
    below, host = opener.below(file, disk.link.names, "parent")
    if identity(host) != disk.link.identity:
        hint = "give the one that it was made from, as it was then"
        raise ImageError(f"{file.name}: its parent {host.path} is another disk, or was changed since", hint=hint)
    disk.parent = below.stream
    return disk, None


def _open_vhdx(opener: Opener, file: DiskFile, base: Stream) -> Read:
    from v2vlint.disk.containers.differencing import vhdx_identity
    from v2vlint.disk.containers.microsoft import Vhdx

    disk = Vhdx(file.name, base)
    if disk.dirty:
        opener.remarks.append(f"{file.name}: was not closed cleanly; its log holds changes that were not read")
    return _with_parent(opener, file, _whole(opener, file, base, disk), vhdx_identity)


def _open_vdi(opener: Opener, file: DiskFile, base: Stream) -> Read:
    from v2vlint.disk.containers.differencing import vdi_identity
    from v2vlint.disk.containers.microsoft import Vdi

    disk = _whole(opener, file, base, Vdi(file.name, base))
    if disk.link and not file.siblings:
        hint = "give the machine's .vbox file, which knows where that is, or merge the disk into its parent"
        raise Unsupported(f"{file.name}: a differencing VDI, which names its parent by an identifier only", hint=hint)
    return _with_parent(opener, file, disk, vdi_identity)


def _open_parallels(opener: Opener, file: DiskFile, base: Stream) -> Read:
    from v2vlint.disk.containers.parallels import Parallels

    disk = Parallels(file.name, base)
    if disk.dirty:
        opener.remarks.append(f"{file.name}: was not closed cleanly")
    return _whole(opener, file, base, disk), None


def _open_xva(_opener: Opener, file: DiskFile, base: Stream) -> Read:
    from v2vlint.disk.containers.xva import XvaDisk

    return XvaDisk(file.name, base, file.member), None


def _whole(opener: Opener, file: DiskFile, base: Stream, disk: Blocks) -> Blocks:
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
    (b"WithoutFreeSpace", 0, "parallels"),
    (b"WithouFreSpacExt", 0, "parallels"),
    (b"conectix", 0, "vhd"),
    (b"\x7f\x10\xda\xbe", 64, "vdi"),
)
_OPENERS: dict[str, Callable[[Opener, DiskFile, Stream], Read]] = {
    "raw": _open_raw,
    "qcow2": _open_qcow2,
    "vmdk": _open_vmdk,
    "vhd": _open_vhd,
    "vpc": _open_vhd,
    "vhdx": _open_vhdx,
    "vdi": _open_vdi,
    "parallels": _open_parallels,
    "xva": _open_xva,
    "tar": _open_tar,
}
