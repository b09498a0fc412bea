"""Whether a driver file is signed, as far as the disk shows: a certificate in the file, or its hash in a catalog installed with the
driver's package (``CatRoot\\{F750E6C3-38EE-11D1-85E5-00C04FC295EE}``). Whether Windows trusts the signer is not judged."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator

from v2vlint.guest.fs import GuestFS

_CATALOGS = "System32/CatRoot/{F750E6C3-38EE-11D1-85E5-00C04FC295EE}"
MAX_FILE, MAX_CATALOG, MAX_CATALOGS = 16 << 20, 4 << 20, 256
_CERTIFICATES = 4  # IMAGE_DIRECTORY_ENTRY_SECURITY


def signed_by(fs: GuestFS, path: str, root: str = "/Windows") -> str | None:
    """``itself``, the name of a catalog, or empty when no signature was found; None when that cannot be determined.

    Only catalogs of added packages are searched (``oem*.cat``, and those named like the driver), because Windows has many of its own.
    """
    data = fs.read(path, MAX_FILE)
    places = _places(data) if data else None
    if data is None or places is None:
        return None
    checksum, entry = places
    start, size = struct.unpack_from("<II", data, entry)
    if size and start + size <= len(data):
        return "itself"
    # A catalog lists Authenticode digests, which leave out the checksum and the entry of the certificate table.
    hashes = [make(data[:checksum] + data[checksum + 4 : entry] + data[entry + 8 :]).digest() for make in (hashlib.sha256, hashlib.sha1)]
    catalogs = tuple(_catalogs(fs, f"{root}/{_CATALOGS}", path))
    for catalog in catalogs:
        content = fs.read(catalog, MAX_CATALOG) or b""
        if any(one in content for one in hashes):
            return catalog.rpartition("/")[2]
    return ""


def _places(data: bytes) -> tuple[int, int] | None:
    """The offsets of the checksum and the certificate entry in a PE image; None when it has none."""
    try:
        at = struct.unpack_from("<I", data, 60)[0]
        optional, magic = struct.unpack_from("<H2xH", data, at + 20)
    except struct.error:
        return None
    first = {0x10B: 96, 0x20B: 112}.get(magic)
    if data[at : at + 4] != b"PE\0\0" or first is None or optional < first + 8 * (_CERTIFICATES + 1):
        return None
    # NumberOfRvaAndSizes: how many directories there are.
    if struct.unpack_from("<I", data, at + 24 + first - 4)[0] <= _CERTIFICATES:
        return None
    return at + 24 + 64, at + 24 + first + 8 * _CERTIFICATES


def _catalogs(fs: GuestFS, folder: str, path: str) -> Iterator[str]:
    stem = path.rpartition("/")[2].rpartition(".")[0].lower()
    names = fs.listdir(folder) if fs.is_dir(folder) else ()
    wanted = [name for name in names if name.lower().endswith(".cat") and (name.lower().startswith("oem") or stem in name.lower())]
    yield from (f"{folder}/{name}" for name in sorted(wanted)[:MAX_CATALOGS])
