"""The effect of edits on text files. Pure functions: texts in, texts out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import field

from v2vlint.model.dataclass import dataclass
from v2vlint.model.fix import Delete, Edit, RegistryDeleteKey, RegistryEdit, RegistrySet, ReplaceText, WriteFile
from v2vlint.model.registry import RegistryData, quoted

Reader = Callable[[str], str | None]


def edited_path(edit: ReplaceText | WriteFile | Delete) -> str:
    """The text file that an edit changes."""
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
    """The texts (before, after) of every file that the edits touch; None means absent. StaleEdit when an expectation fails."""
    sheets: dict[str, _Sheet] = {}
    for edit in edits:
        if not isinstance(edit, ReplaceText | WriteFile | Delete):
            continue
        sheet = sheets.setdefault(edited_path(edit), _Sheet(read(edited_path(edit))))
        if isinstance(edit, ReplaceText):
            if edit not in sheet.replacements:
                sheet.replacements.append(edit)
        elif isinstance(edit, WriteFile):
            if sheet.before is not None:
                raise StaleEdit(f"{edit.path} already exists")
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
    # From the end, so that places further up stay valid.
    for edit in sorted(sheet.replacements, key=lambda edit: (edit.where.start, edit.where.end), reverse=True):
        start, end = edit.where.start, edit.where.end
        if text[start:end] != edit.expect:
            raise StaleEdit(f"{edit.where} no longer reads {edit.expect!r}")
        text = text[:start] + edit.text + text[end:]
    return text


def registry_changes(edits: Iterable[Edit]) -> dict[str, tuple[str | None, str | None]]:
    """The part of each hive that the edits touch, as the text of a ``.reg`` file before and after; "before" is what the edits expect."""
    hives: dict[str, list[RegistryEdit]] = {}
    for edit in dict.fromkeys(edits):
        if isinstance(edit, RegistrySet | RegistryDeleteKey):
            hives.setdefault(edit.hive, []).append(edit)
    return {hive: (_registry_text(found, after=False), _registry_text(found, after=True)) for hive, found in hives.items()}


def _registry_text(edits: Iterable[RegistryEdit], *, after: bool) -> str:
    keys: dict[str, list[str]] = {}
    for edit in edits:
        if isinstance(edit, RegistrySet):
            value = edit.value if after else edit.expect
            if value is not None:
                keys.setdefault(edit.key, []).append(_value_line(edit.name, value))
        elif not after:
            keys.setdefault(edit.key, []).extend(_value_line(name, value) for name, value in edit.expect)
    return "".join(f"[{key}]\n{''.join(sorted(lines))}" for key, lines in sorted(keys.items(), key=lambda item: item[0].lower()))


def _value_line(name: str, value: RegistryData) -> str:
    return f"{quoted(name) if name else '@'}={value}\n"


def unified(changes: Mapping[str, tuple[str | None, str | None]]) -> str:
    """One unified diff of all changed files, sorted by path, with ``/dev/null`` for an absent side."""
    import difflib

    parts: list[str] = []
    for path in sorted(changes):
        before, after = changes[path]
        old, new = ("" if before is None else before), ("" if after is None else after)
        names = ("/dev/null" if before is None else f"a{path}", "/dev/null" if after is None else f"b{path}")
        diff = difflib.unified_diff(_lines(old), _lines(new), *names)
        parts.extend(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in diff)
    return "".join(parts)


def _lines(text: str) -> list[str]:
    return [line for line in re.split(r"(?<=\n)", text) if line]
