"""Which mounts systemd cannot start the guest without.

A failed mount fails every unit that requires it. The boot stops when this reaches ``local-fs.target``, whose OnFailure= is emergency mode
(unless that is masked, or the administrator's own local-fs.target has none), or ``sysinit.target`` or ``basic.target``, which every
service requires. Anywhere else, only a service is missing.

Compared with Debian's own systemd in a container: tests/facts/systemd/test_nspawn.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import field

from v2vlint.facts.boot.bootloader import default_entries
from v2vlint.facts.registry import FactStore, provides
from v2vlint.facts.syntax.layers import UDEV_RULES
from v2vlint.facts.syntax.systemd_unit import Unit
from v2vlint.facts.systemd.asserts import Asserted, Asserts, asserts
from v2vlint.facts.systemd.goal import BootGoal
from v2vlint.facts.systemd.mount_units import LOCAL, MountUnit, MountUnits
from v2vlint.facts.systemd.pulled import pulled_in
from v2vlint.facts.systemd.specifiers import expanded, units_named, words
from v2vlint.facts.systemd.unit_files import UnitFiles
from v2vlint.guest.fs import GuestFS
from v2vlint.model.dataclass import dataclass

_SYSINIT, _BASIC, _RESCUE, _EMERGENCY = "sysinit.target", "basic.target", "rescue.target", "emergency.target"
_USUAL = {_BASIC: (_SYSINIT,)}
_STRONG = ("Requires", "BindsTo", "Requisite")
_STOPS = frozenset({_EMERGENCY, "emergency.service", "rescue.target", "rescue.service", "poweroff.target", "halt.target", "reboot.target"})
_FOLDER_KEYS = ("WorkingDirectory", "RootDirectory", "RootImage")
_OWNED_FOLDERS = {
    "StateDirectory": "/var/lib",
    "CacheDirectory": "/var/cache",
    "LogsDirectory": "/var/log",
    "ConfigurationDirectory": "/etc",
}
_MAX_UNITS = 10_000


@dataclass(frozen=True, slots=True)
class MountGraph:
    """``needed`` maps each unit that the boot needs to the one that requires it; ``asked`` is every mount that the boot tries to start.
    ``refused`` are the needed units that fail because of their Assert…=.
    """

    needed: dict[str, str] = field(default_factory=dict)
    asked: frozenset[str] = frozenset()
    refused: dict[str, Asserted] = field(default_factory=dict)

    def chain(self, name: str) -> tuple[str, ...]:
        """The units from ``name`` up to the one whose failure stops the boot."""
        found = [name]
        while (above := self.needed.get(found[-1])) and above not in found:
            found.append(above)
        return tuple(found)

    def end(self, name: str) -> str:
        """The result of a failure of ``name``: ``emergency`` mode, ``nothing`` if no service starts, empty if the boot continues."""
        top = self.chain(name)[-1]
        return "" if name not in self.needed else "nothing" if top in (_SYSINIT, _BASIC) else "emergency"


@provides
def find_mount_graph(files: UnitFiles, mounts: MountUnits, goal: BootGoal, fs: GuestFS, store: FactStore) -> MountGraph:
    """Follow requirements, starting with the units that must not fail."""
    links = _Links(files, mounts, goal)
    needed = dict(links.below(links.vital()))
    started = (name for name, unit in mounts.units.items() if unit.required_by or unit.wanted_by)
    listed = (name for kind in ("wants", "requires") for _owner, names in files.linking(kind) for name in names)
    asked = dict.fromkeys((*needed, *started, *(name for name in listed if name in mounts.units)))
    points = (unit.entry.place for unit in mounts.units.values() if unit.entry is not None)
    held = asserts(fs, (entry.args for entry in default_entries(store)), points)
    refused = {name: found for name, above in needed.items() if (found := links.refused(name, above, held) or links.unmet(name, fs))}
    return MountGraph(needed, frozenset((*asked, *(name for name, _above in links.below(asked)))), refused)


class _Links:
    """Requirements between units, inverted where a unit names the one that requires it."""

    def __init__(self, files: UnitFiles, mounts: MountUnits, goal: BootGoal) -> None:
        self._files, self._mounts, self._goal = files, mounts, goal
        self._owned: dict[str, list[str]] = {}
        for unit in mounts.units.values():
            for owner in unit.required_by:
                self._owned.setdefault(owner, []).append(unit.name)

    def vital(self) -> tuple[str, ...]:
        """The units whose failure stops the boot; none if the boot ends in an emergency shell anyway."""
        if self._goal.target == _EMERGENCY:
            return ()
        usual = (LOCAL, _SYSINIT) if self._goal.target == _RESCUE else (LOCAL, _SYSINIT, _BASIC)
        targets = tuple(name for name in usual if not self._masked(name) and (name != LOCAL or self._stops(self._if_local_fails())))
        mounts = (unit.name for unit in self._mounts.units.values() if self._stops(unit.on_failure))
        return (*targets, *mounts, *self._stopping(targets))

    def _stopping(self, targets: Iterable[str]) -> Iterator[str]:
        """Other units that the boot starts and whose OnFailure= stops it, at any time: sysinit.target conflicts with emergency.target, and
        every service requires it. Of the distribution's own units none does that after the initramfs.
        """
        others = (name for name in self._files.administered() if name != LOCAL and name not in self._mounts.units)
        found = [name for name in others if self._stops(_late_failure(self._own(name)))]
        started = pulled_in(self._files, (self._goal.target, *targets), self._goal.masked) if found else frozenset[str]()
        yield from (name for name in found if name in started)

    def _own(self, name: str) -> Unit:
        return self._files.own(name) or self._files.changes(name)

    def _if_local_fails(self) -> tuple[str, ...]:
        """OnFailure= of local-fs.target; a drop-in can add to it, but not empty it."""
        own = self._files.own(LOCAL)
        return units_named(own, "OnFailure") if own else (_EMERGENCY,)

    def _stops(self, on_failure: Iterable[str]) -> bool:
        """Whether one of these units ends the boot: they cannot start when their service is masked."""
        names = _STOPS & set(on_failure)
        return any(not self._masked(name) and not self._masked(name.replace(".target", ".service")) for name in names)

    def refused(self, name: str, above: str, held: Asserts) -> Asserted | None:
        """The assertion that fails ``name``. It fails those that require it, and starts no OnFailure= of its own (JOB_ASSERT)."""
        counts = above or name in (_SYSINIT, _BASIC)
        return held.failing(self._own(name)) if counts and not name.endswith(".device") and not self._is_mounted(name) else None

    def unmet(self, name: str, fs: GuestFS) -> Asserted | None:
        """What a target of the early boot finds inactive: with Requisite= it starts nothing, and fails (job_perform_on_unit() of job.c)."""
        for token in self._own(name).words("Unit", "Requisite") if name in (LOCAL, _SYSINIT, _BASIC) else ():
            asked = self._files.alias_of(token.value)
            if asked.endswith((".service", ".target")) and self._files.own(asked) and not self._may_start(asked, fs):
                return Asserted(f"Requisite={token.value}", token, "nothing starts")
        return None

    def _may_start(self, name: str, fs: GuestFS) -> bool:
        """Whether the boot asks for a unit, or something that has its name may: a socket, a timer, a rule of udev, another unit."""
        stem, _, kind = name.rpartition(".")
        started = pulled_in(self._files, (self._goal.target, LOCAL, _SYSINIT, _BASIC))
        others = [f"{stem}.{other}" for other in ("socket", "timer", "path")] if kind == "service" else []
        rules = (text for folder in UDEV_RULES for path in fs.glob(f"{folder}/*.rules") if (text := fs.text(path)) is not None)
        named = any(stem in line.text for text in rules for line in text.lines())
        return bool({name, *others} & started) or named or "@" in stem or any(map(self._files.path, others))

    def _is_mounted(self, name: str) -> bool:
        """Whether it may be mounted before there are units: what is active is not started."""
        unit = self._mounts.units.get(name)
        early = unit is not None and unit.entry is not None and "x-initrd.mount" in unit.entry.options
        return early or name in ("-.mount", "usr.mount")

    def below(self, tops: Iterable[str]) -> Iterator[tuple[str, str]]:
        """Every unit that ``tops`` require, directly or not, with the unit that requires it; the tops themselves with an empty string."""
        pending, seen = [(top, "") for top in tops], set[str]()
        while pending and len(seen) < _MAX_UNITS:
            name, above = pending.pop(0)
            if name not in seen:
                seen.add(name)
                yield name, above
                pending.extend((lower, name) for lower in self._required(name))

    def _required(self, name: str) -> Iterator[str]:
        unit = self._mounts.units.get(name)
        found = [] if unit is None else [*unit.requires, *self._mounted_at(unit)]
        own = None if unit is not None or name.endswith(".device") else self._own(name)
        if own is not None:
            found += [lower for path in required_paths(own) for lower in self._mounts.covering(path)]
        waits = _Order(name, own)
        stated = units_named(own, *_STRONG) if own else ()
        linked = (*_USUAL.get(name, ()), *self._owned.get(name, ()), *self._files.linked(name, "requires"), *stated)
        found += [lower for lower in linked if waits.for_unit(lower, self._before(lower))]
        yield from (lower for lower in found if not self._masked(lower))

    def _before(self, name: str) -> frozenset[str]:
        """What waits for ``name``, or for a mount that a service called ``name`` requires: that mount's failure fails both at once."""
        mount = self._mounts.units.get(name)
        if mount is not None:
            return frozenset(mount.before)
        own = None if name.endswith(".device") else self._files.own(name)
        if own is None:
            return frozenset()
        after, stated = frozenset(units_named(own, "After")), frozenset(units_named(own, "Before"))
        mounts = [self._mounts.units.get(lower) for lower in units_named(own, *_STRONG) if lower in after]
        return stated.union(*(mount.before for mount in mounts if mount is not None))

    def _mounted_at(self, unit: MountUnit) -> Iterator[str]:
        for path in unit.paths:
            yield from (lower for lower in self._mounts.covering(path) if lower != unit.name)

    def _masked(self, name: str) -> bool:
        return name in self._goal.masked or self._files.is_masked(name)


