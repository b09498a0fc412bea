"""The journal of a run: a folder of JSON lines, one for each finished guest, that survives any end of the run.

Each run writes its own file. A record is on disk before the next guest is counted; an incomplete last line is ignored when reading.
``docs/schema/journal-1.json`` has the shape.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import field, replace
from pathlib import Path
from typing import Any

from v2vlint.model.codec import decode, encode, parse
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import NothingFound, UsageError
from v2vlint.model.finding import Mover, Severity
from v2vlint.model.report import ImageReport, Report
from v2vlint.model.rule import RuleInfo
from v2vlint.model.source import NotJudged
from v2vlint.model.version import __version__
from v2vlint.run.identity import FileStamp
from v2vlint.run.settings import Settings

VERSION = 1
PATTERN = "run-*.jsonl"


@dataclass(frozen=True, slots=True)
class RunRecord:
    """The first record of a run: how it judges."""

    version: str
    targets: tuple[str, ...]
    mover: Mover
    fail_on: Severity
    strict: bool
    docs_url: str


@dataclass(frozen=True, slots=True)
class GuestRecord:
    """A finished guest. ``key`` identifies how it was judged, ``files`` its state; see :mod:`v2vlint.run.identity`."""

    key: str
    files: tuple[FileStamp, ...]
    image: ImageReport


@dataclass(frozen=True, slots=True)
class RulesRecord:
    """The rules that judge the guests after this record."""

    rules: tuple[RuleInfo, ...]


@dataclass(frozen=True, slots=True)
class SeenRecord:
    """Things that were found and are not guests."""

    not_judged: tuple[NotJudged, ...]


Record = RunRecord | GuestRecord | RulesRecord | SeenRecord
_KINDS: dict[str, type[Record]] = {"run": RunRecord, "guest": GuestRecord, "rules": RulesRecord, "seen": SeenRecord}
_NAMES = {kind: name for name, kind in _KINDS.items()}


@dataclass(slots=True)
class JournalContents:
    """The content of a folder's journals: the last record of each guest, by name."""

    runs: list[RunRecord] = field(default_factory=list)
    guests: dict[str, GuestRecord] = field(default_factory=dict)
    rules: dict[str, RuleInfo] = field(default_factory=dict)
    not_judged: dict[str, NotJudged] = field(default_factory=dict)


