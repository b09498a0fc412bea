"""What lies beside an image is not trusted: journals and undo files that were put there, links, pipes, other people's files, copies."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.disk.images import run
from tests.fixing import stand_in
from tests.fixing.stand_in import EDITS, fixed, make, new_bytes, patched, stranded
from v2vlint.cli.main import main
from v2vlint.fixing import qemu, transaction
from v2vlint.fixing.transaction import WritableDisk
from v2vlint.model.errors import ImageError, UsageError
from v2vlint.source import sidecars
from v2vlint.source.journal import FixJournal, NotItsJournal, pending, read_journal, write_journal

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="gives files to another user")


@pytest.mark.parametrize("verb", [["undo"], ["--fix", "--no-config"], ["check", "--no-config"]])
@pytest.mark.parametrize("state", ["committing", "undoing"])
def test_a_journal_that_comes_with_an_image_writes_no_host_file(tmp_path: Path, verb: list[str], state: str) -> None:
    """The files of earlier versions, whose undo file was a qcow2 overlay with a backing file of the sender's choice."""
    victim, image = tmp_path / "authorized_keys", tmp_path / "in/disk.qcow2"
    image.parent.mkdir()
    victim.write_bytes(b"ssh-ed25519 mine".ljust(1 << 16))
    run("qemu-img", "create", "-q", "-f", "qcow2", image, "1M")
    kind = "undo" if state == "undoing" else "overlay"
    layer = f"{image}.v2vlint-{kind}"
    run("qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", victim, layer)
    run("qemu-io", "-f", "qcow2", "-c", "write -P 65 0 512", layer)
    for name, version in (("disk.qcow2", 1), ("../authorized_keys", 1), ("../authorized_keys", 2)):
        journal = {"version": version, "state": state, "disks": [{"image": name, "driver": "raw"}], "titles": ["x"], "stamps": [[0, 0]]}
        Path(f"{image}.v2vlint-journal").write_text(json.dumps({**journal, "earlier": 0, "id": "0" * 32}), "utf-8")
        before = victim.read_bytes(), image.read_bytes()
        assert main([*verb, str(image)]) in (2, 3)
        assert (victim.read_bytes(), image.read_bytes()) == before


@pytest.mark.parametrize("state", ["editing", "committing", "undoing"])
def test_sidecars_of_one_image_do_nothing_to_another(tmp_path: Path, state: str) -> None:
    """A copy of the image with its sidecars, as an archive brings them; and the sidecars alone beside an image of the same size."""
    (tmp_path / "there").mkdir()
    stranded(tmp_path, state)
    for path in list(tmp_path.glob("disk.img*")):
        shutil.copy2(path, tmp_path / "there")
    copy = tmp_path / "there/disk.img"
    before = copy.read_bytes()
    with pytest.raises(NotItsJournal, match="belongs to another file"):
        transaction.recover(copy, force=True)
    with pytest.raises(NotItsJournal):
        transaction.undo(copy, force=True)
    (problem,) = pending([str(copy)])
    assert "rm " in problem.hint
    assert copy.read_bytes() == before


def test_another_disk_of_the_guest_counts_only_when_its_own_journal_says_so(tmp_path: Path) -> None:
    a, b = stranded(tmp_path, "committing", "a.img", "b.img")
    victim = tmp_path / "b.img"
    sidecars.remove(sidecars.place(victim), "journal")
    before = victim.read_bytes(), a.image.read_bytes()
    with pytest.raises(NotItsJournal, match="does not say so"):
        transaction.recover(a.image)
    assert (b.image.read_bytes(), a.image.read_bytes()) == before


def test_a_link_in_place_of_another_disk_is_not_followed(tmp_path: Path) -> None:
    a, b = stranded(tmp_path, "committing", "a.img", "b.img")
    victim = tmp_path / "victim"
    victim.write_bytes(b.image.read_bytes())
    b.image.unlink()
    b.image.symlink_to(victim)
    with pytest.raises(ImageError):
        transaction.recover(a.image)
    assert victim.read_bytes() == make(tmp_path, "fresh").image.read_bytes()


