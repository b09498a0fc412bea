"""Fast commits of ext4 (fs/ext4/fast_commit.c of Linux): small changes of files and folders, written after the journal's own transactions.

They are collected as changes to inodes, folders and block maps, which the reader consults before the disk.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import field

from v2vlint.disk.checksums import crc32c
from v2vlint.disk.fields import Fields
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import ImageError

_ADD_RANGE, _DEL_RANGE, _CREATE, _LINK, _UNLINK, _INODE, _PAD, _TAIL, _HEAD = range(1, 10)
_SUPPORTED_FEATURES = 0
_FIXED_LENGTHS = {_ADD_RANGE: 16, _DEL_RANGE: 12, _TAIL: 8, _HEAD: 8}
_MAP, _GENERATION = 40, 100
_EXTENT_FLAG, _INLINE_FLAG = 0x80000, 0x10000000
_EMPTY_TREE = struct.pack("<HHHHI", 0xF30A, 0, 4, 0, 0)
MAX_TAGS = 1 << 20
# fs/ext4/fast_commit.h: struct ext4_fc_tl, ext4_fc_head, ext4_fc_tail, ext4_fc_dentry_info, ext4_fc_inode, ext4_fc_add_range (with a
# struct ext4_extent of ext4_extents.h), ext4_fc_del_range; of struct ext4_inode (fs/ext4/ext4.h), the flags.
_TL = Fields("<", fc_tag=(0, "H"), fc_len=(2, "H"))
_FC_HEAD, _FC_TAIL = Fields("<", fc_features=(0, "I"), fc_tid=(4, "I")), Fields("<", fc_tid=(0, "I"), fc_crc=(4, "I"))
_FC_DENTRY, _FC_INODE = Fields("<", fc_parent_ino=(0, "I"), fc_ino=(4, "I")), Fields("<", fc_ino=(0, "I"))
_FC_ADD = Fields("<", fc_ino=(0, "I"), ee_block=(4, "I"), ee_len=(8, "H"), ee_start_hi=(10, "H"), ee_start_lo=(12, "I"))
_FC_DEL = Fields("<", fc_ino=(0, "I"), fc_lblk=(4, "I"), fc_len=(8, "I"))
_INODE_FLAGS, _INODE_LINKS = Fields("<", i_flags=(0x20, "I")), Fields("<", i_links_count=(0x1A, "H"))


@dataclass(frozen=True, slots=True)
class FastRange:
    """File blocks starting at ``first``, stored from ``block`` on; 0 for a hole or for blocks that were allocated but never written."""

    first: int
    count: int
    block: int


@dataclass(slots=True)
class FastCommits:
    """The changes made by fast commits: raw inodes, names in folders (None: removed) and ranges of file blocks, the latest last.

    A folder in ``created`` starts empty, whatever its blocks contain: the kernel initialises it. Kernels differ in what they make of inodes
    in ``reused``, which were unlinked and created again: some lose the entry, some the content.
    """

    inodes: dict[int, bytes] = field(default_factory=dict)
    names: dict[int, dict[str, int | None]] = field(default_factory=dict)
    ranges: dict[int, list[FastRange]] = field(default_factory=dict)
    created: set[int] = field(default_factory=set)
    unlinked: set[int] = field(default_factory=set)
    reused: set[int] = field(default_factory=set)

    def __bool__(self) -> bool:
        return bool(self.inodes or self.names or self.ranges)

    def inode(self, number: int, data: bytes) -> bytes:
        """Inode ``number`` with its changes applied. Its block map is kept unless it holds inline data."""
        new = self.inodes.get(number)
        if new is None:
            return data
        size = min(len(new), len(data))
        # As ext4_fc_replay_inode(): the map is left to the tags that add and remove ranges.
        merged = new[:_MAP] + data[_MAP:_GENERATION] + new[_GENERATION:size] + data[size:]
        flags = _INODE_FLAGS.read(new)["i_flags"]
        tree = merged[_MAP : _MAP + 2] == b"\x0a\xf3"
        if flags & _INLINE_FLAG or not flags & _EXTENT_FLAG:
            return merged[:_MAP] + new[_MAP:_GENERATION] + merged[_GENERATION:]
        return merged if tree else merged[:_MAP] + _EMPTY_TREE.ljust(60, b"\0") + merged[_GENERATION:]

    def folder(self, number: int, on_disk: Callable[[int], dict[str, int]]) -> dict[str, int]:
        """The names in folder ``number``; ``on_disk`` is what its blocks hold."""
        changed = self.names.get(number, {})
        names = {} if number in self.created else on_disk(number)
        kept = {name: inode for name, inode in names.items() if name not in changed}
        return kept | {name: inode for name, inode in changed.items() if inode is not None}

    def find(self, number: int, block: int, wanted: int) -> tuple[int, int] | None:
        """The disk block of file block ``block`` of an inode (0: a hole) and the length of the rest of the run; None when it has not
        changed.
        """
        for one in reversed(self.ranges.get(number, ())):
            if one.first <= block < one.first + one.count:
                run = min(wanted, one.first + one.count - block)
                later = (other.first for other in self.ranges[number] if other.first > block)
                # Another range that begins inside of this one may be newer.
                run = min([run, *(start - block for start in later)])
                return (one.block + block - one.first if one.block else 0), run
        return None

    def until(self, number: int, block: int, wanted: int) -> int:
        """The number of blocks starting at ``block``, at most ``wanted``, before the next change begins."""
        return min([wanted, *(one.first - block for one in self.ranges.get(number, ()) if one.first > block)])


def read_fast_commits(blocks: Iterable[bytes], expected: int) -> FastCommits:
    """The fast commits of transaction ``expected``, up to the first wrong checksum. ImageError when the kernel would refuse them."""
    tags: list[tuple[int, bytes]] = []
    complete, crc = 0, 0
    for tag, value, raw in _tags(blocks):
        if tag == _HEAD:
            head = _FC_HEAD.read(value)
            if head["fc_tid"] != expected:
                break
            if (features := head["fc_features"]) & ~_SUPPORTED_FEATURES:
                raise ImageError(f"its fast commits have unknown features {features:#x}")
        tags.append((tag, value))
        if tag == _TAIL:
            tail = _FC_TAIL.read(value)
            if tail["fc_tid"] != expected or crc32c(crc, raw[:8]) != tail["fc_crc"]:
                break
            # Only up to here is the commit known to be whole; the checksum starts anew in the next one.
            complete, crc = len(tags), 0
        else:
            crc = crc32c(crc, raw)
    found = FastCommits()
    for tag, value in tags[:complete]:
        _apply(found, tag, value)
    return found


def _tags(blocks: Iterable[bytes]) -> Iterator[tuple[int, bytes, bytes]]:
    """The kind, value and whole bytes of each tag, up to the first that is not one."""
    count = 0
    for block in blocks:
        at = 0
        while at + 4 <= len(block):
            head = _TL.read(block, at)
            tag, length = head["fc_tag"], head["fc_len"]
            value = block[at + 4 : at + 4 + length]
            # The area is not erased between commits: what is not a tag is the end.
            if not _ADD_RANGE <= tag <= _HEAD or len(value) < max(length, _FIXED_LENGTHS.get(tag, 0)) or count >= MAX_TAGS:
                return
            yield tag, value, block[at : at + 4 + length]
            at, count = at + 4 + length, count + 1


def _apply(found: FastCommits, tag: int, value: bytes) -> None:
    if tag in (_CREATE, _LINK, _UNLINK) and len(value) > 8:
        entry = _FC_DENTRY.read(value)
        parent, inode = entry["fc_parent_ino"], entry["fc_ino"]
        name = value[8:].decode("utf-8", "surrogateescape")
        found.names.setdefault(parent, {})[name] = None if tag == _UNLINK else inode
        if tag == _UNLINK:
            found.unlinked.add(inode)
        elif tag == _CREATE:
            found.created.add(inode)
            found.reused.update({inode} & found.unlinked)
    # The inode's number and at least EXT4_GOOD_OLD_INODE_SIZE bytes of it.
    elif tag == _INODE and len(value) >= 4 + 128:
        # ext4_iget() takes it for one that is not there, and the mount fails: a file that was forced to the disk without having a name.
        if not _INODE_LINKS.read(value[4:])["i_links_count"]:
            raise ImageError("its fast commits hold a file without a name, which Linux refuses")
        found.inodes[_FC_INODE.read(value)["fc_ino"]] = value[4:]
    elif tag == _ADD_RANGE:
        added = _FC_ADD.read(value)
        first, length = added["ee_block"], added["ee_len"]
        # EXT_INIT_MAX_LEN, as in extents on disk.
        unwritten = length > 32768
        block = 0 if unwritten else added["ee_start_lo"] | added["ee_start_hi"] << 32
        found.ranges.setdefault(added["fc_ino"], []).append(FastRange(first, length - 32768 if unwritten else length, block))
    elif tag == _DEL_RANGE:
        removed = _FC_DEL.read(value)
        found.ranges.setdefault(removed["fc_ino"], []).append(FastRange(removed["fc_lblk"], removed["fc_len"], 0))
