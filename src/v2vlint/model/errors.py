"""Exceptions of v2vlint. Each names the object it is about and, where one exists, the remedy."""

from __future__ import annotations

from pathlib import PurePath

from v2vlint.model.place import Where, WholeFile


class V2vlintError(Exception):
    """Root of all errors; ``hint`` says what to do about it."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message


class UsageError(V2vlintError):
    """The command line or the configuration is wrong (exit code 2)."""


class NothingFound(UsageError):
    """What was asked for is well-formed, but fits nothing: no image in a folder, no rule left (exit code 4)."""


class ImageError(V2vlintError):
    """An image cannot be opened or read (exit code 3)."""


class Unsupported(ImageError):
    """The image is understood, but uses a feature the reader does not have; the message names it."""


class PackError(V2vlintError):
    """A rule pack cannot be loaded."""


class FactUnavailable(Exception):
    """Not an error but an outcome: a fact cannot be known. The rules needing it are reported as unknown with this reason."""

    def __init__(self, where: Where, reason: str) -> None:
        super().__init__(f"{where}: {reason}")
        self.where = where
        self.reason = reason


class FactFailed(FactUnavailable):
    """The parser of a fact crashed: unknown like any other, but a bug of v2vlint or of a rule pack, and told as one (exit code 3)."""

    def __init__(self, what: str, error: BaseException) -> None:
        super().__init__(WholeFile(""), f"{what} failed: {described(error)}")


def described(error: BaseException) -> str:
    """An unexpected exception in a line: its class, its words, and the line of code that raised it."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = "" if trace is None else f" ({PurePath(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno})"
    return f"{type(error).__name__}: {error}{place}"


class NotApplicable(Exception):
    """Raised by a rule's ``check`` before its first finding: the rule has nothing to judge here, for this reason."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
