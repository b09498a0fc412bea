"""Every compression the kernel knows, made by its own tool, cut short, damaged, and followed by something else."""

from __future__ import annotations

import bz2
import contextlib
import functools
import gzip
import io
import lzma
import random
import shutil
import subprocess
from collections.abc import Callable

import lz4.block
import pytest
import zstandard

from v2vlint.facts.initramfs import decompress
from v2vlint.facts.initramfs.decompress import MAGICS, PIECE, CompressedStream, Damaged, Source, compression_of

CONTENT = b"".join(b"%d some text that repeats itself\n" % number for number in range(60_000)) + random.Random(1).randbytes(40_000)
NAMES = tuple(name for _, name in MAGICS)
TOOLS = {"gzip": ["gzip", "-6n"], "bzip2": ["bzip2"], "xz": ["xz", "--check=crc32"], "lzma": ["lzma"], "lzo": ["lzop"],
         "lz4": ["lz4", "-l", "-"], "zstd": ["zstd", "-q", "-9"]}  # fmt: skip


def _lz4(data: bytes) -> bytes:
    blocks = (lz4.block.compress(data[at : at + (8 << 20)], store_size=False) for at in range(0, len(data), 8 << 20))
    return b"\x02\x21\x4c\x18" + b"".join(len(block).to_bytes(4, "little") + block for block in blocks)


@functools.cache
def _packed(name: str, data: bytes = CONTENT) -> bytes:
    tool = TOOLS[name]
    if shutil.which(tool[0]):
        return subprocess.run(tool, input=data, capture_output=True, check=True).stdout
    makers: dict[str, Callable[[bytes], bytes]] = {
        "gzip": gzip.compress,
        "bzip2": bz2.compress,
        "xz": lzma.compress,
        "lzma": lambda plain: lzma.compress(plain, lzma.FORMAT_ALONE),
        "zstd": zstandard.compress,
        "lz4": _lz4,
    }
    if name not in makers:
        pytest.skip(f"{tool[0]} is not installed")
    return makers[name](data)


def _stream(data: bytes, start: int = 0) -> CompressedStream:
    source = Source(io.BytesIO(data), 0, len(data))
    return CompressedStream(source, start, compression_of(source.at(start, 8)))


@pytest.mark.parametrize("name", NAMES)
def test_unpacks_in_pieces_and_knows_its_end(name: str) -> None:
    packed = _packed(name)
    assert compression_of(packed[:8]) == name
    behind = b"\0\0\0\0\0\0\0\0" if name == "lz4" else b"\x28\xb5\x2f\xfd next segment"
    stream = _stream(b"front" + packed + behind, 5)
    pieces = list(stream)
    assert b"".join(pieces) == CONTENT
    assert all(0 < len(piece) <= (8 << 20 if name in ("lz4", "lzo") else PIECE) for piece in pieces)
    assert stream.end == 5 + len(packed)


@pytest.mark.parametrize("name", NAMES)
def test_a_stream_cut_short_gives_what_there_is(name: str) -> None:
    packed = _packed(name)
    found: list[bytes] = []
    with pytest.raises(Damaged, match=r"early|damaged"):
        found.extend(_stream(packed[: len(packed) * 2 // 3]))
    assert CONTENT.startswith(b"".join(found))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("seed", range(12))
def test_damage_is_an_outcome(name: str, seed: int) -> None:
    """Only :class:`Damaged` may come out, and the output stays bounded."""
    chance, packed = random.Random(seed), bytearray(_packed(name, CONTENT[:60_000]))
    for _ in range(chance.randint(1, 30)):
        packed[chance.randrange(len(packed))] = chance.randrange(256)
    stream = _stream(bytes(packed)) if compression_of(bytes(packed[:8])) else None
    total = 0
    with contextlib.suppress(Damaged):
        for piece in stream or ():
            total += len(piece)
    assert total <= 64 << 20


def test_concatenated_lz4_streams_are_one() -> None:
    packed = _packed("lz4", b"one ") + _packed("lz4", b"two")
    assert b"".join(_stream(packed)) == b"one two"


def test_an_xz_stream_that_wants_much_memory_is_refused() -> None:
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 9, "dict_size": 1 << 20}]
    packed = bytearray(lzma.compress(CONTENT, lzma.FORMAT_ALONE, filters=[{**filters[0], "id": lzma.FILTER_LZMA1}]))
    packed[1:5] = (1 << 31).to_bytes(4, "little")
    with pytest.raises(Damaged, match="damaged"):
        list(_stream(bytes(packed)))


def test_a_zstd_frame_ends_where_its_blocks_do() -> None:
    frames = [
        zstandard.ZstdCompressor(level=1, write_checksum=checksum, write_content_size=size).compress(data)
        for checksum in (False, True)
        for size in (False, True)
        for data in (b"", b"x", bytes(400_000), CONTENT[:300_000])
    ]
    for frame in frames:
        stream = _stream(frame + b"rest")
        list(stream)
        assert stream.end == len(frame)


@pytest.mark.parametrize("step", [1, 2, 3, 4, 5, 7, 1000])
def test_headers_of_zstd_blocks_lie_on_the_border_of_two_reads(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decompress, "_FEED", step)
    noise = random.Random(5).randbytes(4000)
    for content in (b"", b"abc", bytes(300_000), bytes(300_000) + noise):
        frame = zstandard.ZstdCompressor(level=1, write_checksum=True).compress(content)
        stream = _stream(frame + b"rest")
        assert b"".join(stream) == content
        assert stream.end == len(frame)
        with pytest.raises(Damaged, match="early"):
            list(_stream(frame[:-1]))
