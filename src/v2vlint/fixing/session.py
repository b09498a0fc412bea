"""Fixes one guest, from check to commit: prepare → overlay → write → check again → commit, or nothing."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import field, replace
from pathlib import Path

from v2vlint import isolate
from v2vlint.confine import Grant
from v2vlint.disk.fields import Fields
from v2vlint.engine.child import answer
from v2vlint.files import Desk
from v2vlint.files.nodes import DRIVERS
from v2vlint.fixing import qemu, transaction, writers
from v2vlint.fixing.export import EXPORT, ExportAsk
from v2vlint.fixing.holding import flocked
from v2vlint.fixing.look import to_change, to_read
from v2vlint.fixing.protocol import PREPARE, Chosen, FixAsk, Held, PreparedFix
from v2vlint.fixing.request import checked
from v2vlint.fixing.work import Work
from v2vlint.isolate import DEFAULT_LIMITS, Answer, Call, Limits, Refusal
from v2vlint.model.codec import encode
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import ImageError, UsageError
from v2vlint.model.finding import Severity
from v2vlint.model.report import Fate, FindingReport, ImageReport, Problem
from v2vlint.model.rule import RuleInfo
from v2vlint.model.source import GuestRef, HostFileInfo, ImageNode

MAX_ROUNDS = 5
# SparseExtentHeader of VMware's Virtual Disk Format; bit 16 of the flags says that grains are compressed.
_VMDK, _VMDK_SIZE = Fields("<", flags=(8, "I")), 12
_VMDK_MAGIC, _VMDK_COMPRESSED = b"KDMV", 1 << 16
_EXTENSIONS = {".qcow2": "qcow2", ".raw": "raw", ".img": "raw", ".vmdk": "vmdk", ".vdi": "vdi", ".vhdx": "vhdx", ".vhd": "vpc"}

Key = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class FixOutcome:
    """The result of fixing a guest.

    ``before`` is the report at the start, ``after`` that of the fixed guest (None when nothing was written). Fixes in ``applied`` were
    written, those in ``held`` were not, those in ``failed`` were rolled back with the reason; ``known`` is the number of findings left
    alone because of the baseline. ``seconds`` is the time by step; ``notes`` are for people. ``planned`` is what would be written, in a dry
    run. ``refused`` is why one of several guests was left alone: it is in use, or in a format that cannot be written in place.
    """

    before: ImageReport
    after: ImageReport | None
    rules: tuple[RuleInfo, ...]
    applied: tuple[Chosen, ...]
    held: tuple[Held, ...]
    failed: tuple[Held, ...]
    diff: str
    notes: tuple[str, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)
    output: str = ""
    known: int = 0
    planned: tuple[Chosen, ...] = ()
    refused: Problem | None = None

    @property
    def image(self) -> ImageReport:
        """The check's result for the fixed image."""
        return self.after or self.before


class _Clock:
    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.last = time.monotonic()

    def lap(self, name: str) -> None:
        now = time.monotonic()
        self.seconds[name] = round(self.seconds.get(name, 0.0) + now - self.last, 3)
        self.last = now


def preview(asked: FixAsk, limits: Limits = DEFAULT_LIMITS) -> PreparedFix:
    """What would be done, without doing it. ImageError when the reader process died."""
    named = (asked.virtio_win,) if asked.virtio_win else ()
    guest, desk = asked.ask.guest, Desk(asked.ask.guest, *named)
    prepared = answer(PREPARE, asked, PreparedFix, guest, limits, desk, Grant(named))
    return replace(prepared, image=replace(prepared.image, files=desk.files()))


