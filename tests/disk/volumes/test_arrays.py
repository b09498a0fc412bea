"""RAID of levels 4, 5, 6 and 10: what mdadm and the kernel wrote is read, also without the members that a level can do without."""

from __future__ import annotations

import itertools
import random
import struct
from dataclasses import replace

import pytest

from v2vlint.disk.stream import MemoryStream
from v2vlint.disk.volumes.md import MdMember, assemble, condition, read_member
from v2vlint.disk.volumes.parity import Parity, row_of
from v2vlint.disk.volumes.raid10 import Raid10
from v2vlint.model.errors import ImageError, Unsupported

CHUNK, ROWS = 512, 11
FIVE = tuple((5, layout) for layout in range(6))
SIX = tuple((6, layout) for layout in (*range(6), 8, 9, 10, *range(16, 21)))


def _multiply(one: int, other: int) -> int:
    """In GF(2^8), by the long way."""
    product = 0
    for bit in range(8):
        product ^= (one << bit) if other >> bit & 1 else 0
    for bit in range(15, 7, -1):
        product ^= 0x11D << (bit - 8) if product >> bit & 1 else 0
    return product


def written(level: int, layout: int, disks: int, content: bytes) -> list[bytes]:
    """The members as the kernel writes them: data where the layout says, P the sum, Q the sum weighted with powers of 2."""
    members = [bytearray(ROWS * CHUNK) for _slot in range(disks)]
    width = disks - (2 if level == 6 else 1)
    for row in range(ROWS):
        shape = row_of(level, layout, disks, row)
        chunks = [content[(row * width + index) * CHUNK :][:CHUNK] for index in range(width)]
        for slot, chunk in zip(shape.data, chunks, strict=True):
            members[slot][row * CHUNK : (row + 1) * CHUNK] = chunk
        for at in range(CHUNK):
            p = q = 0
            for chunk, weight in zip(chunks, shape.weights or (0,) * width, strict=True):
                factor = 1
                for _step in range(weight):
                    factor = _multiply(factor, 2)
                p, q = p ^ chunk[at], q ^ (_multiply(chunk[at], factor) if level == 6 else 0)
            members[shape.p][row * CHUNK + at] = p
            if shape.q >= 0:
                members[shape.q][row * CHUNK + at] = q
    return [bytes(member) for member in members]


@pytest.mark.parametrize(("level", "layout"), [(4, 0), *FIVE, *SIX])
def test_whatever_the_level_bears_to_lose(level: int, layout: int) -> None:
    disks, spare = 5, 2 if level == 6 else 1
    content = random.Random(level * 100 + layout).randbytes(ROWS * CHUNK * (disks - spare))
    parts = dict(enumerate(MemoryStream(data) for data in written(level, layout, disks, content)))
    for count in range(spare + 1):
        for lost in itertools.combinations(range(disks), count):
            left = {slot: part for slot, part in parts.items() if slot not in lost}
            array = Parity(level, layout, disks, CHUNK, left, ROWS * CHUNK)
            assert array.read_at(0, len(content)) == content, lost
            assert array.read_at(700, 3000) == content[700:3700]
    with pytest.raises(ImageError, match=f"{spare + 1} of {disks} members are missing"):
        Parity(level, layout, disks, CHUNK, dict(list(parts.items())[spare + 1 :]), ROWS * CHUNK)


