"""The host files that an image consists of, as far as they are written in place."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import UsageError
from v2vlint.model.source import ImageNode

_HINT = "give -o NEW.qcow2"


@dataclass(frozen=True, slots=True)
class Flat:
    """A file that contains ``length`` bytes of the virtual disk, starting at ``start``, unchanged."""

    path: Path
    start: int
    length: int


def flats(node: ImageNode) -> tuple[Flat, ...]:
    """The data files of a VMDK that is only a descriptor (``disk-flat.vmdk``); none for an image that is a single file.

    UsageError for images that keep their data in other files in any other way: the image itself names those files, and they may belong to
    another guest.
    """
    if node.data:
        raise UsageError(f"{node.path}: its data is in another file ({node.data.path}): it cannot be changed in place", hint=_HINT)
    return tuple(_flats(node))


def _flats(node: ImageNode) -> Iterator[Flat]:
    start, image = 0, Path(node.path)
    for extent in node.extents:
        path = Path(extent.node.path) if extent.node else image
        if path.parent != image.parent or not path.name.startswith(f"{image.stem}-"):
            words = "whose name does not tell that it is a part of it: it cannot be changed in place"
            raise UsageError(f"{image} refers to {path}, {words}", hint=_HINT)
        if extent.kind not in ("FLAT", "VMFS") or os.stat(path).st_size < extent.size:  # noqa: PTH116
            raise UsageError(f"{image}: a VMDK in pieces cannot be changed in place, unless they are flat", hint=_HINT)
        if extent.start:
            raise UsageError(f"{image}: its data does not begin where its files do: it cannot be changed in place", hint=_HINT)
        yield Flat(path, start, extent.size)
        start += extent.size
