"""What is mounted where at boot: fstab and the ``.mount`` units of systemd (systemd.mount(5)), one answer for each place."""

from __future__ import annotations

from v2vlint.facts.boot.init import Init
from v2vlint.facts.registry import FactStore, provides
from v2vlint.facts.storage.fstab import Fstab, FstabEntry
from v2vlint.facts.systemd.mount_graph import MountGraph
from v2vlint.facts.systemd.mount_units import MountUnits
from v2vlint.model.dataclass import dataclass
from v2vlint.model.place import Where


@dataclass(frozen=True, slots=True)
class MountedAt:
    """One place. ``at_boot`` says that it is mounted at boot, or automatically on first use."""

    path: str
    device: str
    fs_type: str
    options: tuple[str, ...]
    at_boot: bool
    where: Where


@dataclass(frozen=True, slots=True)
class MountPoints:
    """Every place, in file order."""

    mounts: tuple[MountedAt, ...] = ()

    def at(self, path: str) -> MountedAt | None:
        """The mount at ``path``, or None."""
        wanted = path.rstrip("/") or "/"
        return next((mount for mount in self.mounts if mount.path == wanted), None)


@provides
def find_mount_points(fstab: Fstab, init: Init, store: FactStore) -> MountPoints:
    """systemd has one unit per place: the first of fstab's lines, unless a native unit replaces it. With other inits the last line
    counts.
    """
    if init.name != "systemd":
        return MountPoints(
            tuple(_mounted(entry, not entry.noauto) for entry in reversed(fstab.entries) if entry.mount_point.startswith("/"))
        )
    units, asked = store.get(MountUnits).units, store.get(MountGraph).asked
    started = {name for name in units if name in asked or f"{name.removesuffix('.mount')}.automount" in asked}
    return MountPoints(tuple(_mounted(unit.entry, name in started) for name, unit in units.items() if unit.entry is not None))


def _mounted(entry: FstabEntry, at_boot: bool) -> MountedAt:
    return MountedAt(
        entry.mount_point.rstrip("/") or "/", entry.device, entry.fs_type, entry.options or ("defaults",), at_boot, entry.where
    )
