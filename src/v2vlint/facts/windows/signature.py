"""Whether a driver file is signed, as far as the disk shows: a certificate in the file, or its hash in a catalog installed with the
driver's package (``CatRoot\\{F750E6C3-38EE-11D1-85E5-00C04FC295EE}``). Whether Windows trusts the signer is not judged."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from v2vlint.facts.boot.pe import certificate_place
from v2vlint.guest.fs import GuestFS

_CATALOGS = "System32/CatRoot/{F750E6C3-38EE-11D1-85E5-00C04FC295EE}"
MAX_FILE, MAX_CATALOG, MAX_CATALOGS = 16 << 20, 4 << 20, 256


def signed_by(fs: GuestFS, path: str, root: str = "/Windows") -> str | None:
    """``itself``, the name of a catalog, or empty when no signature was found; None when that cannot be determined.

    Only catalogs of added packages are searched (``oem*.cat``, and those named like the driver), because Windows has many of its own.
    """
    data = fs.read(path, MAX_FILE)
    place = certificate_place(data) if data else None
    if data is None or place is None:
        return None
    if place.size and place.start + place.size <= len(data):
        return "itself"
    # A catalog lists Authenticode digests.
    covered = b"".join(data[start:end] for start, end in place.signed(len(data)))
    hashes = [make(covered).digest() for make in (hashlib.sha256, hashlib.sha1)]
    catalogs = tuple(_catalogs(fs, f"{root}/{_CATALOGS}", path))
    for catalog in catalogs:
        content = fs.read(catalog, MAX_CATALOG) or b""
        if any(one in content for one in hashes):
            return catalog.rpartition("/")[2]
    return ""


def _catalogs(fs: GuestFS, folder: str, path: str) -> Iterator[str]:
    stem = path.rpartition("/")[2].rpartition(".")[0].lower()
    names = fs.listdir(folder) if fs.is_dir(folder) else ()
    wanted = [name for name in names if name.lower().endswith(".cat") and (name.lower().startswith("oem") or stem in name.lower())]
    yield from (f"{folder}/{name}" for name in sorted(wanted)[:MAX_CATALOGS])
