"""XFS, versions 4 and 5 (XFS Algorithms & Data Structures, 3rd edition). Read-only."""

from __future__ import annotations

import copy
import functools
import io
import stat as modes
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import BinaryIO, cast

from v2vlint.disk.fields import Fields
from v2vlint.disk.filesystems import xfs_attributes
from v2vlint.disk.filesystems.content import Content
from v2vlint.disk.filesystems.node import Kind, NumberedNode
from v2vlint.disk.filesystems.runs import MAX_RUNS, RunFile
from v2vlint.disk.filesystems.superblocks import XFS
from v2vlint.disk.filesystems.xfs_log import ELSEWHERE, is_dirty
from v2vlint.disk.filesystems.xfs_log_inode import TREE_BLOCK, InodeChange
from v2vlint.disk.stream import Stream
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import ImageError, Unsupported

MAX_DIRECTORY = 64 << 20
MAX_LINK = 1 << 16
MAX_LEVEL = 9
# An attribute fork has no size of its own; no block in it lies beyond this.
_ATTRIBUTE_SPACE = 1 << 48
# XFS_SB_FEAT_INCOMPAT_FTYPE to _PARENT. Metadata directories (0x100) and zoned devices (0x200) are not supported.
_KNOWN_INCOMPAT = 0xFF
_LOCAL, _EXTENTS, _BTREE = 1, 2, 3
_BIGTIME, _LARGE_COUNTS = 8, 16
_DATA_MAGICS = (b"XD2D", b"XDD3", b"XD2B", b"XDB3")
_KINDS = {modes.S_IFREG: Kind.FILE, modes.S_IFDIR: Kind.DIR, modes.S_IFLNK: Kind.LINK}

_CORE, _CORE_V3 = 100, 176
_INODE = Fields(
    ">",
    di_mode=(2, "H"),
    di_version=(4, "B"),
    di_format=(5, "B"),
    di_uid=(8, "I"),
    di_gid=(12, "I"),
    di_big_nextents=(24, "Q"),
    di_mtime=(40, "Q"),
    di_size=(56, "Q"),
    di_nextents=(76, "I"),
    di_anextents=(80, "H"),
    di_forkoff=(82, "B"),
    di_aformat=(83, "B"),
)
_INODE_V3 = Fields(">", di_flags2=(120, "Q"))
"""``struct xfs_dinode`` (fs/xfs/libxfs/xfs_format.h). With ``XFS_DIFLAG2_NREXT64``, ``di_nextents`` is ``di_big_anextents``."""
# The same file: struct xfs_bmdr_block. xfs_da_format.h: struct xfs_dir2_block_tail, struct xfs_dir2_data_unused, and struct
# xfs_dir2_data_entry (inumber, namelen), which is read in long loops.
_TREE_ROOT = Fields(">", bb_level=(0, "H"), bb_numrecs=(2, "H"))
_DIR_TAIL, _DIR_UNUSED, _DIR_ENTRY = Fields(">", count=(0, "I")), Fields(">", length=(2, "H")), struct.Struct(">QB")


@dataclass(frozen=True, slots=True)
class XfsInode:
    """The fields of an inode. ``fork`` is its data fork and ``format`` the format of that fork; ``attributes`` is the same for the
    attribute fork.
    """

    number: int
    kind: Kind
    mode: int
    uid: int
    gid: int
    size: int
    mtime: float
    format: int
    extents: int
    fork: bytes
    attributes: tuple[int, int, bytes] = (_EXTENTS, 0, b"")


def _seconds(stamp: int, bigtime: bool) -> float:
    """A time as seconds since 1970: nanoseconds since 1901 with bigtime, else two 32-bit halves (xfs_inode_from_disk_ts())."""
    if bigtime:
        return stamp / 1e9 - (1 << 31)
    seconds = stamp >> 32
    return seconds - (1 << 32) * (seconds >> 31) + (stamp & 0xFFFF_FFFF) / 1e9


