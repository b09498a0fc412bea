"""The confined child that answers questions about a guest, and the conditions under which an answer is out of date."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from v2vlint import isolate
from v2vlint.asking.views import NotEvaluated
from v2vlint.engine.questions import ENTRY, Answers, Question
from v2vlint.files import Desk
from v2vlint.isolate import Answer, Call, Limits, Outcome, Refusal
from v2vlint.model.codec import decode, encode
from v2vlint.model.errors import UsageError
from v2vlint.model.source import GuestRef, Keys
from v2vlint.source.journal import pending

Cached = Callable[[Any, Callable[[], Any]], Any]


def ask(question: Question, keys: Keys, limits: Limits, cached: Cached) -> Answers:
    """Facts and files of a guest. NotEvaluated when it cannot be read, or has an unfinished transaction."""
    for problem in pending(question.guest.paths):
        raise NotEvaluated(f"{problem.where}: {problem.reason} ({problem.hint})")
    call = Call(ENTRY, encode(replace(question, keys=keys)), desk=Desk(question.guest))
    return decode(Answers, answered(question.guest, encode(question), call, limits, cached))


def answered(guest: GuestRef, question: Any, call: Call, limits: Limits, cached: Cached) -> Any:
    """The value that a child returns, or the one in ``cached`` while the guest's files are unchanged."""
    key = [_identity(guest), call.entry, question]
    return cached(key, lambda: _value(guest, isolate.run(call, limits)))


def _value(guest: GuestRef, outcome: Outcome) -> Any:
    if isinstance(outcome, Answer):
        return outcome.value
    reason = outcome.message if isinstance(outcome, Refusal) else outcome.reason
    if isinstance(outcome, Refusal) and outcome.kind == "UsageError":
        raise UsageError(reason, hint=outcome.hint)
    raise NotEvaluated(f"{guest.name}: {reason}{f' ({outcome.hint})' if outcome.hint else ''}")


def _identity(guest: GuestRef) -> list[Any]:
    """A value that changes when a disk file, or a file of a tree, is replaced or written to."""
    files = [[path, *_stamp(path)] for path in guest.paths]
    return files + [[tree, *_newest(tree)] for tree in guest.trees if guest.kind == "tree"]


def _newest(tree: str) -> tuple[int, int]:
    """The number of folders and files in a tree, and the time of the latest change."""
    count = newest = 0
    for folder, _folders, names in os.walk(tree):
        for path in (folder, *(os.path.join(folder, name) for name in names)):  # noqa: PTH118
            with contextlib.suppress(OSError):
                # The time of the change of the inode: mtime can be set back.
                count, newest = count + 1, max(newest, os.lstat(path).st_ctime_ns)
    return count, newest


def _stamp(path: str) -> Iterable[int]:
    try:
        found = Path(path).stat()
    except OSError as error:
        raise NotEvaluated(f"{path}: {os.strerror(error.errno or 0).lower()}") from error
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
