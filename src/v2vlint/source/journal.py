"""The journal of a transaction: what is being changed, how far it has got, and which image it belongs to.

It never says where to write: the image is the one that it was found for, and another disk of the same guest counts only when the journal
beside that disk refers back.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shlex
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import field
from itertools import chain
from pathlib import Path

from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import ImageError
from v2vlint.model.plain import JsonObject
from v2vlint.model.report import Problem
from v2vlint.model.source import ImageNode
from v2vlint.source import sidecars
from v2vlint.source.sidecars import SidecarPlace

VERSION = 2
STATES = ("editing", "committing", "done", "undoing", "undone")
MAX_DISKS = 1024
_ID = re.compile(r"[0-9a-f]{32}")
_DIGEST = re.compile(r"(?:[0-9a-f]{64})?")
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_SAMPLES, _SAMPLE = 32, 16 << 10


class NotItsJournal(ImageError):
    """The journal beside an image belongs to another image: the image is a copy, or the journal was put there. ``state`` is the
    journal's.
    """

    def __init__(self, message: str, *, hint: str = "", state: str = "") -> None:
        super().__init__(message, hint=hint)
        self.state = state


@dataclass(frozen=True, slots=True)
class Stamp:
    """Shows whether an image is as a transaction left it: size, modification time in ns, and a digest of samples from all over it.

    ``ctime`` also changes with links and owners, so it is only meaningful while a transaction is running.
    """

    size: int
    mtime: int
    samples: str
    ctime: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class FixedFile:
    """A file of a transaction: an image, or a file in which an image keeps its data.

    ``undo``, ``following`` and ``redo`` are SHA-256 of its patches, empty when there is none. ``undo`` applies to the state before this
    transaction (it reverts earlier ones), ``following`` to the state after it. While the transaction runs, ``of`` is the image whose
    overlay has the file's new content, and ``window`` the file's place in its virtual disk, in bytes; ``node`` is what an image refers to.
    None of these three is stored in the journal.
    """

    at: SidecarPlace
    driver: str
    stamp: Stamp
    undo: str = ""
    following: str = ""
    redo: str = ""
    of: SidecarPlace | None = field(default=None, compare=False)
    window: tuple[int, int] = field(default=(0, 0), compare=False)
    node: ImageNode | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class FixJournal:
    """The state of a transaction. ``titles`` name all fixes that an undo reverts, the first ``earlier`` of them from previous transactions.

    ``boot`` identifies the boot of the host during which the journal was written.
    """

    state: str
    members: tuple[FixedFile, ...]
    titles: tuple[str, ...] = ()
    earlier: int = 0
    id: str = field(default_factory=lambda: os.urandom(16).hex())
    boot: str = ""

    @property
    def at(self) -> SidecarPlace:
        """The place of the journal: beside the guest's first disk."""
        return self.members[0].at


def boot_id() -> str:
    """An identifier of the host's current boot."""
    return sidecars.one_line(_BOOT_ID)


