"""Finds out, in a child process, which files an image consists of: the parent reads no headers."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from v2vlint.disk.containers.formats import open_image
from v2vlint.engine.child import answer
from v2vlint.files import Desk
from v2vlint.isolate import DEFAULT_LIMITS, Limits
from v2vlint.model.codec import decode, encode
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import ImageError, UsageError
from v2vlint.model.source import GuestRef, ImageNode
from v2vlint.source.locate import locate

LOOK = "v2vlint.fixing.look:nodes"


@dataclass(frozen=True, slots=True)
class ImageNodes:
    """The disks of a guest in order."""

    nodes: tuple[ImageNode | None, ...]


def look(image: Path, limits: Limits = DEFAULT_LIMITS) -> ImageNode:
    """The image at a path that the operator named, to be changed in place; see :func:`to_change`."""
    (node,) = to_change(GuestRef(str(image), "disks", (str(image),)), limits)
    return node


def to_read(ref: GuestRef, limits: Limits = DEFAULT_LIMITS) -> tuple[ImageNode | None, ...]:
    """The disks of a guest; None for those that QEMU cannot open as they are. ImageError when one cannot be read."""
    desk = Desk(ref)
    nodes = answer(LOOK, ref, ImageNodes, ref, limits, desk).nodes
    if not all(desk.gave(path) for node in nodes if node for path in node.paths):
        raise ImageError(f"{ref.name}: the reader process gave no valid answer")
    return nodes


def to_change(ref: GuestRef, limits: Limits = DEFAULT_LIMITS) -> tuple[ImageNode, ...]:
    """The disks of a guest whose disks are of kind ``disks``, to be changed in place. UsageError when their content is not in the files
    that were named.

    An image itself names its extents or data files, and could name a disk of another guest: those are only read.
    """
    for node, path in zip(found := to_read(ref, limits), ref.paths, strict=True):
        if node is None or node.path != os.path.realpath(path):
            raise UsageError(f"{path} cannot be changed in place", hint="give -o NEW.qcow2")
    return tuple(node for node in found if node is not None)


def nodes(request: Any) -> Any:
    """Answer an encoded :class:`GuestRef` with encoded :class:`ImageNodes`."""
    return encode(ImageNodes(tuple(open_image(file).node for file in locate(decode(GuestRef, request)).disks)))