def fix_in_place(asked: FixAsk, limits: Limits = DEFAULT_LIMITS) -> FixOutcome:
    """Fix the images of a guest as a transaction. The journal of an interrupted run is resolved first."""
    if asked.ask.guest.problem:
        return _nothing(preview(asked, limits), [], _Clock())
    if asked.ask.guest.kind != "disks":
        raise UsageError(f"{asked.ask.guest.name} cannot be changed in place", hint="give -o NEW, or its disk images")
    images = [Path(path) for path in asked.ask.guest.paths]
    clock = _Clock()
    with transaction.locked(images):
        # Before the check: it must read the images as the interrupted run leaves them.
        notes = [note for note in (transaction.recover(images[0]),) if note]
        prepared = preview(asked, limits)
        clock.lap("check")
        if not prepared.has_work:
            return _nothing(prepared, notes, clock)
        nodes = to_change(asked.ask.guest, limits)
        if len(prepared.formats) != len(images):
            raise ImageError(f"{asked.ask.guest.name}: not all of its disks could be read")
        drivers = [driver(image, kind) for image, kind in zip(images, prepared.formats, strict=True)]
        disks = [transaction.WritableDisk(*one) for one in zip(images, drivers, nodes, strict=True)]
        journal = transaction.begin(disks, [chosen.title for chosen in prepared.chosen])
        try:
            outcome = _Rounds(asked, limits, {disk.overlay: node for disk, node in zip(disks, nodes, strict=True)}, clock).run(prepared)
        except BaseException:
            transaction.abort(journal)
            raise
        if not outcome.applied:
            transaction.abort(journal)
        else:
            # The journal began with what was planned: it keeps what was applied.
            titles = tuple(chosen.title for chosen in outcome.applied)
            transaction.commit(replace(journal, titles=(*journal.titles[: journal.earlier], *titles)))
            clock.lap("commit")
    return replace(outcome, notes=(*notes, *outcome.notes), output="+".join(map(str, images)))


def fix_copy(asked: FixAsk, output: Path, limits: Limits = DEFAULT_LIMITS) -> FixOutcome:
    """Write a fixed copy of a guest to ``output``; the source is only read.

    A name with an image's extension is for a guest with one disk, in that format. A folder, or a name without extension, for which a folder
    is created, gets all disks as qcow2.
    """
    if asked.ask.guest.problem:
        return _nothing(preview(asked, limits), [], _Clock())
    if output.is_dir() or not output.suffix:
        return _fix_into(asked, output, limits)
    wanted = _EXTENSIONS.get(output.suffix.lower())
    if wanted is None:
        raise UsageError(f"{output}: unknown image format {output.suffix!r}", hint=f"one of {', '.join(_EXTENSIONS)}, or a folder")
    if output.exists():
        raise UsageError(f"{output} exists already")
    clock = _Clock()
    prepared = _readable(preview(asked, limits))
    clock.lap("check")
    if len(prepared.formats) != 1 or len(prepared.image.paths) != 1:
        raise UsageError(f"{asked.ask.guest.name}: -o takes a guest with one disk", hint="-o FOLDER takes all of them")
    with _unfinished(output) as partial:
        _copy_source(asked.ask.guest, prepared, 0, partial, limits)
        clock.lap("copy")
        outcome = _Rounds(asked, limits, {partial: None}, clock).run(prepared) if prepared.has_work else _nothing(prepared, [], clock)
        _publish(partial, output, wanted)
        _like(prepared.image.files, output)
        clock.lap("convert")
    return replace(outcome, output=str(output))


@contextmanager
def _unfinished(output: Path) -> Iterator[Path]:
    """The name of ``output`` until it is complete. UsageError while another v2vlint uses it; what a killed one left is overwritten."""
    partial = output.with_name(f".{output.name}.partial")
    handle = os.open(qemu.fresh(partial, keep=True), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if not flocked(handle):
            raise UsageError(f"{output}: another v2vlint is writing to it")
        try:
            yield partial
        finally:
            partial.unlink(missing_ok=True)
    finally:
        os.close(handle)


def _readable(prepared: PreparedFix) -> PreparedFix:
    """``prepared``, unless none of the guest's disks can be read: ImageError with the reason."""
    problem = next(iter(prepared.image.problems), None)
    if problem and not prepared.formats:
        raise ImageError(f"{problem.where}: {problem.reason}", hint=problem.hint)
    return prepared


def _fix_into(asked: FixAsk, folder: Path, limits: Limits) -> FixOutcome:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} is there already, and is no empty folder")
    clock = _Clock()
    prepared = _readable(preview(asked, limits))
    clock.lap("check")
    if len(prepared.formats) != len(prepared.image.paths):
        # A copy that lacks a disk would look complete.
        raise ImageError(f"{asked.ask.guest.name}: not all of its disks could be read")
    made = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    disks: list[Path] = []
    try:
        for position in range(len(prepared.formats)):
            disks.append(_new(folder / f"disk{position + 1}.qcow2"))
            _copy_source(asked.ask.guest, prepared, position, disks[-1], limits)
        clock.lap("copy")
        outcome = _Rounds(asked, limits, dict.fromkeys(disks), clock).run(prepared) if prepared.has_work else _nothing(prepared, [], clock)
        for disk in disks:
            transaction.sync(disk)
            _like(prepared.image.files, disk)
    except BaseException:
        for disk in disks:
            disk.unlink(missing_ok=True)
        # Only what this run has made is removed.
        if made:
            with suppress(OSError):
                folder.rmdir()
        raise
    return replace(outcome, output="+".join(map(str, disks)))


