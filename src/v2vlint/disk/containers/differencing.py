"""Differencing disks: how they identify their parent, and which sectors have changed (VHD specification; [MS-VHDX] 2.5.1 and 2.6.2.6)."""

from __future__ import annotations

import struct
import uuid
from dataclasses import field

from v2vlint.disk.stream import Stream
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import ImageError

MAX_LOCATOR = 64 << 10
_LOCATOR = uuid.UUID("b04aefb7-d19e-4a81-b789-25b8e9445913").bytes_le
_RELATIVE, _ABSOLUTE = b"W2ru", b"W2ku"


@dataclass(frozen=True, slots=True)
class ParentLink:
    """A reference to a parent: ``names`` of its file, best first, relative to the disk's folder; and the parent's ``identity``."""

    names: tuple[str, ...]
    identity: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Changed:
    """The changed sectors of a block: one bit each in ``bitmap``, starting at ``first_bit`` of every byte."""

    bitmap: bytes
    sector: int = 512
    first_bit: int = 1

    def __getitem__(self, number: int) -> bool:
        at, bit = divmod(number, 8)
        mask = 1 << bit if self.first_bit == 1 else 0x80 >> bit
        return at < len(self.bitmap) and bool(self.bitmap[at] & mask)


def merged(changed: Changed, start: int, own: bytes, below: bytes) -> bytes:
    """``own`` where sectors were changed and ``below`` elsewhere; both start at byte ``start`` of the block."""
    parts: list[bytes] = []
    at = 0
    while at < len(own):
        number = (start + at) // changed.sector
        end = min(len(own), (number + 1) * changed.sector - start)
        parts.append((own if changed[number] else below)[at:end])
        at = end
    return b"".join(parts)


def _names(texts: list[str]) -> tuple[str, ...]:
    """Possible file names, the one beside the disk first: paths from another host rarely exist here, and paths out of the folder must be
    allowed.
    """
    plain = [text.replace("\\", "/").removeprefix("./") for text in texts if text]
    return tuple(dict.fromkeys([*(name.rpartition("/")[2] for name in plain), *(name for name in plain if ":" not in name)]))


def vhd_link(base: Stream, header: bytes) -> ParentLink:
    """The parent according to the dynamic header of a VHD: its locators, and its name."""
    texts: dict[bytes, str] = {}
    # The header has room for eight locators.
    for at in range(576, 576 + 8 * 24, 24):
        code, _space, length, _reserved, offset = struct.unpack_from(">4sIIIQ", header, at)
        if code in (_RELATIVE, _ABSOLUTE):
            texts[code] = base.read_at(offset, min(length, MAX_LOCATOR)).decode("utf-16-le", "replace").partition("\0")[0]
    name = header[64:576].decode("utf-16-be", "replace").partition("\0")[0]
    return ParentLink(_names([texts.get(_RELATIVE, ""), texts.get(_ABSOLUTE, ""), name]), header[40:56])


def vhd_identity(base: Stream) -> bytes:
    """The identifier of a VHD, from the footer at the end of the file."""
    return base.read_at(max(0, base.size - 512), 512)[68:84]


def vhdx_link(name: str, locator: bytes) -> ParentLink:
    """The parent according to the locator in a VHDX file's metadata. ImageError when Hyper-V would not write such a locator."""
    if locator[:16] != _LOCATOR or len(locator) < 20:
        raise ImageError(f"{name}: damaged VHDX (the place of its parent)")
    found: dict[str, str] = {}
    for number in range(min(struct.unpack_from("<H", locator, 18)[0], 64)):
        entry = locator[20 + 12 * number : 32 + 12 * number]
        if len(entry) == 12:
            key_at, value_at, key_size, value_size = struct.unpack("<IIHH", entry)
            key, value = (locator[at : at + size] for at, size in ((key_at, key_size), (value_at, value_size)))
            found[key.decode("utf-16-le", "replace")] = value.decode("utf-16-le", "replace")
    try:
        identity = uuid.UUID(found.get("parent_linkage", "")).bytes_le
    except ValueError as error:
        raise ImageError(f"{name}: damaged VHDX (no identifier of its parent)") from error
    return ParentLink(_names([found.get(key, "") for key in ("relative_path", "absolute_win32_path")]), identity)


def vhdx_identity(base: Stream) -> bytes:
    """The identifier of a VHDX file's content, from the newer header. It changes with every use."""
    headers = [base.read_at(at, 64) for at in (64 << 10, 128 << 10)]
    valid = [header for header in headers if header[:4] == b"head" and len(header) == 64]
    return max(valid, key=lambda header: int(struct.unpack_from("<Q", header, 8)[0]))[32:48] if valid else b""


def vdi_identity(base: Stream) -> bytes:
    """The identifier of a VDI."""
    return base.read_at(392, 16)
