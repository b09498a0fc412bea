"""The two back-ends on the same work, and what the kernel and the filesystems' own checkers make of what each of them left."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.disk.images import need, open_paths, run
from v2vlint.disk.containers.formats import open_image
from v2vlint.disk.volumes.stack import Stack
from v2vlint.fixing import qemu
from v2vlint.fixing.orders import Orders
from v2vlint.fixing.work import Work
from v2vlint.isolate import DEFAULT_LIMITS
from v2vlint.model.source import DiskFile, GuestRef, ImageNode, Keys

_BLOCK = 1 << 20
SLACK = 3600 * 24
"""Seconds between two runs of a test, at most; times that are not kept are now."""


@dataclass(frozen=True)
class Entry:
    """A file as the kernel shows it."""

    mode: int
    owner: tuple[int, int]
    links: int
    content: str
    attributes: tuple[tuple[str, bytes], ...]
    mtime: float


def work(folder: Path, disks: tuple[Path, ...], orders: Orders, form: str = "raw") -> Work:
    """``orders`` for ``disks`` of a format, to be carried out in overlays in ``folder``."""
    nodes: dict[Path, ImageNode | None] = {}
    for number, disk in enumerate(disks):
        overlay = qemu.fresh(folder / f"overlay{number}.qcow2")
        node = nodes[overlay] = ImageNode(str(disk), form)
        qemu.create_overlay(overlay, qemu.virtual_size(node))
    guest = GuestRef("guest", "disks", tuple(map(str, nodes)), below=tuple((str(disk), form) for disk in disks))
    return Work(orders, nodes, guest, Keys(), DEFAULT_LIMITS)


def flat(asked: Work, folder: Path) -> tuple[Path, ...]:
    """The disks as they are after the work: the bases, rebased to raw files."""
    made = []
    for overlay, node in asked.disks.items():
        assert node is not None
        run("qemu-img", "check", "-q", overlay)
        output = folder / f"{overlay.stem}.raw"
        run("qemu-img", "rebase", "-q", "-u", "-F", node.format, "-b", node.path, overlay)
        run("qemu-img", "convert", "-O", "raw", overlay, output)
        made.append(output)
    return tuple(made)


def volumes(disks: tuple[Path, ...], folder: Path, form: str = "") -> dict[str, Path]:
    """Every filesystem of a guest in a file of its own, by device."""
    images = [open_image(DiskFile(str(disk), disk.name, format=form)) for disk in disks]
    stack, found = Stack(images, Keys()), {}
    for device in stack.filesystems():
        stream = stack.layers[device.name].stream
        assert stream is not None
        place = found[device.name] = folder / f"{device.name.replace('/', '-')}.{device.fs_type}"
        with place.open("wb") as output:
            output.truncate(stream.size)
            for offset in range(0, stream.size, _BLOCK):
                if any(data := stream.read_at(offset, min(_BLOCK, stream.size - offset))):
                    output.seek(offset)
                    output.write(data)
    return found


def check(volume: Path) -> None:
    """The checker of those who keep the filesystem finds nothing."""
    kind = volume.suffix[1:]
    if kind.startswith("ext"):
        run("e2fsck", "-fn", volume)
    elif kind == "vfat":
        run("fsck.vfat", "-n", volume)
    elif kind == "ntfs":
        run("ntfsfix", "-n", volume)


@contextmanager
def mounted(volume: Path, folder: Path) -> Iterator[Path]:
    """What the kernel (for NTFS ntfs-3g, for FAT mtools) shows of a volume. Skips without root."""
    if os.geteuid():
        pytest.skip("mounting needs root")
    need("mount")
    kind = volume.suffix[1:]
    if kind == "vfat":
        with tempfile.TemporaryDirectory() as copied:
            run("mcopy", "-i", volume, "-s", "-m", "-n", "::/", copied)
            marks = run("mattrib", "-i", volume, "-/", "-X", "::/")
            (Path(copied) / "attributes").write_text("\n".join(sorted(marks.splitlines())))
            yield Path(copied)
        return
    folder.mkdir(exist_ok=True)
    options = "ro,loop,noload" if kind in ("ext3", "ext4") else "ro,loop,nouuid,norecovery" if kind == "xfs" else "ro,loop"
    run("mount", "-t", "ntfs-3g" if kind == "ntfs" else kind, "-o", options, volume, folder)
    try:
        yield folder
    finally:
        run("umount", folder)


def entries(top: Path) -> dict[str, Entry]:
    """Every file and folder below ``top``."""
    return {str(path.relative_to(top)): _entry(path) for path in sorted(top.rglob("*"))}


def _entry(path: Path) -> Entry:
    found = path.lstat()
    content = ""
    if stat.S_ISREG(found.st_mode):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
    elif stat.S_ISLNK(found.st_mode):
        content = str(path.readlink())
    names = sorted(os.listxattr(path, follow_symlinks=False))
    shown = tuple((name, os.getxattr(path, name, follow_symlinks=False)) for name in names)
    return Entry(found.st_mode, (found.st_uid, found.st_gid), found.st_nlink, content, shown, found.st_mtime)


def differences(one: Mapping[str, Entry], other: Mapping[str, Entry]) -> list[str]:
    """What two trees differ in, in words. Modification times may differ when both are fresh."""
    found = [f"only one has {name}" for name in sorted(one.keys() ^ other.keys())]
    for name in sorted(one.keys() & other.keys()):
        left, right = one[name], other[name]
        fields = ("mode", "owner", "links", "content", "attributes")
        pairs = [(field, getattr(left, field), getattr(right, field)) for field in fields]
        found += [f"{name}: {field} {mine} and {theirs}" for field, mine, theirs in pairs if mine != theirs]
        if abs(left.mtime - right.mtime) > SLACK:
            found.append(f"{name}: mtime {left.mtime} and {right.mtime}")
    return found


def compare(one: tuple[Path, ...], other: tuple[Path, ...], folder: Path, form: str = "") -> int:
    """Fail unless two states of a guest have the same files, and pass the checks; the number of files."""
    left, right = folder / "left", folder / "right"
    left.mkdir()
    right.mkdir()
    first, second, count = volumes(one, left, form), volumes(other, right, form), 0
    wrong: list[str] = []
    assert first.keys() == second.keys()
    for name, volume in first.items():
        check(volume)
        check(second[name])
        with mounted(volume, folder / "a") as a, mounted(second[name], folder / "b") as b:
            found = entries(a)
            wrong += [f"{name}: {words}" for words in differences(found, entries(b))]
        count += len(found)
    if wrong:
        pytest.fail("\n".join(wrong[:40]))
    return count


__all__ = ["Entry", "check", "compare", "differences", "entries", "flat", "mounted", "open_paths", "volumes", "work"]
