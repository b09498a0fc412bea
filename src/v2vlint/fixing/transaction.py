"""Changing images so that a crash at any moment leaves them old or new, and so that the change can be undone, to the byte.

Files beside the image (``IMAGE`` is its name; :mod:`v2vlint.source.sidecars` says how they are opened)::

    IMAGE.v2vlint-journal   where the transaction is; JSON, replaced atomically
    IMAGE.v2vlint-overlay   the new content of the guest, a qcow2 overlay
    IMAGE.v2vlint-shadow    what QEMU makes of the image file with that content
    IMAGE.v2vlint-redo      the bytes of the image file that change, as they will be
    IMAGE.v2vlint-undo      the bytes of the image file that changed, as they were

States: ``editing`` (the image is untouched; recovery drops everything) → ``committing`` (redo and undo are complete and synced; recovery
goes on writing) → ``done`` (kept as long as the undo file is) → ``undoing`` (recovery goes on writing) → ``undone`` (recovery removes the
files). An image is written by :func:`v2vlint.fixing.patch.apply` alone, after every sector of every image of the guest was found to be
the old one or the new one.
"""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from v2vlint.fixing import layout, patch, qemu, rawfile, shadow
from v2vlint.fixing.disk import WritableDisk
from v2vlint.fixing.holding import held, locked, opened
from v2vlint.fixing.patch import Patch, Range, State
from v2vlint.model.errors import ImageError, UsageError
from v2vlint.source import sidecars
from v2vlint.source.journal import FixedFile, FixJournal, Stamp, boot_id, read_journal, stamp_of, write_journal
from v2vlint.source.sidecars import SidecarPlace

__all__ = ["FixJournal", "WritableDisk", "abort", "begin", "commit", "locked", "read_journal", "recover", "saved", "sync", "undo"]

HEADROOM = 64 << 20
_COPY = "-o NEW.qcow2 makes a fixed copy elsewhere"
_TEMPORARY = ("overlay", "overlay.saved", "shadow", "redo", "undo.new", "journal.new")
_KINDS = ("journal", "undo", *_TEMPORARY)
_IN_FLIGHT = 1_000_000_000
"""Nanoseconds between the mark before a write and the time that the write gives the image."""
_AFTER_A_CRASH = 120_000_000_000
"""The same when the host itself crashed, and marks may be lost."""

Reached = Callable[[str], None]


def _nothing(_point: str) -> None:
    """A hook called at the named points of a transaction. It does nothing; tests replace it to kill the process there."""


reached: Reached = _nothing


def saved(overlay: Path) -> Path:
    """The path of the copy of an overlay made before a round of edits."""
    return Path(f"{overlay}.saved")


