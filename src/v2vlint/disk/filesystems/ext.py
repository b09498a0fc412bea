"""ext2, ext3 and ext4 (Documentation/filesystems/ext4 of Linux): extents, block maps, inline data, 64bit, meta_bg. Read-only."""

from __future__ import annotations

import copy
import functools
import io
import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import BinaryIO, cast

from v2vlint.disk.fields import Fields
from v2vlint.disk.filesystems import ext_attributes
from v2vlint.disk.filesystems.content import Content
from v2vlint.disk.filesystems.ext_fast import FastCommits, read_fast_commits
from v2vlint.disk.filesystems.ext_space import deleted, descriptor, reserved_clusters
from v2vlint.disk.filesystems.node import Kind, NumberedNode
from v2vlint.disk.filesystems.superblocks import EXT
from v2vlint.disk.stream import Stream, exactly
from v2vlint.model.errors import ImageError, Unsupported

ROOT = 2
MAX_DIRECTORY = 64 << 20
MAX_LINK = 1 << 16
MAX_GROUPS = 1 << 20
# EXT4_MAX_EXTENT_DEPTH (fs/ext4/ext4_extents.h).
MAX_TREE = 5
_RECOVER = 0x4
_META_BG, _64BIT = 0x10, 0x80
_SPARSE, _SPARSE_2, _BIGALLOC = 0x1, 0x200, 0x200
# Without COMPRESSION (0x1), which Linux does not support, and JOURNAL_DEV (0x8), which holds no files.
_KNOWN_INCOMPAT = 0x2 | 0x4 | 0x10 | 0x40 | 0x80 | 0x100 | 0x200 | 0x400 | 0x1000 | 0x2000 | 0x4000 | 0x8000 | 0x10000 | 0x20000
_EXTENT_FLAG, _INLINE_FLAG, _ENCRYPT_FLAG = 0x80000, 0x10000000, 0x800
_KINDS = {0x8: Kind.FILE, 0x4: Kind.DIR, 0xA: Kind.LINK}

_INODE = Fields(
    "<",
    i_mode=(0x0, "H"),
    i_uid=(0x2, "H"),
    i_size_lo=(0x4, "I"),
    i_mtime=(0x10, "I"),
    i_gid=(0x18, "H"),
    i_flags=(0x20, "I"),
    i_file_acl_lo=(0x68, "I"),
    i_size_high=(0x6C, "I"),
    l_i_file_acl_high=(0x76, "H"),
    l_i_uid_high=(0x78, "H"),
    l_i_gid_high=(0x7A, "H"),
)
_INODE_EXTRA, _INODE_TIMES = Fields("<", i_extra_isize=(0x80, "H")), Fields("<", i_mtime_extra=(0x88, "I"))
"""``struct ext4_inode`` (fs/ext4/ext4.h); what follows the first 128 bytes depends on ``i_extra_isize``."""
# struct ext4_xattr_entry (fs/ext4/xattr.h), struct ext4_extent_header (fs/ext4/ext4_extents.h).
_ATTRIBUTE = Fields("<", e_name_len=(0, "B"), e_name_index=(1, "B"), e_value_offs=(2, "H"), e_value_size=(8, "I"))
_TREE = Fields("<", eh_magic=(0, "H"), eh_entries=(2, "H"), eh_depth=(6, "H"))
# What is read in long loops: struct ext4_extent_idx (ei_block, ei_leaf_lo, ei_leaf_hi), struct ext4_extent (ee_block, ee_len, ee_start_hi,
# ee_start_lo), struct ext4_dir_entry_2 (inode, rec_len, name_len); an entry of i_block[] or of an indirect block.
_EXTENT_INDEX, _EXTENT, _DIR_ENTRY = struct.Struct("<IIH"), struct.Struct("<IHHI"), struct.Struct("<IHB")
_BLOCK_NUMBER, _DIRECT = struct.Struct("<I"), 12


