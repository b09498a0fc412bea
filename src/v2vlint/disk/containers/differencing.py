"""Differencing disks: how they identify their parent, and which sectors have changed (VHD specification; [MS-VHDX] 2.5.1 and 2.6.2.6)."""

from __future__ import annotations

import uuid
from dataclasses import field

from v2vlint.disk.containers import headers as h
from v2vlint.disk.stream import Stream
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import ImageError

MAX_LOCATOR, MAX_KEYS = 64 << 10, 64
_LOCATOR = uuid.UUID("b04aefb7-d19e-4a81-b789-25b8e9445913").bytes_le


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
    texts: dict[int, str] = {}
    for at in h.VHD_LOCATORS:
        found = h.VHD_LOCATOR.read(header, at)
        if found["platform_code"] in (h.VHD_W2RU, h.VHD_W2KU):
            data = base.read_at(found["platform_data_offset"], min(found["platform_data_length"], MAX_LOCATOR))
            texts[found["platform_code"]] = data.decode("utf-16-le", "replace").partition("\0")[0]
    name = header[h.VHD_PARENT_UNICODE_NAME].decode("utf-16-be", "replace").partition("\0")[0]
    return ParentLink(_names([texts.get(h.VHD_W2RU, ""), texts.get(h.VHD_W2KU, ""), name]), header[h.VHD_PARENT_UNIQUE_ID])


def vhd_identity(base: Stream) -> bytes:
    """The identifier of a VHD, from the footer at the end of the file."""
    return base.read_at(max(0, base.size - h.VHD_FOOTER_SIZE), h.VHD_FOOTER_SIZE)[h.VHD_UNIQUE_ID]


def vhdx_link(name: str, locator: bytes) -> ParentLink:
    """The parent according to the locator in a VHDX file's metadata. ImageError when Hyper-V would not write such a locator."""
    if locator[h.VHDX_LOCATOR_TYPE] != _LOCATOR or len(locator) < h.VHDX_LOCATOR_SIZE:
        raise ImageError(f"{name}: damaged VHDX (the place of its parent)")
    found: dict[str, str] = {}
    for number in range(min(h.VHDX_LOCATOR.read(locator)["KeyValueCount"], MAX_KEYS)):
        at = h.VHDX_LOCATOR_SIZE + h.VHDX_LOCATOR_ENTRY_SIZE * number
        if at + h.VHDX_LOCATOR_ENTRY_SIZE <= len(locator):
            entry = h.VHDX_LOCATOR_ENTRY.read(locator, at)
            key, value = (locator[entry[f"{part}Offset"] :][: entry[f"{part}Length"]] for part in ("Key", "Value"))
            found[key.decode("utf-16-le", "replace")] = value.decode("utf-16-le", "replace")
    try:
        identity = uuid.UUID(found.get("parent_linkage", "")).bytes_le
    except ValueError as error:
        raise ImageError(f"{name}: damaged VHDX (no identifier of its parent)") from error
    return ParentLink(_names([found.get(key, "") for key in ("relative_path", "absolute_win32_path")]), identity)


def vhdx_identity(base: Stream) -> bytes:
    """The identifier of a VHDX file's content, from the newer header. It changes with every use."""
    size = h.VHDX_HEADER_SIZE
    headers = [base.read_at(at, size) for at in h.VHDX_HEADERS]
    valid = [header for header in headers if header.startswith(h.VHDX_HEADER_SIGNATURE) and len(header) == size]
    newest = max(valid, key=lambda header: h.VHDX_HEADER.read(header)["SequenceNumber"], default=b"")
    return newest[h.VHDX_DATA_WRITE_GUID]


def vdi_identity(base: Stream) -> bytes:
    """The identifier of a VDI."""
    return base.read_at(0, h.VDI_HEADER_SIZE)[h.VDI_UUID_CREATE]