def stamp_of(handle: int, *, device: bool = False) -> Stamp:
    """The stamp of an open image. The time of a block device is meaningless and left out."""
    found = os.fstat(handle)
    size = os.lseek(handle, 0, os.SEEK_END)
    digest = hashlib.sha256()
    step = max(_SAMPLE, (size - _SAMPLE) // (_SAMPLES - 1)) if size > _SAMPLE else _SAMPLE
    for offset in [*range(0, size, step), max(0, size - _SAMPLE)]:
        digest.update(os.pread(handle, _SAMPLE, offset))
    return Stamp(size, 0 if device else found.st_mtime_ns, digest.hexdigest(), 0 if device else found.st_ctime_ns)


def write_journal(journal: FixJournal) -> None:
    """Write the journal, and those of the other disks that refer to it."""
    # These first: if an interruption leaves them alone, they lead to no journal of the same id and count as none.
    for member in journal.members[1:]:
        sidecars.replace_text(member.at, "journal", _encoded(_pointer(journal, member)))
    data = {"version": VERSION, "id": journal.id, "state": journal.state, "boot": journal.boot, "earlier": journal.earlier}
    data |= {"titles": journal.titles, "members": [_member(journal.at, member) for member in journal.members]}
    sidecars.replace_text(journal.at, "journal", _encoded(data))


def _encoded(data: JsonObject) -> bytes:
    return json.dumps(data, indent=1).encode()


def _inode(at: SidecarPlace) -> JsonObject:
    return {"dev": at.dev, "ino": at.ino, "generation": at.generation, "device": at.device}


def _pointer(journal: FixJournal, member: FixedFile) -> JsonObject:
    lead = os.path.relpath(journal.at.image, member.at.folder)
    return {"version": VERSION, "id": journal.id, "state": "see", "see": lead, "boot": journal.boot, **_inode(member.at)}


def _member(lead: SidecarPlace, member: FixedFile) -> JsonObject:
    stamp = {"size": member.stamp.size, "mtime": member.stamp.mtime, "samples": member.stamp.samples}
    patches = {"undo": member.undo, "following": member.following, "redo": member.redo}
    name = os.path.relpath(member.at.image, lead.folder)
    return {"name": name, "driver": member.driver, **_inode(member.at), **stamp, **patches}


def read_journal(image: str | Path) -> FixJournal | None:
    """The journal of the transaction that ``image`` is part of, or None.

    ForeignSidecar when the file there is not v2vlint's, NotItsJournal when it is another image's, ImageError when it is damaged. In these
    cases nothing may be touched. An entry of the state folder for a reused inode number is not a journal of this image.
    """
    at = sidecars.place(image)
    try:
        journal = _found(at)
    except NotItsJournal:
        if at.remembered:
            return None
        raise
    return None if journal is not None and at.remembered and _is_used_again(at, journal) else journal


def _is_used_again(at: SidecarPlace, journal: FixJournal) -> bool:
    """Whether a filesystem without inode generations has given the number to another file."""
    if at.generation or journal.state != "done":
        return False
    handle = os.open(at.image, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        return all(stamp_of(handle).samples != member.stamp.samples for member in journal.members if member.at.key == at.key)
    finally:
        os.close(handle)


def _found(at: SidecarPlace) -> FixJournal | None:
    data = _load(at)
    if data is None:
        return None
    if data["state"] != "see":
        return _decoded(at, data)
    try:
        name = _text(data, "see")
        _bound(at, data, data)
    except (ValueError, KeyError) as error:
        raise ImageError(f"{at.path('journal')}: the journal cannot be read: {error!r}", hint=_removal(at)) from error
    lead = sidecars.place(os.path.join(at.folder, name))  # noqa: PTH118
    main = _load(lead)
    if main is None or main["id"] != data["id"] or main["state"] == "see":
        return None
    journal = _decoded(lead, main)
    return journal if any(member.at.key == at.key for member in journal.members) else None


def _load(at: SidecarPlace) -> JsonObject | None:
    raw = sidecars.read_text(at, "journal")
    if raw is None:
        return None
    path = at.path("journal")
    try:
        data = json.loads(raw)
        if data["version"] != VERSION:
            raise ValueError(f"version {data['version']}")
        if data["state"] not in (*STATES, "see") or not _ID.fullmatch(data["id"]):
            raise ValueError("neither a state nor an id that v2vlint writes")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ImageError(f"{path}: the journal cannot be read: {error}", hint=_removal(at)) from error
    return dict(data)


def _decoded(at: SidecarPlace, data: JsonObject) -> FixJournal:
    try:
        items = data["members"]
        if not 1 <= len(items) <= MAX_DISKS:
            raise ValueError(f"{len(items)} members")
        decoded = (_decoded_member(at, data, number, item) for number, item in enumerate(items))
        members = tuple(member for member in decoded if member is not None)
        titles, earlier = tuple(map(str, data["titles"])), _number(data, "earlier")
        return FixJournal(data["state"], members, titles, earlier, data["id"], _text(data, "boot"))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ImageError(f"{at.path('journal')}: the journal cannot be read: {error!r}", hint=_removal(at)) from error


def _decoded_member(lead: SidecarPlace, data: JsonObject, number: int, item: JsonObject) -> FixedFile | None:
    """A member; None for one whose own journal is gone, when removing such files is all that is left to do."""
    at = lead if number == 0 else sidecars.place(os.path.join(lead.folder, _text(item, "name")))  # noqa: PTH118
    _bound(at, item, data)
    if number:
        pointer = _load(at)
        if pointer is None and data["state"] in ("editing", "undone"):
            return None
        if pointer is None or pointer["state"] != "see" or pointer["id"] != data["id"]:
            raise NotItsJournal(
                f"{lead.path('journal')} names {at.image}, whose own journal does not say so", hint=_removal(lead), state=data["state"]
            )
    undo, following, redo = (_text(item, name) for name in ("undo", "following", "redo"))
    if not all(map(_DIGEST.fullmatch, (undo, following, redo))):
        raise ValueError("not a digest")
    stamp = Stamp(_number(item, "size"), _number(item, "mtime"), _text(item, "samples"))
    return FixedFile(at, _text(item, "driver"), stamp, undo, following, redo)


def _bound(at: SidecarPlace, item: JsonObject, data: JsonObject) -> None:
    """NotItsJournal unless the journal was written for this very inode. Device numbers may change when the host reboots."""
    wanted = _inode(at)
    if data["boot"] != boot_id():
        wanted["dev"] = item["dev"]
    if {name: item[name] for name in wanted} != wanted:
        why = "belongs to another file: the image is a copy or was replaced, or the journal was planted"
        raise NotItsJournal(f"{at.path('journal')} {why}", hint=_removal(at), state=data["state"])


def _text(item: JsonObject, name: str) -> str:
    """A text that may be part of a path; ValueError otherwise."""
    if not isinstance(item[name], str) or b"\0" in os.fsencode(item[name]):
        raise ValueError(f"{name} is no text")
    return str(item[name])


def _number(item: JsonObject, name: str) -> int:
    # Not isinstance: True is an int, too.
    if type(item[name]) is not int:
        raise ValueError(f"{name} is no whole number")
    return int(item[name])


def _removal(at: SidecarPlace) -> str:
    return f"to keep the image as it is: rm {shlex.quote(at.prefix)}.v2vlint-*"


def pending(*paths: Iterable[str]) -> Iterator[Problem]:
    """A warning for readers of these images: a transaction that was not finished, with the command that resolves it."""
    told: set[str] = set()
    for path in dict.fromkeys(chain(*paths)):
        with suppress(ImageError):
            sidecars.place(path)
            yield from _unfinished(path, told)


def _unfinished(path: str, told: set[str]) -> Iterator[Problem]:
    try:
        journal = read_journal(path)
    except ImageError as error:
        # A copy of an image that was fixed, copied with its sidecars: nothing is unfinished.
        if not (isinstance(error, NotItsJournal) and error.state == "done"):
            yield Problem(path, error.message, error.hint)
    else:
        if journal is not None and journal.state != "done" and journal.id not in told:
            told.add(journal.id)
            yield _told(path, journal)


def _told(path: str, journal: FixJournal) -> Problem:
    if _is_held(journal.at.image):
        return Problem(path, "v2vlint is changing it at this moment", "wait until it is done")
    words = {
        "editing": "a fix was interrupted before it changed the image",
        "committing": "a fix was interrupted while it wrote: what can be read now is neither the old guest nor the new one",
        "undoing": "an undo was interrupted while it wrote: what can be read now is neither the old guest nor the new one",
        "undone": "an undo was interrupted after it had written the old bytes",
    }[journal.state]
    name = shlex.quote(str(journal.at.image))
    again = "" if journal.state.startswith("undo") else f"; v2vlint --fix {name} finishes it"
    return Problem(path, words, f"v2vlint undo {name} brings the old guest back{again}")


def _is_held(image: Path) -> bool:
    """Whether a v2vlint process holds its lock now."""
    with suppress(OSError):
        handle = os.open(image, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            # Shared: two that look at the same time do not take each other for a writer.
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(handle)
    return False
