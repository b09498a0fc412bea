"""The /usr that an initramfs mounts before the root is entered.

``mount.usr=``: systemd-fstab-generator(8), ``add_sysroot_usr_mount`` of src/fstab-generator/fstab-generator.c; initrd-usr-fs.target
requires the mount, so that boot waits for it. The line of the root's fstab: ``mountfs /usr`` in initramfs-tools' ``init`` (0.117),
and dracut's ``98usrmount`` where systemd is not in the image. Without the device the first waits and opens a shell, ``nofail`` and
``noauto`` or not. dracut does not wait: up to 020 it goes on, since 021 it opens a shell, unless 028 to 043 were told not to (028 to 031
by ``rd.action_on_fail=continue``, later by a file in the image).
"""

from __future__ import annotations

import re

from v2vlint.facts.boot.cmdline import KernelArg
from v2vlint.facts.initramfs.content import Initramfs

GENERATORS = tuple(f"{top}lib/systemd/system-generators/systemd-fstab-generator" for top in ("usr/", ""))
_OTHERS = ("", "gpt-auto", "/dev/nfs")
"""Handled by other parts of an initramfs, or by nothing."""
_IF_LOST, _CALL = 'if ! ismounted "$NEWROOT/usr"', re.compile(r"^[ \t]*(emergency_shell|action_on_fail)\b", re.MULTILINE)


def early_usr(args: tuple[KernelArg, ...], image: Initramfs | None) -> KernelArg | None:
    """The argument that names the device, if the initramfs has the generator. The last one with a value counts."""
    found = next((arg for arg in reversed(args) if arg.name == "mount.usr" and arg.value is not None), None)
    runs = image is not None and any(path in image.files for path in GENERATORS)
    return found if found is not None and runs and found.value not in _OTHERS else None


def without_usr(image: Initramfs | None, args: tuple[KernelArg, ...]) -> str:
    """What the initramfs does without the first /usr of the root's fstab, whatever its options; empty where it goes on, or mounts none."""
    if image is None:
        return ""
    if image.generator == "initramfs-tools":
        mounts = "\nmountfs /usr" in (image.text("init") or "").replace("\t", "")
        return "waits 30 s for it, then stops in a shell" if mounts else ""
    hook = next((path for path in image.files if path.endswith("lib/dracut/hooks/pre-pivot/50-mount-usr.sh")), "")
    call = _CALL.search((image.text(hook) or "").partition(_IF_LOST)[2])
    told = any(str(arg).removeprefix("rd.") == "action_on_fail=continue" for arg in args)
    goes_on = told or any(path.endswith("lib/dracut/no-emergency-shell") for path in image.files)
    return "stops in a shell" if call is not None and not (call[1] == "action_on_fail" and goes_on) else ""
