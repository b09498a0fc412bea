"""Small reads of guest files, where anything unreadable counts as missing."""

from __future__ import annotations

import shlex

from v2vlint.guest.fs import GuestFS
from v2vlint.guest.text import split_lines
from v2vlint.model.errors import FactUnavailable

MAX_SMALL = 1 << 16


def exists(fs: GuestFS, path: str) -> bool:
    """Whether something is at ``path``."""
    try:
        return fs.exists(path)
    except FactUnavailable:
        return False


def is_file(fs: GuestFS, path: str) -> bool:
    """Whether a regular file is at ``path``, links followed."""
    try:
        return fs.is_file(path)
    except FactUnavailable:
        return False


def small(fs: GuestFS, path: str) -> str:
    """The text of a small file; empty when it does not exist."""
    try:
        return (fs.read(path, MAX_SMALL) or b"").decode("utf-8", "replace")
    except FactUnavailable:
        return ""


def first_line(fs: GuestFS, path: str) -> str:
    """The first line of a file, without surrounding blanks."""
    return next(iter(split_lines(small(fs, path))), "").strip()


def key_values(fs: GuestFS, path: str, *, sourced: bool = False) -> dict[str, str]:
    """``KEY=value`` lines (os-release(5)); the last value of a key counts. Programs that parse such files know no comment behind a value, a
    shell that has the file ``sourced`` does.
    """
    found: dict[str, str] = {}
    for line in split_lines(small(fs, path))[:400]:
        key, equals, value = line.strip().partition("=")
        if equals and not key.startswith("#"):
            found[key] = _first_word(value) if sourced else unquoted(value)
    return found


def _first_word(value: str) -> str:
    words = shlex.shlex(value, posix=True, punctuation_chars=False)
    words.whitespace_split, words.commenters = True, ""
    try:
        return "" if value[:1].isspace() else words.get_token() or ""
    except ValueError:
        return unquoted(value)


def unquoted(value: str) -> str:
    """A shell word without its quotes."""
    try:
        return " ".join(shlex.split(value))
    except ValueError:
        return value.strip("\"'")