def _new(path: Path) -> Path:
    """An empty file, which nothing else has made."""
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
    except FileExistsError as error:
        raise UsageError(f"{path} exists by now", hint="another v2vlint may be writing to the folder") from error
    return path


def _copy_source(guest: GuestRef, prepared: PreparedFix, position: int, copy: Path, limits: Limits) -> None:
    """An independent qcow2 copy of a disk. If QEMU cannot open it as it is, v2vlint's own reader supplies the content."""
    node = to_read(guest, limits)[position]
    if node is not None:
        qemu.copy_image(node, copy)
        return
    raw = qemu.fresh(copy.with_name(f".{copy.name}.raw"))
    try:
        grant = Grant(write=(str(raw),))
        outcome = isolate.run(Call(EXPORT, encode(ExportAsk(guest, position, str(raw))), grant, Desk(guest)), limits)
        if not isinstance(outcome, Answer):
            reason = outcome.message if isinstance(outcome, Refusal) else outcome.reason
            raise ImageError(f"{guest.name}: disk {position + 1} cannot be copied: {reason}", hint=outcome.hint)
        qemu.copy_image(ImageNode(str(raw.resolve()), "raw"), copy)
    finally:
        raw.unlink(missing_ok=True)


def _publish(partial: Path, output: Path, wanted: str) -> None:
    if wanted != "qcow2":
        second = partial.with_suffix(".converted")
        try:
            qemu.convert(partial, second, wanted)
            second.replace(partial)
        finally:
            second.unlink(missing_ok=True)
    transaction.sync(partial)
    if output.exists():
        raise UsageError(f"{output} exists by now")
    partial.rename(output)


def _like(sources: Sequence[HostFileInfo], copy: Path) -> None:
    """Give the copy of a guest the permissions common to all files of the original that are still there."""
    mode = 0o666
    for source in sources:
        with suppress(OSError):
            mode &= os.stat(source.path).st_mode  # noqa: PTH116
    # The umask can only be read by setting it.
    os.umask(mask := os.umask(0o077))
    copy.chmod(mode & ~mask | 0o600)


def driver(image: Path, kind: str) -> str:
    """QEMU's name for an image format that can be written in place. UsageError when it cannot."""
    with image.open("rb") as stream:
        head = stream.read(_VMDK_SIZE)
    if head[:4] == _VMDK_MAGIC and _VMDK.read(head.ljust(_VMDK_SIZE, b"\0"))["flags"] & _VMDK_COMPRESSED:
        raise UsageError(f"{image}: a streamOptimized VMDK cannot be changed in place", hint="give -o NEW.qcow2 (or NEW.vmdk)")
    if kind not in DRIVERS:
        raise UsageError(f"{image}: {kind} images cannot be changed in place", hint="give -o NEW.qcow2")
    return DRIVERS[kind]


def _nothing(prepared: PreparedFix, notes: list[str], clock: _Clock) -> FixOutcome:
    held, known = prepared.held, prepared.known
    return FixOutcome(prepared.image, None, prepared.rules, (), held, (), "", tuple(notes), clock.seconds, known=known)


