"""Sidecars: which files are refused, whose they are, where they lie, and under which names of an image they are found."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fixing import stand_in
from tests.fixing.stand_in import EDITS, fixed, make, patched, stranded
from v2vlint.cli.main import main
from v2vlint.fixing import transaction
from v2vlint.fixing.transaction import WritableDisk
from v2vlint.source import sidecars
from v2vlint.source.journal import pending, read_journal
from v2vlint.source.sidecars import ForeignSidecar

NOBODY = 65534
KINDS = ("journal", "journal.new", "overlay", "overlay.saved", "shadow", "redo", "undo", "undo.new")
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="gives files to another user, writes what it may not, or sets up a loop device")


def _symlink(path: Path) -> None:
    (path.parent / "elsewhere").write_text("{}", "utf-8")
    path.symlink_to(path.parent / "elsewhere")


def _hard_link(path: Path) -> None:
    (path.parent / "elsewhere").write_text("{}", "utf-8")
    path.hardlink_to(path.parent / "elsewhere")


def _somebody_elses(path: Path) -> None:
    path.write_text("{}", "utf-8")
    os.chown(path, NOBODY, NOBODY)


def _open_to_all(path: Path) -> None:
    path.write_text("{}", "utf-8")
    path.chmod(0o666)


STRANGE: list[Callable[[Path], None]] = [_symlink, _hard_link, os.mkfifo, Path.mkdir, _open_to_all]
if os.geteuid() == 0:
    STRANGE += [_somebody_elses, lambda path: os.mknod(path, 0o600 | 0o020000, os.makedev(1, 3))]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("put", STRANGE)
def test_strange_sidecars_are_refused_and_stay(tmp_path: Path, kind: str, put: Callable[[Path], None]) -> None:
    """In a folder where everybody may write and nobody may remove, such as /tmp."""
    tmp_path.chmod(0o1777)
    disk = make(tmp_path)
    path = Path(f"{disk.image}.v2vlint-{kind}")
    put(path)
    before, there = disk.image.read_bytes(), path.lstat()
    with patched(EDITS[0]), pytest.raises(ForeignSidecar, match=f"v2vlint-{kind} "):
        stand_in.fix([disk], "a fix")
    assert disk.image.read_bytes() == before
    assert path.lstat().st_ino == there.st_ino
    if (elsewhere := tmp_path / "elsewhere").exists():
        assert elsewhere.read_text("utf-8") == "{}"
    assert {one.name for one in tmp_path.iterdir()} <= {"disk.img", path.name, "elsewhere"}


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o666, pytest.param(0o444, marks=as_root)])
def test_sidecars_are_for_the_owner_alone(tmp_path: Path, mode: int) -> None:
    disk = make(tmp_path)
    disk.image.chmod(mode)
    with patched(EDITS[0]):
        stand_in.fix([disk], "a fix")
    found = [path for path in tmp_path.iterdir() if "v2vlint" in path.name]
    assert [path.stat().st_mode & 0o777 for path in found] == [0o600] * 2


@as_root
def test_sidecars_belong_to_the_owner_of_the_image(tmp_path: Path) -> None:
    disk = make(tmp_path)
    os.chown(disk.image, NOBODY, NOBODY)
    with patched(EDITS[0]):
        stand_in.fix([disk], "a fix")
    assert {path.stat().st_uid for path in tmp_path.iterdir()} == {NOBODY}
    stand_in.undo([disk])


def _by_symlink(image: Path, folder: Path) -> Path:
    (folder / "link").symlink_to(image)
    return folder / "link"


def _by_hard_link(image: Path, folder: Path) -> Path:
    (folder / "hard").hardlink_to(image)
    return folder / "hard"


def _renamed(image: Path, folder: Path) -> Path:
    return image.rename(folder / "renamed")


def _by_relative_path(image: Path, folder: Path) -> Path:
    return Path(os.path.relpath(image))


NAMES = [_by_symlink, _by_hard_link, _renamed, _by_relative_path]


@pytest.mark.parametrize("call", NAMES)
def test_state_is_found_whatever_the_image_is_called(tmp_path: Path, call: Callable[[Path, Path], Path]) -> None:
    (tmp_path / "elsewhere").mkdir()
    disk = make(tmp_path)
    old = disk.image.read_bytes()
    with patched(EDITS[0]):
        stand_in.fix([disk], "one")
    name = call(disk.image, tmp_path / "elsewhere")
    with patched(EDITS[1]):
        stand_in.fix([WritableDisk(name, "raw")], "two")
    assert main(["undo", str(name)]) == 0
    assert name.read_bytes() == old
    assert not list(tmp_path.rglob("*v2vlint*"))


@pytest.mark.parametrize("call", NAMES)
def test_a_pending_transaction_is_told_under_every_name(tmp_path: Path, call: Callable[[Path, Path], Path]) -> None:
    (tmp_path / "elsewhere").mkdir()
    (disk,) = stranded(tmp_path, "committing")
    assert list(pending([str(call(disk.image, tmp_path / "elsewhere"))]))


@pytest.mark.parametrize("state", ["editing", "committing", "undoing"])
def test_a_transaction_under_way_is_told_from_one_that_was_interrupted(tmp_path: Path, state: str) -> None:
    (disk,) = stranded(tmp_path, state)
    with transaction.locked([disk.image]):
        (problem,) = pending([str(disk.image)])
    assert "at this moment" in problem.reason
    (problem,) = pending([str(disk.image)])
    assert "interrupted" in problem.reason


@pytest.mark.parametrize("same_inode", [True, False])
def test_a_stale_note_in_the_state_folder_says_nothing(
    tmp_path: Path, state_folder: Path, monkeypatch: pytest.MonkeyPatch, same_inode: bool
) -> None:
    """Where the filesystem does not count generations, an inode number may come back."""
    monkeypatch.setattr(sidecars, "_generation", lambda _handle: 0)
    disk, other = fixed(tmp_path), make(tmp_path, "other.img")
    (note,) = (state_folder / "images").iterdir()
    at = sidecars.place(other.image)
    note.rename(note.with_name(f"{at.dev}-{at.ino}-0"))
    if same_inode:
        path = Path(f"{disk.image}.v2vlint-journal")
        path.write_text(path.read_text("utf-8").replace(str(disk.image.stat().st_ino), str(at.ino)), "utf-8")
    other.image.write_bytes(other.image.read_bytes()[::-1])
    disk.image.unlink()
    assert sidecars.place(other.image).remembered
    assert read_journal(other.image) is None
    with patched(EDITS[0]):
        stand_in.fix([other], "a fix")
    stand_in.undo([other])


def test_an_inode_that_is_used_again_has_no_history(tmp_path: Path) -> None:
    disk = fixed(tmp_path)
    number = disk.image.stat().st_ino
    disk.image.unlink()
    for turn in range(20):
        other = make(tmp_path, f"other{turn}")
        if other.image.stat().st_ino == number and sidecars.place(other.image).generation:
            assert read_journal(other.image) is None
            return


@as_root
def test_the_sidecars_of_a_block_device_lie_in_the_state_folder(tmp_path: Path, state_folder: Path) -> None:
    disk = make(tmp_path)
    os.truncate(disk.image, 700_416)
    device = _loop(disk.image)
    try:
        old = disk.image.read_bytes()
        with patched((EDITS[0][0], EDITS[0][2])):
            stand_in.fix([WritableDisk(device, "raw")], "a fix")
        assert disk.image.read_bytes() != old
        assert sorted(path.name.rsplit("-", 1)[1] for path in (state_folder / "devices").iterdir()) == ["journal", "undo"]
        assert not [path for path in Path("/dev").iterdir() if "v2vlint" in path.name]
        subprocess.run(["losetup", "-d", str(device)], check=True)
        device = _loop(disk.image)
        assert main(["undo", str(device)]) == 0
        subprocess.run(["sync"], check=True)
        assert disk.image.read_bytes() == old
        assert not list((state_folder / "devices").iterdir())
    finally:
        subprocess.run(["losetup", "-d", str(device)], check=True)


def _loop(image: Path) -> Path:
    done = subprocess.run(["losetup", "-f", "--show", str(image)], capture_output=True, text=True)
    if done.returncode:
        pytest.skip("loop devices are not allowed here")
    return Path(done.stdout.strip())


def test_a_state_folder_that_others_may_write_is_not_used(tmp_path: Path, state_folder: Path) -> None:
    disk = fixed(tmp_path)
    name = _renamed(disk.image, tmp_path)
    assert read_journal(name) is not None
    state_folder.chmod(0o777)
    assert read_journal(name) is None


def test_reading_writes_no_state(tmp_path: Path, state_folder: Path) -> None:
    disk = make(tmp_path)
    assert not list(pending([str(disk.image), str(tmp_path / "none"), str(tmp_path)]))
    assert not list(state_folder.iterdir())


@pytest.mark.parametrize("name", ["a; touch x #.img", "$(touch x).img", "a 'b' `touch x`.img", "-rf.img"])
def test_a_command_that_is_advised_is_about_the_file_alone(tmp_path: Path, name: str) -> None:
    """Whoever takes it from the screen gives it to a shell."""
    (disk,) = stranded(tmp_path, "committing", name)
    (problem,) = pending([str(disk.image)])
    commands = [part.split(" brings")[0].split(" finishes")[0] for part in problem.hint.split("; v2vlint --fix")]
    assert shlex.split(commands[0]) == ["v2vlint", "undo", str(disk.image)]
    copy = tmp_path / "there" / name
    copy.parent.mkdir()
    for path in list(tmp_path.glob("*.v2vlint-journal")):
        shutil.copy2(path, copy.parent)
    shutil.copy2(disk.image, copy)
    (problem,) = pending([str(copy)])
    command = problem.hint.partition("rm ")[2]
    assert shlex.split(command) == [f"{copy}.v2vlint-*"]


def test_a_name_that_is_no_text_is_remembered_too(tmp_path: Path, state_folder: Path) -> None:
    image = tmp_path / os.fsdecode(b"disk\xff.raw")
    image.write_bytes(b"disk")
    at = sidecars.place(image)
    os.close(sidecars.create(at, "journal"))
    sidecars.remember(at)
    (tmp_path / "second.raw").hardlink_to(image)
    assert sidecars.place(tmp_path / "second.raw").prefix == str(image)
