"""Whether a desktop starts, and whether it can only be Wayland's."""

from __future__ import annotations

import pytest

from tests.verdicts.asking import store
from v2vlint.facts.environment.desktop import Desktop
from v2vlint.model.rule import Content, Link

Files = dict[str, Content]
UNITS = "/etc/systemd/system"
GREETD: Files = {
    "/sbin/init": Link("/lib/systemd/systemd"),
    "/lib/systemd/systemd": "",
    f"{UNITS}/graphical.target.wants/greetd.service": "",
}
KIOSK: Files = {**GREETD, f"{UNITS}/multi-user.target.wants/cage@tty1.service": ""}
ALIAS: Files = {**GREETD, f"{UNITS}/display-manager.service": Link("/lib/systemd/system/greetd.service")}
TEXT: Files = {
    f"{UNITS}/default.target": Link("/lib/systemd/system/multi-user.target"),
    "/lib/systemd/system/multi-user.target": "[Unit]\n",
}
SHELL: Files = {f"{UNITS}/default.target": Link("/lib/systemd/system/rescue.target"), "/lib/systemd/system/rescue.target": "[Unit]\n"}
OPENRC: Files = {"/sbin/init": Link("/sbin/openrc-init"), "/sbin/openrc-init": "", "/etc/runlevels/default/display-manager": ""}


@pytest.mark.parametrize(
    ("files", "starts"),
    [
        (GREETD, True),
        ({**GREETD, **TEXT}, False),
        ({**ALIAS, **TEXT}, False),
        ({**KIOSK, **TEXT}, True),
        ({**KIOSK, **SHELL}, False),
        (OPENRC, True),
        ({**GREETD, f"{UNITS}/greetd.service": Link("/dev/null")}, False),
        ({}, None),
    ],
)
def test_what_the_target_of_the_boot_reaches(files: Files, starts: bool | None) -> None:
    assert store(files).get(Desktop).starts is starts


@pytest.mark.parametrize(
    ("files", "only"),
    [
        ({"/usr/bin/sway": ""}, "/usr/bin/sway"),
        ({"/usr/share/wayland-sessions/plasma.desktop": ""}, "/usr/share/wayland-sessions"),
        ({"/usr/share/wayland-sessions/README": ""}, ""),
        ({"/usr/bin/sway": "", "/usr/bin/Xorg": ""}, ""),
        ({}, ""),
    ],
)
def test_wayland_only(files: Files, only: str) -> None:
    assert store({**GREETD, **files}).get(Desktop).wayland_only == only


def test_without_an_init_nothing_is_known_of_x() -> None:
    assert not store({"/usr/bin/sway": ""}).get(Desktop).wayland_only
