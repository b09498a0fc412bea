"""squashfs 4 (Documentation/filesystems/squashfs.rst of Linux): gzip, LZMA, LZO, xz, LZ4 and zstd."""

from __future__ import annotations

import functools
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from typing import Any, BinaryIO, cast

from v2vlint.disk.fields import Fields
from v2vlint.disk.filesystems.content import Content
from v2vlint.disk.filesystems.node import Kind, Stat
from v2vlint.disk.filesystems.superblocks import SQUASHFS
from v2vlint.disk.stream import Stream
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import ImageError, Unsupported

# SQUASHFS_FILE_MAX_SIZE.
MAX_BLOCK = 1 << 20
MAX_METADATA = 16 << 20
MAX_BLOCKS = 1 << 22
_METADATA = 8192
_NO_FRAGMENT = 0xFFFFFFFF
_PLAIN_METADATA, _PLAIN_DATA = 1 << 15, 1 << 24
_DIR, _REG, _LINK, _LDIR, _LREG, _LLINK = 1, 2, 3, 8, 9, 10
_KINDS = {_DIR: Kind.DIR, _REG: Kind.FILE, _LINK: Kind.LINK, _LDIR: Kind.DIR, _LREG: Kind.FILE, _LLINK: Kind.LINK}
# fs/squashfs/squashfs_fs.h: struct squashfs_base_inode, with the fields that all inodes have, and what follows it by type.
_BASE = Fields("<", inode_type=(0, "H"), mode=(2, "H"), uid=(4, "H"), guid=(6, "H"), mtime=(8, "I"))
_BASE_SIZE = 16
_SYMLINK = Fields("<", symlink_size=(4, "I"))
_BODIES: dict[int, tuple[Fields, int]] = {
    _DIR: (Fields("<", start_block=(0, "I"), file_size=(8, "H"), offset=(10, "H")), 16),
    _REG: (Fields("<", start_block=(0, "I"), fragment=(4, "I"), offset=(8, "I"), file_size=(12, "I")), 16),
    _LINK: (_SYMLINK, 8),
    _LDIR: (Fields("<", file_size=(4, "I"), start_block=(8, "I"), offset=(18, "H")), 24),
    _LREG: (Fields("<", start_block=(0, "Q"), file_size=(8, "Q"), fragment=(28, "I"), offset=(32, "I")), 40),
    _LLINK: (_SYMLINK, 8),
}
_NO_BODY = Fields("<"), 0
# struct squashfs_dir_header, and squashfs_dir_entry (offset, size), which is read in long loops; its size is one less than the name's.
_DIR_HEADER, _DIR_HEADER_SIZE = Fields("<", count=(0, "I"), start_block=(4, "I")), 12
_DIR_ENTRY = struct.Struct("<H4xH")
_FRAGMENT, _FRAGMENT_SIZE = Fields("<", start_block=(0, "Q"), size=(8, "I")), 16
# The header of a metadata block, an entry of the table of ids, and a pointer to a block of such a table.
_LENGTH, _ID, _POINTER = struct.Struct("<H"), struct.Struct("<I"), struct.Struct("<Q")

Place = tuple[int, int]


@dataclass(frozen=True, slots=True)
class SquashfsInode:
    """The fields of an inode. ``start`` and ``offset`` locate a directory's list; for a file, ``start`` is its first block. ``tail`` is the
    place of the block sizes or the link target.
    """

    kind: Kind
    mode: int
    uid: int
    gid: int
    mtime: int
    size: int
    start: int
    offset: int
    fragment: int
    tail: Place


