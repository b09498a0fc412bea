"""Read the text that an 8×16 console shows in a screen dump. Glyphs are matched exactly, without guessing."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator

from v2vlint.model.dataclass import dataclass
from v2vlint.proving.font import CELL, Font

MAX_PIXELS = 64 << 20
MAX_PICTURE = 3 * MAX_PIXELS + 64
UNKNOWN = "\N{REPLACEMENT CHARACTER}"
_HEADER = re.compile(rb"P6\s+(\d{1,5})\s+(\d{1,5})\s+255\s")
# VGA's text mode shows 8 pixels of a glyph and a ninth as a gap.
_TEXT_MODE = (720, 400)


@dataclass(frozen=True, slots=True)
class Picture:
    """A screen dump: ``pixels`` holds three bytes (red, green, blue) for each pixel, row by row."""

    width: int
    height: int
    pixels: bytes


def parse_ppm(data: bytes) -> Picture | None:
    """Parse a binary PPM, as written by QEMU's screendump; None when it is invalid or incomplete."""
    match = _HEADER.match(data)
    if match is None:
        return None
    width, height = int(match[1]), int(match[2])
    pixels = data[match.end() :]
    if not 0 < width * height <= MAX_PIXELS or len(pixels) < width * height * 3:
        return None
    return Picture(width, height, pixels[: width * height * 3])


def to_png(picture: Picture) -> bytes:
    """The picture as a PNG file."""
    stride = picture.width * 3
    # Each row begins with its filter: none.
    rows = b"".join(b"\0" + picture.pixels[y * stride : (y + 1) * stride] for y in range(picture.height))
    header = struct.pack(">IIBBBBB", picture.width, picture.height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(rows)) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def read_text(picture: Picture, fonts: tuple[Font, ...]) -> tuple[str, ...]:
    """The non-empty lines on the screen, in the font that explains most of it; empty when none explains half (a graphical screen)."""
    width = 9 if (picture.width, picture.height) == _TEXT_MODE else 8
    best: tuple[str, ...] = ()
    best_share = 0.5
    for font in fonts:
        lines = tuple(_row(picture, row, width, font) for row in range(picture.height // CELL))
        drawn = sum(len(line) - line.count(" ") for line in lines)
        unknown = sum(line.count(UNKNOWN) for line in lines)
        if drawn and (drawn - unknown) / drawn > best_share:
            best, best_share = lines, (drawn - unknown) / drawn
    return tuple(_unwrapped(best, picture.width // width))


def _unwrapped(rows: tuple[str, ...], columns: int) -> Iterator[str]:
    """Join wrapped lines: a row that is full to its last column continues in the next one."""
    line = ""
    for row in rows:
        line += row
        if len(row) < columns or row.endswith(" "):
            if line.strip():
                yield line.rstrip()
            line = ""
    if line.strip():
        yield line.rstrip()


def _row(picture: Picture, row: int, width: int, font: Font) -> str:
    stride = picture.width * 3
    first = row * CELL * stride
    scanlines = [picture.pixels[first + y * stride : first + (y + 1) * stride] for y in range(CELL)]
    if all(line == line[:3] * picture.width for line in scanlines):
        return ""
    return "".join(_glyph(scanlines, column * width * 3, font) for column in range(picture.width // width))


def _glyph(scanlines: list[bytes], start: int, font: Font) -> str:
    """The character in the 8 pixels from byte ``start`` of each scanline. The top left pixel counts as background."""
    background = scanlines[0][start : start + 3]
    blank = background * 8
    bitmap = bytearray(CELL)
    for y, line in enumerate(scanlines):
        cell = line[start : start + 24]
        if cell != blank:
            bits = 0
            for x in range(0, 24, 3):
                bits = bits << 1 | (cell[x : x + 3] != background)
            bitmap[y] = bits
    return font.get(bytes(bitmap)) or UNKNOWN
