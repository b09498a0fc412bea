"""What the guest's init does at boot when a filesystem cannot be mounted, and which filesystems it tries to mount at all.

systemd stops in emergency mode where local-fs.target requires the mount (:mod:`v2vlint.facts.systemd.mount_graph`), but never for ``/``:
that is mounted already, from where the kernel command line says, and is only remounted (docs/truth-table.md, guest ``fstabdevice``).
Ubuntu's mountall waits for a key press on the console. Scripts check what has a pass number (:mod:`v2vlint.facts.storage.script_checks`);
Debian runs the same ones under OpenRC and runit. Then they mount: Void's runit stops when ``mount -a`` or ``swapon -a`` fails, the
others say so and go on, OpenRC but for ``critical_mounts``. For ``remount,rw /`` a path that fstab names need not exist, a UUID must.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field

from v2vlint.facts.boot.choices import BootChoices
from v2vlint.facts.boot.early_usr import without_usr
from v2vlint.facts.boot.init import Init
from v2vlint.facts.boot.path import BootPaths
from v2vlint.facts.registry import FactStore, provides
from v2vlint.facts.storage.devices import Devices, NameKind, name_kind
from v2vlint.facts.storage.fstab import Fstab, FstabEntry
from v2vlint.facts.storage.script_checks import ScriptChecks, arguments, script_checks
from v2vlint.facts.syntax.conf_vars import conf_vars
from v2vlint.facts.syntax.shell_source import sh_is_bash
from v2vlint.facts.systemd.mount_graph import MountGraph
from v2vlint.facts.systemd.mount_units import LOCAL, MountUnit, MountUnits, device_of
from v2vlint.facts.systemd.unit_files import unit_name
from v2vlint.guest.fs import GuestFS
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import FactUnavailable
from v2vlint.model.osinfo import OsInfo

_DEBIAN_CHECK = ("/etc/rcS.d/S*checkfs*", "/etc/runlevels/*/checkfs.sh", "/etc/init.d/checkfs.sh")
_VOID_STAGE = "/etc/runit/core-services/*filesystems.sh"
_OPENRC = ("gentoo", "alpine")
"""Families whose inittab starts OpenRC, unless it was changed."""
_NOT_EMULATED = "/etc/runit/no.emulate.sysv.d"


@dataclass(frozen=True, slots=True)
class MountPolicy:
    """``style`` is ``systemd`` (also when the init is not known), ``mountall``, ``sysv``, ``openrc``, ``runit``, or ``unknown`` for an init
    whose scripts are not understood; ``init`` is its name.

    ``entries`` are the lines of fstab, and native units in the same terms, that the boot acts on. ``graph`` is empty but for systemd.
    ``critical`` are the mount points that OpenRC's localmount cannot do without, once ``mount -a`` fails, as it does for ``failing``,
    whose devices are on none of the disks. ``early`` is the /usr without which the initramfs stops, with or without ``nofail``, and
    ``without_early`` says how.
    """

    style: str = "systemd"
    entries: tuple[FstabEntry, ...] = ()
    graph: MountGraph = field(default_factory=MountGraph)
    devices: tuple[tuple[FstabEntry, str], ...] = ()
    """Devices that a mount requires besides the one it mounts."""
    checks: ScriptChecks = ScriptChecks()
    critical: frozenset[str] = frozenset()
    failing: tuple[FstabEntry, ...] = ()
    init: str = "systemd"
    early: FstabEntry | None = None
    without_early: str = ""

    def stops(self, entry: FstabEntry) -> bool:
        """Whether boot stops when the device of ``entry`` is missing."""
        if self.early is not None and entry == self.early:
            return True
        if self.style == "systemd":
            return not entry.is_swap and entry.mount_point != "/" and _name(entry) in self.graph.needed
        if self.style == "unknown":
            return False
        if self.checks.fails(entry):
            return True
        if entry.mount_point in self.critical and not entry.noauto and (not entry.nofail or self.failing):
            return True
        return not (entry.noauto or entry.nofail or entry.is_network) and self._cannot_do_without(entry)

    def _cannot_do_without(self, entry: FstabEntry) -> bool:
        if self.style in ("runit", "openrc") and entry.mount_point == "/":
            return not entry.device.startswith("/dev/") and not (self.style == "openrc" and "ro" in entry.options)
        if self.style == "openrc":
            return entry.mount_point == "/usr"
        return self.style == "runit" or (self.style == "mountall" and not entry.is_swap)

    def effect(self, entry: FstabEntry) -> str:
        """What happens at boot without the device of ``entry``, as text."""
        if self.early is not None and entry == self.early:
            return f"the initramfs {self.without_early}"
        if self.stops(entry):
            return {
                "systemd": f"systemd waits 90 s for the device, then {self._end(entry)}",
                "mountall": "boot stops and waits for a key to be pressed",
                "sysv": "fsck fails, and boot stops in a maintenance shell",
                "openrc": self._openrc(entry),
                "runit": "boot stops in an emergency shell",
            }[self.style]
        if self.style == "unknown":
            return f"what {self.init} does without it is not known"
        if entry.mount_point == "/":
            return "boot continues with the root from the kernel command line; programs that look it up in fstab do not find it"
        waits = self.style == "systemd" and not entry.nofail
        if entry.is_swap:
            return "boot waits 90 s for it and continues without it" if waits else "boot continues without it"
        return "it stays unmounted"

    def failure(self, entry: FstabEntry) -> str:
        """What happens at boot when the device of ``entry`` is there, but cannot be mounted: only systemd waits for devices."""
        if self.style != "systemd" or entry.is_swap or entry == self.early:
            return self.effect(entry)
        return f"mount fails, and systemd {self._end(entry)}" if self.stops(entry) else "it stays unmounted"

    def _openrc(self, entry: FstabEntry) -> str:
        if self.checks.fails(entry):
            return "fsck fails, and OpenRC aborts the boot: no services start"
        if entry.mount_point == "/":
            return "the root cannot be remounted, and stays read-only"
        return "boot fails without it" if entry.mount_point == "/usr" else "localmount fails, and what needs it does not start"

    def _end(self, entry: FstabEntry) -> str:
        chain = self.graph.chain(_name(entry))
        end = "starts no services" if self.graph.end(chain[0]) == "nothing" else "stops in emergency mode"
        return end if chain[1:2] in ((LOCAL,), ()) else f"{end}, as {chain[1]} requires {chain[0]}"


def _name(entry: FstabEntry) -> str:
    return entry.unit or unit_name(entry.place, ".mount")


@provides
def find_mount_policy(fs: GuestFS, init: Init, os: OsInfo, fstab: Fstab, store: FactStore) -> MountPolicy:
    """By the init program; RHEL 6 has upstart, but mounts with the old scripts."""
    style, (early, without_early) = _style(fs, init.name, os, store), _early(fstab, store)
    if style != "systemd":
        checks = script_checks(style, os.family, fs, fstab, store)
        entries = tuple(entry for entry in fstab.entries if not entry.noauto or checks.fails(entry) or entry == early)
        critical = frozenset(_critical(fs)) if style == "openrc" else frozenset[str]()
        failing = tuple(_failing(fstab, store)) if critical else ()
        return MountPolicy(
            style, entries, checks=checks, critical=critical, failing=failing, init=init.name, early=early, without_early=without_early
        )
    units, graph = store.get(MountUnits), store.get(MountGraph)
    acted_on = tuple(unit.entry for name, unit in units.units.items() if unit.entry is not None and name in graph.asked)
    lines = (
        entry for entry in (*fstab.entries, *fstab.short) if (entry.is_swap and not entry.noauto) or entry in acted_on or entry == early
    )
    devices = tuple(
        (entry, device) for unit in units.units.values() if (entry := unit.entry) in acted_on and entry for device in _devices(unit)
    )
    return MountPolicy(
        style, (*lines, *(entry for entry in acted_on if entry.unit)), graph, devices, early=early, without_early=without_early
    )


def _early(fstab: Fstab, store: FactStore) -> tuple[FstabEntry | None, str]:
    """The first line for /usr, if the default entry's initramfs stops without it, and how; one that cannot be read is taken for one that
    does not.
    """
    found = next((entry for entry in fstab.entries if entry.mount_point == "/usr"), None)
    if found is None or found.is_network or found.is_bind or found.is_pseudo:
        return None, ""
    try:
        default = store.get(BootChoices).default
        path = store.get(BootPaths).of(default) if default else None
        effect = without_usr(path.image, tuple(path.choice.args)) if path else ""
    except FactUnavailable:
        return None, ""
    return (found, effect) if effect else (None, "")


def _devices(unit: MountUnit) -> tuple[str, ...]:
    return tuple(path for name in unit.requires if (path := device_of(name)))


def _critical(fs: GuestFS) -> tuple[str, ...]:
    """``critical_mounts`` in localmount's settings."""
    words = conf_vars((fs.text("/etc/conf.d/localmount"),), bash=sh_is_bash(fs), fs=fs).words("critical_mounts")
    return tuple(word.value.rstrip("/") or "/" for word in words)


