"""The Python API: :func:`v2vlint.open` returns a guest that is inspected on demand, in a child process with limits."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable, Sequence
from typing import Any

from v2vlint.asking import child
from v2vlint.asking.guest import Askable
from v2vlint.engine.questions import Answers, Question
from v2vlint.inspecting.parent import inspect_all
from v2vlint.inspecting.protocol import InspectAsk
from v2vlint.isolate import DEFAULT_LIMITS, Limits
from v2vlint.model.errors import ImageError, UsageError
from v2vlint.model.machine import Machine
from v2vlint.model.source import GuestRef, Key, Keys
from v2vlint.source.expand import expand


class OpenGuest(Askable):
    """A guest whose :attr:`machine` is determined on first access, and which can be queried like the guest of a test. No file stays open
    between queries; a file that has changed is read again.
    """

    def __init__(self, ref: GuestRef, keys: Keys, limits: Limits, root: str = "") -> None:
        super().__init__(ref, root)
        self.ref, self.keys, self.limits = ref, keys, limits
        self._known: dict[str, object] = {}

    def _answers(self, question: Question) -> Answers:
        return child.ask(question, self.keys, self.limits, self._cached)

    def _cached(self, key: Any, compute: Callable[[], Any]) -> Any:
        name = json.dumps(key, sort_keys=True)
        if name not in self._known:
            self._known[name] = compute()
        return self._known[name]

    @functools.cached_property
    def machine(self) -> Machine:
        """The machine's description. ImageError when nothing could be read: no such file, an unknown format, a crashed child."""
        (machine,) = inspect_all([InspectAsk(self.ref, self.keys)], self.limits)
        if not machine.devices and machine.definition is None:
            problem = machine.problems[0] if machine.problems else None
            reason = f"{problem.where}: {problem.reason}" if problem else f"{machine.name}: nothing to read"
            raise ImageError(reason, hint=problem.hint if problem else "")
        return machine

    def __repr__(self) -> str:
        return f"OpenGuest({self.ref.name!r})"


def open_guest(
    images: Sequence[str | os.PathLike[str]],
    keys: Sequence[bytes | str],
    limits: Limits | None,
    connect: str = "",
    root: str = "",
) -> OpenGuest:
    """The guest on ``images``; ``connect`` is the libvirt URI for ``domain:NAME``, ``root`` the device of the operating system to use.
    UsageError when the arguments name no guest, or several.
    """
    if not images:
        raise UsageError("no image given")
    found = expand(["+".join(os.fspath(image) for image in images)], connect)
    if len(found) != 1:
        raise UsageError(f"{len(found)} guests, where one was expected", hint="open them one by one")
    secrets = Keys(tuple(Key(os.fsencode(key)) for key in keys))
    return OpenGuest(found[0], secrets, limits or DEFAULT_LIMITS, root)