def snapshot(overlay: Path, copy: Path) -> None:
    """A copy of an overlay, in a new file that only its owner can read. ImageError when the file already exists."""
    try:
        os.close(os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise ImageError(f"{copy}: {os.strerror(error.errno or 0).lower()}") from error
    qemu.snapshot(overlay, copy)


def sync(path: Path) -> None:
    """fsync(2) a file or folder, no matter which process wrote it."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def recover(image: Path, *, force: bool = False) -> str:
    """Finish or revert an interrupted transaction; returns a description of what was done, or an empty one. Call under :func:`locked`.

    ImageError when another program changed an image after the interruption; ``force`` only compares blocks, not times.
    """
    journal = read_journal(image)
    if journal is None:
        _clear(sidecars.place(image))  # without a journal, the image was not written to
        return ""
    if journal.state == "done":
        for member in journal.members:
            _clear(member.at)
        return ""
    if journal.state == "editing":
        abort(journal)
        return "an interrupted fix was reverted; the image is unchanged"
    if journal.state == "committing":
        _write_new(journal, force=force)
        return "an interrupted fix was finished"
    _write_old(journal, force=force)
    return "an interrupted undo was finished"


def begin(disks: Sequence[WritableDisk], titles: Sequence[str]) -> FixJournal:
    """Start a transaction: refuse images that are in use or have changed since the last fix, then put an overlay on each."""
    files = [member for disk in disks for member in _files(disk)]
    wanted = {member.at.key: member for member in files}
    if len(wanted) < len(files):
        raise UsageError(f"{disks[0].image}: two of the disks are the same file")
    before = _before([member.at for member in files])
    for member in files:
        for kind in _KINDS:
            sidecars.exists(member.at, kind)  # raises where a file that is not ours is in the way
        _need_space(member.at, HEADROOM)
    known = {member.at.key: member for member in (before.members if before else ())}
    kept = tuple(
        replace(one, of=again.of, window=again.window, node=again.node) if (again := wanted.get(one.at.key)) else one
        for one in known.values()
    )
    fresh = tuple(member for member in files if member.at.key not in known)
    earlier = before.titles if before else ()
    journal = FixJournal("editing", (*kept, *fresh), (*earlier, *titles), len(earlier), boot=boot_id())
    if before:
        journal = replace(journal, id=before.id)
    with _or_nothing(journal):
        write_journal(journal)
        reached("editing")
        for member in files:
            sidecars.remember(member.at)
        for member in files:
            if member.of == member.at and member.node:
                os.close(sidecars.create(member.at, "overlay"))
                qemu.create_overlay(member.at.path("overlay"), qemu.virtual_size(member.node))
    return journal


def _files(disk: WritableDisk) -> Iterator[FixedFile]:
    """The files that make up a disk, opened read-only. ImageLocked when another process has them open."""
    at = sidecars.place(disk.image)
    node = disk.node
    _may_write(at)
    qemu.probe_lock(node)  # fails while a guest runs
    flats = layout.flats(node)
    yield FixedFile(at, shadow.DESCRIPTION if flats else disk.driver, _stamp(at), of=at, node=node)
    for flat in flats:
        part = sidecars.place(flat.path)
        _may_write(part)
        yield FixedFile(part, "raw", _stamp(part), of=at, window=(flat.start, flat.length))


def _may_write(at: SidecarPlace) -> None:
    """ImageError, with the remedy, unless the image and its folder can be written."""
    if not os.access(at.image, os.W_OK):
        raise ImageError(f"{at.image}: cannot be written", hint=_COPY)
    if not at.device and not os.access(at.folder, os.W_OK | os.X_OK):
        raise ImageError(f"{at.folder}: cannot be written, and old bytes are kept beside the image", hint=_COPY)


@contextmanager
def _or_nothing(journal: FixJournal) -> Iterator[None]:
    """Remove the transaction's files if anything goes wrong inside of the block."""
    try:
        yield
    except OSError as error:
        abort(journal)
        raise ImageError(f"{journal.at.image}: {os.strerror(error.errno or 0).lower()}", hint="nothing was changed") from error
    except BaseException:
        abort(journal)
        raise


def _before(places: Sequence[SidecarPlace]) -> FixJournal | None:
    """The finished transaction that these images were part of. ImageError when one has changed since, or they were fixed separately."""
    found = {journal.id: journal for at in places if (journal := read_journal(at.image))}
    if len(found) > 1:
        raise ImageError(f"{places[0].image} and other disks of the guest were fixed apart", hint="undo those fixes first")
    for journal in found.values():
        if journal.state != "done":
            raise ImageError(f"{places[0].image}: another fix is not finished")
        for member in journal.members:
            if _stamp(member.at) != member.stamp:
                hint = f"undo is no longer possible: rm {shlex.quote(member.at.prefix)}.v2vlint-*, then fix again"
                raise ImageError(f"{member.at.image}: changed since v2vlint fixed it", hint=hint)
    return next(iter(found.values()), None)


def commit(journal: FixJournal) -> FixJournal:
    """Compute and save the old and the new bytes, then write the new ones; see the module's docstring. When refused, no files are left."""
    with _or_nothing(journal):
        members = tuple(_prepared(member) for member in journal.members)
        committing = replace(journal, state="committing", members=members, boot=boot_id())
        reached("prepared")
        write_journal(committing)
    reached("committing")
    return _write_new(committing, fresh=True)


def _prepared(member: FixedFile) -> FixedFile:
    """The member with its patches computed and saved."""
    at, overlay = member.at, member.of
    if overlay is None:
        return replace(member, following=member.undo)  # fixed before, and on no disk of this fix
    _need_space(at, 4 * overlay.path("overlay").stat().st_blocks * 512 + HEADROOM)
    with opened(at) as image, shadow.new_state(member, overlay, image) as new:
        _same(member, image)
        reached("shadow")
        changes = new.changes()
        now = (os.lseek(image, 0, os.SEEK_END), partial(rawfile.read_at, image))
        with sidecars.held(at, "redo", fresh=True) as redo:
            redo_sum = patch.write_patch(redo, (new.size, new.read), now, changes)
            patch.open_patch(redo, redo_sum, str(at.path("redo"))).mark(image, busy=False)
        reached("redo")
        undo_sum = _save_old(member, now, (new.size, new.read), changes)
        _same(member, image)
    sidecars.sync_folder(at)
    return replace(member, redo=redo_sum, following=undo_sum)


def _save_old(member: FixedFile, now: State, new: State, changes: tuple[Range, ...]) -> str:
    """Write the patch that restores the state before the first fix; returns its SHA-256."""
    with ExitStack() as stack:
        old, ranges = now, changes
        if member.undo:
            first = _patch(stack, member.at, "undo", member.undo)
            old, ranges = (first.size, first.over(now[1])), patch.merge((*changes, *first.ranges))
        handle = stack.enter_context(sidecars.held(member.at, "undo.new", fresh=True))
        return patch.write_patch(handle, old, new, ranges)


def _same(member: FixedFile, image: int) -> None:
    stamp = stamp_of(image, device=bool(member.at.device))
    if stamp != member.stamp or (member.stamp.ctime and stamp.ctime != member.stamp.ctime):
        raise ImageError(f"{member.at.image}: another program changed it during the fix", hint="nothing was written; fix it again")


def abort(journal: FixJournal) -> None:
    """Discard the overlays. The images have not been touched."""
    kept = tuple(member for member in journal.members if member.undo)
    for member in journal.members:
        _clear(member.at)
    if kept:
        write_journal(replace(journal, state="done", members=kept, titles=journal.titles[: journal.earlier]))
    for member in reversed(journal.members):  # the first last: its journal is the one that the others refer to
        if not member.undo:
            sidecars.remove(member.at, "journal")
            sidecars.forget(member.at)
    sidecars.sync_folder(journal.at)


def undo(image: Path, *, force: bool = False) -> FixJournal:
    """Restore the old bytes. UsageError when there is nothing to undo, ImageError when the image has changed since.

    ``force`` only compares blocks: data written elsewhere since then may be lost.
    """
    journal = read_journal(image)
    if journal is None:
        raise UsageError(f"{image}: nothing to undo", hint=f"no {sidecars.place(image).path('journal')}")
    with ExitStack() as stack:
        for member, handle, old in _opened_all(stack, journal, "undo"):
            if not force and stamp_of(handle, device=bool(member.at.device)) != member.stamp:
                hint = "--force restores the old blocks anyway, if nothing wrote to them; later changes may be lost"
                raise ImageError(f"{member.at.image}: changed since v2vlint fixed it", hint=hint)
            _only_ours(member, handle, old)
            old.mark(handle, busy=False)
    undoing = replace(journal, state="undoing", boot=boot_id())
    write_journal(undoing)
    reached("undoing")
    _write_old(undoing, force=force)
    return journal


def _write_new(journal: FixJournal, *, fresh: bool = False, force: bool = False) -> FixJournal:
    """Write the new bytes into every image, continuing after an interruption."""
    with ExitStack() as stack:
        images = list(_opened_all(stack, journal, "redo"))
        for member, handle, new in images:
            _settled(journal, member, handle, new, force=force)
            kind = "undo.new" if sidecars.exists(member.at, "undo.new") else "undo"
            _patch(stack, member.at, kind, member.following)
        # Only at the start: a continued commit has written already, and running out of space then must not drop it.
        if fresh:
            _reserve(journal, images)
        # All images have been checked above, before the first one is touched: a guest is changed as a whole or not at all.
        for member, handle, new in images:
            if sidecars.exists(member.at, "undo.new"):
                sidecars.rename(member.at, "undo.new", "undo")
            reached("renamed")
            _apply(member, handle, new)
        stamps = {member.at: stamp_of(handle, device=bool(member.at.device)) for member, handle, _new in images}
    reached("applied")
    members = tuple(
        replace(member, stamp=stamps.get(member.at, member.stamp), undo=member.following, following="", redo="")
        for member in journal.members
    )
    done = replace(journal, state="done", members=members)
    write_journal(done)
    reached("done")
    for member in journal.members:
        _clear(member.at)
    return done


def _reserve(journal: FixJournal, images: Iterable[tuple[FixedFile, int, Patch]]) -> None:
    """Reserve the space for the new bytes. If there is not enough and nothing has been written, the transaction is dropped."""
    try:
        for _member, handle, new in images:
            with patch.marked(new, handle, reached):
                for start, length in patch.pieces(new.ranges, new.size):
                    rawfile.reserve(handle, start, length)
    except OSError:
        back = replace(journal, state="editing", members=tuple(replace(one, following="", redo="") for one in journal.members))
        with _or_nothing(back):
            write_journal(back)
            raise


def _write_old(journal: FixJournal, *, force: bool = False) -> None:
    """Write the old bytes into every image, continuing after an interruption, and remove the transaction's files."""
    if journal.state == "undoing":
        with ExitStack() as stack:
            images = list(_opened_all(stack, journal, "undo"))
            for member, handle, old in images:
                _settled(journal, member, handle, old, force=force)
            for member, handle, old in images:
                _apply(member, handle, old)
        reached("restored")
        write_journal(replace(journal, state="undone"))
        reached("undone")
    for member in reversed(journal.members):  # the first last: its journal is the one that the others refer to
        _clear(member.at)
        sidecars.remove(member.at, "undo")
        sidecars.forget(member.at)
        reached("removed")
        # The journal goes last: recovery starts from it.
        sidecars.remove(member.at, "journal")
    sidecars.sync_folder(journal.at)


def _apply(member: FixedFile, handle: int, new: Patch) -> None:
    try:
        patch.apply(handle, new, reached)
    except OSError as error:
        words = os.strerror(error.errno or 0).lower()
        raise ImageError(f"{member.at.image}: {words}", hint="the next fix or undo goes on where this one stopped") from error


def _settled(journal: FixJournal, member: FixedFile, handle: int, new: Patch, *, force: bool) -> None:
    """ImageError unless the image is as this transaction left it: its time, its length, and every block to be written."""
    _only_ours(member, handle, new)
    mtime = 0 if member.at.device or force else os.fstat(handle).st_mtime_ns
    marked, busy = new.progress
    same_boot = journal.boot == boot_id()
    latest = new.touched + (_IN_FLIGHT if same_boot else _AFTER_A_CRASH) if busy or not same_boot else marked
    if mtime and not marked <= mtime <= latest:
        raise _changed(member)


def _only_ours(member: FixedFile, handle: int, new: Patch) -> None:
    if os.lseek(handle, 0, os.SEEK_END) not in (new.size, new.before) or patch.foreign(handle, new) is not None:
        raise _changed(member)


def _changed(member: FixedFile) -> ImageError:
    hint = f"restore it from a backup, or keep it as it is now: rm {shlex.quote(member.at.prefix)}.v2vlint-*"
    return ImageError(f"{member.at.image}: another program wrote to it after v2vlint had begun to", hint=hint)


def _opened_all(stack: ExitStack, journal: FixJournal, kind: str) -> Iterator[tuple[FixedFile, int, Patch]]:
    """Every image that has a patch of the kind, open for writing and locked, with the patch."""
    for member in journal.members:
        if sha256 := getattr(member, kind):
            handle = stack.enter_context(held(member.at))
            yield member, handle, _patch(stack, member.at, kind, sha256)


def _patch(stack: ExitStack, at: SidecarPlace, kind: str, sha256: str) -> Patch:
    try:
        handle = stack.enter_context(sidecars.held(at, kind))
    except FileNotFoundError as error:
        raise ImageError(f"{at.path(kind)} is missing", hint="restore it from where it was kept") from error
    return patch.open_patch(handle, sha256, str(at.path(kind)))


def _stamp(at: SidecarPlace) -> Stamp:
    with opened(at) as handle:
        return stamp_of(handle, device=bool(at.device))


def _clear(at: SidecarPlace) -> None:
    """Remove the files that are only needed while a transaction is running."""
    for kind in _TEMPORARY:
        sidecars.remove(at, kind)


def _need_space(at: SidecarPlace, size: int) -> None:
    for folder in {at.folder, os.path.dirname(at.image)} if not at.device else {at.folder}:  # noqa: PTH120
        Path(folder).mkdir(mode=0o700, exist_ok=True)
        free = shutil.disk_usage(folder).free
        if free < size:
            raise ImageError(f"{folder}: {free >> 20} MiB free, {size >> 20} MiB needed to fix {at.image.name}")
