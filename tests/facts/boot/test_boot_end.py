"""Where the guest is told to go: what is no login, and what only looks like it."""

from __future__ import annotations

import pytest

from tests.facts.guests import Files, fact
from v2vlint.facts.boot.boot_end import BootEnd
from v2vlint.model.rule import Link

SYSTEMD: Files = {"/sbin/init": Link("/lib/systemd/systemd"), "/lib/systemd/systemd": "", "/bin/sh": "", "/bin/bash": ""}
SYSV: Files = {"/sbin/init": b"\x7fELF....\0/etc/inittab\0", "/bin/sh": ""}
UNITS: Files = {f"/usr/lib/systemd/system/{name}.target": "[Unit]\n" for name in ("multi-user", "rescue", "emergency", "poweroff")}
ETC = "/etc/systemd/system"


def menu(*lines: str) -> Files:
    entries = "".join(f"menuentry a{number} {{\n linux /vmlinuz root=/dev/sda1 {line}\n}}\n" for number, line in enumerate(lines))
    return {"/boot/grub/grub.cfg": entries}


@pytest.mark.parametrize(
    ("files", "shell"),
    [
        ({**SYSTEMD, **menu("init=/bin/bash")}, True),
        ({**SYSTEMD, **menu("init=/bin/zsh")}, False),  # not there: the initramfs and systemd fall back to /sbin/init
        ({**SYSTEMD, **menu("init=/lib/systemd/systemd")}, False),
        ({**SYSTEMD, **menu("quiet", "init=/bin/bash")}, False),  # not the default entry
        (SYSTEMD, False),
        ({"/bin/sh": Link("dash"), "/bin/dash": ""}, True),
        ({"/bin/sh": "", "/sbin/init": Link("/lib/systemd/systemd")}, True),
        ({"/bin/sh": "", "/etc/init": ""}, False),
        ({"/bin/sh": Link("busybox"), "/bin/busybox": "", "/sbin/init": Link("/bin/busybox")}, False),
        ({"/etc/hostname": "x"}, False),
    ],
)
def test_shells_in_place_of_an_init(files: Files, shell: bool) -> None:
    assert bool(fact(BootEnd, files).shell) is shell


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({**UNITS, f"{ETC}/default.target": Link("/lib/systemd/system/multi-user.target")}, ""),
        ({**UNITS, f"{ETC}/default.target": Link("/lib/systemd/system/poweroff.target")}, "turns the machine off"),
        ({**UNITS, f"{ETC}/default.target": Link("/lib/systemd/system/none.target")}, "rescue.target, which ends in a shell"),
        ({**UNITS, **menu("systemd.unit=emergency.target")}, "emergency.target, which ends in an emergency shell"),
        ({**UNITS, f"{ETC}/default.target": Link("/lib/systemd/system/rescue.target"), **menu("3")}, ""),
        ({f"{ETC}/default.target": Link("/lib/systemd/system/none.target")}, ""),  # nothing is known of the vendor's units
        ({**UNITS, f"{ETC}/default.target": Link("/lib/systemd/system/multi-user.target"), **menu("S")}, "rescue.target"),
    ],
)
def test_systemd(files: Files, words: str) -> None:
    found = fact(BootEnd, {**SYSTEMD, **files}).maintenance
    assert words in found
    assert bool(found) is bool(words)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"/etc/inittab": "# id:1:initdefault:\nid:3:initdefault:\n"}, ""),
        ({"/etc/inittab": "id:S:initdefault:\n"}, "level S"),
        ({"/etc/inittab": "id:6:initdefault:\n"}, "restarts the machine again and again"),
        ({"/etc/inittab": "id:1:initdefault:\n", **menu("3")}, ""),
        ({"/etc/inittab": "id:3:initdefault:\n", **menu("single")}, "a single user"),
        ({}, ""),
    ],
)
def test_levels(files: Files, words: str) -> None:
    found = fact(BootEnd, {**SYSV, **files}).maintenance
    assert words in found
    assert bool(found) is bool(words)