def _failing(fstab: Fstab, store: FactStore) -> Iterator[FstabEntry]:
    """What ``mount -a`` of localmount certainly fails to mount."""
    devices = store.get(Devices)
    for entry in fstab.entries:
        left_out = entry.is_swap or entry.is_network or entry.is_pseudo or entry.noauto or entry.nofail or entry.mount_point == "/"
        if not left_out and name_kind(entry.device) is NameKind.TAG and devices.present(entry.device) is False:
            yield entry


def _style(fs: GuestFS, init: str, os: OsInfo, store: FactStore) -> str:
    if init == "upstart":
        return "sysv" if os.family == "rhel" else "mountall"
    if init == "sysv" and os.family in _OPENRC:
        return "openrc"
    if init in ("systemd", "sysv", ""):
        return init or "systemd"
    if init == "runit" and fs.glob(_VOID_STAGE):
        return "runit"
    if init == "runit":
        return _debian_runit(fs, store)
    if any(fs.glob(pattern) for pattern in _DEBIAN_CHECK):
        return "sysv"
    return "openrc" if init == "openrc" else "unknown"


def _debian_runit(fs: GuestFS, store: FactStore) -> str:
    """Debian's /etc/runit/1 runs the scripts of rcS.d except for those in no.emulate.sysv.d, or its own boot scripts."""
    native = fs.exists("/etc/runit/native.boot.run") or "bootrun" in arguments(store)
    if (native and fs.is_dir("/etc/runit/boot-run")) or not fs.glob("/etc/rcS.d/S*"):
        return "unknown"
    kept = [path for path in fs.glob("/etc/rcS.d/S*checkfs*") if not fs.exists(f"{_NOT_EMULATED}/{_script(fs, path)}")]
    return "sysv" if kept else "openrc"


def _script(fs: GuestFS, path: str) -> str:
    return (fs.resolve(path) or path).rpartition("/")[2]
