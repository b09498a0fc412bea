"""What the guest's init does at boot when a filesystem cannot be mounted, and which filesystems it tries to mount at all.

systemd stops in emergency mode if local-fs.target requires the mount (:mod:`v2vlint.facts.systemd.mount_graph`), but never for ``/``: that
is already mounted, from the device on the kernel command line, and is only remounted (docs/truth-table.md, guest ``fstabdevice``). Ubuntu's
mountall waits for a key press on the console. Red Hat's and Debian's SysV scripts stop when fsck fails, so only for entries with a pass
number; Debian runs the same scripts under OpenRC and runit. Void's runit stops when mount -a fails. OpenRC's own scripts continue.
"""

from __future__ import annotations

from dataclasses import field

from v2vlint.facts.boot.init import Init
from v2vlint.facts.registry import FactStore, provides
from v2vlint.facts.storage.fstab import Fstab, FstabEntry
from v2vlint.facts.systemd.mount_graph import MountGraph
from v2vlint.facts.systemd.mount_units import LOCAL, MountUnit, MountUnits, device_of
from v2vlint.facts.systemd.unit_files import unit_name
from v2vlint.guest.fs import GuestFS
from v2vlint.model.dataclass import dataclass
from v2vlint.model.osinfo import OsInfo

_DEBIAN_CHECK = ("/etc/rcS.d/S*checkfs*", "/etc/runlevels/*/checkfs.sh", "/etc/init.d/checkfs.sh")
_VOID_STAGE = "/etc/runit/core-services/*filesystems.sh"


@dataclass(frozen=True, slots=True)
class MountPolicy:
    """``style`` is ``systemd`` (also when the init is unknown), ``mountall``, ``sysv``, ``openrc`` or ``runit``.

    ``entries`` are the lines of fstab, and native units in the same form, that the boot acts on. ``graph`` is empty except for systemd.
    """

    style: str = "systemd"
    entries: tuple[FstabEntry, ...] = ()
    graph: MountGraph = field(default_factory=MountGraph)
    devices: tuple[tuple[FstabEntry, str], ...] = ()
    """Devices that a mount requires besides the one it mounts."""

    def stops(self, entry: FstabEntry) -> bool:
        """Whether boot stops when the device of ``entry`` is missing."""
        if entry.is_swap or self._is_mounted_already(entry):
            return False
        if self.style == "systemd":
            return _name(entry) in self.graph.needed
        if entry.noauto or entry.nofail or entry.is_network:
            return False
        if self.style == "sysv":
            return entry.passno > 0
        return self.style != "openrc" or entry.mount_point in ("/", "/usr")

    def _is_mounted_already(self, entry: FstabEntry) -> bool:
        return self.style == "systemd" and entry.mount_point == "/"

    def effect(self, entry: FstabEntry) -> str:
        """What happens at boot without the device of ``entry``, as text."""
        if self.stops(entry):
            return {
                "systemd": f"systemd waits 90 s for the device, then {self._end(entry)}",
                "mountall": "boot stops and waits for a key to be pressed",
                "sysv": "fsck fails, and boot stops in a maintenance shell",
                "openrc": "boot fails without it",
                "runit": "boot stops in an emergency shell",
            }[self.style]
        if self._is_mounted_already(entry):
            return "boot continues with the root from the kernel command line; programs that look it up in fstab do not find it"
        waits = self.style == "systemd" and not entry.nofail
        if entry.is_swap:
            return "boot waits 90 s for it and continues without it" if waits else "boot continues without it"
        return "it stays unmounted"

    def _end(self, entry: FstabEntry) -> str:
        chain = self.graph.chain(_name(entry))
        end = "starts no services" if self.graph.end(chain[0]) == "nothing" else "stops in emergency mode"
        return end if chain[1:2] in ((LOCAL,), ()) else f"{end}, as {chain[1]} requires {chain[0]}"


def _name(entry: FstabEntry) -> str:
    return entry.unit or unit_name(entry.mount_point, ".mount")


@provides
def find_mount_policy(fs: GuestFS, init: Init, os: OsInfo, fstab: Fstab, store: FactStore) -> MountPolicy:
    """By the init program; RHEL 6 has upstart, but mounts with the old scripts."""
    style = _style(fs, init.name, os)
    if style != "systemd":
        return MountPolicy(style, tuple(entry for entry in fstab.entries if not entry.noauto))
    units, graph = store.get(MountUnits), store.get(MountGraph)
    acted_on = tuple(unit.entry for name, unit in units.units.items() if unit.entry is not None and name in graph.asked)
    lines = (entry for entry in fstab.entries if (entry.is_swap and not entry.noauto) or entry in acted_on)
    devices = tuple(
        (entry, device) for unit in units.units.values() if (entry := unit.entry) in acted_on and entry for device in _devices(unit)
    )
    return MountPolicy(style, (*lines, *(entry for entry in acted_on if entry.unit)), graph, devices)


def _devices(unit: MountUnit) -> tuple[str, ...]:
    return tuple(path for name in unit.requires if (path := device_of(name)))


def _style(fs: GuestFS, init: str, os: OsInfo) -> str:
    if init == "upstart":
        return "sysv" if os.family == "rhel" else "mountall"
    if init == "runit" and fs.glob(_VOID_STAGE):
        return "runit"
    if init in ("openrc", "runit", "busybox", "s6", "dinit", "finit", "shepherd"):
        return "sysv" if any(fs.glob(pattern) for pattern in _DEBIAN_CHECK) else "openrc"
    return "sysv" if init == "sysv" else "systemd"
