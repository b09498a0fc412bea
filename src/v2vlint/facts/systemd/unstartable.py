"""A requirement of the default target that systemd cannot start: it then starts nothing at all, and freezes as process 1.

Jobs for everything that the target requires, directly or not, belong to its own job: one of them refused refuses all
(transaction_add_job_and_dependencies() of transaction.c), and so do two of them that exclude each other or wait for each other
(transaction_merge_jobs(), transaction_verify_order()). do_queue_default_job() of main.c has no other target then. What is only wanted, and
all that this requires, is left out instead. Compared with Debian's systemd in a container: tests/facts/systemd/cells.py.
"""

from __future__ import annotations

import graphlib
from collections.abc import Iterator

from v2vlint.facts.syntax.systemd_unit import Unit
from v2vlint.facts.systemd.goal import BootGoal
from v2vlint.facts.systemd.mount_graph import required_paths
from v2vlint.facts.systemd.mount_units import MountUnits
from v2vlint.facts.systemd.refused import refusal
from v2vlint.facts.systemd.specifiers import units_named
from v2vlint.facts.systemd.unit_files import UnitFiles
from v2vlint.facts.systemd.unit_names import asked_by, is_unit_name
from v2vlint.model.dataclass import dataclass

_SYSINIT, _BASIC, _SHUTDOWN = "sysinit.target", "basic.target", "shutdown.target"
_EARLY = frozenset({"service", "socket", "timer", "path"})
"""Kinds of units that require sysinit.target by default."""
_ORDERED = _EARLY | {"target"}
"""Kinds that are never active before there are jobs, unlike mounts and slices."""
_MAX_UNITS = 10_000
_MAX_FAULTS = 20


@dataclass(frozen=True, slots=True)
class Unstartable:
    """``reason`` says what is wrong; ``place`` is the file that says so, empty if there is none. ``told`` says that it is the command
    line.
    """

    reason: str
    place: str
    told: bool = False


def unstartable(files: UnitFiles, mounts: MountUnits, goal: BootGoal) -> Unstartable | None:
    """What certainly keeps systemd from starting the target of the boot."""
    return next(_Required(files, mounts, goal).faults(), None)