class Ext:
    """An opened ext filesystem. ``kind`` is the type reported by blkid."""

    def __init__(self, base: Stream, kind: str = "ext4", uuid: str = "", label: str = "") -> None:
        self.type, self.uuid, self.label = kind, uuid, label
        self.base = base
        block = base.read_at(1024, 1024)
        if len(block) < 1024 or block[56:58] != b"\x53\xef":
            raise ImageError("no ext superblock")
        found = EXT.read(block)
        self.inodes, self._first_block = found["s_inodes_count"], found["s_first_data_block"]
        self._per_group, self._inodes_per_group = found["s_blocks_per_group"], found["s_inodes_per_group"]
        # Revision 0 (EXT4_GOOD_OLD_REV) has no such field: its inodes are EXT4_GOOD_OLD_INODE_SIZE bytes long.
        self._inode_size = found["s_inode_size"] if found["s_rev_level"] else 128
        self._features, self._first_meta_bg = found["s_feature_incompat"], found["s_first_meta_bg"]
        self._sparse, backups = bool(found["s_feature_ro_compat"] & _SPARSE), found["s_backup_bgs"]
        self._backups = (backups & 0xFFFFFFFF, backups >> 32) if found["s_feature_compat"] & _SPARSE_2 else ()
        self._descriptor = found["s_desc_size"] if self._features & _64BIT and found["s_desc_size"] >= 64 else 32
        self.block_size = 1024 << found["s_log_block_size"] if found["s_log_block_size"] <= 6 else 0
        self.cluster_size = 1024 << min(found["s_log_cluster_size" if found["s_feature_ro_compat"] & _BIGALLOC else "s_log_block_size"], 20)
        self._check()
        self.groups = min(-(-self.inodes // self._inodes_per_group), MAX_GROUPS)
        self.stale = ""
        self.fast = FastCommits()
        self._journal_inode = found["s_journal_inum"]
        self._lying: Ext | None = None
        self._forget()
        if self._features & _RECOVER:
            self._recover()

    def as_it_lies(self) -> Ext:
        """See :class:`~v2vlint.disk.filesystems.node.Journaled`. GRUB's ``ext2.c`` ignores the journal."""
        return self._lying or self

    def _recover(self) -> None:
        """Apply the journal in memory. If it cannot be replayed, the filesystem stays as it is and ``stale`` says why."""
        from v2vlint.disk.filesystems.ext_journal import ExtJournal, Replayed

        # The journal is a file of the same filesystem, and is read as it was before the replay.
        as_is = self._lying = copy.copy(self)
        # The caches of the copy are still bound to self.
        as_is._forget()
        try:
            if not self._journal_inode:
                raise ImageError("its journal lies on another device")
            journal = ExtJournal(ExtFile(as_is, as_is.inode(self._journal_inode)))
            if journal.block_size != self.block_size:
                raise ImageError("its journal has other blocks than itself")
            self.fast = read_fast_commits(journal.fast(), journal.expected)
        except (ImageError, struct.error, ValueError) as error:
            self.stale = str(error) or "its journal cannot be read"
            return
        if self.fast.reused:
            self.stale = "its fast commits delete and create the same inodes, which kernels replay differently"
        if journal.changes:
            self.base = Replayed(self.base, journal)
        self._forget()

    def _forget(self) -> None:
        self.inode = functools.lru_cache(maxsize=8192)(self._inode)
        self.directory = functools.lru_cache(maxsize=2048)(self._directory)
        self.block = functools.lru_cache(maxsize=256)(self._block)

    def _check(self) -> None:
        if not (self.block_size and self._per_group and self._inodes_per_group and 128 <= self._inode_size <= 65536):
            raise ImageError("damaged ext superblock")
        if unknown := self._features & ~_KNOWN_INCOMPAT:
            raise Unsupported(f"ext4 with unknown incompatible features {unknown:#x}")

    @property
    def root(self) -> ExtNode:
        """The top directory."""
        return ExtNode(self, ROOT)

    def _block(self, number: int) -> bytes:
        return self.base.read_at(number * self.block_size, self.block_size)

    def free(self) -> int:
        """See :class:`~v2vlint.disk.filesystems.node.Counting`. Linux sums up the groups (``ext4_count_free_clusters``)."""
        clusters = sum(self.group(number)["bg_free_blocks_count_lo"] for number in range(self.groups))
        return clusters * self.cluster_size + sum(self._deleted())

    def available(self) -> int:
        """See :class:`~v2vlint.disk.filesystems.node.Limiting`."""
        return max(0, self.free() - reserved_clusters(self.base) * self.cluster_size)

    def free_inodes(self) -> int:
        """See :class:`~v2vlint.disk.filesystems.node.CountingInodes`."""
        return sum(self.group(number)["bg_free_inodes_count_lo"] for number in range(self.groups)) + sum(1 for _size in self._deleted())

    def _deleted(self) -> Iterator[int]:
        return deleted(self.base, self.block_size, lambda number: self.inode(number).data, self._value)

    def group(self, group: int) -> dict[str, int]:
        """The descriptor of a group; of what is stored in two halves, ``…_lo`` is the whole."""
        per_block = self.block_size // self._descriptor
        meta = group // per_block
        # As descriptor_loc() of fs/ext4/super.c. The first block of descriptors follows the superblock in either case.
        if self._features & _META_BG and meta >= max(1, self._first_meta_bg):
            first = meta * per_block
            block = first * self._per_group + self._first_block + self._has_super(first)
        else:
            block = 1024 // self.block_size + 1 + meta
        data = self.base.read_at(block * self.block_size + group % per_block * self._descriptor, self._descriptor)
        if len(data) < self._descriptor:
            raise ImageError(f"truncated: group {group} lies beyond the end")
        return descriptor(data)

    def _has_super(self, group: int) -> bool:
        """Whether ``group``, an even number, begins with a copy of the superblock (``ext4_bg_has_super``): with ``sparse_super``, only odd
        ones do.
        """
        return group in self._backups if self._backups else not self._sparse

    def _inode(self, number: int) -> ExtInode:
        if not 1 <= number <= self.inodes:
            raise ImageError(f"inode {number} does not exist")
        group, index = divmod(number - 1, self._inodes_per_group)
        offset = self.group(group)["bg_inode_table_lo"] * self.block_size + index * self._inode_size
        data = self.base.read_at(offset, self._inode_size)
        if len(data) < self._inode_size:
            raise ImageError(f"truncated: inode {number} lies beyond the end")
        return ExtInode(number, self.fast.inode(number, data))

    def _directory(self, number: int) -> dict[str, int]:
        return self.fast.folder(number, self._listed)

    def _listed(self, number: int) -> dict[str, int]:
        inode = self.inode(number)
        if inode.kind is not Kind.DIR or inode.flags & _ENCRYPT_FLAG:
            raise Unsupported("encrypted directory (fscrypt)" if inode.flags & _ENCRYPT_FLAG else "not a directory")
        if inode.flags & _INLINE_FLAG:
            inline = inode.inline()
            # The parent's number, then two lists that end on their own: one in i_block, one in the attribute (fs/ext4/inline.c).
            return dict([*_entries(inline[4:60]), *_entries(inline[60:])])
        if inode.size > MAX_DIRECTORY:
            raise ImageError(f"a directory of {inode.size} bytes")
        data = ExtFile(self, inode).read()
        blocks = range(0, len(data), self.block_size)
        return dict(entry for at in blocks for entry in _entries(data[at : at + self.block_size]))

    def attributes(self, number: int) -> dict[str, bytes]:
        """See :class:`~v2vlint.disk.filesystems.node.Attributed`."""
        inode = self.inode(number)
        found = dict(ext_attributes.in_inode(inode.data, inode.extra, self._value))
        return found | dict(ext_attributes.in_block(self.block(inode.attributes), self._value)) if inode.attributes else found

    def _value(self, number: int, size: int) -> bytes:
        return ExtFile(self, self.inode(number)).read(size)


class ExtInode:
    """The fields of an inode."""

    def __init__(self, number: int, data: bytes) -> None:
        self.number, self.data = number, data
        found = _INODE.read(data)
        self.flags = found["i_flags"]
        self.kind = _KINDS.get(found["i_mode"] >> 12, Kind.OTHER)
        self.mode = found["i_mode"] & 0o7777
        self.uid, self.gid = found["i_uid"] | found["l_i_uid_high"] << 16, found["i_gid"] | found["l_i_gid_high"] << 16
        # For other types the field is i_dir_acl or unused (ext4_isize()).
        self.size = found["i_size_lo"] | (found["i_size_high"] << 32 if self.kind in (Kind.FILE, Kind.DIR) else 0)
        self.attributes = found["i_file_acl_lo"] | found["l_i_file_acl_high"] << 32
        self.extra = _INODE_EXTRA.read(data)["i_extra_isize"] if len(data) > 130 else 0
        more = _INODE_TIMES.read(data)["i_mtime_extra"] if len(data) >= 140 and self.extra >= 12 else 0
        # The low two bits of the extra field extend the signed seconds beyond 2038, the others are nanoseconds (ext4_decode_extra_time()).
        seconds = found["i_mtime"] - (1 << 32) * (found["i_mtime"] >> 31) + ((more & 3) << 32)
        self.mtime = seconds + (more >> 2) / 1e9

    @property
    def map(self) -> bytes:
        """The 60 bytes of the block map."""
        return self.data[40:100]

    def inline(self) -> bytes:
        """The content of an inode with inline data: the block map, continued in the attribute ``system.data``."""
        return (self.map + self._system_data())[: self.size]

    def _system_data(self) -> bytes:
        start = 128 + self.extra
        # EXT4_XATTR_MAGIC.
        if self.data[start : start + 4] != b"\x00\x00\x02\xea":
            return b""
        first = at = start + 4
        while at + 16 <= len(self.data) and self.data[at : at + 2] != b"\0\0":
            entry = _ATTRIBUTE.read(self.data, at)
            length = entry["e_name_len"]
            # EXT4_XATTR_INDEX_SYSTEM.
            if entry["e_name_index"] == 7 and self.data[at + 16 : at + 16 + length] == b"data":
                value = first + entry["e_value_offs"]
                return self.data[value : value + entry["e_value_size"]]
            at += 16 + (length + 3) // 4 * 4
        return b""


class ExtFile(Stream):
    """The content of a file. Block runs are looked up on demand."""

    def __init__(self, fs: Ext, inode: ExtInode) -> None:
        super().__init__(inode.size)
        self._fs, self._inode = fs, inode
        self._find = self._by_extents if inode.flags & _EXTENT_FLAG else self._by_map

    def read_at(self, offset: int, length: int) -> bytes:
        """See :class:`Stream`."""
        length, size = self.clip(offset, length), self._fs.block_size
        parts: list[bytes] = []
        while length > 0:
            number, inside = divmod(offset, size)
            wanted = (inside + length - 1) // size + 1
            # Ranges of fast commits hide the inode's own map, so a run of that map ends where the next of them begins.
            block, blocks = self._fs.fast.find(self._inode.number, number, wanted) or self._find(
                number, self._fs.fast.until(self._inode.number, number, wanted)
            )
            count = min(length, blocks * size - inside)
            parts.append(bytes(count) if block == 0 else exactly(self._fs.base, block * size + inside, count))
            offset, length = offset + count, length - count
        return b"".join(parts)

    def _by_extents(self, number: int, wanted: int) -> tuple[int, int]:
        """The disk block of file block ``number`` (0 in a hole), and the number of blocks in the rest of the run, at least one."""
        node, end = self._inode.map, number + wanted
        for _level in range(MAX_TREE + 1):
            header = _TREE.read(node)
            count = header["eh_entries"]
            # EXT4_EXT_MAGIC.
            if header["eh_magic"] != 0xF30A or 12 + count * 12 > len(node):
                raise ImageError(f"damaged extent tree of inode {self._inode.number}")
            if header["eh_depth"] == 0:
                return _extent(node, count, number, end)
            child = 0
            for at in range(12, 12 + count * 12, 12):
                first, low, high = _EXTENT_INDEX.unpack_from(node, at)
                if first > number:
                    end = min(end, first)
                    break
                child = low | high << 32
            # A hole before the first extent.
            if not child:
                return 0, end - number
            node = self._fs.block(child)
        raise ImageError(f"damaged extent tree of inode {self._inode.number} (too deep)")

    def _by_map(self, number: int, wanted: int) -> tuple[int, int]:
        first, run = self._mapped(number), 1
        # A hole is a run as well: all of its blocks are 0.
        while run < wanted and self._mapped(number + run) == (first + run if first else 0):
            run += 1
        return first, run

    def _mapped(self, number: int) -> int:
        # EXT4_NDIR_BLOCKS direct blocks, then a single, a double and a triple indirect one.
        if number < _DIRECT:
            return int(_BLOCK_NUMBER.unpack_from(self._inode.map, number * 4)[0])
        per, number = self._fs.block_size // 4, number - _DIRECT
        for level in range(3):
            if number < per ** (level + 1):
                break
            number -= per ** (level + 1)
        else:
            raise ImageError(f"inode {self._inode.number} is too large for its block map")
        block = int(_BLOCK_NUMBER.unpack_from(self._inode.map, (_DIRECT + level) * 4)[0])
        for power in range(level, -1, -1):
            if not block:
                return 0
            index, number = divmod(number, per**power)
            block = int(_BLOCK_NUMBER.unpack_from(self._fs.block(block), index * 4)[0])
        return block


def _extent(node: bytes, count: int, number: int, end: int) -> tuple[int, int]:
    for at in range(12, 12 + count * 12, 12):
        first, length, high, low = _EXTENT.unpack_from(node, at)
        # More than EXT_INIT_MAX_LEN marks blocks that were allocated but never written: they read as zeros.
        unwritten = length > 32768
        length = length - 32768 if unwritten else length
        if number < first:
            return 0, min(end, first) - number
        if number < first + length:
            run = min(end, first + length) - number
            return (0 if unwritten else (low | high << 32) + number - first), run
    return 0, end - number


class ExtNode(NumberedNode["Ext"]):
    """Implements :class:`~v2vlint.disk.filesystems.node.Node`."""

    def link(self) -> str:
        """See :class:`~v2vlint.disk.filesystems.node.Node`."""
        inode = self._fs.inode(self._number)
        if inode.flags & _ENCRYPT_FLAG:
            raise Unsupported("encrypted link (fscrypt)")
        # A short target takes the place of the block map (ext4_inode_is_fast_symlink()).
        if inode.size < 60 and not inode.flags & _EXTENT_FLAG:
            data = inode.map[: inode.size]
        elif inode.size > MAX_LINK:
            raise ImageError(f"a link of {inode.size} bytes")
        else:
            data = inode.inline() if inode.flags & _INLINE_FLAG else ExtFile(self._fs, inode).read()
        return data.decode("utf-8", "surrogateescape")

    def attributes(self) -> Mapping[str, bytes]:
        """See :class:`~v2vlint.disk.filesystems.node.Attributed`."""
        return self._fs.attributes(self._number)

    def open(self) -> BinaryIO:
        """See :class:`~v2vlint.disk.filesystems.node.Node`."""
        inode = self._fs.inode(self._number)
        if inode.flags & _ENCRYPT_FLAG:
            raise Unsupported("encrypted file (fscrypt)")
        if inode.flags & _INLINE_FLAG:
            return io.BytesIO(inode.inline())
        return cast(BinaryIO, ExtFile(self._fs, inode))


def _entries(block: bytes) -> Iterator[tuple[str, int]]:
    at, size = 0, len(block)
    while at + 8 <= size:
        inode, length, name_length = _DIR_ENTRY.unpack_from(block, at)
        # 64 KiB do not fit into the field (ext4_rec_len_from_disk()).
        length = 65536 if length in (0, 65535) and size == 65536 else length
        if length < 8:
            return
        name = block[at + 8 : at + 8 + name_length]
        # Index nodes and checksums look like entries with inode 0, so hashed directories can be read from start to end.
        if inode and name not in (b".", b"..", b""):
            yield name.decode("utf-8", "surrogateescape"), inode
        at += length


def open_ext(content: Content, streams: Sequence[Stream]) -> Ext:
    """The reader named in :data:`~v2vlint.disk.filesystems.formats.FORMATS`."""
    return Ext(streams[0], content.type, content.uuid, content.label)
