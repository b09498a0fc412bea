"""kill -9 at every named point of a transaction: the next run finds the old files or the new ones, and nothing else is left behind."""

from __future__ import annotations

import functools
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fixing import stand_in
from tests.fixing.stand_in import EDITS, killed_at, make, patched
from v2vlint.fixing import transaction
from v2vlint.fixing.transaction import WritableDisk
from v2vlint.model.errors import ImageError
from v2vlint.source.journal import pending

KILLS = 200


def _files(disks: list[WritableDisk]) -> tuple[bytes, ...]:
    return tuple(disk.image.read_bytes() for disk in disks)


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def _kinds(folder: Path) -> set[str]:
    return {name.split(".v2vlint-")[1] for name in _names(folder) if ".v2vlint-" in name}


def _recovered(disks: list[WritableDisk], expected: set[tuple[bytes, ...]]) -> tuple[bytes, ...]:
    """The files after the next run, killed once more on its way."""
    killed_at(1, functools.partial(_recover, disks))
    _recover(disks)
    found = _files(disks)
    assert found in expected
    assert not list(pending([str(disk.image) for disk in disks]))
    return found


def _recover(disks: list[WritableDisk]) -> None:
    with transaction.locked([disks[0].image]):
        transaction.recover(disks[0].image)


def _every_point(work: Callable[[], None], after: Callable[[str], None]) -> Counter[str]:
    """Kill ``work`` at its first point, its second… until it comes to its end; ``after`` looks and puts everything back."""
    points: Counter[str] = Counter()
    number = 0
    while point := killed_at(number, work):
        points[point] += 1
        after(point)
        number += 1
    return points


def test_two_hundred_kills_leave_the_old_files_or_the_new_ones(memory: Path) -> None:
    points: Counter[str] = Counter()
    for names in (["a.img"], ["a.img", "b.img"], ["c.img", "d.img", "e.img"]):
        folder = memory / str(len(names))
        folder.mkdir()
        points += _kill_fixes([make(folder, name) for name in names])
        points += _kill_undos([make(folder, f"u{name}") for name in names])
        points += _kill_second_fixes([make(folder, f"s{name}") for name in names])
    assert points.total() >= KILLS
    assert {"editing", "shadow", "redo", "prepared", "committing", "marked", "changed", "applied", "done"} <= set(points)
    assert {"undoing", "restored", "undone", "removed"} <= set(points)


def _kill_fixes(disks: list[WritableDisk]) -> Counter[str]:
    folder = disks[0].image.parent
    old, names = _files(disks), _names(folder)
    new = tuple(stand_in.new_bytes(content, EDITS[0]) for content in old)
    early = {"editing", "shadow", "redo", "prepared"}

    def after(point: str) -> None:
        found = _recovered(disks, {old, new})
        assert (found == old) == (point in early), point
        if found == new:
            assert _kinds(folder) == {"journal", "undo"}
            stand_in.undo(disks)
        assert _files(disks) == old
        assert _names(folder) == names

    with patched(EDITS[0]):
        points = _every_point(lambda: stand_in.fix(disks, "a fix"), after)
        stand_in.undo(disks)
    return points


def _kill_undos(disks: list[WritableDisk]) -> Counter[str]:
    old = _files(disks)
    new = tuple(stand_in.new_bytes(content, EDITS[0]) for content in old)

    def after(_point: str) -> None:
        if _recovered(disks, {old, new}) == old:
            stand_in.fix(disks, "a fix")
        assert _files(disks) == new

    with patched(EDITS[0]):
        stand_in.fix(disks, "a fix")
        points = _every_point(lambda: stand_in.undo(disks), after)
    assert _files(disks) == old
    return points


def _kill_second_fixes(disks: list[WritableDisk]) -> Counter[str]:
    old = _files(disks)
    first = tuple(stand_in.new_bytes(content, EDITS[0]) for content in old)
    second = tuple(stand_in.new_bytes(content, EDITS[1]) for content in first)

    def after(_point: str) -> None:
        found = _recovered(disks, {first, second})
        journal = transaction.read_journal(disks[0].image)
        assert journal is not None
        assert journal.titles == (("one",) if found == first else ("one", "two"))
        if found == second:
            stand_in.undo(disks)
            assert _files(disks) == old
            with patched(EDITS[0]):
                stand_in.fix(disks, "one")

    with patched(EDITS[0]):
        stand_in.fix(disks, "one")
    with patched(EDITS[1]):
        points = _every_point(lambda: stand_in.fix(disks, "two"), after)
    stand_in.undo(disks)
    assert _files(disks) == old
    return points


@pytest.mark.parametrize("what", ["a fix", "an undo"])
def test_who_wrote_after_an_interruption_is_not_overwritten(memory: Path, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    """At every point; the write is far from every block that the transaction knows."""
    monkeypatch.setattr(transaction, "_IN_FLIGHT", 50_000_000)
    work = stand_in.undo if what == "an undo" else functools.partial(stand_in.fix, title="a fix")
    for number in range(100):
        (memory / f"{number}").mkdir()
        disk = make(memory / f"{number}")
        with patched(EDITS[0]):
            if what == "an undo":
                stand_in.fix([disk], "a fix")
            point = killed_at(number, functools.partial(work, [disk]))
        if not point:
            break
        _guest_runs_after(disk, point)
    assert number > 10


def _guest_runs_after(disk: WritableDisk, point: str) -> None:
    """While a write is under way only the time that it may take tells the two apart."""
    journal = transaction.read_journal(disk.image)
    assert journal is not None or point == "removed"
    if point in ("marked", "changed"):
        time.sleep(0.06)
    with disk.image.open("r+b") as stream:
        stream.seek(200_000)
        stream.write(b"the guest")
    there = disk.image.read_bytes()
    if journal is not None and journal.state in ("committing", "undoing"):
        with pytest.raises(ImageError, match="another program wrote"):
            _recover([disk])
        (problem,) = pending([str(disk.image)])
        assert "interrupted" in problem.reason
    else:
        _recover([disk])
    assert disk.image.read_bytes() == there