class _Required:
    """What the target of the boot requires: each unit with the one that does so."""

    def __init__(self, files: UnitFiles, mounts: MountUnits, goal: BootGoal) -> None:
        self._files, self._mounts, self._goal = files, mounts, goal
        self._above = {goal.target: ""}
        self._owned, self._wanting = dict[str, list[str]](), dict[str, list[str]]()
        self._waited = dict[str, tuple[str, ...]]()
        for mount in mounts.units.values():
            for owner in mount.required_by:
                self._owned.setdefault(files.alias_of(owner), []).append(mount.name)
            for owner in mount.wanted_by:
                self._wanting.setdefault(files.alias_of(owner), []).append(mount.name)

    def faults(self) -> Iterator[Unstartable]:
        """Units that cannot be loaded, then those that cannot be started together."""
        target = self._goal.target
        if why := self._unloadable(target, target):
            yield self._fault(target, "", why)
        pending, found = [target], list[tuple[str, Unstartable]]()
        while pending and len(self._above) < _MAX_UNITS:
            above = pending.pop(0)
            for asked, starts in self._below(above):
                name = self._files.alias_of(asked)
                if len(found) < _MAX_FAULTS and (why := self._unloadable(asked, name)):
                    found.append((above, self._fault(asked, above, why)))
                elif starts and name not in self._above:
                    self._above[name] = above
                    pending.append(name)
        yield from (fault for above, fault in found if not self._may_be_wanted_first(above))
        yield from self._conflicts()
        yield from self._cycle()

    def _may_be_wanted_first(self, name: str) -> bool:
        """Whether something that is merely wanted may start ``name`` before what requires it does. Its own requirements are looked at only
        then, and a fault of theirs passes. Units that a unit requires come before those that it wants, in no fixed order.
        """
        if name == self._goal.target:
            return False
        over = dict[str, list[str]]()
        for above in self._above:
            for asked in self._started(above):
                over.setdefault(self._files.alias_of(asked), []).append(above)
        pending, strong = [name], {name}
        while pending:
            new = [above for above in over.get(pending.pop(), ()) if above not in strong]
            strong.update(new)
            pending += new
        pending, seen = [wanted for above in self._above if above not in strong for wanted in self._wanted(above)], set[str]()
        while pending and len(seen) < _MAX_UNITS:
            asked = self._files.alias_of(pending.pop())
            if asked not in seen:
                seen.add(asked)
                pending += [*self._wanted(asked), *self._started(asked)]
        return name in seen

    def _started(self, above: str) -> Iterator[str]:
        yield from (name for name, starts in self._below(above) if starts)

    def _wanted(self, above: str) -> Iterator[str]:
        yield from (*units_named(self._unit(above), "Wants", "Upholds"), *self._wanting.get(above, ()))
        yield from (name for kind in ("wants", "upholds") for name in self._files.linked(above, kind))

    def _fault(self, asked: str, above: str, why: str) -> Unstartable:
        path = self._files.path(above if why == "is not there" else asked) or ""
        told = bool({asked, self._files.alias_of(asked)} & self._goal.masked)
        return Unstartable(f"{above} requires {asked}, which {why}" if above else f"{asked} {why}", path, told)

    def _below(self, above: str) -> Iterator[tuple[str, bool]]:
        """What ``above`` requires, and whether it starts that: Requisite= does not."""
        unit, mount = self._unit(above), self._mounts.units.get(above)
        linked = (*self._files.linked(above, "requires"), *self._owned.get(above, ()))
        paths = required_paths(unit) if mount is None else mount.paths
        yield from ((name, True) for name in (units_named(unit, "Requires", "BindsTo") if mount is None else mount.pulls))
        yield from ((asked_by(name, above), True) for name in linked if is_unit_name(name))
        yield from ((name, True) for path in paths for name in self._mounts.covering(path))
        yield from ((name, False) for name in units_named(unit, "Requisite"))
        if _kind(above) in _EARLY and self._is_usual(above):
            yield _SYSINIT, True

    def _unloadable(self, asked: str, name: str) -> str:
        if {asked, name} & self._goal.masked:
            return "is masked"
        if name not in self._mounts.units and (self._files.is_masked(asked) or self._files.is_masked(name)):
            return "is masked"
        if name in self._mounts.units:
            return "has no What=" if _kind(name) == "mount" and self._mounts.units[name].entry is None and self._refusal(name) else ""
        if not self._mounts.is_early(name, self._files) and self._files.lacks(name):
            return "is not there"
        return self._refusal(name) or ("has a Where= that is not its name's" if _kind(name) == "mount" and self._files.own(name) else "")

    def _refusal(self, name: str) -> str:
        unit = self._files.own(name)
        return refusal(unit) if unit is not None and self._files.is_whole else ""

    def _unit(self, name: str) -> Unit:
        return self._files.own(name) or self._files.changes(name)

    def _is_usual(self, name: str) -> bool:
        """Whether it has a file, and the dependencies that systemd adds to units of its kind."""
        unit = self._files.own(name)
        return unit is not None and unit.boolean("Unit", "DefaultDependencies") is not False

    def _conflicts(self) -> Iterator[Unstartable]:
        """Two required units of which one stops the other."""
        for name in self._above if self._files.is_whole else ():
            excluded = [*units_named(self._unit(name), "Conflicts")]
            excluded += [_SHUTDOWN] if _kind(name) in _ORDERED and self._is_usual(name) else []
            for asked in excluded:
                other = self._files.alias_of(asked)
                if other in self._above and other != name:
                    by = self._above[other]
                    yield Unstartable(f"{by or 'the boot'} requires {other}, and {name} conflicts with that", self._files.path(name) or "")

    def _cycle(self) -> Iterator[Unstartable]:
        """Required units that wait for each other. systemd breaks a cycle only where some unit of it is merely wanted."""
        waits = {name: set(self._awaited(name)) for name in self._above if _kind(name) in _ORDERED} if self._files.is_whole else {}
        for name in tuple(waits):
            for asked in units_named(self._unit(name), "Before"):
                if (other := self._files.alias_of(asked)) in waits:
                    waits[other].add(name)
        try:
            graphlib.TopologicalSorter({name: others - {name} for name, others in waits.items()}).prepare()
        except graphlib.CycleError as error:
            ring = [str(name) for name in reversed(error.args[1])]
            start = self._files.path(ring[0]) or ""
            yield Unstartable(f"units that it requires wait for each other: {' after '.join(ring)}", start)

    def _awaited(self, name: str) -> Iterator[str]:
        """The required units that ``name`` starts after, but for those that say so themselves."""
        yield from (other for other in self._lower(name) if other in self._above and _kind(other) in _ORDERED)
        if _kind(name) == "target" and self._is_usual(name):
            yield from (other for other in self._members(name) if not self._is_after(other, name))

    def _lower(self, name: str) -> Iterator[str]:
        """What ``name`` says it is after, and what systemd adds to that for its kind."""
        kind = _kind(name)
        added = ((_SYSINIT, _BASIC) if kind == "service" else (_SYSINIT,)) if kind in _EARLY and self._is_usual(name) else ()
        yield from (self._files.alias_of(asked) for asked in (*units_named(self._unit(name), "After"), *added))

    def _members(self, target: str) -> tuple[str, ...]:
        """The units that a target waits for without saying so (unit_add_default_target_dependency())."""
        if target not in self._waited:
            self._waited[target] = tuple(dict.fromkeys(self._pulled(target)))
        return self._waited[target]

    def _pulled(self, target: str) -> Iterator[str]:
        pulled = units_named(self._unit(target), "Requires", "BindsTo", "Wants", "Requisite")
        linked = (name for kind in ("requires", "wants") for name in self._files.linked(target, kind))
        for other in map(self._files.alias_of, (*pulled, *linked)):
            if other in self._above and _kind(other) in _ORDERED and self._is_usual(other):
                yield other

    def _is_after(self, name: str, target: str) -> bool:
        """Whether ``target`` does not wait for ``name`` by default, as that waits for it already. Of two targets that pull in each other
        the first to be loaded waits for the other: which one is unknown.
        """
        if target in self._lower(name) or (_kind(name) == "target" and target in self._members(name)):
            return True
        return name in map(self._files.alias_of, units_named(self._unit(target), "Before"))


def _kind(name: str) -> str:
    return name.rpartition(".")[2]
