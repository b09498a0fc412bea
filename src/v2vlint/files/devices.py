"""What this host has mounted, and what uses its block devices, according to the kernel. For the parent, which can see /proc and /sys."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from v2vlint.model.dataclass import dataclass
from v2vlint.model.octal import unescaped

_MOUNTS = Path("/proc/self/mountinfo")
_BY_NUMBER = Path("/sys/dev/block")
_SWAPS = Path("/proc/swaps")


@dataclass(frozen=True, slots=True)
class HostMount:
    """A line of /proc/self/mountinfo: the device's number as ``MAJOR:MINOR``, where it is mounted, and the type of the filesystem."""

    number: str
    point: str
    type: str


def host_mounts() -> Iterator[HostMount]:
    """What is mounted, in the kernel's order: of several mounts at a place, the last one is visible. Empty when the kernel does not say."""
    for line in _text(_MOUNTS).split("\n"):
        # proc_pid_mountinfo(5): the number of optional fields varies, so a dash separates the type.
        before, _, after = line.partition(" - ")
        fields, rest = before.split(" "), after.split(" ")
        if len(fields) > 4:
            yield HostMount(fields[2], unescaped(fields[4]), rest[0])


def user_of_device(number: int) -> str:
    """What this host uses the block device ``number`` (``st_rdev``) for, in words: mounted, swap, a part of something; empty when it does
    not.
    """
    names = tuple(_with_partitions(f"{os.major(number)}:{os.minor(number)}"))
    for mount in host_mounts():
        if mount.number in names:
            return f"mounted at {mount.point} on this host"
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


def _listed(folder: Path) -> list[str]:
    try:
        return sorted(one.name for one in folder.iterdir())
    except OSError:
        return []


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "surrogateescape")
    except OSError:
        return ""
