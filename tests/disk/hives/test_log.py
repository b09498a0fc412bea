"""Log files of registry hives, written here by the format's description; those of real machines are in tests/samples/test_real_hives.py."""

from __future__ import annotations

import io
import random
import struct
from collections.abc import Sequence

import pytest

from v2vlint.disk.hives.log import BINS_AT, SECTOR, checksum, marvin32
from v2vlint.disk.hives.reader import HiveFile
from v2vlint.facts.registry import FactStore
from v2vlint.facts.windows.registry import Registry, UnsavedHive
from v2vlint.model.blocks import BlockTable
from v2vlint.model.osinfo import OsInfo
from v2vlint.samples.memory import memory_guest
from v2vlint.samples.regf import make_hive

PAGE = 4096
LARGE = "\n".join(f'"v{number}"="{"x" * 200}"' for number in range(40))


def version(number: int, more: str = "") -> bytes:
    return make_hive(f'[ControlSet001\\Services\\x]\n"Start"=dword:{number}\n{more}\n')


def head(hive: bytes, first: int, second: int, kind: int = 0) -> bytes:
    block = bytearray(hive[:SECTOR])
    struct.pack_into("<2I", block, 4, first, second)
    struct.pack_into("<I", block, 28, kind)
    struct.pack_into("<I", block, 508, checksum(block))
    return bytes(block)


def dirty(hive: bytes, first: int = 3, second: int = 2) -> bytes:
    return head(hive, first, second) + hive[SECTOR:]


def entry(number: int, hive: bytes) -> bytes:
    """A log entry with every page of ``hive``."""
    bins = hive[BINS_AT:]
    count = len(bins) // PAGE
    body = b"".join(struct.pack("<2I", at * PAGE, PAGE) for at in range(count)) + bins
    size = -(-(40 + len(body)) // SECTOR) * SECTOR
    body = body.ljust(size - 40, b"\0")
    start = struct.pack("<4s5IQ", b"HvLE", size, 0, number, len(bins), count, marvin32(body))
    return start + struct.pack("<Q", marvin32(start)) + body


def log(first: int, *entries: bytes) -> bytes:
    return head(version(0), first, first, 6) + b"".join(entries)


def old_log(hive: bytes) -> bytes:
    bins = hive[BINS_AT:]
    sectors = len(bins) // SECTOR
    bitmap = bytes([0xFF] * (sectors // 8))
    return head(hive, 3, 3, 1) + (b"DIRT" + bitmap).ljust(SECTOR, b"\0") + bins


def start(primary: bytes, logs: Sequence[bytes]) -> tuple[int | None, bool]:
    """The value that the logs may change, and whether they were read."""
    hive = HiveFile(io.BytesIO(primary), lambda: logs)
    key = hive.root.key("ControlSet001\\Services\\x")
    assert key is not None
    return next(value.number for value in key.values() if value.name == "Start"), hive.replayed


def test_the_hash_is_that_of_windows() -> None:
    real = bytes.fromhex("48764c45005e00000000000002000000005000000100000031e40718666c8667")
    assert marvin32(real) == int.from_bytes(bytes.fromhex("027f65a7cff344cd"), "little")


TORN = bytearray(entry(3, version(3)))
TORN[-600] ^= 1
BROKEN = b"".join((version(2)[:508], b"\1\2\3\4", version(2)[SECTOR:]))


@pytest.mark.parametrize(
    ("primary", "logs", "wanted"),
    [
        pytest.param(version(1), [log(3, entry(3, version(3)))], (1, False), id="a clean hive has no use for a log"),
        pytest.param(dirty(version(1)), [], (1, False), id="no log"),
        pytest.param(dirty(version(1)), [log(2, entry(2, version(2)))], (2, True), id="one entry"),
        pytest.param(dirty(version(1)), [log(2, entry(2, version(2)), entry(3, version(3)))], (3, True), id="two entries"),
        pytest.param(dirty(version(1)), [log(4, entry(4, version(4))), log(2, entry(2, version(2)), entry(3, version(3)))], (4, True),
                     id="the second file first"),
        pytest.param(dirty(version(1)), [log(2, entry(2, version(2))), log(4, entry(4, version(4)))], (2, True), id="a gap between files"),
        pytest.param(dirty(version(1)), [log(2, entry(2, version(2)), entry(4, version(4)))], (2, True), id="a gap in a file"),
        pytest.param(dirty(version(1), 4, 3), [log(2, entry(2, version(2))), log(3, entry(3, version(3)))], (3, True), id="an older log"),
        pytest.param(dirty(version(1)), [log(2, entry(2, version(2)), bytes(TORN))], (2, True), id="a torn entry"),
        pytest.param(dirty(version(1)), [log(2, bytes(TORN))], (1, False), id="nothing but a torn entry"),
        pytest.param(dirty(version(1)), [log(2, entry(2, version(2, LARGE)))], (2, True), id="the hive has grown"),
        pytest.param(BROKEN, [log(2, entry(2, version(2))), log(5, entry(5, version(5)))], (5, True), id="a header from the newest log"),
        pytest.param(dirty(version(1)), [old_log(version(4))], (4, True), id="the old format"),
        pytest.param(dirty(version(1)), [old_log(version(4))[:-SECTOR]], (1, False), id="an old log that is cut off"),
        pytest.param(dirty(version(1)), [b"", b"regf", log(2)], (1, False), id="empty logs"),
    ],
)  # fmt: skip
def test_what_windows_will_read(primary: bytes, logs: list[bytes], wanted: tuple[int, bool]) -> None:
    assert start(primary, logs) == wanted


def test_another_hives_old_log_is_not_used() -> None:
    foreign = bytearray(old_log(version(4)))
    foreign[12] ^= 1
    struct.pack_into("<I", foreign, 508, checksum(foreign))
    assert start(dirty(version(1)), [bytes(foreign)]) == (1, False)


@pytest.mark.parametrize("seed", range(60))
def test_a_damaged_log_is_an_outcome(seed: int) -> None:
    chance = random.Random(seed)
    data = bytearray(chance.choice([log(2, entry(2, version(2)), entry(3, version(3))), old_log(version(4))]))
    for _hit in range(chance.randint(1, 30)):
        data[chance.randrange(len(data) if chance.random() < 0.5 else 600)] = chance.randrange(256)
    config = "/Windows/System32/config"
    fs = memory_guest({f"{config}/SYSTEM": dirty(version(1)), f"{config}/SYSTEM.LOG1": bytes(data)})
    registry = FactStore((fs, BlockTable(), OsInfo("windows", "windows", "windows", "Windows"))).get(Registry)
    assert registry.unsaved[0].path == f"{config}/SYSTEM"


def test_the_registry_is_the_one_that_windows_will_have() -> None:
    config = "/Windows/System32/config"
    files = {f"{config}/SYSTEM": dirty(version(1)), f"{config}/SYSTEM.LOG2": log(2, entry(2, version(4, LARGE)))}
    registry = FactStore((memory_guest(files), BlockTable(), OsInfo("windows", "windows", "windows", "Windows"))).get(Registry)
    node = registry.control("Services\\x")
    assert node is not None
    assert (node.number("Start"), node.text("v39")) == (4, "x" * 200)
    assert registry.unsaved == (UnsavedHive(f"{config}/SYSTEM", True),)