class SquashFileSystem:
    """An opened squashfs."""

    type = "squashfs"

    def __init__(self, base: Stream) -> None:
        self.uuid = self.label = self.stale = ""
        self.base = base
        head = base.read_at(0, 96)
        if len(head) < 96 or head[:4] != b"hsqs" or SQUASHFS.read(head)["s_major"] != 4:
            raise Unsupported("only squashfs 4 is supported")
        found = SQUASHFS.read(head)
        self.block_size, self._fragments, packer = found["block_size"], found["fragments"], found["compression"]
        self._ids, self._root, self._id_table = found["no_ids"], found["root_inode"], found["id_table_start"]
        self._inode_table, self._directory_table = found["inode_table_start"], found["directory_table_start"]
        self._fragment_table = found["fragment_table_start"]
        if not 4096 <= self.block_size <= MAX_BLOCK or packer not in _PACKERS:
            raise Unsupported(f"squashfs with blocks of {self.block_size} bytes, compression {packer}")
        self._unpack = _PACKERS[packer]
        self.metadata_block = functools.lru_cache(maxsize=512)(self._metadata_block)
        self.data_block = functools.lru_cache(maxsize=max(4, (4 << 20) // self.block_size))(self._data_block)
        self.inode = functools.lru_cache(maxsize=8192)(self._inode)
        self.directory = functools.lru_cache(maxsize=2048)(self._directory)

    @property
    def root(self) -> SquashNode:
        """The top directory."""
        # A reference is the block of an inode and the offset in it (SQUASHFS_INODE_BLK(), SQUASHFS_INODE_OFFSET()).
        return SquashNode(self, (self._root >> 16, self._root & 0xFFFF))

    def _metadata_block(self, at: int) -> tuple[bytes, int]:
        """A block of metadata, and the position of the next one."""
        header = _LENGTH.unpack(self.base.read_at(at, _LENGTH.size))[0]
        start, size = at + _LENGTH.size, header & (_PLAIN_METADATA - 1)
        data = self.base.read_at(start, size)
        return data if header & _PLAIN_METADATA else self._unpack(data, _METADATA), start + size

    def metadata(self, table: int, place: Place, length: int) -> tuple[bytes, Place]:
        """``length`` bytes of metadata starting at ``place`` (block relative to ``table``, offset in it), and the place after them."""
        if length > MAX_METADATA:
            raise ImageError(f"squashfs metadata of {length} bytes")
        block, offset = table + place[0], place[1]
        parts: list[bytes] = []
        while length > 0:
            data, following = self.metadata_block(block)
            part = data[offset : offset + length]
            parts.append(part)
            length, offset = length - len(part), offset + len(part)
            if offset >= len(data):
                block, offset = following, 0
                if not data:
                    raise ImageError("damaged squashfs metadata")
        return b"".join(parts), (block - table, offset)

    def _entry(self, table: int, index: int, size: int) -> bytes:
        """An entry of a table that is located through a list of pointers."""
        block, offset = divmod(index * size, _METADATA)
        pointer = _POINTER.unpack(self.base.read_at(table + block * _POINTER.size, _POINTER.size))[0]
        return self.metadata(pointer, (0, offset), size)[0]

    def _id(self, index: int) -> int:
        return int(_ID.unpack(self._entry(self._id_table, index, _ID.size))[0]) if index < self._ids else 0

    def _inode(self, place: Place) -> SquashfsInode:
        data, after = self.metadata(self._inode_table, place, _BASE_SIZE)
        base = _BASE.read(data)
        fields, length = _BODIES.get(base["inode_type"], _NO_BODY)
        data, tail = self.metadata(self._inode_table, after, length)
        body = fields.read(data)
        return SquashfsInode(
            kind=_KINDS.get(base["inode_type"], Kind.OTHER),
            mode=base["mode"] & 0o7777,
            uid=self._id(base["uid"]),
            gid=self._id(base["guid"]),
            mtime=base["mtime"],
            size=body.get("symlink_size", body.get("file_size", 0)),
            start=body.get("start_block", 0),
            offset=body.get("offset", 0),
            fragment=body.get("fragment", 0),
            tail=tail,
        )

    def _directory(self, place: Place) -> dict[str, Place]:
        inode = self.inode(place)
        if inode.kind is not Kind.DIR:
            raise ImageError("not a directory")
        # The size counts three bytes for "." and "..", which are not stored.
        data = self.metadata(self._directory_table, (inode.start, inode.offset), max(0, inode.size - 3))[0]
        return dict(_names(data))

    def follow(self, inode: SquashfsInode, length: int) -> bytes:
        """The bytes after an inode: block sizes or a link target."""
        return self.metadata(self._inode_table, inode.tail, length)[0]

    def fragment(self, index: int) -> bytes:
        """The block that contains the tail ends of files."""
        if index >= self._fragments:
            raise ImageError("damaged squashfs (fragment)")
        entry = _FRAGMENT.read(self._entry(self._fragment_table, index, _FRAGMENT_SIZE))
        return self._data_block(entry["start_block"], entry["size"])

    def _data_block(self, start: int, size: int) -> bytes:
        data = self.base.read_at(start, size & (_PLAIN_DATA - 1))
        return data if size & _PLAIN_DATA else self._unpack(data, self.block_size)


def _names(data: bytes) -> Iterator[tuple[str, Place]]:
    at = 0
    while at + _DIR_HEADER_SIZE <= len(data):
        header = _DIR_HEADER.read(data, at)
        at += _DIR_HEADER_SIZE
        # The count is one less, too; a header has at most SQUASHFS_DIR_COUNT (256) entries.
        for _entry in range(min(header["count"], 256) + 1):
            if at + _DIR_ENTRY.size > len(data):
                return
            (offset, size), name = _DIR_ENTRY.unpack_from(data, at), at + _DIR_ENTRY.size
            at = name + size + 1
            yield data[name:at].decode("utf-8", "surrogateescape"), (header["start_block"], offset)


class SquashFile(Stream):
    """The content of a file."""

    def __init__(self, fs: SquashFileSystem, inode: SquashfsInode) -> None:
        super().__init__(inode.size)
        self._fs, self._inode = fs, inode
        whole = inode.fragment != _NO_FRAGMENT
        # The tail of a file with a fragment is not among its blocks.
        count = inode.size // fs.block_size if whole else -(-inode.size // fs.block_size)
        if count > MAX_BLOCKS:
            raise ImageError(f"a file of {inode.size} bytes")
        self._sizes = struct.unpack(f"<{count}I", fs.follow(inode, count * 4))
        self._starts = list(accumulate((size & (_PLAIN_DATA - 1) for size in self._sizes), initial=inode.start))

    def read_at(self, offset: int, length: int) -> bytes:
        """See :class:`~v2vlint.disk.stream.Stream`."""
        length = self.clip(offset, length)
        parts: list[bytes] = []
        while length > 0:
            number, inside = divmod(offset, self._fs.block_size)
            count = min(length, self._fs.block_size - inside)
            parts.append(self._block(number)[inside : inside + count].ljust(count, b"\0"))
            offset, length = offset + count, length - count
        return b"".join(parts)

    def _block(self, number: int) -> bytes:
        if number < len(self._sizes):
            # A size of zero is a hole.
            return self._fs.data_block(self._starts[number], self._sizes[number]) if self._sizes[number] else b""
        return self._fs.fragment(self._inode.fragment)[self._inode.offset :]


class SquashNode:
    """Implements :class:`~v2vlint.disk.filesystems.node.Node`."""

    def __init__(self, fs: SquashFileSystem, place: Place) -> None:
        self._fs, self._place = fs, place

    def stat(self) -> Stat:
        """See :class:`~v2vlint.disk.filesystems.node.Node`."""
        inode = self._fs.inode(self._place)
        return Stat(inode.kind, inode.size, inode.mode, inode.uid, inode.gid, float(inode.mtime))

    def names(self) -> Iterator[str]:
        """See :class:`~v2vlint.disk.filesystems.node.Node`."""
        return iter(self._fs.directory(self._place))

    def child(self, name: str) -> SquashNode | None:
        """See :class:`~v2vlint.disk.filesystems.node.Node`."""
        found = self._fs.directory(self._place).get(name)
        return None if found is None else SquashNode(self._fs, found)

    def link(self) -> str:
        """See :class:`~v2vlint.disk.filesystems.node.Node`."""
        inode = self._fs.inode(self._place)
        if inode.kind is not Kind.LINK or inode.size > 65536:
            raise ImageError("damaged link")
        return self._fs.follow(inode, inode.size).decode("utf-8", "surrogateescape")

    def open(self) -> BinaryIO:
        """See :class:`~v2vlint.disk.filesystems.node.Node`."""
        inode = self._fs.inode(self._place)
        if inode.kind is not Kind.FILE:
            raise ImageError("not a file")
        return cast(BinaryIO, SquashFile(self._fs, inode))


def _zlib(data: bytes, size: int) -> bytes:
    return zlib.decompressobj().decompress(data, size)


def _lzma(data: bytes, size: int) -> bytes:
    import lzma

    return lzma.LZMADecompressor().decompress(data, size)


def _lzo(data: bytes, size: int) -> bytes:
    from v2vlint.disk.filesystems.lzo import decompress_block

    return decompress_block(data, size)


def _lz4(data: bytes, size: int) -> bytes:
    import lz4.block

    return cast(bytes, lz4.block.decompress(data, uncompressed_size=size))


def _zstd(data: bytes, size: int) -> bytes:
    import zstandard

    reader: Any = zstandard.ZstdDecompressor().stream_reader(data)
    return bytes(reader.read(size))


# Each is given the size of a block as its limit, so that a damaged or hostile one cannot fill the memory.
_PACKERS: dict[int, Callable[[bytes, int], bytes]] = {1: _zlib, 2: _lzma, 3: _lzo, 4: _lzma, 5: _lz4, 6: _zstd}


def open_squashfs(_content: Content, streams: Sequence[Stream]) -> SquashFileSystem:
    """The reader named in :data:`~v2vlint.disk.filesystems.formats.FORMATS`."""
    return SquashFileSystem(streams[0])
