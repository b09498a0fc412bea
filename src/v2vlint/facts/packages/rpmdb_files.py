"""RPM's NDB and Berkeley DB hash files, read only to locate the package headers.

NDB's layout is in rpm's ``lib/backend/ndb/rpmpkg.c``, that of the hash pages in Berkeley DB's ``dbinc/db_page.h``. Either file may have
been written in either byte order; RPM's header blobs themselves are always big-endian.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from functools import partial

from v2vlint.disk.fields import Fields
from v2vlint.facts.initramfs.decompress import Source

MAX_SLOT_PAGES, MAX_BUCKETS, MAX_CHAIN = 16_384, 1 << 20, 10_000
_HASH_MAGIC, _HASH_PAGES, _OVERFLOW = 0x00061561, (2, 13), 7  # DB_HASHMAGIC; P_HASH_UNSORTED and P_HASH; P_OVERFLOW
_INLINE, _OFFPAGE = 1, 3  # H_KEYDATA, H_OFFPAGE
# rpmpkg.c: PKGDB_OFFSET_SLOTNPAGES of the header, which is as large as two slots; a slot has magic, pkgidx, blkoff and blkcnt.
_SLOTNPAGES_AT, _SLOTNPAGES, _NDB_HEADER_SIZE, _SLOT = 12, struct.Struct("<I"), 32, struct.Struct("<4sIII")
_BLOB, _BLOB_SIZE = Fields("<", pkgidx=(4, "I"), bloblen=(12, "I")), 16  # BLOBHEAD_SIZE
# db_page.h: HMETA (its first part is DBMETA) with the offset of its array spares; PAGE with that of inp; HOFFPAGE.
_META = {order: Fields(order, magic=(12, "I"), pagesize=(20, "I"), max_bucket=(72, "I")) for order in "<>"}
_PAGE = {order: Fields(order, next_pgno=(16, "I"), entries=(20, "H"), hf_offset=(22, "H"), type=(25, "B")) for order in "<>"}
_OFFPAGE_ITEM = {order: Fields(order, pgno=(4, "I")) for order in "<>"}
_META_SIZE, _SPARES, _INP, _OFFPAGE_SIZE = 512, 96, 26, 12

Head = Callable[[int], bytes]


class RpmdbError(Exception):
    """The database is damaged; the message is a lower-case fragment."""


def ndb_blobs(source: Source, _log: Source | None = None) -> Iterator[Head]:
    """The header blobs of a ``Packages.db``: slot pages of 16-byte slots point to blobs addressed in 16-byte blocks."""
    if source.at(0, 4) != b"RpmP":
        raise RpmdbError("is not an NDB package database")
    (pages,) = _SLOTNPAGES.unpack(source.at(_SLOTNPAGES_AT, _SLOTNPAGES.size))
    if not 0 < pages <= MAX_SLOT_PAGES:
        raise RpmdbError("has an impossible number of slot pages")
    slots = source.at(_NDB_HEADER_SIZE, pages * 4096 - _NDB_HEADER_SIZE)
    for magic, number, block, _ in _SLOT.iter_unpack(slots[: len(slots) // _SLOT.size * _SLOT.size]):
        if magic != b"Slot":
            raise RpmdbError("has a damaged slot")
        if block:
            yield _ndb_blob(source, number, block * 16)


def _ndb_blob(source: Source, number: int, offset: int) -> Head:
    head = source.at(offset, _BLOB_SIZE)
    if len(head) < _BLOB_SIZE or head[:4] != b"BlbS" or (blob := _BLOB.read(head))["pkgidx"] != number:
        raise RpmdbError("has a damaged blob")
    size = blob["bloblen"]
    return lambda count: source.at(offset + _BLOB_SIZE, min(count, size))


def _first(data: bytes, count: int) -> bytes:
    return data[:count]


def bdb_blobs(source: Source, _log: Source | None = None) -> Iterator[Head]:
    """The header blobs of a Berkeley DB hash file, bucket by bucket. The record with key 0 is RPM's counter."""
    return _Hash(source).blobs()


class _Hash:
    def __init__(self, source: Source) -> None:
        self.source = source
        meta = source.at(0, _META_SIZE)
        self.order = next((o for o, fields in _META.items() if len(meta) == _META_SIZE and fields.read(meta)["magic"] == _HASH_MAGIC), "")
        if not self.order:
            raise RpmdbError("is not a Berkeley DB hash file")
        header, self.fields, self.offpage = _META[self.order].read(meta), _PAGE[self.order], _OFFPAGE_ITEM[self.order]
        self.page_size = header["pagesize"]
        self.buckets = header["max_bucket"] + 1
        self.spares = struct.unpack_from(f"{self.order}32I", meta, _SPARES)
        if self.page_size not in (512 << shift for shift in range(8)) or self.buckets > MAX_BUCKETS:
            raise RpmdbError("has an impossible page size or bucket count")

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
                header = self.fields.read(page)
                if header["type"] not in _HASH_PAGES:
                    break
                yield from self.items(page, header["entries"])
                number, chain = header["next_pgno"], chain + 1

    def items(self, page: bytes, entries: int) -> Iterator[Head]:
        count = min(entries, (self.page_size - _INP) // 2)
        offsets = struct.unpack_from(f"{self.order}{count}H", page, _INP)
        for index in range(0, count - 1, 2):
            # Items are filled in from the end of the page, so each one ends where the one before it begins.
            key_end = offsets[index - 1] if index else self.page_size
            key, start, end = page[offsets[index] : key_end], offsets[index + 1], offsets[index]
            if key[1:5] == b"\0\0\0\0" or not start < end <= self.page_size:
                continue
            if page[start] == _INLINE:
                yield partial(_first, page[start + 1 : end])
            elif page[start] == _OFFPAGE and end - start >= _OFFPAGE_SIZE:
                yield partial(self.overflow, self.offpage.read(page, start)["pgno"])

    def overflow(self, number: int, wanted: int) -> bytes:
        parts: list[bytes] = []
        have = 0
        while number and have < wanted and len(parts) < MAX_CHAIN:
            page = self.page(number)
            header = self.fields.read(page)
            if header["type"] != _OVERFLOW:
                raise RpmdbError("has a damaged overflow page")
            # OV_LEN: an overflow page has its length in hf_offset.
            parts.append(page[_INP : _INP + header["hf_offset"]])
            have += len(parts[-1])
            number = header["next_pgno"]
        return b"".join(parts)[:wanted]
