"""Compressed streams as read by the kernel's initramfs unpacker (``lib/decompress*.c``), processed piece by piece.

The magic identifies a stream, and the stream marks its own end, so another segment may follow. No stream is decompressed as a whole.
"""

from __future__ import annotations

import bz2
import lzma
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, Protocol, cast

from v2vlint.disk.fields import Fields
from v2vlint.disk.filesystems.lzo import LzoError, decompress_block
from v2vlint.model.dataclass import dataclass

PIECE = 1 << 20
MAX_BLOCK = 64 << 20
MAX_WINDOW = 256 << 20
_FEED = 1 << 18

MAGICS = (
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x5d\x00\x00", "lzma"),
    (b"\x89LZO\x00", "lzo"),
    (b"\x02\x21\x4c\x18", "lz4"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
)


class Damaged(Exception):
    """A compressed stream or archive that cannot be read further; the message is a lower-case fragment."""


class Junk(Damaged):
    """What lies behind a whole archive or stream cannot be read, and the kernel stops there."""


@dataclass(frozen=True, slots=True)
class Source:
    """``size`` bytes of ``stream`` starting at ``base``, readable at any offset."""

    stream: BinaryIO
    base: int
    size: int

    def at(self, offset: int, count: int) -> bytes:
        """Up to ``count`` bytes at ``offset``; shorter only at the end."""
        count = min(count, self.size - offset)
        if count <= 0:
            return b""
        self.stream.seek(self.base + offset)
        return self.stream.read(count)


def compression_of(head: bytes) -> str:
    """The compression that ``head`` starts with, or an empty string."""
    return next((name for magic, name in MAGICS if head.startswith(magic)), "")


class CompressedStream:
    """One compressed stream of ``source`` at ``start``. Iterating yields its content in pieces; then ``end`` is the offset after it.

    A truncated or damaged stream raises :class:`Damaged` after the pieces that were readable.
    """

    def __init__(self, source: Source, start: int, compression: str) -> None:
        self.source = source
        self.end = start
        self._pieces = _READERS[compression]

    def __iter__(self) -> Iterator[bytes]:
        return self._pieces(self)


class _Bounded(Protocol):
    eof: bool
    unused_data: bytes
    needs_input: bool

    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


class _Inflate:
    """zlib's decompressor with the interface of bz2's and lzma's."""

    def __init__(self) -> None:
        # 15 bits of window, with a header of gzip (16).
        self._inner = zlib.decompressobj(31)
        self._tail = b""
        self.needs_input = True

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        out = self._inner.decompress(self._tail + data, max_length)
        self._tail = self._inner.unconsumed_tail
        self.needs_input = not self._tail
        return out


def _pump(make: Callable[[], Any]) -> Callable[[CompressedStream], Iterator[bytes]]:
    def pieces(stream: CompressedStream) -> Iterator[bytes]:
        decoder: _Bounded = make()
        fed = stream.end
        while not decoder.eof:
            # Otherwise it still has input that did not fit into the last piece.
            data = stream.source.at(fed, _FEED) if decoder.needs_input else b""
            if decoder.needs_input and not data:
                raise Damaged("ends early: its compressed data is cut off")
            fed += len(data)
            try:
                out = decoder.decompress(data, PIECE)
            except (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError) as error:
                raise Damaged(f"has damaged compressed data ({error})") from error
            if out:
                yield out
        stream.end = fed - len(decoder.unused_data)

    return pieces


# XZ_CHECK_CRC32 of lib/xz/xz_stream.h; the type is in the second of the stream flags, behind the magic number.
_XZ_CHECK, _XZ_CRC32 = 7, 1
_XZ = _pump(lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MAX_WINDOW))


def _xz(stream: CompressedStream) -> Iterator[bytes]:
    """xz(1) uses CRC64 unless told otherwise, for which the kernel refuses the stream (``dec_stream_header``)."""
    if any(check > _XZ_CRC32 for check in stream.source.at(stream.end + _XZ_CHECK, 1)):
        raise Junk("is packed by xz with a check other than CRC32, which the kernel refuses")
    yield from _XZ(stream)


def _zstd(stream: CompressedStream) -> Iterator[bytes]:
    import zstandard

    frame = _Frame(stream.source, stream.end)
    reader = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW).stream_reader(cast(BinaryIO, frame), read_size=_FEED)
    try:
        while out := reader.read(PIECE):
            yield out
    except zstandard.ZstdError as error:
        raise Damaged(f"has damaged compressed data ({error})") from error
    stream.end, whole = frame.end()
    if not whole:
        raise Damaged("ends early: its compressed data is cut off")


# RFC 8878: Magic_Number, Frame_Header_Descriptor.
_ZSTD_DESCRIPTOR, _ZSTD_DESCRIPTOR_END, _ZSTD_HEADER = 4, 5, 18


