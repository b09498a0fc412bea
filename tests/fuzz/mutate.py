"""Damage that knows what it damages: the tables of containers and filesystems, cells of hives, lines of text; all of it from one seed."""

from __future__ import annotations

import random
import re
import struct
from collections import defaultdict
from dataclasses import dataclass
from itertools import islice

from v2vlint.disk.checksums import crc32c

INTERESTING = (0, 1, 2, 7, 0x7F, 0x80, 0xFF, 0x100, 0x200, 0x1000, 0x7FFF, 0xFFFF, 0x10000, 1 << 20, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF,
               1 << 32, 1 << 40, (1 << 63) - 1, 1 << 63, (1 << 64) - 1)  # fmt: skip
TOKENS = (
    "", " ", "\t", "\0", "\n", "\r", "\\", "\\\n", "'", '"', "''", '"""', "#", ";", "=", "==", ":", "::", "/", "//", "../", "/..", "*", "?",
    "[", "]", "[]", "[!", "{", "}", "${", "$(", "`", "%s", "%n", "-", "--", "-1", "0", "00", "1e999", "NaN", "0x", "4294967296", "1" * 40,
    "\udcff", "\ufeff", "\u202e", "A" * 3000, "[" * 500, "{" * 500, "- " * 300, "&a *a", "!!python/object:os.system", "<<: *a",
    "<!DOCTYPE x>", "&lt;&#x0;", "UUID=", "UUID", "LABEL=", "/dev/", "/dev/sda", "/dev/disk/by-id/", "none", "auto", "include", "source",
    "source *", "inherits", "default", "saved", "fi", "if", "then", "endif", "menuentry", "true", "no", "static", "dhcp", "255.255.255.256",
    "fe80::/0", "//0", "1.2.3.4.5", "00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff", "%PATH%", "@@", "@0", "~", "٣",
)  # fmt: skip

_MAGICS: dict[str, bytes] = {
    "gpt": rb"EFI PART", "lvm": rb"LABELONE|LVM2 001| LVM2 x\[5A%r0N\*>", "luks": rb"LUKS\xba\xbe|SKUL\xba\xbe", "md": rb"\xfc\x4e\x2b\xa9",
    "xfs": rb"XFSB|XAGF|XAGI|XDB3|XD2B|XDD3|XDIR|IN\x41|IN\x81|XARM", "btrfs": rb"_BHRfS_M", "ntfs": rb"NTFS    |FILE0|INDX|RSTR|RCRD",
    "hive": rb"regf|hbin|nk[\x20\x2c]\x00|vk[\x00-\x20]\x00|l[fhi][\x01-\x20]\x00", "cpio": rb"070701|TRAILER!!!", "squashfs": rb"hsqs",
    "pe": rb"MZ.{58}|PE\0\0", "elf": rb"\x7fELF", "compressed": rb"\x1f\x8b\x08|\x28\xb5\x2f\xfd|\xfd7zXZ|\x04\x22\x4d\x18|BZh",
    "grub": rb"menuentry|linux\t|set default|search --|GRUB ", "fstab": rb"UUID=[0-9a-f]|LABEL=|/dev/\w+",
    "text": rb"\w+=\w+|\[\w+\]|auto \w+|iface",
    "fat": rb"mkfs\.fat|MSDOS5\.0|FAT(?:12|16|32)", "rpm": rb"SQLite format 3|\x00\x06\x15\x61", "dirty": rb"\xc0\x3b\x39\x98",
}  # fmt: skip


@dataclass(frozen=True)
class Region:
    """Bytes of a seed worth damaging."""

    kind: str
    start: int
    length: int


def regions(data: bytes) -> dict[str, list[Region]]:
    """What is in an image, by kind: both ends and the tables of the container, then all that has a magic number, wherever it lies."""
    found: dict[str, list[Region]] = defaultdict(list)
    found["container"] = tables(data, "")
    for kind, magic in _MAGICS.items():
        matches = islice(re.finditer(magic, data, re.DOTALL), 3000)
        found[kind] += [Region(kind, match.start(), min(1024, len(data) - match.start())) for match in matches]
    for start in range(0, len(data) - 1024, 512):
        found["ext"] += _ext(data, start)
        if data[start + 510 : start + 512] == b"\x55\xaa":
            found["sector"].append(Region("sector", start, 512))
    return {kind: places for kind, places in found.items() if places}


def tables(data: bytes, shape: str) -> list[Region]:
    """The parts of a container of its own, in ``shape``: both ends, its tables, and of a qcow2 what :data:`seeds.WITH_TABLES` makes."""
    places = [(0, 512), (0, 4096), (512, 1 << 16), (1 << 16, 1 << 18), (len(data) - 512, 512), (len(data) - 4096, 4096)]
    if shape == "snapshots.qcow2":
        places = [(0, 112), (int.from_bytes(data[64:72], "big"), 256), (int.from_bytes(data[64:72], "big"), 256)]
    elif shape == "bitmaps.qcow2":
        extension = data.index(b"\x23\x85\x28\x75")
        directory = int.from_bytes(data[extension + 24 : extension + 32], "big")
        places = [(extension, 40), (directory, 64), (int.from_bytes(data[directory : directory + 8], "big"), 64)]
    return [Region("container", start, min(length, len(data) - start)) for start, length in places if 0 <= start < len(data)]


def _ext(data: bytes, start: int) -> list[Region]:
    """An ext superblock, its group descriptors, and what lies behind them."""
    if data[start + 56 : start + 58] != b"\x53\xef" or data[start + 24] > 7:
        return []
    return [Region("ext", start, 264), Region("ext", start + 1024, 4096), Region("ext", start + 4096, 1 << 16)]


