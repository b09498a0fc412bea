"""The transaction on real images: commit, undo, refusal, recovery at every state, and kill -9 at random moments."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from v2vlint.fixing import qemu, transaction
from v2vlint.fixing.transaction import Disk
from v2vlint.model.errors import ImageError, UsageError

SIZE = 48 << 20


def make_image(folder: Path, driver: str = "qcow2", name: str = "disk.img") -> Disk:
    """An image with eight MiB of ones, the rest never written."""
    image = folder / name
    qemu.run("qemu-img", "create", "-q", "-f", driver, image, str(SIZE))
    qemu.run("qemu-io", "-f", driver, "-c", "write -P 1 0 8M", image)
    return Disk(image, driver)


def edit(disk: Disk, pattern: int = 7) -> None:
    """Change data, overwrite with zeroes, and write where nothing was."""
    for command in (f"write -P {pattern} 1M 200k", "write -z 3M 64k", f"write -P {pattern} 20M 3M", f"write -P {pattern} {SIZE - 512} 512"):
        qemu.run("qemu-io", "-f", "qcow2", "-c", command, disk.overlay)


def content(image: Path, driver: str) -> str:
    """SHA-256 of the virtual disk."""
    raw = image.with_suffix(".raw-copy")
    qemu.run("qemu-img", "convert", "-U", "-f", driver, "-O", "raw", image, raw)
    digest = hashlib.sha256(raw.read_bytes()).hexdigest()
    raw.unlink()
    return digest


def leftovers(disk: Disk) -> set[str]:
    """Names of our files beside the image."""
    return {path.name.rsplit(".", 1)[1] for path in disk.image.parent.iterdir() if ".v2vlint-" in path.name}


@pytest.mark.parametrize("driver", ["qcow2", "raw", "vmdk", "vdi", "vhdx", "vpc"])
def test_commit_and_undo_restore_every_byte(tmp_path: Path, driver: str) -> None:
    disk = make_image(tmp_path, driver)
    before = content(disk.image, driver)
    journal = transaction.begin([disk], ["a fix"])
    edit(disk)
    wanted = content(disk.overlay, "qcow2")
    assert content(disk.image, driver) == before
    transaction.commit(journal)
    assert content(disk.image, driver) == wanted
    assert leftovers(disk) == {"v2vlint-undo", "v2vlint-journal"}
    assert transaction.undo(disk.image).titles == ("a fix",)
    assert content(disk.image, driver) == before
    assert leftovers(disk) == set()


def test_second_fix_keeps_the_oldest_content(tmp_path: Path) -> None:
    disk = make_image(tmp_path)
    before = content(disk.image, "qcow2")
    for pattern, title in ((7, "one"), (9, "two")):
        journal = transaction.begin([disk], [title])
        edit(disk, pattern)
        transaction.commit(journal)
    assert transaction.undo(disk.image).titles == ("one", "two")
    assert content(disk.image, "qcow2") == before


def test_abort_of_a_second_fix_keeps_the_first_undo(tmp_path: Path) -> None:
    disk = make_image(tmp_path)
    journal = transaction.begin([disk], ["one"])
    edit(disk)
    transaction.commit(journal)
    transaction.abort(transaction.begin([disk], ["two"]))
    assert transaction.undo(disk.image).titles == ("one",)


def test_nothing_to_undo(tmp_path: Path) -> None:
    disk = make_image(tmp_path)
    with pytest.raises(UsageError, match="nothing to undo"):
        transaction.undo(disk.image)


def test_undo_refuses_an_image_that_changed(tmp_path: Path) -> None:
    disk = make_image(tmp_path)
    journal = transaction.begin([disk], ["a fix"])
    edit(disk)
    transaction.commit(journal)
    qemu.run("qemu-io", "-f", "qcow2", "-c", "write -P 5 40M 64k", disk.image)
    with pytest.raises(ImageError, match="changed since"):
        transaction.undo(disk.image)
    with pytest.raises(ImageError, match="changed since"):
        transaction.begin([disk], ["another"])
    transaction.undo(disk.image, force=True)


def test_image_open_elsewhere_is_refused(tmp_path: Path) -> None:
    disk = make_image(tmp_path)
    holder = subprocess.Popen(
        ["qemu-io", "-f", "qcow2", str(disk.image)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        assert holder.stdout is not None
        holder.stdout.read(8)
        with pytest.raises(qemu.ImageLocked):
            transaction.begin([disk], ["a fix"])
    finally:
        holder.kill()
        holder.communicate()


def test_two_writers_are_kept_apart(tmp_path: Path) -> None:
    disk = make_image(tmp_path)
    with (
        transaction.locked([disk.image]),
        pytest.raises(qemu.ImageLocked, match="another v2vlint"),
        transaction.locked([disk.image]),
    ):
        pass


def test_two_disks_change_together(tmp_path: Path) -> None:
    disks = [make_image(tmp_path, "qcow2", "a.img"), make_image(tmp_path, "raw", "b.img")]
    before = [content(disk.image, disk.driver) for disk in disks]
    journal = transaction.begin(disks, ["a fix"])
    for disk in disks:
        edit(disk)
    transaction.commit(journal)
    assert [content(d.image, d.driver) for d in disks] != before
    transaction.undo(disks[0].image)
    assert [content(d.image, d.driver) for d in disks] == before


def _interrupt(monkeypatch: pytest.MonkeyPatch, function: str) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(qemu, function, stop)


@pytest.mark.parametrize(("function", "survives"), [("copy_extent", "old"), ("commit", "new"), ("repair_leaks", "new")])
def test_recovery_after_each_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: str, survives: str) -> None:
    disk = make_image(tmp_path)
    old = content(disk.image, "qcow2")
    journal = transaction.begin([disk], ["a fix"])
    edit(disk)
    new = content(disk.overlay, "qcow2")
    with monkeypatch.context() as patch:
        _interrupt(patch, function)
        with pytest.raises(KeyboardInterrupt):
            transaction.commit(journal)
    assert transaction.recover(disk.image)
    assert content(disk.image, "qcow2") == {"old": old, "new": new}[survives]
    assert transaction.recover(disk.image) == ""


def test_recovery_of_an_interrupted_undo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = make_image(tmp_path)
    old = content(disk.image, "qcow2")
    journal = transaction.begin([disk], ["a fix"])
    edit(disk)
    transaction.commit(journal)
    with monkeypatch.context() as patch:
        _interrupt(patch, "commit")
        with pytest.raises(KeyboardInterrupt):
            transaction.undo(disk.image)
    assert "undo" in transaction.recover(disk.image)
    assert content(disk.image, "qcow2") == old
    assert leftovers(disk) == set()


def test_damaged_journal_is_refused(tmp_path: Path) -> None:
    disk = make_image(tmp_path)
    transaction.journal_path(disk.image).write_text("{", "utf-8")
    with pytest.raises(ImageError, match="journal"):
        transaction.begin([disk], ["a fix"])


@pytest.mark.parametrize(
    ("wanted", "held", "left"),
    [
        (((0, 10),), (), [(0, 10)]),
        (((0, 10),), ((0, 10),), []),
        (((0, 10),), ((2, 3),), [(0, 2), (5, 5)]),
        (((0, 10), (20, 5)), ((8, 14),), [(0, 8), (22, 3)]),
    ],
)
def test_subtract(wanted: tuple[tuple[int, int], ...], held: tuple[tuple[int, int], ...], left: list[tuple[int, int]]) -> None:
    def extents(pairs: tuple[tuple[int, int], ...]) -> tuple[qemu.Extent, ...]:
        return tuple(qemu.Extent(*pair) for pair in pairs)

    assert [(e.start, e.length) for e in qemu.subtract(extents(wanted), extents(held))] == left


WRITER = """
import sys
from pathlib import Path
sys.path[:0] = sys.argv[2:]
from v2vlint.fixing import qemu
from v2vlint.fixing import transaction
disk = transaction.Disk(Path(sys.argv[1]), "qcow2")
with transaction.locked([disk.image]):
    transaction.recover(disk.image)
    print("ready", flush=True)
    journal = transaction.begin([disk], ["a fix"])
    for offset in range(0, 40, 4):
        qemu.run("qemu-io", "-f", "qcow2", "-c", f"write -P 7 {offset}M 3M", disk.overlay)
    transaction.commit(journal)
