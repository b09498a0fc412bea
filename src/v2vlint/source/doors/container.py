"""``podman://NAME`` and ``docker://NAME``: the files of a container on this host, running or not, as written by ``export``.

The parent has the archive written to a file that is removed when the process exits; nothing runs in the container. A container has the
hardware and the kernel of its host: use ``live:`` for those.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator

from v2vlint import programs
from v2vlint.model.errors import ImageError
from v2vlint.model.source import GuestRef
from v2vlint.source.door import Door

INSTEAD = "a container is not fixed: put the fix into its Containerfile"
TIMEOUT = 900
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,254}")


def _find(argument: str, _connect: str) -> Iterator[GuestRef]:
    engine, _, name = argument.partition("://")
    try:
        yield GuestRef(argument, "tar", (_exported(engine, name),), unwritable=INSTEAD)
    except ImageError as error:
        yield GuestRef(argument, "tar", (), problem=error.message, hint=error.hint, unwritable=INSTEAD)


def _exported(engine: str, name: str) -> str:
    """The path of an archive of the container's files. ImageError with the engine's message."""
    if not _NAME.fullmatch(name):
        raise ImageError(f"{engine}://{name}: not a name of a container", hint=f"'{engine} ps -a' lists them; images are oci:PATH")
    program = programs.find(engine)
    if program is None:
        raise ImageError(f"{engine}://{name}: {engine} is not installed")
    handle, path = tempfile.mkstemp(prefix="v2vlint-", suffix=".tar", dir=os.environ.get("TMPDIR", "/var/tmp"))
    atexit.register(_forget, path)
    try:
        with os.fdopen(handle, "wb") as archive, programs.starting(program):
            command, environment = (program, "export", name), programs.environment()
            done = subprocess.run(command, stdout=archive, stderr=subprocess.PIPE, timeout=TIMEOUT, check=False, env=environment)
    except subprocess.TimeoutExpired as error:
        raise ImageError(f"{engine}://{name}: not exported within {TIMEOUT} seconds") from error
    if done.returncode:
        words = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["nothing was said"]
        raise ImageError(f"{engine}://{name}: {words[-1][:300]}", hint=f"'{engine} ps -a' lists the containers of this user")
    return path


def _forget(path: str) -> None:
    with contextlib.suppress(OSError):
        os.unlink(path)  # noqa: PTH108


DOORS = (Door("container", "the files of a container", ("podman://", "docker://"), _find),)
