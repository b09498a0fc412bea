"""8×16 console fonts: the one in the VGA BIOS, which Linux uses by default, and PSF files of the guest."""

from __future__ import annotations

import gzip
import io
import struct
from collections.abc import Iterable, Mapping
from pathlib import Path

from v2vlint.disk.fields import Fields

VGA_BIOSES = (
    Path("/usr/share/seabios/vgabios-stdvga.bin"),
    Path("/usr/share/qemu/vgabios-stdvga.bin"),
    Path("/usr/share/seabios/vgabios.bin"),
)
CELL = 16
MAX_FONT = 1 << 18
_CAPITAL_A = bytes.fromhex("000010386cc6c6fec6c6c6c600000000")
# Where the framebuffer console's glyphs differ from the VGA BIOS's: taken from a screen of a Debian 6.1 kernel.
_FRAMEBUFFER = {
    "M": "0000c6eefefed6c6c6c6c6c600000000",
    "T": "00007e7e5a1818181818183c00000000",
    "V": "0000c6c6c6c6c6c6c66c381000000000",
    "W": "0000c6c6c6c6d6d6d6feee6c00000000",
    "X": "0000c6c66c7c38387c6cc6c600000000",
    "Y": "0000666666663c181818183c00000000",
    "Z": "0000fec6860c183060c2c6fe00000000",
    "f": "00001c36323078303030307800000000",
    "m": "0000000000ecfed6d6d6d6c600000000",
    "v": "0000000000c6c6c6c6c66c3800000000",
    "w": "0000000000c6c6d6d6d6fe6c00000000",
    "x": "0000000000c66c3838386cc600000000",
    "0": "0000386cc6c6d6d6c6c66c3800000000",
    "|": "00001818181818181818181800000000",
    "~": "0076dc00000000000000000000000000",
    "`": "0030180c000000000000000000000000",
}
# The magic numbers, headers (psf1_header, psf2_header), flags and separators below are those of kbd's psf.h.
_PSF1, _PSF2 = b"\x36\x04", b"\x72\xb5\x4a\x86"
_PSF1_HEADER, _PSF1_SIZE = Fields("<", mode=(2, "B"), charsize=(3, "B")), 4
_PSF2_HEADER = Fields("<", headersize=(8, "I"), flags=(12, "I"), length=(16, "I"), charsize=(20, "I"), height=(24, "I"), width=(28, "I"))

Font = Mapping[bytes, str]


def vga_font(candidates: Iterable[Path] = VGA_BIOSES) -> Font:
    """Glyph bitmaps (16 rows) of the printable ASCII characters, read from a VGA BIOS, with Linux's own; empty without a VGA BIOS."""
    for path in candidates:
        if not path.is_file():
            continue
        rom = path.read_bytes()
        # The font is at no fixed place in the ROM: its A is looked for.
        start = rom.find(_CAPITAL_A) - ord("A") * CELL
        if start >= 0:
            return _ascii(rom[start : start + 256 * CELL]) | {bytes.fromhex(rows): char for char, rows in _FRAMEBUFFER.items()}
    return {}


def _ascii(bitmaps: bytes) -> dict[bytes, str]:
    # Downwards, so that of equal glyphs the lowest character stays: an empty one is a space.
    return {bitmaps[code * CELL : (code + 1) * CELL]: chr(code) for code in range(0x7E, 0x1F, -1)}


def psf_font(data: bytes) -> Font:
    """The ASCII glyphs of a PC Screen Font (version 1 or 2, possibly gzipped) with 8×16 cells; empty otherwise. Accepts any bytes."""
    try:
        if data[:2] == b"\x1f\x8b":
            with gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
                data = stream.read(MAX_FONT)
        return _psf1(data) if data[:2] == _PSF1 else _psf2(data) if data[:4] == _PSF2 else {}
    except (OSError, EOFError, struct.error, ValueError, IndexError):
        return {}


def _psf1(data: bytes) -> Font:
    fields = _PSF1_HEADER.read(data)
    mode = fields["mode"]
    if fields["charsize"] != CELL:
        return {}
    count = 512 if mode & 1 else 256
    end = _PSF1_SIZE + count * CELL
    glyphs = data[_PSF1_SIZE:end]
    if not mode & 2:
        return _ascii(glyphs)
    units = struct.iter_unpack("<H", data[end:][: (len(data) - end) // 2 * 2])
    table: dict[bytes, str] = {}
    index, in_sequence = 0, False
    for (unit,) in units:
        if unit == 0xFFFF:
            index, in_sequence = index + 1, False
        # What follows up to the separator are sequences of combining characters.
        elif unit == 0xFFFE:
            in_sequence = True
        elif 0x20 <= unit < 0x7F and not in_sequence:
            table[glyphs[index * CELL : (index + 1) * CELL]] = chr(unit)
    return table


def _psf2(data: bytes) -> Font:
    fields = _PSF2_HEADER.read(data)
    header, count = fields["headersize"], fields["length"]
    if (fields["height"], fields["width"], fields["charsize"]) != (CELL, 8, CELL) or count > 4096 or header > len(data):
        return {}
    glyphs = data[header : header + count * CELL]
    if not fields["flags"] & 1:
        return _ascii(glyphs)
    table: dict[bytes, str] = {}
    for index, entry in enumerate(data[header + count * CELL :].split(b"\xff")[:count]):
        for char in entry.split(b"\xfe")[0].decode("utf-8", "ignore"):
            if " " <= char <= "~":
                table[glyphs[index * CELL : (index + 1) * CELL]] = char
    return table
