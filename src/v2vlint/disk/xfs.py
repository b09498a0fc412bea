"""XFS, versions 4 and 5: inodes and extents through dissect.xfs, directories and unwritten extents by this module."""

from __future__ import annotations

import functools
import io
import stat as modes
import struct
from collections.abc import Iterator
from itertools import islice
from typing import Any, BinaryIO, cast

from dissect.xfs.xfs import XFS

from v2vlint.disk.node import Kind, Stat
from v2vlint.disk.runs import MAX_RUNS, RunFile
from v2vlint.disk.stream import Stream
from v2vlint.model.errors import ImageError, Unsupported

MAX_DIRECTORY = 64 << 20
MAX_LINK = 1 << 16
_KNOWN_INCOMPAT = 0xFF
_LOCAL, _EXTENTS, _BTREE = 1, 2, 3
_DATA_MAGICS = (b"XD2D", b"XDD3", b"XD2B", b"XDB3")
_KINDS = {modes.S_IFREG: Kind.FILE, modes.S_IFDIR: Kind.DIR, modes.S_IFLNK: Kind.LINK}


class Xfs:
    """An opened XFS."""

    type = "xfs"

    def __init__(self, base: Stream, uuid: str = "", label: str = "") -> None:
        self.uuid, self.label = uuid, label
        self.base = base
        head = base.read_at(0, 512)
        version = struct.unpack_from(">H", head, 100)[0] & 0xF
        incompat = struct.unpack_from(">I", head, 216)[0] if version == 5 else 0
        if version not in (4, 5) or incompat & ~_KNOWN_INCOMPAT:
            raise Unsupported(f"XFS version {version} with incompatible features {incompat:#x} is not supported")
        self.crc = version == 5
        self.ftype = bool(incompat & 1 if self.crc else struct.unpack_from(">I", head, 200)[0] & 0x200)
        self.block_size = struct.unpack_from(">I", head, 4)[0]
        self.directory_block = self.block_size << min(head[192], 8)
        self._fs: Any = XFS(base)
        if not self.block_size or self.block_size & (self.block_size - 1) or not self._fs.sb.sb_agblocks:
            raise ImageError("damaged XFS superblock")
        self.inode = functools.lru_cache(maxsize=4096)(self._fs.get_inode)
        self.directory = functools.lru_cache(maxsize=2048)(self._directory)

    @property
    def root(self) -> XfsNode:
        """The top directory."""
        return XfsNode(self, int(self._fs.sb.sb_rootino))

    def content(self, inode: Any) -> Stream | BinaryIO:
        """The data of an inode."""
        kind = int(inode.inode.di_format)
        if kind == _LOCAL:
            return io.BytesIO(inode.datafork().read())
        if kind not in (_EXTENTS, _BTREE):
            raise ImageError(f"inode {inode.inum} has no data")
        runs = [self._run(*extent) for extent in islice(inode._iter_blocks(), MAX_RUNS)]
        return RunFile(self.base, self.block_size, int(inode.size), runs)

    def _run(self, offset: int, block: int, count: int, unwritten: int) -> tuple[int, int | None, int]:
        superblock = self._fs.sb
        group, inside = block >> superblock.sb_agblklog, block & ((1 << superblock.sb_agblklog) - 1)
        return offset, None if unwritten else group * superblock.sb_agblocks + inside, count

    def _directory(self, number: int) -> dict[str, int]:
        inode = self.inode(number)
        if int(inode.size) > MAX_DIRECTORY:
            raise ImageError(f"a directory of {inode.size} bytes")
        data = self.content(inode).read()
        if int(inode.inode.di_format) == _LOCAL:
            return dict(self._short(data))
        blocks = range(0, len(data), self.directory_block)
        return dict(entry for at in blocks for entry in self._entries(data[at : at + self.directory_block]))

    def _short(self, data: bytes) -> Iterator[tuple[str, int]]:
        count, wide = data[0], 8 if data[1] else 4
        at = 2 + wide
        for _entry in range(count):
            end = at + 3 + data[at]
            name = data[at + 3 : end]
            end += 1 if self.ftype else 0
            yield name.decode("utf-8", "surrogateescape"), int.from_bytes(data[end : end + wide], "big")
            at = end + wide

    def _entries(self, block: bytes) -> Iterator[tuple[str, int]]:
        magic = block[:4]
        if magic not in _DATA_MAGICS:
            return
        at, end = 64 if self.crc else 16, len(block)
        if magic in (b"XD2B", b"XDB3"):
            end -= 8 + 8 * struct.unpack_from(">I", block, len(block) - 8)[0]
        extra = 12 if self.ftype else 11
        while at + 11 <= end:
            if block[at : at + 2] == b"\xff\xff":
                length = struct.unpack_from(">H", block, at + 2)[0]
                if length < 8:
                    return
                at += length
                continue
            number, size = struct.unpack_from(">QB", block, at)
            name = block[at + 9 : at + 9 + size]
            if name not in (b".", b".."):
                yield name.decode("utf-8", "surrogateescape"), number
            at += (size + extra + 7) // 8 * 8


class XfsNode:
    """An inode as the rest of v2vlint sees it."""

    def __init__(self, fs: Xfs, number: int) -> None:
        self._fs, self._number = fs, number

    def stat(self) -> Stat:
        """See :class:`~v2vlint.disk.node.Node`."""
        inode = self._fs.inode(self._number)
        raw = inode.inode
        kind = _KINDS.get(modes.S_IFMT(raw.di_mode), Kind.OTHER)
        return Stat(kind, int(inode.size), raw.di_mode & 0o7777, raw.di_uid, raw.di_gid, inode.mtime_ns / 1e9)

    def names(self) -> Iterator[str]:
        """See :class:`~v2vlint.disk.node.Node`."""
        return iter(self._fs.directory(self._number))

    def child(self, name: str) -> XfsNode | None:
        """See :class:`~v2vlint.disk.node.Node`."""
        number = self._fs.directory(self._number).get(name)
        return None if number is None else XfsNode(self._fs, number)

    def link(self) -> str:
        """See :class:`~v2vlint.disk.node.Node`."""
        inode = self._fs.inode(self._number)
        if inode.size > MAX_LINK:
            raise ImageError(f"a link of {inode.size} bytes")
        return str(inode.link)

    def open(self) -> BinaryIO:
        """See :class:`~v2vlint.disk.node.Node`."""
        return cast(BinaryIO, self._fs.content(self._fs.inode(self._number)))