class _Frame:
    """One zstd frame of ``source`` at ``start`` as a file. Its end, which only its block headers tell (RFC 8878), is found on the way:
    to look for it first would read everything twice.
    """

    def __init__(self, source: Source, start: int) -> None:
        self._source, self._position = source, start
        head = source.at(start, _ZSTD_HEADER)
        flags = head[_ZSTD_DESCRIPTOR] if len(head) > _ZSTD_DESCRIPTOR_END else 0
        single = flags >> 5 & 1
        # The descriptor tells whether and how long window, dictionary and size are.
        self._block = start + _ZSTD_DESCRIPTOR_END + (1 - single) + (0, 1, 2, 4)[flags & 3] + (single, 2, 4, 8)[flags >> 6]
        self._checksum = 4 if flags >> 2 & 1 else 0
        self._ended = False

    def read(self, size: int) -> bytes:
        """The next ``size`` bytes; fewer only at the end."""
        data = self._source.at(self._position, size)
        start, self._position = self._position, self._position + len(data)
        while not self._ended and self._block < self._position:
            at = self._block - start
            # A header on the border of two reads is read by itself.
            self._pass(data[at : at + 3] if at + 3 <= len(data) else self._source.at(self._block, 3))
        return data[: max(self._block - start, 0)] if self._ended else data

    def _pass(self, header: bytes) -> None:
        """Go on to the next block: ``_block`` is then the end of the frame if this was the last one, or lies behind the source."""
        value = int.from_bytes(header, "little")
        self._ended, kind, length = bool(value & 1), value >> 1 & 3, value >> 3
        if len(header) < 3:
            self._ended, self._block = False, self._source.size + 1
            return
        # An RLE block has one byte, whatever it unpacks to.
        self._block += 3 + (1 if kind == 1 else length) + (self._checksum if self._ended else 0)

    def end(self) -> tuple[int, bool]:
        """The end of the frame, and whether it is complete."""
        while self.read(_FEED):
            pass
        return (self._block, True) if self._ended and self._block <= self._source.size else (self._source.size, False)


def _lz4(stream: CompressedStream) -> Iterator[bytes]:
    """The legacy frame, the only one the kernel reads: blocks of at most 8 MiB, up to the end or, since Linux 5.14 or so, four zero bytes.
    What else follows is taken for a block.
    """
    import lz4.block

    source, block_size = stream.source, 8 << 20
    stream.end += 4
    while True:
        head = source.at(stream.end, 4)
        # unlz4.c skips the magic number of another frame.
        if head == MAGICS[5][0]:
            stream.end += 4
            continue
        size = int.from_bytes(head, "little")
        if len(head) < 4 or not size:
            return
        # LZ4_compressBound()
        largest = block_size + block_size // 255 + 16
        data = source.at(stream.end + 4, min(size, largest))
        if len(data) < size:
            raise Damaged("ends early: its compressed data is cut off")
        try:
            yield lz4.block.decompress(data, uncompressed_size=block_size)
        except lz4.block.LZ4BlockError as error:
            raise Damaged(f"has damaged compressed data ({error})") from error
        stream.end += 4 + size


# F_H_FILTER; F_ADLER32_D and F_CRC32_D, F_ADLER32_C and F_CRC32_C.
_LZO_FILTER, _LZO_CHECKS = 0x800, ((0x001, 0x100), (0x002, 0x200))
# The header as parse_header() of lib/decompress_unlzo.c reads it: after the magic number the version, later the flags; and a block's sizes.
_LZO_MAGIC_SIZE, _LZO_VERSION, _LZO_FLAGS = 9, Fields(">", version=(0, "H")), Fields(">", flags=(0, "I"))
_LZO_SIZES, _LZO_SIZES_SIZE = Fields(">", unpacked=(0, "I"), packed=(4, "I")), 8


def _lzo(stream: CompressedStream) -> Iterator[bytes]:
    """The lzop container: a header, then blocks of unpacked size, packed size and checksums, up to a size of zero."""
    source = stream.source
    flags, stream.end = _lzo_header(source, stream.end)
    plain, packed = (4 * sum(bool(flags & bit) for bit in bits) for bits in _LZO_CHECKS)
    while True:
        head = source.at(stream.end, _LZO_SIZES_SIZE)
        # The size of zero that ends the stream is not followed by another one.
        sizes = _LZO_SIZES.read(head.ljust(_LZO_SIZES_SIZE, b"\0"))
        unpacked, size = sizes["unpacked"], sizes["packed"]
        if len(head) >= 4 and unpacked == 0:
            stream.end += 4
            return
        if len(head) < _LZO_SIZES_SIZE or not 0 < size <= unpacked <= MAX_BLOCK:
            raise Damaged("has compressed data that is damaged or cut off")
        # A block that did not shrink is stored, without a checksum of its packed form.
        start = stream.end + _LZO_SIZES_SIZE + plain + (packed if size < unpacked else 0)
        data = source.at(start, size)
        stream.end = start + size
        yield data if size == unpacked else _lzo_block(data, unpacked)


def _lzo_block(data: bytes, unpacked: int) -> bytes:
    try:
        return decompress_block(data, unpacked)
    except LzoError as error:
        raise Damaged(f"has damaged compressed data ({error})") from error


def _lzo_header(source: Source, start: int) -> tuple[int, int]:
    head = source.at(start + _LZO_MAGIC_SIZE, 300)
    try:
        # From lzop 0.94 on, the header has the version needed to extract and the level.
        modern = _LZO_VERSION.read(head)["version"] >= 0x940
        position = 4 + (2 if modern else 0) + 1 + (1 if modern else 0)
        flags = _LZO_FLAGS.read(head, position)["flags"]
        position += 4 + (4 if flags & _LZO_FILTER else 0) + 4 + (8 if modern else 4)
        position += 1 + head[position] + 4
    except (struct.error, IndexError) as error:
        raise Damaged("ends early: its compressed data is cut off") from error
    return flags, start + _LZO_MAGIC_SIZE + position


_READERS: dict[str, Callable[[CompressedStream], Iterator[bytes]]] = {
    "gzip": _pump(_Inflate),
    "bzip2": _pump(bz2.BZ2Decompressor),
    "xz": _xz,
    "lzma": _pump(lambda: lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=MAX_WINDOW)),
    "lzo": _lzo,
    "lz4": _lz4,
    "zstd": _zstd,
}
