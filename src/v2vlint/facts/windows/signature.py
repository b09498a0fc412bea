"""Whether a driver file is signed, as far as the disk shows: a certificate in the file, or its hash in a catalog installed with the
driver's package (``CatRoot\\{F750E6C3-38EE-11D1-85E5-00C04FC295EE}``). Whether Windows trusts the signer is not judged."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator

from v2vlint.disk.fields import Fields
from v2vlint.facts.boot.pe import (
    CHECKSUM,
    DATA_DIRECTORIES,
    DATA_DIRECTORY,
    DIRECTORY_SIZE,
    DOS_HEADER,
    NT_HEADERS,
    OPTIONAL_HEADER,
    SECURITY,
)
from v2vlint.guest.fs import GuestFS

_CATALOGS = "System32/CatRoot/{F750E6C3-38EE-11D1-85E5-00C04FC295EE}"
MAX_FILE, MAX_CATALOG, MAX_CATALOGS = 16 << 20, 4 << 20, 256
_COUNT = Fields("<", directories=(0, "I"))  # NumberOfRvaAndSizes (winnt.h), the last field before the data directories
_COUNT_SIZE = 4


def signed_by(fs: GuestFS, path: str, root: str = "/Windows") -> str | None:
    """``itself``, the name of a catalog, or empty when no signature was found; None when that cannot be determined.

    Only catalogs of added packages are searched (``oem*.cat``, and those named like the driver), because Windows has many of its own.
    """
    data = fs.read(path, MAX_FILE)
    places = _places(data) if data else None
    if data is None or places is None:
        return None
    checksum, entry = places
    table = DATA_DIRECTORY.read(data, entry)
    if table["size"] and table["address"] + table["size"] <= len(data):
        return "itself"
    # A catalog lists Authenticode digests, which leave out the checksum and the entry of the certificate table.
    hashes = [
        make(data[:checksum] + data[checksum + 4 : entry] + data[entry + DIRECTORY_SIZE :]).digest()
        for make in (hashlib.sha256, hashlib.sha1)
    ]
    catalogs = tuple(_catalogs(fs, f"{root}/{_CATALOGS}", path))
    for catalog in catalogs:
        content = fs.read(catalog, MAX_CATALOG) or b""
        if any(one in content for one in hashes):
            return catalog.rpartition("/")[2]
    return ""


def _places(data: bytes) -> tuple[int, int] | None:
    """The offsets of the checksum and the certificate entry in a PE image; None when it has none."""
    try:
        at = DOS_HEADER.read(data)["e_lfanew"]
        headers = NT_HEADERS.read(data, at)
    except struct.error:
        return None
    first = DATA_DIRECTORIES.get(headers["magic"])
    if data[at : at + 4] != b"PE\0\0" or first is None or headers["optional_size"] < first + DIRECTORY_SIZE * (SECURITY + 1):
        return None
    optional = at + OPTIONAL_HEADER
    if _COUNT.read(data, optional + first - _COUNT_SIZE)["directories"] <= SECURITY:
        return None
    return optional + CHECKSUM, optional + first + DIRECTORY_SIZE * SECURITY


def _catalogs(fs: GuestFS, folder: str, path: str) -> Iterator[str]:
    stem = path.rpartition("/")[2].rpartition(".")[0].lower()
    names = fs.listdir(folder) if fs.is_dir(folder) else ()
    wanted = [name for name in names if name.lower().endswith(".cat") and (name.lower().startswith("oem") or stem in name.lower())]
    yield from (f"{folder}/{name}" for name in sorted(wanted)[:MAX_CATALOGS])
