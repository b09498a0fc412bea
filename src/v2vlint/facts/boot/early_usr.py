"""The /usr that ``mount.usr=`` names: systemd-fstab-generator(8) in an initramfs has it mounted before the root is entered.

``add_sysroot_usr_mount`` of src/fstab-generator/fstab-generator.c; initrd-usr-fs.target requires the mount, so that boot waits for it.
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
