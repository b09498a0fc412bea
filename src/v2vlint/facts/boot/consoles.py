"""The terminals that offer a login: ``/etc/inittab`` (inittab(5)), upstart jobs, systemd getty units."""

from __future__ import annotations

import re

from v2vlint.facts.registry import provides
from v2vlint.guest.fs import GuestFS
from v2vlint.guest.text import Line
from v2vlint.model.dataclass import dataclass
from v2vlint.model.place import Token, Where, WholeFile

_INITTAB = re.compile(r"\s*([^:#\s]*):[^:]*:(?:respawn|ondemand)?:(.*)")
_BUSYBOX = re.compile(r"\s*([\w/]*)::(?:respawn|askfirst):(.*)")
_TTY = re.compile(r"\b(?:/dev/)?(tty(?:S|AMA|USB)?\d+|hvc\d+|xvc\d+|console)\b")
_UNIT = re.compile(r"(?:serial-|console-)?getty@([\w-]+)\.service")


@dataclass(frozen=True, slots=True)
class Console:
    """A terminal with a login. ``name`` has its place when a file contains it; otherwise ``where`` is the unit or link."""

    name: str
    where: Where
    token: Token | None = None
    source: str = "inittab"


@dataclass(frozen=True, slots=True)
class Consoles:
    """All terminals."""

    consoles: tuple[Console, ...] = ()

    def has(self, name: str) -> bool:
        """Whether a login is started on ``name``."""
        return any(console.name == name for console in self.consoles)


@provides
def find_consoles(fs: GuestFS) -> Consoles:
    """The guest's consoles. Missing files count as empty; consoles that systemd's generator adds for ``console=`` are not included."""
    found: list[Console] = []
    inittab = fs.text("/etc/inittab")
    for line in inittab.lines() if inittab else ():
        found.extend(_inittab(line))
    for path in fs.glob("/etc/init/*.conf"):
        match = _TTY.fullmatch(path.rsplit("/", 1)[1].removesuffix(".conf"))
        if match:
            found.append(Console(match[1], WholeFile(path), source="upstart"))
    units = ((path, _UNIT.fullmatch(path.rsplit("/", 1)[1])) for path in fs.glob("/etc/systemd/system/*.wants/*getty@*.service"))
    found.extend(Console(unit[1], WholeFile(path), source="systemd") for path, unit in units if unit)
    return Consoles(tuple(found))


def _inittab(line: Line) -> list[Console]:
    match = None if line.is_blank() else _BUSYBOX.match(line.text) or _INITTAB.match(line.text)
    if not match or not ("getty" in match[2] or "login" in match[2]):
        return []
    tty = _TTY.search(line.text, match.start(2))
    if not tty:
        return []
    token = line.group(tty, 1)
    return [Console(token.value, token.where, token)]
