"""What the kernel command line tells systemd: the target to reach, units to mask, whether to read fstab (kernel-command-line(7))."""

from __future__ import annotations

from collections.abc import Iterable

from v2vlint.facts.boot.bootloader import default_entries
from v2vlint.facts.boot.cmdline import KernelArg
from v2vlint.facts.registry import FactStore, provides
from v2vlint.facts.systemd.unit_files import UnitFiles
from v2vlint.model.dataclass import dataclass

# rlmap of systemd's proc-cmdline.c.
_LEVELS = {
    "emergency": "emergency.target", "-b": "emergency.target", "rescue": "rescue.target", "single": "rescue.target",
    "s": "rescue.target", "S": "rescue.target", "1": "rescue.target", "2": "multi-user.target", "3": "multi-user.target",
    "4": "multi-user.target", "5": "graphical.target",
}  # fmt: skip
_RESCUE = "rescue.target"
_NO = frozenset({"0", "no", "n", "false", "f", "off"})


@dataclass(frozen=True, slots=True)
class BootGoal:
    """``target`` is the unit to start, ``masked`` are units masked on the command line, ``reads_fstab`` says whether fstab is used at
    all.
    """

    target: str = "default.target"
    masked: frozenset[str] = frozenset()
    reads_fstab: bool = True


@provides
def find_boot_goal(units: UnitFiles, store: FactStore) -> BootGoal:
    """Determined by the default entry; if there are several that differ (one for each firmware), the usual values apply."""
    found = {goal_of(entry.args) for entry in default_entries(store)}
    goal = found.pop() if len(found) == 1 else BootGoal()
    return BootGoal(_started(units, units.alias_of(goal.target), goal.masked), goal.masked, goal.reads_fstab)


def _started(units: UnitFiles, target: str, masked: frozenset[str]) -> str:
    """systemd starts rescue.target in place of a default target that it cannot load (do_queue_default_job() of its main.c)."""
    there = units.path(target) is not None and not units.is_masked(target) and target not in masked
    return target if there or not units.path(_RESCUE) else _RESCUE


def goal_of(args: Iterable[KernelArg]) -> BootGoal:
    """The goal of one command line; of several words for the target, the last one counts."""
    target, masked, fstab = "default.target", set[str](), True
    for arg in args:
        if arg.name == "systemd.unit" and arg.value:
            target = arg.value
        elif arg.value is None and arg.name in _LEVELS:
            target = _LEVELS[arg.name]
        elif arg.name == "systemd.mask" and arg.value:
            masked.add(arg.value if "." in arg.value else f"{arg.value}.service")
        elif arg.name == "fstab":
            fstab = (arg.value or "yes").lower() not in _NO
    return BootGoal(target, frozenset(masked), fstab)
