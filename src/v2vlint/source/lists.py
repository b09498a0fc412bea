"""Lists of arguments: ``@FILE``, and ``-`` or ``@-`` for stdin."""

from __future__ import annotations

import codecs
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from v2vlint.model.errors import UsageError

MAX_LIST = 64 << 20


def listed(arguments: Iterable[str]) -> Iterator[str]:
    """``arguments``, with lists replaced by their items: one guest per line, ignoring empty lines and those that start with ``#``.

    In a list with NUL bytes (``find -print0``), these separate the items. A byte order mark, as Windows writes it, is left out. Items are
    relative to the current folder, and cannot be lists themselves. UsageError when a list cannot be read.
    """
    for argument in arguments:
        if argument in ("-", "@-") or argument.startswith("@"):
            yield from _items(argument)
        else:
            yield argument


def _items(argument: str) -> Iterator[str]:
    data = _plain(_read(argument), argument)
    if b"\0" in data:
        yield from (os.fsdecode(item) for item in data.split(b"\0") if item)
        return
    for line in data.splitlines():
        if (text := os.fsdecode(line).strip()) and not text.startswith("#"):
            yield text


def _plain(data: bytes, argument: str) -> bytes:
    """A list as names of files are: without a byte order mark, and not in UTF-16."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        try:
            return os.fsencode(data.decode("utf-16"))
        except UnicodeError as error:
            raise UsageError(f"{argument}: a list in UTF-16 that is damaged") from error
    return data.removeprefix(codecs.BOM_UTF8)


def _read(argument: str) -> bytes:
    name = argument.removeprefix("@")
    try:
        if name == "-":
            data = sys.stdin.buffer.read(MAX_LIST + 1)
        else:
            with Path(name).open("rb") as stream:
                data = stream.read(MAX_LIST + 1)
    except OSError as error:
        hint = f"a file of that name is ./{argument}" if os.path.lexists(argument) else ""
        raise UsageError(f"{argument}: {(error.strerror or 'cannot be read').lower()}", hint=hint) from error
    if len(data) > MAX_LIST:
        raise UsageError(f"{argument}: a list of more than {MAX_LIST >> 20} MiB")
    return data
