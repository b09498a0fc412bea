"""What the command line names inside the filesystem of the root: a subvolume, a deployment."""

from __future__ import annotations

from collections.abc import Iterator

from v2vlint.facts.boot.cmdline import last_arg
from v2vlint.facts.boot.start import DefaultBoot
from v2vlint.guest.fs import GuestFS
from v2vlint.guest.whole import has_subvolume
from v2vlint.model.blocks import BlockTable
from v2vlint.model.verdict import Cause


def subvolume(boot: DefaultBoot, fs: GuestFS, blocks: BlockTable) -> Iterator[Cause[None]]:
    """The btrfs subvolume that the command line mounts as root: an entry may still name a snapshot that was deleted."""
    flags = last_arg(boot.choice.args, "rootflags")
    options = dict(part.partition("=")[::2] for part in (flags.value or "").split(",")) if flags else {}
    path, number = options.get("subvol", ""), options.get("subvolid", "")
    root = boot.choice.entry.root if boot.choice.entry else None
    device = blocks.resolve(root.value) if root and root.value else None
    system = fs.mounts["/"]
    if flags is None or not (path or number) or device is None or not device.uuid or device.uuid != system.uuid:
        return
    if has_subvolume(system, path, number) is False:
        what = f"subvol={path}" if path else f"subvolid={number}"
        yield boot.fault(f"rootflags={what} names a subvolume that {device.name} does not have", flags.where, None)


def deployment(boot: DefaultBoot, fs: GuestFS) -> Iterator[Cause[None]]:
    """The deployment that ``ostree=`` names: the initramfs goes there, and to no other (ostree's ``ostree-prepare-root.c``)."""
    wanted, path = last_arg(boot.choice.args, "ostree"), boot.path
    image = path.image if path else None
    if (
        not wanted
        or not (wanted.value or "").startswith("/")
        or image is None
        or not any(name.endswith("/ostree-prepare-root") for name in image.files)
    ):
        return
    system = fs.mounts.get("/sysroot")
    if system is not None and not GuestFS({"/": system}).exists(wanted.value or ""):
        yield boot.fault(f"ostree={wanted.value} names a deployment that is not there", wanted.where, None)
