"""Recognise an initramfs generator by what it leaves in its images."""

from __future__ import annotations

from collections.abc import Mapping

_MARKS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("initramfs-tools", ("conf/initramfs.conf", "scripts/functions")),
    ("booster", ("etc/booster.init.yaml",)),
    ("dracut", ("usr/lib/dracut/modules.txt",)),
    ("dracut", ("lib/dracut/modules.txt",)),
    ("dracut", ("usr/lib/dracut-lib.sh",)),
    ("dracut", ("lib/dracut-lib.sh",)),
    ("dracut", ("usr/bin/dracut-util",)),
    # With dracut's modules for such images, its other marks are inside of them.
    ("dracut", ("squash-root.img",)),
    ("dracut", ("squashfs-root.img",)),
    ("dracut", ("erofs-root.img",)),
    ("mkinitcpio", ("buildconfig",)),
    ("mkinitcpio", ("init_functions", "config")),
    ("suse-mkinitrd", ("run_all.sh",)),
    ("suse-mkinitrd", ("mkinitrd.config",)),
    ("mkinitrd", ("bin/nash",)),
    ("mkinitrd", ("sbin/nash",)),
    ("genkernel", ("etc/initrd.defaults",)),
    ("make-initrd", ("etc/initrd/cmdline.d",)),
    ("make-initrd", ("etc/rc.d/init.d/uevent",)),
    ("mkinitfs", ("etc/mkinitfs/features.d",)),
)


def generator_of(files: frozenset[str], contents: Mapping[str, bytes]) -> str:
    """The generator's name, as in :class:`~v2vlint.facts.initramfs.content.Initramfs`, or an empty string."""
    for name, marks in _MARKS:
        if all(mark in files for mark in marks):
            return name
    init = contents.get("init", b"")
    if b"nlplug-findfs" in init or b"ALPINE_MNT" in init or b"mkinitfs" in init:
        return "mkinitfs"
    # Red Hat's shell for such scripts, in the first line.
    if b"nash" in init[:64]:
        return "mkinitrd"
    return "systemd" if "etc/initrd-release" in files else ""