class Journal:
    """A journal that is being written. Use it as a context manager; UsageError when the folder cannot be created or is in use."""

    def __init__(self, folder: Path, settings: Settings, *, resume: bool) -> None:
        self.folder = folder
        self._lock = _locked(folder)
        self._file = -1
        try:
            there = sorted(folder.glob(PATTERN))
            if there and not resume:
                hint = "--resume goes on with it; or name another folder"
                raise UsageError(f"--journal {folder}: there is a journal already", hint=hint)
            self.before = read(folder) if there else JournalContents()
            name = time.strftime(f"run-%Y%m%dT%H%M%S-{len(there):04}-{os.getpid()}.jsonl", time.gmtime())
            self._file = os.open(folder / name, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
            # The folder: without it, a crash may lose the name of the new file.
            os.fsync(self._lock)
            self._rules: tuple[RuleInfo, ...] = ()
            names = tuple(target.name for target in settings.targets)
            self.write(RunRecord(__version__, names, settings.mover, settings.fail_on, settings.strict, settings.config.docs_url))
        except OSError as error:
            self.close()
            raise UsageError(f"--journal {folder}: {(error.strerror or 'cannot be written').lower()}") from error
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the folder."""
        for descriptor in (self._file, self._lock):
            if descriptor >= 0:
                os.close(descriptor)
        self._file = self._lock = -1

    def guest(self, record: GuestRecord, rules: tuple[RuleInfo, ...]) -> None:
        """Record a finished guest, and its rules if they differ from the previous ones."""
        if rules and rules != self._rules:
            self._rules = rules
            self.write(RulesRecord(rules))
        self.write(record)

    def write(self, record: Record) -> None:
        """Write one line, and sync it to disk. UsageError when that fails: a run must not continue unrecorded."""
        line = json.dumps({"journal": VERSION, "record": _NAMES[type(record)], "data": encode(record)}).encode() + b"\n"
        try:
            view = memoryview(line)
            while view:
                view = view[os.write(self._file, view) :]
            os.fsync(self._file)
        except OSError as error:
            hint = "what is recorded stays, and --resume goes on with it"
            raise UsageError(f"--journal {self.folder}: {(error.strerror or 'cannot be written').lower()}", hint=hint) from error


def _locked(folder: Path) -> int:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise UsageError(f"--journal {folder}: {(error.strerror or 'cannot be made').lower()}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise UsageError(f"--journal {folder}: another run is writing there") from error
    return descriptor


def read(folder: Path) -> JournalContents:
    """The journals in ``folder``. NothingFound when there are none; UsageError for one written by a newer version."""
    files = sorted(folder.glob(PATTERN))
    if not files:
        raise NothingFound(f"{folder}: no journal of v2vlint's", hint="'v2vlint check --journal DIR' writes one")
    found = JournalContents()
    for file in files:
        for record in _records(file, found):
            _take(record, found)
    return found


def _take(record: Record, found: JournalContents) -> None:
    match record:
        case RunRecord():
            found.runs.append(record)
        case GuestRecord():
            found.guests[record.image.name] = record
            found.not_judged.pop(record.image.name, None)
        case RulesRecord():
            found.rules |= {rule.id: rule for rule in record.rules}
        case SeenRecord():
            found.not_judged |= {one.path: one for one in record.not_judged if one.path not in found.guests}


def _records(file: Path, found: JournalContents) -> Iterator[Record]:
    """The records in a file, without an incomplete last line; an earlier damaged line is reported."""
    try:
        lines = file.read_bytes().split(b"\n")
    except OSError as error:
        raise UsageError(f"{file}: {(error.strerror or 'cannot be read').lower()}") from error
    for number, line in enumerate(lines[:-1], 1):
        try:
            yield _record(file, parse(line))
        except (TypeError, ValueError, KeyError):
            where = f"{file}:{number}"
            found.not_judged[where] = NotJudged(where, "a damaged record of the journal")


def _record(file: Path, data: Any) -> Record:
    if data["journal"] != VERSION:
        raise UsageError(f"{file}: a journal of another version", hint="make the report with the v2vlint that wrote it")
    return decode(_KINDS[data["record"]], data["data"])


def report_of_journals(folders: Sequence[Path]) -> Report:
    """All journals in ``folders`` as one report. Of a guest in several journals, the last record is used; different guests with the same
    name are kept apart.
    """
    every = [read(folder) for folder in folders]
    images: dict[tuple[object, ...], ImageReport] = {}
    names: dict[str, int] = {}
    for folder, contents in zip(folders, every, strict=True):
        for record in contents.guests.values():
            key = (record.image.name, *((file.device, file.inode) for file in record.files))
            if key not in images:
                names[record.image.name] = names.get(record.image.name, 0) + 1
            again = names[record.image.name] > 1
            images[key] = replace(record.image, name=f"{folder}: {record.image.name}") if again else record.image
    runs = [run for contents in every for run in contents.runs]
    # IndexError: there is no run in any of them.
    with contextlib.suppress(IndexError):
        return _merged(runs, images.values(), every)
    raise NothingFound(f"{', '.join(map(str, folders))}: a journal without a record")


def _merged(runs: Sequence[RunRecord], images: Iterable[ImageReport], every: Sequence[JournalContents]) -> Report:
    last, found = runs[-1], tuple(images)
    rules = {key: rule for contents in every for key, rule in contents.rules.items()}
    return Report(
        version=last.version,
        targets=tuple(dict.fromkeys(target for run in runs for target in run.targets)),
        mover=last.mover,
        images=found,
        rules=tuple(rules[key] for key in sorted(rules)),
        fail_on=last.fail_on,
        strict=last.strict,
        seconds=sum(image.seconds for image in found),
        docs_url=last.docs_url,
        not_judged=tuple(dict.fromkeys(one for contents in every for one in contents.not_judged.values())),
    )
