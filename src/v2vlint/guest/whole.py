"""Filesystems as boot loaders see them: complete, even if the guest mounts only a subvolume or a folder."""

from __future__ import annotations

from v2vlint.disk.filesystems.node import FileSystem
from v2vlint.guest.subtree import SubTree
from v2vlint.model.errors import ImageError


def whole(system: FileSystem) -> tuple[FileSystem, str]:
    """The filesystem that ``system`` is part of, and the path of that part in it: empty when it is the whole.

    For readers that do not replay journals: everything that a boot loader reads is opened through this function.
    """
    if isinstance(system, SubTree):
        top, inner = whole(system.system)
        return top, f"{inner}{system.path}"
    if system.type != "btrfs":
        return system, ""
    from v2vlint.disk.filesystems.btrfs import TOP, BtrfsFileSystem

    if not isinstance(system, BtrfsFileSystem):
        return system, ""
    path = next((one.path for one in system.subvolumes if one.id == system.chosen), "")
    return system.choose(TOP), f"/{path}" if path else ""


def default_subvolume(system: FileSystem) -> str:
    """The path of the subvolume that a mount without options shows; empty for the top, and for other filesystems."""
    subvolumes = getattr(system, "subvolumes", ())
    path = next((str(one.path) for one in subvolumes if one.default), "")
    return f"/{path}" if path else ""


def has_subvolume(system: FileSystem, path: str, number: str = "") -> bool | None:
    """Whether ``-o subvol=PATH`` (or ``subvolid=NUMBER``) finds a subvolume; None when the filesystem has none, or they cannot be
    listed.
    """
    from v2vlint.disk.filesystems.btrfs import BtrfsFileSystem

    if not isinstance(system, BtrfsFileSystem):
        return None
    try:
        return any(one.path == path.strip("/") if path else str(one.id) == number for one in system.subvolumes)
    except ImageError:
        return None
