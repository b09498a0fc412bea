"""Reads a console log: the start and the end of a long one, without the wrapping added by a cloud or a shell. Hostile input.

Supported are plain bytes with escape sequences, UTF-16 with a byte order mark (a redirected PowerShell), and JSON with the text in a
string: ``Output`` (EC2), ``contents`` (Google), ``output`` (OpenStack) or the whole document. The text may be in base64.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from v2vlint.console.terminal import Terminal
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import ImageError, UsageError

HEAD = 512 << 10
TAIL = 2 << 20
MOST = 1 << 30
_CHUNK = 1 << 20
_BASE64 = re.compile(rb"[A-Za-z0-9+/\r\n]{64,}={0,2}\s*")
_KEYS = ("output", "contents", "content", "console_output", "log", "data", "value")
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_PICTURES = {b"\x89PNG": "PNG", b"\xff\xd8\xff": "JPEG", b"GIF8": "GIF", b"BM": "BMP", b"P6\n": "PPM", b"%PDF": "PDF"}


@dataclass(frozen=True, slots=True)
class LogText:
    """The parts of a log that were read: its ``head``, and its ``tail`` after ``skipped`` bytes with ``between`` line ends."""

    head: bytes
    tail: bytes = b""
    skipped: int = 0
    between: int = 0

    def lines(self) -> Iterator[tuple[int, str]]:
        """Every line as a terminal would show it, with its line number in the file."""
        yield from _numbered(self.head, 1)
        if self.tail:
            yield from _numbered(self.tail, 1 + self.head.count(b"\n") + self.between)

    @property
    def count(self) -> int:
        """The number of lines in the whole log."""
        whole = self.tail or self.head
        return self.head.count(b"\n") + self.between + self.tail.count(b"\n") + bool(whole and not whole.endswith(b"\n"))


def read(name: str, stdin: IO[bytes]) -> LogText:
    """The log in the file ``name``, or of ``stdin`` for ``-``. UsageError when it is a picture, ImageError when it cannot be read."""
    if name == "-":
        return _unwrapped(_cut(stdin))
    try:
        # A pipe or device may never end, and opening one may have side effects.
        if Path(name).exists() and not Path(name).is_file():
            raise UsageError(f"{name}: is no regular file", hint="to read a pipe, redirect it: v2vlint diagnose - < PIPE")
        with Path(name).open("rb") as file:
            return _unwrapped(_cut(file))
    except OSError as error:
        raise ImageError(f"{name}: {(error.strerror or 'cannot be read').lower()}") from error


def _cut(stream: IO[bytes]) -> LogText:
    """The start and the end of ``stream``, and the number of line ends in between."""
    head, tail, skipped, between, total = b"", b"", 0, 0, 0
    while chunk := stream.read(_CHUNK):
        total += len(chunk)
        if total > MOST:
            raise UsageError("the log is longer than 1 GiB", hint="give the part with the boot: tail -c 4M FILE | v2vlint diagnose -")
        room = HEAD - len(head)
        head, tail = head + chunk[:room], tail + chunk[max(0, room) :]
        if len(tail) > TAIL:
            lost, tail = tail[:-TAIL], tail[-TAIL:]
            skipped, between = skipped + len(lost), between + lost.count(b"\n")
    return LogText(head, tail, skipped, between)


def _unwrapped(log: LogText) -> LogText:
    kind = next((kind for magic, kind in _PICTURES.items() if log.head.startswith(magic) and b"\0" in log.head[:4096]), "")
    if kind:
        raise UsageError(f"the log is a {kind} file", hint="give the text that it shows")
    if log.skipped:
        return log
    data = _decoded(log.head + log.tail)
    text = _in_json(data)
    whole = _from_base64(data if text is None else text)
    return LogText(whole[:HEAD], whole[HEAD:])


def _decoded(data: bytes) -> bytes:
    for bom, name in _BOMS:
        if data.startswith(bom):
            return data.removeprefix(bom).decode(name, "replace").encode("utf-8", "replace")
    return data


def _in_json(data: bytes) -> bytes | None:
    """The text in a JSON document; None when it is not JSON, or has no such text."""
    if data.lstrip()[:1] not in (b"{", b'"', b"["):
        return None
    try:
        found = _longest(json.loads(data))
    except (ValueError, RecursionError):
        return None
    return found.encode("utf-8", "replace") if found else None


def _longest(value: Any) -> str:
    """The text under one of the known keys, or the longest string of the document's first two levels."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return max((item for item in value if isinstance(item, str)), key=len, default="")
    if not isinstance(value, dict):
        return ""
    known = {str(key).lower(): item for key, item in value.items() if isinstance(item, str)}
    return next((known[key] for key in _KEYS if key in known), max(known.values(), key=len, default=""))


def _from_base64(data: bytes) -> bytes:
    """``data`` decoded if it is base64 of text, otherwise unchanged."""
    if not _BASE64.fullmatch(data):
        return data
    try:
        plain = base64.b64decode(data)
    except binascii.Error:
        return data
    return plain if b"\n" in plain or b"\r" in plain else data


def _numbered(data: bytes, first: int) -> Iterator[tuple[int, str]]:
    terminal, number = Terminal(), first
    for number, piece in enumerate(data.split(b"\n"), first):
        for line in terminal.feed(piece + b"\n"):
            yield number, line
    if terminal.partial.strip():
        yield number, terminal.partial
