"""What is mounted where at boot: fstab and the ``.mount`` units of systemd (systemd.mount(5)), one answer for each place."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from v2vlint.facts.environment.services import Services
from v2vlint.facts.environment.unit_states import FOLDERS, unit_state
from v2vlint.facts.registry import provides
from v2vlint.facts.storage.fstab import Fstab, FstabEntry
from v2vlint.facts.syntax.ini import IniFile, ini_from, joined
from v2vlint.facts.syntax.layers import drop_ins, layered
from v2vlint.guest.fs import GuestFS
from v2vlint.model.place import Where

_ESCAPE = re.compile(r"\\x([0-9a-fA-F]{2})")


@dataclass(frozen=True, slots=True)
class MountedAt:
    """One place. ``at_boot`` says that it is mounted, or mounted on first use, without anybody's doing."""

    path: str
    device: str
    fs_type: str
    options: tuple[str, ...]
    at_boot: bool
    where: Where


@dataclass(frozen=True, slots=True)
class MountPoints:
    """Every place, in the order of the files that name them."""

    mounts: tuple[MountedAt, ...] = ()

    def at(self, path: str) -> MountedAt | None:
        """What is mounted at ``path``, or None."""
        wanted = path.rstrip("/") or "/"
        return next((mount for mount in self.mounts if mount.path == wanted), None)


@provides
def find_mount_points(fs: GuestFS, fstab: Fstab, services: Services) -> MountPoints:
    """Units in /etc hide entries of fstab, and those hide the vendor's units. systemd takes the first entry of a place, others the last."""
    entries = [_of_fstab(entry) for entry in fstab.entries if entry.mount_point.startswith("/")]
    if services.init != "systemd":
        return MountPoints(tuple(reversed(entries)))
    units = list(_units(fs, services))
    own = [mount for mount in units if str(mount.where).startswith("/etc/")]
    return MountPoints((*own, *entries, *(mount for mount in units if mount not in own)))


def _of_fstab(entry: FstabEntry) -> MountedAt:
    at_boot = "noauto" not in entry.options or "x-systemd.automount" in entry.options
    path = entry.mount_point.rstrip("/") or "/"
    return MountedAt(path, entry.device, entry.fs_type, entry.options, at_boot, entry.where)


def _units(fs: GuestFS, services: Services) -> Iterator[MountedAt]:
    pulled = {name for folder in FOLDERS for name in fs.listdir(f"{folder}/local-fs.target.wants")}
    for path in layered(fs, FOLDERS, ".mount"):
        name = path.rpartition("/")[2]
        texts = (fs.text(one) for one in (path, *drop_ins(fs, FOLDERS, name)))
        unit = joined(ini_from(text) for text in texts if text is not None)
        where, device = unit.get("Mount", "Where"), unit.get("Mount", "What")
        if where is not None and device is not None and where.value == _path_of(name):
            state = unit_state(fs, services, name).state
            automatic = unit_state(fs, services, f"{name.removesuffix('.mount')}.automount").state == "enabled"
            at_boot = state == "enabled" or automatic or (name in pulled and state != "masked")
            options = tuple(_word(unit, "Options").split(",")) if _word(unit, "Options") else ("defaults",)
            yield MountedAt(where.value, device.value, _word(unit, "Type") or "auto", options, at_boot, where.where)


def _word(unit: IniFile, key: str) -> str:
    found = unit.get("Mount", key)
    return found.value if found else ""


def _path_of(name: str) -> str:
    """The only place that a mount unit of this name may have: systemd-escape(1), ``--path``."""
    stem = name.removesuffix(".mount")
    if stem == "-":
        return "/"
    return "/" + _ESCAPE.sub(lambda match: chr(int(match[1], 16)), stem.replace("-", "/"))
