"""Small BitLocker volumes, byte by byte: as Windows lays them out, with every kind of key protector."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any
from uuid import UUID
from zlib import crc32

from Crypto.Cipher import AES

GUID = UUID("4967d63b-2e29-4ad8-8399-f6a339e3d001")
ON_WRITE_GUID = UUID("92a84d3b-dd80-4d0e-9e4e-b1e3284eaed8")
VOLUME = UUID("e9726fab-7656-4bc5-bb9e-adf115953328")
PASSWORD, RECOVERY = "anaconda£", "042647-302313-590458-071500-554323-116567-412181-516978"
CLEAR, TPM, STARTUP, TPM_PIN, RECOVERY_PASSWORD, CERTIFICATE, PASSWORD_KIND = 0, 0x100, 0x200, 0x500, 0x800, 0x1000, 0x2000
CBC_128, CBC_256, XTS_128, XTS_256, DIFFUSER_128, DIFFUSER_256 = 0x8002, 0x8003, 0x8004, 0x8005, 0x8000, 0x8001
AREA, HEADER = 1 << 16, 8192
_NAMES = {
    CBC_128: ("aes-cbc-128-eboiv", 16), CBC_256: ("aes-cbc-256-eboiv", 32), XTS_128: ("aes-xts-128-plain64", 32),
    XTS_256: ("aes-xts-256-plain64", 64), DIFFUSER_128: ("aes-cbc-128-elephant", 64),
    DIFFUSER_256: ("aes-cbc-256-elephant", 64),
}  # fmt: skip
_SALT = bytes(range(16))
_STRETCHED: dict[bytes, bytes] = {}


def identifier(priority: int) -> UUID:
    """The identifier of the protector of a kind."""
    return UUID(int=(0x3FD763F9 << 96) + priority)


@dataclass(frozen=True)
class Spec:
    """What to build.

    ``mark`` ends what is encrypted, ``claims`` is another method that the metadata names, ``spoil`` changes bytes of the metadata, whose
    checksum stays right.
    """

    protectors: tuple[int, ...] = (PASSWORD_KIND, RECOVERY_PASSWORD)
    method: int = CBC_128
    sector: int = 512
    states: tuple[int, int] = (4, 4)
    version: int = 2
    mark: int = 0
    claims: int = 0
    torn: int = 0
    to_go: bool = False
    on_write: bool = False
    spoil: tuple[tuple[int, int], ...] = ()


def bitlocker(plain: bytes, spec: Spec = Spec()) -> bytes:
    """A volume with ``plain`` on it, which has room for BitLocker's own data (see :func:`own_areas`) at its end."""
    volume = bytearray(plain)
    areas, header = own_areas(len(plain))
    key = _bytes("key", _NAMES[spec.method][1])
    volume[header : header + HEADER] = plain[:HEADER]
    encrypted = _cipher(spec, key).encrypt(bytes(volume[: spec.mark or None]), 0)
    volume[: len(encrypted)] = encrypted
    if spec.states[0] == 1:
        volume[:] = plain
        volume[header : header + HEADER] = plain[:HEADER]
    volume[:HEADER] = bytes(HEADER)
    volume[:512] = _boot_sector(spec, areas)
    return told(bytes(volume), spec)


def told(volume: bytes, spec: Spec) -> bytes:
    """The volume with the metadata of another spec of the same method."""
    block = _metadata(spec, len(volume)).ljust(AREA, b"\0")
    areas, _header = own_areas(len(volume))
    return volume[: areas[0]] + 3 * block + volume[areas[2] + AREA :]


def own_areas(size: int) -> tuple[tuple[int, int, int], int]:
    """Where the three copies of the metadata lie, and the first sectors."""
    end = size // 4096 * 4096
    return (end - 4 * AREA, end - 3 * AREA, end - 2 * AREA), end - AREA


def seen(plain: bytes) -> bytes:
    """What the opened volume shows: zeros where BitLocker's own data is."""
    areas, header = own_areas(len(plain))
    content = bytearray(plain)
    for start, size in (*((area, AREA) for area in areas), (header, HEADER)):
        content[start : start + size] = bytes(size)
    return bytes(content)


def startup_file() -> bytes:
    """The .bek file that opens a volume with a startup key."""
    key = _datum(0, 1, struct.pack("<HH", 0x2002, 0) + _bytes("startup", 32))
    entry = _datum(6, 9, identifier(STARTUP).bytes_le + bytes(8) + key)
    return _dataset(entry, 0)


