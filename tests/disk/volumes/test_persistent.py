"""Thin pools and caches whose metadata thin-provisioning-tools wrote: every block comes from where its mapping says."""

from __future__ import annotations

import random
import struct
from pathlib import Path

import pytest

from tests.disk.images import blank, need, run
from v2vlint.disk.stream import HostFile, Stream
from v2vlint.disk.volumes.persistent import LvmCache, Thin
from v2vlint.model.errors import ImageError

SECTORS = 128
CHUNK = SECTORS * 512


class Numbered(Stream):
    """Blocks of ``CHUNK`` bytes that say whose they are, and which."""

    def __init__(self, name: bytes, count: int) -> None:
        super().__init__(count * CHUNK)
        self.name = name

    def read_at(self, offset: int, length: int) -> bytes:
        length = max(0, min(length, self.size - offset))
        first, inside = divmod(offset, CHUNK)
        blocks = (struct.pack("<4sI", self.name, first + n) * (CHUNK // 8) for n in range((inside + length) // CHUNK + 1))
        return b"".join(blocks)[inside : inside + length]


def owner(stream: Stream, number: int) -> tuple[bytes, int]:
    """Who says that a block is his, and which; the same at both of its ends."""
    head, tail = stream.read_at(number * CHUNK, 8), stream.read_at((number + 1) * CHUNK - 8, 8)
    assert head == tail
    name, found = struct.unpack("<4sI", head)
    return name.strip(b"\0"), found


def thin_pool(folder: Path, devices: dict[int, dict[int, int]], blocks: int) -> Stream:
    """The metadata of a pool: which block of the pool holds each block of each device."""
    text = f'<superblock uuid="" time="1" transaction="2" flags="0" version="2" data_block_size="{SECTORS}" nr_data_blocks="{blocks}">\n'
    for number, mapping in devices.items():
        text += f'<device dev_id="{number}" mapped_blocks="{len(mapping)}" transaction="0" creation_time="0" snap_time="1">\n'
        rows = (
            f'<single_mapping origin_block="{key}" data_block="{value}" time="{value % 2}"/>\n' for key, value in sorted(mapping.items())
        )
        text += "".join(rows) + "</device>\n"
    (folder / "xml").write_text(text + "</superblock>\n")
    run("thin_restore", "-i", folder / "xml", "-o", blank(folder / "metadata", 8 << 20))
    return HostFile(str(folder / "metadata"))


@pytest.mark.parametrize("count", [0, 3, 300, 5000])
def test_thin_volumes(count: int, tmp_path: Path) -> None:
    """From an empty tree to one of several levels; two devices share blocks, as a volume and its snapshot do."""
    need("thin_restore")
    draw = random.Random(count)
    size, places = 2 * count + 8, draw.sample(range(2 * count + 8), count)
    first = dict(zip(draw.sample(range(size), count), places, strict=True))
    second = {key: value for key, value in first.items() if draw.random() < 0.7}
    metadata, data = thin_pool(tmp_path, {1: first, 7: second}, size), Numbered(b"pool", size)
    for number, mapping in ((1, first), (7, second)):
        volume = Thin(metadata, data, number, size * CHUNK)
        below = Thin(metadata, data, number, size * CHUNK, Numbered(b"orig", size // 2))
        for block in draw.sample(range(size), min(size, 400)):
            held = (b"pool", mapping[block]) if block in mapping else None
            assert owner(volume, block) == (held or (b"", 0))
            assert owner(below, block) == (held or ((b"orig", block) if block < size // 2 else (b"", 0)))
    with pytest.raises(ImageError, match="has no device 2"):
        Thin(metadata, data, 2, CHUNK)


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize("count", [0, 3, 2000])
def test_caches(count: int, version: str, tmp_path: Path) -> None:
    """A block that the cache holds is read from it, dirty or not."""
    need("cache_restore")
    draw = random.Random(count)
    size = 2 * count + 8
    mapping = dict(zip(draw.sample(range(size), count), draw.sample(range(count + 4), count), strict=True))
    text = f'<superblock uuid="" block_size="{SECTORS}" nr_cache_blocks="{count + 4}" policy="smq" hint_width="4">\n<mappings>\n'
    for origin, block in sorted(mapping.items(), key=lambda one: one[1]):
        text += f'<mapping cache_block="{block}" origin_block="{origin}" dirty="{"true" if draw.random() < 0.5 else "false"}"/>\n'
    (tmp_path / "xml").write_text(f"{text}</mappings>\n<hints>\n</hints>\n</superblock>\n")
    output = blank(tmp_path / "metadata", 8 << 20)
    run("cache_restore", "-q", "--metadata-version", version, "-i", tmp_path / "xml", "-o", output)
    cache = LvmCache(HostFile(str(output)), Numbered(b"fast", count + 4), Numbered(b"slow", size), size * CHUNK)
    for block in draw.sample(range(size), min(size, 400)):
        assert owner(cache, block) == ((b"fast", mapping[block]) if block in mapping else (b"slow", block))
