"""EROFS (fs/erofs/erofs_fs.h): the read-only filesystem of images, containers and phones. LZ4 is decompressed; other algorithms are
reported by name.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Iterator, Sequence
from typing import BinaryIO, cast

from v2vlint.disk.fields import Fields
from v2vlint.disk.filesystems.content import Content
from v2vlint.disk.filesystems.node import Kind, NumberedNode
from v2vlint.disk.filesystems.superblocks import EROFS
from v2vlint.disk.stream import Joined, Piece, Stream, exactly
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import ImageError, Unsupported

MAX_LINK = 4096  # PATH_MAX
MAX_DIRECTORY = 64 << 20
MAX_CHUNKS = 1 << 20
_PLAIN, _FULL, _INLINE, _COMPACT, _CHUNKS = range(5)
_KINDS = {0o100000: Kind.FILE, 0o040000: Kind.DIR, 0o120000: Kind.LINK}
_INDEXES = 32
_HOLE = 0xFFFFFFFF
_KNOWN = 0x1 | 0x2 | 0x4 | 0x8
"""Zero padding (of LZ4), big physical clusters, chunks, and the device table of files that may be elsewhere."""

# fs/erofs/erofs_fs.h: what both structures of inodes have, then those of struct erofs_inode_compact and of erofs_inode_extended.
_SLOT = 32
_INODE = Fields("<", i_format=(0, "H"), i_xattr_icount=(2, "H"), i_mode=(4, "H"))
_COMPACT_INODE = Fields("<", i_size=(8, "I"), i_u=(16, "I"), i_uid=(24, "H"), i_gid=(26, "H"))
_EXTENDED_INODE = Fields("<", i_size=(8, "Q"), i_u=(16, "I"), i_uid=(24, "I"), i_gid=(28, "I"), i_mtime=(32, "Q"))
_CHUNK_INDEX = Fields("<", device_id=(2, "H"), blkaddr=(4, "I"))
_BLOCK_NUMBER = Fields("<", blkaddr=(0, "I"))
# What is read in long loops: struct erofs_dirent (nid, nameoff).
_DIRENT = struct.Struct("<QHxx")


@dataclass(frozen=True, slots=True)
class ErofsInode:
    """An inode. ``layout`` is how its data is stored, ``place`` the byte offset of what follows it; ``data`` is a block number or a chunk
    format.
    """

    kind: Kind
    size: int
    mode: int
    uid: int
    gid: int
    mtime: float
    layout: int
    place: int
    data: int


class Erofs:
    """An opened EROFS."""

    type = "erofs"

    def __init__(self, base: Stream, uuid: str = "", label: str = "") -> None:
        self.uuid, self.label, self.stale = uuid, label, ""
        self.base = base
        block = base.read_at(1024, 128)
        if len(block) < 128 or block[:4] != b"\xe2\xe1\xf5\xe0":
            raise ImageError("no EROFS superblock")
        found = EROFS.read(block)
        if not 9 <= found["blkszbits"] <= 16:
            raise ImageError(f"damaged EROFS (blocks of 2^{found['blkszbits']} bytes)")
        self.block = 1 << found["blkszbits"]
        self._root, self._built, features = found["root_nid"], found["build_time"], found["feature_incompat"]
        self._inodes_at = found["meta_blkaddr"] * self.block
        if features & ~_KNOWN:
            raise Unsupported(f"EROFS with incompatible features {features & ~_KNOWN:#x} is not supported")
        # EROFS_FEATURE_INCOMPAT_ZERO_PADDING.
        self._padded = bool(features & 1)
        self.inode = functools.lru_cache(maxsize=4096)(self._inode)
        self.directory = functools.lru_cache(maxsize=512)(self._directory)

    @property
    def root(self) -> ErofsNode:
        """The top directory."""
        return ErofsNode(self, self._root)

    def _inode(self, number: int) -> ErofsInode:
        # erofs_iloc(): a number is that of a slot, and an extended inode fills two.
        at = self._inodes_at + number * _SLOT
        raw = exactly(self.base, at, 2 * _SLOT)
        common = _INODE.read(raw)
        form, xattrs, mode = common["i_format"], common["i_xattr_icount"], common["i_mode"]
        found = (_EXTENDED_INODE if form & 1 else _COMPACT_INODE).read(raw)
        # erofs_xattr_ibody_size(): a header of 12 bytes that includes the first of the counted words.
        place = at + (2 * _SLOT if form & 1 else _SLOT) + (12 + 4 * (xattrs - 1) if xattrs else 0)
        return ErofsInode(
            kind=_KINDS.get(mode & 0o170000, Kind.OTHER),
            size=found["i_size"],
            mode=mode & 0o7777,
            uid=found["i_uid"],
            gid=found["i_gid"],
            # Compact inodes have no time of their own.
            mtime=float(found.get("i_mtime", self._built)),
            layout=form >> 1 & 7,
            place=place,
            data=found["i_u"],
        )

    def _directory(self, number: int) -> dict[str, int]:
        inode = self.inode(number)
        if inode.kind is not Kind.DIR or inode.size > MAX_DIRECTORY:
            raise ImageError(f"damaged EROFS (directory {number})")
        stream, found = self.open(inode), dict[str, int]()
        for at in range(0, inode.size, self.block):
            for name, child in _entries(stream.read_at(at, min(self.block, inode.size - at))):
                found[name] = child
        return {name: child for name, child in found.items() if name not in (".", "..")}

    def open(self, inode: ErofsInode) -> Stream:
        """The content of a file, a link or a directory."""
        if inode.layout in (_PLAIN, _INLINE):
            return self._flat(inode)
        if inode.layout == _CHUNKS:
            return self._chunked(inode)
        if inode.layout in (_FULL, _COMPACT):
            from v2vlint.disk.filesystems.erofs_lz4 import Packed

            if not self._padded:
                raise Unsupported("EROFS files in the old way of compression are not supported")
            return Packed(self.base, self.block, inode.size, inode.place, compact=inode.layout == _COMPACT)
        raise Unsupported(f"EROFS data of layout {inode.layout} is not supported")

    def _flat(self, inode: ErofsInode) -> Stream:
        # Tail packing: what would not fill a block follows the inode.
        last = (inode.size - 1) // self.block * self.block if inode.size and inode.layout == _INLINE else inode.size
        pieces = [Piece(last, self.base, inode.data * self.block)]
        return Joined([*pieces, Piece(inode.size - last, self.base, inode.place)])

    def _chunked(self, inode: ErofsInode) -> Stream:
        form, width = inode.data & 0xFFFF, 8 if inode.data & _INDEXES else 4
        chunk = self.block << (form & 31)
        count = -(-inode.size // chunk)
        if count > MAX_CHUNKS:
            raise ImageError(f"damaged EROFS ({count} chunks)")
        table = exactly(self.base, -(-inode.place // width) * width, count * width)
        pieces = []
        for number in range(count):
            # struct erofs_inode_chunk_index; without indexes, the table has block numbers alone.
            entry = (_CHUNK_INDEX if width == 8 else _BLOCK_NUMBER).read(table, number * width)
            place = entry["blkaddr"]
            if entry.get("device_id"):
                raise Unsupported("EROFS data on another device is not supported")
            size = min(chunk, inode.size - number * chunk)
            pieces.append(Piece(size, None if place == _HOLE else self.base, 0 if place == _HOLE else place * self.block))
        return Joined(pieces)


def _entries(block: bytes) -> Iterator[tuple[str, int]]:
    # The first name begins where the entries end.
    first = _DIRENT.unpack_from(block)[1] if len(block) >= _DIRENT.size else 0
    if not _DIRENT.size <= first <= len(block) or first % _DIRENT.size:
        raise ImageError("damaged EROFS (directory)")
    heads = list(_DIRENT.iter_unpack(block[:first]))
    ends = [*(start for _number, start in heads[1:]), len(block)]
    for (number, start), end in zip(heads, ends, strict=True):
        if not first <= start < end <= len(block):
            raise ImageError("damaged EROFS (directory)")
        yield block[start:end].split(b"\0", 1)[0].decode("utf-8", "surrogateescape"), number


class ErofsNode(NumberedNode[Erofs]):
    """Implements :class:`~v2vlint.disk.filesystems.node.Node`."""

    def link(self) -> str:
        """See :class:`~v2vlint.disk.filesystems.node.Node`."""
        inode = self._fs.inode(self._number)
        if inode.size > MAX_LINK:
            raise ImageError(f"a link of {inode.size} bytes")
        return self._fs.open(inode).read().decode("utf-8", "surrogateescape")

    def open(self) -> BinaryIO:
        """See :class:`~v2vlint.disk.filesystems.node.Node`."""
        return cast(BinaryIO, self._fs.open(self._fs.inode(self._number)))


def open_erofs(content: Content, streams: Sequence[Stream]) -> Erofs:
    """The reader named in :data:`~v2vlint.disk.filesystems.formats.FORMATS`."""
    return Erofs(streams[0], content.uuid, content.label)