"""


@pytest.mark.slow
def test_kill_at_random_moments(tmp_path: Path) -> None:
    disk = make_image(tmp_path)
    old = content(disk.image, "qcow2")
    script = tmp_path / "writer.py"
    script.write_text(WRITER, "utf-8")
    command = [sys.executable, str(script), str(disk.image), *[path for path in sys.path if path]]
    new, full = _undisturbed(command, disk)
    seen = {old: 0, new: 0}
    random.seed(4)
    for _round in range(60):
        _kill_after(command, random.uniform(0, full * 1.05))
        with transaction.locked([disk.image]):
            transaction.recover(disk.image)
        qemu.run("qemu-img", "check", "-q", "-f", "qcow2", disk.image)
        found = content(disk.image, "qcow2")
        seen[found] += 1
        if found == new:
            transaction.undo(disk.image)
        assert content(disk.image, "qcow2") == old
    assert min(seen.values()) > 0, "the kills hit both before and after the point of no return"


def _undisturbed(command: list[str], disk: Disk) -> tuple[str, float]:
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    with process:
        assert process.stdout is not None
        process.stdout.readline()
        start = time.monotonic()
        process.wait()
        full = time.monotonic() - start
    new = content(disk.image, "qcow2")
    transaction.undo(disk.image)
    return new, full


def _kill_after(command: list[str], delay: float) -> None:
    process = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)
    with process:
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(delay)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
