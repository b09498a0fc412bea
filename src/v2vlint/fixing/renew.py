"""Updates the copies, inside initramfs images, of files that a fix changes. Otherwise the guest would use the old copies until its next
rebuild.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping

from v2vlint.facts.initramfs.content import Initramfs
from v2vlint.facts.initramfs.images import Initramfses
from v2vlint.guest.fs import GuestFS
from v2vlint.model.errors import FactUnavailable

Changes = Mapping[str, tuple[str | None, str | None]]

_COPIED = (
    "/etc/initramfs-tools/",
    "/etc/lvm/",
    "/etc/modprobe.d/",
    "/etc/mdadm",
    "/etc/crypttab",
    "/etc/multipath",
    "/etc/systemd/network/",
)
# An appended segment can replace a file, but not remove one.
_VOID_WHEN_EMPTY = ("/etc/initramfs-tools/conf.d/", "/etc/modprobe.d/", "/etc/systemd/network/")
MAX_IMAGES = 64


def renewals(fs: GuestFS, images: Initramfses, changes: Changes) -> dict[str, dict[str, bytes]]:
    """New members, by image and member name, for every image in /boot that contains an exact copy of a changed file's old content.

    A deleted file is replaced by an empty one if that has the same meaning. An image that cannot be read is not changed.
    """
    wanted = {path: pair for path, pair in changes.items() if path.startswith(_COPIED) and pair[0] is not None}
    found: dict[str, dict[str, bytes]] = {}
    if not wanted:
        return found
    for path in _images(fs):
        image = _read(images, path)
        members = dict(_members(image, wanted)) if image else {}
        if members:
            found[path] = members
    return found


def _images(fs: GuestFS) -> list[str]:
    names = [name for name in fs.listdir("/boot") if name.startswith(("initrd", "initramfs"))]
    return [f"/boot/{name}" for name in sorted(names)[:MAX_IMAGES]]


def _read(images: Initramfses, path: str) -> Initramfs | None:
    try:
        image = images.of(path)
    except FactUnavailable:
        return None
    return None if image is None or image.damage else image


def _members(image: Initramfs, changes: Changes) -> Iterator[tuple[str, bytes]]:
    for path, (before, after) in changes.items():
        name = f"conf/{path.removeprefix('/etc/initramfs-tools/')}" if path.startswith("/etc/initramfs-tools/") else path[1:]
        if before is None or image.contents.get(name) != before.encode("utf-8", "surrogateescape"):
            continue
        if after is not None or path.startswith(_VOID_WHEN_EMPTY):
            yield posixpath.normpath(name), (after or "").encode("utf-8", "surrogateescape")
