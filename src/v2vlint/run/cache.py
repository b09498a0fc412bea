"""Answers of earlier runs, in the user's cache folder. For an unchanged guest, judged with the same settings, a run costs one stat per
file.

A file is unchanged if its size, inode and both times are, on filesystems where the kernel maintains the change time: every write updates
it, and nobody can set it. That is at least as strong as a digest of the bytes that were read, without reading them. Where times prove
nothing (FUSE, SMB, exFAT and others) no answer is kept; for a file on a server, the server's own tag counts.

The parent writes and reads the cache. An image can influence names and contents only through its answer, which is checked like any answer
from a child. Guests with keys, on devices, and without files are not cached.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import stat
from pathlib import Path
from typing import TypeVar

from v2vlint.files.policy import Queries
from v2vlint.model.codec import decode, encode, parse
from v2vlint.model.dataclass import dataclass
from v2vlint.model.report import ImageReport
from v2vlint.model.rule import RuleInfo
from v2vlint.run.identity import FileStamp, tells, unchanged

MAX_ANSWER = 64 << 20
MAX_ENTRIES = 20_000
_DIGEST = re.compile("[0-9a-f]{64}")
_ENTRY = re.compile(rf"{_DIGEST.pattern}\.(json|\d+)")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Kept:
    """A cached answer, with the state of the files it is about. ``rules`` names the entry with the rules that judged."""

    files: tuple[FileStamp, ...]
    image: ImageReport
    rules: str


@dataclass(frozen=True, slots=True)
class KeptRules:
    """Rules shared by many answers."""

    rules: tuple[RuleInfo, ...]


def folder() -> Path:
    """The folder for answers, in the XDG cache folder."""
    return Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")) / "v2vlint/results"  # noqa: PTH111


def state() -> str:
    """The state of the cache in words, for ``doctor``."""
    found = [entry.stat().st_size for entry in folder().glob("*.json")] if folder().is_dir() else []
    return f"{folder()}: {len(found)} answers, {sum(found) / (1 << 20):.1f} MiB"


class Cache:
    """The answers for one user. Any error counts as a miss."""

    def __init__(self) -> None:
        self.folder = folder()
        self.usable = self._prepared()
        self._rules: dict[str, tuple[RuleInfo, ...]] = {}

    def _prepared(self) -> bool:
        """Whether the folder exists and belongs to us alone. One that is too full is emptied."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            found = self.folder.lstat()
            # Before anything is deleted: where others may write, it may be a link to any folder.
            if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
                return False
            entries = os.listdir(self.folder)  # noqa: PTH208
        except OSError:
            return False
        if len(entries) > MAX_ENTRIES:
            for name in filter(_ENTRY.fullmatch, entries):
                with contextlib.suppress(OSError):
                    (self.folder / name).unlink()
        return True

    def get(self, key: str, queries: Queries = ()) -> tuple[Kept, tuple[RuleInfo, ...]] | None:
        """The answer under ``key``, and its rules, if all its files are unchanged. ``queries`` belong to its URLs."""
        kept = self._read(Kept, key)
        if kept is None or not kept.files or not unchanged(kept.files, queries):
            return None
        if kept.rules not in self._rules:
            # The name comes from a file: only a digest may become a path.
            found = self._read(KeptRules, kept.rules) if _DIGEST.fullmatch(kept.rules) else None
            if found is None:
                return None
            self._rules[kept.rules] = found.rules
        return kept, self._rules[kept.rules]

    def put(self, key: str, files: tuple[FileStamp, ...], image: ImageReport, rules: tuple[RuleInfo, ...]) -> None:
        """Store an answer, completely or not at all. ``files`` is their state when the answer was complete."""
        if not self.usable or not files or not all(map(tells, files)):
            return
        name = next((name for name, known in self._rules.items() if known == rules), "")
        if not name:
            data = json.dumps(encode(KeptRules(rules))).encode()
            name = hashlib.sha256(data).hexdigest()
            self._rules[name] = rules
            self._write(name, data)
        self._write(key, json.dumps(encode(Kept(files, image, name))).encode())

    def _read(self, kind: type[T], key: str) -> T | None:
        return read_entry(kind, self.folder / f"{key}.json") if self.usable else None

    def _write(self, key: str, data: bytes) -> None:
        write_entry(self.folder / f"{key}.json", data)


def read_entry(kind: type[T], place: Path) -> T | None:
    """The content of an entry; None when it does not exist or cannot be read."""
    try:
        # O_NONBLOCK: opening a FIFO in its place would wait for a writer.
        handle = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(handle, "rb") as stream:
            # A longer one is cut off, and then it is not JSON: a miss.
            return decode(kind, parse(stream.read(MAX_ANSWER + 1)))
    except (OSError, ValueError, TypeError, KeyError):
        return None


def write_entry(place: Path, data: bytes) -> None:
    """Create an entry, completely or not at all."""
    temporary = place.with_suffix(f".{os.getpid()}")
    with contextlib.suppress(OSError):
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(data)
            temporary.replace(place)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
