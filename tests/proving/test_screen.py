"""Reading screens: what is drawn in a font is read back, and nothing else is read into a picture."""

from __future__ import annotations

import gzip
import struct
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from v2vlint.proving.font import Font, psf_font, vga_font
from v2vlint.proving.screen import Picture, parse_ppm, read_text, to_png

PRINTABLE = "".join(map(chr, range(0x20, 0x7F)))
BLACK, GREY, RED = b"\0\0\0", b"\xaa\xaa\xaa", b"\xaa\0\0"


def draw(lines: list[str], font: Font, size: tuple[int, int], colours: tuple[bytes, bytes] = (BLACK, GREY), cell: int = 8) -> Picture:
    """A screen with ``lines`` in ``font``; the part of a cell right of its eight columns is background."""
    width, height = size
    glyphs = {char: bitmap for bitmap, char in font.items()}
    background, ink = colours
    rows = []
    for y in range(height):
        line = lines[y // 16] if y // 16 < len(lines) else ""
        pixels = [background] * width
        for column, char in enumerate(line):
            bits = glyphs[char][y % 16]
            for x in range(8):
                if bits >> (7 - x) & 1:
                    pixels[column * cell + x] = ink
        rows.append(b"".join(pixels))
    return Picture(width, height, b"".join(rows))


@pytest.fixture(scope="module")
def font() -> Font:
    """The VGA BIOS's."""
    found = vga_font()
    assert set(found.values()) == set(PRINTABLE)
    return found


@pytest.mark.parametrize("colours", [(BLACK, GREY), (GREY, BLACK), (RED, GREY)])
@pytest.mark.parametrize(("size", "cell"), [((720, 400), 9), ((1024, 768), 8), ((800, 600), 8)])
def test_text_is_read_back(font: Font, size: tuple[int, int], cell: int, colours: tuple[bytes, bytes]) -> None:
    lines = [PRINTABLE[:40], "", PRINTABLE[40:], "  guest login: "]
    assert read_text(draw(lines, font, size, colours, cell), (font,)) == (PRINTABLE[:40].rstrip(), PRINTABLE[40:], "  guest login:")


def test_a_full_row_goes_on_in_the_next(font: Font) -> None:
    text = "ALERT!  UUID=11111111-2222-3333-4444-555555555555 does not exist.  Dropping to a shell!"
    assert read_text(draw([text[:80], text[80:], "(initramfs)"], font, (640, 400)), (font,)) == (text, "(initramfs)")


def test_the_font_that_explains_most_is_taken(font: Font) -> None:
    shifted = {bytes([*bitmap[1:], 0]): char for bitmap, char in font.items()}
    assert read_text(draw(["guest login:"], shifted, (640, 400)), (font, shifted)) == ("guest login:",)


def test_a_graphical_screen_has_no_text(font: Font) -> None:
    pixels = b"".join(bytes([x % 256, y % 256, x * y % 256]) for y in range(200) for x in range(320))
    assert read_text(Picture(320, 200, pixels), (font,)) == ()
    assert read_text(Picture(320, 200, bytes(320 * 200 * 3)), (font,)) == ()
    assert read_text(Picture(320, 200, bytes(320 * 200 * 3)), ()) == ()


def test_ppm() -> None:
    assert parse_ppm(b"P6\n2 1\n255\n" + bytes(6) + b"tail") == Picture(2, 1, bytes(6))


@pytest.mark.parametrize(
    "data", [b"", b"P6\n2 1\n255\n", b"P5\n2 1\n255\n" + bytes(6), b"P6\n0 1\n255\n", b"P6\n99999 99999\n255\n" + bytes(9)]
)
def test_no_ppm(data: bytes) -> None:
    assert parse_ppm(data) is None


def test_png() -> None:
    data = to_png(Picture(2, 2, bytes(range(12))))
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack(">II", data[16:24]) == (2, 2)
    start = data.index(b"IDAT") + 4
    assert zlib.decompress(data[start : start + struct.unpack(">I", data[start - 8 : start - 4])[0]]) == b"\0" + bytes(
        range(6)
    ) + b"\0" + bytes(range(6, 12))


def psf1(font: Font, mode: int) -> bytes:
    """A PSF 1 file; with a Unicode table when bit 1 of ``mode`` is set, and then in reverse order."""
    glyphs = {char: bitmap for bitmap, char in font.items()}
    order = [chr(code) for code in range(256)]
    if mode & 2:
        order = order[::-1]
    body = b"".join(glyphs.get(char, bytes(16)) for char in order)
    table = b"".join(struct.pack("<HHHHH", ord(char), 0xFFFE, 0x41, 0x301, 0xFFFF) for char in order) if mode & 2 else b""
    return b"\x36\x04" + bytes([mode, 16]) + body + table


def psf2(font: Font, unicode: bool) -> bytes:
    """A PSF 2 file."""
    glyphs = {char: bitmap for bitmap, char in font.items()}
    order = [chr(code) for code in range(255, -1, -1)] if unicode else [chr(code) for code in range(256)]
    table = b"".join(char.encode() + b"\xfeA\xcc\x81\xff" for char in order) if unicode else b""
    return (
        b"\x72\xb5\x4a\x86"
        + struct.pack("<7I", 0, 32, int(unicode), 256, 16, 16, 8)
        + b"".join(glyphs.get(c, bytes(16)) for c in order)
        + table
    )


def test_psf(font: Font) -> None:
    wanted = {char: bitmap for bitmap, char in font.items()}
    files = [psf1(font, 0), psf1(font, 2), psf2(font, False), psf2(font, True), gzip.compress(psf2(font, True))]
    for data in files:
        found = {char: bitmap for bitmap, char in psf_font(data).items() if char != " "}
        assert found == {char: bitmap for char, bitmap in wanted.items() if char != " "}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x36\x04",
        b"\x36\x04\0\x08" + bytes(2048),
        b"\x1f\x8b broken",
        b"\x72\xb5\x4a\x86",
        b"\x72\xb5\x4a\x86" + struct.pack("<7I", 0, 32, 0, 1 << 30, 16, 16, 8),
    ],
)
def test_no_font(data: bytes) -> None:
    assert psf_font(data) == {}


@given(st.sampled_from([b"\x36\x04", b"\x72\xb5\x4a\x86", b""]), st.binary(max_size=200))
def test_any_bytes_are_no_error(magic: bytes, data: bytes) -> None:
    psf_font(magic + data)


def test_without_a_vga_bios_there_is_no_font(tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(bytes(100))
    assert vga_font([tmp_path / "absent", tmp_path / "other"]) == {}
