"""Waiting for servers, but not for ever: the libraries of some protocols take minutes for their own retries, or have no limit at all."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from v2vlint.files.errors import FileMissing, NoAnswer
from v2vlint.model.errors import ImageError

T = TypeVar("T")

PATIENCE = 60.0
"""Seconds for an answer."""
SLOW = 10.0
"""Seconds after which an error is that of a server that does not answer."""
_SLOWEST = 64 << 10
"""Bytes a second."""


class _Task(threading.Thread, Generic[T]):
    def __init__(self, action: Callable[[], T]) -> None:
        super().__init__(name="v2vlint-server", daemon=True)
        self._action, self.results = action, list[T]()
        self.error: BaseException | None = None

    def run(self) -> None:
        """Keep what the action returns or raises."""
        try:
            self.results.append(self._action())
        except BaseException as error:
            self.error = error


def within(name: str, action: Callable[[], T], limit: float, give_up: Callable[[], object] | None = None) -> T:
    """What ``action`` returns or raises. NoAnswer when the server, called ``name``, has not answered after ``limit`` seconds.

    The action is then left alone in its thread, which ends with the process at the latest. ``give_up`` may take away what it waits for.
    """
    task = _Task(action)
    task.start()
    task.join(limit)
    if task.error is not None:
        raise task.error
    if not task.results:
        if give_up is not None:
            give_up()
        raise NoAnswer(f"{name}: no answer within {limit:.0f} seconds", hint="check the network, and try again")
    return task.results[0]


def of(length: int) -> float:
    """The seconds for an answer of ``length`` bytes."""
    return PATIENCE + transfer(length)


def transfer(length: int) -> float:
    """The seconds that ``length`` bytes may be on their way."""
    return length / _SLOWEST


def judged(error: ImageError, started: float) -> ImageError:
    """The error of what was ``started`` at that time.monotonic(): NoAnswer when it came late, unless it is an answer itself."""
    if isinstance(error, FileMissing) or time.monotonic() - started <= SLOW:
        return error
    return NoAnswer(error.message, hint=error.hint)
