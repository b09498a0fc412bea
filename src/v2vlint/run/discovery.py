"""From the arguments to the guests of a run: each guest once, machines with their own disks, and everything else with a reason."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from v2vlint import isolate
from v2vlint.files import Desk
from v2vlint.files.urls import is_url, plain
from v2vlint.isolate import DEFAULT_LIMITS, Answer, Call, Limits, Outcome
from v2vlint.model.codec import decode, encode
from v2vlint.model.dataclass import dataclass
from v2vlint.model.source import GuestRef, NotJudged

if TYPE_CHECKING:
    from v2vlint.engine.survey import Surveyed

BATCH = 100


@dataclass(frozen=True, slots=True)
class Found:
    """The guests of a run, and everything else that was found."""

    guests: tuple[GuestRef, ...]
    not_judged: tuple[NotJudged, ...] = ()


def discover(refs: Sequence[GuestRef], others: Iterable[NotJudged], limits: Limits = DEFAULT_LIMITS, jobs: int = 1) -> Found:
    """The guests among ``refs``. Confined children examine candidates from folders to find out which files belong together."""
    known = _surveyed(refs, limits, jobs)
    grouped = _grouped(refs, known)
    owned = {file for one in known.values() for file in one.files}
    left = (one for one in others if _real(one.path) not in owned)
    return _once(grouped.guests, (*grouped.not_judged, *left))


def _surveyed(refs: Sequence[GuestRef], limits: Limits, jobs: int) -> dict[int, Surveyed]:
    """What each candidate from a folder is, by its position."""
    candidates = [at for at, ref in enumerate(refs) if ref.folder and not ref.problem]
    folders = dict.fromkeys(refs[at].folder for at in candidates)
    batches = [part for folder in folders for part in _batches([at for at in candidates if refs[at].folder == folder])]
    if not batches:
        return {}
    found = dict(_asked(refs, batches, limits, jobs))
    alone = [[at] for batch in batches if len(batch) > 1 for at in batch if at not in found]
    return found | dict(_asked(refs, alone, limits, jobs))


def _batches(positions: list[int]) -> Iterator[list[int]]:
    for start in range(0, len(positions), BATCH):
        yield positions[start : start + BATCH]


def _asked(refs: Sequence[GuestRef], batches: list[list[int]], limits: Limits, jobs: int) -> Iterator[tuple[int, Surveyed]]:
    """The answers of one child per batch. If a child dies, each candidate of its batch gets a child of its own."""
    from v2vlint.engine.survey import SURVEY, SurveyAsk

    asks = [SurveyAsk(tuple(refs[at] for at in batch)) for batch in batches]
    # The candidates of a folder have the same policy: what is in it may be opened.
    desks = [Desk(replace(refs[batch[0]], paths=(), named=())) for batch in batches]
    calls = (Call(SURVEY, encode(ask), desk=desk) for ask, desk in zip(asks, desks, strict=True))
    for number, outcome in isolate.run_all(calls, limits, jobs):
        # Not strict: the answer of a child that died is empty.
        yield from zip(batches[number], _answer(outcome, len(batches[number]), desks[number]), strict=False)


def _answer(outcome: Outcome, count: int, desk: Desk) -> tuple[Surveyed, ...]:
    """A child's answer, reduced to the files that it was given."""
    from v2vlint.engine.survey import Survey

    if not isinstance(outcome, Answer):
        return ()
    try:
        found = decode(Survey, outcome.value).found
    except (TypeError, ValueError, KeyError):
        return ()
    if len(found) != count:
        return ()
    return tuple(replace(one, files=tuple(filter(desk.gave, one.files))) for one in found)


def _grouped(refs: Sequence[GuestRef], known: dict[int, Surveyed]) -> Found:
    """Machines with their disks first; then the images that belong to none, without those that are backing files of others."""
    owners: dict[str, str] = {}
    machines: dict[frozenset[str], str] = {}
    dropped: dict[int, str] = {}
    # Certain definitions first: a doubtful one of the same disks then counts as the repetition.
    for at in sorted(known, key=lambda at: (bool(refs[at].doubt), at)):
        one, name = known[at], refs[at].name
        if not one.defined:
            continue
        files = frozenset(one.files)
        if files and files in machines:
            dropped[at] = f"describes the disks of {machines[files]} again"
            continue
        machines.setdefault(files, name)
        for file in one.files:
            owners.setdefault(file, name)
    # The first file is the image itself; the others are what it builds on.
    below = {file: refs[at].name for at, one in known.items() if not one.defined for file in one.files[1:]}
    named = {(_folder(refs[at]), name): refs[at].name for at, one in known.items() if at not in dropped for name in one.mentioned}
    for at, one in known.items():
        if at not in dropped and not one.defined:
            dropped[at] = _reason(refs[at], below) or _mention(refs[at], named) or ("" if one.known else refs[at].doubt)
    # Disks of a machine are no guests of their own.
    parts = {at for at, one in known.items() if not one.defined and _real(refs[at].paths[0]) in owners}
    guests = tuple(ref for at, ref in enumerate(refs) if at not in parts and not dropped.get(at))
    return Found(guests, tuple(NotJudged(refs[at].name, reason) for at, reason in sorted(dropped.items()) if reason and at not in parts))


def _reason(ref: GuestRef, below: dict[str, str]) -> str:
    """The name of an image that has this one as its backing file and belongs to no definition; empty when there is none."""
    real = _real(ref.paths[0])
    return f"what {below[real]} builds on" if real in below else ""


def _mention(ref: GuestRef, named: dict[tuple[str, str], str]) -> str:
    """The name of a machine, in a folder above, whose definition mentions an image that it does not use now: a snapshot, or a detached
    disk.
    """
    folder, name = os.path.split(_real(ref.paths[0]))
    while len(folder) > 1:
        if owner := named.get((folder, name)):
            return f"named by {owner}, which does not use it as it is now"
        folder = os.path.dirname(folder)  # noqa: PTH120
    return ""


def _real(path: str) -> str:
    """The one name of a file that has many, here or on a server."""
    return plain(path) if is_url(path) else os.path.realpath(path)


def _folder(ref: GuestRef) -> str:
    return os.path.dirname(_real(ref.paths[0]))  # noqa: PTH120


def _once(refs: Iterable[GuestRef], others: tuple[NotJudged, ...]) -> Found:
    """Each guest under the first of its names, however many links and paths lead to it."""
    seen: dict[object, str] = {}
    guests: list[GuestRef] = []
    again: list[NotJudged] = []
    for ref in refs:
        key = (ref.kind, ref.name) if not ref.paths or ref.problem else tuple(map(_identity, ref.paths))
        if key not in seen:
            seen[key] = ref.name
            guests.append(ref)
        elif seen[key] != ref.name:
            again.append(NotJudged(ref.name, f"the same as {seen[key]}"))
    return Found(tuple(guests), (*again, *others))


def _identity(path: str) -> object:
    try:
        found = os.stat(path)  # noqa: PTH116
    except OSError:
        return path
    return found.st_dev, found.st_ino
