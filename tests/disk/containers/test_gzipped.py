"""Images packed with gzip are read in place, in any order; damage is named."""

from __future__ import annotations

import gzip
import random
from pathlib import Path

import pytest

from tests.disk.images import run
from v2vlint.disk.containers import gzipped
from v2vlint.disk.containers.formats import open_image
from v2vlint.disk.containers.gzipped import Gzipped
from v2vlint.disk.stream import MemoryStream
from v2vlint.model.errors import ImageError
from v2vlint.model.source import DiskFile


def noise(size: int) -> bytes:
    """Bytes that pack a little: random runs between zeros."""
    dice = random.Random(7)
    return b"".join(dice.randbytes(300) + bytes(dice.randrange(900)) for _ in range(size // 700))[:size]


PLAIN = noise(3 << 20)


@pytest.mark.parametrize(
    "packed",
    [gzip.compress(PLAIN, mtime=0), gzip.compress(PLAIN[:999_999], mtime=0) + gzip.compress(PLAIN[999_999:], mtime=0) + bytes(700)],
)
def test_any_place_in_any_order(monkeypatch: pytest.MonkeyPatch, packed: bytes) -> None:
    monkeypatch.setattr(gzipped, "FIRST_SPACING", 1 << 14)
    monkeypatch.setattr(gzipped, "MAX_POINTS", 16)
    monkeypatch.setattr(gzipped, "BLOCK", 1 << 12)
    stream = Gzipped("x.gz", MemoryStream(packed))
    assert stream.size == len(PLAIN)
    assert len(stream._points) <= 16
    dice = random.Random(1)
    for offset in [0, len(PLAIN) - 5, len(PLAIN), *(dice.randrange(len(PLAIN)) for _ in range(40))]:
        assert stream.read_at(offset, 10_000) == PLAIN[offset : offset + 10_000]


def test_members_that_unpack_to_much_more_than_a_block() -> None:
    one, two = bytes(6 << 20), b"x" * (5 << 20)
    stream = Gzipped("x.gz", MemoryStream(b"".join(gzip.compress(part, mtime=0) for part in (one, two, one))))
    assert stream.size == 17 << 20
    places = ((6 << 20) - 1, (11 << 20) - 1, (17 << 20) - 2)
    assert [stream.read_at(place, 2) for place in places] == [b"\0x", b"x\0", b"\0\0"]


def test_zeros_are_not_kept_in_memory() -> None:
    stream = Gzipped("x.gz", MemoryStream(gzip.compress(bytes(64 << 20), mtime=0)))
    assert (stream.size, stream.read_at(60 << 20, 4)) == (64 << 20, bytes(4))


@pytest.mark.parametrize(
    ("packed", "reason"),
    [
        (gzip.compress(PLAIN, mtime=0)[:-9], "truncated"),
        (gzip.compress(PLAIN, mtime=0)[:50_000], "truncated"),
        (b"\x1f\x8b\x08" + b"\1" * 3000, "damaged gzip file"),
        (gzip.compress(b"x", mtime=0) + b"rest", "damaged gzip file"),
        (gzip.compress(PLAIN, mtime=0)[:-8] + bytes(8), "damaged gzip file"),
    ],
)
def test_damage(packed: bytes, reason: str) -> None:
    with pytest.raises(ImageError, match=f"x.gz: .*{reason}"):
        Gzipped("x.gz", MemoryStream(packed))


@pytest.mark.parametrize("form", ["raw", "vmdk", "qcow2"])
def test_a_disk_inside(tmp_path: Path, form: str) -> None:
    (tmp_path / "plain").write_bytes(PLAIN[: 2 << 20])
    run("qemu-img", "convert", "-f", "raw", "-O", form, tmp_path / "plain", tmp_path / "disk")
    path = tmp_path / "disk.gz"
    path.write_bytes(gzip.compress((tmp_path / "disk").read_bytes(), mtime=0))
    image = open_image(DiskFile(str(path), str(path)))
    assert (image.format, image.stream.read_at(700_000, 5000)) == (f"{form}.gz", PLAIN[700_000:705_000])


def test_a_file_in_pieces(tmp_path: Path) -> None:
    packed = gzip.compress(PLAIN[: 1 << 20], mtime=0)
    for number, start in enumerate(range(0, len(packed), 100_000)):
        (tmp_path / f"disk.{number:09d}").write_bytes(packed[start : start + 100_000])
    pieces = tuple(DiskFile(str(path), path.name) for path in sorted(tmp_path.iterdir()))
    image = open_image(DiskFile(pieces[0].path, "disk", chunks=pieces))
    assert (image.format, image.stream.size) == ("raw.gz", 1 << 20)
    assert len(image.files) == len(pieces)
    assert image.stream.read_at(0, 1 << 20) == PLAIN[: 1 << 20]
