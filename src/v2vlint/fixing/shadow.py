"""The bytes of a host file after an overlay is committed, computed by QEMU without writing to the file.

The image is opened in its own format on a *shadow*: a qcow2 overlay on the raw bytes of the file, metadata included. The commit writes into
the shadow, whose content then is the difference. So QEMU's driver produces every format, and only :mod:`patch` writes the file.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from v2vlint.files.nodes import DRIVERS, Nodes, argument
from v2vlint.fixing import qemu
from v2vlint.fixing.patch import SECTOR, Range, merge, pieces
from v2vlint.fixing.rawfile import read_at
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import ImageError
from v2vlint.model.source import ImageNode
from v2vlint.source import sidecars
from v2vlint.source.journal import FixedFile
from v2vlint.source.sidecars import SidecarPlace

DESCRIPTION = "description"
"""The driver of an image that only says in which files its data is."""

# Clusters: the smaller they are, the more exactly the shadow tells what was written.
_SMALL, _LARGE = 4096, 65536
_SMALL_UP_TO = 4 << 40
"""Bytes: qcow2's first-level table has at most 32 MiB, which is 8 TiB with clusters of 4 KiB."""


@dataclass(frozen=True, slots=True)
class ShadowExtent:
    """A range of the file that was written: ``place`` is its position in the shadow, None for zeros."""

    start: int
    length: int
    place: int | None


@dataclass(frozen=True, slots=True)
class Shadow:
    """The new state of a file of ``size`` bytes: ``extents`` were written, the rest is unchanged."""

    handle: int
    image: int
    size: int
    extents: tuple[ShadowExtent, ...]

    def read(self, offset: int, length: int) -> bytes:
        """Bytes of the new state, fewer at its end."""
        length = max(0, min(length, self.size - offset))
        content = bytearray(read_at(self.image, offset, length).ljust(length, b"\0"))
        first = bisect_right(self.extents, offset, key=lambda extent: extent.start) - 1
        for extent in islice(self.extents, max(0, first), None):
            if extent.start >= offset + length:
                break
            start, end = max(offset, extent.start), min(offset + length, extent.start + extent.length)
            if start < end:
                content[start - offset : end - offset] = self._held(extent, start - extent.start, end - start)
        return bytes(content)

    def _held(self, extent: ShadowExtent, offset: int, length: int) -> bytes:
        data = b"" if extent.place is None else read_at(self.handle, extent.place + offset, length)
        return data.ljust(length, b"\0")

    def changes(self) -> tuple[Range, ...]:
        """The ranges of the file whose bytes differ, in whole sectors."""
        found: list[Range] = []
        for start, length in pieces(((extent.start, extent.length) for extent in self.extents), self.size):
            new, old = self.read(start, length), read_at(self.image, start, length)
            if new != old:
                found.extend((start + at, SECTOR) for at in range(0, len(new), SECTOR) if new[at : at + SECTOR] != old[at : at + SECTOR])
        return merge(found)


@contextmanager
def new_state(member: FixedFile, overlay: SidecarPlace, image: int) -> Iterator[Shadow]:
    """The state of a member's open file ``image`` after committing an overlay."""
    path = overlay.path("overlay")
    if member.driver == DESCRIPTION:
        yield Shadow(image, image, os.lseek(image, 0, os.SEEK_END), ())
    elif member.driver == "raw":
        with sidecars.held(overlay, "overlay") as handle:
            yield _raw(path, handle, image, *member.window)
    else:
        with sidecars.held(member.at, "shadow", fresh=True) as handle:
            assert member.node
            yield _built(member.at, member.node, path, handle, image)


