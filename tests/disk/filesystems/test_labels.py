"""Labels as blkid gives them: blanks, NULs, what is no UTF-8, and exFAT's entries, written over those of real filesystems."""

from __future__ import annotations

import random
import shlex
import struct
import subprocess
from pathlib import Path

import pytest

from tests.disk.images import blank, need, run
from v2vlint.disk.filesystems.probe import probe
from v2vlint.disk.stream import HostFile

MIB = 1 << 20
LABEL = "LABELLABEL"
BYTES = (b"  lead", b"trail \t", "\u3000x\u3000".encode(), b"\xff\xfe", b"\x1cx\x1c", b" ", b"a\0b", b"x\xc2\xa0", b"\xc2\x85")
UNITS = ("A", "x  ", "\ud800", "\udc00x", "a\0b", "\t\n", "😀", "  lead", "x\u3000", "Ā", "\ude00\ud83d", "wörter")
MADE: dict[str, tuple[int, str, tuple[bytes | str, ...]]] = {
    "ext4": (8, f"mke2fs -q -F -t ext4 -L {LABEL} IMAGE", BYTES),
    "xfs": (320, f"mkfs.xfs -q -L {LABEL} IMAGE", BYTES),
    "btrfs": (128, f"mkfs.btrfs -q -L {LABEL} IMAGE", BYTES),
    "swap": (8, f"mkswap -q -L {LABEL} IMAGE", BYTES),
    "vfat": (20, f"mkfs.vfat -n {LABEL} IMAGE", BYTES),
    "jfs": (32, f"mkfs.jfs -q -L {LABEL} IMAGE", BYTES),
    "reiserfs": (64, f"mkreiserfs -q -f -f -l {LABEL} IMAGE", BYTES),
    "gfs2": (256, f"mkfs.gfs2 -q -O -p lock_nolock -j 1 -J 8 -t c:{LABEL} IMAGE", BYTES),
    "iso9660": (0, f"genisoimage -quiet -V {LABEL} -o IMAGE FOLDER", BYTES),
    "udf": (16, f"mkudffs -b 512 --label={LABEL} IMAGE", BYTES),
    "ntfs": (20, f"mkntfs -Q -F -q -L {LABEL} IMAGE", UNITS),
    "f2fs": (64, f"mkfs.f2fs -q -l {LABEL} IMAGE", UNITS),
}


def start(image: Path, size: int) -> bytes:
    with image.open("rb") as file:
        return file.read(size)


def blkid(image: Path) -> tuple[str, bytes]:
    found = [
        subprocess.run(["blkid", "-p", "-o", "value", "-s", tag, image], capture_output=True, check=False) for tag in ("TYPE", "LABEL")
    ]
    return found[0].stdout.decode().strip(), found[1].stdout.removesuffix(b"\n")


def ours(image: Path) -> tuple[str, bytes]:
    found = probe(HostFile(str(image)))
    return found.type, found.label.encode("utf-8", "surrogateescape")


@pytest.mark.parametrize("kind", MADE)
def test_odd_labels(tmp_path: Path, kind: str) -> None:
    size, command, labels = MADE[kind]
    image = tmp_path / "image"
    if size:
        blank(image, size * MIB)
    (tmp_path / "in").mkdir()
    words = shlex.split(command.replace("IMAGE", str(image)).replace("FOLDER", str(tmp_path / "in")))
    need(words[0], "blkid")
    run(*words)
    data = start(image, 16 * MIB)
    for label in labels:
        raw = label if isinstance(label, bytes) else label.encode("utf-16-le", "surrogatepass")
        old = LABEL.encode() if isinstance(label, bytes) else LABEL.encode("utf-16-le")
        with image.open("r+b") as file:
            file.write(data.replace(old, raw.ljust(len(old), b"\0")))
        assert ours(image) == blkid(image), label


def entries(draw: random.Random) -> bytes:
    """Entries of a root folder of exFAT: labels in use or deleted, a file's, a GUID, the end."""
    found = b""
    for _number in range(draw.randrange(5)):
        raw = draw.choice(UNITS).encode("utf-16-le", "surrogatepass")
        head = draw.choice((b"\x83", b"\x83", b"\x03", b"\x85", b"\xa0", b"\0"))
        found += head + bytes([draw.choice((len(raw) // 2, 0, 11, 12, 200))]) + raw.ljust(30, b"\0")
    return found


def test_entries_of_exfat(tmp_path: Path) -> None:
    need("mkfs.exfat", "blkid")
    image = blank(tmp_path / "image", 8 * MIB)
    run("mkfs.exfat", "-c", "4k", "-L", "stick", image)
    boot = start(image, 512)
    fat, _length, heap, count, root = struct.unpack_from("<IIIII", boot, 80)
    shift, size = boot[108], 1 << boot[108] + boot[109]
    draw = random.Random(4)
    for _round in range(60):
        following = draw.choice((root + 1, root + 1, root, 1, count + 5, 0xFFFF_FFF7))
        full = draw.random() < 0.3
        with image.open("r+b") as file:
            file.seek((heap << shift) + (root - 2) * size)
            file.write((bytes([0x85, *bytes(31)]) * (size // 32) if full else entries(draw)).ljust(size, b"\0"))
            file.write(entries(draw).ljust(size, b"\0"))
            file.seek((fat << shift) + root * 4)
            file.write(struct.pack("<I", following))
        assert ours(image) == blkid(image), (following, full)
