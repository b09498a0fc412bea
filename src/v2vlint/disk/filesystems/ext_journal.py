"""What the journal of ext3/ext4 (jbd2; Documentation/filesystems/ext4/journal.rst) would change at the next mount.

An image of a machine that was not shut down has metadata that only the journal holds. Committed transactions are laid over the
filesystem in memory; the image is not touched. Fast commits are not replayed.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from v2vlint.disk.stream import Stream, exactly

MAGIC = 0xC03B3998
MAX_BLOCKS = 1 << 20
_DESCRIPTOR, _COMMIT, _REVOKE = 1, 2, 5
_64BIT, _CSUM_V2, _CSUM_V3 = 2, 8, 16
_KNOWN_INCOMPAT = 0x3F
_ESCAPED, _SAME_UUID, _LAST = 1, 2, 8


@dataclass(slots=True)
class _Transaction:
    """The blocks of one transaction: filesystem block to (journal block, escaped); and the blocks that later ones must not bring back."""

    blocks: dict[int, tuple[int, bool]] = field(default_factory=dict)
    revoked: set[int] = field(default_factory=set)


class Journal:
    """A journal that has something to replay. ``changes`` maps filesystem blocks to (journal block, escaped)."""

    def __init__(self, content: Stream) -> None:
        self._content = content
        head = content.read_at(0, 1024)
        magic, kind = struct.unpack_from(">II", head, 0)
        self.block_size, self._length, self._first, self._sequence, self._start = struct.unpack_from(">IIIII", head, 12)
        self._incompat = struct.unpack_from(">I", head, 40)[0] if kind == 4 else 0
        self.changes: dict[int, tuple[int, bool]] = {}
        plausible = 1024 <= self.block_size <= 65536 and 0 < self._first < self._length <= content.size // self.block_size
        if magic == MAGIC and kind in (3, 4) and plausible and self._start and not self._incompat & ~_KNOWN_INCOMPAT:
            self._replay()

    def block(self, number: int, *, escaped: bool) -> bytes:
        """The new content of a filesystem block; an escaped one began with the journal's magic."""
        data = exactly(self._content, number * self.block_size, self.block_size)
        return MAGIC.to_bytes(4, "big") + data[4:] if escaped else data

    def _replay(self) -> None:
        transactions = list(self._transactions())
        revoked: dict[int, int] = {}
        for index, transaction in enumerate(transactions):
            revoked.update(dict.fromkeys(transaction.revoked, index))
        for index, transaction in enumerate(transactions):
            self.changes.update((number, place) for number, place in transaction.blocks.items() if revoked.get(number, -1) < index)

    def _transactions(self) -> Iterator[_Transaction]:
        """Committed transactions in order; what follows the last commit never happened."""
        here, sequence, current, read = self._start, self._sequence, _Transaction(), 0
        while read < min(self._length, MAX_BLOCKS):
            data = self.block(here, escaped=False)
            magic, kind, number = struct.unpack_from(">III", data, 0)
            if magic != MAGIC or number != sequence:
                return
            here, read = self._after(here, 1), read + 1
            if kind == _DESCRIPTOR:
                for place, escaped in self._tags(data):
                    current.blocks[place] = (here, escaped)
                    here, read = self._after(here, 1), read + 1
            elif kind == _REVOKE:
                current.revoked.update(self._revoked(data))
            elif kind == _COMMIT:
                yield current
                current, sequence = _Transaction(), sequence + 1 & 0xFFFFFFFF
            else:
                return

    def _after(self, block: int, count: int) -> int:
        block += count
        return block - (self._length - self._first) if block >= self._length else block

    def _tags(self, data: bytes) -> Iterator[tuple[int, bool]]:
        at, end = 12, len(data) - (4 if self._incompat & (_CSUM_V2 | _CSUM_V3) else 0)
        size = 16 if self._incompat & _CSUM_V3 else (12 if self._incompat & _64BIT else 8) + (2 if self._incompat & _CSUM_V2 else 0)
        while at + size <= end:
            number, flags = struct.unpack_from(">II", data, at) if size == 16 else struct.unpack_from(">IxxH", data, at)
            if self._incompat & _64BIT:
                number |= struct.unpack_from(">I", data, at + 8)[0] << 32
            yield number, bool(flags & _ESCAPED)
            if flags & _LAST:
                return
            at += size + (0 if flags & _SAME_UUID else 16)

    def _revoked(self, data: bytes) -> Iterator[int]:
        width = 8 if self._incompat & _64BIT else 4
        end = min(struct.unpack_from(">I", data, 12)[0], len(data))
        for at in range(16, end - width + 1, width):
            yield int.from_bytes(data[at : at + width], "big")


class Replayed(Stream):
    """A filesystem with the changes of its journal applied."""

    def __init__(self, base: Stream, journal: Journal) -> None:
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
