"""The /usr that an initramfs mounts before the root is entered.

``mount.usr=``: systemd-fstab-generator(8), ``add_sysroot_usr_mount`` of src/fstab-generator/fstab-generator.c; initrd-usr-fs.target
requires the mount, so that boot waits for it. The line of the root's fstab: ``mountfs /usr`` in initramfs-tools' ``init`` (0.117),
and dracut's ``98usrmount`` where systemd is not in the image. Without the device both open a shell, ``nofail`` and ``noauto`` or not.
"""

from __future__ import annotations

from v2vlint.facts.boot.cmdline import KernelArg
from v2vlint.facts.initramfs.content import Initramfs

GENERATORS = tuple(f"{top}lib/systemd/system-generators/systemd-fstab-generator" for top in ("usr/", ""))
_OTHERS = ("", "gpt-auto", "/dev/nfs")
"""Handled by other parts of an initramfs, or by nothing."""


def early_usr(args: tuple[KernelArg, ...], image: Initramfs | None) -> KernelArg | None:
    """The argument that names the device, if the initramfs has the generator. The last one with a value counts."""
    found = next((arg for arg in reversed(args) if arg.name == "mount.usr" and arg.value is not None), None)
    runs = image is not None and any(path in image.files for path in GENERATORS)
    return found if found is not None and runs and found.value not in _OTHERS else None


def mounts_usr(image: Initramfs | None) -> bool:
    """Whether the initramfs mounts the first /usr of the root's fstab, whatever its options."""
    if image is None:
        return False
    if image.generator == "initramfs-tools":
        return "\nmountfs /usr" in (image.text("init") or "").replace("\t", "")
    return any(path.endswith("lib/dracut/hooks/pre-pivot/50-mount-usr.sh") for path in image.files)
