"""Chooses the fixes to apply together. Pure: nothing is written, so a dry run is the real run minus the last step."""

from __future__ import annotations

from collections.abc import Iterable

from v2vlint.model.dataclass import dataclass
from v2vlint.model.fix import (
    Applicability,
    Delete,
    Edit,
    Fix,
    RegistryDeleteKey,
    RegistryEdit,
    RegistrySet,
    ReplaceText,
    WriteData,
    WriteFile,
)
from v2vlint.model.rewrite import Reader, StaleEdit, edited_path, rewrite, unified

__all__ = ["HeldBack", "Plan", "Reader", "StaleEdit", "plan", "rewrite", "unified"]


@dataclass(frozen=True, slots=True)
class HeldBack:
    """A fix that was not chosen, and why."""

    fix: Fix
    reason: str


@dataclass(frozen=True, slots=True)
class Plan:
    """Fixes to apply together, and those held back."""

    chosen: tuple[Fix, ...] = ()
    held_back: tuple[HeldBack, ...] = ()


def plan(fixes: Iterable[Fix], at_least: Applicability) -> Plan:
    """Choose every fix that is at least that safe; of overlapping ones, the first by place, the others in the next round."""
    chosen: list[Fix] = []
    held: list[HeldBack] = []
    taken: set[Edit] = set()
    for fix in sorted(fixes, key=_position):
        if fix.applicability < at_least:
            held.append(HeldBack(fix, f"is {fix.applicability.name.lower()}"))
        # Another fix makes the same edits already.
        elif all(edit in taken for edit in fix.edits):
            continue
        elif any(_overlap(edit, other) for edit in fix.edits for other in taken if edit != other) or any(
            _share(fix, one) for one in chosen
        ):
            held.append(HeldBack(fix, "overlaps another fix"))
        else:
            chosen.append(fix)
            taken.update(fix.edits)
    return Plan(tuple(chosen), tuple(held))


def _position(fix: Fix) -> tuple[str, int]:
    for edit in fix.edits:
        if isinstance(edit, ReplaceText):
            return edit.where.path, edit.where.start
    return "", -1


def _share(fix: Fix, other: Fix) -> bool:
    """Whether both make the same edit of a file and each makes others there: room that is made in a GRUB environment block is for one."""
    mine, theirs = ([edit for edit in one.edits if isinstance(edit, ReplaceText)] for one in (fix, other))
    paths = {edit.where.path for edit in mine if edit in theirs}
    return any(
        any(edit.where.path == path and edit not in theirs for edit in mine)
        and any(edit.where.path == path and edit not in mine for edit in theirs)
        for path in paths
    )


def _overlap(edit: Edit, other: Edit) -> bool:
    if isinstance(edit, ReplaceText) and isinstance(other, ReplaceText):
        a, b = edit.where, other.where
        if a.path != b.path or a.start > b.end or b.start > a.end:
            return False
        # Two texts at one place would run into each other.
        return (a.start, a.end) == (b.start, b.end) or not (a.end == b.start or b.end == a.start)
    if isinstance(edit, RegistrySet | RegistryDeleteKey) and isinstance(other, RegistrySet | RegistryDeleteKey):
        return _registry_overlap(edit, other)
    if isinstance(edit, WriteData) and isinstance(other, WriteData):
        return edit.path.lower() == other.path.lower()
    if isinstance(edit, ReplaceText | WriteFile | Delete) and isinstance(other, ReplaceText | WriteFile | Delete):
        return edited_path(edit) == edited_path(other) and not (isinstance(edit, ReplaceText) and isinstance(other, ReplaceText))
    return False


def _registry_overlap(edit: RegistryEdit, other: RegistryEdit) -> bool:
    if edit.hive.lower() != other.hive.lower():
        return False
    if isinstance(edit, RegistrySet) and isinstance(other, RegistrySet):
        return (edit.key.lower(), edit.name.lower()) == (other.key.lower(), other.name.lower())
    a, b = f"{edit.key.lower()}\\", f"{other.key.lower()}\\"
    return a.startswith(b) or b.startswith(a)
