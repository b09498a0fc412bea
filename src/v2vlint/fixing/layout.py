"""Which host files an image is made of, as far as they are written in place."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from v2vlint.fixing import qemu
from v2vlint.model.errors import UsageError
from v2vlint.source.sidecars import Place

_HINT = "give -o NEW.qcow2"


@dataclass(frozen=True, slots=True)
class Flat:
    """A file that holds ``length`` bytes of the virtual disk from ``start`` on as they are."""

    path: Path
    start: int
    length: int


def flats(at: Place, driver: str) -> tuple[Flat, ...]:
    """The files with the data of a VMDK that is only a description (``-flat.vmdk``); none for an image that is one file.

    UsageError for images that keep their data in other files in another way, or outside their folder.
    """
    if driver not in ("vmdk", "qcow2"):
        return ()
    told = json.loads(qemu.run("qemu-img", "info", "--output=json", "-f", driver, at.image))
    details: dict[str, Any] = told.get("format-specific", {}).get("data", {})
    if details.get("data-file"):
        raise UsageError(f"{at.image}: its data is in another file ({details['data-file']}): it cannot be changed in place", hint=_HINT)
    extents = details.get("extents", [])
    if all(os.path.realpath(_path(at, extent)) == str(at.image) for extent in extents):
        return ()
    return tuple(_flats(at, extents))


def _flats(at: Place, extents: list[dict[str, Any]]) -> list[Flat]:
    found: list[Flat] = []
    start = 0
    for extent in extents:
        path, length = Path(os.path.realpath(_path(at, extent))), int(extent["virtual-size"])
        if path.parent != at.image.parent:
            raise UsageError(f"{at.image} refers to {path}, outside its folder: it cannot be changed in place", hint=_HINT)
        if extent.get("format") not in ("FLAT", "VMFS") or path.stat().st_size < length or path == at.image:
            raise UsageError(f"{at.image}: a VMDK in pieces cannot be changed in place, unless they are flat", hint=_HINT)
        found.append(Flat(path, start, length))
        start += length
    if any(item["offset"] != item["start"] - _containing(found, item["start"]).start for item in _mapped(at) if "offset" in item):
        raise UsageError(f"{at.image}: its data does not begin where its files do: it cannot be changed in place", hint=_HINT)
    return found


def _path(at: Place, extent: dict[str, Any]) -> str:
    return os.path.join(at.image.parent, extent["filename"])  # noqa: PTH118


def _containing(found: list[Flat], offset: int) -> Flat:
    return next(flat for flat in found if flat.start <= offset < flat.start + flat.length)


def _mapped(at: Place) -> list[dict[str, Any]]:
    return list(json.loads(qemu.run("qemu-img", "map", "--output=json", "-f", "vmdk", at.image)))
