"""Which program is process 1."""

from __future__ import annotations

import pytest

from tests.facts.guests import Files, fact
from v2vlint.facts.boot.init import Init
from v2vlint.facts.storage.mount_policy import MountPolicy
from v2vlint.model.rule import Link

SYSTEMD: Files = {"/usr/lib/systemd/systemd": ""}
SYSV = b"\x7fELF....\0/etc/inittab\0"
MENU = "menuentry a {\n linux /vmlinuz root=/dev/sda1 init=%s\n}\n"


@pytest.mark.parametrize(
    ("files", "name"),
    [
        ({"/sbin/init": Link("/lib/systemd/systemd"), "/lib/systemd/systemd": ""}, "systemd"),
        ({**SYSTEMD, "/sbin/init": SYSV}, "sysv"),
        ({**SYSTEMD, "/sbin/init": Link("/lib/runit/runit-init"), "/lib/runit/runit-init": ""}, "runit"),
        ({**SYSTEMD, "/sbin/init": Link("/sbin/openrc-init"), "/sbin/openrc-init": ""}, "openrc"),
        ({"/sbin/init": SYSV, "/etc/inittab": "si::sysinit:/sbin/openrc sysinit\n"}, "openrc"),
        ({"/sbin/init": SYSV, "/etc/inittab": "# si::sysinit:/sbin/openrc sysinit\n"}, "sysv"),
        ({"/sbin/init": Link("/bin/busybox"), "/bin/busybox": "", "/etc/inittab": "::sysinit:/sbin/openrc sysinit\n"}, "openrc"),
        ({"/sbin/init": Link("/bin/busybox"), "/bin/busybox": ""}, "busybox"),
        ({"/sbin/init": b"\x7fELF upstart /etc/inittab"}, "upstart"),
        ({"/sbin/init": "#!/bin/sh\nexec s6-linux-init -c /etc/s6\n"}, "s6"),
        ({**SYSTEMD, "/sbin/init": SYSV, "/boot/grub/grub.cfg": MENU % "/usr/lib/systemd/systemd"}, "systemd"),
        (
            {**SYSTEMD, "/boot/grub/grub.cfg": MENU % "/nix/store/a/init", "/nix/store/a/init": "#!/x\nexec /y/lib/systemd/systemd\n"},
            "systemd",
        ),
        ({"/sbin/init": SYSV, "/boot/grub/grub.cfg": MENU % "/gone"}, "sysv"),
        (SYSTEMD, "systemd"),
        ({"/etc/inittab": ""}, "sysv"),
        ({}, ""),
    ],
)
def test_init(files: Files, name: str) -> None:
    assert fact(Init, files).name == name


@pytest.mark.parametrize(
    ("files", "style"),
    [
        ({"/etc/runit/core-services/03-filesystems.sh": ""}, "runit"),
        ({"/etc/rcS.d/S10checkfs.sh": Link("../init.d/checkfs.sh")}, "sysv"),
        ({"/etc/runlevels/sysinit/checkfs.sh": Link("/etc/init.d/checkfs.sh")}, "unknown"),
        ({}, "unknown"),
    ],
)
def test_scripts_that_mount(files: Files, style: str) -> None:
    """Debian's runit runs the scripts of rcS.d, Void's its own; what another one runs is not known."""
    runit: Files = {"/sbin/init": Link("/lib/runit/runit-init"), "/lib/runit/runit-init": ""}
    assert fact(MountPolicy, {**runit, **files}).style == style
