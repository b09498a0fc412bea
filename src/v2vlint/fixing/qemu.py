"""What fixing needs of qemu-img and qemu-io. Formats are always given, never probed: probing reads what the guest wrote."""

from __future__ import annotations

import ctypes
import json
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from v2vlint import programs
from v2vlint.model.errors import ImageError, UsageError

DRIVERS = {"raw": "raw", "qcow2": "qcow2", "vmdk": "vmdk", "vhd": "vpc", "vhdx": "vhdx", "vdi": "vdi"}
LOCK_PATIENCE = 2.0
_LOCKED = ('Failed to get "write" lock', "Failed to get shared")


class ImageLocked(ImageError):
    """Another program (a running guest, a second v2vlint) has the image open for writing."""


@dataclass(frozen=True, slots=True, order=True)
class Extent:
    """``length`` bytes of a virtual disk from ``start``."""

    start: int
    length: int

    @property
    def end(self) -> int:
        """The first byte behind it."""
        return self.start + self.length


def die_with_parent() -> None:
    """For ``preexec_fn``: have the kernel kill this child when its parent dies (prctl(2), PR_SET_PDEATHSIG)."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def run(*command: str | Path, timeout: float = 3600) -> str:
    """Standard output of a QEMU tool. ImageLocked or ImageError with its own words when it fails, UsageError when it is absent."""
    tool = str(command[0])
    program = programs.find(tool)
    if program is None:
        raise UsageError(f"{tool} is not installed", hint="apt install qemu-utils")
    done = subprocess.run(
        [program, *map(str, command[1:])],
        capture_output=True,
        text=True,
        errors="replace",
        stdin=subprocess.DEVNULL,
        timeout=timeout,
        preexec_fn=die_with_parent,
        env=programs.environment(),
    )
    if done.returncode:
        words = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        kind = ImageLocked if any(mark in done.stderr for mark in _LOCKED) else ImageError
        hint = "shut the guest down first" if kind is ImageLocked else ""
        raise kind(f"{tool} {command[1]}: {words[0]}", hint=hint)
    return done.stdout


def run_patiently(*command: str | Path) -> str:
    """Like :func:`run`, but a taken lock is waited for: a QEMU tool that was just killed may hold it a moment longer."""
    deadline = time.monotonic() + LOCK_PATIENCE
    while True:
        try:
            return run(*command)
        except ImageLocked:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def probe_lock(image: Path, driver: str) -> None:
    """Open the image for writing and close it again, which takes QEMU's image lock; ImageLocked when somebody holds it."""
    run("qemu-io", "-f", driver, "-c", "quit", image)


def create_overlay(overlay: Path, image: Path, driver: str) -> None:
    """An empty qcow2 overlay on ``image`` in the same folder, so that the pair can be moved together."""
    run("qemu-img", "create", "-q", "-f", "qcow2", "-F", driver, "-b", image.name, overlay)


def extents(overlay: Path) -> tuple[Extent, ...]:
    """The extents that the overlay itself holds, in order."""
    items = json.loads(run("qemu-img", "map", "--output=json", "-f", "qcow2", "-U", overlay))
    held = [Extent(i["start"], i["length"]) for i in items if i["depth"] == 0 and (i["present"] or i["zero"])]
    merged: list[Extent] = []
    for extent in held:
        if merged and merged[-1].end == extent.start:
            extent = Extent(merged[-1].start, merged.pop().length + extent.length)
        merged.append(extent)
    return tuple(merged)


def subtract(wanted: tuple[Extent, ...], held: tuple[Extent, ...]) -> Iterator[Extent]:
    """The parts of ``wanted`` that ``held`` does not cover. Both are sorted and free of overlaps."""
    for extent in wanted:
        start = extent.start
        for other in held:
            if other.end <= start or other.start >= extent.end:
                continue
            if other.start > start:
                yield Extent(start, other.start - start)
            start = max(start, other.end)
        if start < extent.end:
            yield Extent(start, extent.end - start)


def copy_extent(extent: Extent, source: Path, driver: str, overlay: Path) -> None:
    """Copy an extent of the virtual disk ``source`` into the qcow2 ``overlay``, zeroes included."""
    window = f"driver=raw,offset={extent.start},size={extent.length}"
    run(
        "qemu-img", "convert", "-n", "-S", "0", "-U",
        "--image-opts", f"{window},file.driver={driver},file.file.driver=file,file.file.filename={_escape(source)}",
        "--target-image-opts", f"{window},file.driver=qcow2,file.file.driver=file,file.file.filename={_escape(overlay)}",
    )  # fmt: skip


def _escape(path: Path) -> str:
    return str(path).replace(",", ",,")


def commit(overlay: Path) -> None:
    """Write the overlay's content into its backing image and keep the overlay, so that the commit can be repeated."""
    run_patiently("qemu-img", "commit", "-q", "-d", "-f", "qcow2", overlay)


def repair_leaks(image: Path, driver: str) -> None:
    """Free clusters that an interrupted write leaked. Only qcow2 needs it."""
    if driver == "qcow2":
        run_patiently("qemu-img", "check", "-q", "-f", driver, "-r", "leaks", image)


def convert(source: Path, output: Path, driver: str) -> None:
    """Write a new image with the content of the qcow2 ``source``."""
    run("qemu-img", "convert", "-f", "qcow2", "-O", driver, source, output)


def copy_image(source: Path, driver: str, output: Path) -> None:
    """A qcow2 copy of ``source``, independent of it."""
    run("qemu-img", "convert", "-U", "-f", driver, "-O", "qcow2", source, output)


def snapshot(overlay: Path, copy: Path) -> None:
    """A copy of a small overlay, sharing blocks where the host's filesystem can."""
    run("cp", "--reflink=auto", "--sparse=always", overlay, copy)
