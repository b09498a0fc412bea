"""Finds host programs in absolute folders only, and starts them so that nothing shipped with an image can influence them.

A relative or empty entry in ``$PATH``, ``$LD_LIBRARY_PATH`` or ``$LIBGUESTFS_PATH`` means the current folder, which may be the image's.
"""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from v2vlint.model.errors import UsageError

NEUTRAL = "/"
"""The working directory of started programs."""
_FOLDERS = frozenset({
    "PATH", "LD_LIBRARY_PATH", "LD_PRELOAD", "PYTHONPATH", "TMPDIR", "LIBGUESTFS_PATH", "LIBGUESTFS_HV", "LIBGUESTFS_QEMU",
    "LIBGUESTFS_TMPDIR", "LIBGUESTFS_CACHEDIR", "SUPERMIN_KERNEL", "SUPERMIN_MODULES", "QEMU_MODULE_DIR", "XDG_RUNTIME_DIR",
})  # fmt: skip


def find(name: str) -> str | None:
    """The absolute path of a program; None when it is not installed."""
    import shutil

    return shutil.which(name, path=_absolute(os.environ.get("PATH", os.defpath)))


def absence(name: str) -> str:
    """Why :func:`find` has no program ``name``: it is not installed, or this user may not run it."""
    folders = _absolute(os.environ.get("PATH", os.defpath)).split(os.pathsep)
    there = next((path for folder in folders if os.path.isfile(path := os.path.join(folder, name))), "")  # noqa: PTH113, PTH118
    return f"{there} may not be run by this user" if there else f"{name} is not installed"


def failure(error: OSError, program: str) -> str:
    """Why ``program`` did not start, in one line: it, or its interpreter, does not exist or may not be run."""
    return f"{program} cannot be started: {(error.strerror or str(error)).lower()}"


@contextmanager
def starting(program: str) -> Iterator[None]:
    """While starting ``program``: UsageError when it cannot be started."""
    try:
        yield
    except OSError as error:
        raise UsageError(
            failure(error, program), hint="it, or the interpreter it names, must be there and be executable by this user"
        ) from error


def limited(command: Sequence[str], size: int) -> tuple[str, ...]:
    """``command`` with files that it writes, its standard output among them, cut off after ``size`` bytes."""
    # sh counts file sizes in blocks of 512 bytes (POSIX, ulimit).
    return ("sh", "-c", f'ulimit -f {size >> 9}; exec "$@"', "sh", *command)


def last_words(stderr: bytes) -> str:
    """The last line of a program's messages, which says what was wrong, at most 300 characters of it."""
    lines = stderr.decode("utf-8", "replace").strip().splitlines() or ["nothing was said"]
    return lines[-1][:300]


def environment() -> dict[str, str]:
    """This process's environment without references to the current folder, and with messages in English."""
    kept = {name: _absolute(value) if name in _FOLDERS else value for name, value in os.environ.items()}
    return {name: value for name, value in kept.items() if value or name not in _FOLDERS} | {"LC_ALL": "C"}


def _absolute(value: str) -> str:
    return os.pathsep.join(entry for entry in value.split(os.pathsep) if os.path.isabs(entry))  # noqa: PTH117


@functools.cache
def guestfs_python() -> str | None:
    """A Python interpreter that can import the installed ``guestfs``: this one, else the distribution's; None when there is none."""
    return next((one for one in dict.fromkeys((sys.executable, "/usr/bin/python3")) if _imports_guestfs(one)), None)


def _imports_guestfs(interpreter: str) -> bool:
    command = [interpreter, "-I", "-c", "import guestfs"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=60, cwd=NEUTRAL, env=environment())
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
