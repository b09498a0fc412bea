"""What the journal of ext3/ext4 (jbd2; Documentation/filesystems/ext4/journal.rst) would change at the next mount.

The image of a machine that was not shut down has metadata that only the journal contains. Committed transactions are applied to the
filesystem in memory; the image is not modified. Checksums are verified where fs/jbd2/recovery.c of Linux verifies them: a transaction with
a wrong commit block ends the replay, a damaged block inside a committed transaction makes the mount fail.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import field

from v2vlint.disk.checksums import crc32c
from v2vlint.disk.fields import Fields
from v2vlint.disk.stream import Stream, exactly
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import ImageError

MAGIC = 0xC03B3998
MAX_BLOCKS = 1 << 20
_DESCRIPTOR, _COMMIT, _REVOKE = 1, 2, 5
_COMPAT_CHECKSUM = 1
_64BIT, _CSUM_V2, _CSUM_V3, _FAST = 2, 8, 16, 32
_KNOWN_INCOMPAT = 0x3F
_ESCAPED, _SAME_UUID, _LAST = 1, 2, 8
_DEFAULT_FAST_BLOCKS = 256  # JBD2_DEFAULT_FAST_COMMIT_BLOCKS
_MIN_BLOCKS = 1024  # JBD2_MIN_JOURNAL_BLOCKS
_CRC32C = 4  # JBD2_CRC32C_CHKSUM
# journal_superblock_t (include/linux/jbd2.h). The checksum covers the block with s_checksum set to zero.
_SUPERBLOCK = Fields(
    ">",
    s_blocksize=(0xC, "I"),
    s_maxlen=(0x10, "I"),
    s_first=(0x14, "I"),
    s_sequence=(0x18, "I"),
    s_start=(0x1C, "I"),
    s_feature_compat=(0x24, "I"),
    s_feature_incompat=(0x28, "I"),
    s_checksum_type=(0x50, "B"),
    s_num_fc_blks=(0x54, "I"),
    s_checksum=(0xFC, "I"),
)
# The other structures of that header: journal_header_t, commit_header, journal_block_tag3_t, journal_block_tag_t,
# jbd2_journal_revoke_header_t, jbd2_journal_block_tail.
_HEADER = Fields(">", h_magic=(0, "I"), h_blocktype=(4, "I"), h_sequence=(8, "I"))
_COMMIT_HEADER = Fields(">", h_chksum_type=(12, "B"), h_chksum_size=(13, "B"), h_chksum=(16, "I"))
_TAG_3 = Fields(">", t_blocknr=(0, "I"), t_flags=(4, "I"), t_checksum=(12, "I"))
_TAG, _TAG_HIGH = Fields(">", t_blocknr=(0, "I"), t_checksum=(4, "H"), t_flags=(6, "H")), Fields(">", t_blocknr_high=(8, "I"))
_REVOKE_HEADER, _TAIL = Fields(">", r_count=(12, "I")), Fields(">", t_checksum=(0, "I"))


@dataclass(frozen=True, slots=True)
class Tag:
    """One block of a transaction: its destination, where the journal keeps it, its checksum (v2: the low 16 bits)."""

    block: int
    place: int
    escaped: bool
    checksum: int


@dataclass(slots=True)
class _Transaction:
    """``revoked`` are the blocks that earlier transactions must not restore."""

    sequence: int
    tags: list[Tag] = field(default_factory=list)
    revoked: set[int] = field(default_factory=set)
    damaged: bool = False
    crc: int = 0xFFFFFFFF


class ExtJournal:
    """A journal. ``changes`` maps filesystem blocks to (journal block, escaped); it is empty when there is nothing to replay.

    ImageError when the kernel would refuse to replay it. ``fast`` are the blocks of fast commits, ``expected`` is their transaction.
    """

    def __init__(self, content: Stream) -> None:
        self._content = content
        self._head = content.read_at(0, 1024)
        header = _HEADER.read(self._head)
        kind = header["h_blocktype"]
        if header["h_magic"] != MAGIC or kind not in (3, 4):
            raise ImageError("its journal has no superblock")
        found = _SUPERBLOCK.read(self._head)
        self.block_size, self._length, self._first = found["s_blocksize"], found["s_maxlen"], found["s_first"]
        self._sequence, self._start = found["s_sequence"], found["s_start"]
        # Block type 3 is a version 1 superblock, which ends before the feature fields.
        compat, self._incompat = (found["s_feature_compat"], found["s_feature_incompat"]) if kind == 4 else (0, 0)
        self._summed = bool(compat & _COMPAT_CHECKSUM)
        self._check(found, content.size)
        self._seed = crc32c(0xFFFFFFFF, self._head[48:64]) if self._has_sums else 0
        self._last = self._length - (self._fast_blocks(found["s_num_fc_blks"]) if self._incompat & _FAST else 0)
        self.changes: dict[int, tuple[int, bool]] = {}
        self.expected = self._sequence
        if self._start:
            self._replay()

    @property
    def _has_sums(self) -> bool:
        return bool(self._incompat & (_CSUM_V2 | _CSUM_V3))

    def _check(self, found: Mapping[str, int], size: int) -> None:
        if unknown := self._incompat & ~_KNOWN_INCOMPAT:
            raise ImageError(f"its journal has unknown features {unknown:#x}")
        if not (1024 <= self.block_size <= 65536 and 0 < self._first < self._length <= size // self.block_size):
            raise ImageError("the superblock of its journal is damaged")
        if self._has_sums:
            head = bytearray(self._head)
            head[0xFC:0x100] = bytes(4)
            if found["s_checksum_type"] != _CRC32C or crc32c(0xFFFFFFFF, bytes(head)) != found["s_checksum"]:
                raise ImageError("the superblock of its journal fails its checksum")

    def _fast_blocks(self, stated: int) -> int:
        count = stated or _DEFAULT_FAST_BLOCKS
        # A journal that would become too small has no such area (fs/jbd2/journal.c).
        return count if self._length - count >= _MIN_BLOCKS else 0

    def fast(self) -> Iterator[bytes]:
        """The blocks used for fast commits, in order."""
        if self._incompat & _FAST and self._last < self._length:
            # j_fc_first is j_last + 1 (fs/jbd2/journal.c): the block in between is unused.
            for number in range(self._last + 1, self._length):
                yield self.block(number, escaped=False)

    def block(self, number: int, *, escaped: bool) -> bytes:
        """The new content of a filesystem block. In an escaped block, the journal's magic number is restored."""
        data = exactly(self._content, number * self.block_size, self.block_size)
        return MAGIC.to_bytes(4, "big") + data[4:] if escaped else data

    def _replay(self) -> None:
        transactions = list(self._transactions())
        self.expected = self._sequence + len(transactions) & 0xFFFFFFFF
        # All revocations come first (PASS_REVOKE): each also covers the blocks of earlier transactions.
        revoked: dict[int, int] = {}
        for index, transaction in enumerate(transactions):
            if transaction.damaged:
                raise ImageError("a block of its journal fails its checksum")
            revoked.update(dict.fromkeys(transaction.revoked, index))
        for index, transaction in enumerate(transactions):
            for tag in transaction.tags:
                if revoked.get(tag.block, -1) < index:
                    self._verify(tag, transaction.sequence)
                    self.changes[tag.block] = (tag.place, tag.escaped)

    def _verify(self, tag: Tag, sequence: int) -> None:
        if not self._has_sums:
            return
        data = exactly(self._content, tag.place * self.block_size, self.block_size)
        found = crc32c(crc32c(self._seed, struct.pack(">I", sequence)), data)
        if found != tag.checksum and (self._incompat & _CSUM_V3 or found & 0xFFFF != tag.checksum):
            raise ImageError(f"block {tag.block} in its journal fails its checksum")

    def _transactions(self) -> Iterator[_Transaction]:
        """Committed transactions in order; anything after the last commit is ignored."""
        here, read = self._start, 0
        current = _Transaction(self._sequence)
        while read < self._length:
            data = self.block(here, escaped=False)
            header = _HEADER.read(data)
            kind = header["h_blocktype"]
            # What follows is from an earlier lap of the ring.
            if header["h_magic"] != MAGIC or header["h_sequence"] != current.sequence:
                return
            if read >= MAX_BLOCKS:
                raise ImageError(f"its journal has more than {MAX_BLOCKS} blocks to replay")
            here, read = self._after(here, 1), read + 1
            # Damage counts only if a commit follows: what was never committed may be torn.
            if kind == _DESCRIPTOR:
                current.damaged |= not self._tail_fits(data)
                here, read = self._described(current, data, here, read)
            elif kind == _REVOKE:
                current.damaged |= not self._tail_fits(data)
                current.revoked.update(self._revoked(data))
            elif kind == _COMMIT:
                if not self._commit_fits(data, current):
                    return
                yield current
                current = _Transaction(current.sequence + 1 & 0xFFFFFFFF)
            else:
                return

    def _described(self, current: _Transaction, data: bytes, here: int, read: int) -> tuple[int, int]:
        """Record the tags of a descriptor block. Returns the position and the transaction's block count after its data blocks."""
        current.crc = self._chained(current.crc, data)
        for number, flags, checksum in self._tags(data):
            current.tags.append(Tag(number, here, bool(flags & _ESCAPED), checksum))
            if self._summed:
                current.crc = self._chained(current.crc, self.block(here, escaped=False))
            here, read = self._after(here, 1), read + 1
        return here, read

    def _chained(self, crc: int, data: bytes) -> int:
        """The checksum of the first version: ``crc32_be`` over descriptor and data blocks."""
        return _crc32_be(crc, data) if self._summed and not self._has_sums else crc

    def _tail_fits(self, data: bytes) -> bool:
        return not self._has_sums or crc32c(self._seed, data[:-4] + bytes(4)) == _TAIL.read(data, len(data) - 4)["t_checksum"]

    def _commit_fits(self, data: bytes, current: _Transaction) -> bool:
        found = _COMMIT_HEADER.read(data)
        stored = found["h_chksum"]
        if self._has_sums:
            return crc32c(self._seed, data[:16] + bytes(4) + data[20:]) == stored
        # JBD2_CRC32_CHKSUM and JBD2_CRC32_CHKSUM_SIZE.
        if self._summed and found["h_chksum_type"] == 1 and found["h_chksum_size"] == 4:
            return stored == current.crc
        return True

    def _after(self, block: int, count: int) -> int:
        block += count
        # The ring ends where the area of fast commits begins.
        return block - (self._last - self._first) if block >= self._last else block

    def _tags(self, data: bytes) -> Iterator[tuple[int, int, int]]:
        """Block, flags and checksum of each tag (``journal_block_tag3_s``, ``journal_block_tag_s``)."""
        at, end = 12, len(data) - (4 if self._has_sums else 0)
        # journal_tag_bytes() of fs/jbd2/journal.c.
        size = 16 if self._incompat & _CSUM_V3 else (12 if self._incompat & _64BIT else 8) + (2 if self._incompat & _CSUM_V2 else 0)
        while at + size <= end:
            tag = (_TAG_3 if size == 16 else _TAG).read(data, at)
            high = _TAG_HIGH.read(data, at)["t_blocknr_high"] if self._incompat & _64BIT else 0
            flags = tag["t_flags"]
            yield tag["t_blocknr"] | high << 32, flags, tag["t_checksum"]
            if flags & _LAST:
                return
            # Usually only the first tag is followed by a UUID.
            at += size + (0 if flags & _SAME_UUID else 16)

    def _revoked(self, data: bytes) -> Iterator[int]:
        width = 8 if self._incompat & _64BIT else 4
        end = min(_REVOKE_HEADER.read(data)["r_count"], len(data))
        for at in range(16, end - width + 1, width):
            yield int.from_bytes(data[at : at + width], "big")


