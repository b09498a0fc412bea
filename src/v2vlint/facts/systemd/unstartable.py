"""A requirement of the default target that systemd cannot load: it then starts nothing at all, and freezes as process 1.

Jobs for everything that the target requires, directly or not, belong to its own job: one of them refused refuses all
(transaction_add_job_and_dependencies() of transaction.c), and do_queue_default_job() of main.c has no other target then. What is only
wanted, and all that this requires, is left out instead. Compared with Debian's systemd in a container: tests/facts/systemd/cells.py.
"""

from __future__ import annotations

from collections.abc import Iterator

from v2vlint.facts.systemd.goal import BootGoal
from v2vlint.facts.systemd.mount_units import MountUnits
from v2vlint.facts.systemd.specifiers import words
from v2vlint.facts.systemd.unit_files import UnitFiles
from v2vlint.model.dataclass import dataclass

_STRONG = ("Requires", "BindsTo", "Requisite")
_MAX_UNITS = 10_000


@dataclass(frozen=True, slots=True)
class Unstartable:
    """``name`` is required by ``above``, and masked or not there."""

    name: str
    above: str
    masked: bool


def unstartable(files: UnitFiles, mounts: MountUnits, goal: BootGoal) -> Unstartable | None:
    """The first requirement of the target of the boot that certainly cannot be loaded."""
    return next(_broken(files, mounts, goal), None)


def _broken(files: UnitFiles, mounts: MountUnits, goal: BootGoal) -> Iterator[Unstartable]:
    pending, seen = [goal.target], {goal.target}
    while pending and len(seen) < _MAX_UNITS:
        above = pending.pop(0)
        for asked in _required(files, above):
            name = files.alias_of(asked)
            masked = {asked, name} & goal.masked or files.is_masked(asked) or files.is_masked(name)
            if masked or (name not in mounts.units and files.lacks(name)):
                yield Unstartable(asked, above, bool(masked))
            elif name not in seen:
                seen.add(name)
                pending.append(name)


def _required(files: UnitFiles, name: str) -> Iterator[str]:
    unit = files.own(name) or files.changes(name)
    yield from words(unit, "Unit", *_STRONG)
    yield from files.linked(name, "requires")
