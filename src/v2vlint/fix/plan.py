"""Choosing fixes and computing what they do to text files. Pure: nothing is written, so a dry run is the real run minus the last step."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from v2vlint.model.fix import Applicability, Delete, Edit, Fix, ReplaceText, WriteFile

Reader = Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class HeldBack:
    """A fix not taken, and why."""

    fix: Fix
    reason: str


@dataclass(frozen=True, slots=True)
class Plan:
    """Fixes to apply together, and those held back."""

    chosen: tuple[Fix, ...] = ()
    held_back: tuple[HeldBack, ...] = ()


def plan(fixes: Iterable[Fix], at_least: Applicability) -> Plan:
    """Take every fix at least that safe; of overlapping ones the first by place wins, the others wait for the next round."""
    chosen: list[Fix] = []
    held: list[HeldBack] = []
    taken: set[Edit] = set()
    for fix in sorted(fixes, key=_position):
        if fix.applicability < at_least:
            held.append(HeldBack(fix, f"is {fix.applicability.name.lower()}"))
        elif all(edit in taken for edit in fix.edits):
            continue
        elif any(_overlap(edit, other) for edit in fix.edits for other in taken if edit != other):
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


def _overlap(edit: Edit, other: Edit) -> bool:
    if isinstance(edit, ReplaceText) and isinstance(other, ReplaceText):
        a, b = edit.where, other.where
        return a.path == b.path and a.start <= b.end and b.start <= a.end and not (a.end == b.start or b.end == a.start)
    if isinstance(edit, ReplaceText | WriteFile | Delete) and isinstance(other, ReplaceText | WriteFile | Delete):
        return _path(edit) == _path(other) and not (isinstance(edit, ReplaceText) and isinstance(other, ReplaceText))
    return False


def _path(edit: ReplaceText | WriteFile | Delete) -> str:
    return edit.where.path if isinstance(edit, ReplaceText) else edit.path


class StaleEdit(ValueError):
    """The text is no longer what the edit expects."""


@dataclass(slots=True)
class _Sheet:
    before: str | None
    replacements: list[ReplaceText] = field(default_factory=list)
    created: str | None = None
    deleted: bool = False


def rewrite(edits: Iterable[Edit], read: Reader) -> dict[str, tuple[str | None, str | None]]:
    """Texts (before, after) of every text file the edits touch; None means absent. StaleEdit when an expectation fails."""
    sheets: dict[str, _Sheet] = {}
    for edit in edits:
        if not isinstance(edit, ReplaceText | WriteFile | Delete):
            continue
        sheet = sheets.setdefault(_path(edit), _Sheet(read(_path(edit))))
        if isinstance(edit, ReplaceText):
            if edit not in sheet.replacements:
                sheet.replacements.append(edit)
        elif isinstance(edit, WriteFile):
            if sheet.before is not None:
                raise StaleEdit(f"{edit.path} exists already")
            sheet.created = edit.text
        else:
            sheet.deleted = True
    return {path: (sheet.before, _after(path, sheet)) for path, sheet in sheets.items()}


def _after(path: str, sheet: _Sheet) -> str | None:
    if sheet.deleted:
        return None
    if sheet.created is not None:
        return sheet.created
    text = sheet.before
    if text is None:
        raise StaleEdit(f"{path} does not exist")
    for edit in sorted(sheet.replacements, key=lambda edit: edit.where.start, reverse=True):
        start, end = edit.where.start, edit.where.end
        if text[start:end] != edit.expect:
            raise StaleEdit(f"{edit.where} no longer reads {edit.expect!r}")
        text = text[:start] + edit.text + text[end:]
    return text


def unified(changes: Mapping[str, tuple[str | None, str | None]]) -> str:
    """One unified diff of all changed text files, sorted by path, with ``/dev/null`` for absent sides."""
    parts: list[str] = []
    for path in sorted(changes):
        before, after = changes[path]
        old, new = ("" if before is None else before), ("" if after is None else after)
        names = ("/dev/null" if before is None else f"a{path}", "/dev/null" if after is None else f"b{path}")
        diff = difflib.unified_diff(old.splitlines(keepends=True), new.splitlines(keepends=True), *names)
        parts.extend(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in diff)
    return "".join(parts)
