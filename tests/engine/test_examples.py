"""Fixing the guests of examples in memory."""

from __future__ import annotations

import pytest

from v2vlint.engine.examples import apply_edits, same_content
from v2vlint.model.fix import CopyFile, Delete, Edit, RegistrySet, ReplaceText, WriteData, WriteFile
from v2vlint.model.place import Span
from v2vlint.model.registry import dword
from v2vlint.model.rewrite import StaleEdit
from v2vlint.model.rule import Content, Hive

SYSTEM = "/Windows/System32/config/SYSTEM"
FILES: dict[str, Content] = {
    "/a": "one two\n",
    "/b": b"\0\1",
    SYSTEM: Hive('[Services\\x]\n"Start"=dword:0\n"Type"=dword:1\n'),
}
START = RegistrySet(SYSTEM, "services\\X", "start", dword(4), dword(0))


@pytest.mark.parametrize(
    ("edit", "path", "content"),
    [
        (ReplaceText(Span("/a", 4, 7, 1), "two", "three"), "/a", "one three\n"),
        (WriteFile("/new", "x"), "/new", "x"),
        (Delete("/a"), "/a", None),
        (CopyFile("/b", "/c"), "/c", b"\0\1"),
        (WriteData("/c", b"\2"), "/c", b"\2"),
        (START, SYSTEM, Hive('[Services\\x]\n"Type"=dword:1\n"Start"=dword:4\n')),
    ],
)
def test_one_file_changes(edit: Edit, path: str, content: Content | None) -> None:
    after = apply_edits(FILES, [edit, edit])
    assert same_content(after.get(path), content)
    assert {name for name in after if after[name] != FILES.get(name)} <= {path}


@pytest.mark.parametrize(
    "edit",
    [
        WriteData("/b", b"\2"),
        CopyFile("/a", "/b"),
        WriteFile("/a", "x"),
        RegistrySet(SYSTEM, "Services\\x", "Start", dword(4), None),
    ],
)
def test_edits_that_do_not_fit(edit: Edit) -> None:
    with pytest.raises(StaleEdit):
        apply_edits(FILES, [edit])


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (Hive("[a]\n[b]\n"), Hive("[B]\n[a]\n"), False),
        (Hive('[a]\n"x"=dword:1\n"y"=dword:2\n'), Hive('[a]\n"y"=dword:2\n"x"=dword:00000001\n'), True),
        (Hive("[a]\n"), "[a]\n", False),
        ("x", "x", True),
        (None, "x", False),
    ],
)
def test_hives_are_equal_by_content(one: Content | None, other: Content | None, *, same: bool) -> None:
    assert same_content(one, other) is same
