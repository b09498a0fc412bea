"""``podman://NAME`` and ``docker://NAME``: the files of a container, running or not, as written by ``export``; and ``kubectl://POD``.

The parent has the archive written to a file that is removed when the process exits. Nothing runs in it, except, in that of a pod,
which cannot be exported, its own tar. A container has the hardware and the kernel of its host: use ``live:`` for those.
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
_HINTS = {
    "podman": "'podman ps -a' lists the containers of this user",
    "docker": "'docker ps -a' lists the containers of this user",
    "kubectl": "'kubectl get pods -A' lists them; a container needs sh and tar",
}
_PACK = r"""
[ "$(id -u)" = 0 ] || { echo "its user is not root and may not read everything, so what it cannot read would seem absent" >&2; exit 1; }
cd / && set -- && for f in * .[!.]*; do
  case $f in proc|sys|dev) ;; *) if [ -e "$f" ] || [ -L "$f" ]; then set -- "$@" "$f"; fi;; esac
done
tar -cf - -- "$@"; [ $? -le 1 ]
"""
"""The shell command in a pod: it archives everything but the kernel's filesystems. Status 1 of tar means that a file changed meanwhile."""
# Without a dash at the start: the engine would take it for an option.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,254}")


def _find(argument: str, _connect: str) -> Iterator[GuestRef]:
    engine, _, name = argument.partition("://")
    try:
        words = _pod(name) if engine == "kubectl" else _container(engine, name)
        yield GuestRef(argument, "tar", (_exported(argument, engine, words),), unwritable=INSTEAD)
    except ImageError as error:
        yield GuestRef(argument, "tar", (), problem=error.message, hint=error.hint, unwritable=INSTEAD)


def _container(engine: str, name: str) -> tuple[str, ...]:
    """The command with which ``engine`` exports a container's files."""
    if not _NAME.fullmatch(name):
        raise ImageError(f"{engine}://{name}: not a name of a container", hint=f"'{engine} ps -a' lists them; images are oci:PATH")
    return "export", name


def _pod(name: str) -> tuple[str, ...]:
    """The same for ``POD``, ``NAMESPACE/POD`` or ``NAMESPACE/POD/CONTAINER``, by the tar in there."""
    parts = name.split("/")
    if len(parts) > 3 or not all(map(_NAME.fullmatch, parts)):
        raise ImageError(f"kubectl://{name}: not the name of a pod", hint="kubectl://NAMESPACE/POD/CONTAINER; only the pod has to be named")
    space, pod, container = parts if len(parts) == 3 else (*parts, "") if len(parts) == 2 else ("", *parts, "")
    place = (*(("-n", space) if space else ()), pod, *(("-c", container) if container else ()))
    return "exec", *place, "--", "sh", "-c", _PACK


def _exported(where: str, engine: str, words: tuple[str, ...]) -> str:
    """The path of an archive of the container's files. ImageError with what the engine says."""
    program = programs.find(engine)
    if program is None:
        raise ImageError(f"{where}: {engine} is not installed")
    # Not /tmp, which is in memory on many hosts.
    handle, path = tempfile.mkstemp(prefix="v2vlint-", suffix=".tar", dir=os.environ.get("TMPDIR", "/var/tmp"))
    atexit.register(_forget, path)
    try:
        with os.fdopen(handle, "wb") as archive, programs.starting(program):
            command, environment = (program, *words), programs.environment()
            done = subprocess.run(command, stdout=archive, stderr=subprocess.PIPE, timeout=TIMEOUT, check=False, env=environment)
    except subprocess.TimeoutExpired as error:
        raise ImageError(f"{where}: not packed within {TIMEOUT} seconds") from error
    if done.returncode:
        raise ImageError(f"{where}: {programs.last_words(done.stderr)}", hint=_HINTS[engine])
    return path


def _forget(path: str) -> None:
    with contextlib.suppress(OSError):
        os.unlink(path)  # noqa: PTH108


DOORS = (Door("container", "the files of a container", ("podman://", "docker://", "kubectl://"), _find),)
