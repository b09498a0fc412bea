"""Errors of opening a file."""

from __future__ import annotations

from v2vlint.model.errors import ImageError


class Refused(ImageError):
    """The policy does not allow opening it; the hint names the option that would."""


class FileMissing(ImageError):
    """The file does not exist."""


class NoAnswer(ImageError):
    """The server has not answered in time, or not after several attempts: to ask it again would take as long."""