@pytest.mark.parametrize("layout", [0x102, 0x201, 0x10201, 0x103, 0x301, 0x10301, 0x202, 0x20201, 0x40201])
@pytest.mark.parametrize("disks", [4, 5, 6])
def test_copies_lie_apart_and_never_on_one_another(layout: int, disks: int) -> None:
    near, far = layout & 0xFF, layout >> 8 & 0xFF
    parts = {slot: MemoryStream(bytes(ROWS * CHUNK)) for slot in range(disks)}
    array = Raid10(layout, disks, CHUNK, parts, ROWS * CHUNK)
    places = [list(array.copies(number)) for number in range(array.size // CHUNK)]
    flat = [place for copies in places for place in copies]
    assert len(set(flat)) == len(flat) == len(places) * near * far
    assert all(len({slot for slot, _row in copies}) == near * far for copies in places)
    assert all(row < ROWS for _slot, row in flat)


def test_layouts_that_linux_does_not_have() -> None:
    for level, layout in ((5, 6), (6, 7), (6, 22)):
        with pytest.raises(Unsupported, match="layout"):
            row_of(level, layout, 5, 0)
    for layout in (0, 0x100, 0x909):
        with pytest.raises(ImageError, match="damaged RAID superblock"):
            Raid10(layout, 4, CHUNK, {}, 0)


MEMBER = MdMember("1.2", "u", "a", "box:root", 1, 0, 2, 0, 0, 10, 0, 1 << 20, 1 << 20, active=frozenset({0, 1}))


@pytest.mark.parametrize(
    ("members", "wanted"),
    [
        ((MEMBER, replace(MEMBER, role=1)), {}),
        ((MEMBER, replace(MEMBER, role=1, events=9)), {}),
        ((MEMBER,), {"degraded": "1", "not_copied": "1"}),
        ((replace(MEMBER, active=frozenset({0})),), {"degraded": "1"}),
        ((replace(MEMBER, active=frozenset({0})), replace(MEMBER, role=1, events=5)), {"degraded": "1", "left_behind": "disk2"}),
        ((MEMBER, replace(MEMBER, role=-1)), {"degraded": "1", "not_copied": "1"}),
        ((replace(MEMBER, level=0),), {"not_copied": "1"}),
        ((replace(MEMBER, level=5, disks=3, dirty=True), replace(MEMBER, level=5, disks=3, role=2, dirty=True)),
         {"degraded": "1", "not_copied": "1", "dirty": "yes"}),
    ],
)  # fmt: skip
def test_what_an_array_lacks(members: tuple[MdMember, ...], wanted: dict[str, str]) -> None:
    assert dict(condition([(member, f"disk{number}") for number, member in enumerate(members, 1)])) == wanted


def test_what_was_left_behind_is_not_read() -> None:
    old, new = MemoryStream(b"old" * 1000), MemoryStream(b"new" * 1000)
    stale = replace(MEMBER, events=5)
    assert assemble([(stale, old), (replace(MEMBER, role=1), new)]).read_at(0, 3) == b"new"


@pytest.mark.parametrize(("feature", "reason"), [(4, "being reshaped"), (0x200, "write journal")])
def test_arrays_in_motion_are_named(feature: int, reason: str) -> None:
    with pytest.raises(Unsupported, match=reason):
        assemble([(replace(MEMBER, features=feature), MemoryStream(b""))])


@pytest.mark.parametrize("clean", [True, False])
@pytest.mark.parametrize("utime", [1_700_000_000, 1_700_000_001])
def test_a_superblock_0_90_is_clean_by_its_state_and_not_by_its_time(utime: int, *, clean: bool) -> None:
    """``mdp_superblock_t``: word 32 is the time of the last update, word 33 the state."""
    words = [0] * 1024
    words[:12] = [0xA92B4EFC, 0, 90, 0, 0, 1, utime, 5, 64, 3, 3, 7]
    words[32:34] = [utime, int(clean)]
    words[39] = 12
    words[64:66] = [2, 65536]
    words[992:997] = [1, 8, 1, 1, 6]
    member = read_member(MemoryStream(bytes(65536) + struct.pack("<1024I", *words) + bytes(61440)))
    assert member is not None
    assert (member.level, member.disks, member.layout, member.chunk, member.role) == (5, 3, 2, 65536, 1)
    assert (member.events, member.name, member.array_size, member.dirty) == (12, "7", 65536, not clean)
