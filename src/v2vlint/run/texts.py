"""Parsing the values of options and configuration keys."""

from __future__ import annotations

import re

from v2vlint.model.errors import UsageError

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(?:([kmgt])(?:i?b)?|b)?", re.IGNORECASE)
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
SMALLEST_MEMORY, LARGEST_MEMORY = 128 << 20, 1 << 60


def memory(text: str) -> int:
    """Bytes from ``512M``, ``2GiB``…; UsageError when it is not a size, or too small to run anything in."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"not a size: {text!r}", hint="write it as 512MiB or 2GiB")
    size = int(float(match[1]) * _UNITS[(match[2] or "").lower()])
    if size < SMALLEST_MEMORY:
        raise UsageError(f"a memory limit of {text} is too small to read anything", hint="at least 128MiB")
    if size > LARGEST_MEMORY:
        raise UsageError(f"a memory limit of {text} is none", hint="leave it out, or give one that the machine has")
    return size


def split(values: list[str] | None) -> tuple[str, ...]:
    """The items of a repeatable, comma-separated option."""
    return tuple(item.strip() for value in values or () for item in value.split(",") if item.strip())
