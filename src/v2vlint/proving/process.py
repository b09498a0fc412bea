"""QEMU and its tools for a proof: which are installed, which sandbox they have, and their error messages."""

from __future__ import annotations

import functools
import subprocess
from pathlib import Path

from v2vlint import programs
from v2vlint.confine import Grant, tools
from v2vlint.model.errors import ImageError, UsageError

SANDBOX = ("-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny")


def need(tool: str, package: str) -> str:
    """The path of ``tool``; UsageError when it is not installed."""
    program = programs.find(tool)
    if program is None:
        raise UsageError(programs.absence(tool), hint=f"apt install {package}")
    return program


def create_overlay(path: Path, size: int) -> None:
    """Create a qcow2 file of ``size`` bytes with a confined qemu-img. ImageError with its message, UsageError if not installed."""
    path.touch(0o600)
    try:
        done = tools.run(("qemu-img", "create", "-q", "-f", "qcow2", str(path), str(size)), Grant(write=(str(path),)), timeout=60)
    except tools.NotInstalled as error:
        raise UsageError(str(error), hint="apt install qemu-utils") from None
    except tools.Stopped as error:
        raise ImageError(f"qemu-img create: {error.reason}") from error
    if done.status:
        raise ImageError(f"qemu-img create: {first_line(done.errors) or f'exit status {done.status}'}")


def first_line(text: str) -> str:
    """The first non-empty line, short enough for a message."""
    return next((line.strip()[:300] for line in text.splitlines() if line.strip()), "")


@functools.cache
def sandbox_options(program: str) -> tuple[str, ...]:
    """The system call filter of QEMU's ``program``, if its build and the kernel support it."""
    command = [program, "-machine", "none", "-nodefaults", "-display", "none", "-qmp", "stdio", *SANDBOX]
    quit_at_once = b'{"execute":"qmp_capabilities"}{"execute":"quit"}'
    try:
        done = subprocess.run(
            command, input=quit_at_once, capture_output=True, timeout=20, cwd=programs.NEUTRAL, env=programs.environment()
        )
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return () if done.returncode else SANDBOX
