"""One question to an isolated child, answered with a value or an error."""

from __future__ import annotations

from typing import Any, TypeVar

from v2vlint import isolate
from v2vlint.confine import Grant
from v2vlint.files import Desk
from v2vlint.isolate import Answer, Call, Limits, Refusal
from v2vlint.model.codec import decode, encode
from v2vlint.model.errors import ImageError, UsageError
from v2vlint.model.source import GuestRef
from v2vlint.source.journal import pending

T = TypeVar("T")
NOTHING = Grant()


def answer(function: str, ask: Any, kind: type[T], guest: GuestRef, limits: Limits, desk: Desk | None = None, grant: Grant = NOTHING) -> T:
    """The answer of ``function`` (``module:name``) about ``guest``. A UsageError of the child is raised again, anything else as ImageError.

    ``desk`` opens its files, if they are not only the guest's; ``grant`` is what else the child may access. ImageError for a guest with an
    unfinished transaction, which is neither old nor new, with the command that finishes it.
    """
    for problem in pending(guest.paths):
        raise ImageError(f"{problem.where}: {problem.reason}", hint=problem.hint)
    outcome = isolate.run(Call(function, encode(ask), grant, desk or Desk(guest)), limits)
    if isinstance(outcome, Answer):
        return _decoded(kind, outcome.value, guest)
    if isinstance(outcome, Refusal):
        raise (UsageError if outcome.kind == "UsageError" else ImageError)(outcome.message, hint=outcome.hint)
    raise ImageError(f"{guest.name}: {outcome.reason}", hint=outcome.hint)


def _decoded(kind: type[T], value: Any, guest: GuestRef) -> T:
    try:
        return decode(kind, value)
    except (TypeError, ValueError, KeyError) as error:
        raise ImageError(f"{guest.name}: the reader process gave no valid answer") from error
