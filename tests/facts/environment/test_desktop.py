"""Whether a desktop starts, and whether it can only be Wayland's."""

from __future__ import annotations

import pytest

from tests.verdicts.asking import store
from v2vlint.engine.run import run_rule
from v2vlint.facts.environment.desktop import Desktop
from v2vlint.model.rule import Content, Link
from v2vlint_checks.display.display_without_driver import DisplayWithoutDriver

Files = dict[str, Content]
UNITS, VENDOR = "/etc/systemd/system", "/usr/lib/systemd/system"
SERVICE = "[Service]\nExecStart=/usr/bin/x\n"


def goal(name: str) -> Files:
    return {f"{UNITS}/default.target": Link(f"{VENDOR}/{name}")}


def wanted(by: str, unit: str) -> Files:
    return {f"{UNITS}/{by}.wants/{unit}": Link(f"{VENDOR}/{unit}")}


BARE: Files = {"/sbin/init": Link("/lib/systemd/systemd"), "/lib/systemd/systemd": ""}
SYSTEMD: Files = {
    **BARE,
    f"{VENDOR}/default.target": Link("graphical.target"),
    f"{VENDOR}/graphical.target": "[Unit]\nRequires=multi-user.target\nWants=display-manager.service\n",
    f"{VENDOR}/multi-user.target": "[Unit]\nRequires=basic.target\n",
    f"{VENDOR}/basic.target": "[Unit]\n",
    f"{VENDOR}/rescue.target": "[Unit]\n",
    f"{VENDOR}/runlevel3.target": Link("multi-user.target"),
    f"{VENDOR}/runlevel5.target": Link("graphical.target"),
    f"{VENDOR}/greetd.service": SERVICE,
    f"{VENDOR}/cage@.service": SERVICE,
}
TEXT = goal("multi-user.target")
GREETD = SYSTEMD | wanted("graphical.target", "greetd.service")
KIOSK = GREETD | {f"{UNITS}/multi-user.target.wants/cage@tty1.service": Link(f"{VENDOR}/cage@.service")}
ALIAS = SYSTEMD | {f"{UNITS}/display-manager.service": Link(f"{VENDOR}/greetd.service")}
SYSV = SYSTEMD | {"/etc/init.d/kdm": "", "/etc/rc5.d/S99kdm": Link("../init.d/kdm")}
OPENRC: Files = {"/sbin/init": Link("/sbin/openrc-init"), "/sbin/openrc-init": "", "/etc/runlevels/default/display-manager": ""}


def plain(name: str, *lines: str) -> Files:
    return {f"{UNITS}/{name}": "\n".join(("[Unit]", *lines, ""))}


@pytest.mark.parametrize(
    ("files", "starts"),
    [
        (GREETD, True),
        (GREETD | TEXT, False),
        (GREETD | goal("runlevel3.target"), False),
        (GREETD | TEXT | goal("runlevel5.target"), True),
        (GREETD | goal("a.target") | {f"{VENDOR}/a.target": Link("runlevel5.target")}, True),
        (SYSTEMD | {f"{UNITS}/display-manager.service": Link(f"{VENDOR}/gdm.service")}, False),
        (ALIAS, True),
        (ALIAS | TEXT, False),
        (ALIAS | TEXT | wanted("multi-user.target", "display-manager.service"), True),
        (GREETD | TEXT | wanted("multi-user.target", "graphical.target"), True),
        (GREETD | TEXT | {f"{VENDOR}/multi-user.target.upholds/graphical.target": Link("../graphical.target")}, True),
        (KIOSK | TEXT, True),
        (KIOSK | goal("rescue.target"), False),
        (GREETD | plain("default.target", "Requires=basic.target"), False),
        (GREETD | plain("default.target", "Requires=graphical.target"), True),
        (ALIAS | plain("kiosk.target", "Requires=multi-user.target") | {f"{UNITS}/default.target": Link("kiosk.target")}, False),
        (SYSTEMD | wanted("default.target", "greetd.service"), True),
        (SYSTEMD, False),
        (SYSTEMD | {f"{VENDOR}/display-manager.service": SERVICE}, True),
        (SYSTEMD | {f"{UNITS}/graphical.target.wants/gdm.service": Link(f"{VENDOR}/gdm.service")}, False),
        (SYSTEMD | {f"{UNITS}/graphical.target.wants/greetd.service": "[Unit]\n"}, False),
        (SYSV, True),
        (SYSV | TEXT, False),
        (SYSV | TEXT | {"/etc/rc2.d/S99kdm": Link("../init.d/kdm")}, True),
        (SYSV | {f"{UNITS}/kdm.service": Link("/dev/null")}, False),
        (GREETD | goal("gone.target"), False),
        (BARE | {f"{VENDOR}/greetd.service": SERVICE}, None),
        (BARE | {f"{VENDOR}/greetd.service": SERVICE} | goal("graphical.target"), True),
        (BARE, False),
        (OPENRC, True),
        (GREETD | {f"{UNITS}/greetd.service": Link("/dev/null")}, False),
        ({}, None),
    ],
)
def test_what_the_target_of_the_boot_reaches(files: Files, starts: bool | None) -> None:
    assert store(files).get(Desktop).starts is starts


def test_where_it_is_not_clear_the_rule_says_so() -> None:
    found = run_rule(DisplayWithoutDriver(), store(BARE | {f"{VENDOR}/greetd.service": SERVICE}))
    assert not found.findings
    assert [one.reason for one in found.unknowns] == ["whether the boot starts a display manager is not clear"]


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
