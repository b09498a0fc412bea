"""Files that Windows compressed, or put elsewhere: written by ntfs-3g, packed by wimlib, whose chunks are those of CompactOS."""

from __future__ import annotations

import io
import os
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from tests.disk.images import need, run
from v2vlint.disk.filesystems import huffman, lzx, xpress
from v2vlint.disk.filesystems.ntfs import NtfsFileSystem
from v2vlint.disk.filesystems.wof import STREAM, WofStream, open_wof
from v2vlint.disk.stream import MemoryStream
from v2vlint.model.errors import ImageError, Unsupported

ALGORITHMS = {0: ("xpress", 4096), 1: ("lzx", 32768), 2: ("xpress", 8192), 3: ("xpress", 16384)}
CALLS = b"".join(b"line %d calls \xe8%c\0\0\0 and so on\n" % (number, number % 200) for number in range(2500))
CONTENTS = {
    "text": (b"the quick brown fox " * 4000)[:70001],
    "calls": CALLS,
    "mixed": b"".join(Random(number).randbytes(120) + b"A" * (number % 400) for number in range(200)),
    "random": Random(1).randbytes(33000) + bytes(37000),
    "empty": bytes(50000),
}
_TAG, _PROVIDER = 0x80000017, 2


def packed(folder: Path, content: bytes, algorithm: int) -> bytes:
    """The resource of ``content`` in a WIM: a table of chunks and the chunks."""
    source, image = folder / "source", folder / "image.wim"
    source.mkdir(exist_ok=True)
    (source / "file").write_bytes(content)
    name, chunk = ALGORITHMS[algorithm]
    run("wimcapture", source, image, f"--compress={name}", f"--chunk-size={chunk}", "--no-acls")
    data = image.read_bytes()
    table, start = int.from_bytes(data[0x30:0x37], "little"), int.from_bytes(data[0x38:0x40], "little")
    for at in range(start, start + table, 50):
        size, flags, place, plain = int.from_bytes(data[at : at + 7], "little"), data[at + 7], *struct.unpack_from("<QQ", data, at + 8)
        if plain == len(content) and flags & 4:
            return data[place : place + size]
    raise AssertionError("not compressed")


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("name", CONTENTS)
def test_chunks_as_wimlib_packs_them(tmp_path: Path, name: str, algorithm: int) -> None:
    need("wimcapture")
    content = CONTENTS[name][:40001]
    stream = WofStream(io.BytesIO(packed(tmp_path, content, algorithm)), len(content), algorithm)
    assert stream.read() == content
    stream.seek(32760)
    assert stream.read(20) == content[32760:32780]