@pytest.mark.parametrize("kind", ["redo", "undo.new", "journal"])
def test_damaged_sidecars_write_nothing(tmp_path: Path, kind: str) -> None:
    (disk,) = stranded(tmp_path, "committing")
    before = disk.image.read_bytes()
    path = Path(f"{disk.image}.v2vlint-{kind}")
    content = bytearray(path.read_bytes())
    for position in range(0, len(content), max(1, len(content) // 40)):
        damaged = bytearray(content)
        damaged[position] ^= 0x21
        path.write_bytes(damaged)
        try:
            transaction.recover(disk.image)
        except ImageError:
            assert disk.image.read_bytes() == before
        else:
            assert kind == "journal" or position < 64
            break


def test_undo_refuses_a_replaced_image_of_the_same_size_and_time(tmp_path: Path) -> None:
    disk = fixed(tmp_path)
    found, content = disk.image.stat(), disk.image.read_bytes()
    for replace in (_written_over, _renamed_over):
        replace(disk.image, bytes(byte ^ 1 for byte in content))
        os.utime(disk.image, ns=(found.st_atime_ns, found.st_mtime_ns))
        there = disk.image.read_bytes()
        with pytest.raises(ImageError, match=r"changed since|belongs to another"):
            transaction.undo(disk.image)
        with pytest.raises(ImageError):
            transaction.undo(disk.image, force=True)
        assert disk.image.read_bytes() == there


def _written_over(image: Path, content: bytes) -> None:
    with image.open("r+b") as stream:
        stream.write(content)


def _renamed_over(image: Path, content: bytes) -> None:
    other = image.with_name("other")
    other.write_bytes(content)
    other.rename(image)


def test_force_undoes_an_image_that_was_only_touched(tmp_path: Path) -> None:
    disk = make(tmp_path)
    old = disk.image.read_bytes()
    with patched(EDITS[0]):
        stand_in.fix([disk], "a fix")
    os.utime(disk.image)
    with pytest.raises(ImageError, match="changed since") as caught:
        transaction.undo(disk.image)
    assert "--force" in caught.value.hint
    assert main(["undo", "--force", str(disk.image)]) == 0
    assert disk.image.read_bytes() == old


@pytest.mark.parametrize("change", [lambda image: _written_over(image, b"guest"), lambda image: _renamed_over(image, image.read_bytes())])
def test_an_image_that_changed_between_begin_and_commit_is_not_written(tmp_path: Path, change: Callable[[Path], None]) -> None:
    disk = make(tmp_path)
    with patched(EDITS[0]), transaction.locked([disk.image]):
        journal = transaction.begin([disk], ["a fix"])
        change(disk.image)
        there = disk.image.read_bytes()
        with pytest.raises(ImageError, match=r"another program changed it|replaced by another"):
            transaction.commit(journal)
    assert disk.image.read_bytes() == there
    assert [path.name for path in tmp_path.iterdir()] == ["disk.img"]


def test_two_names_of_one_file_are_not_two_disks(tmp_path: Path) -> None:
    disk = make(tmp_path)
    (tmp_path / "hard").hardlink_to(disk.image)
    with patched(EDITS[0]), pytest.raises(UsageError, match="same file"):
        stand_in.fix([disk, WritableDisk(tmp_path / "hard", "raw")], "a fix")
    with transaction.locked([disk.image]), pytest.raises(qemu.ImageLocked), transaction.locked([tmp_path / "hard"]):
        pass


def test_disks_that_were_fixed_apart_or_in_another_order(tmp_path: Path) -> None:
    a, b = make(tmp_path, "a"), make(tmp_path, "b")
    old = a.image.read_bytes(), b.image.read_bytes()
    with patched(EDITS[0]):
        stand_in.fix([a, b], "one")
    with patched(EDITS[1]):
        stand_in.fix([b], "two")
    stand_in.undo([b])
    assert (a.image.read_bytes(), b.image.read_bytes()) == old
    with patched(EDITS[0]):
        stand_in.fix([a], "one")
        stand_in.fix([b], "one")
        with pytest.raises(ImageError, match="fixed apart"):
            stand_in.fix([a, b], "two")


def test_no_space_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = make(tmp_path)
    before = disk.image.read_bytes()
    with patched(EDITS[0]):
        journal = transaction.begin([disk], ["a fix"])
        monkeypatch.setattr(transaction, "HEADROOM", 1 << 62)
        with pytest.raises(ImageError, match="MiB free"):
            transaction.commit(journal)
    assert disk.image.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["disk.img"]


@as_root
def test_a_full_filesystem_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The space is there when it is looked for, and gone when the image grows."""
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "v2vlint-test", str(tmp_path)], capture_output=True)
    if done.returncode:
        pytest.skip("mount is not allowed here")
    try:
        monkeypatch.setattr(transaction, "HEADROOM", 0)
        for filler in range(0, 3 << 20, 100_000):
            _fill_and_fix(tmp_path, filler)
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def _fill_and_fix(folder: Path, filler: int) -> None:
    disk = make(folder)
    before = disk.image.read_bytes()
    try:
        (folder / "filler").write_bytes(bytes([1]) * filler)
    except OSError:
        filler = -1
    try:
        with patched(EDITS[0]):
            stand_in.fix([disk], "a fix")
    except (ImageError, OSError):
        assert disk.image.read_bytes() == before
        assert {path.name for path in folder.iterdir()} == {"disk.img", "filler"}
    else:
        stand_in.undo([disk])
    assert disk.image.read_bytes() == before
    for path in folder.iterdir():
        path.unlink()


@pytest.mark.parametrize(
    "damage",
    [
        {"version": 3},
        {"state": "burning"},
        {"id": "x"},
        {"members": []},
        {"members": 7},
        {"members": [[]]},
        {"titles": None},
        {"earlier": "x"},
        {"boot": 1},
    ],
)
def test_a_journal_with_anything_wrong_in_it_is_refused(tmp_path: Path, damage: dict[str, object]) -> None:
    (disk,) = stranded(tmp_path, "committing")
    path = Path(f"{disk.image}.v2vlint-journal")
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | damage), "utf-8")
    before = disk.image.read_bytes()
    for work in (transaction.recover, transaction.undo):
        with pytest.raises(ImageError, match="journal"):
            work(disk.image)
    assert disk.image.read_bytes() == before


HOSTILE: tuple[Any, ...] = (
    None, True, -1, 1 << 70, float("inf"), float("nan"), "", "a\0b", "\ud800", "\udcff", "../" * 50, "/dev/null", "a.img", [], {}, [None],
)  # fmt: skip


def _places(value: Any, above: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The way to every value in JSON data."""
    yield above
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from _places(value[key], (*above, key))


def _with(value: Any, place: tuple[str | int, ...], new: Any) -> Any:
    if not place:
        return new
    changed: Any = list(value) if isinstance(value, list) else dict(value)
    changed[place[0]] = _with(value[place[0]], place[1:], new)
    return changed


@pytest.mark.parametrize("name", ["a.img", "b.img"])
def test_no_value_in_a_journal_ends_a_run_or_writes(tmp_path: Path, name: str) -> None:
    """Whoever owns an image may write a journal that is bound to it: v2vlint of root reads it."""
    disks = stranded(tmp_path, "committing", "a.img", "b.img")
    before = [disk.image.read_bytes() for disk in disks]
    path = tmp_path / f"{name}.v2vlint-journal"
    kept = {one: one.read_bytes() for one in tmp_path.iterdir()}
    for place in _places(json.loads(kept[path])):
        for value in HOSTILE:
            path.write_text(json.dumps(_with(json.loads(kept[path]), place, value)), "utf-8")
            list(pending([str(disk.image) for disk in disks]))
            with suppress(ImageError):
                transaction.recover(tmp_path / name)
                assert [disk.image.read_bytes() for disk in disks] == [new_bytes(old, EDITS[0]) for old in before]
            for one, content in kept.items():
                if not one.exists() or one.read_bytes() != content:
                    one.touch(0o600)
                    one.write_bytes(content)


def test_a_journal_survives_writing_and_reading(tmp_path: Path) -> None:
    disks = stranded(tmp_path, "committing", "a.img", "b.img")
    journal = read_journal(disks[0].image)
    assert isinstance(journal, FixJournal)
    assert read_journal(disks[1].image) == journal
    write_journal(journal)
    assert read_journal(disks[0].image) == journal


@pytest.mark.parametrize(
    "damage", [{"see": 7}, {"see": "a\0b"}, {"see": None, "ino": None}, {"see": "gone"}, {"see": "/dev/null"}, {"see": "b.img"}]
)
def test_a_journal_that_points_nowhere_is_refused(tmp_path: Path, damage: dict[str, object]) -> None:
    _a, b = stranded(tmp_path, "committing", "a.img", "b.img")
    path = Path(f"{b.image}.v2vlint-journal")
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | damage), "utf-8")
    before = b.image.read_bytes()
    with suppress(ImageError):
        assert transaction.recover(b.image) == ""
    assert b.image.read_bytes() == before
