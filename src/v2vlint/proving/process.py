"""QEMU processes with limits: they die with v2vlint, cannot dump core, and cannot fill the disk."""

from __future__ import annotations

import ctypes
import functools
import resource
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

from v2vlint import programs
from v2vlint.accel import QEMU
from v2vlint.model.errors import ImageError, UsageError

SANDBOX = ("-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny")
_PR_SET_PDEATHSIG = 1


def limited(file_size: int, memory: int) -> Callable[[], None]:
    """For ``preexec_fn``: no core dump, files of at most ``file_size`` bytes, ``memory`` bytes of address space.

    The process dies with its parent.
    """
    libc = ctypes.CDLL(None)

    def apply() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        for kind, wanted in ((resource.RLIMIT_FSIZE, file_size), (resource.RLIMIT_AS, memory)):
            hard = resource.getrlimit(kind)[1]
            if hard == resource.RLIM_INFINITY or wanted < hard:
                resource.setrlimit(kind, (wanted, wanted))

    return apply


def need(tool: str, package: str) -> str:
    """The path of ``tool``; UsageError when it is not installed."""
    program = programs.find(tool)
    if program is None:
        raise UsageError(f"{tool} is not installed", hint=f"apt install {package}")
    return program


def run_tool(*command: str | Path) -> str:
    """Standard output of a QEMU tool; ImageError with its own words when it fails."""
    program = need(str(command[0]), "qemu-utils")
    done = subprocess.run(
        [program, *map(str, command[1:])],
        capture_output=True,
        text=True,
        errors="replace",
        stdin=subprocess.DEVNULL,
        timeout=60,
        env=programs.environment(),
    )
    if done.returncode:
        raise ImageError(f"{command[0]}: {first_line(done.stderr) or f'exit status {done.returncode}'}")
    return done.stdout


def first_line(text: str) -> str:
    """The first non-empty line, short enough for a message."""
    return next((line.strip()[:300] for line in text.splitlines() if line.strip()), "")


@functools.cache
def sandbox_options() -> tuple[str, ...]:
    """QEMU's system call filter, where its build and the kernel have it."""
    command = [programs.find(QEMU) or QEMU, "-machine", "none", "-nodefaults", "-display", "none", "-qmp", "stdio", *SANDBOX]
    quit_at_once = b'{"execute":"qmp_capabilities"}{"execute":"quit"}'
    try:
        done = subprocess.run(
            command, input=quit_at_once, capture_output=True, timeout=20, cwd=programs.NEUTRAL, env=programs.environment()
        )
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return () if done.returncode else SANDBOX