def damage(data: bytearray, known: dict[str, list[Region]], rng: random.Random) -> str:
    """Damage ``data`` in place; what was done, in words."""
    done: list[str] = []
    for _time in range(rng.choice((1, 1, 1, 2, 3, 8))):
        region = rng.choice(known[rng.choice(list(known))])
        at = region.start + rng.randrange(max(1, region.length))
        if rng.random() < 0.5:
            at &= ~3
        operator = rng.choice(_OPERATORS)
        operator(data, min(at, max(0, len(data) - 9)), rng)
        done.append(f"{operator.__name__.strip('_')} in {region.kind} at {at}")
    if rng.random() < 0.03:
        del data[rng.randrange(len(data)) :]
        done.append(f"cut to {len(data)}")
    return "; ".join(done)


def _bit(data: bytearray, at: int, rng: random.Random) -> None:
    data[at] ^= 1 << rng.randrange(8)


def _byte(data: bytearray, at: int, rng: random.Random) -> None:
    data[at] = rng.choice(INTERESTING) & 0xFF


def _number(data: bytearray, at: int, rng: random.Random) -> None:
    size, order = rng.choice("HIQ"), rng.choice("<>")
    value = rng.choice((*INTERESTING, at, len(data), len(data) + 1, at >> 9, at >> 12)) & ((1 << 8 * struct.calcsize(size)) - 1)
    struct.pack_into(order + size, data, at, value)


def _step(data: bytearray, at: int, rng: random.Random) -> None:
    size, order = rng.choice("HI"), rng.choice("<>")
    value = struct.unpack_from(order + size, data, at)[0] + rng.choice((-1, 1, 2, -2, 16, 4096))
    struct.pack_into(order + size, data, at, value & ((1 << 8 * struct.calcsize(size)) - 1))


def _fill(data: bytearray, at: int, rng: random.Random) -> None:
    length = min(rng.choice((4, 16, 64, 512, 4096)), len(data) - at)
    data[at : at + length] = bytes([rng.choice((0, 0xFF, rng.randrange(256)))]) * length


def _noise(data: bytearray, at: int, rng: random.Random) -> None:
    length = min(rng.choice((2, 8, 32, 256)), len(data) - at)
    data[at : at + length] = rng.randbytes(length)


def _copy(data: bytearray, at: int, rng: random.Random) -> None:
    length = min(rng.choice((4, 16, 256, 512, 4096)), len(data) - at)
    source = rng.choice((rng.randrange(len(data)), max(0, at - length), min(len(data) - length, at + length)))
    piece = data[source : source + length]
    data[at : at + len(piece)] = piece


def _word(data: bytearray, at: int, rng: random.Random) -> None:
    token = rng.choice(TOKENS).encode("utf-8", "surrogateescape")[: len(data) - at]
    data[at : at + len(token)] = token


_OPERATORS = (_bit, _bit, _byte, _byte, _number, _number, _number, _step, _fill, _noise, _copy, _word)


def sum_up(data: bytearray, kind: str) -> None:
    """Give the headers of a VHD or VHDX right checksums again, so that what was damaged in them is looked at."""
    if kind == "vhd":
        header = int.from_bytes(data[16:24], "big") if data[:8] == b"conectix" else len(data)
        for start, length, field in ((0, 512, 64), (len(data) - 512, 512, 64), (header, 1024, 36)):
            if bytes(data[start : start + 8]) in (b"conectix", b"cxsparse") and start + length <= len(data):
                data[start + field : start + field + 4] = bytes(4)
                struct.pack_into(">I", data, start + field, ~sum(data[start : start + length]) & 0xFFFFFFFF)
    if kind == "vhdx":
        for start, length in ((64 << 10, 4096), (128 << 10, 4096), (192 << 10, 64 << 10), (256 << 10, 64 << 10)):
            if bytes(data[start : start + 4]) in (b"head", b"regi") and start + length <= len(data):
                data[start + 4 : start + 8] = bytes(4)
                struct.pack_into("<I", data, start + 4, ~crc32c(0xFFFFFFFF, bytes(data[start : start + length])) & 0xFFFFFFFF)


def damage_text(text: str, rng: random.Random) -> str:
    """Damage a text by lines and words."""
    for _time in range(rng.choice((1, 1, 2, 4))):
        lines = text.split("\n")
        at = rng.randrange(len(lines))
        rng.choice((_words, _words, _words, _lines, _splice))(lines, at, rng)
        text = "\n".join(lines)[: 1 << 20]
    return text


def _words(lines: list[str], at: int, rng: random.Random) -> None:
    words = re.split(r"([\s=:,\"'{}\[\]/]+)", lines[at])
    word = rng.randrange(len(words))
    token = [rng.choice(TOKENS)]
    words[word : word + rng.choice((0, 1, 1, 1, 2))] = rng.choice(([], token, token, words * rng.choice((2, 50))))
    lines[at] = "".join(words)


def _lines(lines: list[str], at: int, rng: random.Random) -> None:
    lines[at : at + rng.choice((0, 1, 1000))] = rng.choice(([], [rng.choice(lines)], [" " * rng.choice((1, 2, 8)) + lines[at]], lines * 2))


def _splice(lines: list[str], at: int, rng: random.Random) -> None:
    place = rng.randrange(len(lines[at]) + 1)
    lines[at] = lines[at][:place] + rng.choice(TOKENS) + lines[at][place + rng.choice((0, 0, 1, 5)) :]
