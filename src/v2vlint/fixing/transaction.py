"""Changing an image so that a crash at any moment leaves it old or new, and so that the change can be undone.

Files beside the image (``IMAGE`` is its name)::

    IMAGE.v2vlint-journal   where the transaction is; JSON, replaced atomically
    IMAGE.v2vlint-overlay   the new content, a qcow2 overlay
    IMAGE.v2vlint-undo      the old content of what changed, a qcow2 overlay in the other direction

States: ``editing`` (the image is untouched; recovery drops the overlay) → ``committing`` (the undo file is complete and synced; recovery
repeats the commit) → ``done`` (kept as long as the undo file is) → ``undoing`` (recovery repeats the undo).
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from v2vlint.fixing import qemu
from v2vlint.model.errors import ImageError, UsageError

VERSION = 1
HEADROOM = 64 << 20
LOCK_PATIENCE = 1.0
"""Seconds: children of a killed v2vlint may hold the lock a moment longer than it."""


@dataclass(frozen=True, slots=True)
class Disk:
    """An image that is written: its path and QEMU's name of its format."""

    image: Path
    driver: str

    @property
    def overlay(self) -> Path:
        """Where the new content is collected."""
        return Path(f"{self.image}.v2vlint-overlay")

    @property
    def saved(self) -> Path:
        """The overlay as it was before the round of edits under way."""
        return saved(self.overlay)

    @property
    def undo(self) -> Path:
        """Where the old content is kept."""
        return Path(f"{self.image}.v2vlint-undo")


def saved(overlay: Path) -> Path:
    """Where an overlay is kept as it was before a round of edits."""
    return Path(f"{overlay}.saved")


@dataclass(frozen=True, slots=True)
class Journal:
    """The state of a transaction; ``stamps`` are (size, mtime in ns) of the images after the commit.

    ``titles`` name all fixes that the undo file takes back, the first ``earlier`` of them from previous transactions.
    """

    state: str
    disks: tuple[Disk, ...]
    titles: tuple[str, ...] = ()
    stamps: tuple[tuple[int, int], ...] = ()
    earlier: int = 0


def journal_path(image: Path) -> Path:
    """The journal of the guest whose first disk is ``image``."""
    return Path(f"{image}.v2vlint-journal")


def read_journal(image: Path) -> Journal | None:
    """The journal beside ``image``, or None. ImageError when it is damaged: then nothing is touched."""
    path = journal_path(image)
    try:
        data = json.loads(path.read_text("utf-8"))
        return _decode(data, image.parent)
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise ImageError(
            f"{path}: the journal cannot be read: {error}", hint="restore it, or remove it with the overlay and undo files"
        ) from error


def _decode(data: dict[str, Any], folder: Path) -> Journal:
    if data["version"] != VERSION:
        raise ValueError(f"version {data['version']}")
    disks = tuple(Disk(folder / Path(item["image"]), item["driver"]) for item in data["disks"])
    stamps = tuple((int(size), int(time)) for size, time in data["stamps"])
    return Journal(data["state"], disks, tuple(data["titles"]), stamps, int(data["earlier"]))


def _write_journal(journal: Journal) -> None:
    first = journal.disks[0].image
    data = {"version": VERSION, **asdict(journal)}
    data["disks"] = [{"image": os.path.relpath(d.image, first.parent), "driver": d.driver} for d in journal.disks]
    path = journal_path(first)
    temporary = path.with_name(f"{path.name}.new")
    with temporary.open("w", encoding="utf-8") as stream:
        json.dump(data, stream, indent=1)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)
    _sync_folder(first)