@pytest.mark.parametrize("algorithm", [0, 1])
def test_damage_is_an_error_of_the_image(tmp_path: Path, algorithm: int) -> None:
    need("wimcapture")
    good = packed(tmp_path, CALLS[:20000], algorithm)
    chance = Random(algorithm)
    for _ in range(60):
        data = bytearray(good)
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        try:
            found = WofStream(io.BytesIO(bytes(data[: chance.choice([None, 700])])), 20000, algorithm).read()
        except ImageError:
            continue
        assert len(found) == 20000


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", ImageError),
        (struct.pack("<4I", 1, 1, 1, 0), Unsupported),
        (struct.pack("<4I", 1, 2, 1, 9), Unsupported),
    ],
)
def test_what_is_not_read_says_so(data: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        open_wof(data, io.BytesIO(), 10)


@pytest.fixture
def volume(tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """An image with an NTFS, and where it is mounted with its streams and with compression."""
    need("mkntfs", "ntfs-3g", "mount")
    image, top = tmp_path / "image", tmp_path / "top"
    top.mkdir()
    image.write_bytes(b"")
    os.truncate(image, 40 << 20)
    run("mkntfs", "-Q", "-F", "-q", image)
    options = ["-t", "ntfs-3g", "-o", "loop,compression,streams_interface=windows"]
    if subprocess.run(["mount", *options, str(image), str(top)], capture_output=True, check=False).returncode:
        pytest.skip("ntfs-3g cannot be mounted here")
    yield image, top
    subprocess.run(["umount", str(top)], capture_output=True, check=False)


def _reparse(path: Path, tag: int, data: bytes) -> None:
    os.setxattr(path, "system.ntfs_reparse_data", struct.pack("<IHH", tag, len(data), 0) + data)


def test_files_as_ntfs_holds_them(tmp_path: Path, volume: tuple[Path, Path]) -> None:
    need("wimcapture")
    image, top = volume
    squeezed = top / "squeezed"
    squeezed.mkdir()
    os.setxattr(squeezed, "system.ntfs_attrib", struct.pack("<I", 0x810))
    for name, content in CONTENTS.items():
        (squeezed / name).write_bytes(content)
        for algorithm in ALGORITHMS if name in ("text", "mixed") else ():
            path = top / f"{name}{algorithm}"
            path.write_bytes(b"")
            os.truncate(path, len(content))
            Path(f"{path}:{STREAM}").write_bytes(packed(tmp_path, content, algorithm))
            _reparse(path, _TAG, struct.pack("<4I", 1, _PROVIDER, 1, algorithm))
    for name, tag in (("deduplicated", 0x80000013), ("cloud", 0x9000701A), ("kept", 0x80000099)):
        (top / name).write_bytes(bytes(3000))
        _reparse(top / name, tag, bytes(8))
    run("umount", top)
    _compare(image)


def _compare(image: Path) -> None:
    root = NtfsFileSystem(MemoryStream(image.read_bytes())).root

    def read(*path: str) -> bytes:
        node = root
        for name in path:
            node = node.child(name) or node
        return node.open().read()

    assert [name for name, content in CONTENTS.items() if read("squeezed", name) != content] == []
    assert [(name, one) for name in ("text", "mixed") for one in ALGORITHMS if read(f"{name}{one}") != CONTENTS[name]] == []
    for name in ("deduplicated", "cloud"):
        with pytest.raises(Unsupported, match="elsewhere"):
            read(name)
    assert read("kept") == bytes(3000)


def lzx_stored(*parts: bytes, kind: int = 3, size: int | None = None) -> bytes:
    """Blocks of LZX that are stored: 3 bits of kind, one that a size follows, 16 of size, up to a whole word; three offsets; the bytes."""
    data = b""
    for part in parts:
        word = kind << 29 | (len(part) if size is None else size) << 12
        data += struct.pack("<HH", word >> 16, word & 0xFFFF) + struct.pack("<3I", 7, 8, 9) + part + bytes(len(part) % 2)
    return data


def test_stored_blocks_of_lzx_begin_at_even_places() -> None:
    parts = [bytes(range(1, size + 1)) for size in (5, 4, 3, 1, 6)]
    assert lzx.unpack(lzx_stored(*parts), 19) == b"".join(parts)
    assert lzx.unpack(lzx_stored(b"abc")[:-1] + b"x", 3) == b"abc"
    assert (lzx._Chunk(b"", 0).recent, lzx._Chunk(lzx_stored(b"ab"), 2).recent) == ([1, 1, 1], [7, 8, 9])


@pytest.mark.parametrize(
    "data",
    [lzx_stored(b"abc", kind=0), lzx_stored(b"abc", kind=4), lzx_stored(b"abc", size=0), lzx_stored(b"abc", size=4),
    lzx_stored(b"abc")[:-3],
     lzx_stored(b"abc")[:10], b""],
)  # fmt: skip
def test_damaged_blocks_of_lzx(data: bytes) -> None:
    with pytest.raises(ValueError, match="LZX"):
        lzx.unpack(data, 3)


def test_calls_are_relative_again() -> None:
    """The reverse of what MS-PATCH does to E8 calls: within the first 12 million bytes, and not in the last ten."""
    plain = b"\xe8" + struct.pack("<i", 100) + bytes(20)
    assert lzx._relative(bytearray(plain)) == plain
    at = b"xx\xe8" + struct.pack("<i", 100) + b"\xe8" + struct.pack("<i", -7) + b"\xe8" + struct.pack("<i", 12_000_000) + bytes(10)
    assert lzx._relative(bytearray(at)) == (
        b"xx\xe8" + struct.pack("<i", 98) + b"\xe8" + struct.pack("<i", 11_999_993) + b"\xe8" + struct.pack("<i", 12_000_000) + bytes(10)
    )
    before = b"\xe8" + struct.pack("<i", -1) + bytes(20)
    assert lzx._relative(bytearray(before)) == before
    last = bytes(5) + b"\xe8" + struct.pack("<i", 100) + bytes(5)
    assert lzx._relative(bytearray(last)) == last
    assert lzx._relative(bytearray(last + b"\0")) == bytes(5) + b"\xe8" + struct.pack("<i", 95) + bytes(6)


def test_the_last_offsets_of_lzx_are_kept_in_their_order() -> None:
    chunk = lzx._Chunk(b"", 0)
    chunk.recent = [10, 20, 30]
    assert (chunk._offset(1, {}), chunk.recent) == (20, [20, 10, 30])
    assert (chunk._offset(2, {}), chunk.recent) == (30, [30, 10, 20])
    assert (chunk._offset(0, {}), chunk.recent) == (30, [30, 10, 20])
    chunk.bits = lzx._Bits(struct.pack("<H", 0b1101_101_0110_00000))
    low = huffman.codes([3] * 8)  # of three bits each: the number itself
    assert (chunk._offset(10, low), chunk._offset(8, low), chunk._offset(10, {})) == (32 + 0b1101 - 2, 16 + 0b101 - 2, 32 + 0b0110 - 2)
    assert chunk.recent == [36, 19, 43]


@pytest.mark.parametrize("size", [0, 1, 255])
def test_xpress_of_nothing_that_fits(size: int) -> None:
    with pytest.raises(ValueError, match="XPRESS data is cut short"):
        xpress.unpack(bytes(size), 1)


def xpress_of(symbols: list[tuple[int, int]], bits: str, more: bytes = b"") -> bytes:
    """A chunk whose code has these symbols with these lengths, and then bits in words of 16, two words ahead of the bytes between."""
    table = bytearray(256)
    for number, length in symbols:
        table[number // 2] |= length << 4 * (number % 2)
    padded = bits.ljust(32, "0")
    words = b"".join(struct.pack("<H", int(padded[at : at + 16], 2)) for at in (0, 16))
    return bytes(table) + words + more


@pytest.mark.parametrize(
    ("more", "count"),
    [(b"\0", 18), (b"\xfe", 272), (b"\xff\x0f\x01", 274), (b"\xff\xff\xff", 65538), (b"\xff\0\0\x00\x00\x02\x00", 131075)],
)
def test_long_matches_of_xpress(more: bytes, count: int) -> None:
    """MS-XCA 2.2.4: a length of 15 goes on in a byte, that in two, and those in four."""
    data = xpress_of([(ord("x"), 1), (256 + 15, 1)], "01", more)
    assert xpress.unpack(data, count + 1) == b"x" * (count + 1)
    with pytest.raises(ValueError, match="copies from outside"):
        xpress.unpack(data, count)
    with pytest.raises(ValueError, match="copies from outside"):
        xpress.unpack(xpress_of([(ord("x"), 1), (256 + 16, 1)], "010", more), count + 1)


@pytest.mark.parametrize(("size", "width"), [(0xFFFFFFFF, 4), (0x100000000, 8)])
def test_the_table_of_a_large_file_is_wider(size: int, width: int) -> None:
    chunks = -(-size // 4096)
    packed = io.BytesIO(bytes(width - 4) + bytes(8) + bytes(100))
    stream = WofStream(packed, size, 0)
    assert (stream._width, stream._data) == (width, (chunks - 1) * width)


def test_a_table_that_does_not_fit() -> None:
    for first in (5000, 60):
        data = struct.pack("<I", first) + b"\0" * 50
        with pytest.raises(ImageError, match="its table of chunks does not fit"):
            WofStream(io.BytesIO(data), 5000, 0).read()
    with pytest.raises(ImageError, match=r"is damaged: .*cut short"):
        WofStream(io.BytesIO(struct.pack("<I", 40) + b"\0" * 50), 5000, 0).read()
