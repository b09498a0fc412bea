"""A root filesystem that is not on a disk: its root, with nothing known about the disks it will be put on."""

from __future__ import annotations

import hashlib

from v2vlint.disk.filesystems.ahead import AheadFileSystem
from v2vlint.disk.filesystems.archive import ArchiveFileSystem
from v2vlint.disk.filesystems.folder import FolderFileSystem
from v2vlint.disk.filesystems.node import FileSystem
from v2vlint.disk.filesystems.remote import RemoteFileSystem
from v2vlint.disk.stream import HostFile
from v2vlint.files import access
from v2vlint.files.urls import is_url
from v2vlint.guest.fs import GuestFS
from v2vlint.guest.osprobe import linux_info
from v2vlint.guest.roots import Root, kind_of
from v2vlint.model.errors import ImageError
from v2vlint.model.source import RootTree

DEVICE = "tree"
"""What reports call the device of such a root."""
_STEP = 1 << 20


def open_tree(tree: RootTree) -> tuple[FileSystem, tuple[HostFile, ...]]:
    """The filesystem and the files that it is read from. ImageError when it cannot be opened."""
    if is_url(tree.folder):
        return _sent_ahead(RemoteFileSystem(tree.folder, access())), ()
    if tree.folder:
        return FolderFileSystem(tree.folder), ()
    files = tuple(HostFile(one.path, one.offset, one.length, access(None, one.path)) for one in tree.archives)
    system = ArchiveFileSystem(layers=tree.layers)
    for one, file in zip(tree.archives, files, strict=True):
        if one.digest and not _has_digest(file, one.digest):
            raise ImageError(f"{one.name}: its content is not that of its digest", hint="copy the image again")
        system.add(one.name, file)
    return system, files


def _has_digest(file: HostFile, digest: str) -> bool:
    algorithm, _, known = digest.partition(":")
    found = hashlib.new(algorithm)
    for start in range(0, file.size, _STEP):
        found.update(file.read_at(start, min(_STEP, file.size - start)))
    return found.hexdigest() == known


def _sent_ahead(far: RemoteFileSystem) -> FileSystem:
    """The tree of another machine, with an archive of the files that rules always read, if the machine can create one."""
    try:
        return AheadFileSystem(far, far.open("", "+ahead"))
    except ImageError:
        return far


def root_of(system: FileSystem) -> Root:
    """The system in a tree. ImageError when no known system is found."""
    kind = kind_of(system)
    if kind != "linux":
        found = {"ostree": "an ostree repository", "windows": "Windows"}.get(kind, "")
        reason = f"holds {found}, of which no tree is read" if found else "no operating system found: no Linux root filesystem"
        raise ImageError(reason, hint="give the disk image that is made of it" if found else "give the folder that becomes /")
    fs = GuestFS({"/": system})
    return Root(DEVICE, fs, linux_info(fs))