class Xfs:
    """An opened XFS."""

    type = "xfs"

    def __init__(self, base: Stream, uuid: str = "", label: str = "") -> None:
        self.uuid, self.label = uuid, label
        self.base = base
        head = base.read_at(0, 512)
        found = XFS.read(head)
        # Nothing here tells whether such a log is empty.
        self.stale = "" if found["sb_logstart"] else ELSEWHERE
        version = found["sb_versionnum"] & 0xF
        incompat = found["sb_features_incompat"] if version == 5 else 0
        if version not in (4, 5) or incompat & ~_KNOWN_INCOMPAT:
            raise Unsupported(f"XFS version {version} with incompatible features {incompat:#x} is not supported")
        self.crc = version == 5
        # XFS_SB_FEAT_INCOMPAT_FTYPE, or XFS_SB_VERSION2_FTYPE in version 4.
        self.ftype = bool(incompat & 1 if self.crc else found["sb_features2"] & 0x200)
        self.block_size, self._inode_size = found["sb_blocksize"], found["sb_inodesize"]
        self._root, self._group_blocks = found["sb_rootino"], found["sb_agblocks"]
        self._inode_log, self._block_log, self._directory_log = found["sb_inopblog"], found["sb_agblklog"], found["sb_dirblklog"]
        self._check()
        self._logged: dict[int, list[InodeChange]] = {}
        self._freed = 0
        self._lying: Xfs | None = None
        if is_dirty(base, head):
            self._lying = copy.copy(self)
            self._lying._forget()
            self._replay(head)
        self._forget()

    def _forget(self) -> None:
        self.inode = functools.lru_cache(maxsize=8192)(self._inode)
        self.directory = functools.lru_cache(maxsize=2048)(self._directory)

    def as_it_lies(self) -> Xfs:
        """See :class:`~v2vlint.disk.filesystems.node.Journaled`. GRUB's ``xfs.c`` ignores the log."""
        return self._lying or self

    def free(self) -> int:
        """See :class:`~v2vlint.disk.filesystems.node.Counting`."""
        from v2vlint.disk.filesystems.xfs_space import free_bytes

        return free_bytes(self.base, recovered=self._lying is not None, gained=self._freed, inode=self.inode_data)

    def _replay(self, head: bytes) -> None:
        """Apply the log in memory. If it cannot be replayed, the filesystem stays as it is and ``stale`` says why."""
        from v2vlint.disk.filesystems.xfs_replay import Patched, replay

        try:
            changes = replay(self.base, head)
        except (ImageError, struct.error) as error:
            self.stale = f"what was written last is not read: {error}"
            return
        self.stale, self._logged, self._freed = changes.uncertain, changes.inodes, changes.freed
        if changes.chunks:
            self.base = Patched(self.base, changes.chunks)

    def _check(self) -> None:
        size = self.block_size
        plausible = size in (512 << power for power in range(8)) and 256 <= self._inode_size <= size and self._group_blocks
        if not plausible or self._directory_log > 8 or self._block_log > 31 or self._inode_log > 8:
            raise ImageError("damaged XFS superblock")
        self.directory_block = size << self._directory_log

    @property
    def root(self) -> XfsNode:
        """The top directory."""
        return XfsNode(self, self._root)

    def inode_data(self, number: int) -> bytes:
        """An inode as it is on the disk, with what the log changes."""
        block, index = divmod(number, 1 << self._inode_log)
        data = self.base.read_at(self._place(block) * self.block_size + index * self._inode_size, self._inode_size)
        for change in self._logged.get(number, ()):
            data = change.applied(data)
        if data[:2] != b"IN" or len(data) < self._inode_size:
            raise ImageError(f"inode {number} is damaged or lies beyond the end")
        return data

    def _inode(self, number: int) -> XfsInode:
        data = self.inode_data(number)
        found = _INODE.read(data)
        version_3 = found["di_version"] >= 3
        flags = _INODE_V3.read(data)["di_flags2"] if version_3 else 0
        start = _CORE_V3 if version_3 else _CORE
        # di_forkoff counts in units of 8 bytes from the end of the core; zero means that there is no attribute fork.
        end = start + found["di_forkoff"] * 8 if found["di_forkoff"] else len(data)
        large = flags & _LARGE_COUNTS
        count, parts = (found["di_big_nextents"], found["di_nextents"]) if large else (found["di_nextents"], found["di_anextents"])
        return XfsInode(
            number,
            _KINDS.get(modes.S_IFMT(found["di_mode"]), Kind.OTHER),
            found["di_mode"] & 0o7777,
            found["di_uid"],
            found["di_gid"],
            found["di_size"],
            _seconds(found["di_mtime"], bool(flags & _BIGTIME)),
            found["di_format"],
            count,
            data[start:end],
            (found["di_aformat"], parts, data[end:]),
        )

    def _place(self, block: int) -> int:
        """The disk block for a filesystem block number, whose high bits are the allocation group."""
        return (block >> self._block_log) * int(self._group_blocks) + (block & ((1 << self._block_log) - 1))

    def content(self, inode: XfsInode) -> Stream | BinaryIO:
        """The data of an inode."""
        if inode.format == _LOCAL:
            return io.BytesIO(inode.fork[: inode.size])
        if inode.format == _EXTENTS:
            records = inode.fork[: inode.extents * 16]
        elif inode.format == _BTREE:
            records = b"".join(self._leaves(inode))
        else:
            raise ImageError(f"inode {inode.number} has no data")
        return RunFile(self.base, self.block_size, inode.size, self._runs(records))

    def attributes(self, number: int) -> dict[str, bytes]:
        """See :class:`~v2vlint.disk.filesystems.node.Attributed`."""
        inode = self.inode(number)
        layout, extents, fork = inode.attributes
        if layout == _LOCAL:
            return dict(xfs_attributes.in_inode(fork))
        if not extents:
            return {}
        content = self.content(replace(inode, size=_ATTRIBUTE_SPACE, format=layout, extents=extents, fork=fork))

        def blocks(first: int, count: int) -> bytes:
            content.seek(first * self.block_size)
            return content.read(count * self.block_size)

        return dict(xfs_attributes.in_leaves(blocks, self.block_size, crc=self.crc))

    def _runs(self, records: bytes) -> Iterator[tuple[int, int | None, int]]:
        for high, low in struct.iter_unpack(">QQ", records[: len(records) // 16 * 16]):
            # struct xfs_bmbt_rec: 1 bit for unwritten, 54 for the offset in the file, 52 for the block, 21 for the length.
            unwritten, offset = high >> 63, high >> 9 & ((1 << 54) - 1)
            block, count = (high & 0x1FF) << 43 | low >> 21, low & ((1 << 21) - 1)
            yield offset, None if unwritten else self._place(block), count

    def _leaves(self, inode: XfsInode) -> Iterator[bytes]:
        root = _TREE_ROOT.read(inode.fork)
        # Pointers come after the room for all keys that the fork could hold (XFS_BMDR_PTR_ADDR()).
        at = 4 + (len(inode.fork) - 4) // 16 * 8
        pointers = struct.unpack_from(f">{root['bb_numrecs']}Q", inode.fork, at)
        budget = [MAX_RUNS]
        for pointer in pointers:
            yield from self._leaf(pointer, root["bb_level"] - 1, budget)

    def _leaf(self, block: int, level: int, budget: list[int]) -> Iterator[bytes]:
        data = self.base.read_at(self._place(block) * self.block_size, self.block_size)
        header = 72 if self.crc else 24
        found = TREE_BLOCK.read(data)
        count = found["bb_numrecs"]
        # Shared by the whole tree: a damaged one can lead to the same blocks again and again.
        budget[0] -= max(1, count)
        if data[:4] not in (b"BMAP", b"BMA3") or found["bb_level"] != level or level > MAX_LEVEL or budget[0] < 0:
            raise ImageError("damaged extent tree")
        if level == 0:
            yield data[header : header + count * 16]
            return
        at = header + (len(data) - header) // 16 * 8
        for pointer in struct.unpack_from(f">{count}Q", data, at):
            yield from self._leaf(pointer, level - 1, budget)

    def link(self, inode: XfsInode) -> bytes:
        """The target of a symbolic link. In version 5, each block of a long one has a header."""
        if inode.format == _LOCAL or not self.crc:
            return self.content(inode).read(inode.size)
        # 56 bytes: struct xfs_dsymlink_hdr.
        blocks = -(-inode.size // (self.block_size - 56))
        data = self.content(replace(inode, size=blocks * self.block_size)).read()
        parts = (data[at + 56 : at + self.block_size] for at in range(0, len(data), self.block_size))
        return b"".join(parts)[: inode.size]

    def _directory(self, number: int) -> dict[str, int]:
        inode = self.inode(number)
        if inode.size > MAX_DIRECTORY or inode.kind is not Kind.DIR:
            raise ImageError(f"not a directory, or one of {inode.size} bytes")
        content = self.content(inode)
        if not isinstance(content, RunFile):
            return dict(self._short(content.read()))
        # Freed blocks leave holes. Every other block holds entries (xfs_dir2_leaf_readbuf()).
        blocks = [at for at in range(0, inode.size, self.directory_block) if content.is_stored(at)]
        return dict(entry for at in blocks for entry in self._entries(content.read_at(at, self.directory_block)))

    def _short(self, data: bytes) -> Iterator[tuple[str, int]]:
        # i8count: if any number needs more than 32 bits, all of them are stored in 64.
        count, wide = data[0], 8 if data[1] else 4
        at = 2 + wide
        for _entry in range(count):
            end = at + 3 + data[at]
            name = data[at + 3 : end]
            end += 1 if self.ftype else 0
            if end + wide > len(data):
                raise ImageError("a damaged directory")
            yield name.decode("utf-8", "surrogateescape"), int.from_bytes(data[end : end + wide], "big")
            at = end + wide

    def _entries(self, block: bytes) -> Iterator[tuple[str, int]]:
        magic, at, end = block[:4], 64 if self.crc else 16, len(block)
        if magic in (b"XD2B", b"XDB3"):
            # A directory of a single block ends with its hash index and a tail (struct xfs_dir2_block_tail).
            end -= 8 + 8 * _DIR_TAIL.read(block, len(block) - 8)["count"]
        if magic not in _DATA_MAGICS or end < at:
            raise ImageError("a damaged directory block")
        # Number, length of the name, type if there is one, and tag, rounded up to 8 bytes (xfs_dir2_data_entsize()).
        extra = 12 if self.ftype else 11
        while at + 11 <= end:
            number, size = _DIR_ENTRY.unpack_from(block, at)
            # XFS_DIR2_DATA_FREE_TAG, and the length of what is free.
            free = block[at : at + 2] == b"\xff\xff"
            length = _DIR_UNUSED.read(block, at)["length"] if free else (size + extra + 7) // 8 * 8
            # As __xfs_dir3_data_check() requires.
            if length < 8 or length % 8 or at + length > end or not (free or size):
                raise ImageError("a damaged directory block")
            name = block[at + 9 : at + 9 + size]
            if not free and name not in (b".", b".."):
                yield name.decode("utf-8", "surrogateescape"), number
            at += length


class XfsNode(NumberedNode["Xfs"]):
    """Implements :class:`~v2vlint.disk.filesystems.node.Node`."""

    def link(self) -> str:
        """See :class:`~v2vlint.disk.filesystems.node.Node`."""
        inode = self._fs.inode(self._number)
        if inode.size > MAX_LINK:
            raise ImageError(f"a link of {inode.size} bytes")
        return self._fs.link(inode).decode("utf-8", "surrogateescape")

    def attributes(self) -> Mapping[str, bytes]:
        """See :class:`~v2vlint.disk.filesystems.node.Attributed`."""
        return self._fs.attributes(self._number)

    def open(self) -> BinaryIO:
        """See :class:`~v2vlint.disk.filesystems.node.Node`."""
        return cast(BinaryIO, self._fs.content(self._fs.inode(self._number)))


def open_xfs(content: Content, streams: Sequence[Stream]) -> Xfs:
    """The reader named in :data:`~v2vlint.disk.filesystems.formats.FORMATS`."""
    return Xfs(streams[0], content.uuid, content.label)
