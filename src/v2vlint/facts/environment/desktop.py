"""Whether the guest starts a desktop, and whether nothing but Wayland can show it."""

from __future__ import annotations

from v2vlint.facts.environment.services import Services
from v2vlint.facts.environment.xorg import Xorg
from v2vlint.facts.registry import provides
from v2vlint.facts.systemd.goal import BootGoal
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
_SHELLS = frozenset({"rescue.target", "emergency.target"})


@dataclass(frozen=True, slots=True)
class Desktop:
    """``starts`` says whether the default boot starts a display manager, or a compositor as a service; None when unclear.

    ``wayland_only`` is the compositor or the folder of sessions of a guest without an X server; empty when X is there, or neither is.
    """

    starts: bool | None = None
    wayland_only: str = ""


@provides
def find_desktop(fs: GuestFS, services: Services, xorg: Xorg, goal: BootGoal) -> Desktop:
    """From the services that the target of the boot reaches."""
    starts = services.starts(*_MANAGERS)
    if starts and services.init == "systemd":
        starts = any(_reached(str(link.path), goal.target) for link in services.link_files(*_MANAGERS))
    programs = [f"/usr/bin/{name}" for name in _COMPOSITORS if fs.exists(f"/usr/bin/{name}")]
    sessions = [_SESSIONS] if any(name.endswith(".desktop") for name in fs.listdir(_SESSIONS)) else []
    return Desktop(starts, next(iter((*programs, *sessions)), "") if xorg.installed is False else "")


def _reached(link: str, goal: str) -> bool:
    """Whether the target of the boot wants what ``link`` enables; display-manager.service is wanted by graphical.target."""
    if goal == "multi-user.target":
        return "/graphical.target." not in link and not link.endswith("/display-manager.service")
    return goal not in _SHELLS
