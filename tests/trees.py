"""Folders with a distribution's files: unpacked once for all processes, and written to in an overlay that is forgotten."""

from __future__ import annotations

import contextlib
import fcntl
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Whoever makes ``path`` keeps others waiting."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f"{path.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def overlay(lower: Path) -> Iterator[Path]:
    """``lower`` to write in, for a while; what is written goes to memory."""
    with tempfile.TemporaryDirectory(prefix="v2vlint-overlay-", dir="/dev/shm") as name:
        upper, work, merged = (Path(name) / part for part in ("upper", "work", "merged"))
        for part in (upper, work, merged):
            part.mkdir()
        options = f"lowerdir={lower},upperdir={upper},workdir={work}"
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, merged], check=True)
        try:
            yield merged
        finally:
            subprocess.run(["umount", "-l", merged], check=True)


@contextlib.contextmanager
def mounted(image: Path, kind: str) -> Iterator[Path]:
    """The filesystem in a file, to write in."""
    with tempfile.TemporaryDirectory(prefix="v2vlint-mount-") as name:
        subprocess.run(["mount", "-t", kind, "-o", "loop", image, name], check=True)
        try:
            yield Path(name)
        finally:
            subprocess.run(["umount", name], check=True)
