"""Guests judged on several machines, by the workers of a Dask scheduler (``pip install 'v2vlint[dask]'``) that see the same paths.

A task is one guest. A worker judges it in a confined child, as this machine would; the answer is JSON and is checked here like that of a
child. Tasks contain no keys: a worker has its own, in ``$V2VLINT_KEY``, or in the files listed in ``$V2VLINT_KEY_FILES`` (separated by
colons). Tasks of a lost worker are repeated by others; a guest that takes two workers down is given up.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from dataclasses import asdict, replace
from typing import Any

from v2vlint.engine.check import Progress, check_all
from v2vlint.engine.protocol import CheckAsk, Judged
from v2vlint.isolate import Limits
from v2vlint.model.codec import decode, encode, parse
from v2vlint.model.errors import UsageError, V2vlintError
from v2vlint.model.report import ImageReport, Problem
from v2vlint.model.source import GuestRef, Keys
from v2vlint.model.version import __version__
from v2vlint.run import keys
from v2vlint.run.identity import rules_version

KEY_FILES = "V2VLINT_KEY_FILES"
LOST_WORKERS = 2
TIMEOUT = 30
PATIENCE = 60
"""Seconds without any worker after which nobody is expected to come back."""
SCHEDULER_LOST = "the scheduler is lost"
_TICK = 0.1


def check_on(address: str, asks: Sequence[CheckAsk], limits: Limits, progress: Progress | None = None) -> Iterator[tuple[int, Judged]]:
    """Like :func:`v2vlint.engine.check.check_each`, on the workers of the scheduler at ``address``.

    UsageError when there is no such scheduler, it has no workers, or a worker has another version of v2vlint or of the rules.
    """
    distributed = _distributed()
    try:
        client = distributed.Client(address, timeout=TIMEOUT)
    except (OSError, ValueError, TimeoutError) as error:
        raise UsageError(
            f"--scheduler {address}: {str(error) or 'no answer'}", hint="tcp://HOST:8786, as 'dask scheduler' prints it"
        ) from error
    with client:
        _same_everywhere(client, address, asks)
        # The scheduler may have other users: its own number comes back at the end.
        before = client.run_on_scheduler(_allow_failures, LOST_WORKERS - 1)
        try:
            yield from _judged(distributed, client, asks, limits, progress)
        finally:
            with contextlib.suppress(OSError, RuntimeError):  # of a scheduler that is lost
                client.run_on_scheduler(_allow_failures, before)


def _distributed() -> Any:
    try:
        return importlib.import_module("distributed")
    except ImportError:
        raise UsageError("--scheduler needs Dask", hint="pip install 'v2vlint[dask]', here and on the workers") from None


def _allow_failures(count: int, dask_scheduler: Any) -> int:
    """In the scheduler: set how many workers a task may lose; returns the previous number."""
    before = int(dask_scheduler.allowed_failures)
    dask_scheduler.allowed_failures = count
    return before


def _same_everywhere(client: Any, address: str, asks: Sequence[CheckAsk]) -> None:
    """UsageError unless every worker has the same version as this machine."""
    try:
        client.wait_for_workers(1, timeout=TIMEOUT)
    except (TimeoutError, OSError) as error:
        raise UsageError(f"--scheduler {address}: no worker", hint="'dask worker ADDRESS' starts one") from error
    for folders in {ask.selection.folders for ask in asks}:
        mine = versions(folders)
        for worker, theirs in client.run(versions, folders).items():
            if theirs != mine:
                raise UsageError(
                    f"worker {worker} has v2vlint {theirs[0]}, or other rules; here is {mine[0]}",
                    hint="install the same v2vlint and rule packs everywhere, and restart the workers",
                )


def versions(folders: tuple[str, ...]) -> tuple[str, str]:
    """The version of v2vlint, and a digest of the rules' names and sizes."""
    return __version__, rules_version(folders, times=False)


