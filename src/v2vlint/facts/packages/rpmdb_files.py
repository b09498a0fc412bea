"""RPM's NDB and Berkeley DB hash files, read only to locate the package headers.

NDB's layout is in rpm's ``lib/backend/ndb/rpmpkg.c``, that of the hash pages in Berkeley DB's ``dbinc/db_page.h``. Either file may have
been written in either byte order; RPM's header blobs themselves are always big-endian.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from functools import partial

from v2vlint.facts.initramfs.decompress import Source

MAX_SLOT_PAGES, MAX_BUCKETS, MAX_CHAIN = 16_384, 1 << 20, 10_000
_HASH_MAGIC, _HASH_PAGES, _OVERFLOW = 0x00061561, (2, 13), 7  # DB_HASHMAGIC; P_HASH_UNSORTED and P_HASH; P_OVERFLOW
_INLINE, _OFFPAGE = 1, 3  # H_KEYDATA, H_OFFPAGE

Head = Callable[[int], bytes]


class RpmdbError(Exception):
    """The database is damaged; the message is a lower-case fragment."""


def ndb_blobs(source: Source, _log: Source | None = None) -> Iterator[Head]:
    """The header blobs of a ``Packages.db``: slot pages of 16-byte slots point to blobs addressed in 16-byte blocks."""
    if source.at(0, 4) != b"RpmP":
        raise RpmdbError("is not an NDB package database")
    # The header is as large as two slots: magic, version, generation, number of slot pages.
    pages = struct.unpack("<I", source.at(12, 4))[0]
    if not 0 < pages <= MAX_SLOT_PAGES:
        raise RpmdbError("has an impossible number of slot pages")
    slots = source.at(32, pages * 4096 - 32)
    for magic, number, block, _ in struct.iter_unpack("<4sIII", slots[: len(slots) // 16 * 16]):
        if magic != b"Slot":
            raise RpmdbError("has a damaged slot")
        if block:
            yield _ndb_blob(source, number, block * 16)


def _ndb_blob(source: Source, number: int, offset: int) -> Head:
    head = source.at(offset, 16)
    if len(head) < 16 or head[:4] != b"BlbS" or struct.unpack_from("<I", head, 4)[0] != number:
        raise RpmdbError("has a damaged blob")
    size = struct.unpack_from("<I", head, 12)[0]
    return lambda count: source.at(offset + 16, min(count, size))


def _first(data: bytes, count: int) -> bytes:
    return data[:count]


def bdb_blobs(source: Source, _log: Source | None = None) -> Iterator[Head]:
    """The header blobs of a Berkeley DB hash file, bucket by bucket. The record with key 0 is RPM's counter."""
    return _Hash(source).blobs()


class _Hash:
    def __init__(self, source: Source) -> None:
        self.source = source
        meta = source.at(0, 512)
        self.order = next((o for o in "<>" if len(meta) == 512 and struct.unpack_from(f"{o}I", meta, 12)[0] == _HASH_MAGIC), "")
        if not self.order:
            raise RpmdbError("is not a Berkeley DB hash file")
        # HMETA: magic at 12, pagesize at 20, max_bucket at 72, spares at 96.
        self.page_size = self.u32(meta, 20)
        self.buckets = self.u32(meta, 72) + 1
        self.spares = struct.unpack_from(f"{self.order}32I", meta, 96)
        if self.page_size not in (512 << shift for shift in range(8)) or self.buckets > MAX_BUCKETS:
            raise RpmdbError("has an impossible page size or bucket count")

    def u32(self, data: bytes, offset: int) -> int:
        return int(struct.unpack_from(f"{self.order}I", data, offset)[0])

    def u16(self, data: bytes, offset: int) -> int:
        return int(struct.unpack_from(f"{self.order}H", data, offset)[0])

    def page(self, number: int) -> bytes:
        data = self.source.at(number * self.page_size, self.page_size)
        if len(data) < self.page_size:
            raise RpmdbError("ends early")
        return data

    def blobs(self) -> Iterator[Head]:
        for bucket in range(self.buckets):
            number, chain = bucket + self.spares[bucket.bit_length()], 0  # BUCKET_TO_PAGE of dbinc/hash.h
            while number and chain < MAX_CHAIN:
                page = self.page(number)
                if page[25] not in _HASH_PAGES:
                    break
                yield from self.items(page)
                number, chain = self.u32(page, 16), chain + 1

    def items(self, page: bytes) -> Iterator[Head]:
        # PAGE: next_pgno at 16, entries at 20, hf_offset (or the length of an overflow) at 22, type at 25, items from 26.
        count = min(self.u16(page, 20), (self.page_size - 26) // 2)
        offsets = [self.u16(page, 26 + 2 * index) for index in range(count)]
        for index in range(0, count - 1, 2):
            # Items are filled in from the end of the page, so each one ends where the one before it begins.
            key_end = offsets[index - 1] if index else self.page_size
            key, start, end = page[offsets[index] : key_end], offsets[index + 1], offsets[index]
            if key[1:5] == b"\0\0\0\0" or not start < end <= self.page_size:
                continue
            if page[start] == _INLINE:
                yield partial(_first, page[start + 1 : end])
            elif page[start] == _OFFPAGE and end - start >= 12:
                yield partial(self.overflow, self.u32(page, start + 4))

    def overflow(self, number: int, wanted: int) -> bytes:
        parts: list[bytes] = []
        have = 0
        while number and have < wanted and len(parts) < MAX_CHAIN:
            page = self.page(number)
            if page[25] != _OVERFLOW:
                raise RpmdbError("has a damaged overflow page")
            parts.append(page[26 : 26 + self.u16(page, 22)])
            have += len(parts[-1])
            number = self.u32(page, 16)
        return b"".join(parts)[:wanted]
