"""What the command line says of the filesystem of the root: its type, and what is inside, a subvolume or a deployment."""

from __future__ import annotations

from collections.abc import Iterator

from v2vlint.disk.filesystems.formats import same_format
from v2vlint.facts.boot.cmdline import last_arg
from v2vlint.facts.boot.early_usr import GENERATORS
from v2vlint.facts.boot.start import DefaultBoot
from v2vlint.guest.fs import GuestFS
from v2vlint.guest.whole import has_subvolume
from v2vlint.model.blocks import BlockTable
from v2vlint.model.finding import Fate
from v2vlint.model.verdict import Cause

_AS_TOLD = frozenset({"initramfs-tools", "mkinitcpio", "mkinitfs"})


def filesystem_type(boot: DefaultBoot, blocks: BlockTable) -> Iterator[Cause[None]]:
    """``rootfstype=`` with types that the root does not have: the kernel, systemd and most initramfs images mount it as told.

    dracut without systemd looks for itself (``det_fs`` of its rootfs-block module), and others may.
    """
    path = boot.path
    told = last_arg(path.early_args, "rootfstype") if path else None
    root = boot.choice.entry.root if boot.choice.entry else None
    device = blocks.resolve(root.value) if root and root.value else None
    types = [one for one in (told.value or "").split(",") if one] if told else []
    if told is None or path is None or device is None or not device.fs_type or device.problem or not types:
        return
    if any(one == "auto" or same_format(device.fs_type, one) for one in types):
        return
    image = path.image
    obeys = path.alone or (image is not None and (image.generator in _AS_TOLD or any(name in image.files for name in GENERATORS)))
    reason = f"rootfstype={told.value}, but {device.name} is {device.fs_type}"
    yield boot.fault(reason, told.where, None) if obeys else Cause(Fate.UNKNOWN, reason, told.where)


def subvolume(boot: DefaultBoot, fs: GuestFS, blocks: BlockTable) -> Iterator[Cause[None]]:
    """The btrfs subvolume that the command line mounts as root: an entry may still name a snapshot that was deleted."""
    flags = last_arg(boot.path.early_args if boot.path else boot.choice.args, "rootflags")
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