def _judged(
    distributed: Any, client: Any, asks: Sequence[CheckAsk], limits: Limits, progress: Progress | None
) -> Iterator[tuple[int, Judged]]:
    tasks = (json.dumps(encode(replace(ask, guest=_absolute(ask.guest), keys=Keys()))) for ask in asks)
    # Not pure: Dask would answer an equal task with the result of an earlier one.
    futures = {client.submit(judge, task, asdict(limits), pure=False): at for at, task in enumerate(tasks)}
    waiting, staff, lack = set(futures), _Staff(client), ""
    while waiting and not (lack := staff.lack()):
        if progress:
            progress([asks[at].guest.name for at in sorted(futures[future] for future in waiting)[:3]], len(futures) - len(waiting))
        try:
            ended = distributed.wait(waiting, timeout=_TICK, return_when="FIRST_COMPLETED").done
        except TimeoutError:
            continue
        except CancelledError:  # all of them, when Dask has given up on the scheduler
            ended = set(waiting)
        for future in ended:
            try:
                answer = _answer(asks[futures[future]], future)
            except TimeoutError:  # the worker died with its answer: the task is repeated, and waits again
                continue
            waiting.discard(future)
            yield futures[future], answer
            future.release()
    for future in waiting:
        yield futures[future], _failed(asks[futures[future]], lack)


class _Staff:
    """Whether somebody is there to judge: Dask lets tasks wait for a worker without end."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._seen = self._asked = time.monotonic()

    def lack(self) -> str:
        """Why no more guests will be judged; empty while they may be."""
        now = time.monotonic()
        if now - self._asked > PATIENCE / 20:
            self._asked = now
            try:
                self._seen = now if self._client.nthreads() else self._seen
            except (OSError, RuntimeError):  # the client has given up, after Dask's own patience
                return SCHEDULER_LOST
        return "no worker is left" if now - self._seen > PATIENCE else ""


def _absolute(guest: GuestRef) -> GuestRef:
    """The guest with absolute paths."""
    paths, named, allowed = (tuple(map(_whole, found)) for found in (guest.paths, guest.named, guest.allowed))
    return replace(guest, paths=paths, named=named, allowed=allowed, folder=_whole(guest.folder))


def _whole(path: str) -> str:
    return os.path.abspath(path) if path and "://" not in path else path  # noqa: PTH100


def _answer(ask: CheckAsk, future: Any) -> Judged:
    """A task's result, under the guest's name on this machine. TimeoutError when it does not come."""
    try:
        judged = decode(Judged, parse(future.result(TIMEOUT)))
    except (UsageError, TimeoutError):
        raise
    except (TypeError, ValueError, KeyError):
        return _failed(ask, "the worker gave no valid answer")
    except Exception as error:
        killed = type(error).__name__ == "KilledWorker"
        reason = f"{LOST_WORKERS} workers were lost over it" if killed else f"the worker failed: {type(error).__name__}: {error}"
        return _failed(ask, SCHEDULER_LOST if isinstance(error, CancelledError) else reason)
    return Judged(replace(judged.image, name=ask.guest.name), judged.rules)


def _failed(ask: CheckAsk, reason: str) -> Judged:
    return Judged(ImageReport(ask.guest.name, ask.guest.paths, "", 0, (), (), (Problem(ask.guest.name, reason),)), ())


def judge(task: str, limits: Mapping[str, int]) -> str:
    """On a worker: answer an encoded question with an encoded :class:`~v2vlint.engine.protocol.Judged`."""
    ask = decode(CheckAsk, parse(task))
    found = keys.collect([name for name in os.environ.get(KEY_FILES, "").split(":") if name])
    try:
        checked = check_all([replace(ask, keys=found)], Limits(**limits))
    except V2vlintError as error:
        raise UsageError(error.message, hint=error.hint) from None
    return json.dumps(encode(Judged(checked.images[0], checked.rules)))