def _metadata(spec: Spec, size: int) -> bytes:
    """One copy: header, entries, and the checksums behind them."""
    master, key = _bytes("master", 32), _bytes("key", _NAMES[spec.method][1])
    areas, header = own_areas(size)
    entries = [_datum(7, 2, "PC C: 24/11/2026\0".encode("utf-16-le"))]
    entries += [_protector(kind, master) for kind in spec.protectors]
    entries.append(_sealed(master, struct.pack("<HH", spec.claims or spec.method, 0) + key, role=3))
    entries.append(_datum(15, 15, struct.pack("<QQ", header, HEADER)))
    dataset = _dataset(b"".join(entries), spec.claims or spec.method)
    length = (64 + len(dataset) + 15) // 16 * 16
    stated = length >> 4 if spec.version == 2 else length
    head = struct.pack("<8sHHHHQI", b"-FVE-FS-", stated, spec.version, *spec.states, spec.mark or size, spec.torn)
    head += struct.pack("<I4Q", HEADER // spec.sector, *areas, header)
    block = bytearray((head + dataset).ljust(length, b"\0"))
    for offset, mask in spec.spoil:
        block[offset % length] ^= mask
    sealed = _sealed(master, struct.pack("<HH", 0x2005, 0) + hashlib.sha256(block).digest())
    return bytes(block) + struct.pack("<HHI", 8 + len(sealed), spec.version, crc32(block)) + sealed


def _dataset(entries: bytes, method: int) -> bytes:
    size = 48 + len(entries)
    return struct.pack("<IIII16sIHHQ", size, 1, 48, size, VOLUME.bytes_le, 9, method, 0, 132 << 50) + entries


def _datum(role: int, kind: int, data: bytes) -> bytes:
    return struct.pack("<HHHH", 8 + len(data), role, kind, 1) + data


def _sealed(key: bytes, content: bytes, role: int = 0) -> bytes:
    """A key encrypted under another."""
    nonce = _bytes(f"nonce {role}", 12)
    data, tag = AES.new(key, AES.MODE_CCM, nonce=nonce).encrypt_and_digest(_datum(0, 1, content))
    return _datum(role, 5, nonce + tag + data)


def _protector(priority: int, master: bytes) -> bytes:
    inner, key = _way(priority)
    inner += _sealed(key, struct.pack("<HH", 0x2003, 0) + master)
    return _datum(2, 8, identifier(priority).bytes_le + bytes(8) + struct.pack("<HH", 0, priority) + inner)


def _way(priority: int) -> tuple[bytes, bytes]:
    """What of the way to the key is in the metadata, and the key."""
    if priority == CLEAR:
        key = _bytes("clear", 32)
        return _datum(0, 1, struct.pack("<HH", 0x2000, 0) + key), key
    if priority == STARTUP:
        return _datum(0, 4, struct.pack("<HH", 0x2002, 0)), _bytes("startup", 32)
    if priority in (PASSWORD_KIND, RECOVERY_PASSWORD):
        return _datum(0, 3, struct.pack("<HH", 0x1000, 0) + _SALT), _stretched(priority)
    return _datum(0, 6, struct.pack("<I", 0x815) + bytes(64)), _bytes("in the TPM", 32)


def _stretched(priority: int) -> bytes:
    if priority == RECOVERY_PASSWORD:
        blocks = struct.pack("<8H", *(int(block) // 11 for block in RECOVERY.split("-")))
        first = hashlib.sha256(blocks).digest()
    else:
        first = hashlib.sha256(hashlib.sha256(PASSWORD.encode("utf-16-le")).digest()).digest()
    if first not in _STRETCHED:
        last = bytes(32)
        tail = first + _SALT
        for number in range(1 << 20):
            last = hashlib.sha256(last + tail + number.to_bytes(8, "little")).digest()
        _STRETCHED[first] = last
    return _STRETCHED[first]


def _boot_sector(spec: Spec, areas: Sequence[int]) -> bytes:
    sector = bytearray(512)
    sector[:11] = b"\xeb\x58\x90" + (b"MSWIN4.1" if spec.to_go else b"-FVE-FS-")
    sector[11:14] = struct.pack("<HB", spec.sector, 8)
    at = 424 if spec.to_go else 160
    if spec.version == 2:
        guid = ON_WRITE_GUID if spec.on_write else GUID
        sector[at : at + 40] = guid.bytes_le + struct.pack("<3Q", *areas)
    else:
        sector[0x38:0x40] = struct.pack("<Q", areas[0] // (8 * spec.sector))
    sector[510:] = b"\x55\xaa"
    return bytes(sector)


def _cipher(spec: Spec, key: bytes) -> Any:
    from dissect.fve.crypto import create_cipher

    return create_cipher(_NAMES[spec.method][0], key, sector_size=spec.sector, iv_sector_size=spec.sector)


def _bytes(name: str, length: int) -> bytes:
    """Bytes that look random, the same every time."""
    blocks = (hashlib.sha256(f"{name} {number}".encode()).digest() for number in count())
    data = b""
    while len(data) < length:
        data += next(blocks)
    return data[:length]
