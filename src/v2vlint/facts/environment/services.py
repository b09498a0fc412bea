"""Services that start at boot: systemd units, SysV start links, OpenRC runlevels."""

from __future__ import annotations

import re
from collections.abc import Iterator

from v2vlint.facts.boot.init import Init
from v2vlint.facts.registry import provides
from v2vlint.facts.systemd.unit_files import ADMIN, FOLDERS, UnitFiles
from v2vlint.guest.fs import GuestFS
from v2vlint.model.dataclass import dataclass
from v2vlint.model.place import WholeFile

_START = re.compile(r"S\d\d(.+)")


@dataclass(frozen=True, slots=True)
class Services:
    """``links`` are pairs of a unit name (``sshd.service``) or a plain script name (``sshd``) and the path of the link that enables it.

    ``masked`` are units that can never start. ``init`` is the name of :class:`~v2vlint.facts.boot.init.Init`, empty when the guest has no
    init program: then nothing is known.
    """

    init: str = ""
    links: tuple[tuple[str, str], ...] = ()
    masked: frozenset[str] = frozenset()

    @property
    def enabled(self) -> frozenset[str]:
        """The names of all services that start."""
        return frozenset(name for name, _path in self.links)

    def link_files(self, *names: str) -> tuple[WholeFile, ...]:
        """The links that enable any of ``names``; ``.service`` may be left out."""
        wanted = {*names, *(f"{name}.service" for name in names)}
        return tuple(dict.fromkeys(WholeFile(path) for name, path in self.links if name in wanted))

    def starts(self, *names: str) -> bool | None:
        """Whether any of these services starts at boot; ``.service`` may be left out. None when unclear."""
        if not self.init:
            return None
        units = {name if "." in name else f"{name}.service" for name in names} - self.masked
        return bool(self.enabled & (units | set(names)))


def starts_if_there(fs: GuestFS, services: Services, *names: str) -> bool | None:
    """Like :meth:`Services.starts`, but None if the guest has no such service at all: something else may do its work."""
    if services.starts(*names):
        return True
    units = (f"{folder}/{name if '.' in name else f'{name}.service'}" for name in names for folder in FOLDERS)
    scripts = (f"/etc/init.d/{name}" for name in names)
    return False if any(fs.exists(path) for path in (*units, *scripts)) else None


@provides
def parse_services(fs: GuestFS, process: Init, units: UnitFiles) -> Services:
    """The services of the guest's default boot."""
    init = process.name
    masked = frozenset(name for folder in ADMIN for name in fs.listdir(folder) if fs.readlink(f"{folder}/{name}") == "/dev/null")
    links = (*_enabled(fs, units), *(_upstart(fs) if init == "upstart" else ()))
    return Services(init, tuple(link for link in links if link[0] not in masked), masked)


def _upstart(fs: GuestFS) -> Iterator[tuple[str, str]]:
    """Upstart starts every job in /etc/init, unless an override says ``manual``."""
    for path in fs.glob("/etc/init/*.conf"):
        override = fs.text(f"{path.removesuffix('.conf')}.override")
        if override is None or "manual" not in override.content.split():
            yield path.rpartition("/")[2].removesuffix(".conf"), path


def _counts(fs: GuestFS, units: UnitFiles, path: str) -> bool:
    """Whether systemd takes what is in ``.wants``: a link, wherever it leads, if there is a unit of its name (unit_load_dropin())."""
    return not units.is_whole or (fs.readlink(path) is not None and not units.lacks(path.rpartition("/")[2]))


def _enabled(fs: GuestFS, units: UnitFiles) -> Iterator[tuple[str, str]]:
    for folder, names in units.listed.items():
        for name in sorted(names):
            if name.endswith((".wants", ".requires")):
                yield from (
                    (unit, path) for unit in fs.listdir(f"{folder}/{name}") if _counts(fs, units, path := f"{folder}/{name}/{unit}")
                )
    for folder in ADMIN:
        for name in fs.listdir(folder):
            target = fs.readlink(f"{folder}/{name}")
            if target and target != "/dev/null":
                # An alias (display-manager.service → gdm.service) enables the unit under both names.
                yield from ((alias, f"{folder}/{name}") for alias in (name, target.rpartition("/")[2]))
    for pattern in ("/etc/rc[S2345].d/S*", "/etc/rc.d/rc[2345].d/S*", "/etc/init.d/rc[2345].d/S*", "/etc/rcS.d/S*"):
        yield from ((match[1], path) for path in fs.glob(pattern) if (match := _START.fullmatch(path.rpartition("/")[2])))
    yield from (
        (path.rpartition("/")[2], path) for level in ("sysinit", "boot", "default") for path in fs.glob(f"/etc/runlevels/{level}/*")
    )