class _Rounds:
    """Writes into overlays, round after round, until no safe enough fix is left; a round that does not help is taken back."""

    def __init__(self, asked: FixAsk, limits: Limits, disks: Mapping[Path, ImageNode | None], clock: _Clock) -> None:
        """``disks`` are the files written to, each with the image it is an overlay of."""
        self.asked, self.limits, self.disks, self.overlays, self.clock = asked, limits, disks, list(disks), clock
        self.notes: list[str] = []
        self.failed: list[Held] = []
        self.diff = ""

    def run(self, prepared: PreparedFix) -> FixOutcome:
        """Apply ``prepared``, check again, and continue with the fixes that have become possible."""
        before, applied, current = prepared.image, list[Chosen](), prepared
        for _round in range(MAX_ROUNDS):
            if not current.has_work:
                break
            current = self._apply_or_drop(current, before, applied)
            # Whatever else is held back would be held back again.
            if not any(held.later for held in current.held):
                break
        return FixOutcome(
            before=before,
            after=current.image if applied else None,
            rules=prepared.rules,
            applied=tuple(applied),
            held=current.held,
            failed=tuple(self.failed),
            diff=self.diff,
            notes=tuple(self.notes),
            seconds=self.clock.seconds,
            known=current.known,
        )

    def _apply_or_drop(self, current: PreparedFix, before: ImageReport, applied: list[Chosen]) -> PreparedFix:
        saved = [transaction.saved(overlay) for overlay in self.overlays]
        for overlay, copy in zip(self.overlays, saved, strict=True):
            transaction.snapshot(overlay, copy)
        try:
            self._write(current)
            again = self._look()
            bad = self._regressions(current, before, again)
            if not bad:
                applied.extend(current.chosen)
                self.diff += current.diff
                return again
            self.failed.extend(bad)
            for overlay, copy in zip(self.overlays, saved, strict=True):
                copy.replace(overlay)
        finally:
            for copy in saved:
                copy.unlink(missing_ok=True)
        # A fix that did not help would be chosen again and again.
        self.asked = replace(self.asked, without=(*self.asked.without, *((held.rule, held.title) for held in bad)))
        remaining = self._look()
        return self._apply_or_drop(remaining, before, applied) if remaining.has_work else remaining

    def _write(self, current: PreparedFix) -> None:
        orders = checked(current.request, self.asked, len(self.overlays))
        work = Work(orders, self.disks, self._changed(), self.asked.ask.keys, self.limits)
        written = writers.write(work, self.asked.writer)
        for name, seconds in written.seconds.items():
            self.clock.seconds[name] = round(self.clock.seconds.get(name, 0.0) + seconds, 3)
        self.clock.last = time.monotonic()
        self.notes.extend(note for note in (*written.notes, f"written {written.by}") if note not in self.notes)

    def _changed(self) -> GuestRef:
        """The guest as it is in the overlays."""
        below = tuple((node.path, node.format) if node else ("", "") for node in self.disks.values())
        return replace(self.asked.ask.guest, kind="disks", paths=tuple(map(str, self.overlays)), below=below)

    def _look(self) -> PreparedFix:
        ask = replace(self.asked.ask, guest=self._changed(), standing_for=self.asked.ask.guest.paths)
        looked = preview(replace(self.asked, ask=ask), self.limits)
        self.clock.lap("re-check")
        return looked

    def _regressions(self, current: PreparedFix, before: ImageReport, again: PreparedFix) -> list[Held]:
        old, new = findings(before), findings(again.image)
        fresh = [key for key, found in new.items() if key not in old and found.counts and found.finding.severity is Severity.ERROR]
        if _stops(before):
            from v2vlint.engine.boot import FORECAST

            fresh = [key for key in fresh if new[key].finding.rule != FORECAST.id]
        if again.image.problems and not before.problems:
            words = again.image.problems[0].reason
            return [Held(c.rule, c.title, f"the image could not be read again: {words}") for c in current.chosen]
        if fresh:
            return [Held(c.rule, c.title, f"a new error appeared: {fresh[0][2]}") for c in current.chosen]
        standing = {(found.finding.rule, found.finding.fix.title) for found in new.values() if found.finding.fix and found.counts}
        return [Held(c.rule, c.title, "its finding is still there") for c in current.chosen if (c.rule, c.title) in standing]


def _stops(image: ImageReport) -> bool:
    """Whether its boot is forecast to stop. A fix may then reveal that a later stage stops, too."""
    return any(one.forecast is not None and one.forecast.fate is Fate.FAIL for root in image.roots for one in root.targets)


def findings(image: ImageReport) -> dict[Key, FindingReport]:
    """All findings by rule, root and message, which stay the same in a copy of the image."""
    return {
        (found.finding.rule, device, found.finding.message): found
        for device, target in image.judged()
        for result in target.results
        for found in result.findings
    }
