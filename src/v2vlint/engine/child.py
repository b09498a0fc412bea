"""One question to an isolated child, answered with a value or an error."""

from __future__ import annotations

from typing import Any, TypeVar

from v2vlint import isolate
from v2vlint.isolate import Answer, Call, Limits, Refusal
from v2vlint.model.codec import decode, encode
from v2vlint.model.errors import ImageError, UsageError

T = TypeVar("T")


def answer(function: str, ask: Any, kind: type[T], name: str, limits: Limits) -> T:
    """What ``function`` (``module:name``) answers about the guest ``name``. UsageError as the child raised it, ImageError for all else."""
    outcome = isolate.run(Call(function, encode(ask)), limits)
    if isinstance(outcome, Answer):
        return decode(kind, outcome.value)
    if isinstance(outcome, Refusal):
        raise (UsageError if outcome.kind == "UsageError" else ImageError)(outcome.message, hint=outcome.hint)
    raise ImageError(f"{name}: {outcome.reason}", hint=outcome.hint)