_REVERSED = bytes(int(f"{number:08b}"[::-1], 2) for number in range(256))


def _crc32_be(crc: int, data: bytes) -> int:
    """The kernel's ``crc32_be``: zlib's polynomial, most significant bit first. It equals zlib's CRC of the bytes with their bits
    reversed.
    """
    start = int(f"{crc:032b}"[::-1], 2)
    return int(f"{zlib.crc32(data.translate(_REVERSED), start ^ 0xFFFFFFFF) ^ 0xFFFFFFFF:032b}"[::-1], 2)


class Replayed(Stream):
    """A filesystem with the changes of its journal applied."""

    def __init__(self, base: Stream, journal: ExtJournal) -> None:
        super().__init__(base.size)
        self._base, self._journal = base, journal

    def read_at(self, offset: int, length: int) -> bytes:
        """See :class:`~v2vlint.disk.stream.Stream`."""
        length, size, changes = self.clip(offset, length), self._journal.block_size, self._journal.changes
        data = self._base.read_at(offset, length)
        first, last = offset // size, (offset + length - 1) // size
        touched = [number for number in range(first, last + 1) if number in changes] if length else []
        if not touched:
            return data
        patched = bytearray(data)
        for number in touched:
            place, escaped = changes[number]
            start = number * size
            block = self._journal.block(place, escaped=escaped)
            inside = block[max(0, offset - start) : max(0, offset + len(patched) - start)]
            at = max(0, start - offset)
            patched[at : at + len(inside)] = inside
        return bytes(patched)