def sync(path: Path) -> None:
    """fsync(2) a file or folder, whoever wrote it."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _sync_folder(path: Path) -> None:
    sync(path.parent)


@contextmanager
def locked(images: Sequence[Path]) -> Iterator[None]:
    """Hold an exclusive lock on every image against other v2vlint writers. ImageLocked when one is taken."""
    handles: list[int] = []
    try:
        for image in images:
            handles.append(os.open(image, os.O_RDONLY | os.O_CLOEXEC))
            if not _flock(handles[-1]):
                raise qemu.ImageLocked(f"{image}: another v2vlint is writing to it")
        yield
    finally:
        for handle in handles:
            os.close(handle)


def _flock(handle: int) -> bool:
    deadline = time.monotonic() + LOCK_PATIENCE
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        else:
            return True


def recover(image: Path) -> str:
    """Finish or revert what an interrupted run left; says what was done, or nothing. Call under :func:`locked`."""
    journal = read_journal(image)
    if journal is None:
        return ""
    if journal.state == "done":
        _remove_overlays(journal)
        return ""
    if journal.state == "editing":
        _drop(journal)
        return "an interrupted fix was reverted; the image is unchanged"
    if journal.state == "undoing":
        _finish_undo(journal)
        return "an interrupted undo was finished"
    _finish_commit(journal)
    return "an interrupted fix was finished"


def begin(disks: Sequence[Disk], titles: Sequence[str]) -> Journal:
    """Start a transaction: refuse images in use or changed since the last fix, then lay an overlay on each."""
    before = read_journal(disks[0].image)
    if before is not None and stamps(disks) != before.stamps:
        hint = "undo is no longer possible: remove the .v2vlint-undo and .v2vlint-journal files, then fix again"
        raise ImageError(f"{disks[0].image}: changed since v2vlint fixed it", hint=hint)
    for disk in disks:
        qemu.probe_lock(disk.image, disk.driver)
        _need_space(disk, HEADROOM)
    if before is None:
        for disk in disks:
            disk.undo.unlink(missing_ok=True)
    earlier = before.titles if before else ()
    journal = Journal("editing", tuple(disks), (*earlier, *titles), before.stamps if before else (), len(earlier))
    _write_journal(journal)
    for disk in disks:
        disk.overlay.unlink(missing_ok=True)
        qemu.create_overlay(disk.overlay, disk.image, disk.driver)
    return journal


def commit(journal: Journal) -> Journal:
    """Save the old content, then write the new one into the images; see the module's docstring."""
    for disk in journal.disks:
        _need_space(disk, 2 * disk.overlay.stat().st_size + HEADROOM)
        _save_old_content(disk)
        sync(disk.overlay)
    committing = replace(journal, state="committing")
    _write_journal(committing)
    return _finish_commit(committing)


def abort(journal: Journal) -> None:
    """Drop the overlay. The images were never touched."""
    _drop(journal)


def undo(image: Path, *, force: bool = False) -> Journal:
    """Bring the old content back. UsageError when there is nothing to undo, ImageError when the image changed since (unless ``force``)."""
    journal = read_journal(image)
    if journal is None:
        raise UsageError(f"{image}: nothing to undo", hint=f"no {journal_path(image).name} beside it")
    if stamps(journal.disks) != journal.stamps and not force:
        raise ImageError(
            f"{image}: changed since v2vlint fixed it", hint="--force restores the old blocks all the same; later changes may be lost"
        )
    for disk in journal.disks:
        qemu.probe_lock(disk.image, disk.driver)
    undoing = replace(journal, state="undoing")
    _write_journal(undoing)
    _finish_undo(undoing)
    return journal


def stamps(disks: Sequence[Disk]) -> tuple[tuple[int, int], ...]:
    """Size and modification time of each image."""
    found = [disk.image.stat() for disk in disks]
    return tuple((stat.st_size, stat.st_mtime_ns) for stat in found)


def _save_old_content(disk: Disk) -> None:
    partial = Path(f"{disk.undo}.new")
    partial.unlink(missing_ok=True)
    if disk.undo.exists():
        shutil.copyfile(disk.undo, partial)
    else:
        qemu.create_overlay(partial, disk.image, disk.driver)
    for extent in qemu.subtract(qemu.extents(disk.overlay), qemu.extents(partial)):
        qemu.copy_extent(extent, disk.image, disk.driver, partial)
    sync(partial)
    partial.replace(disk.undo)
    _sync_folder(disk.undo)


def _finish_commit(journal: Journal) -> Journal:
    for disk in journal.disks:
        if disk.overlay.exists():
            qemu.commit(disk.overlay)
            qemu.repair_leaks(disk.image, disk.driver)
            sync(disk.image)
    done = replace(journal, state="done", stamps=stamps(journal.disks))
    _write_journal(done)
    _remove_overlays(journal)
    return done


def _finish_undo(journal: Journal) -> None:
    for disk in journal.disks:
        if disk.undo.exists():
            qemu.commit(disk.undo)
            qemu.repair_leaks(disk.image, disk.driver)
            sync(disk.image)
    for disk in journal.disks:
        disk.undo.unlink(missing_ok=True)
    journal_path(journal.disks[0].image).unlink()
    _sync_folder(journal.disks[0].image)


def _drop(journal: Journal) -> None:
    _remove_overlays(journal)
    for disk in journal.disks:
        Path(f"{disk.undo}.new").unlink(missing_ok=True)
    if journal.earlier:
        _write_journal(replace(journal, state="done", titles=journal.titles[: journal.earlier]))
        return
    for disk in journal.disks:
        disk.undo.unlink(missing_ok=True)
    first = journal.disks[0].image
    journal_path(first).unlink(missing_ok=True)
    _sync_folder(first)


def _remove_overlays(journal: Journal) -> None:
    for disk in journal.disks:
        disk.overlay.unlink(missing_ok=True)
        disk.saved.unlink(missing_ok=True)


def _need_space(disk: Disk, size: int) -> None:
    free = shutil.disk_usage(disk.image.parent).free
    if free < size:
        raise ImageError(f"{disk.image.parent}: {free >> 20} MiB free, {size >> 20} MiB needed to fix {disk.image.name}")
