"""Whether the guest starts a desktop, and whether nothing but Wayland can show it."""

from __future__ import annotations

import re

from v2vlint.facts.environment.services import Services
from v2vlint.facts.environment.xorg import Xorg
from v2vlint.facts.registry import provides
from v2vlint.facts.systemd.goal import BootGoal
from v2vlint.facts.systemd.pulled import pulled_in
from v2vlint.facts.systemd.unit_files import UnitFiles
from v2vlint.guest.fs import GuestFS
from v2vlint.model.dataclass import dataclass

_MANAGERS = (
    "display-manager", "gdm", "gdm3", "lightdm", "sddm", "kdm", "lxdm", "xdm", "greetd", "slim", "ly", "cosmic-greeter", "plasmalogin",
    "weston", "cage", "cage@tty1", "phosh",
)  # fmt: skip
_COMPOSITORS = (
    "gnome-shell", "kwin_wayland", "weston", "sway", "cage", "labwc", "wayfire", "Hyprland", "niri", "river", "cosmic-comp", "phoc",
    "miriway",
)  # fmt: skip
_SESSIONS = "/usr/share/wayland-sessions"
_DEFAULT, _GRAPHICAL = "default.target", "graphical.target"
_LEVEL = re.compile(r"/rc([2345])\.d/S")


@dataclass(frozen=True, slots=True)
class Desktop:
    """``starts`` says whether the default boot starts a display manager, or a compositor as a service; None when unclear.

    ``wayland_only`` is the compositor or the folder of sessions of a guest without an X server; empty when X is there, or neither is.
    """

    starts: bool | None = None
    wayland_only: str = ""


@provides
def find_desktop(fs: GuestFS, services: Services, xorg: Xorg, goal: BootGoal, units: UnitFiles) -> Desktop:
    """From the services that the target of the boot reaches."""
    starts = _reached(fs, services, goal, units) if services.init == "systemd" else services.starts(*_MANAGERS)
    programs = [f"/usr/bin/{name}" for name in _COMPOSITORS if fs.exists(f"/usr/bin/{name}")]
    sessions = [_SESSIONS] if any(name.endswith(".desktop") for name in fs.listdir(_SESSIONS)) else []
    return Desktop(starts, next(iter((*programs, *sessions)), "") if xorg.installed is False else "")


def _reached(fs: GuestFS, services: Services, goal: BootGoal, units: UnitFiles) -> bool | None:
    """Whether systemd starts one of the managers. None if one is there, but the target of the boot is none of systemd's and not there."""
    own = {name for manager in _MANAGERS if (path := units.path(name := f"{manager}.service")) and fs.exists(path)}
    scripts = _scripts(services, units)
    if not own and not scripts:
        return False
    if (path := units.path(goal.target)) is None or not fs.exists(path):
        return True if goal.target == _GRAPHICAL else None  # that of systemd wants a manager
    usual = (_DEFAULT,) if units.alias_of(_DEFAULT) == goal.target else ()
    started = pulled_in(units, (goal.target, *usual), goal.masked)
    return not started.isdisjoint(own | scripts)


def _scripts(services: Services, units: UnitFiles) -> frozenset[str]:
    """The targets that want SysV scripts of managers without a unit of that name: systemd-sysv-generator(8)."""
    if not units.generates("systemd-sysv-generator"):
        return frozenset()
    found = (_LEVEL.search(path) for name, path in services.links if name in _MANAGERS and not units.path(f"{name}.service"))
    return frozenset(_GRAPHICAL if match[1] == "5" else "multi-user.target" for match in found if match)
