"""Who uses a block device of this host at the moment, as far as the kernel tells: asked by the parent, who sees /proc and /sys."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

_MOUNTS = Path("/proc/self/mountinfo")
_BY_NUMBER = Path("/sys/dev/block")
_SWAPS = Path("/proc/swaps")


def user_of_device(number: int) -> str:
    """What the block device ``number`` (``st_rdev``) is to this host, in words: mounted, swap, a part of something; else empty."""
    names = tuple(_with_partitions(f"{os.major(number)}:{os.minor(number)}"))
    for where, point in _mounts():
        if where in names:
            return f"mounted at {point} on this host"
    for name in names:
        if holders := _listed(_BY_NUMBER / name / "holders"):
            return f"this host has it open as a part of {', '.join(holders[:4])}"
    swaps = {line.split()[0].rpartition("/")[2] for line in _text(_SWAPS).splitlines()[1:] if line}
    if swaps & {os.path.basename(os.path.realpath(_BY_NUMBER / name)) for name in names}:  # noqa: PTH119
        return "swap of this host"
    return ""


def _with_partitions(name: str) -> Iterator[str]:
    yield name
    for child in _listed(_BY_NUMBER / name):
        if (_BY_NUMBER / name / child / "partition").exists():
            yield _text(_BY_NUMBER / name / child / "dev").strip()


def _mounts() -> Iterator[tuple[str, str]]:
    for line in _text(_MOUNTS).splitlines():
        fields = line.split()
        if len(fields) > 4:
            yield fields[2], fields[4]


def _listed(folder: Path) -> list[str]:
    try:
        return sorted(one.name for one in folder.iterdir())
    except OSError:
        return []


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""
