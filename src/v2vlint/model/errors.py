"""Exceptions of v2vlint. Each names the object concerned and, where one exists, the remedy."""

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
    """A well-formed request that matches nothing: no image in a folder, no rule left (exit code 4)."""


class ImageError(V2vlintError):
    """An image cannot be opened or read (exit code 3)."""


class Unsupported(ImageError):
    """The image is understood, but uses a feature the reader does not have; the message names it."""


class PackError(V2vlintError):
    """A rule pack cannot be loaded."""


class FactUnavailable(Exception):
    """An outcome rather than an error: a fact cannot be known. Rules that need it are reported as unknown with this reason."""

    def __init__(self, where: Where, reason: str) -> None:
        super().__init__(f"{where}: {reason}")
        self.where = where
        self.reason = reason


class FactFailed(FactUnavailable):
    """The parser of a fact crashed. Unknown like any other fact, but a bug of v2vlint or a rule pack, and reported as one (exit code 3)."""

    def __init__(self, what: str, error: BaseException) -> None:
        super().__init__(WholeFile(""), f"{what} failed: {described(error)}")


def described(error: BaseException) -> str:
    """An unexpected exception in one line: its class, its message, and the source line that raised it."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = "" if trace is None else f" ({PurePath(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno})"
    return f"{type(error).__name__}: {error}{place}"


class NotApplicable(Exception):
    """Raised by a rule's ``check`` before its first finding: the rule has nothing to judge, for this reason."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
