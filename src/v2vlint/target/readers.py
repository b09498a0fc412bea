"""Readers of TOML values. Each takes a value and its place as text, and returns the parsed value or raises UsageError."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from v2vlint.model.errors import UsageError
from v2vlint.model.plain import JsonObject

Reader = Callable[[Any, str], Any]
T = TypeVar("T")


def text(value: Any, place: str) -> str:
    """A non-empty text."""
    if not isinstance(value, str) or not value:
        raise UsageError(f"{place}: must be a text")
    return value


def flag(value: Any, place: str) -> bool:
    """``true`` or ``false``."""
    if not isinstance(value, bool):
        raise UsageError(f"{place}: must be true or false")
    return value


def pattern(value: Any, place: str) -> str:
    """A regular expression."""
    try:
        re.compile(text(value, place))
    except re.error as error:
        raise UsageError(f"{place}: not a regular expression: {error}") from error
    return str(value)


def shaped(shape: str, words: str) -> Reader:
    """A text that matches the regular expression ``shape``; ``words`` describe it."""

    def convert(value: Any, place: str) -> str:
        if not re.fullmatch(shape, text(value, place)):
            raise UsageError(f"{place}: must be {words}")
        return str(value)

    return convert


def maybe(item: Reader) -> Reader:
    """What ``item`` reads, or an empty text, which resets an inherited value."""
    return lambda value, place: "" if value == "" else item(value, place)


def number(low: int, high: int) -> Reader:
    """A whole number from ``low`` to ``high``."""

    def convert(value: Any, place: str) -> int:
        if type(value) is not int or not low <= value <= high:
            raise UsageError(f"{place}: must be a number from {low} to {high}")
        return value

    return convert


def span(high: int) -> Reader:
    """Two numbers from 0 to ``high``: the bounds of a range; an empty list for none."""
    numbers = listed(number(0, high))

    def convert(value: Any, place: str) -> tuple[Any, ...]:
        found: tuple[Any, ...] = numbers(value, place)
        if found and (len(found) != 2 or found[0] > found[1]):
            raise UsageError(f"{place}: must be the lowest and the highest number")
        return found

    return convert


def one_of(*options: str) -> Reader:
    """One of the given words."""

    def convert(value: Any, place: str) -> str:
        if value not in options:
            raise UsageError(f"{place}: must be one of {', '.join(options)}")
        return str(value)

    return convert


def listed(item: Reader) -> Reader:
    """A list, possibly empty, as a tuple."""

    def convert(value: Any, place: str) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise UsageError(f"{place}: must be a list")
        return tuple(item(one, f"{place} #{count}") for count, one in enumerate(value, 1))

    return convert


def filled(item: Reader) -> Reader:
    """A non-empty list, as a tuple."""

    def convert(value: Any, place: str) -> tuple[Any, ...]:
        found: tuple[Any, ...] = listed(item)(value, place)
        if not found:
            raise UsageError(f"{place}: must not be empty")
        return found

    return convert


def fields(keys: Mapping[str, Reader]) -> Reader:
    """A table with any of ``keys``, as a dictionary."""

    def convert(value: Any, place: str) -> JsonObject:
        if not isinstance(value, dict):
            raise UsageError(f"{place}: must be a table")
        return {key: known(keys, key, place)(item, f"{place}: {key}") for key, item in value.items()}

    return convert


def pairs(item: Reader) -> Reader:
    """A table with arbitrary keys, as a tuple of pairs."""

    def convert(value: Any, place: str) -> tuple[tuple[str, Any], ...]:
        if not isinstance(value, dict):
            raise UsageError(f"{place}: must be a table")
        return tuple((key, item(one, f"{place}: {key}")) for key, one in value.items())

    return convert


def table(kind: type, keys: Mapping[str, Reader], optional: Mapping[str, Reader] | None = None) -> Reader:
    """A ``kind`` built from a table with all of ``keys`` and any of the ``optional`` ones."""
    every = fields({**keys, **(optional or {})})

    def convert(value: Any, place: str) -> Any:
        found = every(value, place)
        missing = [key for key in keys if key not in found]
        if missing:
            raise UsageError(f"{place}: {', '.join(missing)} missing")
        return kind(**found)

    return convert


def known(keys: Mapping[str, T], key: str, place: str) -> T:
    """The entry of ``keys`` for ``key``. UsageError when there is none."""
    if key not in keys:
        raise UsageError(f"{place}: unknown key {key!r}", hint=f"known keys: {', '.join(keys)}")
    return keys[key]
