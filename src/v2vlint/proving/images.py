"""The guest's disks as QEMU block nodes: a throw-away overlay on each image, every format stated, nothing probed."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from v2vlint.proving.process import run_tool

_DRIVERS = {"vhd": "vpc"}


@dataclass(frozen=True, slots=True)
class ImageFile:
    """One host file of an image: ``length`` bytes (-1: all) from ``offset`` on, in ``format`` (``raw``, ``qcow2``, ``vmdk``…)."""

    path: str
    format: str
    offset: int = 0
    length: int = -1


@dataclass(frozen=True, slots=True)
class ProofDisk:
    """A disk: its image, then the backing images below it, in order. ``size`` is that of the virtual disk in bytes.

    ``files`` are all host files that hold it, extents and data files included.
    """

    chain: tuple[ImageFile, ...]
    size: int
    files: tuple[str, ...]


def block_options(disks: Sequence[ProofDisk], folder: Path) -> Iterator[str]:
    """``-blockdev`` options for nodes ``disk0``, ``disk1``…, after creating their overlays in ``folder``."""
    for index, disk in enumerate(disks):
        overlay = folder / f"disk{index}.qcow2"
        run_tool("qemu-img", "create", "-q", "-f", "qcow2", overlay, str(disk.size))
        node = {
            "driver": "qcow2",
            "node-name": f"disk{index}",
            "discard": "unmap",
            "file": {"driver": "file", "filename": str(overlay), "cache": {"no-flush": True}},
            "backing": _chain(disk.chain),
        }
        yield from ("-blockdev", json.dumps(node))


def _chain(chain: Sequence[ImageFile]) -> dict[str, Any]:
    image = chain[0]
    path = str(Path(image.path).absolute())
    kind = "host_device" if stat.S_ISBLK(Path(path).stat().st_mode) else "file"
    node: dict[str, Any] = {"driver": kind, "filename": path, "read-only": True}
    if image.offset or image.length >= 0:
        window = {"driver": "raw", "file": node, "offset": image.offset, "read-only": True}
        node = window | ({"size": image.length} if image.length >= 0 else {})
    if image.format == "raw":
        return node if node["driver"] == "raw" else {"driver": "raw", "file": node, "read-only": True}
    top: dict[str, Any] = {"driver": _DRIVERS.get(image.format, image.format), "file": node, "read-only": True}
    if image.format == "qcow2" or len(chain) > 1:
        top["backing"] = _chain(chain[1:]) if len(chain) > 1 else None
    return top
