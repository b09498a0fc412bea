"""Kernel parameters as files configure them: sysctl.d(5), sysctl.conf(5).

systemd-sysctl reads no /etc/sysctl.conf unless a link in sysctl.d leads there; the scripts of SysV init and OpenRC read it last.
"""

from __future__ import annotations

import fnmatch
import re

from v2vlint.facts.environment.services import Services
from v2vlint.facts.registry import provides
from v2vlint.facts.syntax.layers import layered
from v2vlint.guest.fs import GuestFS
from v2vlint.guest.text import Line
from v2vlint.model.dataclass import dataclass
from v2vlint.model.place import Span

FOLDERS = ("/etc/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d", "/lib/sysctl.d")
CONF = "/etc/sysctl.conf"
MAX_SETTINGS = 20_000
_SETTING = re.compile(r"(?P<soft>-?)\s*(?P<key>[^\s=]+)\s*(?:=\s*(?P<value>.*?))?")


@dataclass(frozen=True, slots=True)
class SysctlSetting:
    """One assignment. ``key`` has slashes between its parts and may be a pattern; ``value`` is None for a key that patterns must not
    set.
    """

    key: str
    value: str | None
    where: Span


@dataclass(frozen=True, slots=True)
class Sysctl:
    """``settings`` in the order in which they are applied."""

    settings: tuple[SysctlSetting, ...] = ()

    def get(self, name: str) -> SysctlSetting | None:
        """The effective assignment for ``net.ipv4.ip_forward``; None when nothing sets it, so that the kernel's default applies.

        An assignment of the exact key takes precedence over a pattern, in any order.
        """
        key = path_of(name)
        own = [one for one in self.settings if one.key == key]
        if own:
            # A key with a minus and no value is one that patterns leave alone (sysctl.d(5)).
            return own[-1] if own[-1].value is not None else None
        fitting = [one for one in self.settings if one.value is not None and _fits(key, one.key)]
        return fitting[-1] if fitting else None


def path_of(name: str) -> str:
    """``net.ipv4.conf.eth0/100.mtu`` and ``net/ipv4/conf/eth0.100/mtu`` in the latter form: the first separator determines the notation."""
    dot, slash = name.find("."), name.find("/")
    if dot < 0 or 0 <= slash < dot:
        return name
    return name.translate(str.maketrans("./", "/."))


def _fits(key: str, pattern: str) -> bool:
    """Patterns match paths: stars stop at slashes (glob(7))."""
    parts, wanted = key.split("/"), pattern.split("/")
    return len(parts) == len(wanted) and all(fnmatch.fnmatchcase(part, one) for part, one in zip(parts, wanted, strict=True))


@provides
def parse_sysctl(fs: GuestFS, services: Services) -> Sysctl:
    """The settings of the files that the guest's init reads, each file once."""
    paths = [*layered(fs, FOLDERS, ".conf"), *([CONF] if services.init != "systemd" else [])]
    seen: set[str | None] = set()
    found: list[SysctlSetting] = []
    for path in paths:
        # sysctl.d usually has a link to /etc/sysctl.conf.
        real = fs.resolve(path)
        text = fs.text(path) if real not in seen else None
        seen.add(real)
        found.extend(one for line in (text.lines() if text else ()) if (one := _setting(line)) is not None)
    return Sysctl(tuple(found[:MAX_SETTINGS]))


def _setting(line: Line) -> SysctlSetting | None:
    match = None if line.is_blank("#;") else _SETTING.fullmatch(line.text.strip())
    if match is None or (match["value"] is None and not match["soft"]):
        return None
    return SysctlSetting(path_of(match["key"]), match["value"], line.where)
