"""Keys of encrypted disks: from files, from the environment, or from the terminal. Never from arguments: every user can see those."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from v2vlint.model.errors import UsageError
from v2vlint.model.report import Problem
from v2vlint.model.source import KEY_OPTION, Key, Keys

VARIABLE = "V2VLINT_KEY"
MAX_KEY = 8 << 20
_LOCKED = "no key was given"


def collect(files: Sequence[str]) -> Keys:
    """The keys of ``--key-file`` options and of ``$V2VLINT_KEY``. UsageError when a file cannot be read.

    A key file is tried as it is, and also without the newline that an editor or echo adds to a passphrase.
    """
    exact = [_from_file(text) for text in files]
    typed = [Key(key.secret[:-1], key.device) for key in exact if key.secret.endswith(b"\n")]
    keys = exact + typed
    if secret := os.environ.get(VARIABLE):
        keys.append(Key(os.fsencode(secret)))
    return Keys(tuple(keys))


def _from_file(text: str) -> Key:
    device, path = _split(text)
    if not path:
        raise UsageError(f"--key-file {text}: no file is named")
    try:
        with Path(path).open("rb") as stream:
            secret = stream.read(MAX_KEY + 1)
    except OSError as error:
        raise UsageError(f"key file {path}: {(error.strerror or 'cannot be read').lower()}") from error
    if len(secret) > MAX_KEY:
        raise UsageError(f"key file {path}: larger than {MAX_KEY} bytes")
    return Key(secret, device)


def _split(text: str) -> tuple[str, str]:
    """Device and file. Both may have equals signs (``UUID=…=FILE``), so the file is the longest that exists."""
    parts = text.split("=")
    splits = [("=".join(parts[:count]), "=".join(parts[count:])) for count in range(len(parts))]
    likely = splits[1] if len(splits) > 1 else splits[0]
    return next((split for split in splits if split[1] and Path(split[1]).exists()), likely)


def fitting(guests: Sequence[Sequence[Problem]]) -> list[tuple[Problem, ...]]:
    """The problems of all guests, without keys that belong to another guest: a name given with a key must match in at least one of them."""
    unused = [{problem.where for problem in problems if problem.where.startswith(f"{KEY_OPTION} ")} for problems in guests]
    nowhere = set.intersection(*unused) if unused else set()
    elsewhere = set().union(*unused) - nowhere
    return [tuple(problem for problem in problems if problem.where not in elsewhere) for problems in guests]


def can_ask() -> bool:
    """Whether there is a terminal to ask on."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def asked_for(problems: Iterable[Problem], known: Keys) -> Keys | None:
    """``known`` plus the passphrases typed for the devices that stayed locked; None when none is typed."""
    locked = dict.fromkeys(problem.where for problem in problems if _LOCKED in problem.reason)
    typed = tuple(key for device in locked if (key := ask(device)))
    return Keys((*known.keys, *typed)) if typed else None


def ask(device: str) -> Key | None:
    """A passphrase for ``device`` from the terminal; None when nothing is typed."""
    import getpass

    try:
        secret = getpass.getpass(f"passphrase for {device} (empty: leave it closed): ", sys.stderr)
    except EOFError:
        return None
    return Key(os.fsencode(secret), device) if secret else None
