"""Whole images to damage: the sample guests, each in several containers, small enough to copy for every attempt."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from guestbuild.samples import cached, recipes
from tests.fuzz.mutate import Region, regions

MAX_SIZE = 24 << 20
CONTAINERS: dict[str, tuple[str, ...]] = {
    "qcow2": ("-O", "qcow2"),
    "packed.qcow2": ("-c", "-O", "qcow2"),
    "old.qcow2": ("-O", "qcow2", "-o", "compat=0.10,cluster_size=4096"),
    "l2.qcow2": ("-O", "qcow2", "-o", "extended_l2=on,cluster_size=128k"),
    "vmdk": ("-O", "vmdk"),
    "stream.vmdk": ("-O", "vmdk", "-o", "subformat=streamOptimized"),
    "vdi": ("-O", "vdi"),
    "vhdx": ("-O", "vhdx", "-o", "block_size=1048576"),
    "vhd": ("-O", "vpc"),
}


WITH_TABLES = {
    "snapshots.qcow2": ("qemu-img", "snapshot", "-c", "{name}", "{path}"),
    "bitmaps.qcow2": ("qemu-img", "bitmap", "--add", "{path}", "{name}"),
}
"""What makes the tables of a qcow2 that reading does not need, twice for each image."""


def containers(plain: Path, folder: Path) -> dict[str, bytes]:
    """The raw image ``plain`` in every container, and as qcow2 with internal snapshots and with dirty bitmaps."""
    made = {}
    shapes = CONTAINERS | dict.fromkeys(WITH_TABLES, ("-O", "qcow2", "-o", "cluster_size=4096"))
    for shape, options in shapes.items():
        path = folder / f"seed.{shape}"
        subprocess.run(["qemu-img", "convert", *options, str(plain), str(path)], check=True)
        for name in ("one", "two"):
            if command := WITH_TABLES.get(shape):
                subprocess.run([word.format(name=name, path=path) for word in command], check=True)
        made[shape] = path.read_bytes()
    return made


@dataclass(frozen=True)
class Seed:
    """An undamaged disk. ``others`` are the further disks of its guest, which stay as they are."""

    name: str
    data: bytes
    known: dict[str, list[Region]]
    others: tuple[Path, ...]


def seeds(folder: Path, guests: int = 100, containers: int = 3) -> Iterator[Seed]:
    """The first ``guests`` sample guests, each in ``containers`` of CONTAINERS, so that all of these come up in turn."""
    names = list(CONTAINERS)
    for number, guest in enumerate(list(recipes())[:guests]):
        first, *others = cached(guest)
        for offset in range(containers):
            shape = names[(number * containers + offset) % len(names)]
            path = folder / f"{guest}.{shape}"
            if not path.exists():
                subprocess.run(["qemu-img", "convert", *CONTAINERS[shape], str(first), str(path)], check=True)
            if path.stat().st_size <= MAX_SIZE:
                data = path.read_bytes()
                yield Seed(path.name, data, regions(data), tuple(others))