def _raw(overlay: Path, handle: int, image: int, start: int, length: int) -> Shadow:
    """The state of a raw file that holds the virtual disk from ``start`` on; ``length`` 0 means up to the end."""
    size = os.lseek(image, 0, os.SEEK_END)
    rounded = -(-size // SECTOR) * SECTOR
    end = start + (length or rounded)
    extents: list[ShadowExtent] = []
    for extent in _written(overlay, end):
        first, last = max(start, extent.start), min(end, extent.start + extent.length)
        if first < last:
            place = None if extent.place is None else extent.place + first - extent.start
            extents.append(ShadowExtent(first - start, last - first, place))
    shadow = Shadow(handle, image, rounded, tuple(extents))
    return replace(shadow, size=_end(shadow, "raw", size, rounded))


def _built(at: SidecarPlace, node: ImageNode, overlay: Path, handle: int, image: int) -> Shadow:
    """Commit ``overlay`` into a shadow (the empty file ``handle``) of ``node``'s open file ``image``. ImageError when QEMU refuses."""
    path, size = at.path("shadow"), os.lseek(image, 0, os.SEEK_END)
    rounded = -(-size // SECTOR) * SECTOR
    most = rounded + 2 * _virtual_size(overlay) + (1 << 30)
    cluster = _SMALL if most < _SMALL_UP_TO else _LARGE
    qemu.run("qemu-img", "create", "-q", "-f", "qcow2", "-o", f"cluster_size={cluster}", path, str(rounded), writes=(path,))
    with Nodes() as nodes:
        file = {**nodes.overlay(path, None), "backing": {"driver": "raw", "file": nodes.file(node.path)}}
        top = {**nodes.overlay(overlay, None), "backing": nodes.on(node, file)}
        # -d: the overlay is not emptied.
        qemu.run("qemu-img", "commit", "-q", "-d", argument(top), nodes=nodes)
    grown = _virtual_size(path)
    # A format that grows its file has written to clusters beyond the size in the shadow's header.
    counted = _clusters(path)
    with Nodes() as nodes:
        qemu.run("qemu-img", "resize", "-q", argument(nodes.overlay(path, None)), str(most), nodes=nodes)
    if _clusters(path) != counted:
        raise ImageError(f"{at.image}: this version of QEMU cannot say what a commit changes", hint="give -o NEW.qcow2")
    extents = tuple(_written(path, rounded))
    shadow = Shadow(handle, image, max([grown, *(extent.start + extent.length for extent in extents)]), extents)
    return replace(shadow, size=_end(shadow, DRIVERS[node.format], size, rounded))


def _told(command: str, path: Path) -> Any:
    """The report of qemu-img on one of our qcow2 files, opened without its backing chain."""
    with Nodes() as nodes:
        node = argument(nodes.overlay(path, None, writable=False))
        return qemu.told(command, node, nodes=nodes)


def _virtual_size(path: Path) -> int:
    return qemu.number(_told("info", path), "virtual-size")


def _clusters(path: Path) -> int:
    """The number of clusters in a qcow2 file, including those beyond its virtual end."""
    return qemu.number(_told("check", path), "allocated-clusters")


def _written(path: Path, rounded: int) -> Iterator[ShadowExtent]:
    """The written ranges of one of our qcow2 files, in order; zeros beyond the old end are left out."""
    found = _told("map", path)
    items: list[Any] = found if isinstance(found, list) else [None]
    for item in items:
        start, length = qemu.number(item, "start"), qemu.number(item, "length")
        if item.get("data"):
            yield ShadowExtent(start, length, qemu.number(item, "offset"))
        elif item.get("present") and start < rounded:
            yield ShadowExtent(start, min(length, rounded - start), None)


def _end(shadow: Shadow, driver: str, size: int, rounded: int) -> int:
    """The size of the file. The shadow counts whole clusters or sectors; a VHD ends with its footer, to the byte."""
    if shadow.size == rounded:
        return rounded if any(shadow.read(size, SECTOR)) else size
    if driver == "vpc":
        tail = shadow.read(shadow.size - _LARGE, _LARGE).rstrip(b"\0")
        return shadow.size - _LARGE + -(-len(tail) // SECTOR) * SECTOR
    return shadow.size
