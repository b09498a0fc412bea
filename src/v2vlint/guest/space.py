"""How much space a filesystem has: what it counts itself, else what its superblock says."""

from __future__ import annotations

from collections.abc import Callable

from v2vlint.disk.filesystems.node import Counting, CountingInodes, FileSystem, Limiting
from v2vlint.model.blocks import BlockDevice


def free_bytes(system: FileSystem | None, device: BlockDevice | None) -> int:
    """What statfs(2) calls free; -1 when that is unknown."""
    return _counted(system.free if isinstance(system, Counting) else None, device, "free")


def writable_bytes(system: FileSystem | None, device: BlockDevice | None) -> int:
    """What can be written by root; -1 when that is unknown."""
    return _counted(
        system.available if isinstance(system, Limiting) else system.free if isinstance(system, Counting) else None, device, "free"
    )


def free_inodes(system: FileSystem | None, device: BlockDevice | None) -> int:
    """How many files can be created; -1 when that is unknown or there is no limit."""
    return _counted(system.free_inodes if isinstance(system, CountingInodes) else None, device, "free_inodes")


def _counted(count: Callable[[], int] | None, device: BlockDevice | None, detail: str) -> int:
    try:
        if count is not None:
            return count()
    except MemoryError:
        raise
    except Exception:
        # Damaged bytes: what the superblock says is the better guess.
        pass
    stated = device.detail(detail) if device else ""
    return int(stated) if stated.isdecimal() else -1
