"""Limits on the cost of one fact. A hostile file costs the fact that is read from it, not the verdict on the guest.

A timer interrupts a piece of work that uses too much processor time; ``GuestFS`` counts what it reads. Pieces of work nest: while an
inner one runs, the clock of the outer one stands still.
"""

from __future__ import annotations

import functools
import resource
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import FactUnavailable
from v2vlint.model.place import WholeFile

SECONDS = 30.0
BYTES = 2 << 30
FILES = 50_000
_SHARE = 3
_AGAIN = 0.5


class OverBudget(BaseException):
    """Raised in the middle of any work, also by the timer; no handler of ordinary errors may swallow it. Ends at :func:`spending`."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(reason)
        self.path = path
        self.reason = reason


@dataclass(slots=True)
class _Work:
    seconds: float
    started: float = 0.0
    bytes: int = 0
    files: int = 0
    path: str = "/"
    watched: bool = False


_works: list[_Work] = []


def allowance() -> float:
    """Seconds of processor time for a piece of work: at most SECONDS, and at most a third of what the process has left.

    However many facts are hostile, some time remains for the next one.
    """
    limit = resource.getrlimit(resource.RLIMIT_CPU)[0]
    return SECONDS if limit == resource.RLIM_INFINITY else max(0.1, min(SECONDS, (limit - time.process_time()) / _SHARE))


@contextmanager
def spending(seconds: float | None = None) -> Iterator[None]:
    """Work within a budget. FactUnavailable, naming the file last looked at, when it is exceeded or memory runs out."""
    work = _Work(allowance() if seconds is None else seconds)
    if _works:
        _pause(_works[-1])
    _works.append(work)
    try:
        _go(work)
        yield
    except OverBudget as stop:
        raise FactUnavailable(WholeFile(stop.path), stop.reason) from None
    except MemoryError:
        raise FactUnavailable(WholeFile(work.path), "needs more memory than --memory-limit allows") from None
    finally:
        _pause(work)
        _works.pop()
        if _works:
            _go(_works[-1])


def looking_at(path: str) -> None:
    """Record that the current work looks at ``path``."""
    if _works:
        _works[-1].path = path


def opened(path: str) -> None:
    """Record that the current work opens a file. OverBudget when it has opened too many."""
    if _works:
        work = _works[-1]
        work.files += 1
        if work.files > FILES:
            raise OverBudget(path, f"more than {FILES} files were opened for one fact")


def read(path: str, count: int) -> None:
    """Record that the current work read ``count`` bytes. OverBudget when it has read too many."""
    if _works:
        work = _works[-1]
        work.bytes += count
        if work.bytes > BYTES:
            raise OverBudget(path, f"more than {BYTES >> 20} MiB were read for one fact")


def _go(work: _Work) -> None:
    work.started = time.process_time()
    work.watched = threading.current_thread() is threading.main_thread()  # only it runs signal handlers
    if work.watched:
        _listen()
        signal.setitimer(signal.ITIMER_PROF, max(0.001, work.seconds), _AGAIN)  # 0 would disarm the timer


@functools.cache
def _listen() -> None:
    """Called once per process: nothing else here uses this signal."""
    signal.signal(signal.SIGPROF, _over)


def _pause(work: _Work) -> None:
    if work.watched:
        work.watched = False
        signal.setitimer(signal.ITIMER_PROF, 0)
        work.seconds -= time.process_time() - work.started


def _over(_signal: int, _frame: Any) -> None:
    work = _works[-1] if _works else None
    if work is not None and work.watched:
        raise OverBudget(work.path, "takes more processor time than one fact may have")
