"""Why a file is not opened."""

from __future__ import annotations

from v2vlint.model.errors import ImageError


class Refused(ImageError):
    """The policy does not allow to open it; the hint has the option that would."""


class FileMissing(ImageError):
    """There is no such file."""