def required_paths(unit: Unit) -> Iterator[str]:
    """The paths whose mounts ``unit`` requires: stated ones, and those of the settings in unit_add_exec_dependencies()."""
    yield from words(unit, "Unit", "RequiresMountsFor")
    for key in _FOLDER_KEYS:
        token = unit.get("Service", key)
        path = expanded(token.value, unit.name, unit.host) if token else None
        if path and path.startswith("/"):  # "-/folder" may be missing
            yield path
    for key, parent in _OWNED_FOLDERS.items():
        yield from (f"{parent}/{word.partition(':')[0]}" for word in words(unit, "Service", key))


def _late_failure(unit: Unit) -> tuple[str, ...]:
    """OnFailure=; the rescue shell starts beside the services, unless it is isolated."""
    isolates = str(unit.get("Unit", "OnFailureJobMode") or "") == "isolate"
    return tuple(name for name in units_named(unit, "OnFailure") if isolates or not name.startswith("rescue."))


class _Order:
    """Whether a unit waits for one that it requires. Without an ordering both start at once, and a failure comes too late to matter."""

    def __init__(self, name: str, own: Unit | None) -> None:
        self._name = name
        self._after = frozenset(units_named(own, "After")) if own else frozenset[str]()
        stated = own.get("Unit", "DefaultDependencies") if own else None
        usual = name not in (LOCAL, _SYSINIT) if stated is None else stated.value.lower() not in ("no", "0", "false", "off")
        self._is_waiting_target = name.endswith(".target") and usual

    def for_unit(self, lower: str, before: frozenset[str]) -> bool:
        """A target waits for the units that it requires (systemd.target(5)); sysinit.target waits for everything that local-fs.target waits
        for.
        """
        if self._is_waiting_target or lower in self._after or self._name in before or lower in _USUAL.get(self._name, ()):
            return True
        return self._name in (_SYSINIT, _BASIC) and LOCAL in before
