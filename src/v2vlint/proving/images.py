"""The guest's disks as QEMU block nodes: a throw-away overlay on each image, every format stated, nothing probed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from v2vlint.files.nodes import Nodes
from v2vlint.model.dataclass import dataclass
from v2vlint.model.source import ImageNode
from v2vlint.proving.process import create_overlay


@dataclass(frozen=True, slots=True)
class ProofDisk:
    """A disk: its image with everything it refers to, and the size of the virtual disk in bytes."""

    node: ImageNode
    size: int

    @property
    def files(self) -> tuple[str, ...]:
        """All host files of the disk, including extents, backing and data files."""
        return self.node.paths


def block_options(disks: Sequence[ProofDisk], folder: Path, nodes: Nodes) -> Iterator[str]:
    """``-blockdev`` options for nodes ``disk0``, ``disk1``…, after creating their overlays in ``folder``. ``nodes`` keeps images open."""
    for index, disk in enumerate(disks):
        overlay = folder / f"disk{index}.qcow2"
        create_overlay(overlay, disk.size)
        node = {
            "driver": "qcow2",
            "node-name": f"disk{index}",
            "discard": "unmap",
            # no-flush: the overlay is thrown away, so nothing in it has to reach the disk.
            "file": {"driver": "file", "filename": str(overlay), "cache": {"no-flush": True}},
            "backing": nodes.image(disk.node),
        }
        yield from ("-blockdev", json.dumps(node))
