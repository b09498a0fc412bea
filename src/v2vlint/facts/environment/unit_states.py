"""The state of a unit as ``systemctl is-enabled`` reports it (systemctl(1)), and its counterparts of SysV init, OpenRC and upstart.

At a first boot (machine-id(5), "First boot semantics"), systemd applies presets before it starts anything: systemd.preset(5).
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator

from v2vlint.facts.environment.services import Services
from v2vlint.facts.syntax.layers import SYSTEMD, layered, winner
from v2vlint.facts.syntax.systemd_unit import Unit
from v2vlint.facts.systemd.unit_files import UnitFiles, is_instance, template_of
from v2vlint.guest.fs import GuestFS
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import FactUnavailable
from v2vlint.model.place import Where, WholeFile

_ETC = "/etc/systemd/system"
_PRESETS = tuple(f"{folder}/system-preset" for folder in SYSTEMD if not folder.startswith("/run"))
_KINDS = frozenset({"service", "socket", "target", "timer", "path", "mount", "automount", "swap", "slice", "scope", "device"})
_PULLS = (".wants", ".requires", ".upholds")
_SCRIPTS = ("/etc/init.d", "/etc/rc.d/init.d")
_ENABLED = frozenset({"enabled", "alias", "static", "indirect", "generated"})


@dataclass(frozen=True, slots=True)
class UnitState:
    """``state`` is as in systemctl, or ``not-found``. ``where`` is the file that decides: a link, a mask, a preset."""

    name: str
    state: str
    where: Where

    @property
    def is_enabled(self) -> bool:
        """Whether ``systemctl is-enabled`` would exit with 0."""
        return self.state in _ENABLED


def unit_state(fs: GuestFS, files: UnitFiles, services: Services, name: str) -> UnitState:
    """The state of ``name``; ``.service`` may be left out. FactUnavailable when there is no init program, or presets may decide."""
    if not services.init:
        raise FactUnavailable(WholeFile("/sbin/init"), "no init program is known, so nobody can tell what it starts")
    if services.init != "systemd":
        return _by_links(fs, files, services, name)
    full = name if name.rpartition(".")[2] in _KINDS else f"{name}.service"
    path = files.path(full)
    if path is None:
        found = _by_links(fs, files, services, name.removesuffix(".service"))
        return UnitState(full, "not-found", WholeFile(f"{_ETC}/{full}")) if found.state == "not-found" else found
    return _of_file(fs, files, full, path)


def _by_links(fs: GuestFS, files: UnitFiles, services: Services, name: str) -> UnitState:
    """A script, or an upstart job: enabled when something starts it."""
    links = [link for link in services.link_files(name) if not link.path.startswith(files.folders)]
    if links:
        return UnitState(name, "enabled", links[0])
    scripts = [*(f"{folder}/{name}" for folder in _SCRIPTS), f"/etc/init/{name}.conf"]
    found = next((path for path in scripts if fs.exists(path)), None)
    return UnitState(name, "disabled" if found else "not-found", WholeFile(found or scripts[0]))


def _of_file(fs: GuestFS, files: UnitFiles, name: str, path: str) -> UnitState:
    if fs.is_masked(path):
        return UnitState(name, "masked", WholeFile(path))
    target = (fs.readlink(path) or path).rpartition("/")[2]
    if target not in (name, template_of(name)):
        return _alias(fs, files, name, path, target)
    real = fs.resolve(path)
    if real is None:
        return UnitState(name, "not-found", WholeFile(path))
    unit = files.own(name)
    link = _pulled(fs, _ETC, name) or _aliased(fs, name, frozenset(_words(unit, "Alias")))
    if link:
        return _at_first_boot(fs, UnitState(name, "enabled", WholeFile(link)))
    if real.rpartition("/")[0] not in {fs.resolve(folder) for folder in files.folders}:
        return UnitState(name, "linked", WholeFile(path))
    vendor = next(filter(None, (_pulled(fs, folder, name) for folder in files.folders)), "") if is_instance(name) else ""
    if vendor:
        return UnitState(name, "static", WholeFile(vendor))
    return _at_first_boot(fs, UnitState(name, _installable(fs, name, unit), WholeFile(real)))


def _alias(fs: GuestFS, files: UnitFiles, name: str, path: str, target: str) -> UnitState:
    """systemd uses the name that a link leads to, whatever its folder; an alias of a masked unit is masked."""
    found = winner(fs, files.folders, target)
    if found is None:
        return UnitState(name, "alias" if fs.exists(path) else "not-found", WholeFile(path))
    return UnitState(name, "masked", WholeFile(found)) if fs.is_masked(found) else UnitState(name, "alias", WholeFile(path))


def _installable(fs: GuestFS, name: str, unit: Unit | None) -> str:
    if _aliased(fs, name, None):
        return "indirect"
    if any(_words(unit, "WantedBy", "RequiredBy", "UpheldBy", "Alias")):
        return "disabled"
    return "indirect" if any(_words(unit, "Also")) else "static"


def _words(unit: Unit | None, *keys: str) -> Iterator[str]:
    return (word.value for word in unit.words("Install", *keys)) if unit else iter(())


def _pulled(fs: GuestFS, folder: str, name: str) -> str:
    """The link in a ``.wants`` folder. A template counts as enabled when one of its instances is."""
    for sub in fs.listdir(folder):
        for link in fs.listdir(f"{folder}/{sub}") if sub.endswith(_PULLS) else ():
            if name in (link, template_of(link)):
                return f"{folder}/{sub}/{link}"
    return ""


def _aliased(fs: GuestFS, name: str, known: frozenset[str] | None) -> str:
    """The link in /etc that gives the unit another name: one of ``known``, or any."""
    for link in fs.listdir(_ETC):
        target = fs.readlink(f"{_ETC}/{link}") if link != name else None
        if target and target.rpartition("/")[2] == name and (known is None or link in known):
            return f"{_ETC}/{link}"
    return ""


def _at_first_boot(fs: GuestFS, now: UnitState) -> UnitState:
    """The state after presets. Whether systemd also disables enabled units depends on how it was built."""
    text = fs.text("/etc/machine-id")
    # No file, or this word, means a first boot, but an empty file does not: machine-id(5).
    if now.state not in ("enabled", "disabled") or (text is not None and text.content.strip() != "uninitialized"):
        return now
    preset, where = _preset(fs, now.name)
    if now.state == "disabled" and preset == "enable":
        return UnitState(now.name, "enabled", where)
    if now.state == "enabled" and preset == "disable":
        raise FactUnavailable(where, f"this is a first boot: systemd may disable {now.name} by this preset, depending on its build")
    return now


def _preset(fs: GuestFS, name: str) -> tuple[str, Where]:
    """The first matching line decides; without one, a unit is enabled."""
    for path in layered(fs, _PRESETS, ".preset"):
        text = fs.text(path)
        for line in text.lines() if text else ():
            words = line.text.split()
            if len(words) > 1 and words[0] in ("enable", "disable", "ignore") and fnmatch.fnmatchcase(name, words[1]):
                return words[0], line.where
    return "enable", WholeFile("/etc/machine-id")
